#!/usr/bin/env bats
# The runtime is killed at its system calls, and its system calls fail: tests/crash/crash.py. Here every CRASH_EVERY-th call, from
# a random one on; `make check-crash` takes all.

load guest

setup() {
	guest_setup
	mkdir -p "$ROOTFS/sys/fs/cgroup" "$WORK/whole" "$WORK/user" "$WORK/sleep"
	show > "$ROOTFS/show"
	edit --argjson p "$(cat "$BATS_TEST_DIRNAME/../../config/seccomp.json")" '.linux.seccomp = $p
		| .root.path = "'"$ROOTFS"'" | .process.user = {uid: 1000, gid: 1000, additionalGids: [2000]}
		| .process.args = ["/bin/sh", "/show"] | .process.oomScoreAdj = 500
		| .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]
		| .linux.resources += {memory: {limit: 67108864}, pids: {limit: 50}, cpu: {shares: 512}}
		| .linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}
		| .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "ro"]},
			{destination: "/mnt", type: "bind", source: "'"$ROOTFS"'/etc", options: ["rbind", "ro", "nosuid"]}]'
	cp "$BUNDLE/config.json" "$WORK/whole/"
	jq '.process.args = ["/bin/sleep", "1000"]' "$BUNDLE/config.json" > "$WORK/sleep/config.json"
	more_bundles
	userns
	cp "$BUNDLE/config.json" "$WORK/user/"
	# A sanitized program makes more calls, each slower.
	every=${CRASH_EVERY:-$([ -n "${CARREL_SAN:-}" ] && echo 307 || echo 23)}
	offset=${CRASH_OFFSET:-$((RANDOM % every + 1))}
}
teardown() { runtime_teardown; }

more_bundles() {
	mkdir -p "$WORK"/{rdt,rdt-sleep,short,saved,bin} "$WORK/resctrl/info"
	export CARREL_TEST_RESCTRL=$WORK/resctrl
	jq '.linux.intelRdt = {schemata: ["L3:0=3"], enableMonitoring: true}' "$BUNDLE/config.json" > "$WORK/rdt/config.json"
	jq '.linux.intelRdt = {schemata: ["L3:0=3"], enableMonitoring: true}' "$WORK/sleep/config.json" > "$WORK/rdt-sleep/config.json"
	jq '.process.args = ["/bin/sleep", "0.2"]' "$WORK/sleep/config.json" > "$WORK/short/config.json"
	# Root's: CRIU asks for the limits of another's process with a right that not every host's root has.
	jq '.process.user = {uid: 0, gid: 0} | .process.args = ["/bin/sh", "-c", "exec sleep 1000 < /dev/null > /dev/null 2>&1"]' "$WORK/sleep/config.json" > "$WORK/saved/config.json"
	mkdir "$WORK/idmap"
	jq '.mounts += [{destination: "/home", type: "bind", source: "'"$WORK/bin"'", options: ["bind", "idmap"],
		uidMappings: [{containerID: 0, hostID: 1000, size: 1}], gidMappings: [{containerID: 0, hostID: 1000, size: 1}]}]' \
		"$BUNDLE/config.json" > "$WORK/idmap/config.json"
	rt run -b "$WORK/idmap" "$ID" > /dev/null 2> "$WORK/idmap.log" || rm -r "$WORK/idmap"
	# A criu that only talks; with CARREL_CRIU, a directory, the one that is there.
	printf '#!/bin/sh\nexec python3 %s "$@"\n' "$BATS_TEST_DIRNAME/../tools/fake_criu.py" > "$WORK/bin/criu"
	chmod +x "$WORK/bin/criu"
	export FAKE_CRIU=ok PATH=${CARREL_CRIU:-$WORK/bin}:$PATH
}

# What the program of the container shows: all that was asked for, as it is seen from inside.
show() {
	cat << 'SH'
/bin/guest ids -- caps -- sched -- limits -- env -- signals -- fds -- cwd -- ns -- names -- loopback -- unshare-user \
	-- read /proc/kcore /proc/keys /proc/timer_list /etc/passwd -- stat /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx /proc/keys \
	-- write /proc/sys/kernel/shmmax 1 -- make /etc/x -- make /tmp/x -- mknod /tmp/y c 1 3
cat /proc/self/mountinfo /proc/self/cgroup /proc/self/uid_map /proc/self/oom_score_adj
cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax
cd /sys/fs/cgroup
for f in memory/memory.limit_in_bytes pids/pids.max cpu/cpu.shares devices/devices.list memory.max pids.max cpu.weight; do
	[ ! -e $f ] || { echo $f; cat $f; }
done
SH
}

# All of it takes long: then it shows how far it is.
crash() {
	CARREL_BIN=$CARREL_BIN timeout "${CRASH_SECONDS:-500}" python3 "$BATS_TEST_DIRNAME/../crash/crash.py" "$1" "$WORK" "${@:2}" 3>&- |
		if [ "$every" = 1 ]; then tee >(sed -u 's/^/# /' >&3); else cat; fi
	[ "${PIPESTATUS[0]}" = 0 ] || {
		echo "again: CRASH_EVERY=$every CRASH_OFFSET=$offset"
		return 1
	}
}

@test "the control: leaks and weaker containers are seen" { crash planted; }

@test "kill -9 at a system call: delete --force removes everything, and the id is free again" {
	crash kill "$every" "$offset"
}

@test "a system call fails: the container is whole, or there is an error and nothing is left" {
	[ -z "${CARREL_SAN:-}" ] || skip "the sanitizer's own calls would fail too, and it reports that"
	crash fail "$every" "$offset"
}
