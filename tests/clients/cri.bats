# containerd's CRI plugin, as a kubelet calls it, with carrel-runtime as the handler `carrel`.

load lib
load containerd
load cri
bats_require_minimum_version 1.5.0

CRI_SOCKET=/run/containerd/containerd.sock

setup_file() {
	room_open containerd ctr containerd-shim-runc-v2 /usr/lib/cni/bridge /usr/bin/python3 || return 0
	cri_programs
	containerd_start
	ctr -n k8s.io image import /mnt/docker.tar > /dev/null
	ctr -n k8s.io image import /mnt/pause.tar > /dev/null
	wait_for '[ "$(cri Version 2> /dev/null | jq -r .runtime_name)" = containerd ]' || { in_room grep -i cri /mnt/containerd.log && return 1; } >&2
	pod_start
	pod_end
	room_ledger > "$ROOM_DIR/before"
}
setup() { room_here; }
teardown() {
	local p
	for p in $(cri ListPodSandbox | jq -r '.items[]?.id'); do pod_end "$p"; done
}
teardown_file() {
	containerd_stop
	room_close
}

@test "a pod: the handler chooses this runtime, the default another; an address; its end" {
	pod_start
	run cri PodSandboxStatus "{\"pod_sandbox_id\": \"$POD\"}"
	ok
	jq -e '.status | .runtime_handler == "carrel" and (.state // 0) == 0 and (.network.ip | startswith("10.99.0."))' <<< "$output"
	in_room readlink "/run/containerd/runc/k8s.io/$POD/init"
	pod_end
	[ -z "$(in_room ls /run/containerd/runc/k8s.io | grep -v ^@)" ]
	pod_start ''
	run in_room readlink "/run/containerd/runc/k8s.io/$POD/init"
	[ "$status" -ne 0 ]
}

@test "a container: created, running, exited with its code; it shares the pod's namespaces" { a_containers_life; }

@test "exec and exec sync: output, exit code, a time limit; a terminal with resize" {
	exec_sync DEADLINE_EXCEEDED fails
	resizes $CTR -n k8s.io task exec --exec-id t -t "$CONTAINER"
}

@test "exec over the streaming connection: stdin, both outputs, exit code; a terminal, its size and its resize" {
	in_room /usr/bin/python3 -c 'import websockets' 2> /dev/null || skip "needs python3-websockets"
	pod_start
	container_start one . sleep 1000
	exec_streams
	run streams '.stderr = 1 | .cmd = ["nosuch"]' ''
	[ "$status" != 0 ] && says 'executable file not found in $PATH'
}

@test "limits, an update, statistics" { limits_and_statistics; }

@test "out of memory is the reason of the end" { out_of_memory 2; }

@test "what cannot be started is named" {
	pod_start
	container_make one . nosuch
	run container StartContainer
	[ "$status" -ne 0 ] && says 'exec: "nosuch": executable file not found in $PATH'
	[ "$(state)" = exited ]
	container_make two . /etc/data
	run container StartContainer
	[ "$status" -ne 0 ] && says '/etc/data: permission denied'
}

@test "security: user, capabilities, no_new_privs, a read-only root, mounts, privileged" { security; }

@test "a pod is stopped while its container runs; kill of a container that ignores TERM" { stops; }

@test "nothing is left: mounts, states, control groups, processes" {
	nothing_is_left
	[ -z "$(in_room ls /run/containerd/runc/k8s.io | grep -v ^@)" ]
}
