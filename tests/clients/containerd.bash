# containerd in the room, for the tests of ctr and of the CRI plugin.

CTR='ctr --address /run/containerd/containerd.sock'
ctr() { in_room $CTR "$@"; }

containerd_start() {
	put /mnt/containerd.toml << TOML
version = 2
root = "/mnt/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  sandbox_image = "localhost/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.carrel]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.carrel.options]
        BinaryName = "$RUNTIME"
TOML
	in_room sh -c 'containerd -c /mnt/containerd.toml > /mnt/containerd.log 2>&1 & echo $! > /mnt/containerd.pid'
	wait_for 'ctr version > /dev/null 2>&1' || { in_room tail /mnt/containerd.log && return 1; } >&2
}
containerd_stop() {
	[ -z "${ROOM:-}" ] || in_room sh -c '[ ! -e /mnt/containerd.pid ] || kill "$(cat /mnt/containerd.pid)"'
}

# Everything of this namespace of containerd.
ctr_remove_all() {
	local space=$1 c
	for c in $(ctr -n "$space" container ls -q); do
		ctr -n "$space" task rm --force "$c" > /dev/null 2>&1 || true
		wait_for 'ctr -n "$space" container rm "$c" 2> /dev/null || ! ctr -n "$space" container ls -q | grep -qx "$c"'
	done
	for c in $(ctr -n "$space" snapshot ls | awk '$3 == "Active" {print $1}'); do ctr -n "$space" snapshot rm "$c"; done
}
