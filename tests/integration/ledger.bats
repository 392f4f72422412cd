#!/usr/bin/env bats
# The leak ledger: sandboxes come and go, and whoever looks after them is killed; nothing of them stays on the machine.
# Processes, mounts, control groups, network namespaces, links, sockets, inodes, shared memory, the daemon's descriptors.

load sessiond.bash

setup_file() { sessiond_store; }
setup() { [ "$(id -u)" = 0 ] || skip "needs root"; }

ledger() { # WHAT [ARG...]
	local what=$1
	shift
	CARREL_BIN=$CARREL_BIN TOP=$TOP timeout 500 "$PYTHON" "$TOP/tests/integration/ledger.py" "$what" "$BATS_TEST_TMPDIR" \
		"$BATS_FILE_TMPDIR/store" "$@" 3>&- || {
		tail -n 20 "$BATS_TEST_TMPDIR/log"
		return 1
	}
}

@test "the control: a planted leak of every kind is seen" { ledger planted; }

@test "200 sandboxes made and deleted leave nothing" { ledger cycles "${LEDGER_CYCLES:-200}"; }

@test "kill -9 of shim, runtime, init and daemon at random moments leaves nothing after the sweep" {
	# The seed is printed with a failure.
	ledger kills "${LEDGER_KILLS:-80}" "${LEDGER_SEED:-$RANDOM}"
}
