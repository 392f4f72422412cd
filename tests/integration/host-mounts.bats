# A container without a mount namespace of its own: its tree is attached nowhere, so the host sees none of its mounts.
load lib

setup() {
	runtime_setup
	config 'del(.linux.maskedPaths, .linux.readonlyPaths) | .linux.namespaces |= map(select(.type != "mount"))'
	printf '6.15\n%s\n' "$(uname -r)" | sort -V -C || old_kernel=1
}
teardown() { runtime_teardown; }

newer() { [ -z "${old_kernel:-}" ] || skip "before Linux 6.15 nothing can be mounted on a tree that is attached nowhere"; }

@test "it runs in the host's mount namespace with its own root" {
	newer
	args sh -c 'readlink /proc/self/ns/mnt; ls /; ls /dev'
	run rt run -b "$BUNDLE" "$ID"
	ok
	says "$(readlink /proc/self/ns/mnt)"
	says urandom
	[[ $output != *"${WORK#/}"* ]]
	says 'a process of the container that may chroot reaches the host'
}

@test "the host sees none of its mounts, neither while it lives nor afterwards" {
	newer
	before=$(host_mounts)
	start_sleeper
	[ "$(host_mounts)" = "$before" ]
	[ -z "$(ls -A "$ROOTFS/proc")" ]
	[ -n "$(rt exec "$ID" ls /proc)" ]
	rt delete --force "$ID"
	[ "$(host_mounts)" = "$before" ]
	# The control: this is where a mount would show.
	mount -t tmpfs none "$ROOTFS/mnt"
	[ "$(host_mounts)" != "$before" ]
	umount "$ROOTFS/mnt"
}

@test "exec enters the container's root, not the host's" {
	newer
	echo only in the container > "$ROOTFS/etc/marker"
	start_sleeper
	[ "$(rt exec "$ID" cat /etc/marker)" = 'only in the container' ]
	run rt exec "$ID" ls "$WORK"
	[ "$status" -ne 0 ]
	[ "$(rt exec --cwd /etc "$ID" sh -c 'cd ../../..; pwd')" = / ]
	[ "$(rt exec -t "$ID" tty < /dev/null | tr -d '\r')" = /dev/pts/0 ]
}

@test "a read-only root and bind mounts are kept" {
	newer
	mkdir "$WORK/source" && echo bound > "$WORK/source/file"
	config --arg s "$WORK/source" '.mounts += [{destination: "/mnt", type: "bind", source: $s, options: ["bind", "ro"]}]'
	args sh -c 'cat /mnt/file; touch /mnt/x; touch /x; touch /tmp/x && echo tmp'
	run rt run -b "$BUNDLE" "$ID"
	says bound
	says tmp
	[ ! -e "$WORK/source/x" ] && [ ! -e "$ROOTFS/x" ]
}

@test "an older kernel is told apart" {
	[ -n "${old_kernel:-}" ] || skip "this kernel can mount on a tree that is attached nowhere"
	fails_with 'without a mount namespace mounts need Linux 6.15' rt run -b "$BUNDLE" "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "what hides parts of the host needs a mount namespace" {
	config '.linux.maskedPaths = ["/proc/kcore"]'
	fails_with 'linux.maskedPaths: needs a private mount namespace' rt run -b "$BUNDLE" "$ID"
	config 'del(.linux.maskedPaths) | .linux.rootfsPropagation = "private"'
	fails_with 'linux.rootfsPropagation: needs a private mount namespace' rt run -b "$BUNDLE" "$ID"
}
