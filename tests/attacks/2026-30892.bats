# CVE-2026-30892: exec's --user with a number that is taken for 0. Every form either is exactly the user that it says or an
# error.
load ../integration/guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

as() { # USER UID GID
	run rt exec -u "$1" "$ID" /bin/guest ids
	ok
	fact uid "$2 $2 $2"
	fact gid "$3 $3 $3"
}

refused() {
	run rt exec -u "$1" "$ID" /bin/guest ids
	[ "$status" -ne 0 ] || { printf -- '-u "%s" was accepted:\n%s\n' "$1" "$output" && return 1; }
	[[ $output != *'uid 0'* ]]
}

@test "numbers and names are what they say" {
	printf 'zero:x:7:8::/:/bin/sh\n1:x:0:0:a number as name:/:/bin/sh\n0x0:x:9:9::/:/bin/sh\n' >> "$ROOTFS/etc/passwd"
	config '.process.capabilities |= with_entries(.value = ["CAP_SETUID", "CAP_SETGID", "CAP_KILL"])'
	start_sleeper
	as 1:0 1 0
	as 1:2 1 2
	# Without a group the container's own stays.
	as 1000 1000 0
	as 1000:2000 1000 2000
	as user 1000 1000
	as zero 7 8
	as root 0 0
	as 0 0 0
	as 4294967294:1 4294967294 1
	# A user named "1" with uid 0 is never found by that number.
	run rt exec -u 1 "$ID" /bin/guest ids
	ok
	fact uid '1 1 1'
}

@test "everything else is refused, not taken for root" {
	start_sleeper
	for u in abc -1 +1 1.5 1e3 ' 1' '1 ' 0x0 4294967295 4294967296 18446744073709551616 99999999999999999999 1: :1x 1:x :: 1:2:3 \
		'1,2' $'1\n0' root: : ; do
		refused "$u"
	done
}

@test "control: the runtime's caller is root, so an ignored number would show as uid 0" {
	[ "$(id -u)" = 0 ]
	start_sleeper
	run rt exec "$ID" /bin/guest ids
	ok
	fact uid '0 0 0'
}
