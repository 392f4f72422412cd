load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

device() { # PATH TYPE MAJOR MINOR [EXTRA JSON]
	edit --arg p "$1" --arg t "$2" --argjson a "$3" --argjson i "$4" --argjson x "${5:-{\}}" \
		'.linux.devices += [{path: $p, type: $t, major: $a, minor: $i} + $x]'
}

@test "the default devices and links" {
	guest stat /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty -- read /dev/null /dev/zero -- write /dev/full
	fact stat '/dev/null char 0666 0:0 1:3'
	fact stat '/dev/zero char 0666 0:0 1:5'
	fact stat '/dev/full char 0666 0:0 1:7'
	fact stat '/dev/random char 0666 0:0 1:8'
	fact stat '/dev/urandom char 0666 0:0 1:9'
	fact stat '/dev/tty char 0666 0:0 5:0'
	fact read '/dev/null 0'
	fact read '/dev/zero 4096'
	fact write '/dev/full ENOSPC'
	inside sh -c 'for l in fd stdin stdout stderr core ptmx; do readlink /dev/$l; done'
	[ "$output" = $'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n/proc/kcore\npts/ptmx' ]
}

@test "in a user namespace they are the host's nodes" {
	userns
	guest stat /dev/null /dev/tty -- read /dev/zero -- write /dev/null -- mount /dev/null
	fact stat '/dev/null char 0666 65534:65534 1:3'
	fact read '/dev/zero 4096'
	fact write '/dev/null ok'
	fact mount '/dev/null .*nosuid,noexec.* devtmpfs .*'
}

@test "listed devices: character, block, pipe, with mode and owner" {
	device /dev/my/fuse c 10 229 '{"fileMode": 432, "uid": 7, "gid": 8}'
	device /dev/disk b 7 0
	device /dev/pipe p 0 0 '{"fileMode": 384}'
	guest stat /dev/my/fuse /dev/disk /dev/pipe
	fact stat '/dev/my/fuse char 0660 7:8 10:229'
	fact stat '/dev/disk block 0666 0:0 7:0'
	fact stat '/dev/pipe fifo 0600 0:0'
}

@test "a device in a user namespace must be the host's node of that name" {
	userns
	device /dev/fuse c 10 229
	guest stat /dev/fuse
	fact stat '/dev/fuse char .* 10:229'
	config '.linux.devices[0].minor = 200'
	fails_with 'is not the device c 10:200' rt run -b "$BUNDLE" "$ID"
	config '.linux.devices[0] = {path: "/dev/nosuch", type: "c", major: 10, minor: 229}'
	fails_with "/dev/nosuch" rt run -b "$BUNDLE" "$ID"
}

@test "a listed /dev/ptmx is the container's own" {
	device /dev/ptmx c 5 2
	for owner in root userns; do
		[ $owner = root ] || userns
		inside ls -lLn /dev/ptmx
		[[ $output =~ ^crw-rw-rw-.*\ 5,\ +2\  ]]
		inside readlink /dev/ptmx
		says pts/ptmx
	done
}

@test "what stands in a device's place already must be that device" {
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .root.readonly = false'
	touch "$ROOTFS/dev/null"
	fails_with 'what is there is not the device c 1:3' rt run -b "$BUNDLE" "$ID"
	rm "$ROOTFS/dev/null"
	mknod -m 640 "$ROOTFS/dev/null" c 1 3
	guest stat /dev/null /dev/zero
	fact stat '/dev/null char 0640 0:0 1:3'
	fact stat '/dev/zero char 0666 0:0 1:5'
}

@test "a link in a device's place is not followed" {
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .root.readonly = false'
	ln -s /etc/passwd "$ROOTFS/dev/null"
	local before
	before=$(stat -c '%a %u %F' "$ROOTFS/etc/passwd")
	fails_with 'what is there is not the device c 1:3' rt run -b "$BUNDLE" "$ID"
	[ "$(stat -c '%a %u %F' "$ROOTFS/etc/passwd")" = "$before" ]
}

@test "a /dev that is bound is left alone" {
	mkdir -p "$WORK/dev"
	touch "$WORK/dev/marker"
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	mount_at /dev bind "$WORK/dev" rbind
	inside ls /dev
	ok
	[ "$output" = marker ]
}

@test "only what the device rules allow can be opened" {
	[ -d /sys/fs/cgroup/devices ] || skip "the host has cgroup v2: covered by cgroup.bats"
	all_caps
	device /dev/disk b 7 0
	config '.mounts |= map(if .destination == "/tmp" then .options -= ["nodev"] else . end)'
	config '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "b", major: 7, minor: 0, access: "rwm"}]'
	guest read /dev/disk -- mknod /tmp/mem c 1 1 -- mknod /tmp/null c 1 3 -- mknod /tmp/disk b 7 0 -- read /tmp/mem /tmp/null /tmp/disk
	# How much depends on what the host has on its first loop device now.
	grep -qE '^read /dev/disk [0-9]+$' <<< "$output"
	fact read '/tmp/mem EPERM'
	fact read '/tmp/null 0'
	grep -qE '^read /tmp/disk [0-9]+$' <<< "$output"
	# Making a node is harmless and allowed to whoever may, opening it is not.
	# A node of linux.devices opens nothing by itself.
	config 'del(.linux.resources.devices)'
	guest mknod /tmp/disk b 7 0 -- read /dev/disk /tmp/disk
	fact mknod '/tmp/disk ok'
	fact read '/dev/disk EPERM'
	fact read '/tmp/disk EPERM'
}

@test "a runtime without CAP_MKNOD gives what the host has" {
	args /bin/guest stat /dev/null /dev/full -- mount /dev/null
	run setpriv --bounding-set -mknod timeout 60 "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
	fact stat '/dev/null char .* 1:3'
	fact mount '/dev/null .* devtmpfs .*'
	device /dev/wrong c 10 200
	args true
	run setpriv --bounding-set -mknod timeout 60 "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$status" -ne 0 ]
	says /dev/wrong
}
