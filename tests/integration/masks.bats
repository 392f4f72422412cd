load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

@test "masked files read as empty, masked directories have nothing in them" {
	echo secret > "$ROOTFS/etc/secret"
	mkdir "$ROOTFS/etc/dir"
	echo secret > "$ROOTFS/etc/dir/f"
	config '.linux.maskedPaths += ["/etc/secret", "/etc/dir"]'
	guest read /etc/secret /etc/dir/f /proc/timer_list /proc/keys -- stat /etc/secret /etc/dir -- write /etc/secret -- make /etc/dir/x
	fact read '/etc/secret 0'
	fact read '/etc/dir/f ENOENT'
	fact read '/proc/timer_list 0'
	fact read '/proc/keys 0'
	fact stat '/etc/secret char .* 1:3'
	fact make '/etc/dir/x EROFS'
	# Unmasked, the same reads find something: the masks are what hides it.
	config 'del(.linux.maskedPaths)'
	guest read /etc/secret /etc/dir/f /proc/keys
	fact read '/etc/secret 7'
	fact read '/etc/dir/f 7'
	fact read '/proc/keys [1-9][0-9]*'
}

@test "masks in a user namespace" {
	userns
	guest read /proc/timer_list /proc/keys -- mount /proc/keys /sys/firmware
	fact read '/proc/timer_list 0'
	fact read '/proc/keys 0'
	fact mount '/proc/keys ro,nosuid,noexec.* devtmpfs .*'
	fact mount '/sys/firmware ro,nosuid,nodev,noexec.* tmpfs .*'
}

@test "paths that are not there, listed twice, or reached over a link" {
	echo secret > "$ROOTFS/etc/secret"
	mkdir -p "$ROOTFS/etc/dir/sub" "$WORK/victim"
	echo out > "$WORK/victim/f"
	ln -s /etc/secret "$ROOTFS/etc/link"
	ln -s "$WORK/victim" "$ROOTFS/etc/out"
	config '.linux.maskedPaths += ["/no/such", "/etc/passwd/below", "/etc/secret", "/etc/link", "/etc/secret", "/etc/dir", "/etc/dir/sub", "/etc/dir", "/etc/out"]'
	guest read /etc/secret /etc/link
	fact read '/etc/secret 0'
	fact read '/etc/link 0'
	inside sh -c 'cut -d" " -f5 /proc/self/mountinfo | grep -c "^/etc"'
	[ "$output" = 2 ]
	[ "$(cat "$WORK/victim/f")" = out ]
	! grep -q " $WORK/victim " /proc/self/mountinfo
}

@test "one tmpfs serves all masked directories, of no size" {
	mkdir "$ROOTFS/etc/a" "$ROOTFS/etc/b"
	config '.linux.maskedPaths = ["/etc/a", "/etc/b"]'
	inside sh -c 'stat -c %d /etc/a /etc/b | uniq | wc -l'
	[ "$output" = 1 ]
	guest mount /etc/a
	fact mount '/etc/a ro,nosuid,nodev,noexec.* tmpfs .*size=0k,nr_inodes=1.*'
}

@test "read-only paths, with all that is mounted below them" {
	mkdir -p "$ROOTFS/mnt/ro/sub"
	config '.root.readonly = false | .linux.readonlyPaths = ["/mnt/ro", "/no/such", "/proc/sys"]'
	mount_at /mnt/ro/sub tmpfs t
	all_caps
	guest make /mnt/ro/x -- make /mnt/ro/sub/x -- make /mnt/free -- write /proc/sys/kernel/shmmax 1
	fact make '/mnt/ro/x EROFS'
	fact make '/mnt/ro/sub/x EROFS'
	fact make '/mnt/free ok'
	fact write '/proc/sys/kernel/shmmax EROFS'
	config '.linux.readonlyPaths = []'
	guest make /mnt/ro/y -- make /mnt/ro/sub/y
	fact make '/mnt/ro/y ok'
	fact make '/mnt/ro/sub/y ok'
}

@test "a read-only path that is a link stays inside" {
	mkdir -p "$WORK/victim"
	ln -s "$WORK/victim" "$ROOTFS/mnt/out"
	config '.linux.readonlyPaths = ["/mnt/out"]'
	inside true
	ok
	! grep -q " $WORK/victim " /proc/self/mountinfo || return 1
	touch "$WORK/victim/still-writable"
}

@test "an ordinary container cannot take the covers off" {
	guest umount /proc/keys -- umount /sys/firmware -- remount-rw /proc/sys -- umount /proc/sys -- read /proc/keys
	fact umount '/proc/keys EPERM'
	fact umount '/sys/firmware EPERM'
	fact remount-rw '/proc/sys EPERM'
	fact umount '/proc/sys EPERM'
	fact read '/proc/keys 0'
	# With CAP_SYS_ADMIN it can: that is what the capability is for, and that the attempts above were real ones.
	all_caps
	guest umount /proc/keys -- read /proc/keys
	fact umount '/proc/keys ok'
	fact read '/proc/keys [1-9][0-9]*'
}
