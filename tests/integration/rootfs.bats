load guest

setup() { guest_setup; }
teardown() {
	if [ -n "${HOST_MOUNTS:-}" ]; then for m in $HOST_MOUNTS; do umount -R "$m" 2> /dev/null; done; fi
	runtime_teardown
}

@test "read-only or not" {
	guest make /x -- mount /
	fact make '/x EROFS'
	fact mount '/ ro,.*'
	config '.root.readonly = false'
	guest make /x -- mount /
	fact make '/x ok'
	[ -e "$ROOTFS/x" ]
}

@test "a root elsewhere, absolute or by a link" {
	mv "$ROOTFS" "$WORK/elsewhere"
	edit --arg p "$WORK/elsewhere" '.root.path = $p'
	inside true
	ok
	ln -s "$WORK/elsewhere" "$ROOTFS"
	config '.root.path = "rootfs"'
	inside true
	ok
}

@test "a root that is not there, or is a file" {
	config '.root.path = "nothing"'
	fails_with 'nothing' rt run -b "$BUNDLE" "$ID"
	touch "$BUNDLE/file"
	config '.root.path = "file"'
	fails_with 'not a directory' rt run -b "$BUNDLE" "$ID"
}

@test "mounts below the root come along" {
	mkdir -p "$ROOTFS/mnt/sub"
	mount -t tmpfs carrel-test "$ROOTFS/mnt/sub"
	HOST_MOUNTS=$ROOTFS/mnt/sub
	touch "$ROOTFS/mnt/sub/f"
	guest stat /mnt/sub/f
	fact stat '/mnt/sub/f file .*'
}

@test "propagation of the root" {
	guest mount /
	config '.linux.rootfsPropagation = "shared"'
	guest mount /
	fact mount '/ ro,\S+ shared:[0-9]+.* - .*'
	config '.linux.rootfsPropagation = "private"'
	guest mount /
	fact mount '/ ro,\S+ - .*'
	config '.linux.rootfsPropagation = "unbindable"'
	guest mount /
	fact mount '/ ro,\S+ unbindable - .*'
	config '.linux.rootfsPropagation = "sideways"'
	fails_with 'sideways' rt run -b "$BUNDLE" "$ID"
}

@test "--no-pivot: the same inside, and no proc of the host" {
	args /bin/guest stat /proc/1/comm "$WORK" -- cwd -- make /x -- names
	run rt run --no-pivot -b "$BUNDLE" "$ID"
	ok
	fact stat "$WORK ENOENT"
	fact make '/x EROFS'
	args sh -c 'cat /proc/1/comm; ls / | wc -l; cd /../..; ls | wc -l'
	run rt run --no-pivot -b "$BUNDLE" "$ID"
	says sh
	userns
	run rt run --no-pivot -b "$BUNDLE" "$ID"
	says sh
}

@test "the host's root cannot be reached" {
	all_caps
	guest stat "$WORK" -- umount / -- stat "$WORK" /../.. -- cwd
	fact stat "$WORK ENOENT"
	[ "$(grep -c "^stat $WORK ENOENT" <<< "$output")" = 2 ]
}

@test "nothing is mounted on the host while a container lives, and nothing is left" {
	local before
	before=$(wc -l < /proc/self/mountinfo)
	start_sleeper
	[ "$(wc -l < /proc/self/mountinfo)" = "$before" ]
	rt delete --force "$ID"
	[ "$(wc -l < /proc/self/mountinfo)" = "$before" ]
}
