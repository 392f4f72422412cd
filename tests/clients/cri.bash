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
