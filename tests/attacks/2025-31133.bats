# What masks files is taken from the image: its /dev/null is a link to a file of procfs, which then appears, writable,
# in place of the masked path.
load ../integration/guest

setup() {
	guest_setup
	PATTERN=$(cat /proc/sys/kernel/core_pattern)
	echo secret > "$ROOTFS/etc/secret"
	edit '.linux.maskedPaths += ["/etc/secret"]'
}
teardown() {
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$PATTERN" ] || echo "$PATTERN" > /proc/sys/kernel/core_pattern
	runtime_teardown
}

unchanged() { [ "$(cat /proc/sys/kernel/core_pattern)" = "$PATTERN" ]; }

@test "control: a bind by name of the image's /dev/null shows the kernel's file" {
	ln -sf /proc/sys/kernel/core_pattern "$ROOTFS/dev/null"
	run unshare --mount sh -c 'mount --bind "$1/dev/null" "$1/etc/secret" && cat "$1/etc/secret"' - "$ROOTFS"
	ok
	[ "$output" = "$PATTERN" ]
}

@test "an image with a lying /dev/null, below our own /dev" {
	ln -sf /proc/sys/kernel/core_pattern "$ROOTFS/dev/null"
	guest read /etc/secret -- write /etc/secret '|/evil' -- stat /etc/secret /dev/null
	fact read '/etc/secret 0'
	fact stat '/etc/secret char .* 1:3'
	fact stat '/dev/null char .* 1:3'
	unchanged
}

@test "a /dev of the image, or of a volume, with a lying null" {
	local victim=/proc/sys/kernel/core_pattern
	ln -sf "$victim" "$ROOTFS/dev/null"
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .root.readonly = false'
	fails_with 'is not the device' rt run -b "$BUNDLE" "$ID"
	mkdir "$WORK/dev"
	ln -s "$victim" "$WORK/dev/null"
	mount_at /dev bind "$WORK/dev" rbind
	guest read /etc/secret -- write /etc/secret '|/evil' -- stat /etc/secret
	fact read '/etc/secret 0'
	fact stat '/etc/secret char .* 1:3'
	unchanged
}

@test "while another container exchanges the null of a shared /dev" {
	local i
	mkdir "$WORK/dev" "$WORK/evil"
	mknod -m 666 "$WORK/dev/null" c 1 3
	ln -s /proc/sys/kernel/core_pattern "$WORK/dev/lie"
	cp -a "$ROOTFS" "$WORK/evil/rootfs"
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	mount_at /dev bind "$WORK/dev" rbind
	jq '.process.args = ["/bin/guest", "swap", "/dev/null", "/dev/lie"] | .linux.cgroupsPath += "-evil"' "$BUNDLE/config.json" > "$WORK/evil/config.json"
	rt run -d -b "$WORK/evil" "$ID-evil" < /dev/null > "$WORK/evil.out" 2>&1
	wait_for 'grep -q swapping "$WORK/evil.out"'
	for i in $(seq "${ATTACK_ROUNDS:-100}"); do
		guest read /etc/secret -- write /etc/secret '|/evil' -- stat /etc/secret
		fact read '/etc/secret 0'
		fact stat '/etc/secret char .* 1:3'
		unchanged
	done
	rt delete --force "$ID-evil"
}
