# NOTIFY_SOCKET: the word of a container that it is ready, and nothing else of it, reaches the service manager.
load guest

setup() {
	guest_setup
	LOG=$WORK/log
	: > "$LOG"
	manager "$WORK/manager.sock"
}
teardown() {
	[ -z "${MANAGER:-}" ] || { kill "$MANAGER" && wait "$MANAGER"; } 2> /dev/null
	runtime_teardown
}
manager() {
	[ -z "${MANAGER:-}" ] || { kill "$MANAGER" && wait "$MANAGER"; } 2> /dev/null || true
	python3 "$BATS_TEST_DIRNAME/notify_manager.py" "$1" "$LOG" 3>&- &
	MANAGER=$!
	export NOTIFY_SOCKET=$1
	case $1 in
	@*) wait_for "grep -q '$1' /proc/net/unix" ;;
	*) wait_for "[ -S '$1' ]" ;;
	esac
}
log_is() {
	# What the manager has been sent it may not have read yet.
	[ -z "$1" ] || wait_for "[ \"\$(wc -l < '$LOG')\" -ge $(wc -l <<< "$1") ]" || :
	[ "$(cat "$LOG")" = "$1" ] || { echo "the manager heard:" && cat "$LOG" && return 1; }
}
pid_of() { rt state "$ID" | jq .pid; }

@test "run in the foreground: the word is passed on with the runtime's own pid; the socket is the container's own, read-only" {
	args sh -c 'echo "$NOTIFY_SOCKET"; ls -l /run/notify; touch /run/notify/x; guest notify 1 READY=1; until guest notify 1 READY=1 | grep ECONNREFUSED; do sleep 0.1; done'
	"$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 &
	pid=$!
	wait "$pid" || true
	output=$(cat "$WORK/out")
	says /run/notify/notify.sock
	says 'srwxrwxrwx'
	says 'Read-only file system'
	says 'notify ok'
	# Said twice, passed on once: nobody listens any more.
	says 'notify ECONNREFUSED'
	log_is "b'READY=1\\nMAINPID=$pid' 0"
	[ ! -e "$ROOT/$ID" ]
}

@test "run --detach and start return when the word has come, with init's pid, and after the manager has read it" {
	args sh -c 'sleep 0.5; guest notify 1 "STATUS=up
READY=1"; sleep 1000'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	log_is "b'READY=1\\nMAINPID=$(pid_of)' 0
b'BARRIER=1' 1"
	rt delete --force "$ID"
	: > "$LOG"
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	log_is ''
	rt start "$ID"
	log_is "b'READY=1\\nMAINPID=$(pid_of)' 0
b'BARRIER=1' 1"
}

@test "while start waits the container can be deleted; one that ends without a word is no error" {
	args sleep 1000
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	rt start "$ID" &
	start=$!
	wait_for '[ "$(status_of)" = running ]'
	kill -0 "$start"
	rt delete --force "$ID"
	wait_code "$start"
	[ "$code" = 0 ]
	log_is ''
}

@test "nothing else passes: other words, other pids, descriptors, messages too long" {
	long=$(printf 'x%.0s' $(seq 5000))
	args sh -c 'for m in "MAINPID=1" "READY=0" "XREADY=1" "READY=11" "FDSTORE=1" "EXTEND_TIMEOUT_USEC=9" "READY=1
'"$long"'"; do guest notify 1 "$m"; done; guest notify 1 "MAINPID=1
READY=1
STATUS=x"; sleep 1000'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	log_is "b'READY=1\\nMAINPID=$(pid_of)' 0
b'BARRIER=1' 1"
}

@test "a flood without the word is read to its limit and no further" {
	args sh -c 'guest notify 256 noise; guest notify 10000 noise; guest notify 1 READY=1; sleep 1000'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for 'grep -q ECONNREFUSED "$WORK/out"'
	log_is ''
}

@test "in a user namespace, and by any user of the container" {
	userns
	config '.process.user = {uid: 1000, gid: 1000}'
	args sh -c 'guest notify 1 READY=1; sleep 1000'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	log_is "b'READY=1\\nMAINPID=$(pid_of)' 0
b'BARRIER=1' 1"
}

@test "an abstract socket; a manager that is not there; a variable that the engine has set" {
	manager "@carrel-$$-$BATS_TEST_NUMBER"
	args sh -c 'echo "at $NOTIFY_SOCKET"; guest notify 1 READY=1'
	run rt run -b "$BUNDLE" "$ID"
	wait_for 'grep -q READY "$LOG"'
	: > "$LOG"
	NOTIFY_SOCKET=$WORK/nobody run rt run -b "$BUNDLE" "$ID"
	ok
	says "NOTIFY_SOCKET $WORK/nobody"
	says 'notify ENOENT'
	config '.process.env += ["NOTIFY_SOCKET=/engine/socket"]'
	run rt run -b "$BUNDLE" "$ID"
	ok
	says 'at /engine/socket'
	log_is ''
	unset NOTIFY_SOCKET
	config '.process.env -= ["NOTIFY_SOCKET=/engine/socket"]'
	run rt run -b "$BUNDLE" "$ID"
	[ "${lines[0]}" = 'at ' ]
}
