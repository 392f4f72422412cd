load guest

setup() { guest_setup; }
teardown() {
	if [ -n "${HOST_MOUNTS:-}" ]; then for m in $HOST_MOUNTS; do umount -R "$m" 2> /dev/null; done; fi
	runtime_teardown
}

host_tmpfs() { # DIR OPTIONS
	mkdir -p "$1"
	mount -t tmpfs -o "${2:-rw}" carrel-test "$1"
	HOST_MOUNTS="$1 ${HOST_MOUNTS:-}"
}

@test "a tmpfs carries every attribute that it is given" {
	mount_at /mnt/a tmpfs t ro nosuid nodev noexec noatime
	mount_at /mnt/b tmpfs t nodiratime strictatime nosymfollow sync
	mount_at /mnt/c tmpfs t noexec exec nosuid suid ro rw nodev dev
	guest mount /mnt/a /mnt/b /mnt/c
	fact mount '/mnt/a ro,nosuid,nodev,noexec,noatime .* tmpfs t .*'
	fact mount '/mnt/b rw,nodiratime,nosymfollow .* tmpfs t .*sync.*'
	fact mount '/mnt/c rw,relatime .* tmpfs t .*'
}

@test "size and mode of a tmpfs; without a mode it has that of what it covers" {
	mkdir -p "$ROOTFS/mnt/old"
	chmod 1750 "$ROOTFS/mnt/old"
	mount_at /mnt/new tmpfs t size=1m mode=0711
	mount_at /mnt/old tmpfs t
	guest fstype /mnt/new -- stat /mnt/new /mnt/old
	fact fstype '/mnt/new 1021994 .* size 1048576'
	fact stat '/mnt/new dir 0711 0:0'
	fact stat '/mnt/old dir 1750 0:0'
}

@test "tmpcopyup starts a tmpfs with the content of the image" {
	mkdir -p "$ROOTFS/mnt/up/sub"
	echo content > "$ROOTFS/mnt/up/sub/file"
	chmod 0604 "$ROOTFS/mnt/up/sub/file"
	chown 7:8 "$ROOTFS/mnt/up/sub/file"
	ln -s sub/file "$ROOTFS/mnt/up/link"
	mkfifo "$ROOTFS/mnt/up/pipe"
	mount_at /mnt/up tmpfs t tmpcopyup ro
	inside sh -c 'cat /mnt/up/link; stat -c "%a %u:%g %F" /mnt/up/sub/file; stat -c %F /mnt/up/pipe; ! touch /mnt/up/x'
	ok
	says content
	says '604 7:8 regular file'
	says fifo
	# The image has not changed and what is written goes to the tmpfs.
	config '.mounts[-1].options = ["tmpcopyup"]'
	inside sh -c 'echo more > /mnt/up/sub/new; cat /mnt/up/sub/new'
	says more
	[ ! -e "$ROOTFS/mnt/up/sub/new" ]
}

@test "tmpcopyup is for a tmpfs only" {
	mount_at /mnt/a bind "$WORK" bind tmpcopyup
	fails_with 'tmpcopyup: only a tmpfs' rt run -b "$BUNDLE" "$ID"
}

@test "a bind of a directory and of a file, also relative to the bundle" {
	mkdir -p "$BUNDLE/vol"
	echo one > "$BUNDLE/vol/f"
	echo two > "$WORK/file"
	mount_at /mnt/dir bind vol bind
	mount_at /mnt/deep/er/file bind "$WORK/file" bind ro
	inside sh -c 'cat /mnt/dir/f /mnt/deep/er/file; echo x > /mnt/dir/f; ! echo x > /mnt/deep/er/file'
	ok
	says $'one\ntwo'
	[ "$(cat "$BUNDLE/vol/f" "$WORK/file")" = $'x\ntwo' ]
}

@test "bind leaves out what is mounted below, rbind takes it; ro is for one mount, rro for all" {
	host_tmpfs "$WORK/vol"
	host_tmpfs "$WORK/vol/sub"
	touch "$WORK/vol/sub/f"
	mount_at /mnt/one bind "$WORK/vol" bind
	mount_at /mnt/ro bind "$WORK/vol" rbind ro
	mount_at /mnt/rro bind "$WORK/vol" rbind rro
	mount_at /mnt/mix bind "$WORK/vol" rbind rro rw
	guest stat /mnt/one/sub/f /mnt/ro/sub/f -- mount /mnt/ro /mnt/ro/sub /mnt/rro /mnt/rro/sub /mnt/mix /mnt/mix/sub
	fact stat '/mnt/one/sub/f ENOENT'
	fact stat '/mnt/ro/sub/f file .*'
	fact mount '/mnt/ro ro,.*'
	fact mount '/mnt/ro/sub rw,.*'
	fact mount '/mnt/rro ro,.*'
	fact mount '/mnt/rro/sub ro,.*'
	fact mount '/mnt/mix rw,.*'
	fact mount '/mnt/mix/sub ro,.*'
}

@test "every recursive option reaches the mounts below" {
	host_tmpfs "$WORK/vol"
	host_tmpfs "$WORK/vol/sub"
	host_tmpfs "$WORK/full" ro,nosuid,nodev,noexec,noatime
	mount_at /mnt/a bind "$WORK/vol" rbind rnosuid rnodev rnoexec rnodiratime rnosymfollow rnoatime
	mount_at /mnt/b bind "$WORK/vol" rbind rstrictatime
	mount_at /mnt/c bind "$WORK/full" rbind rsuid rdev rexec rrw rrelatime
	mount_at /mnt/d bind "$WORK/full" rbind ratime rsymfollow rdiratime
	guest mount /mnt/a/sub /mnt/b/sub /mnt/c /mnt/d
	fact mount '/mnt/a/sub rw,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow .*'
	fact mount '/mnt/b/sub rw .*'
	fact mount '/mnt/c rw,relatime .*'
	fact mount '/mnt/d ro,nosuid,nodev,noexec,relatime .*'
}

@test "a bind without options is as its source; with some it has these and no others, but for access times" {
	host_tmpfs "$WORK/vol" ro,nosuid,nodev,noexec,noatime,nodiratime
	mount_at /mnt/keep bind "$WORK/vol" bind
	mount_at /mnt/some bind "$WORK/vol" bind exec suid
	mount_at /mnt/ro bind "$WORK/vol" bind ro norelatime
	mount_at /mnt/times bind "$WORK/vol" bind rw relatime
	mount_at /mnt/dir bind "$WORK/vol" bind nodiratime
	mount_at /mnt/strict bind "$WORK/vol" bind strictatime
	guest mount /mnt/keep /mnt/some /mnt/ro /mnt/times /mnt/dir /mnt/strict
	fact mount '/mnt/keep ro,nosuid,nodev,noexec,noatime,nodiratime .*'
	fact mount '/mnt/some rw,noatime,nodiratime .*'
	fact mount '/mnt/ro ro,noatime,nodiratime .*'
	fact mount '/mnt/times rw,relatime .*'
	fact mount '/mnt/dir rw,nodiratime,relatime .*'
	fact mount '/mnt/strict rw .*'
}

@test "in a user namespace a bind keeps the locks of its source, and may not ask for their opposite" {
	host_tmpfs "$WORK/vol" nosuid,nodev,noexec,noatime
	userns
	cp "$BUNDLE/config.json" "$WORK/before.json"
	mount_at /mnt/ro bind "$WORK/vol" bind ro
	mount_at /mnt/same bind "$WORK/vol" bind noatime nosuid
	guest mount /mnt/ro /mnt/same
	fact mount '/mnt/ro ro,nosuid,nodev,noexec,noatime .*'
	fact mount '/mnt/same rw,nosuid,nodev,noexec,noatime .*'
	local o
	for o in exec suid dev relatime strictatime nodiratime; do
		cp "$WORK/before.json" "$BUNDLE/config.json"
		mount_at /mnt/x bind "$WORK/vol" bind $o
		fails_with 'operation not permitted: in a user namespace' rt run -b "$BUNDLE" "$ID"
	done
}

@test "propagation: a slave by default, what is asked for otherwise, never the host's peer" {
	host_tmpfs "$WORK/vol"
	mount --make-shared "$WORK/vol"
	mount_at /mnt/default bind "$WORK/vol" bind
	mount_at /mnt/private bind "$WORK/vol" bind private
	mount_at /mnt/slave bind "$WORK/vol" bind rslave
	mount_at /mnt/shared bind "$WORK/vol" bind rshared
	mount_at /mnt/unbind bind "$WORK/vol" bind unbindable
	guest mount /mnt/default /mnt/private /mnt/slave /mnt/shared /mnt/unbind
	fact mount '/mnt/default rw,relatime master:[0-9]+ - .*'
	fact mount '/mnt/private rw,relatime - .*'
	fact mount '/mnt/slave rw,relatime master:[0-9]+ - .*'
	fact mount '/mnt/shared rw,relatime shared:[0-9]+ master:[0-9]+ - .*'
	fact mount '/mnt/unbind rw,relatime unbindable - .*'
}

@test "a mount made in a container reaches the host only with rshared and a shared root" {
	host_tmpfs "$WORK/vol"
	mkdir "$WORK/vol/in"
	mount --make-shared "$WORK/vol"
	all_caps
	mount_at /mnt/v bind "$WORK/vol" rbind rshared
	args sh -c 'mount -t tmpfs inner /mnt/v/in && touch /mnt/v/in/f && sleep 1000'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for 'rt exec "$ID" test -e /mnt/v/in/f'
	run cat /proc/self/mountinfo
	[[ $output != *" inner "* ]]
	rt delete --force "$ID"
	# The same with the root's propagation shared: now it must arrive, or the above proves nothing.
	config '.linux.rootfsPropagation = "rshared"'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for 'test -e "$WORK/vol/in/f"'
	rt delete --force "$ID"
}

@test "a mount that the host makes later arrives at a slave, not at a private one" {
	host_tmpfs "$WORK/vol"
	mkdir "$WORK/vol/in"
	mount --make-shared "$WORK/vol"
	mount_at /mnt/slave bind "$WORK/vol" rbind rslave
	mount_at /mnt/private bind "$WORK/vol" rbind rprivate
	start_sleeper
	host_tmpfs "$WORK/vol/in"
	touch "$WORK/vol/in/f"
	rt exec "$ID" test -e /mnt/slave/in/f
	! rt exec "$ID" test -e /mnt/private/in/f
}

@test "src-nofollow binds the link itself" {
	echo target > "$WORK/target"
	ln -s target "$WORK/link"
	mount_at /mnt/followed bind "$WORK/link" bind
	mount_at /mnt/link bind "$WORK/link" bind src-nofollow
	inside sh -c 'cat /mnt/followed; readlink /mnt/link'
	ok
	says $'target\ntarget'
}

@test "remount changes a mount that is there" {
	mount_at /mnt/t tmpfs t size=1m
	mount_at /mnt/t "" "" remount bind ro noexec
	mount_at /mnt/u tmpfs t size=1m
	mount_at /mnt/u tmpfs "" remount size=2m nosuid
	mount_at /sys "" "" remount bind rw
	guest mount /mnt/t /sys -- fstype /mnt/u -- mount /mnt/u
	fact mount '/mnt/t ro,noexec,relatime .*'
	fact mount '/sys rw,nosuid,nodev,noexec,relatime .*'
	fact fstype '/mnt/u .* size 2097152'
	fact mount '/mnt/u rw,nosuid,relatime .*'
}

@test "a target that is a link resolves inside the root" {
	mkdir -p "$WORK/victim" "$ROOTFS/$WORK" "$ROOTFS/real"
	ln -s "$WORK/victim" "$ROOTFS/mnt/out"
	ln -s ../../../../../../real "$ROOTFS/mnt/up"
	mount_at /mnt/out tmpfs t
	mount_at /mnt/up tmpfs t
	guest mount "$WORK/victim" /real
	fact mount "$WORK/victim rw.* tmpfs t .*"
	fact mount '/real rw.* tmpfs t .*'
	! grep -q " $WORK/victim " /proc/self/mountinfo || return 1
	[ -z "$(ls -A "$WORK/victim")" ]
}

@test "the root itself cannot be a target" {
	mount_at / tmpfs t
	fails_with 'the root itself' rt run -b "$BUNDLE" "$ID"
	config '.mounts[-1].destination = "/mnt/.."'
	fails_with 'the root itself' rt run -b "$BUNDLE" "$ID"
}

@test "proc, sysfs and what is mounted on /dev need an ordinary directory" {
	rmdir "$ROOTFS/proc"
	ln -s /tmp "$ROOTFS/proc"
	fails_with 'must be mounted on ordinary directory' rt run -b "$BUNDLE" "$ID"
	rm "$ROOTFS/proc"
	touch "$ROOTFS/proc"
	fails_with 'must be mounted on ordinary directory' rt run -b "$BUNDLE" "$ID"
	rm "$ROOTFS/proc"
	rmdir "$ROOTFS/sys"
	ln -s tmp "$ROOTFS/sys"
	fails_with 'must be mounted on ordinary directory' rt run -b "$BUNDLE" "$ID"
}

@test "missing directories of proc and sys are made" {
	rmdir "$ROOTFS/proc" "$ROOTFS/sys"
	guest fstype /proc /sys
	fact fstype '/proc 9fa0 .*'
	fact fstype '/sys 62656572 .*'
}

@test "/proc can be replaced by nothing, and only figures can be covered in it" {
	echo fake > "$WORK/fake"
	mount_at /proc/cpuinfo bind "$WORK/fake" bind
	inside cat /proc/cpuinfo
	ok
	says fake
	config '.mounts[-1].destination = "/proc/version"'
	fails_with 'inside /proc' rt run -b "$BUNDLE" "$ID"
	config '.mounts[-1].destination = "/proc/self/../version"'
	fails_with 'inside /proc' rt run -b "$BUNDLE" "$ID"
	ln -s /proc/version "$ROOTFS/mnt/sneaky"
	config '.mounts[-1].destination = "/mnt/sneaky"'
	fails_with 'inside /proc' rt run -b "$BUNDLE" "$ID"
	mkdir "$WORK/dir"
	edit --arg s "$WORK/dir" '.mounts[-1] = {destination: "/proc", type: "bind", source: $s, options: ["bind"]}'
	fails_with 'not of type proc' rt run -b "$BUNDLE" "$ID"
	config '.mounts[-1] = {destination: "/proc", type: "tmpfs", source: "t"}'
	fails_with 'not of type proc' rt run -b "$BUNDLE" "$ID"
}

@test "errors name the mount, its source and the reason" {
	mount_at /mnt/a bind /does/not/exist bind
	fails_with 'error mounting "/does/not/exist" to rootfs at "/mnt/a"' rt run -b "$BUNDLE" "$ID"
	config '.mounts[-1] = {destination: "/mnt/a", type: "nosuchfs", source: "x"}'
	fails_with 'unknown filesystem type "nosuchfs"' rt run -b "$BUNDLE" "$ID"
	config '.mounts[-1] = {destination: "/mnt/a", type: "tmpfs", source: "x", options: ["size=huge"]}'
	fails_with 'size' rt run -b "$BUNDLE" "$ID"
	config '.mounts[-1] = {destination: "/mnt/a", type: "bind", source: "/tmp", options: ["bind", "frobnicate"]}'
	fails_with 'frobnicate' rt run -b "$BUNDLE" "$ID"
	config '.mounts[-1] = {destination: "/mnt/a", type: "tmpfs", source: "x", options: ["idmap"]}'
	fails_with 'only a bind' rt run -b "$BUNDLE" "$ID"
	touch "$ROOTFS/mnt/file"
	config '.mounts[-1] = {destination: "/mnt/file", type: "tmpfs", source: "x"}'
	fails_with '/mnt/file' rt run -b "$BUNDLE" "$ID"
}

@test "mqueue, devpts and shm" {
	mount_at /dev/mqueue mqueue mqueue nosuid nodev noexec
	guest fstype /dev/mqueue /dev/pts /dev/shm -- mount /dev/pts
	fact fstype '/dev/mqueue 19800202 .*'
	fact fstype '/dev/pts 1cd1 .*'
	fact fstype '/dev/shm 1021994 .*'
	fact mount '/dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666'
}

@test "cgroup v1: a read-only tmpfs with the container's own directories" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has cgroup v2"
	mount_at /sys/fs/cgroup cgroup cgroup nosuid noexec nodev relatime ro
	inside sh -c 'ls /sys/fs/cgroup; cat /sys/fs/cgroup/memory/cgroup.procs; mkdir /sys/fs/cgroup/x; mkdir /sys/fs/cgroup/memory/x; cat /proc/self/cgroup'
	says memory
	says $'\n1\n'
	[ "$(grep -c 'Read-only file system' <<< "$output")" = 2 ]
	# With a namespace of its own the paths are cut at the container's group.
	says 'memory:/'
	[[ $output != *carrel-test* ]]
}

@test "without a cgroup of its own there is nothing to see of the host's" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has cgroup v2"
	mount_at /sys/fs/cgroup cgroup cgroup nosuid noexec nodev relatime ro
	config 'del(.linux.resources, .linux.cgroupsPath)'
	args sh -c 'ls -A /sys/fs/cgroup; ! mkdir /sys/fs/cgroup/x'
	run rt --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	ok
	[[ $output != *memory* ]]
}

@test "an option longer than the kernel takes is refused by name" {
	mount_at /mnt/o overlay overlay "lowerdir=/$(printf 'x%.0s' $(seq 300)):/bin"
	fails_with 'option lowerdir is longer' rt run -b "$BUNDLE" "$ID"
}

@test "an overlay" {
	mkdir -p "$WORK"/{low,up,work}
	echo low > "$WORK/low/f"
	mount_at /mnt/o overlay overlay "lowerdir=$WORK/low" "upperdir=$WORK/up" "workdir=$WORK/work"
	inside sh -c 'cat /mnt/o/f; echo new > /mnt/o/g'
	if [[ $output == *"unknown filesystem"* ]]; then skip "no overlayfs here"; fi
	ok
	says low
	[ "$(cat "$WORK/up/g")" = new ]
}

@test "nothing of the host is mounted inside" {
	guest mount /
	fact mount '/ ro,.*'
	inside sh -c 'cut -d" " -f5 /proc/self/mountinfo'
	ok
	local point
	for point in $output; do
		case $point in
		/ | /dev | /dev/pts | /dev/shm | /tmp | /proc | /proc/bus | /proc/fs | /proc/irq | /proc/kcore | /proc/keys | \
			/proc/scsi | /proc/sys | /proc/sysrq-trigger | /proc/timer_list | /sys | /sys/firmware) ;;
		*) echo "unexpected mount on $point" && return 1 ;;
		esac
	done
	[ "$(grep -cx / <<< "$output")" = 1 ]
}

@test "a missing mount call is an error that names it" {
	local call
	for call in open_tree move_mount fsopen fsconfig fsmount mount_setattr; do
		fails_with "no $call;" "$CARREL_BIN/../tests/forbid" "$call" -- "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	done
}

@test "a read-only tmpfs takes the mounts that lie in it first" {
	config '(.mounts[] | select(.destination == "/dev")).options += ["ro"]'
	mount_at /tmp/ro tmpfs tmpfs ro mode=755
	mount_at /tmp/ro/inner/deep tmpfs tmpfs mode=755
	inside sh -c 'touch /dev/x; touch /tmp/ro/x; touch /tmp/ro/inner/deep/x && ls /dev/pts/ptmx'
	says '/dev/x: Read-only file system'
	says '/tmp/ro/x: Read-only file system'
	says /dev/pts/ptmx
}

@test "a tmpfs whose directory was not there has the filesystem's own mode" {
	mount_at /tmp/new/a tmpfs tmpfs
	inside stat -c %a /tmp/new/a /tmp/new
	[ "$output" = $'1777\n755' ]
}

@test "a bind whose source is the container's own shows what earlier mounts have put there" {
	mkdir -p "$WORK/a" "$ROOTFS/mnt/to" "$ROOTFS/mnt/from" "$ROOTFS/mnt/rel"
	echo shown > "$WORK/a/file"
	echo outside > "$WORK/secret"
	mount_at /mnt/from '' "$WORK/a" bind
	# A target below the root's path is the container's as well.
	mount_at "$ROOTFS/mnt/to" '' "$ROOTFS/mnt/from" rbind
	mount_at /mnt/rel '' rootfs/mnt/from bind ro
	inside sh -c 'cat /mnt/to/file /mnt/rel/file; touch /mnt/rel/x'
	says $'shown\nshown'
	says 'Read-only file system'
	# A link in it resolves inside, as every path of the container does.
	ln -s "$WORK/secret" "$ROOTFS/mnt/link"
	touch "$ROOTFS/mnt/file"
	mount_at /mnt/file '' "$ROOTFS/mnt/link" bind
	fails_with 'No such file or directory' rt run -b "$BUNDLE" "$ID"
}

@test "a bind of the container's own files can be idmapped, also in a user namespace" {
	mkdir -p "$WORK/a" "$ROOTFS/mnt/to" "$ROOTFS/mnt/from"
	touch "$WORK/a/file"
	mount_at /mnt/from '' "$WORK/a" bind
	mount_at /mnt/to '' "$ROOTFS/mnt/from" rbind
	config '.mounts[-1] += {uidMappings: [{containerID: 0, hostID: 100000, size: 65536}],
		gidMappings: [{containerID: 0, hostID: 100000, size: 65536}]}'
	inside stat -c %u /mnt/from/file /mnt/to/file
	[[ $output != *'does not support'* ]] || skip "the test's filesystem cannot be idmapped"
	[ "$output" = $'0\n100000' ]
	userns
	inside stat -c %u /mnt/from/file /mnt/to/file
	[ "$output" = $'65534\n0' ]
}

@test "copy-symlink makes a link again and binds anything else" {
	mkdir -p "$ROOTFS/mnt/l"
	ln -s /etc/hostname "$WORK/link"
	echo plain > "$WORK/plain"
	mount_at /mnt/l/deep/link '' "$WORK/link" bind copy-symlink
	mount_at /mnt/l/plain '' "$WORK/plain" bind copy-symlink
	for _ in once again; do
		inside sh -c 'readlink /mnt/l/deep/link; cat /mnt/l/plain'
		[ "$output" = $'/etc/hostname\nplain' ]
	done
	ln -sfn /elsewhere "$ROOTFS/mnt/l/deep/link"
	fails_with 'not this link' rt run -b "$BUNDLE" "$ID"
	[ "$(readlink "$ROOTFS/mnt/l/deep/link")" = /elsewhere ]
	# A link on the way stays inside.
	rm -rf "$ROOTFS/mnt/l/deep"
	ln -s /var/over "$ROOTFS/var/deep"
	edit '(.mounts[] | select(.destination == "/mnt/l/deep/link")).destination = "/var/deep/link"'
	inside true
	ok
	[ -L "$ROOTFS/var/over/link" ]
	[ ! -e /var/over ]
}
