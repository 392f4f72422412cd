# CVE-2022-4318, CVE-2026-15809: a line break in HOME, or another variable, ends up as a line of its own in /etc/passwd.
load ../integration/guest

setup() {
	guest_setup
	config '.root.readonly = false'
	HOME_EVIL=$'/x\nroot2::0:0::/:/bin/sh'
	cp "$ROOTFS/etc/passwd" "$WORK/passwd"
	cp "$ROOTFS/etc/group" "$WORK/group"
}
teardown() { runtime_teardown; }

unchanged() {
	cmp "$ROOTFS/etc/passwd" "$WORK/passwd"
	cmp "$ROOTFS/etc/group" "$WORK/group"
}

@test "control: an engine that adds a line for the user makes a second root" {
	printf 'new:x:1234:1234::%s:/bin/sh\n' "$HOME_EVIL" >> "$ROOTFS/etc/passwd"
	start_sleeper
	run rt exec --user root2 "$ID" id -u
	ok
	[ "$output" = 0 ]
}

@test "run: HOME stays a variable, and no file of the image changes" {
	local u
	for u in 0 1000 1234; do
		edit --arg h "$HOME_EVIL" --argjson u "$u" '.process.env = ["PATH=/bin", "HOME=" + $h, "USER=a:b:c"] | .process.user = {uid: $u, gid: $u}'
		inside sh -c 'echo "[$HOME]"'
		ok
		[ "$output" = "[$HOME_EVIL]" ]
		unchanged
	done
}

@test "exec: the same, also for a user that the image does not know" {
	start_sleeper
	for u in 0 1000 1234:1234; do
		run rt exec --user "$u" --env "HOME=$HOME_EVIL" "$ID" sh -c 'echo "[$HOME]"'
		ok
		[ "$output" = "[$HOME_EVIL]" ]
		unchanged
	done
	run rt exec --user root2 "$ID" id
	[ "$status" -ne 0 ]
}
