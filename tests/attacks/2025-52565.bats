# /dev/console is made from /dev/pts/N by name, and that name is a link of the attacker.
load ../integration/guest

setup() {
	guest_setup
	config '.process.terminal = true'
	VICTIM=$WORK/victim
	echo host > "$VICTIM"
}
teardown() { runtime_teardown; }

@test "control: by name the bind takes whatever /dev/pts/0 leads to" {
	mkdir -p "$ROOTFS/dev/pts"
	ln -s "$VICTIM" "$ROOTFS/dev/pts/0"
	touch "$ROOTFS/dev/console"
	run unshare --mount sh -c 'mount --bind "$1/dev/pts/0" "$1/dev/console" && cat "$1/dev/console"' - "$ROOTFS"
	ok
	[ "$output" = host ]
}

@test "a /dev/pts of the attacker's is refused, even with a true multiplexer in it" {
	mkdir -p "$WORK/pts"
	mknod -m 666 "$WORK/pts/ptmx" c 5 2
	ln -s "$VICTIM" "$WORK/pts/0"
	config '.mounts |= map(select(.destination != "/dev/pts"))'
	mount_at /dev/pts bind "$WORK/pts" bind
	fails_with 'not a terminal device of a devpts' rt run -b "$BUNDLE" "$ID"
	[ "$(cat "$VICTIM")" = host ]
}

@test "a /dev/pts that is a link is refused" {
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .root.readonly = false'
	mkdir -p "$ROOTFS/other"
	ln -s ../other "$ROOTFS/dev/pts"
	mount_at /other devpts devpts newinstance ptmxmode=0666
	fails_with '/dev/pts' rt run -b "$BUNDLE" "$ID"
}

@test "a /dev/console that is a link is refused and what it leads to stays" {
	local to
	config '.mounts |= map(select(.destination != "/dev")) | .root.readonly = false'
	for to in /proc/sysrq-trigger /etc/passwd ../../../../../../../.."$VICTIM" console; do
		ln -sfn "$to" "$ROOTFS/dev/console"
		fails_with '/dev/console' rt run -b "$BUNDLE" "$ID"
	done
	[ "$(cat "$VICTIM")" = host ]
	rm "$ROOTFS/dev/console"
	args /bin/guest stat /dev/console
	run rt run -b "$BUNDLE" "$ID" < /dev/null
	ok
	says '/dev/console char'
}

@test "the console is the very terminal of this container" {
	args /bin/guest stat /dev/console /dev/pts/0 -- fds -- mount /dev/console
	run rt run -b "$BUNDLE" "$ID" < /dev/null
	output=${output//$'\r'/}
	ok
	fact stat '/dev/console char .* 136:0'
	fact mount '/dev/console .* - devpts devpts .*'
}
