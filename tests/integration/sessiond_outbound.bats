#!/usr/bin/env bats
# A daemon that nobody reaches but through a dialer and a relay.

load outbound.bash

setup_file() { outbound_file; }
setup() { outbound_setup; }
teardown() {
	for p in "${HELPERS[@]}"; do kill $p 2> /dev/null || true; done
	outbound_teardown
}
HELPERS=()

everything_up() { # [OPTION OF THE DIALER...]
	key=$(key_add ann free)
	daemon_start --lasting --listen "unix:$SOCK"
	relay_start
	dialer_start "$@"
	dialer_up
}
outbound() { CLIENT_CA=$PKI/ca.pem CLIENT_HOST=h1.relay.test timeout 150 "$PYTHON" "$TOP/tests/integration/outbound_client.py" "$@"; }
said() { grep -qF -- "$1" "$WORK/$2.log"; }

@test "a sandbox is made, used and deleted through the relay; by the host's name and by path" {
	everything_up
	via "$key" POST /v1/sandboxes '{}'
	expect 201
	box=$(field .id)
	out=$(via_client talk "$RELAY" "$(terminal "$box")" "$key" 'echo x-$((1+1))\n' 'x-2')
	[ "$(jq -r .found <<< "$out")" = true ]
	# By path, for programs; the same daemon answers.
	code=$(curl -sS -m 30 --cacert "$PKI/ca.pem" -o "$WORK/body" -w '%{http_code}' -H "Authorization: Bearer $key" "https://$RELAY/h/h1/v1/sandboxes/$box")
	body=$(cat "$WORK/body")
	expect 200 running
	via "$key" DELETE "/v1/sandboxes/$box"
	expect 204
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .state)" = ended ]
	# An answer that is larger than a window, whole.
	via - GET /nothing-here
	expect 404
}

@test "a host that is away, or unknown, is 502 as a problem" {
	relay_start
	via - GET /healthz
	expect 502 'urn:carrel:problem:host-away'
	[ "$(header content-type)" = application/problem+json ]
	code=$(curl -sS --cacert "$PKI/ca.pem" -o "$WORK/body" -w '%{http_code}' "https://$RELAY/h/nobody/healthz")
	body=$(cat "$WORK/body")
	expect 502 'the host is not connected'
	# And so is one whose daemon is away.
	dialer_start
	wait_for 'said "connected from" relay'
	via - GET /healthz
	expect 502 'gave no answer'
	said 'outbound' dialer || said out.sock dialer
}

@test "kill -9 of dialer, relay and daemon in the middle of output: nothing lost, nothing twice" {
	everything_up
	create "$key"
	outbound resume "$RELAY" "$(terminal "$box")" "$key" "$WORK/r" > "$WORK/resumed" 3>&- &
	client=$!
	eventually test -e "$WORK/r.ready"
	# The daemon first: an open terminal does not notice.
	daemon_stop KILL
	daemon_start --lasting --listen "unix:$SOCK"
	stop DIALER KILL
	wait_for '[ "$(cat "$WORK/r.count" 2> /dev/null)" = 0 ]'
	away() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .live.clients)" = 0 ]; }
	wait_for away
	dialer_start
	dialer_up
	back() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .live.clients)" = 1 ]; }
	wait_for back
	stop RELAY_PID KILL
	wait_for '[ "$(cat "$WORK/r.count" 2> /dev/null)" = 1 ]'
	wait_for away
	relay_start
	wait_for back
	touch "$WORK/r.stop"
	wait $client
	cat "$WORK/resumed"
	[ "$(jq -r .whole "$WORK/resumed")" = true ]
	[ "$(jq -r .cuts "$WORK/resumed")" = 2 ]
	[ "$(jq -r .jumps "$WORK/resumed")" = 0 ]
	[ "$(jq -r .lines "$WORK/resumed")" -gt 10 ]
	api "$key" DELETE "/v1/sandboxes/$box"
}

rss() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }

@test "clients that do not read stall nobody else, and take a bounded amount of memory" {
	everything_up
	create "$key"
	stalled=$box
	create "$key"
	outbound pace "$RELAY" "$(terminal "$box")" "$key" 3 > /dev/null
	relay_before=$(rss $RELAY_PID) dialer_before=$(rss $DIALER)
	outbound stall "$RELAY" "$(terminal "$stalled")" "$key" 4 "$WORK/s" > "$WORK/stall.out" 2>&1 3>&- &
	staller=$!
	wait_for '[ -e "$WORK/s.ready" ] || gone $staller'
	out=$(outbound pace "$RELAY" "$(terminal "$box")" "$key" 8)
	echo "$out"
	[ "$(jq '.longest < 10000' <<< "$out")" = true ]
	# Four windows each, and what the allocator and a sanitizer keep beside them.
	echo "relay $relay_before to $(rss $RELAY_PID), dialer $dialer_before to $(rss $DIALER) KiB"
	[ $(($(rss $RELAY_PID) - relay_before)) -lt 32768 ]
	[ $(($(rss $DIALER) - dialer_before)) -lt 32768 ]
	touch "$WORK/s.stop"
	wait $staller
	api "$key" DELETE "/v1/sandboxes/$box"
	api "$key" DELETE "/v1/sandboxes/$stalled"
}

@test "a wrong token is told in one sentence and tried again seldom; a token on disk is nobody else's" {
	relay_start
	(umask 077 && echo crt_wrong > "$WORK/token")
	dialer_start --token-file "$WORK/token"
	wait_for "said \"it refuses this host's token (401)\" dialer"
	said 'trying again in 300 s' dialer
	said 'a dialer was refused' relay
	[ "$(grep -c 'trying again' "$WORK/dialer.log")" = 1 ]
	stop DIALER
	chmod 644 "$WORK/token"
	fails_with 'chmod 600 it' timeout 20 "$CARREL_BIN/carrel-dialer" --relay wss://x --host h1 --token-file "$WORK/token"
	# It is in no command line and in no log.
	dialer_start
	wait_for 'said "connected to relay" dialer'
	[ -z "$(grep -F "$(cat "$PKI/h1.token")" "$WORK/dialer.log" "$WORK/relay.log" || true)" ]
	[ -z "$(tr '\0' '\n' < "/proc/$DIALER/cmdline" | grep -F "$(cat "$PKI/h1.token")" || true)" ]
}

@test "the relay's certificate: a foreign authority, another name and an expired one are refused" {
	other=$WORK/other.pem
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -out "$other" -days 2 -subj /CN=other 2> /dev/null
	relay_start
	dialer_start --ca-file "$other"
	wait_for "said 'its certificate is refused: unable to get local issuer' dialer"
	stop DIALER
	dialer_start --relay "wss://localhost:${RELAY##*:}"
	wait_for "said 'its certificate is refused: hostname mismatch' dialer"
	stop DIALER
	stop RELAY_PID
	cert old -1 IP:127.0.0.1
	CERT=old relay_start
	dialer_start
	wait_for "said 'its certificate is refused: certificate has expired' dialer"
	stop DIALER
	stop RELAY_PID
	# The control: the good one.
	[ -z "$(grep 'connected to relay' "$WORK/dialer.log" || true)" ]
	relay_start
	dialer_start
	wait_for "said 'connected to relay' dialer"
	fails_with 'insist with --insecure-plain' timeout 20 "$CARREL_BIN/carrel-dialer" --relay ws://127.0.0.1:1 --host h1 --token-file "$PKI/h1.token"
}

helper() { # NAME-OF-VARIABLE FILE ARGUMENT...: outbound_client.py in the background until the test ends; its port in FILE
	local name=$1 file=$2
	shift 2
	: > "$file"
	"$PYTHON" "$TOP/tests/integration/outbound_client.py" "$@" > "$file" 2> "$file.err" 3>&- &
	printf -v "$name" '%s' $!
	HELPERS+=($!)
	wait_for "[ -s '$file' ] || gone ${!name}"
}
lines_of() { wc -l < "$1"; }
connections() { grep -c 'connected to relay' "$WORK/dialer.log" || true; }

@test "through a proxy: its password, its refusals, and whose environment is read" {
	relay_start
	port=${RELAY##*:}
	(umask 077 && echo 'ann:pass word' > "$WORK/auth" && echo ann:wrong > "$WORK/wrong")
	helper proxy_process "$WORK/proxy.port" proxy "$WORK/proxied" 'ann:pass word'
	proxy=http://127.0.0.1:$(cat "$WORK/proxy.port")
	# The name is the proxy's to find: here nobody knows it. A refusal is not repeated soon, but at once after SIGHUP.
	dialer_start --relay "wss://relay.test:$port" --proxy "$proxy" --proxy-auth-file "$WORK/wrong"
	wait_for "said 'proxy ${proxy#http://}: it refuses the user and password of $WORK/wrong (407); trying again in 300 s' dialer"
	(umask 077 && cp "$WORK/auth" "$WORK/new" && mv "$WORK/new" "$WORK/wrong")
	kill -HUP $DIALER
	wait_for "said 'connected to relay relay.test:$port' dialer"
	[ "$(cat "$WORK/proxied")" = "407 relay.test:$port
200 relay.test:$port" ]
	[ -z "$(grep -F 'pass word' "$WORK/dialer.log" || true)" ]
	stop DIALER
	dialer_start --proxy "$proxy"
	wait_for "said 'it asks for a user and a password (407)' dialer"
	stop DIALER
	# The environment: unasked it is not read, and no_proxy holds.
	lines=$(lines_of "$WORK/proxied") n=$(connections)
	https_proxy=$proxy dialer_start
	wait_for '[ $(connections) -gt $n ]'
	stop DIALER
	n=$(connections)
	https_proxy=$proxy no_proxy=.test,127.0.0.1 dialer_start --proxy environment
	wait_for '[ $(connections) -gt $n ]'
	stop DIALER
	[ "$(lines_of "$WORK/proxied")" = "$lines" ]
	n=$(connections)
	https_proxy=$proxy no_proxy=.test dialer_start --proxy environment --proxy-auth-file "$WORK/auth"
	wait_for '[ $(connections) -gt $n ]'
	[ "$(lines_of "$WORK/proxied")" = $((lines + 1)) ]
	fails_with 'belong in a file' timeout 20 "$CARREL_BIN/carrel-dialer" --relay wss://x --host h1 --token-file "$PKI/h1.token" --proxy http://u:p@x:1
	# One that is away.
	stop DIALER
	kill $proxy_process
	wait_for "gone $proxy_process"
	dialer_start --proxy "$proxy"
	wait_for "said 'relay $RELAY: proxy ${proxy#http://}: 127.0.0.1:${proxy##*:}: Connection refused' dialer"
}

@test "a certificate of the dialer's own: shown to who asks for it, renewed by SIGHUP" {
	relay_start
	cert one 2 DNS:one
	cert two 2 DNS:two
	helper front_process "$WORK/front.port" front "$RELAY" "$PKI/relay.pem" "$PKI/relay.key" "$PKI/ca.pem" 0 "$WORK/shown"
	port=$(cat "$WORK/front.port")
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$WORK/other.key" -out "$WORK/other.pem" -days 2 -subj /CN=other 2> /dev/null
	through() { dialer_start --relay "wss://127.0.0.1:$port" "$@"; }
	through
	wait_for "said 'it asks for a certificate of ours, and there is none' dialer"
	stop DIALER
	through --certificate "$WORK/other.pem" --key "$WORK/other.key"
	wait_for "said 'it refuses our certificate' dialer"
	stop DIALER
	[ ! -s "$WORK/shown" ]
	install -m 600 "$PKI/one.pem" "$PKI/one.key" "$WORK/"
	through --certificate "$WORK/one.pem" --key "$WORK/one.key"
	wait_for "said 'connected to relay' dialer"
	[ "$(cat "$WORK/shown")" = one ]
	# A pair that is none changes nothing; a good one is what the next connection shows.
	install -m 600 "$PKI/two.key" "$WORK/one.key"
	kill -HUP $DIALER
	wait_for "said 'read again: key $WORK/one.key: it does not belong to certificate $WORK/one.pem' dialer"
	install -m 600 "$PKI/two.pem" "$WORK/one.pem"
	kill -HUP $DIALER
	wait_for "said 'passwords are read again' dialer"
	kill $front_process
	helper front_process "$WORK/front.port" front "$RELAY" "$PKI/relay.pem" "$PKI/relay.key" "$PKI/ca.pem" "$port" "$WORK/shown"
	wait_for '[ "$(tail -n 1 "$WORK/shown")" = two ]'
	stop DIALER
	chmod 644 "$WORK/one.key"
	start() { timeout 20 "$CARREL_BIN/carrel-dialer" --relay wss://x --host h1 --token-file "$PKI/h1.token" "$@"; }
	fails_with 'chmod 600 it' start --certificate "$WORK/one.pem" --key "$WORK/one.key"
	fails_with 'one needs the other' start --certificate "$WORK/one.pem"
	fails_with 'it holds no certificate' start --certificate "$PKI/h1.token" --key "$PKI/two.key"
	(umask 077 && openssl pkey -in "$PKI/two.key" -aes128 -passout pass:x -out "$WORK/locked.key")
	fails_with 'it is encrypted' start --certificate "$PKI/two.pem" --key "$WORK/locked.key"
}

@test "a name server that is silent holds nothing up" {
	[ "$(id -u)" = 0 ] || skip 'needs root for a network of its own'
	echo 'nameserver 127.0.0.1' > "$WORK/resolv.conf"
	export WORK PYTHON TOP CARREL_BIN PKI
	unshare -n -m sh -c '
		ip link set lo up && mount --bind "$WORK/resolv.conf" /etc/resolv.conf || exit 1
		"$PYTHON" "$TOP/tests/integration/outbound_client.py" dns "$WORK/dns" & dns=$!
		while [ ! -e "$WORK/dns.ready" ]; do sleep 0.05; done
		"$CARREL_BIN/carrel-dialer" --relay wss://relay.carrel.test --host h1 --token-file "$PKI/h1.token" --connect 200ms --retry-min 1ms \
			--retry-max 1ms > "$WORK/dialer.log" 2>&1 & echo $! > "$WORK/pid"
		wait $!; r=$?; kill $dns; exit $r' 3>&- &
	shell=$!
	wait_for "said 'its name is not found within 200 ms' dialer"
	[ -e "$WORK/dns.asked" ]
	# In the middle of the next one.
	kill "$(cat "$WORK/pid")"
	wait $shell
	said 'stopping' dialer
}

@test "waits grow while the relay is away, and a dialer that was silent is left" {
	RELAY=127.0.0.1:1
	dialer_start --retry-min 1ms --retry-max 40ms
	wait_for '[ "$(grep -c "trying again in" "$WORK/dialer.log")" -ge 12 ]'
	stop DIALER
	waits=$(sed -nE 's/.*trying again in ([0-9]+) ms.*/\1/p' "$WORK/dialer.log")
	# 0 to 1, 2, 4, ... 40, drawn.
	awk '{bound = NR > 6 ? 40 : 2 ^ (NR - 1); if ($1 > bound) exit 1} END {exit NR < 12}' <<< "$waits"
	RELAY=
	relay_start
	dialer_start --ping 50ms --dead 400ms --retry-min 10s --retry-max 10s
	wait_for "said 'connected to relay' dialer"
	kill -STOP $RELAY_PID
	wait_for "said 'nothing was heard of the other side' dialer"
	kill -CONT $RELAY_PID
}

@test "the newer of two dialers of a host wins, and one whose token goes is cut" {
	everything_up
	first=$DIALER
	dialer_start
	wait_for "said 'takes the place of' relay"
	wait_for "said 'another dialer of this host came; trying again in 300 s' dialer"
	dialer_up
	kill $first
	wait $first
	dialer_up
	echo '# nobody' > "$HOSTS"
	kill -HUP $RELAY_PID
	wait_for "said 'not valid any more; trying again in 300 s' dialer"
	via - GET /healthz
	expect 502
}

@test "both end in order, and nothing is left: no descriptor in the daemon, no socket" {
	everything_up
	create "$key"
	client talk "$ADDR" "$(terminal "$box")" "$key" 'echo x-$((1+1))\n' 'x-2' > /dev/null
	settled() { [ "$(ls "/proc/$DAEMON/fd" | wc -l)" -le "$1" ]; }
	quiet() { [ "$(ls "/proc/$1/fd" | wc -l)" -le "$2" ]; }
	wait_for 'via - GET /healthz && [ "$code" = 200 ]'
	before=$(ls "/proc/$DAEMON/fd" | wc -l)
	relay_fds=$(ls "/proc/$RELAY_PID/fd" | wc -l) dialer_fds=$(ls "/proc/$DIALER/fd" | wc -l)
	for i in 1 2 3 4 5; do via "$key" GET /v1/me && [ "$code" = 200 ]; done
	via_client open_close "$RELAY" "$(terminal "$box")" "$key" 10
	wait_for "settled $before"
	wait_for "quiet $RELAY_PID $relay_fds"
	wait_for "quiet $DIALER $dialer_fds"
	api "$key" DELETE "/v1/sandboxes/$box"
	stop DIALER
	[ "$STOPPED" = 0 ]
	wait_for "said 'the dialer stops' relay"
	stop RELAY_PID
	[ "$STOPPED" = 0 ]
}

@test "they run without capabilities, under a filter, and as the user that they were given" {
	# A directory that this user can pass.
	OPEN=$(mktemp -d)
	chmod 711 "$OPEN"
	SOCK=$OPEN/out.sock
	key=$(key_add ann free)
	daemon_start --listen "unix:$SOCK,group=nogroup"
	[ "$(stat -c '%a %G' "$SOCK")" = '660 nogroup' ]
	relay_start
	dialer_start --user nobody
	dialer_up
	resolver=$(pgrep -P $DIALER)
	wait_for 'grep -qx "Seccomp:.2" "/proc/$resolver/status"'
	for p in $DIALER $resolver $RELAY_PID; do
		status=$(cat "/proc/$p/status")
		for set in Inh Prm Eff Bnd Amb; do grep -qx "Cap$set:.0000000000000000" <<< "$status"; done
		grep -qx 'NoNewPrivs:.1' <<< "$status"
		grep -qx 'Seccomp:.2' <<< "$status"
	done
	grep -q "^Uid:.$(id -u nobody)" "/proc/$DIALER/status"
	grep -q "^Uid:.$(id -u nobody)" "/proc/$resolver/status"
	rm -rf "$OPEN"
}
