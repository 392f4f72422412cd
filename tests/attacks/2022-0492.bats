# CVE-2022-0492: a container mounts a cgroup v1 hierarchy, or finds one writable, and has the kernel run its release_agent as
# root of the host.
load ../integration/guest

setup() {
	guest_setup
	# The kernel lets nobody make a hierarchy from a cgroup namespace: without it the attack goes furthest.
	config '.linux.namespaces |= map(select(.type != "cgroup"))'
	grep -qw cgroup /proc/filesystems || skip "this kernel has no cgroup v1"
}
teardown() { runtime_teardown; }

our_profile() {
	config --argjson p "$(cat "$BATS_TEST_DIRNAME/../../config/seccomp.json")" '.linux.seccomp = $p'
}

# A hierarchy of its own, without controllers, so that nothing of the host is touched.
ATTACK='mkdir -p /tmp/m; unshare -U -C true 2> /dev/null && echo "new namespaces"
	if mount -t cgroup -o none,name=carrel-attack attack /tmp/m; then
		echo mounted; echo /tmp/agent > /tmp/m/release_agent && [ "$(cat /tmp/m/release_agent)" = /tmp/agent ] && echo "agent set"
		umount /tmp/m
	fi 2>&1; :'

@test "with default rights nothing can be mounted and no namespace made for it" {
	inside sh -c "$ATTACK"
	[[ $output != *mounted* && $output != *'agent set'* ]]
	our_profile
	inside sh -c "$ATTACK"
	[[ $output != *mounted* && $output != *'agent set'* && $output != *'new namespaces'* ]]
}

@test "root of a user namespace with its CAP_SYS_ADMIN gets no further" {
	userns
	all_caps
	inside sh -c "$ATTACK"
	[[ $output != *mounted* && $output != *'agent set'* ]]
	our_profile
	inside sh -c "$ATTACK"
	[[ $output != *mounted* && $output != *'new namespaces'* ]]
}

@test "the hierarchies that a container is given are read-only" {
	config '.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "relatime", "ro"]}]'
	inside sh -c 'find /sys/fs/cgroup -name tasks -o -name cgroup.procs | head -n 1 | grep -q . && echo "sees cgroups"
		for f in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release -o -name tasks -o -name cgroup.procs); do
			(echo 0 > "$f") 2> /dev/null && echo "wrote $f"; done
		for d in $(find /sys/fs/cgroup -type d); do mkdir "$d/evil" 2> /dev/null && echo "made $d/evil"; done; :'
	ok
	says 'sees cgroups'
	[[ $output != *wrote* && $output != *made* ]]
}

@test "control: with the host's CAP_SYS_ADMIN and no filter the agent can be set" {
	all_caps
	inside sh -c "$ATTACK"
	says mounted
	says 'agent set'
	# The hierarchy goes when the kernel has taken its last mount apart.
	wait_for '! grep -q carrel-attack /proc/self/cgroup' 60
}
