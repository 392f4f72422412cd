# Another container exchanges the target of a mount with a link to the host while the runtime mounts on it.
load race

@test "control: by name, a mount lands on the host" {
	run unshare --mount sh -c 'for i in $(seq 2000); do
		mount -t tmpfs lured "$1/a/sub" 2> /dev/null; grep -q "$2/sub " /proc/self/mountinfo && echo lured && exit 0; umount -l "$1/a/sub" 2> /dev/null
	done; exit 1' - "$VOL" "$VICTIM"
	ok
	says lured
}

@test "existing targets: a mount is inside, or there is an error" {
	local i good=0
	mount_at /vol/a/sub tmpfs raced
	args grep -c ' - tmpfs raced ' /proc/self/mountinfo
	for i in $(seq "$ROUNDS"); do
		run rt run -b "$BUNDLE" "$ID"
		if [ "$status" = 0 ]; then good=$((good + 1)) && [ "$output" = 1 ]; fi
		[ "$(victim)" = "$VICTIM/sub " ]
		! grep -q raced /proc/self/mountinfo || return 1
	done
	echo "# $good of $ROUNDS were mounted" >&3
	[ "$good" -gt 0 ]
}
