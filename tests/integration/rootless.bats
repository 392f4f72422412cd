# The runtime in the hands of an ordinary user: no rights on the host, a user namespace of one id.
load lib

setup() {
	runtime_setup
	UID_=4242
	# The user must reach its files: bats' own directories are root's alone.
	WORK=$(mktemp -d /tmp/carrel-rootless.XXXXXX)
	BUNDLE=$WORK/bundle
	mkdir -p "$BUNDLE" "$WORK/run"
	cp -a "$BATS_FILE_TMPDIR/rootfs" "$BUNDLE/rootfs"
	cp "$RUNTIME" "$WORK/carrel-runtime"
	chmod 755 "$WORK"
	chown -R $UID_:$UID_ "$BUNDLE" "$WORK/run"
	as_user spec --rootless -b "$BUNDLE"
	config '.process.terminal = false'
}
teardown() {
	[ -z "${WORK:-}" ] || as_user delete --force "$ID" || true
	rm -rf "$WORK"
	runtime_teardown
}

as_user() {
	timeout 60 setpriv --reuid $UID_ --regid $UID_ --clear-groups \
		env XDG_RUNTIME_DIR="$WORK/run" "$WORK/carrel-runtime" "$@"
}

@test "run maps the user to root and keeps its state in XDG_RUNTIME_DIR" {
	args sh -c 'id -u; cat /proc/self/uid_map; ls /; exit 3'
	run as_user run -b "$BUNDLE" "$ID"
	[ "$status" -eq 3 ]
	[ "${lines[0]}" = 0 ]
	[[ ${lines[1]} =~ ^\ +0\ +$UID_\ +1$ ]]
	[ -d "$WORK/run/carrel/runtime" ]
	[ ! -e "$WORK/run/carrel/runtime/$ID" ]
}

@test "a container lives, is entered and ended" {
	args sleep 1000
	as_user run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/run/out" 2>&1
	[ "$(as_user state "$ID" | jq -r .status)" = running ]
	run as_user exec "$ID" sh -c 'id -u; ps | grep -c "sleep 1000"'
	ok
	[ "${lines[0]}" = 0 ]
	pid=$(as_user state "$ID" | jq .pid)
	as_user delete --force "$ID"
	gone "$pid"
}

@test "exec before start is for root alone, and is said to be" {
	args sleep 1000
	as_user create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/run/out" 2>&1
	fails_with 'start the container first' as_user exec "$ID" true
	as_user start "$ID"
	as_user exec "$ID" true
}

@test "the clocks of a time namespace can be set" {
	[ -e /proc/self/ns/time ] || skip "this kernel has no time namespaces"
	config '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {boottime: {secs: 100000000}}'
	args cat /proc/uptime
	run as_user run -b "$BUNDLE" "$ID"
	ok
	[ "${output%%.*}" -ge 100000000 ]
}

@test "a limit that cannot be had is refused" {
	[ -d /sys/fs/cgroup/memory ] || skip "needs cgroup v1, where an ordinary user has no cgroups"
	config '.linux.resources = {memory: {limit: 10000000}}'
	args true
	run as_user run -b "$BUNDLE" "$ID"
	[ "$status" -eq 1 ]
	says 'remove linux.resources or use cgroup v2'
	says 'cannot set memory limit: container could not join or create cgroup'
}

@test "a cgroup that is asked for by its path and cannot be had is refused; without a path there is none" {
	config '.linux.cgroupsPath = "/carrel-test/'"$ID"'" | del(.linux.resources)'
	args true
	run as_user run -b "$BUNDLE" "$ID"
	[ "$status" -eq 1 ]
	says 'unable to apply cgroup configuration (permission denied)'
	config 'del(.linux.cgroupsPath)'
	run as_user run -b "$BUNDLE" "$ID"
	ok
}

@test "another user's state is out of reach" {
	args sleep 1000
	as_user run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/run/out" 2>&1
	run setpriv --reuid 4243 --regid 4243 --clear-groups "$WORK/carrel-runtime" --root "$WORK/run/carrel/runtime" kill "$ID" KILL
	[ "$status" -eq 1 ]
	says 'Permission denied'
	[ "$(as_user state "$ID" | jq -r .status)" = running ]
}
