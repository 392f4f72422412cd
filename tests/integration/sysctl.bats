load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

sysctls() { edit --argjson s "$1" '.linux.sysctl = $s'; }

@test "kernel parameters of the container's own namespaces" {
	local before
	before=$(cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/sem)
	sysctls '{"kernel.shmmax": "12345678", "net.ipv4.ip_forward": "1", "kernel.sem": "250\t32000\t100\t120", "fs.mqueue.msg_max": "20",
		"net/ipv4/conf/lo/forwarding": "1", "kernel.domainname": "set.by.sysctl"}'
	inside sh -c 'cd /proc/sys; cat kernel/shmmax net/ipv4/ip_forward kernel/sem fs/mqueue/msg_max net/ipv4/conf/lo/forwarding kernel/domainname'
	ok
	[ "$output" = $'12345678\n1\n250\t32000\t100\t120\n20\n1\nset.by.sysctl' ]
	[ "$(cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/sem)" = "$before" ]
}

@test "the same in a user namespace" {
	userns
	sysctls '{"kernel.shmmax": "12345678", "net.ipv4.ip_forward": "1"}'
	inside sh -c 'cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_forward'
	ok
	[ "$output" = $'12345678\n1' ]
}

@test "where the kernel refuses a procfs of our own, the host's is used" {
	# A host whose /proc is partly covered, as it is inside a container: no new one for user namespaces there, unless
	# another whole one is mounted somewhere, as it is in a chroot.
	! unshare --mount sh -c 'mount -t tmpfs cover /proc/fs && unshare --user --map-root-user --mount --pid --fork mount -t proc proc /proc' 2> /dev/null ||
		skip "this host shows a whole procfs at another place"
	userns
	sysctls '{"kernel.shmmax": "12345678"}'
	args /bin/guest read /proc/sys/kernel/shmmax
	fails_with 'error mounting "proc"' unshare --mount sh -c 'mount -t tmpfs cover /proc/fs && exec "$@"' - \
		timeout 60 "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	config '.mounts |= map(if .destination == "/proc" then {destination: "/proc", type: "bind", source: "/proc", options: ["rbind"]} else . end)'
	args cat /proc/sys/kernel/shmmax
	run unshare --mount sh -c 'mount -t tmpfs cover /proc/fs && exec "$@"' - \
		timeout 60 "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
	[ "$output" = 12345678 ]
}

@test "the host's parameters are refused" {
	local key
	for key in kernel.core_pattern kernel.modprobe vm.overcommit_memory kernel.randomize_va_space fs.suid_dumpable kernel.shm kernel.semx \
		net..x net.ipv4.. 'net/../kernel/core_pattern' 'net.ipv4/../../kernel/core_pattern' '/net/ipv4/ip_forward' 'fs.mqueue' '' ; do
		sysctls "$(jq -n --arg k "$key" '{($k): "1"}')"
		fails_with 'linux.sysctl' rt run -b "$BUNDLE" "$ID"
	done
	sysctls '{"kernel.hostname": "x"}'
	fails_with '"hostname"' rt run -b "$BUNDLE" "$ID"
}

@test "a parameter whose namespace is the host's is refused" {
	config '.linux.namespaces |= map(select(.type != "network" and .type != "ipc")) | .mounts |= map(select(.type != "sysfs"))'
	sysctls '{"net.ipv4.ip_forward": "1"}'
	fails_with 'network namespace' rt run -b "$BUNDLE" "$ID"
	sysctls '{"kernel.shmmax": "1"}'
	fails_with 'ipc namespace' rt run -b "$BUNDLE" "$ID"
}

@test "values are one line" {
	sysctls '{"kernel.shmmax": "1\n2"}'
	fails_with 'control character' rt run -b "$BUNDLE" "$ID"
	sysctls '{"kernel.shmmax": "not a number"}'
	fails_with 'kernel.shmmax' rt run -b "$BUNDLE" "$ID"
	sysctls '{"net.no.such.key": "1"}'
	fails_with 'net.no.such.key' rt run -b "$BUNDLE" "$ID"
}
