# The same race, before the target exists: the missing directories and files of a mount are made on the host.
load race

@test "control: by name, directories are made on the host" {
	wait_for 'mkdir -p "$VOL/a/made/here" 2> /dev/null; [ -d "$VICTIM/made" ]' 30
}

@test "missing targets are made inside only: directories" {
	local i good=0
	mount_at /vol/a/made/dir tmpfs raced
	args true
	for i in $(seq "$ROUNDS"); do
		run rt run -b "$BUNDLE" "$ID"
		[ "$status" != 0 ] || good=$((good + 1))
		[ "$(victim)" = "$VICTIM/sub " ]
		rm -rf "$VOL"/[ab]/made 2> /dev/null || true
		rm -rf "$VICTIM/made"
	done
	[ "$good" -gt 0 ]
}

@test "missing targets are made inside only: files" {
	local i good=0
	echo mine > "$WORK/mine"
	mount_at /vol/a/made/file bind "$WORK/mine" bind
	args true
	for i in $(seq "$ROUNDS"); do
		run rt run -b "$BUNDLE" "$ID"
		[ "$status" != 0 ] || good=$((good + 1))
		[ "$(victim)" = "$VICTIM/sub " ]
		rm -rf "$VOL"/[ab]/made 2> /dev/null || true
		rm -rf "$VICTIM/made"
	done
	[ "$good" -gt 0 ]
}
