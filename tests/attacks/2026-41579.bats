# The image's /dev (or another directory that the runtime works in) is a link: nodes and links are made, and ptmx is
# deleted, on the host (also CVE-2026-47766).
load ../integration/guest

setup() {
	guest_setup
	VICTIM=$WORK/victim
	mkdir -p "$VICTIM"/{pts,shm,mqueue,sub}
	echo host | tee "$VICTIM/ptmx" "$VICTIM/console" "$VICTIM/hostname" > /dev/null
	BEFORE=$(snapshot)
	mount_at /dev/mqueue mqueue mqueue nosuid nodev noexec
	mount_at /run tmpfs tmpfs mode=755
	echo mine > "$WORK/mine"
	mount_at /etc/hosts bind "$WORK/mine" bind
	config '.root.readonly = false'
}
teardown() { runtime_teardown; }

snapshot() { (cd "$VICTIM" && find . -printf '%p %y %m %U\n' | sort && cat ptmx console); }

# In place of PATH of the image: a link to the victim.
lure() {
	rm -rf "${ROOTFS:?}$1"
	mkdir -p "$(dirname "$ROOTFS$1")"
	ln -s "$2" "$ROOTFS$1"
}

@test "control: what is done by name reaches the host" {
	lure /dev "$VICTIM"
	rm -f "$ROOTFS/dev/ptmx"
	ln -s pts/ptmx "$ROOTFS/dev/ptmx"
	mknod "$ROOTFS/dev/null" c 1 3
	[ "$(snapshot)" != "$BEFORE" ]
}

@test "every directory that the runtime works in, as a link" {
	local at to terminal
	for terminal in false true; do
		edit --argjson t "$terminal" '.process.terminal = $t'
		for at in /dev /dev/pts /dev/shm /dev/mqueue /etc /etc/hosts /run /proc /sys /tmp; do
			for to in "$VICTIM" "../../../../../../../../../../..$VICTIM" "$VICTIM/sub"; do
				rm -rf "$ROOTFS"
				make_rootfs "$ROOTFS"
				cp "$GUEST" "$ROOTFS/bin/guest"
				lure "$at" "$to"
				args true
				run rt run -b "$BUNDLE" "$ID" < /dev/null
				[ "$(snapshot)" = "$BEFORE" ] || { echo "changed through $at -> $to" && return 1; }
				! grep -q "$VICTIM" /proc/self/mountinfo || return 1
			done
		done
	done
}

@test "a /dev of the image without any mount on it" {
	local to
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	for to in "$VICTIM" "../../../../../../../../../../..$VICTIM" etc; do
		rm -rf "$ROOTFS"
		make_rootfs "$ROOTFS"
		lure /dev "$to"
		run rt run -b "$BUNDLE" "$ID"
		[ "$(snapshot)" = "$BEFORE" ]
		[ ! -e "$ROOTFS/etc/ptmx" ]
	done
	fails_with '/dev' rt run -b "$BUNDLE" "$ID"
}

@test "links at /dev, /proc and /sys are refused by a sentence" {
	local at
	for at in /dev /proc /sys; do
		rm -rf "$ROOTFS"
		make_rootfs "$ROOTFS"
		lure "$at" "$VICTIM"
		fails_with 'must be mounted on ordinary directory' rt run -b "$BUNDLE" "$ID"
	done
}
