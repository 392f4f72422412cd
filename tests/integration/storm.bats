#!/usr/bin/env bats
# Containers and execs by the thousand, eight at a time: tests/crash/storm.py. STORM of each, 500 here; `make check-storm` takes 10,000.

load lib

setup() {
	runtime_setup
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
		| .linux.resources += {memory: {limit: 67108864}, pids: {limit: 50}}'
}
MANY=${STORM:-$([ -n "${CARREL_SAN:-}" ] && echo 80 || echo 500)}
teardown() { runtime_teardown; }

storm() { # KIND N
	CARREL_BIN=$CARREL_BIN timeout "${STORM_SECONDS:-500}" python3 "$BATS_TEST_DIRNAME/../crash/storm.py" "$1" "$WORK" "$2" 8 > "$WORK/storm" 3>&- || {
		cat "$WORK/storm"
		return 1
	}
	sed -n 's/^/# /;1p' "$WORK/storm" >&3
}

@test "the control: a failure, a directory and a process that stay are seen" {
	run storm planted 160
	[ "$status" -eq 1 ]
	says 'run -b'
	says 'file leak-'
	says 'process '
}

@test "short containers: none fails, nothing stays, the kernel's memory does not grow" { storm run "$MANY"; }

@test "execs: none fails, nothing stays, the kernel's memory does not grow" { storm exec "$MANY"; }
