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

@test "a container: created, running, exited with its code; it shares the pod's namespaces" {
	pod_start
	container_make one . sh -c 'trap "exit 9" TERM; while :; do usleep 20000; done'
	[ "$(state)" = created ]
	container StartContainer
	[ "$(state)" = running ]
	[ "$(inside hostname | jq -r .stdout)" = pod ]
	[[ "$(inside ip addr show eth0 | jq -r .stdout)" == *10.99.0.* ]]
	container StopContainer '.timeout = 10'
	[ "$(state)" = exited ]
	[ "$(container ContainerStatus | jq .status.exit_code)" = 9 ]
	container RemoveContainer
	container_start two . true
	wait_for '[ "$(state)" = exited ]'
	[ "$(container ContainerStatus | jq '.status.exit_code // 0, .status.reason' | tr -d '\n')" = '0"Completed"' ]
}

@test "exec and exec sync: output, exit code, a time limit; a terminal with resize" {
	pod_start
	container_start one . sleep 1000
	run inside sh -c 'echo out; echo err >&2; exit 7'
	[ "$(jq -c '[.stdout, .stderr, .exit_code]' <<< "$output")" = '["out\n","err\n",7]' ]
	run inside nosuch
	[ "$status" -ne 0 ] && says 'executable file not found in $PATH'
	run container ExecSync '.timeout = 1 | .cmd = ["sleep", "100"]'
	[ "$status" -ne 0 ] && says DEADLINE_EXCEEDED
	wait_for '[ "$(inside sh -c "ps | grep -c \"[s]leep 100$\"" | jq -r .stdout | tr -d "\n")" = 0 ]'
	resizes $CTR -n k8s.io task exec --exec-id t -t "$CONTAINER"
}

@test "exec over the streaming connection: stdin, both outputs, exit code; a terminal, its size and its resize" {
	in_room /usr/bin/python3 -c 'import websockets' 2> /dev/null || skip "needs python3-websockets"
	pod_start
	container_start one . sleep 1000
	run --separate-stderr streams '.stderr = 1 | .cmd = ["sh", "-c", "read a; echo out $a; echo err >&2; exit 7"]' $'hello\n'
	[ "$status" = 7 ]
	[ "$output" = 'out hello' ]
	# shellcheck disable=SC2154
	[ "$stderr" = err ]
	run streams '.tty = 1 | .cmd = ["sh"]' $'stty size; tty; exit 3\n' 101x37
	[ "$status" = 3 ]
	says '37 101' && says /dev/pts/
	run streams '.stderr = 1 | .cmd = ["nosuch"]' ''
	[ "$status" != 0 ] && says 'executable file not found in $PATH'
	# Three quarters of a megabyte, whole.
	run streams '.cmd = ["sh", "-c", "read a; seq 1 120000"]' $'\n'
	[ "$status" = 0 ]
	[ "${lines[119999]}" = 120000 ]
}

@test "limits, an update, statistics" {
	pod_start
	container_start one '.linux.resources = {cpu_period: 100000, cpu_quota: 50000, cpu_shares: 512, memory_limit_in_bytes: 67108864}' sleep 1000
	local pid
	pid=$(pid)
	[ "$(limit "$pid" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[[ "$(limit "$pid" cpu cpu.cfs_quota_us cpu.max)" =~ ^50000 ]]
	container UpdateContainerResources '.linux = {cpu_quota: 25000, cpu_period: 100000, memory_limit_in_bytes: 33554432}'
	[ "$(limit "$pid" memory memory.limit_in_bytes memory.max)" = 33554432 ]
	[[ "$(limit "$pid" cpu cpu.cfs_quota_us cpu.max)" =~ ^25000 ]]
	run container ContainerStats
	ok
	jq -e '.stats | .memory.working_set_bytes.value > 0 and .cpu.usage_core_nano_seconds.value > 0' <<< "$output"
}

@test "out of memory is the reason of the end" {
	pod_start
	container_start one '.linux.resources = {memory_limit_in_bytes: 16777216}' sh -c 'sleep 2; x=0123456789abcdef; while :; do x=$x$x; done'
	wait_for '[ "$(state)" = exited ]'
	wait_for '[ "$(container ContainerStatus | jq -r .status.reason)" = OOMKilled ]'
	[ "$(container ContainerStatus | jq .status.exit_code)" = 137 ]
}

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

@test "security: user, capabilities, no_new_privs, a read-only root, mounts, privileged" {
	pod_start
	in_room sh -c 'mkdir -p /mnt/vol && echo from-host > /mnt/vol/a'
	container_start one '.linux.security_context = {run_as_user: {value: 1000}, no_new_privs: 1, readonly_rootfs: 1, capabilities: {drop_capabilities: ["ALL"]}} |
		.mounts = [{container_path: "/v", host_path: "/mnt/vol", readonly: 1}]' sleep 1000
	run inside sh -c 'id -u; cat /v/a; guest caps; touch /x; touch /v/b'
	output=$(jq -r '.stdout + .stderr' <<< "$output")
	says 1000 && says from-host && says 'bounding 0000000000000000' && says 'nnp 1'
	says '/x: Read-only' && says '/v/b: Read-only'
}

@test "a pod is stopped while its container runs; kill of a container that ignores TERM" {
	pod_start
	container_start one . sh -c 'trap "" TERM; while :; do usleep 20000; done'
	container StopContainer '.timeout = 1'
	[ "$(container ContainerStatus | jq .status.exit_code)" = 137 ]
	container_start two . sleep 1000
	pod_end
	[ "$(cri ListPodSandbox)" = '{}' ]
}

@test "nothing is left: mounts, states, control groups, processes" {
	wait_for 'room_ledger > "$ROOM_DIR/after"; diff "$ROOM_DIR/before" "$ROOM_DIR/after" > "$ROOM_DIR/diff"' || { cat "$ROOM_DIR/diff" && return 1; }
	[ -z "$(in_room ls /run/containerd/runc/k8s.io | grep -v ^@)" ]
}
