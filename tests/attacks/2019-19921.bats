# The image's /proc is a fake, so that labels and kernel parameters go to a file of the attacker (also CVE-2019-16884,
# CVE-2023-27561, CVE-2023-28642).
load ../integration/guest

setup() {
	guest_setup
	mkdir -p "$ROOTFS/fake/self/attr" "$ROOTFS/fake/thread-self/attr" "$ROOTFS/fake/sys/kernel"
	touch "$ROOTFS"/fake/{self,thread-self}/attr/exec "$ROOTFS/fake/sys/kernel/shmmax"
	edit '.linux.sysctl = {"kernel.shmmax": "12345678"}'
	rmdir "$ROOTFS/proc"
	ln -s fake "$ROOTFS/proc"
}
teardown() { runtime_teardown; }

untouched() { [ -z "$(cat "$ROOTFS"/fake/*/attr/exec "$ROOTFS/fake/sys/kernel/shmmax")" ]; }

@test "control: what is written by name goes to the fake" {
	run chroot "$ROOTFS" sh -c 'echo 12345678 > /proc/sys/kernel/shmmax; echo label > /proc/self/attr/exec'
	ok
	! untouched
}

@test "a /proc that is a link is refused, wherever it leads" {
	local to
	for to in fake /fake ./fake/../fake /proc2 . / /tmp /sys; do
		ln -sfn "$to" "$ROOTFS/proc"
		fails_with 'must be mounted on ordinary directory' rt run -b "$BUNDLE" "$ID"
		untouched
	done
}

@test "a volume cannot be put in the place of /proc or of what is in it" {
	local at
	rm "$ROOTFS/proc"
	mkdir "$ROOTFS/proc"
	for at in /proc /proc/ //proc /x/../proc /proc/sys /proc/sys/kernel /proc/self /proc/self/attr /proc/thread-self/attr/exec; do
		edit --arg at "$at" --arg s "$ROOTFS/fake" '.mounts = [.mounts[] | select(.source != $s)] + [{destination: $at, type: "bind", source: $s, options: ["rbind"]}]'
		run rt run -b "$BUNDLE" "$ID"
		[ "$status" -ne 0 ] || { echo "accepted on $at" && return 1; }
		untouched
	done
}

@test "the true procfs is written, before the image has a word" {
	rm "$ROOTFS/proc"
	mkdir "$ROOTFS/proc"
	inside cat /proc/sys/kernel/shmmax
	ok
	[ "$output" = 12345678 ]
	untouched
}
