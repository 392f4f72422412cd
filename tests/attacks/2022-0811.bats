# CVE-2022-0811 (cr8escape): a sysctl's value carries a second sysctl, here kernel.core_pattern of the whole host.
load ../integration/guest

setup() {
	guest_setup
	PATTERN=$(cat /proc/sys/kernel/core_pattern)
}
teardown() {
	runtime_teardown
	# Whatever happened, the host's own value stands again.
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$PATTERN" ] || echo "$PATTERN" > /proc/sys/kernel/core_pattern
}

refused() { # KEY VALUE
	config --arg k "$1" --arg v "$2" '.linux.sysctl = {($k): $v}'
	run rt run -b "$BUNDLE" "$ID"
	[ "$status" -ne 0 ] || { echo "accepted: $1=$2" && return 1; }
	says sysctl
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$PATTERN" ]
	[ ! -e "$ROOT/$ID" ]
}

@test "values with a second assignment in them are refused" {
	refused kernel.shm_rmid_forced '1+kernel.core_pattern=|/bin/evil'
	refused kernel.shm_rmid_forced '1 kernel.core_pattern=|/bin/evil'
	refused kernel.shm_rmid_forced "1
kernel.core_pattern=|/bin/evil"
	refused kernel.shm_rmid_forced '1=2'
	refused kernel.msgmax '8192+kernel.core_pattern=x'
}

@test "keys that lead elsewhere are refused" {
	refused kernel.core_pattern '|/bin/evil'
	refused kernel/core_pattern '|/bin/evil'
	refused kernel.shm_rmid_forced+kernel.core_pattern 1
	refused 'kernel.shm_rmid_forced/../core_pattern' '|/bin/evil'
	refused 'net.ipv4.../../kernel/core_pattern' '|/bin/evil'
	refused 'net/../kernel/core_pattern' '|/bin/evil'
	refused kernel.shm_rmid_forced=1 1
	refused '' x
}

@test "a namespaced key is refused when the container shares that namespace with the host" {
	config '.linux.namespaces |= map(select(.type != "ipc"))'
	refused kernel.shm_rmid_forced 1
	config '.linux.namespaces |= map(select(.type != "network"))'
	refused net.ipv4.ip_forward 1
}

@test "control: the same keys with plain values take effect inside, and not outside" {
	host=$(cat /proc/sys/kernel/msgmax)
	config '.linux.sysctl = {"kernel.shm_rmid_forced": "1", "kernel.msgmax": "16000"}'
	inside sh -c 'cat /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/msgmax'
	ok
	says "1
16000"
	[ "$(cat /proc/sys/kernel/msgmax)" = "$host" ]
}
