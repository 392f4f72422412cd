# For tests of a sandbox's network. Nothing here touches the machine's own network: a "host" and a "world" behind it are
# two network namespaces of the test's own ($H and $W are their paths), joined by a pair of links.
#
#   sandbox ── bridge (10.88.0.1, fd00:88::1) ── $H ── 203.0.113.0/24, 2001:db8:113::/64 ── $W
#
#   network '{...}'        the annotation: what is given over a base of both families with masquerade
#   rt, inside             as in lib.bash, in the network namespace of the host
#   in_host CMD...         there, in_world, and in_sandbox [ID]: with all rights in the sandbox's network
#   world_has ADDRESS...   addresses that the world answers for
#   serve NS [PORT]        a server that says "here" to whoever connects
#   try ADDRESS...         a foreground container that connects to each, and prints "ADDRESS here" or "ADDRESS refused"
#   clean                  nothing is left in the host

load "${BASH_SOURCE[0]%/*}/lib.bash"

network_setup() {
	runtime_setup
	SERVERS=()
	H='' W=''
	new_network H
	new_network W
	in_host ip link add up0 type veth peer name up0 netns "${SERVERS[-1]}"
	in_world ip link set lo up
	in_host ip link set lo up
	in_world ip link set up0 up
	in_host ip link set up0 up
	in_world ip address add 203.0.113.5/24 dev up0
	in_world ip address add 2001:db8:113::5/64 dev up0 nodad
	in_host ip address add 203.0.113.1/24 dev up0
	in_host ip address add 2001:db8:113::1/64 dev up0 nodad
	in_host ip route add default via 203.0.113.5
	in_host ip route add default via 2001:db8:113::5
	in_world ip route add 10.88.0.0/16 via 203.0.113.1
	in_world ip route add fd00:88::/64 via 2001:db8:113::1
	in_host sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
	network '{}'
}

network_teardown() {
	local p
	runtime_teardown
	for p in "${SERVERS[@]}"; do kill "$p" 2> /dev/null; done
}

# new_network NAME: the variable becomes the path of a network namespace, which lives as long as a process of the test. (`ip netns
# add` would leave a mount in the machine's table.)
new_network() {
	unshare --net sleep 1000 > /dev/null 2>&1 3>&- &
	SERVERS+=($!)
	printf -v "$1" '/proc/%d/ns/net' $!
	wait_for "[ \"\$(readlink ${!1})\" != \"\$(readlink /proc/self/ns/net)\" ]"
}

in_host() {
	nsenter --net="$H" "$@"
}

in_world() {
	nsenter --net="$W" "$@"
}

in_sandbox() {
	local pid
	pid=$(rt state "${SANDBOX:-$ID}" | jq .pid)
	nsenter --net="/proc/$pid/ns/net" "$@"
}

rt() {
	in_host timeout -k 5 "${RT_TIMEOUT:-60}" "$RUNTIME" --root "$ROOT" "$@"
}

network() {
	local base='{mode: "bridge", addresses: ["10.88.0.5/24", "fd00:88::5/64"], gateways: ["10.88.0.1", "fd00:88::1"], masquerade: true}'
	config ".annotations[\"io.carrel.network\"] = ($base + $1 | tojson)"
}

world_has() {
	local a
	for a; do
		case $a in
		*:*) in_world ip address add "$a" dev lo nodad ;;
		*) in_world ip address add "$a" dev lo ;;
		esac
	done
}

serve() {
	nsenter --net="$1" socat "TCP6-LISTEN:${2:-80},fork,reuseaddr,ipv6-v6only=0" SYSTEM:'echo here' > /dev/null 2>&1 3>&- &
	SERVERS+=($!)
	wait_for "nsenter --net=$1 ss -Hltn sport = :${2:-80} | grep -q ."
}

try() {
	inside sh -c 'for a; do echo "$a $(nc -w 10 "$a" "${PORT:-80}" < /dev/null 2> /dev/null | grep here || echo refused)"; done' sh "$@"
	ok
}

# all_are WORD ADDRESS...
all_are() {
	local word=$1 a
	shift
	for a; do
		[[ $'\n'$output$'\n' == *$'\n'"$a $word"$'\n'* ]] || { printf '%s is not %s in:\n%s\n' "$a" "$word" "$output" && return 1; }
	done
}

# a sandbox that lives, with its own id and IPv4 address; more of the annotation may follow
sandbox() {
	local id=$1 address=$2
	network "{addresses: [\"$address/24\"], gateways: [\"10.88.0.1\"]} + ${3:-null}"
	config --arg c "/carrel-test/$id" '.linux.cgroupsPath = $c'
	rt run -d -b "$BUNDLE" "$id" < /dev/null > "$WORK/out.$id" 2>&1
}

# sandbox_in ID ADDRESS: a bundle of its own below $WORK, for many at once
sandbox_in() {
	mkdir "$WORK/$1"
	ln -s "$ROOTFS" "$WORK/$1/rootfs"
	network "{addresses: [\"$2/24\"], gateways: [\"10.88.0.1\"]}"
	jq --arg c "/carrel-test/$1" --arg r "$ROOTFS" '.linux.cgroupsPath = $c | .root.path = $r' "$BUNDLE/config.json" > "$WORK/$1/config.json"
}

port_of() {
	jq -r .networkPort "$ROOT/${1:-$ID}/state.json"
}

clean() {
	local links
	links=$(in_host ip -o link | grep -vE '^[0-9]+: (lo|up0|ifb[0-9]|tunl0|sit0|ip6tnl0|gre0|gretap0|erspan0|eth0)[:@]' || true)
	[ -z "$links" ] || { printf 'links are left:\n%s\n' "$links" && return 1; }
	[ -z "$(in_host nft list ruleset)" ] || { in_host nft list ruleset && return 1; }
	[ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name '@*')" ] || { ls -l "$ROOT" && return 1; }
}
