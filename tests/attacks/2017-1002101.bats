# The target of a mount is a link of the image that leads to the host's files (also docker#5656).
load ../integration/guest

setup() {
	guest_setup
	VICTIM=$WORK/victim
	mkdir -p "$VICTIM/sub"
	echo host > "$VICTIM/sub/file"
}
teardown() { runtime_teardown; }

links() {
	ln -sfn "$VICTIM" "$ROOTFS/mnt/absolute"
	ln -sfn "../../../../../../../../../../..$VICTIM" "$ROOTFS/mnt/climbing"
	ln -sfn "$VICTIM/sub/file" "$ROOTFS/mnt/file"
}

@test "control: a mount by name lands on the host's directory" {
	links
	run unshare --mount sh -c 'mount -t tmpfs lured "$1/mnt/absolute/sub" && grep lured /proc/self/mountinfo' - "$ROOTFS"
	ok
	says " $VICTIM/sub "
}

@test "directories, files and recursive binds stay inside" {
	links
	echo mine > "$WORK/mine"
	mkdir "$WORK/vol"
	mount_at /mnt/absolute tmpfs lured
	mount_at /mnt/climbing/sub tmpfs lured2
	mount_at /mnt/absolute/made/below bind "$WORK/vol" rbind
	mount_at /mnt/file bind "$WORK/mine" bind
	guest mount "$VICTIM" -- stat /mnt/file
	fact mount "$VICTIM .* tmpfs lured .*"
	[ "$(find "$VICTIM" | sort)" = "$(printf '%s\n' "$VICTIM" "$VICTIM/sub" "$VICTIM/sub/file")" ]
	[ "$(cat "$VICTIM/sub/file")" = host ]
}
