# make conformance: runs a suite that it is given, in namespaces and cgroups of its own or in a guest, and tells what did not pass.
load lib

TOOL=$BATS_TEST_DIRNAME/../tools/conformance

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	WORK=$BATS_TEST_TMPDIR
	SUITE=$WORK/suite
	mkdir -p "$SUITE/tests/integration"
	# bats would take these for tests of this file: so their mark is put in here.
	sed 's/^TEST/@test/' > "$SUITE/tests/integration/first.bats" << 'BATS'
TEST "passes" { [ -x "$RUNC" ] && "$RUNC" --version; }
TEST "fails" { false; }
TEST "is skipped" { skip "for a reason"; }
BATS
	sed 's/^TEST/@test/' > "$SUITE/tests/integration/where.bats" << 'BATS'
TEST "where" {
	{
		readlink /proc/self/ns/mnt /proc/self/ns/cgroup /proc/self/ns/pid
		cat /proc/self/cgroup
		[ -t 0 ] && echo terminal
		sleep 300 > /dev/null 2>&1 < /dev/null 3>&- &
		go env GOARCH
		mount -t tmpfs none /mnt
		d=/sys/fs/cgroup
		[ ! -d $d/pids ] || d=$d/pids
		mkdir $d/made-by-the-suite
	} > "$SUITE/seen"
}
BATS
}

traces() {
	find /sys/fs/cgroup -maxdepth 3 -name made-by-the-suite -o -maxdepth 3 -name 'carrel-conformance.*'
	find /tmp -maxdepth 1 -name 'carrel-conformance.*'
}

conformance() { OUT=$WORK/out RUNTIME=$RUNTIME timeout 200 "$TOOL" "$@"; }

@test "a table, what did not pass, what was skipped and why, and an exit status" {
	run conformance "$SUITE" first
	[ "$status" -eq 1 ]
	[[ $output =~ first\ +2\ passed\ +1\ failed\ +1\ skipped ]]
	says 'first: fails'
	says 'first: is skipped (for a reason)'
	[[ $output =~ In\ all:\ +2\ passed\ +1\ failed ]]
	grep -q '^ok 1 passes' "$WORK/out/first.tap"
	FILTER=passes run conformance "$SUITE" first
	ok
	# Whatever shell the caller has, or none.
	(unset SHELL && FILTER=passes conformance "$SUITE" first)
}

@test "the suite has namespaces, cgroups and a terminal of its own, and nothing of it is left" {
	traces > "$WORK/before"
	run conformance "$SUITE" where.bats
	ok
	for ns in mnt cgroup pid; do
		! grep -qF "$(readlink "/proc/self/ns/$ns")" "$SUITE/seen" || return 1
	done
	grep -qx terminal "$SUITE/seen"
	grep -qxE 'amd64|arm64|armhf|riscv64' "$SUITE/seen"
	# In its own root of every hierarchy.
	! grep -E '^[0-9]+:.*:/.+' "$SUITE/seen" || return 1
	! grep -q ' /mnt tmpfs' /proc/self/mounts || return 1
	# Another run of somebody else's may be on its way.
	[ -z "$(traces | sort | comm -13 <(sort "$WORK/before") -)" ]
}

@test "what cannot run is said at once" {
	run conformance "$WORK/nothing"
	[ "$status" -eq 2 ]
	says 'no checkout with tests/integration'
	run conformance "$SUITE" nosuch
	[ "$status" -eq 2 ]
	says 'nosuch.bats is not there'
	echo 'not a test file' > "$SUITE/tests/integration/broken.bats"
	run conformance "$SUITE" broken
	[ "$status" -eq 1 ]
	says 'broken: '
	RUNTIME=$WORK/nothing run conformance "$SUITE"
	[ "$status" -eq 2 ]
	says 'no carrel-runtime'
	run make -C "$BATS_TEST_DIRNAME/../.." conformance
	[ "$status" -ne 0 ]
	says 'SUITE=dir'
}

@test "a file that takes too long is stopped" {
	printf '@test "slow" { sleep 100; }\n' > "$SUITE/tests/integration/slow.bats"
	LIMIT=3 run conformance "$SUITE" slow
	[ "$status" -eq 1 ] || { echo "status $status: $output" && false; }
	says 'the file took longer than 3 seconds'
}

@test "in a guest with cgroup v2 alone, and what a guest's end costs" {
	WHERE=nowhere run conformance "$SUITE"
	[ "$status" -eq 2 ]
	says 'is none of host, cgroup2, systemd, rootless'
	command -v linux.uml > /dev/null || skip 'no linux.uml (package user-mode-linux)'
	[ -z "${CARREL_SAN:-}" ] || skip 'sanitized programs do not start in a guest'
	sed 's/^TEST/@test/' > "$SUITE/tests/integration/inside.bats" << 'BATS'
TEST "where" {
	stat -fc %T /sys/fs/cgroup "$TMPDIR"
	[ "$(stat -fc %T /sys/fs/cgroup "$TMPDIR" | tr '\n' ' ')" = 'cgroup2fs ext2/ext3 ' ]
	[ "$(go env GOARCH)" != '' ] && [ -t 0 ] && "$RUNC" --version
}
BATS
	WHERE=cgroup2 VM_SECONDS=150 run conformance "$SUITE" inside
	ok
	[[ $output =~ inside\ +1\ passed\ +0\ failed ]] || { echo "$output" && false; }
	# A kernel that comes to nothing: each file has lost its guest, and is said to.
	UML_KERNEL=false WHERE=cgroup2 run conformance "$SUITE" first inside
	[ "$status" -eq 1 ]
	says 'first: the guest ended within this file'
	says 'inside: the guest ended within this file'
}
