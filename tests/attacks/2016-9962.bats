# A process of the container looks at, or traces, one that is about to enter it, and finds descriptors of the host.
load ../integration/guest

setup() {
	guest_setup
	# What makes descriptors of others visible at all: the same user, and the right to trace.
	config '.process.capabilities |= with_entries(.value = ["CAP_KILL"])'
}
teardown() { runtime_teardown; }

spy() {
	args /bin/guest spy "$1"
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/spy" 2>&1
	wait_for 'grep -q spying "$WORK/spy"'
}

@test "control: the spy sees a descriptor that is left open on purpose" {
	spy 4
	# Descriptor 3 is the test runner's own here.
	bash -c 'exec 3< "$1"; shift; exec timeout 60 "$@"' - "$WORK" "$RUNTIME" --root "$ROOT" exec --preserve-fds 1 "$ID" sleep 1
	wait_for 'grep -q "^spy saw" "$WORK/spy"'
	grep -q "^spied 3 $WORK\$" "$WORK/spy"
}

@test "no descriptor of the host is ever seen during exec" {
	local i
	spy 8
	for i in $(seq 150); do rt exec "$ID" true || break; done
	wait_for 'grep -q "^spy" "$WORK/spy"' 60
	[ "$i" -gt 5 ]
	cat "$WORK/spy"
	! grep -q '^spied' "$WORK/spy"
}

@test "the same in a user namespace" {
	local i
	userns
	spy 8
	for i in $(seq 150); do rt exec "$ID" true || break; done
	wait_for 'grep -q "^spy" "$WORK/spy"' 60
	[ "$i" -gt 5 ]
	cat "$WORK/spy"
	! grep -q '^spied' "$WORK/spy"
}
