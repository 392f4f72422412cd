# CRI-O, as a kubelet calls it, with carrel-runtime as its runtime. Debian has no package of it: a crio and its pinns are looked for in PATH
# (docs/conformance.md says how they are built), and without them this file is skipped.

load lib
load cri
bats_require_minimum_version 1.5.0

CRI_SOCKET=/run/crio/crio.sock
# A kubelet's default: each container has its own process namespace.
POD_IS='.linux.security_context.namespace_options.pid = 1'
CONTAINER_IS=$POD_IS

setup_file() {
	local p
	export FILE_SKIP=
	for p in crio pinns; do
		[ -x "$(type -P $p)" ] || FILE_SKIP="no $p in PATH: Debian has no package of CRI-O"
	done
	[ -z "$FILE_SKIP" ] || return 0
	room_open conmon skopeo /usr/lib/cni/bridge /usr/bin/python3 || return 0
	for p in crio pinns; do
		put "/usr/local/bin/$p" < "$(type -P $p)"
		in_room chmod 755 "/usr/local/bin/$p"
	done
	cri_programs
	# A pod's own container, which the runtime makes too, is to be spared by the kernel, which not everybody's root may ask for.
	export NO_INFRA=true
	! in_room sh -c 'echo -998 > /proc/self/oom_score_adj' 2> /dev/null || NO_INFRA=false
	put /mnt/storage.conf << 'CONF'
[storage]
driver = "overlay"
graphroot = "/mnt/storage"
runroot = "/run/storage"
CONF
	put /mnt/crio.conf << CONF
[crio]
root = "/mnt/storage"
runroot = "/run/storage"
storage_driver = "overlay"
version_file = "/run/crio/version"
version_file_persist = "/mnt/crio-version"
clean_shutdown_file = "/mnt/crio-clean"
[crio.api]
listen = "$CRI_SOCKET"
stream_address = "127.0.0.1"
stream_port = "0"
[crio.image]
pause_image = "localhost/pause:1"
[crio.network]
network_dir = "/etc/cni/net.d"
plugin_dirs = ["/usr/lib/cni"]
[crio.nri]
enable_nri = false
[crio.runtime]
default_runtime = "carrel"
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
drop_infra_ctr = $NO_INFRA
pinns_path = "/usr/local/bin/pinns"
apparmor_profile = "unconfined"
[crio.runtime.runtimes.carrel]
runtime_path = "$RUNTIME"
runtime_type = "oci"
runtime_root = "$STATES"
monitor_path = "$(type -P conmon)"
monitor_cgroup = "pod"
CONF
	for p in docker:bb pause:pause; do
		in_room CONTAINERS_STORAGE_CONF=/mnt/storage.conf skopeo copy -q --insecure-policy "docker-archive:/mnt/${p%:*}.tar" \
			"containers-storage:localhost/${p#*:}:1"
	done
	crio_start
	pod_start
	container_start first . true
	pod_end
	room_ledger > "$ROOM_DIR/before"
}
setup() {
	[ -z "$FILE_SKIP" ] || skip "$FILE_SKIP"
	room_here
}
teardown() {
	[ -z "$FILE_SKIP" ] || return 0
	local p
	for p in $(cri ListPodSandbox | jq -r '.items[]?.id'); do pod_end "$p"; done
}
teardown_file() {
	[ -z "$FILE_SKIP" ] || return 0
	crio_stop
	room_close
}

STATES=/run/carrel/runtime

crio_start() {
	in_room CONTAINERS_STORAGE_CONF=/mnt/storage.conf sh -c 'crio --config /mnt/crio.conf --config-dir "" >> /mnt/crio.log 2>&1 & echo $! > /mnt/crio.pid'
	wait_for '[ "$(cri Version 2> /dev/null | jq -r .runtime_name)" = cri-o ]' || { in_room tail /mnt/crio.log && return 1; } >&2
}
crio_stop() {
	[ -n "${ROOM:-}" ] || return 0
	in_room sh -c '[ ! -e /mnt/crio.pid ] || kill "$(cat /mnt/crio.pid)"'
	wait_for '! in_room sh -c "kill -0 \"\$(cat /mnt/crio.pid)\"" 2> /dev/null'
}
# The states that the runtime has.
states() { in_room sh -c "ls $STATES | grep -v ^@ || true"; }

@test "a pod: its containers are the runtime's, its own too where it has one; an address, its end" {
	pod_start ''
	container_start one . sleep 1000
	run cri PodSandboxStatus "{\"pod_sandbox_id\": \"$POD\"}"
	ok
	jq -e '.status | (.state // 0) == 0 and (.network.ip | startswith("10.99.0."))' <<< "$output"
	states | grep -qx "$CONTAINER"
	[ "$NO_INFRA" = true ] || states | grep -qx "$POD"
	pod_end
	[ -z "$(states)" ]
	run pod_start nosuch
	[ "$status" -ne 0 ] && says nosuch
}

@test "a container: created, running, exited with its code; it shares the pod's namespaces" { a_containers_life; }

@test "exec sync: output, exit code, a time limit" { exec_sync 'timed out'; }

@test "exec and attach over the streaming connection: outputs, exit code; a terminal and its size" {
	in_room /usr/bin/python3 -c 'import websockets' 2> /dev/null || skip "needs python3-websockets"
	pod_start
	container_start one '.stdin = 1' sh -c 'while read -r x; do echo "got $x"; done'
	exec_streams
	# Its end is the container's: the loop ends with its input.
	url=$(container Attach '.stdin = 1 | .stdout = 1 | .stderr = 1' | jq -r .url)
	in_room sh -c '/usr/bin/python3 /mnt/cri_exec.py "$1" "word
" > /mnt/attached 2>&1 & echo $! > /mnt/attach.pid' attach "$url" < /dev/null 3>&-
	wait_for 'in_room grep -q "got word" /mnt/attached'
	container StopContainer '.timeout = 0'
}

@test "limits, an update, statistics" { limits_and_statistics; }

@test "out of memory is the reason of the end" { out_of_memory 0.3; }

@test "what cannot be started is named" {
	pod_start
	run container_make one . nosuch
	[ "$status" -ne 0 ] && says 'executable file not found in $PATH'
	run container_make two . /etc/data
	[ "$status" -ne 0 ] && says '/etc/data: permission denied'
}

@test "security: user, capabilities, no_new_privs, a read-only root, mounts" { security; }

@test "CRI-O starts again: pods and containers are there, and a container that ended meanwhile has ended" {
	pod_start
	container_start one . sleep 1000
	one=$CONTAINER
	container_start two . sh -c 'while [ ! -e /tmp/end ]; do usleep 20000; done; exit 4'
	pid=$(pid)
	crio_stop
	in_room sh -c "touch /proc/$pid/root/tmp/end"
	wait_for "[ ! -e /proc/$pid ] || ! in_room kill -0 $pid"
	crio_start
	[ "$(state)" = exited ]
	[ "$(container ContainerStatus | jq .status.exit_code)" = 4 ]
	CONTAINER=$one
	[ "$(state)" = running ]
	[ "$(inside echo here | jq -r .stdout)" = here ]
	container StopContainer '.timeout = 0'
	[ "$(container ContainerStatus | jq .status.exit_code)" = 137 ]
}

@test "a pod is stopped while its container runs; kill of a container that ignores TERM" { stops; }

@test "nothing is left: mounts, states, control groups, processes" {
	nothing_is_left
	[ -z "$(states)" ]
}
