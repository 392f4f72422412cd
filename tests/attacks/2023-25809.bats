# CVE-2023-25809: without a cgroup namespace of its own, a container finds the host's cgroup tree at /sys/fs/cgroup and may
# write to it, because "ro" on a recursive bind of /sys leaves the mounts below it as they are.
load ../integration/guest

setup() { guest_setup; }
teardown() {
	runtime_teardown
	find /sys/fs/cgroup -depth -type d \( -name "evil-$ID" -o -name "given-$ID" \) -exec rmdir {} \; 2> /dev/null
	find /sys/fs/cgroup -maxdepth 3 -type d -path '*/carrel-test' -exec rmdir {} \; 2> /dev/null
	return 0
}

SEARCH='for d in $(find /sys/fs/cgroup -maxdepth 4 -type d 2> /dev/null); do
		mkdir "$d/evil-$ID" 2> /dev/null && echo "made $d"; (echo 0 > "$d/tasks") 2> /dev/null && echo "joined $d"
	done; find /sys/fs/cgroup -name cgroup.procs 2> /dev/null | head -n 1; :'

no_cgroupns() { config '.linux.namespaces |= map(select(.type != "cgroup"))'; }

search() {
	config --arg i "$ID" '.process.env += ["ID=" + $i]'
	inside sh -c "$SEARCH"
	ok
}

sys_bind() { # OPTION...
	config 'del(.mounts[] | select(.destination == "/sys"))'
	mount_at /sys '' /sys rbind nosuid noexec nodev "$@"
}

@test "a cgroup mount without a namespace is read-only" {
	no_cgroupns
	mount_at /sys/fs/cgroup cgroup cgroup nosuid noexec nodev relatime ro
	search
	says cgroup.procs
	[[ $output != *made* && $output != *joined* ]]
}

@test "the same in a user namespace" {
	no_cgroupns
	userns
	mount_at /sys/fs/cgroup cgroup cgroup nosuid noexec nodev relatime ro
	search
	[[ $output != *made* && $output != *joined* ]]
}

@test "a recursive bind of /sys that asks for ro does not leave the cgroups writable to a user namespace" {
	no_cgroupns
	userns
	sys_bind ro
	search
	[[ $output != *made* && $output != *joined* ]]
}

# What a rootless caller has: a group that was given to it, and no more.
delegated() {
	GIVEN=$(find /sys/fs/cgroup -maxdepth 1 -type d -name memory)/carrel-test/given-$ID
	[ -d /sys/fs/cgroup/memory ] || GIVEN=/sys/fs/cgroup/carrel-test/given-$ID
	mkdir -p "$GIVEN"
	chown -R 100000:100000 "$GIVEN"
}

@test "not even the groups that were delegated to the user can be written through ro" {
	delegated
	no_cgroupns
	userns
	mount_at /sys/fs/cgroup cgroup cgroup nosuid noexec nodev relatime ro
	inside sh -c "mkdir $GIVEN/evil-$ID && echo made; ls -d /sys/fs/cgroup/*; :"
	[[ $output != *made* ]]
	config 'del(.mounts[] | select(.destination == "/sys/fs/cgroup"))'
	sys_bind rro
	inside sh -c "mkdir $GIVEN/evil-$ID && echo made; ls -d $GIVEN; :"
	says "given-$ID"
	[[ $output != *made* ]]
}

@test "control: through a plain ro, which leaves the mounts below as they are, delegated groups can be written" {
	delegated
	no_cgroupns
	userns
	sys_bind ro
	inside sh -c "mkdir $GIVEN/evil-$ID && echo made; :"
	says made
}

@test "with rro nothing below is writable, even to the host's root" {
	no_cgroupns
	sys_bind rro
	search
	[[ $output != *made* && $output != *joined* ]]
}

@test "control: what is asked for as writable is, for the host's root" {
	no_cgroupns
	sys_bind rw
	search
	[[ $output == *made* ]]
}
