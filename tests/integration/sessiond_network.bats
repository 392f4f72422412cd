# Tiers with a network. The daemon runs in a network namespace of the test that stands for the host; another one behind it is
# the Internet, which here answers for private addresses as well.
load sessiond.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	SERVERS=()
	new_network HOST
	new_network WORLD
	in_host ip link add up0 type veth peer name up0 netns "${SERVERS[-1]}"
	in_host sh -c 'ip link set lo up; ip link set up0 up; ip address add 203.0.113.1/24 dev up0; ip route add default via 203.0.113.5
		echo 1 > /proc/sys/net/ipv4/ip_forward'
	in_world sh -c 'ip link set lo up; ip link set up0 up; ip address add 203.0.113.5/24 dev up0
		for a in 10.1.2.3 169.254.169.254 172.16.5.5 192.168.7.7 100.64.3.3; do ip address add $a/32 dev lo; done'
	nsenter --net="$WORLD" socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:'echo here' > /dev/null 2>&1 3>&- &
	SERVERS+=($!)
	eventually in_world sh -c 'ss -Hltn sport = :80 | grep -q .'
	sed 's/^    creations_per_hour: .*/&\n    network: egress/' "$TOP/config/tiers.yaml" > "$WORK/tiers.yaml"
	TIERS=$WORK/tiers.yaml
	PREFIX=(nsenter "--net=$HOST")
}
teardown() {
	sessiond_teardown
	local p
	for p in "${SERVERS[@]}"; do kill "$p" 2> /dev/null; done
}

new_network() {
	unshare --net sleep 1000 > /dev/null 2>&1 3>&- &
	SERVERS+=($!)
	printf -v "$1" '/proc/%d/ns/net' $!
	eventually differ "${!1}"
}
differ() { [ "$(readlink "$1")" != "$(readlink /proc/self/ns/net)" ]; }
in_host() { nsenter --net="$HOST" "$@"; }
in_world() { nsenter --net="$WORLD" "$@"; }
curl() { in_host curl "$@"; }

clean() {
	! in_host ip -o link | grep -q crl || { in_host ip -o link && return 1; }
	[ -z "$(in_host nft list ruleset)" ] || { in_host nft list ruleset && return 1; }
}
ended_with() { # CODE
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .state)" = ended ] && [ "$(field .exit.code)" = "$1" ]
}
# Each address that answers is a digit of the exit code.
probe='i=1; code=0; for a; do nc -w 10 "${a%:*}" "${a#*:}" < /dev/null 2> /dev/null | grep -q here && code=$((code + i)); i=$((i * 2)); done; exit $code'

@test "egress: the Internet answers, private and link-local ranges do not; the API says which network it was" {
	key=$(key_add ann free)
	daemon_start
	# The control: to the host itself all of them answer.
	for a in 203.0.113.5 10.1.2.3 169.254.169.254 172.16.5.5 192.168.7.7 100.64.3.3; do
		[ "$(in_host busybox nc -w 10 "$a" 80 < /dev/null)" = here ]
	done
	create "$key" "$(jq -nc --arg p "$probe" '{command: ["sh", "-c", $p, "sh", "203.0.113.5:80", "10.1.2.3:80", "169.254.169.254:80", "172.16.5.5:80", "192.168.7.7:80", "100.64.3.3:80"]}')"
	[ "$(field .network)" = egress ]
	eventually ended_with 1
	[ "$(field .network)" = egress ]
	eventually clean
	api "$key" GET /v1/me
	[ "$(field .limits.network)" = egress ]
}

@test "none, which is the default, has no network" {
	TIERS=$TOP/config/tiers.yaml
	key=$(key_add ann free)
	daemon_start
	create "$key" '{"command": ["sh", "-c", "[ $(grep -c : /proc/net/dev) = 1 ] && exit 9"]}'
	[ "$(field .network)" = none ]
	eventually ended_with 9
	[ -z "$(in_host nft list ruleset)" ]
}

@test "two sandboxes have addresses of their own and do not reach each other" {
	key=$(key_add ann free)
	daemon_start
	create "$key" '{"command": ["sh", "-c", "while :; do echo here | nc -l -p 8080; done"]}'
	first=$(in_host ip -4 neigh show dev carrel0 | awk '{print $1; exit}')
	first=${first:-10.209.0.2}
	eventually in_host sh -c "busybox nc -w 1 $first 8080 < /dev/null | grep -q here"
	create "$key" "$(jq -nc --arg p "$probe" --arg a "$first:8080" '{command: ["sh", "-c", $p, "sh", "203.0.113.5:80", $a]}')"
	eventually ended_with 1
}

@test "kill -9 of the shims, of the daemon, and of both leaves no link, rule or route" {
	key=$(key_add ann free)
	daemon_start --lasting
	shims() { pgrep -f "carrel-shim --dir $RUN/sandboxes/$1" || true; }
	create "$key" '{"command": ["sleep", "1000"]}'
	in_host ip -o link | grep -q crl
	kill -9 $(shims "$box")
	eventually clean
	create "$key" '{"command": ["sleep", "1000"]}'
	kill -9 "$DAEMON" $(shims "$box")
	wait "$DAEMON" || true
	! clean 2> /dev/null > /dev/null || return 1
	daemon_start --lasting
	eventually clean
	# A daemon alone that is killed takes nothing along.
	create "$key" '{"command": ["sleep", "1000"]}'
	kill -9 "$DAEMON"
	wait "$DAEMON" || true
	daemon_start --lasting
	in_host ip -o link | grep -q crl
	api "$key" DELETE "/v1/sandboxes/$box"
	eventually clean
}

@test "a switch that is off is the start's error, and a network that is none the daemon's" {
	in_host sh -c 'echo 0 > /proc/sys/net/ipv4/ip_forward'
	key=$(key_add ann free)
	daemon_start
	api "$key" POST /v1/sandboxes '{}'
	expect 500
	grep -q 'net.ipv4.ip_forward is 0' "$WORK/log"
	clean
	daemon_stop
	for row in '10.209.0.0 is no IPv4 network' '10.209.0.1/16 has bits behind' '10.209.0.0/24 has addresses for'; do
		options
		run in_host timeout 20 "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" --network "${row%% *}"
		[ "$status" -ne 0 ]
		[[ $output == *"${row#* }"* ]]
	done
	sed -i 's/network: egress/network: all/' "$WORK/tiers.yaml"
	run in_host timeout 20 "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}"
	[[ $output == *'tiers.free.network'*'is neither none nor egress'* ]]
}
