# What the tests of volumes share, over images.bash or sessiond.bash: volumes of this test's own in $VOLUMES.
#
#   vol ACTION...            carrel-image volume
#   vol_field NAME FILTER    of its inspect
#   fill DIR                 as an ordinary user: one file of all that fits, a block at a time, then a byte at a time; prints its size
#   inside NAME COMMAND...   COMMAND in a mount namespace with the volume's file system at $M, mounted by mount(8)
#   project_quotas           skips, with the reason, unless this kernel can make a file system with project quotas

vol() {
	timeout "${IMG_TIMEOUT:-60}" "${CARREL_BIN}/carrel-image" volume --volumes "$VOLUMES" "$@"
}

vol_field() { vol inspect "$1" | jq -r "$2"; }

# What the limit is about: not the host's root, who may use what is reserved for him, and without CAP_SYS_RESOURCE.
as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups --bounding-set -all "$@"; }

fill() {
	as_user sh -c 'dd if=/dev/zero of="$1/full" bs=4k 2> /dev/null
		! printf x 2> /dev/null >> "$1/full" || { echo "one byte more fits" >&2 && exit 1; }
		stat -c %s "$1/full"' - "$1"
}

inside() {
	local disk=$VOLUMES/$1/disk.img
	shift
	M=/mnt # this test's directory is closed to ordinary users
	export M WORK
	export -f as_user fill
	unshare -m bash -ec 'mount -o loop "$0" "$M" && chmod 1777 "$M" && "$@"' "$disk" "$@"
}

in_shell() { # NAME SCRIPT
	inside "$1" bash -ec "$2"
}

# Nothing of a volume is mounted, and no loop device holds one, whoever looks.
no_devices() {
	wait_for '! grep -qs "$VOLUMES" /sys/block/loop*/loop/backing_file'
	! grep -q "$VOLUMES" /proc/mounts
}

project_quotas() {
	local image=$WORK/quota.img
	[ "$(uname -n)" != uml ] || modprobe loop # where no udev does it
	truncate -s 64M "$image"
	mkfs.ext4 -q -b 4096 -O quota,project -E quotatype=prjquota "$image"
	mkdir -p "$WORK/quota"
	unshare -m mount -o loop,prjquota "$image" "$WORK/quota" 2> /dev/null ||
		skip "this kernel mounts no ext4 with project quotas (CONFIG_QFMT_V2)"
}
