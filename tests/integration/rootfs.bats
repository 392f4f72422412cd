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
	fails_with 'Not a directory' rt run -b "$BUNDLE" "$ID"
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
	# Out of a chroot of one's own, as far up as it goes: still in the container.
	all_caps
	args /bin/guest escape /tmp/jail "$BUNDLE" /bin/guest
	run rt run --no-pivot -b "$BUNDLE" "$ID"
	ok
	fact chroot '/tmp/jail ok'
	fact chroot '. ok'
	fact stat '/bin/guest file .*'
	fact stat "$BUNDLE ENOENT"
	userns
	args sh -c 'cat /proc/1/comm; cut -d" " -f5,9 /proc/self/mountinfo'
	run rt run --no-pivot -b "$BUNDLE" "$ID"
	ok
	says sh
	[ "$(grep -cx '/proc proc' <<< "$output")" = 1 ]
}

@test "the host's root cannot be reached" {
	all_caps
	guest stat "$BUNDLE" -- umount / -- escape /tmp/jail "$BUNDLE" /bin/guest
	fact stat '/bin/guest file .*'
	[ "$(grep -c "^stat $BUNDLE ENOENT" <<< "$output")" = 2 ]
}

@test "nothing is mounted on the host while a container lives, and nothing is left" {
	local before
	before=$(host_mounts)
	start_sleeper
	[ "$(host_mounts)" = "$before" ]
	rt delete --force "$ID"
	[ "$(host_mounts)" = "$before" ]
}

@test "a createContainer hook finds the root where the bundle has it, and what it mounts there comes along" {
	printf '#!/bin/sh\nmount -t tmpfs hooked "%s/mnt" && touch "%s/mnt/by-hook"\n' "$ROOTFS" "$ROOTFS" > "$WORK/hook"
	chmod 755 "$WORK/hook"
	edit --arg h "$WORK/hook" '.hooks.createContainer = [{path: $h}]'
	guest stat /mnt/by-hook -- mount /mnt
	fact stat '/mnt/by-hook file .*'
	fact mount '/mnt .* tmpfs hooked .*'
	[ ! -e "$ROOTFS/mnt/by-hook" ]
	! grep -q hooked /proc/self/mountinfo || return 1
	# Also where only the host's root can walk to it.
	userns
	mkdir -p "$BUNDLE/private"
	mv "$ROOTFS" "$BUNDLE/private/rootfs"
	chown 5:5 "$BUNDLE/private"
	chmod 700 "$BUNDLE/private"
	config '.root.path = "private/rootfs" | del(.hooks)'
	guest stat /bin
	fact stat '/bin dir .*'
}

@test "the caller's working directory does not matter and is not changed" {
	cd "$WORK"
	args true
	run bash -c 'cd "$1" && shift && timeout 60 "$@" && pwd' - "$BUNDLE" "$RUNTIME" --root "$ROOT" run --pid-file here.pid "$ID"
	ok
	says "$BUNDLE"
	run bash -c 'cd / && timeout 60 "$@"' - "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
}
