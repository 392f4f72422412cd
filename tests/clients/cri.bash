# A kubelet's side of the container runtime interface, for the tests of containerd's plugin and of CRI-O. CRI_SOCKET is the server's;
# POD_IS and CONTAINER_IS are jq expressions that every configuration goes through.

cri_programs() {
	put /mnt/cri.py < "$BATS_TEST_DIRNAME/cri.py"
	put /mnt/cri_exec.py < "$BATS_TEST_DIRNAME/cri_exec.py"
	in_room mkdir -p /etc/cni/net.d
	put /etc/cni/net.d/10-test.conflist << 'JSON'
{ "cniVersion": "0.4.0", "name": "test", "plugins": [
  { "type": "bridge", "bridge": "cri0", "isGateway": true,
    "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.99.0.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] } } ] }
JSON
	# What holds a pod's namespaces does nothing.
	make_archive localhost/pause:1 '{Entrypoint: ["/bin/guest", "sleep", "1000000"]}' /mnt/pause.tar
}

cri() { in_room /usr/bin/python3 /mnt/cri.py "$CRI_SOCKET" "$@"; }

# Words as a JSON list: jq's --args would read their dashes.
list() { printf '%s\001' "$@" | jq -Rsc 'split("\u0001")[:-1]'; }

# pod_start [HANDLER]: a pod with a network of its own, $POD.
pod_start() {
	POD_CONFIG=$(jq -nc --arg parent "/$PARENT" --arg uid "$BATS_TEST_NUMBER-$RANDOM" \
		'{metadata: {name: "pod", uid: $uid, namespace: "test"}, hostname: "pod", linux: {cgroup_parent: $parent}} | '"${POD_IS:-.}")
	POD=$(cri RunPodSandbox "$(jq -nc --argjson c "$POD_CONFIG" --arg h "${1-carrel}" '{config: $c, runtime_handler: $h}')" | jq -r .pod_sandbox_id)
	[ -n "$POD" ]
}
pod_end() {
	local request
	request=$(jq -nc --arg p "${1:-$POD}" '{pod_sandbox_id: $p}')
	cri StopPodSandbox "$request" > /dev/null
	cri RemovePodSandbox "$request" > /dev/null
}
# container_make NAME JQ COMMAND...: in $POD, its configuration changed by a jq expression; $CONTAINER.
container_make() {
	local config
	config=$(jq -nc --arg n "$1" --argjson c "$(list "${@:3}")" '{metadata: {name: $n}, image: {image: "localhost/bb:1"}, command: $c} | '"${CONTAINER_IS:-.} | $2")
	CONTAINER=$(cri CreateContainer "$(jq -nc --arg p "$POD" --argjson c "$config" --argjson s "$POD_CONFIG" \
		'{pod_sandbox_id: $p, config: $c, sandbox_config: $s}')" | jq -r .container_id)
	[ -n "$CONTAINER" ]
}
container() { # METHOD [JQ]
	cri "$1" "$(jq -nc --arg c "$CONTAINER" '{container_id: $c} | '"${2:-.}")"
}
container_start() {
	container_make "$@"
	container StartContainer > /dev/null
}
# What it says, as JSON.
inside() { container ExecSync '.timeout = 20 | .cmd = '"$(list "$@")"; }
state() { container ContainerStatus | jq -r '["created", "running", "exited", "unknown"][.status.state // 0]'; }
pid() { container ContainerStatus '.verbose = 1' | jq -r '.info.info | fromjson | .pid'; }

# streams JQ INPUT [WIDTHxHEIGHT]: an exec over the connection that kubectl's goes over
streams() {
	local url
	url=$(container Exec '.stdin = 1 | .stdout = 1 | '"$1" | jq -r .url)
	[[ $url == http* ]] || { echo "no address: $url" && return 1; }
	in_room /usr/bin/python3 /mnt/cri_exec.py "$url" "${@:2}"
}

# A signal is for a shell that has set its trap.
ready() { wait_for '[ "$(inside test -e /tmp/ready | jq ".exit_code // 0")" = 0 ]'; }

# ---- tests for every server ----

a_containers_life() {
	pod_start
	container_make one . sh -c 'trap "exit 9" TERM; touch /tmp/ready; while :; do usleep 20000; done'
	[ "$(state)" = created ]
	container StartContainer
	[ "$(state)" = running ]
	[ "$(inside hostname | jq -r .stdout)" = pod ]
	[[ "$(inside ip addr show eth0 | jq -r .stdout)" == *10.99.0.* ]]
	ready
	container StopContainer '.timeout = 10'
	[ "$(state)" = exited ]
	[ "$(container ContainerStatus | jq .status.exit_code)" = 9 ]
	container RemoveContainer
	container_start two . true
	wait_for '[ "$(state)" = exited ]'
	[ "$(container ContainerStatus | jq '.status.exit_code // 0, .status.reason' | tr -d '\n')" = '0"Completed"' ]
}
exec_sync() { # WORDS [fails]: how the server says that the time was over, and whether by an error of the call, as what cannot be executed
	pod_start
	container_start one . sleep 1000
	run inside sh -c 'echo out; echo err >&2; exit 7'
	[ "$(jq -c '[.stdout, .stderr, .exit_code]' <<< "$output")" = '["out\n","err\n",7]' ]
	run inside nosuch
	[ -z "${2:-}" ] || [ "$status" -ne 0 ]
	says 'executable file not found in $PATH'
	run container ExecSync '.timeout = 1 | .cmd = ["sleep", "100"]'
	[ -z "${2:-}" ] || [ "$status" -ne 0 ]
	says "$1"
	wait_for '[ "$(inside sh -c "ps | grep -c \"[s]leep 100$\"" | jq -r .stdout | tr -d "\n")" = 0 ]'
}
exec_streams() { # in $CONTAINER
	run --separate-stderr streams '.stderr = 1 | .cmd = ["sh", "-c", "read a; echo out $a; echo err >&2; exit 7"]' $'hello\n'
	[ "$status" = 7 ]
	[ "$output" = 'out hello' ]
	# shellcheck disable=SC2154
	[ "$stderr" = err ]
	run streams '.tty = 1 | .cmd = ["sh"]' $'stty size; tty; exit 3\n' 101x37
	[ "$status" = 3 ]
	says '37 101' && says /dev/pts/
	# Three quarters of a megabyte, whole.
	run streams '.cmd = ["sh", "-c", "read a; seq 1 120000"]' $'\n'
	[ "$status" = 0 ]
	[ "${lines[119999]}" = 120000 ]
}
limits_and_statistics() {
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
out_of_memory() { # SECONDS before it takes any
	pod_start
	container_start one '.linux.resources = {memory_limit_in_bytes: 16777216}' sh -c "sleep $1; "'x=0123456789abcdef; while :; do x=$x$x; done'
	wait_for '[ "$(state)" = exited ]'
	wait_for '[ "$(container ContainerStatus | jq -r .status.reason)" = OOMKilled ]'
	[ "$(container ContainerStatus | jq .status.exit_code)" = 137 ]
}
security() {
	pod_start
	in_room sh -c 'mkdir -p /mnt/vol && echo from-host > /mnt/vol/a'
	container_start one '.linux.security_context += {run_as_user: {value: 1000}, no_new_privs: 1, readonly_rootfs: 1, capabilities: {drop_capabilities: ["ALL"]}} |
		.mounts = [{container_path: "/v", host_path: "/mnt/vol", readonly: 1}]' sleep 1000
	run inside sh -c 'id -u; cat /v/a; guest caps; touch /x; touch /v/b'
	output=$(jq -r '.stdout + .stderr' <<< "$output")
	says 1000 && says from-host && says 'bounding 0000000000000000' && says 'nnp 1'
	says '/x: Read-only' && says '/v/b: Read-only'
}
stops() {
	pod_start
	container_start one . sh -c 'trap "" TERM; touch /tmp/ready; while :; do usleep 20000; done'
	ready
	container StopContainer '.timeout = 1'
	[ "$(container ContainerStatus | jq .status.exit_code)" = 137 ]
	container_start two . sleep 1000
	pod_end
	[ "$(cri ListPodSandbox)" = '{}' ]
}
nothing_is_left() {
	wait_for 'room_ledger > "$ROOM_DIR/after"; diff "$ROOM_DIR/before" "$ROOM_DIR/after" > "$ROOM_DIR/diff"' || { cat "$ROOM_DIR/diff" && return 1; }
}
