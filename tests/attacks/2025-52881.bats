# While the runtime writes to procfs somebody has mounted something else there: labels and kernel parameters end in a
# harmless file, or in a harmful one.
load ../integration/guest

setup() {
	guest_setup
	FAKE=$WORK/fake
	mkdir -p "$FAKE/kernel"
	touch "$FAKE/kernel/shmmax" "$FAKE/shmmax"
	edit '.linux.sysctl = {"kernel.shmmax": "12345678"}'
}
teardown() { runtime_teardown; }

untouched() { [ -z "$(cat "$FAKE/kernel/shmmax" "$FAKE/shmmax")" ]; }

@test "control: a write by name goes where the mount leads" {
	run unshare --mount --pid --fork --mount-proc="$ROOTFS/proc" sh -c 'mount --bind "$1" "$2/proc/sys" && chroot "$2" sh -c "echo 1 > /proc/sys/kernel/shmmax"' - "$FAKE" "$ROOTFS"
	ok
	! untouched
}

@test "mounts over parts of /proc are refused, by name, by detour and by link" {
	local at
	ln -s /proc/sys "$ROOTFS/mnt/link"
	ln -s ../../proc "$ROOTFS/mnt/up"
	for at in /proc/sys /proc/sys/kernel /mnt/link /mnt/link/kernel /mnt/up/sys /mnt/../proc/sys /proc/self/../sys; do
		edit --arg at "$at" --arg s "$FAKE" '.mounts = [.mounts[] | select(.source != $s)] + [{destination: $at, type: "bind", source: $s, options: ["bind"]}]'
		fails_with 'inside /proc' rt run -b "$BUNDLE" "$ID"
		untouched
	done
	edit --arg s "$FAKE/shmmax" '.mounts[-1] = {destination: "/proc/sys/kernel/shmmax", type: "bind", source: $s, options: ["bind"]}'
	fails_with 'inside /proc' rt run -b "$BUNDLE" "$ID"
}

@test "a hook that mounts over the container's /proc does not move the parameters" {
	printf '#!/bin/sh\nmount --bind "%s" "%s/proc/sys" && touch "%s/ran"\n' "$FAKE" "$ROOTFS" "$WORK" > "$WORK/hook"
	chmod 755 "$WORK/hook"
	edit --arg h "$WORK/hook" '.hooks.createContainer = [{path: $h}]'
	start_sleeper
	[ -e "$WORK/ran" ]
	untouched
	# The parameter is in the namespace, whatever the container's own /proc shows now.
	[ "$(nsenter -t "$(rt state "$ID" | jq .pid)" -i cat /proc/sys/kernel/shmmax)" = 12345678 ]
}

@test "while a target is exchanged with a link into /proc" {
	local i good=0 refused=0
	mkdir -p "$WORK/vol/a" "$WORK/evil"
	ln -s /proc/sys "$WORK/vol/b"
	cp -a "$ROOTFS" "$WORK/evil/rootfs"
	mount_at /vol bind "$WORK/vol" bind
	jq '.process.args = ["/bin/guest", "swap", "/vol/a", "/vol/b"] | .linux.cgroupsPath += "-evil"' "$BUNDLE/config.json" > "$WORK/evil/config.json"
	rt run -d -b "$WORK/evil" "$ID-evil" < /dev/null > "$WORK/evil.out" 2>&1
	wait_for 'grep -q swapping "$WORK/evil.out"'
	mount_at /vol/a bind "$FAKE" bind
	args sh -c 'cat /proc/sys/kernel/shmmax; cut -d" " -f5 /proc/self/mountinfo'
	for i in $(seq "${ATTACK_ROUNDS:-100}"); do
		run rt run -b "$BUNDLE" "$ID"
		untouched
		if [ "$status" != 0 ]; then
			says 'inside /proc'
			refused=$((refused + 1))
			continue
		fi
		good=$((good + 1))
		[ "${lines[0]}" = 12345678 ]
		[ "$(grep -cx /proc/sys <<< "$output")" = 1 ] # the read-only cover, nothing else
	done
	rt delete --force "$ID-evil"
	echo "# $good in the directory, $refused refused" >&3
	[ $((good * refused)) -gt 0 ]
}
