#!/usr/bin/env bats
# An ordinary user with a systemd of its own (user@UID.service): limits without any right on the host, and a range of ids by
# newuidmap. It needs a user and process 1 that are ours to use: the guest of `make check-vm`.
load lib

USER_ID=1600

setup_file() {
	[ "$(cat /proc/1/comm)" = systemd ] && [ -n "${UML_SHARE:-}" ] || return 0
	printf 'carrel-vm:x:%s:%s::/tmp:/bin/sh\n' $USER_ID $USER_ID >> /etc/passwd
	printf 'carrel-vm:x:%s:\n' $USER_ID >> /etc/group
	printf 'carrel-vm:*::0:99999:7:::\n' >> /etc/shadow
	echo carrel-vm:300000:65536 >> /etc/subuid
	echo carrel-vm:300000:65536 >> /etc/subgid
	timeout 120 systemctl start user@$USER_ID.service
}
setup() {
	[ "$(cat /proc/1/comm)" = systemd ] && [ -n "${UML_SHARE:-}" ] || skip "needs a guest with systemd: make check-vm"
	runtime_setup
	WORK=$(mktemp -d /tmp/carrel-user.XXXXXX)
	BUNDLE=$WORK/bundle
	mkdir -p "$BUNDLE" "$WORK/bin"
	cp -a "$BATS_FILE_TMPDIR/rootfs" "$BUNDLE/rootfs"
	cp "$CARREL_BIN/carrel-runtime" "$CARREL_BIN/carrel-sdbus" "$WORK/bin/"
	chmod 755 "$WORK"
	chown -R $USER_ID:$USER_ID "$BUNDLE"
	as_user spec --rootless -b "$BUNDLE"
	config '.process.terminal = false | .linux.resources = {} | del(.linux.cgroupsPath)
		| .linux.uidMappings = [{containerID: 0, hostID: 1600, size: 1}, {containerID: 1, hostID: 300000, size: 1000}]
		| .linux.gidMappings = .linux.uidMappings'
	MANAGER=/user.slice/user-$USER_ID.slice/user@$USER_ID.service
	GROUP=/sys/fs/cgroup$MANAGER/user.slice/carrel-$ID.scope
}
teardown() {
	[ -z "${WORK:-}" ] || as_user delete --force "$ID" || true
	rm -rf "$WORK"
	runtime_teardown
}

# As from a login: outside of the manager's control group.
login() {
	timeout "${RT_TIMEOUT:-60}" setpriv --reuid $USER_ID --regid $USER_ID --clear-groups env -i \
		PATH="$PATH" HOME=/tmp XDG_RUNTIME_DIR=/run/user/$USER_ID "$@"
}
as_user() { login "$WORK/bin/carrel-runtime" "$@"; }
sd() { as_user --systemd-cgroup "$@"; }
sleeper() { # COMMAND that runs the runtime
	args sleep 1000
	"$@" run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 || { cat "$WORK/out" && return 1; }
	PID=$(as_user state "$ID" | jq .pid)
}
of_unit() { login systemctl --user show "carrel-$ID.scope" -p "$1" --value; }

@test "a scope of the user's manager, with limits, from outside of it" {
	config '.linux.resources = {memory: {limit: 33554432}, pids: {limit: 20}, cpu: {quota: 50000, period: 100000}}'
	sleeper sd
	grep -q "^0::$MANAGER/user.slice/carrel-$ID.scope\$" "/proc/$PID/cgroup"
	[ "$(cat "$GROUP/memory.max")" = 33554432 ]
	[ "$(cat "$GROUP/pids.max")" = 20 ]
	[ "$(of_unit MemoryMax)" = 33554432 ]
	[ "$(of_unit TasksMax)" = 20 ]
	# The ids of the range that newuidmap gave.
	grep -qE '^ +1 +300000 +1000$' "/proc/$PID/uid_map"
	run as_user exec -u 5 "$ID" sh -c 'id -u; cat /proc/self/cgroup'
	ok
	[ "${lines[0]}" = 5 ]
	# exec joins, too: seen from inside it is the root of the cgroup namespace.
	as_user exec -d "$ID" sleep 1001
	[ "$(wc -l < "$GROUP/cgroup.procs")" = 2 ]
	echo '{"pids": {"limit": 30}}' | login sh -c "cat | '$WORK/bin/carrel-runtime' update -r - '$ID'"
	[ "$(cat "$GROUP/pids.max")" = 30 ]
	as_user pause "$ID"
	[ "$(as_user state "$ID" | jq -r .status)" = paused ]
	as_user resume "$ID"
	as_user delete --force "$ID"
	[ ! -d "$GROUP" ]
	[ "$(of_unit LoadState)" = not-found ]
}

@test "from inside of it" {
	config '.linux.resources = {pids: {limit: 20}}'
	sleeper login systemd-run --user --scope -q "$WORK/bin/carrel-runtime" --systemd-cgroup
	grep -q "^0::$MANAGER/user.slice/carrel-$ID.scope\$" "/proc/$PID/cgroup"
	[ "$(cat "$GROUP/pids.max")" = 20 ]
}

@test "a process killed for memory" {
	config '.linux.resources = {memory: {limit: 8388608, swap: 8388608}}'
	args sh -c 'x=x; while :; do x=$x$x; done'
	run sd run -b "$BUNDLE" "$ID"
	[ "$status" -eq 137 ]
	[ ! -d "$GROUP" ]
}

@test "cgroupfs in a group that systemd has delegated" {
	cat > "$WORK/inside" << 'SH'
own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
mkdir "$own/shell" && echo $$ > "$own/shell/cgroup.procs" && exec "$@"
SH
	chmod 755 "$WORK/inside"
	config --arg p "$MANAGER/app.slice/carrel-own.scope/$ID" \
		'.linux.resources = {pids: {limit: 20}, memory: {limit: 33554432}} | .linux.cgroupsPath = $p'
	sleeper login systemd-run --user --scope -q --unit=carrel-own -p Delegate=yes sh "$WORK/inside" "$WORK/bin/carrel-runtime"
	own=/sys/fs/cgroup$MANAGER/app.slice/carrel-own.scope/$ID
	[ "$(cat "$own/pids.max")" = 20 ]
	[ "$(cat "$own/memory.max")" = 33554432 ]
	[ "$(cat "$own/cgroup.procs")" = "$PID" ]
	as_user delete --force "$ID"
	[ ! -d "$own" ]
}

@test "without delegation a limit is refused, and nothing asked for is fine" {
	config '.linux.resources = {pids: {limit: 20}} | .linux.cgroupsPath = "/carrel-test/x"'
	args true
	fails_with delegated as_user run -b "$BUNDLE" "$ID"
	config '.linux.resources = {} | del(.linux.cgroupsPath)'
	as_user run -b "$BUNDLE" "$ID"
}

@test "a user without a manager is told how to get one" {
	args true
	mkdir "$WORK/none" && chown 1601 "$WORK/none"
	fails_with 'loginctl enable-linger' timeout 60 setpriv --reuid 1601 --regid 1601 --clear-groups env -i \
		XDG_RUNTIME_DIR=/run/user/1601 "$WORK/bin/carrel-runtime" --root "$WORK/none/state" --systemd-cgroup run -b "$BUNDLE" "$ID"
}
