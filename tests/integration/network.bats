#!/usr/bin/env bats
# A network of a sandbox's own (annotation io.carrel.network; docs/network.md).

load network.bash

setup() { network_setup; }
teardown() { network_teardown; }

FRAMES=$BATS_TEST_DIRNAME/network_frames.py

V4_REFUSED=(10.1.2.3 100.64.1.1 168.63.129.16 169.254.1.1 169.254.169.254 172.16.5.5 172.31.255.1 192.0.0.192 192.168.7.7 198.18.0.1
	240.0.0.1 0.1.2.3)
V6_REFUSED=(fc00::1 fd00:9::1 fd00:ec2::254 fec0::1 100::1 2001::1 2002:a01:203::1 64:ff9b:1::1 64:ff9b::1 64:ff9b::a01:203
	64:ff9b::6440:101 64:ff9b::7f00:1 64:ff9b::a83f:8110 64:ff9b::a9fe:a9fe 64:ff9b::ac10:505 64:ff9b::c000:c0 64:ff9b::c0a8:707
	64:ff9b::c612:1 64:ff9b::e000:1 64:ff9b::f000:1)

@test "address, default route, gateway, and the world beyond" {
	serve "$W"
	try 203.0.113.5 2001:db8:113::5
	all_are here 203.0.113.5 2001:db8:113::5
	inside sh -c 'ip -o address show dev eth0; ip route; ip -6 route; cat /sys/class/net/eth0/mtu'
	says 'inet 10.88.0.5/24'
	says 'inet6 fd00:88::5/64'
	says 'default via 10.88.0.1 dev eth0'
	says 'default via fd00:88::1 dev eth0'
	says 1500
	start_sleeper
	in_sandbox busybox ping -c 1 -w 3 10.88.0.1
	in_sandbox busybox ping -c 1 -w 3 fd00:88::1
	rt delete --force "$ID"
	clean
}

@test "names, MTU and one family alone" {
	network '{bridge: "br-x", interface: "net7", mtu: 1400, addresses: ["10.88.0.5/24"], gateways: ["10.88.0.1"]}'
	inside sh -c 'ip -o address; cat /sys/class/net/net7/mtu'
	ok
	says 'net7    inet 10.88.0.5/24'
	says 1400
	[[ $output != *fd00* ]]
	network '{addresses: ["fd00:88::5/64"], gateways: ["fd00:88::1"]}'
	serve "$W"
	try 2001:db8:113::5
	all_are here 2001:db8:113::5
	clean
}

@test "in a user namespace, and with linux.netDevices beside it" {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	find "$ROOTFS" -type d -exec chown 100000:100000 {} +
	serve "$W"
	in_host ip link add extra0 type veth peer name extra1
	config '.linux.netDevices = {extra0: {name: "more"}}'
	try 203.0.113.5 2001:db8:113::5
	all_are here 203.0.113.5 2001:db8:113::5
	in_host ip link delete extra0
	clean
}

@test "without masquerade the world sees the sandbox's address" {
	nsenter --net="$W" socat TCP-LISTEN:81,fork,reuseaddr SYSTEM:'echo from $SOCAT_PEERADDR' > /dev/null 2>&1 3>&- &
	SERVERS+=($!)
	wait_for 'in_world ss -Hltn sport = :81 | grep -q .'
	network '{masquerade: false}'
	inside sh -c 'nc -w 10 203.0.113.5 81 < /dev/null'
	says 'from 10.88.0.5'
	network '{masquerade: true}'
	inside sh -c 'nc -w 10 203.0.113.5 81 < /dev/null'
	says 'from 203.0.113.1'
}

@test "ranges that are not the Internet are refused, each of them" {
	serve "$W"
	world_has "${V4_REFUSED[@]}" "${V6_REFUSED[@]}"
	try "${V4_REFUSED[@]}" "${V6_REFUSED[@]}"
	all_are refused "${V4_REFUSED[@]}" "${V6_REFUSED[@]}"
	# The control: the same addresses answer when they are allowed.
	network "{allow: $(printf '%s\n' "${V4_REFUSED[@]}" "${V6_REFUSED[@]}" | jq -Rsc 'split("\n")[:-1]')}"
	try "${V4_REFUSED[@]}" "${V6_REFUSED[@]}"
	all_are here "${V4_REFUSED[@]}" "${V6_REFUSED[@]}"
}

@test "a translated form of a public address is public" {
	serve "$W"
	world_has 64:ff9b::cb00:7105
	try 64:ff9b::cb00:7105
	all_are here 64:ff9b::cb00:7105
}

@test "ranges that no routed packet can have are in the rules too" {
	local r
	start_sleeper
	for r in 127.0.0.0/8 224.0.0.0/4 240.0.0.0/4 0.0.0.0/8 fe80::/10 ff00::/8 ::/96 ::ffff:0.0.0.0/96; do
		in_host nft list chain inet carrel public | grep -qF "daddr $r goto refuse" || { echo "no $r" && return 1; }
	done
}

@test "an exception is an address with its port and protocol" {
	serve "$W" 80
	serve "$W" 81
	world_has 10.1.2.3 10.1.2.4 fd00:9::1
	network '{allow: ["10.1.2.3:80/tcp", "[fd00:9::/64]:80/tcp", "10.1.2.4:80/udp"]}'
	try 10.1.2.3 fd00:9::1 10.1.2.4
	all_are here 10.1.2.3 fd00:9::1
	all_are refused 10.1.2.4
	config '.process.env += ["PORT=81"]'
	try 10.1.2.3 fd00:9::1
	all_are refused 10.1.2.3 fd00:9::1
}

@test "egress none refuses all but the exceptions" {
	serve "$W"
	world_has 10.1.2.3
	network '{egress: "none"}'
	try 203.0.113.5 2001:db8:113::5 10.1.2.3
	all_are refused 203.0.113.5 2001:db8:113::5 10.1.2.3
	network '{egress: "none", allow: ["10.1.2.3:80/tcp"]}'
	try 203.0.113.5 10.1.2.3
	all_are here 10.1.2.3
	all_are refused 203.0.113.5
}

@test "the host's own services are refused, at every address of the host" {
	serve "$H"
	try 10.88.0.1 203.0.113.1 fd00:88::1 2001:db8:113::1
	all_are refused 10.88.0.1 203.0.113.1 fd00:88::1 2001:db8:113::1
	network '{allow: ["10.88.0.1:80/tcp", "[fd00:88::1]:80/tcp"]}'
	try 10.88.0.1 203.0.113.1 fd00:88::1
	all_are here 10.88.0.1 fd00:88::1
	all_are refused 203.0.113.1
}

@test "the host reaches a sandbox, the world does not begin" {
	args sh -c 'while :; do echo here | nc -l -p 80; done'
	network '{masquerade: false}'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for 'in_host timeout 2 socat -u TCP:10.88.0.5:80 - | grep -q here'
	run in_world timeout 2 socat -u TCP:10.88.0.5:80,connect-timeout=2 -
	[[ $output != *here* ]]
	# The control: it was our rule that stopped it.
	in_host nft insert rule inet carrel inbound accept
	wait_for 'in_world timeout 2 socat -u TCP:10.88.0.5:80 - | grep -q here'
}

@test "sandboxes of one bridge do not reach each other, unless it is allowed" {
	args sh -c 'while :; do echo here | nc -l -p 80; done'
	sandbox "$ID" 10.88.0.5
	wait_for 'in_host timeout 2 socat -u TCP:10.88.0.5:80 - | grep -q here'
	args sh -c 'nc -w 10 10.88.0.5 80 < /dev/null || echo refused'
	network '{addresses: ["10.88.0.6/24"], gateways: ["10.88.0.1"]}'
	config --arg c "/carrel-test/$ID-b" '.linux.cgroupsPath = $c'
	run rt run -b "$BUNDLE" "$ID-b"
	says refused
	network '{addresses: ["10.88.0.6/24"], gateways: ["10.88.0.1"], allow: ["10.88.0.5:80/tcp"]}'
	run rt run -b "$BUNDLE" "$ID-b"
	says here
}

@test "nor when they go around the gateway" {
	local a=$ID-a b=$ID-b mac_a mac_b
	args sleep 1000
	sandbox "$a" 10.88.0.5
	sandbox "$b" 10.88.0.6
	mac_a=$(SANDBOX=$a in_sandbox ip -j link show eth0 | jq -r '.[0].address')
	mac_b=$(SANDBOX=$b in_sandbox ip -j link show eth0 | jq -r '.[0].address')
	SANDBOX=$a in_sandbox sh -c "ip route add 10.88.0.6 dev eth0; ip neigh replace 10.88.0.6 lladdr $mac_b dev eth0"
	SANDBOX=$b in_sandbox sh -c "ip route add 10.88.0.5 dev eth0; ip neigh replace 10.88.0.5 lladdr $mac_a dev eth0"
	! SANDBOX=$a in_sandbox busybox ping -c 1 -w 2 10.88.0.6 || return 1
	# The control: only the isolation of the ports was in the way (and, where bridges call it, the forward chain).
	in_host sh -c 'echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables' || true
	in_host bridge link set dev "$(port_of "$a")" isolated off
	in_host bridge link set dev "$(port_of "$b")" isolated off
	SANDBOX=$a in_sandbox busybox ping -c 1 -w 3 10.88.0.6
}

# spoof_frames: what a sandbox with all rights in its network could send: another address, another MAC, IPv6 likewise.
spoof_frames() {
	local mac gw
	mac=$(in_sandbox ip -j link show eth0 | jq -r '.[0].address')
	gw=$(in_host ip -j link show carrel0 | jq -r '.[0].address')
	in_sandbox python3 "$FRAMES" send eth0 udp "$mac" "$gw" 10.88.0.77 203.0.113.5 9
	in_sandbox python3 "$FRAMES" send eth0 udp "$mac" "$gw" fd00:88::77 2001:db8:113::5 9
	in_sandbox python3 "$FRAMES" send eth0 udp 02:00:00:00:00:77 "$gw" 10.88.0.5 203.0.113.5 9
	in_sandbox python3 "$FRAMES" send eth0 udp "$mac" "$gw" 198.51.100.9 203.0.113.5 9
	# The mark of the end, and that frames arrive at all.
	in_sandbox python3 "$FRAMES" send eth0 udp "$mac" "$gw" fd00:88::5 2001:db8:113::5 9
}

@test "a source that is not the sandbox's is dropped" {
	network '{masquerade: false}'
	start_sleeper
	nsenter --net="$W" python3 "$FRAMES" sniff up0 600 >> "$WORK/seen" 3>&- &
	SERVERS+=($!)
	wait_for "grep -q ready $WORK/seen"
	spoof_frames
	wait_for "grep -qx fd00:88::5 $WORK/seen"
	[ "$(grep -c . "$WORK/seen")" -eq 2 ] || { cat "$WORK/seen" && return 1; }
	# The controls: without the port's chain the maps still stop unknown sources, without both all arrive.
	in_host nft flush chain netdev carrel "$(port_of)"
	in_host nft insert rule netdev carrel "$(port_of)" accept
	: > "$WORK/seen"
	spoof_frames
	wait_for "grep -qx fd00:88::5 $WORK/seen"
	! grep -qE '77$|198' "$WORK/seen" || return 1
	in_host nft insert rule inet carrel forward accept
	spoof_frames
	wait_for "grep -qx fd00:88::77 $WORK/seen && grep -qx 10.88.0.77 $WORK/seen && grep -qx 198.51.100.9 $WORK/seen"
}

@test "a false ARP or router advertisement does not reach the host" {
	local mac link
	start_sleeper
	mac=$(in_sandbox ip -j link show eth0 | jq -r '.[0].address')
	link=$(in_sandbox ip -j -6 address show dev eth0 | jq -r '[.[].addr_info[]? | select(.scope == "link").local][0]')
	in_host sh -c 'echo 1 > /proc/sys/net/ipv4/conf/carrel0/arp_accept; echo 2 > /proc/sys/net/ipv6/conf/carrel0/accept_ra'
	attack() {
		in_sandbox python3 "$FRAMES" send eth0 arp "$mac" ff:ff:ff:ff:ff:ff 10.88.0.9 10.88.0.9
		in_sandbox python3 "$FRAMES" send eth0 ra "$mac" "fe80::1"
		in_sandbox python3 "$FRAMES" send eth0 ra "$mac" "$link"
	}
	attack
	sleep 1
	[ -z "$(in_host ip neigh show 10.88.0.9)" ]
	[ -z "$(in_host ip -6 route show proto ra)" ]
	[ -z "$(in_host ip -6 address show dev carrel0 | grep bad)" ]
	in_host nft insert rule netdev carrel "$(port_of)" accept
	in_host nft insert rule inet carrel input accept
	wait_for 'attack; in_host ip neigh show 10.88.0.9 | grep -q carrel0 && in_host ip -6 address show dev carrel0 | grep -q bad'
}

# datagram FROM_PORT TO PORT WORD SECONDS: what comes back within that time, or nothing
datagram() {
	python3 - "$@" << 'PY'
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", int(sys.argv[1])))
if sys.argv[4]:
    s.sendto(sys.argv[4].encode(), (sys.argv[2], int(sys.argv[3])))
s.settimeout(float(sys.argv[5]))
try:
    print(s.recvfrom(100)[0].decode())
except TimeoutError:
    print("nothing")
PY
}
export -f datagram
tracked() { in_host cat /proc/net/nf_conntrack | grep -c "$1" || true; }

@test "whoever has an address next gets no packet of its earlier connections" {
	[ -e /proc/net/nf_conntrack ] || skip "no /proc/net/nf_conntrack on this host, which shows what is tracked"
	for row in '9991 203.0.113.1 203.0.113.5' '9992 2001:db8:113::1 2001:db8:113::5'; do
		read -r port host world <<< "$row"
		# A sandbox speaks first, and an answer may come: the control, for the same packet.
		start_sleeper
		in_sandbox bash -c "datagram 4000 $world $port hello 20" > "$WORK/first" &
		speaker=$!
		wait_for '[ "$(tracked dport=$port)" != 0 ]'
		in_world bash -c "datagram $port $host 4000 answer 0.1" > /dev/null
		wait "$speaker"
		[ "$(cat "$WORK/first")" = answer ]
		rt delete --force "$ID"
		[ "$(tracked dport=$port)" = 0 ]
		# Its successor only listens.
		start_sleeper
		in_sandbox bash -c "datagram 4000 $world $port '' 3" > "$WORK/second" &
		listener=$!
		wait_for 'in_sandbox ss -Hlun sport = :4000 | grep -q .'
		in_world bash -c "datagram $port $host 4000 answer 0.1" > /dev/null
		wait "$listener"
		[ "$(cat "$WORK/second")" = nothing ]
		rt delete --force "$ID"
	done
	clean
}

@test "hundreds of connections are forgotten, those of others stay" {
	[ -e /proc/net/nf_conntrack ] || skip "no /proc/net/nf_conntrack on this host, which shows what is tracked"
	many() { in_sandbox python3 -c 'import socket
for p in range(20000, 20700):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.5", p))'; }
	args sleep 1000
	sandbox other 10.88.0.6
	SANDBOX=other many
	network '{}'
	config --arg c "$CGROUPS_PATH" '.linux.cgroupsPath = $c'
	start_sleeper
	many
	[ "$(tracked src=10.88.0.5)" -ge 700 ]
	rt delete --force "$ID"
	[ "$(tracked 'src=10.88.0.5 ')" = 0 ]
	[ "$(tracked 'src=10.88.0.6 ')" -ge 700 ]
	rt delete --force other
	[ "$(tracked 'src=10.88.0.6 ')" = 0 ]
}

@test "an address that another sandbox has is refused, and stays the other's" {
	serve "$W"
	args sh -c 'sleep 1; nc -w 10 203.0.113.5 80 < /dev/null; sleep 1000'
	sandbox "$ID-a" 10.88.0.5
	network '{addresses: ["10.88.0.5/24"], gateways: ["10.88.0.1"]}'
	config --arg c "/carrel-test/$ID-b" '.linux.cgroupsPath = $c'
	fails_with 'another sandbox has the address (10.88.0.5)' rt run -d -b "$BUNDLE" "$ID-b"
	wait_for "grep -q here $WORK/out.$ID-a"
	rt delete --force "$ID-a"
	clean
}

@test "a link of that name that is not ours is refused and left alone" {
	in_host ip link add carrel0 type bridge
	fails_with 'was not made by carrel-runtime' rt run -b "$BUNDLE" "$ID"
	in_host ip link show carrel0
	in_host ip link delete carrel0
	in_host ip link add carrel0 type veth peer name peer0
	fails_with 'was not made by carrel-runtime' rt run -b "$BUNDLE" "$ID"
	in_host ip link show carrel0
	in_host ip link delete carrel0
	clean
}

@test "forwarding is an error that names the switch, or set when the annotation says so" {
	in_host sh -c 'echo 0 > /proc/sys/net/ipv4/ip_forward'
	fails_with 'net.ipv4.ip_forward is 0' rt run -b "$BUNDLE" "$ID"
	in_host sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding'
	fails_with 'net.ipv6.conf.all.forwarding is 0' rt run -b "$BUNDLE" "$ID"
	[ "$(in_host cat /proc/sys/net/ipv6/conf/all/forwarding)" = 0 ]
	# Nothing leaves: none is needed.
	network '{egress: "none"}'
	rt run -b "$BUNDLE" "$ID"
	network '{forwarding: true}'
	rt run -b "$BUNDLE" "$ID"
	[ "$(in_host cat /proc/sys/net/ipv6/conf/all/forwarding)" = 1 ]
	clean
}

@test "mode none is a sandbox without a network" {
	config '.annotations["io.carrel.network"] = "{\"mode\":\"none\"}"'
	inside ip -o link
	ok
	[[ $output != *eth0@* ]]
	clean
}

@test "a namespace given by path excludes it, and is left as it is" {
	config --arg p "$W" '.linux.namespaces |= map(if .type == "network" then .path = $p else . end)'
	fails_with 'joined by path' rt run -b "$BUNDLE" "$ID"
	config 'del(.annotations)'
	inside ip -o link
	ok
	says up0
	clean
}

@test "without the annotation nothing of it happens" {
	config 'del(.annotations)'
	in_host strace -f -o "$WORK/trace" "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	! grep -E 'AF_NETLINK|network.lock|ip_forward|/ns/net' "$WORK/trace" || return 1
	network '{}'
	in_host strace -f -o "$WORK/trace" "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	grep -q 'AF_NETLINK' "$WORK/trace"
}

@test "hooks see the network, and init's parameters reach it" {
	config '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "nsenter --net=/proc/$(jq .pid)/ns/net ip -o address > '"$WORK"'/seen"]}]
		| .linux.sysctl = {"net.ipv4.conf.eth0.rp_filter": "1"}'
	inside cat /proc/sys/net/ipv4/conf/eth0/rp_filter
	ok
	says 1
	grep -q 'eth0.*10.88.0.5' "$WORK/seen"
}

@test "an ordinary user is told what is missing" {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 1234, size: 1}]
		| .linux.gidMappings = .linux.uidMappings | del(.linux.cgroupsPath, .linux.resources) | .mounts |= map(select(.type != "devpts"))'
	# The user must reach its files: bats' own directories are root's alone.
	local dir
	dir=$(mktemp -d /tmp/carrel-network.XXXXXX)
	chmod 755 "$dir"
	cp -a "$BUNDLE" "$RUNTIME" "$dir"
	mkdir -m 700 "$dir/own"
	chown -R 1234:1234 "$dir/own" "$dir/bundle"
	run in_host setpriv --reuid 1234 --regid 1234 --clear-groups "$dir/carrel-runtime" --root "$dir/own" run -b "$dir/bundle" "$ID"
	ls -A "$dir/own" > "$WORK/left"
	rm -rf "$dir"
	[ "$status" -ne 0 ]
	says 'an ordinary user can join one by path'
	! grep -v ^@ "$WORK/left" || return 1
	clean
}

@test "features names the annotation as one that engines must filter" {
	rt features | jq -e '.potentiallyUnsafeConfigAnnotations | index("io.carrel.network")'
	rt features | jq -e '.linux.netDevices.enabled'
}
