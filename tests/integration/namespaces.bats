load guest

setup() { guest_setup; }
teardown() {
	# KILL: unshare --fork does not hear of TERM.
	if [ -n "${HOLDER:-}" ]; then kill -9 "$HOLDER" 2> /dev/null; fi
	runtime_teardown
}

host_ns() { readlink "/proc/${2:-self}/ns/$1"; }

# A process that lives in new namespaces; HOLDER is its pid.
hold() {
	unshare "$@" sleep 1000 < /dev/null > /dev/null 2>&1 3>&- &
	HOLDER=$!
	wait_for '[ "$(cat /proc/$HOLDER/comm 2>/dev/null)" = sleep ]'
}

@test "namespaces that are listed are new, the others are the host's" {
	local k
	guest ns
	for k in mnt pid net ipc uts cgroup; do no_fact "ns $k" "$(host_ns $k | sed 's/[][]/\\&/g')"; done
	for k in user time; do fact "ns $k" "$(host_ns $k | sed 's/[][]/\\&/g')"; done
	config '.linux.namespaces = [{type: "mount"}, {type: "pid"}] | del(.hostname)
		| .mounts |= map(select(.type != "sysfs"))'
	guest ns
	for k in net ipc uts cgroup user time; do fact "ns $k" "$(host_ns $k | sed 's/[][]/\\&/g')"; done
}

@test "the container's program is pid 1, hostname and domainname are its own" {
	config '.hostname = "inner" | .domainname = "example"'
	guest session -- names
	fact pid 1
	fact ppid 0
	fact hostname inner
	fact domainname example
	[ "$(hostname)" != inner ]
}

@test "a hostname without a uts namespace is refused" {
	config '.linux.namespaces |= map(select(.type != "uts"))'
	fails_with 'private UTS namespace' rt run -b "$BUNDLE" "$ID"
}

@test "lo is up in a new network namespace" {
	guest loopback
	fact loopback up
}

@test "namespaces are joined by path" {
	hold --net --ipc --uts --cgroup
	edit --arg p "/proc/$HOLDER/ns" '.linux.namespaces |= map(
		if .type == "network" then .path = $p + "/net" elif .type == "ipc" or .type == "uts" or .type == "cgroup"
		then .path = $p + "/" + .type else . end) | del(.hostname)'
	guest ns
	local k
	for k in net ipc uts cgroup; do fact "ns $k" "$(host_ns $k "$HOLDER" | sed 's/[][]/\\&/g')"; done
	no_fact 'ns pid' "$(host_ns pid | sed 's/[][]/\\&/g')"
}

@test "a pid namespace is joined by path" {
	unshare --pid --fork --kill-child sleep 1000 < /dev/null > /dev/null 2>&1 3>&- &
	HOLDER=$!
	wait_for 'pgrep -P "$HOLDER"'
	local inner
	inner=$(pgrep -P "$HOLDER")
	edit --arg p "/proc/$inner/ns/pid" '(.linux.namespaces[] | select(.type == "pid")).path = $p'
	guest ns -- session
	fact 'ns pid' "$(host_ns pid "$inner" | sed 's/[][]/\\&/g')"
	no_fact pid 1
	fact ppid 0
}

@test "a user namespace is joined by path, and the new ones belong to it" {
	hold --user
	echo '0 200000 65536' > "/proc/$HOLDER/uid_map"
	echo '0 200000 65536' > "/proc/$HOLDER/gid_map"
	find "$ROOTFS" -type d -exec chown 200000:200000 {} +
	edit --arg p "/proc/$HOLDER/ns/user" '.linux.namespaces += [{type: "user", path: $p}]'
	guest ns -- ids -- fstype /proc /sys -- read /proc/self/uid_map
	fact 'ns user' "$(host_ns user "$HOLDER" | sed 's/[][]/\\&/g')"
	fact uid '0 0 0'
	fact fstype '/proc 9fa0 .*'
	fact fstype '/sys 62656572 .*'
}

@test "a mount namespace is joined by path: the root becomes that of all who are in it" {
	hold --mount
	edit --arg p "/proc/$HOLDER/ns/mnt" '(.linux.namespaces[] | select(.type == "mount")).path = $p'
	guest ns -- make /x
	fact 'ns mnt' "$(host_ns mnt "$HOLDER" | sed 's/[][]/\\&/g')"
	fact make '/x EROFS'
	[ -e "/proc/$HOLDER/root/bin/guest" ]
	[ ! -e /bin/guest ]
}

@test "a path that is no namespace, of the wrong kind, or not there is refused by name" {
	config '(.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/uts"'
	fails_with 'not a network namespace' rt run -b "$BUNDLE" "$ID"
	config '(.linux.namespaces[] | select(.type == "network")).path = "/etc/passwd"'
	fails_with 'not a namespace file' rt run -b "$BUNDLE" "$ID"
	config '(.linux.namespaces[] | select(.type == "network")).path = "/does/not/exist"'
	fails_with '/does/not/exist' rt run -b "$BUNDLE" "$ID"
	config 'del(.linux.namespaces[] | select(.type == "network").path)
		| (.linux.namespaces[] | select(.type == "mount")).path = "/proc/self/ns/mnt"'
	fails_with 'mount namespace of the host' rt run -b "$BUNDLE" "$ID"
}

@test "a time namespace has its own clocks" {
	local before
	config '.linux.namespaces += [{type: "time"}]
		| .linux.timeOffsets = {monotonic: {secs: 7000000, nanosecs: 5}, boottime: {secs: 1700000}}'
	guest clock -- ns
	no_fact 'ns time' "$(host_ns time | sed 's/[][]/\\&/g')"
	before=$(cut -d. -f1 /proc/uptime)
	[ "$(grep '^monotonic' <<< "$output" | cut -d' ' -f2)" -ge 7000000 ]
	[ "$(grep '^boottime' <<< "$output" | cut -d' ' -f2)" -ge $((before + 1699940)) ]
	[ "$(grep '^boottime' <<< "$output" | cut -d' ' -f2)" -le $((before + 1700060)) ]
}

@test "a time namespace inside a user namespace" {
	userns
	config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 1700000}}'
	guest clock
	[ "$(grep '^boottime' <<< "$output" | cut -d' ' -f2)" -ge 1700000 ]
}

@test "exec enters all of them" {
	userns
	config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 1700000}}'
	start_sleeper
	local pid
	pid=$(rt state "$ID" | jq .pid)
	run rt exec "$ID" /bin/guest ns -- clock -- ids
	ok
	local k
	for k in user mnt pid net ipc uts cgroup time; do fact "ns $k" "$(host_ns $k "$pid" | sed 's/[][]/\\&/g')"; done
	fact uid '0 0 0'
}

@test "a network that the user namespace does not own is joined, the user namespace being new or joined" {
	hold --net
	edit --arg p "/proc/$HOLDER/ns/net" '(.linux.namespaces[] | select(.type == "network")).path = $p'
	# sysfs belongs to the network's owner: not to this container.
	config 'del(.mounts[] | select(.destination == "/sys"))'
	cp "$BUNDLE/config.json" "$WORK/before.json"
	userns 200000
	guest ns -- ids
	fact 'ns net' "$(host_ns net "$HOLDER" | sed 's/[][]/\\&/g')"
	fact uid '0 0 0'

	local net=$HOLDER
	unshare --user sleep 1000 < /dev/null > /dev/null 2>&1 3>&- &
	local user=$!
	wait_for '[ "$(readlink /proc/'$user'/ns/user)" != "$(readlink /proc/self/ns/user)" ]'
	echo '0 200000 65536' > "/proc/$user/uid_map"
	echo '0 200000 65536' > "/proc/$user/gid_map"
	cp "$WORK/before.json" "$BUNDLE/config.json"
	edit --arg p "/proc/$user/ns/user" '.linux.namespaces += [{type: "user", path: $p}]'
	inside /bin/guest ns -- ids
	kill "$user"
	ok
	fact 'ns net' "$(host_ns net "$net" | sed 's/[][]/\\&/g')"
	fact uid '0 0 0'
}

@test "a container that joins user and time namespaces is known as running" {
	config '.linux.namespaces += [{"type": "time"}, {"type": "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings
		| .linux.timeOffsets = {monotonic: {secs: 7881}, boottime: {secs: 1337}}'
	chown -R 100000:100000 "$ROOTFS"
	start_sleeper
	[ "$(status_of)" = running ]
	pid=$(rt state "$ID" | jq .pid)
	config --arg p "/proc/$pid/ns" 'del(.linux.timeOffsets, .linux.uidMappings, .linux.gidMappings) | .linux.cgroupsPath += "-2"
		| .linux.namespaces |= map(if .type == "user" or .type == "time" then .path = $p + "/" + .type else . end)'
	rt run -d -b "$BUNDLE" "$ID-2" < /dev/null > "$WORK/out" 2>&1
	[ "$(status_of "$ID-2")" = running ]
	other=$(rt state "$ID-2" | jq .pid)
	for ns in user time; do [ "$(readlink "/proc/$other/ns/$ns")" = "$(readlink "/proc/$pid/ns/$ns")" ]; done
}
