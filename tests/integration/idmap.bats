load guest

setup() { guest_setup; }
teardown() {
	if [ -n "${HOST_MOUNTS:-}" ]; then for m in $HOST_MOUNTS; do umount -R "$m" 2> /dev/null; done; fi
	runtime_teardown
}

host_tmpfs() {
	mkdir -p "$1"
	mount -t tmpfs carrel-test "$1"
	HOST_MOUNTS="$1 ${HOST_MOUNTS:-}"
}

@test "maps are written as given, in several rows" {
	userns
	config '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10}, {containerID: 1000, hostID: 300000, size: 5}]
		| .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]'
	inside cat /proc/self/uid_map /proc/self/gid_map
	ok
	[ "$(tr -s ' ' <<< "$output")" = $' 0 100000 10\n 1000 300000 5\n 0 100000 65536' ]
}

@test "maps that overlap, overflow, are empty or too many are refused" {
	userns
	config '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10}, {containerID: 9, hostID: 300000, size: 5}]'
	fails_with 'overlaps' rt run -b "$BUNDLE" "$ID"
	config '.linux.uidMappings = [{containerID: 0, hostID: 4294967295, size: 1}]'
	fails_with 'uidMappings' rt run -b "$BUNDLE" "$ID"
	config '.linux.uidMappings = [{containerID: 0, hostID: 1000, size: 0}]'
	fails_with 'uidMappings' rt run -b "$BUNDLE" "$ID"
	config '.linux.uidMappings = [range(0; 341) | {containerID: (. * 2), hostID: (100000 + . * 2), size: 1}]'
	fails_with '340' rt run -b "$BUNDLE" "$ID"
}

@test "a user namespace without id 0 says so" {
	userns
	config '.linux.uidMappings = [{containerID: 1000, hostID: 101000, size: 10}]'
	fails_with 'is id 0 mapped' rt run -b "$BUNDLE" "$ID"
}

@test "a bundle in a directory that only host root can enter" {
	userns
	chmod 700 "$WORK"
	mkdir -m 700 "$WORK/secret"
	mkdir -m 755 "$WORK/secret/vol"
	echo found > "$WORK/secret/vol/f"
	mount_at /mnt/vol bind "$WORK/secret/vol" bind
	inside cat /mnt/vol/f
	ok
	says found
}

@test "idmap shows a host's files as the container's own" {
	userns
	host_tmpfs "$WORK/vol"
	touch "$WORK/vol/root" "$WORK/vol/user"
	chown 1000:1000 "$WORK/vol/user"
	chmod 777 "$WORK/vol"
	mount_at /mnt/plain bind "$WORK/vol" bind
	mount_at /mnt/mapped bind "$WORK/vol" bind idmap
	guest stat /mnt/plain/root /mnt/mapped/root /mnt/mapped/user -- make /mnt/mapped/new
	fact stat '/mnt/plain/root file .* 65534:65534'
	fact stat '/mnt/mapped/root file .* 0:0'
	fact stat '/mnt/mapped/user file .* 1000:1000'
	fact make '/mnt/mapped/new ok'
	[ "$(stat -c %u:%g "$WORK/vol/new")" = 0:0 ]
}

@test "a mount's own mappings" {
	host_tmpfs "$WORK/vol"
	touch "$WORK/vol/f"
	chown 1000:2000 "$WORK/vol/f"
	mount_at /mnt/v bind "$WORK/vol" bind
	config '.mounts[-1] += {uidMappings: [{containerID: 1000, hostID: 5, size: 1}], gidMappings: [{containerID: 2000, hostID: 6, size: 1}]}'
	guest stat /mnt/v/f
	fact stat '/mnt/v/f file .* 5:6'
}

@test "idmap is for one mount, ridmap for those below as well" {
	userns
	host_tmpfs "$WORK/vol"
	host_tmpfs "$WORK/vol/sub"
	touch "$WORK/vol/f" "$WORK/vol/sub/f"
	mount_at /mnt/one bind "$WORK/vol" rbind idmap
	mount_at /mnt/all bind "$WORK/vol" rbind ridmap
	guest stat /mnt/one/f /mnt/one/sub/f /mnt/all/f /mnt/all/sub/f
	fact stat '/mnt/one/f file .* 0:0'
	fact stat '/mnt/one/sub/f file .* 65534:65534'
	fact stat '/mnt/all/f file .* 0:0'
	fact stat '/mnt/all/sub/f file .* 0:0'
}

@test "an idmap without any mapping, or of a filesystem that cannot, is refused" {
	mount_at /mnt/v bind "$WORK" bind idmap
	fails_with 'option idmap needs' rt run -b "$BUNDLE" "$ID"
	config '.mounts[-1] = {destination: "/mnt/v", type: "bind", source: "/proc/fs", options: ["bind"],
		uidMappings: [{containerID: 0, hostID: 5, size: 1}], gidMappings: [{containerID: 0, hostID: 6, size: 1}]}'
	fails_with 'idmapped mounts' rt run -b "$BUNDLE" "$ID"
	config 'del(.mounts[-1].gidMappings)'
	fails_with 'must both' rt run -b "$BUNDLE" "$ID"
}

@test "an idmapped root, prepared by the caller" {
	host_tmpfs "$WORK/src"
	cp -a "$ROOTFS/." "$WORK/src/"
	chown -R 0:0 "$WORK/src"
	userns
	rm -rf "$ROOTFS"
	mkdir "$ROOTFS"
	# The same service that a shim does for its sandboxes: the image's root, idmapped, at the bundle's rootfs.
	"$CARREL_BIN/../tests/idmount" "$WORK/src" "$ROOTFS" 100000 65536
	HOST_MOUNTS="$ROOTFS $HOST_MOUNTS"
	config '.root.readonly = false'
	guest stat /bin /etc/passwd -- make /etc/new -- ids
	fact stat '/bin dir .* 0:0'
	fact stat '/etc/passwd file .* 0:0'
	fact make '/etc/new ok'
	[ "$(stat -c %u "$WORK/src/etc/new")" = 0 ]
}

@test "idmap without mappings, the user namespace being joined by path: that namespace's own" {
	mkdir -p "$WORK/vol"
	touch "$WORK/vol/file"
	unshare --user sleep 1000 < /dev/null > /dev/null 2>&1 3>&- &
	local holder=$!
	wait_for '[ "$(readlink /proc/'$holder'/ns/user)" != "$(readlink /proc/self/ns/user)" ]'
	echo '0 300000 65536' > "/proc/$holder/uid_map"
	echo '0 300000 65536' > "/proc/$holder/gid_map"
	find "$ROOTFS" -type d -exec chown 300000:300000 {} +
	edit --arg p "/proc/$holder/ns/user" '.linux.namespaces += [{type: "user", path: $p}]'
	mount_at /mnt '' "$WORK/vol" bind idmap
	inside stat -c %u /mnt/file
	kill "$holder"
	[[ $output != *'does not support'* ]] || skip "the test's filesystem cannot be idmapped"
	ok
	[ "$output" = 0 ]
}
