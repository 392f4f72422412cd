# What shim.bats and the shim's attacks share: the programs under test, and one case of a python file per test.

load "${BASH_SOURCE[0]%/*}/assert.bash"

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	export CARREL_BIN=${CARREL_BIN:-$(realpath "$BATS_TEST_DIRNAME/../../build/bin")}
	export CARREL_SHIM=$CARREL_BIN/carrel-shim CARREL_RUNTIME=$CARREL_BIN/carrel-runtime CARREL_INIT=$CARREL_BIN/carrel-init
}

teardown() {
	# Our parent group, when no other test uses it.
	find /sys/fs/cgroup -maxdepth 3 -type d -path '*/carrel-test' -exec rmdir {} \; 2> /dev/null
	return 0
}

case_of() { # FILE CASE: in a directory of its own
	run timeout 240 /usr/bin/python3 "$BATS_TEST_DIRNAME/$1" "$2" "$BATS_TEST_TMPDIR"
	ok
}
