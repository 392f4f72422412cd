# What the tests of carrel share, over sessiond.bash: its run directory is the test's own.
#
#   car COMMAND...        carrel on this test's run directory and store
#   boxed [OPTION...] IMAGE [-- COMMAND...]    car run, with this test's filter and cgroup
#   typed SCRIPT COMMAND...                    COMMAND on a terminal that SCRIPT types into, see carrel_tty.py

load "${BASH_SOURCE[0]%/*}/sessiond.bash"

CARREL=$CARREL_BIN/carrel

car() { timeout 60 "$CARREL" --run-dir "$RUN" --store "$STORE" "$@"; }

boxed() { car run --seccomp "$TOP/config/seccomp.json" --cgroup "$CGROUP" "$@"; }

typed() {
	local script=$1
	shift
	timeout 150 "$PYTHON" "$TOP/tests/integration/carrel_tty.py" "$script" "$@"
}
typed_run() { # SCRIPT OPTIONS...
	local script=$1
	shift
	typed "$script" "$CARREL" --run-dir "$RUN" --store "$STORE" run --seccomp "$TOP/config/seccomp.json" --cgroup "$CGROUP" "$@"
}

# Nothing of any sandbox is left below the run directory, in cgroups, among processes.
clean() {
	local left
	left=$(find "$RUN/sandboxes" "$RUN/uids" "$RUN/templates" -mindepth 1 2> /dev/null
		find "$RUN/runtime" -mindepth 1 -maxdepth 1 ! -name '@*' 2> /dev/null
		find /sys/fs/cgroup -type d -path "*$CGROUP/*" 2> /dev/null
		pgrep -af "carrel-shim --dir $RUN/" || true)
	[ -z "$left" ] || { printf 'left:\n%s\n' "$left" && return 1; }
}

# Ends what a failed test left; removes the cgroup parent.
carrel_teardown() {
	[ -n "${RUN:-}" ] && [ -d "$RUN/sandboxes" ] || return 0
	local id
	for id in $(ls "$RUN/sandboxes"); do car rm "$id" || true; done
	find /sys/fs/cgroup -maxdepth 3 -type d -path "*$CGROUP" -exec rmdir {} \; 2> /dev/null
	return 0
}
