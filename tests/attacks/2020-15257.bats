# CVE-2020-15257: a control socket with an abstract name can be reached by every container that shares the host's network.
load ../integration/guest

setup() {
	guest_setup
	config '.linux.namespaces |= map(select(.type != "network"))'
}
teardown() {
	[ -z "${LISTENER:-}" ] || kill "$LISTENER" 2> /dev/null
	runtime_teardown
}

abstract() { awk '$8 ~ /^@/ {print $8}' /proc/net/unix | sort -u; }

@test "control: a container with the host's network reaches an abstract socket of the host" {
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("\0" + sys.argv[1])
s.listen()
print("ready", flush=True)
s.accept()[0].send(b"reached\n")' "carrel-$ID" > "$WORK/ready" 3>&- &
	LISTENER=$!
	wait_for 'grep -q ready "$WORK/ready"'
	inside grep -c "@carrel-$ID" /proc/net/unix
	ok
	[ "$output" = 1 ]
}

@test "the runtime has none, in any state of a container" {
	local before
	before=$(abstract)
	args sleep 1000
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	# Nothing that was not there before; others on this machine may make some of their own, not with our name.
	[ -z "$(comm -13 <(echo "$before") <(abstract) | grep -iE "carrel|$ID")" ]
	# The socket that there is has a path, below a directory that is root's alone, and is root's alone itself.
	[ "$(stat -c %a "$ROOT/$ID/start.sock")" = 600 ]
	[ "$(stat -c %a "$ROOT/$ID")" = 700 ]
	fails_with 'ermission denied' setpriv --reuid 65534 --regid 65534 --clear-groups ls "$ROOT/$ID"
	rt start "$ID"
	[ -z "$(comm -13 <(echo "$before") <(abstract) | grep -iE "carrel|$ID")" ]
	rt exec -d "$ID" sleep 100
	[ -z "$(comm -13 <(echo "$before") <(abstract) | grep -iE "carrel|$ID")" ]
}
