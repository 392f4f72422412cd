#!/usr/bin/env bats
# The store and a running sandbox: removing and collecting its image takes nothing away from under it.

bats_require_minimum_version 1.5.0
load carrel.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	# A store of our own: this test removes images.
	cp -a "$STORE" "$WORK/own"
	STORE=$WORK/own
}
teardown() { carrel_teardown; }

layers() { find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l; }

@test "gc leaves the layers of a running sandbox, and takes them when it has ended" {
	before=$(layers)
	boxed --detach --name kept default -- sleep 100 < /dev/null
	car image rm default
	car image gc
	[ "$(layers)" = "$before" ]
	layer=$(find "$STORE/layers" -mindepth 2 -maxdepth 2 -name root | head -n 1)
	run flock --nonblock --exclusive "$layer" true
	ends 1
	car rm kept
	eventually flock --nonblock --exclusive "$layer" true
	car image gc
	[ "$(layers)" = 0 ]
	clean
}

@test "a layer that was removed meanwhile is named" {
	boxed default -- true < /dev/null
	mv "$STORE/layers" "$STORE/elsewhere"
	run boxed default -- true < /dev/null
	[ "$status" != 0 ]
	says layers
	clean
}

# erofs_store: the same image, its layer an EROFS image.
erofs_store() {
	"$CARREL_BIN/carrel-image" --store "$WORK/erofs" import --format erofs --name default --as rootfs \
		"$BATS_FILE_TMPDIR/rootfs.tar" > /dev/null
	STORE=$WORK/erofs
	[ -f "$STORE"/layers/*/layer.erofs ] && [ ! -e "$STORE"/layers/*/root ]
}

# devices: how many loop devices read this test's store; left N: after a while so many.
devices() { cat /sys/block/loop*/loop/backing_file 2> /dev/null | grep -c "^$STORE/" || true; }
left() {
	wait_for "[ \"\$(devices)\" = $1 ]" || { echo "$(devices) loop devices, not $1" && return 1; }
}

@test "layers as EROFS images: a sandbox reads them, with its own ids, and leaves no mount and no loop device" {
	erofs_store
	run boxed default -- /bin/sh -c 'stat -c "%u:%g" /bin/busybox && ! touch /bin/x && id -u && ls /workspace && mount | head -n 1' < /dev/null
	[ "$status" = 0 ] || { echo "$output" && return 1; }
	says 0:0
	says 'Read-only file system'
	run bash -c "grep -c erofs /proc/self/mountinfo"
	[ "$output" = 0 ]
	left 0
	clean
}

@test "ACLs hold in a sandbox, for its own ids, in both formats" {
	local format
	PYTHONPATH=$TOP/tests/integration PYTHONDONTWRITEBYTECODE=1 python3 - "$BATS_FILE_TMPDIR/rootfs.tar" "$WORK/acl.tar" << 'PY'
import shutil, sys, tarfile
from mkimage import acl, f
shutil.copyfile(*sys.argv[1:])
for uid in range(0, 65536, 1000), (1,):
    name = 'others' if uid == (1,) else 'mine'
    info, _ = f(name, mode=0o640, uid=5, gid=5, xattrs={'system.posix_acl_access': acl(('owner', 6), *(('user', 4, u) for u in uid), ('group_owner', 0), ('mask', 4), ('other', 0))})
    with tarfile.open(sys.argv[2], 'a', format=tarfile.PAX_FORMAT) as t:
        t.addfile(info)
PY
	for format in dir erofs; do
		"$CARREL_BIN/carrel-image" --store "$WORK/acl.$format" import --format $format --name default --as rootfs "$WORK/acl.tar" > /dev/null
		STORE=$WORK/acl.$format
		run boxed default -- /bin/sh -c 'id -u; cat /mine && echo "mine is read"; cat /others || echo "others is not"' < /dev/null
		[ "$status" = 0 ] || { echo "$output" && return 1; }
		says 'mine is read'
		says 'others is not'
	done
	left 0
	clean
}

@test "sandboxes of one EROFS image share its device, hence its page cache; the last one frees it" {
	local loop i
	erofs_store
	for i in 1 2 3; do boxed --detach --name "b$i" default -- sleep 100 < /dev/null; done
	[ "$(devices)" = 1 ]
	loop=$(grep -l "^$STORE/" /sys/block/loop*/loop/backing_file)
	loop=${loop%/loop/backing_file}
	[ "$(cat "$loop/ro")" = 1 ] && [ "$(cat "$loop/loop/autoclear")" = 1 ]
	# Somebody else's device of the same file, writable and not freed, is not taken.
	other=$(losetup --find --show "$(cat "$loop/loop/backing_file")")
	car rm b1
	car rm b2
	[ "$(devices)" = 2 ]
	car rm b3
	left 1
	boxed --detach --name b4 default -- sleep 100 < /dev/null
	[ "$(devices)" = 2 ]
	car rm b4
	losetup -d "$other"
	left 0
	clean
}

@test "without loop devices an EROFS layer is read from its file" {
	erofs_store
	mount_hidden() { mount --bind /dev/null /dev/loop-control && "$@"; }
	export -f mount_hidden
	run unshare -m bash -c 'mount_hidden "$@"' - "$CARREL" --run-dir "$RUN" --store "$STORE" run --seccomp "$TOP/config/seccomp.json" \
		--cgroup "$CGROUP" default -- /bin/sh -c 'stat -c %u:%g /bin/busybox' < /dev/null
	[ "$status" = 0 ] || { echo "$output" && return 1; }
	says 0:0
	[ "$(devices)" = 0 ]
	clean
}

@test "gc leaves an EROFS layer of a running sandbox, and takes it when it has ended" {
	erofs_store
	boxed --detach --name kept default -- sleep 100 < /dev/null
	car image rm default
	car image gc
	[ "$(layers)" = 1 ]
	run flock --nonblock --exclusive "$(echo "$STORE"/layers/*/layer.erofs)" true
	ends 1
	car rm kept
	car image gc
	[ "$(layers)" = 0 ]
	clean
}

@test "bundle looks into EROFS layers, through a loop device too" {
	erofs_store
	for loop in '' 1; do
		rm -rf "$WORK/b"
		CARREL_TEST_LOOP=$loop
		[ -z "$loop" ] && unset CARREL_TEST_LOOP || export CARREL_TEST_LOOP
		"$CARREL_BIN/carrel-image" --store "$STORE" bundle default "$WORK/b" --user user --seccomp "$TOP/config/seccomp.json"
		[ "$(jq -r .process.user.uid "$WORK/b/config.json")" = 1000 ]
		jq -r '.layers[0]' "$WORK/b/rootfs.json" | grep -q '/layer.erofs$'
	done
	unset CARREL_TEST_LOOP
	wait_for '! grep -qs "$STORE" /sys/block/loop*/loop/backing_file'
}
