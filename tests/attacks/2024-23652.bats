#!/usr/bin/env bats
# What was made for a mount is removed by name when the container ends, after the image has put a link in its way: files of the host
# go (CVE-2024-23652). Also what a mount is undone by, CVE-2024-23651.
load ../integration/guest

setup() {
	guest_setup
	VICTIM=$WORK/victim
	mkdir -p "$VICTIM/dir" "$WORK/volume"
	: > "$VICTIM/file"
	echo mine > "$WORK/mine"
	config '.root.readonly = false'
	mount_at /mnt/made/file bind "$WORK/mine" bind
	mount_at /mnt/made/dir bind "$WORK/volume" rbind
	mount_at /mnt/made/tmp tmpfs tmpfs
	args sleep 1000
}
teardown() { runtime_teardown; }

# Links in place of the directory that the mount points were made in, and of a mount point.
swap() {
	mv "$ROOTFS/mnt/made" "$ROOTFS/mnt/aside"
	ln -s "$VICTIM" "$ROOTFS/mnt/made"
}

unharmed() {
	[ "$(find "$VICTIM" -printf '%P %y\n' | sort | tr '\n' ,)" = ' d,dir d,file f,' ] || { find "$VICTIM" && return 1; }
	[ "$(cat "$WORK/mine")" = mine ] && [ -d "$WORK/volume" ]
}

@test "control: removal by name, as a careless engine does it, reaches the host" {
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	[ -f "$ROOTFS/mnt/made/file" ] && [ -d "$ROOTFS/mnt/made/dir" ]
	swap
	rm -f "$ROOTFS/mnt/made/file" && rmdir "$ROOTFS/mnt/made/dir"
	[ ! -e "$VICTIM/file" ] && [ ! -e "$VICTIM/dir" ]
}

@test "delete, delete --force and the end of run touch nothing of it" {
	local end
	for end in force stopped paused; do
		rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
		rt start "$ID"
		swap
		case $end in
		force) rt delete --force "$ID" ;;
		stopped) rt kill "$ID" KILL && wait_for '[ "$(status_of)" = stopped ]' && rt delete "$ID" ;;
		paused) rt pause "$ID" && rt delete --force "$ID" ;;
		esac
		unharmed
		rm "$ROOTFS/mnt/made" && mv "$ROOTFS/mnt/aside" "$ROOTFS/mnt/made"
	done
	config '.process.args = ["/bin/sh", "-c", "echo ready; read x"]'
	mkfifo "$WORK/go"
	rt run -b "$BUNDLE" "$ID" < "$WORK/go" > "$WORK/out" 2>&1 3>&- &
	exec 9> "$WORK/go"
	wait_for 'grep -q ready "$WORK/out"'
	swap
	exec 9>&-
	wait $! || :
	[ ! -e "$ROOT/$ID" ]
	unharmed
}

@test "a create that fails after they were made touches nothing either" {
	config --arg r "$ROOTFS" --arg v "$VICTIM" '.hooks.createContainer = [{path: "/bin/sh", args: ["sh", "-c", "mv \($r)/mnt/made \($r)/mnt/aside; ln -s \($v) \($r)/mnt/made; exit 1"]}]'
	run rt create -b "$BUNDLE" "$ID"
	[ "$status" -ne 0 ]
	[ -L "$ROOTFS/mnt/made" ]
	[ ! -e "$ROOT/$ID" ]
	unharmed
}
