# Which user a name or a number means: overflow to root, numbers that are looked up as names, files without end (also
# CVE-2026-46680, CVE-2026-47262).
load ../integration/guest

setup() {
	guest_setup
	printf 'root:x:0:0:root:/root:/bin/sh\n1000:x:0:0:a trap:/root:/bin/sh\n4294967296:x:0:0:a trap:/root:/bin/sh\nweb:x:33:34::/:/bin/sh\nwide:x:4294967296:0::/:/bin/sh\n' > "$ROOTFS/etc/passwd"
	printf 'root:x:0:\n1000:x:0:\nwww:x:34:web\n' > "$ROOTFS/etc/group"
}
teardown() { runtime_teardown; }

as() { # USER
	run rt exec --user "$1" "$ID" /bin/guest ids
}

@test "control: who looks numbers up as names becomes root" {
	[ "$(awk -F: '$1 == "1000" {print $3}' "$ROOTFS/etc/passwd")" = 0 ]
	# The arithmetic of 32 bits, as a careless parser does it.
	[ $((4294967296 & 0xffffffff)) = 0 ]
}

@test "numbers are numbers" {
	start_sleeper
	as 1000
	ok
	fact uid '1000 1000 1000'
	as 1000:1000
	ok
	fact gid '1000 1000 1000'
	as 1
	fact uid '1 1 1'
	as web
	fact uid '33 33 33'
	fact groups 34
}

@test "what is out of range is refused, not wrapped" {
	local u
	start_sleeper
	for u in 4294967295 4294967296 4294967297 18446744073709551616 -1 +1 0x1 1:4294967296 wide '' : :0; do
		as "$u"
		[ "$status" = 255 ] || { echo "$u: status $status: $output" && return 1; }
		no_fact uid '.*'
	done
	edit '.process.user.uid = 4294967296'
	fails_with 'uid' rt run -b "$BUNDLE" "$ID-2"
	edit '.process.user.uid = -1'
	fails_with 'uid' rt run -b "$BUNDLE" "$ID-2"
}

@test "files that never end, or wait for ever" {
	start_sleeper
	truncate -s 1G "$ROOTFS/etc/group"
	RT_TIMEOUT=40 as web
	[ "$status" = 255 ]
	rm "$ROOTFS/etc/group"
	mkfifo "$ROOTFS/etc/group"
	RT_TIMEOUT=40 as web
	[ "$status" = 255 ]
	says 'not a regular file'
	rm "$ROOTFS/etc/passwd"
	mkfifo "$ROOTFS/etc/passwd"
	RT_TIMEOUT=40 as web
	[ "$status" = 255 ]
	says 'not a regular file'
	RT_TIMEOUT=40 as 1000
	ok
	fact uid '1000 1000 1000'
	ln -sf /dev/zero "$ROOTFS/etc/passwd"
	RT_TIMEOUT=40 as web
	[ "$status" = 255 ]
}
