#!/usr/bin/env bats
# linux.netDevices: devices of the host that a container gets, and their way back. The host is a network namespace of
# the test's own; the devices are ends of veth pairs.

load network.bash

setup() {
	network_setup
	config 'del(.annotations)'
	in_host ip link add dev0 type veth peer name dev0p
}

teardown() { network_teardown; }

devices() {
	config --argjson d "$1" '.linux.netDevices = $d'
}

# by_path: the container joins a namespace that the test made.
by_path() {
	config --arg p "$W" '.linux.namespaces |= map(if .type == "network" then .path = $p else . end)'
}

no_pins() {
	! grep "$ROOT" /proc/self/mountinfo
}

@test "a device moves in, up, and back at the end" {
	devices '{"dev0": {}}'
	inside ip -o link show dev dev0
	ok
	says 'UP'
	in_host ip link show dev dev0
	no_pins
}

@test "addresses, MTU and MAC go along both ways" {
	in_host ip link set dev0 mtu 1789 address 00:11:22:33:44:55
	in_host ip address add 198.51.100.7/24 dev dev0
	in_host ip address add 2001:db8:7::7/64 dev dev0
	in_host ip address add 127.0.0.33/32 dev dev0 scope host
	devices '{"dev0": {"name": "ctr0"}}'
	inside ip address show dev ctr0
	ok
	says '198.51.100.7/24'
	says '2001:db8:7::7/64'
	says 'mtu 1789'
	says '00:11:22:33:44:55'
	[[ $output != *127.0.0.33* ]]
	run in_host ip address show dev dev0
	says '198.51.100.7/24'
	says '2001:db8:7::7/64'
	says 'mtu 1789'
	says '00:11:22:33:44:55'
	! in_host ip link show dev ctr0 2> /dev/null
}

@test "an address works at once, also an IPv6 one" {
	in_host ip address add 2001:db8:7::7/64 dev dev0
	in_host ip link set dev0p up
	devices '{"dev0": {}}'
	inside ip -6 address show dev dev0 scope global
	ok
	[[ $output != *tentative* ]]
}

@test "several devices, some renamed, swapped names too" {
	in_host ip link add dev1 type veth peer name dev1p
	in_host ip link set dev0 mtu 1400
	devices '{"dev0": {"name": "dev1"}, "dev1": {"name": "dev0"}}'
	inside sh -c 'cat /sys/class/net/dev1/mtu /sys/class/net/dev0/mtu'
	ok
	[ "$output" = $'1400\n1500' ]
	in_host ip -o link show dev dev0 | grep -q 'mtu 1400'
	in_host ip -o link show dev dev1 | grep -q 'mtu 1500'
}

@test "in a user namespace" {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	find "$ROOTFS" -type d -exec chown 100000:100000 {} +
	devices '{"dev0": {}}'
	inside ip -o link show dev dev0
	ok
	in_host ip link show dev dev0
}

@test "created, started, killed, deleted: back" {
	devices '{"dev0": {"name": "ctr0"}}'
	args sleep 1000
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	! in_host ip link show dev dev0 2> /dev/null || return 1
	in_sandbox ip link show dev ctr0
	rt start "$ID"
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID"
	in_host ip link show dev dev0
	no_pins
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	rt delete --force "$ID"
	in_host ip link show dev dev0
	no_pins
}

@test "a namespace given by path keeps the device" {
	by_path
	devices '{"dev0": {"name": "ctr0"}}'
	inside ip -o link show dev ctr0
	ok
	in_world ip link show dev ctr0
	! in_host ip link show dev dev0 2> /dev/null || return 1
	no_pins
}

@test "a failure brings back what was moved, from a new namespace and from one by path" {
	devices '{"dev0": {}, "none0": {}}'
	fails_with 'linux.netDevices: none0: there is no such device' rt run -b "$BUNDLE" "$ID"
	in_host ip link show dev dev0
	no_pins
	args /no/such
	devices '{"dev0": {"name": "ctr0"}}'
	fails_with '/no/such' rt run -b "$BUNDLE" "$ID"
	in_host ip link show dev dev0
	by_path
	fails_with '/no/such' rt run -b "$BUNDLE" "$ID"
	in_host ip link show dev dev0
	devices '{"dev0": {}, "none0": {}}'
	fails_with 'none0' rt run -b "$BUNDLE" "$ID"
	in_host ip link show dev dev0
}

@test "a name that is taken inside is an error" {
	in_world ip link add ctr0 type veth peer name ctr0p
	by_path
	devices '{"dev0": {"name": "ctr0"}}'
	fails_with 'linux.netDevices: dev0: move it' rt run -b "$BUNDLE" "$ID"
	in_host ip link show dev dev0
}

@test "a device that vanished inside does not stop delete" {
	devices '{"dev0": {}}'
	args sleep 1000
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	in_sandbox ip link delete dev0
	rt delete --force "$ID"
	no_pins
}

@test "a name that the host has again is an error of delete that names it, and the device is not lost" {
	devices '{"dev0": {}}'
	args sleep 1000
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	in_host ip link add dev0 type veth peer name other0
	fails_with 'bring dev0 back as dev0' rt delete --force "$ID"
	in_host ip link delete dev0
	rt delete --force "$ID"
	in_host ip link show dev dev0
	no_pins
}

@test "kill -9 of create at every request loses no device" {
	local n killed=0
	devices '{"dev0": {"name": "ctr0"}}'
	in_host ip address add 198.51.100.7/24 dev dev0
	args sleep 1000
	for n in $(seq 60); do
		in_host strace -o /dev/null -e trace=sendto,setns,move_mount,open_tree \
			-e inject=sendto,setns,move_mount,open_tree:signal=SIGKILL:when="$n" \
			"$RUNTIME" --root "$ROOT" create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 && break
		killed=$n
		rt delete --force "$ID"
		in_host ip link show dev dev0 > "$WORK/out" || { echo "lost at request $n" && return 1; }
		no_pins
	done
	[ "$killed" -ge 8 ] && [ "$killed" -lt 60 ]
	rt delete --force "$ID"
	in_host ip link show dev dev0
}

@test "without a network namespace it is refused" {
	config '.linux.namespaces |= map(select(.type != "network")) | .mounts |= map(select(.type != "sysfs"))'
	devices '{"dev0": {}}'
	fails_with 'unable to move network devices without a NET namespace' rt run -b "$BUNDLE" "$ID"
}
