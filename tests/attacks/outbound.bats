#!/usr/bin/env bats
# The outbound connection: what clients, strangers, a bad dialer and a bad relay may try.

load ../integration/outbound.bash

setup_file() {
	outbound_file
	"$CARREL_BIN/carrel-relay" token h2 > "$BATS_FILE_TMPDIR/h2"
	tail -n 1 "$BATS_FILE_TMPDIR/h2" >> "$BATS_FILE_TMPDIR/pki/hosts"
}
setup() { outbound_setup; }
teardown() {
	[ -z "${PLACE:-}" ] || { kill "$PLACE" 2> /dev/null || true; }
	outbound_teardown
}

outbound() { CLIENT_CA=$PKI/ca.pem CLIENT_HOST=${NAME:-h1.relay.test} timeout 100 "$PYTHON" "$TOP/tests/integration/outbound_client.py" "$@"; }
said() { grep -qF -- "$1" "$WORK/$2.log"; }
raw() { printf "$1" | outbound send "$RELAY"; }
# A process in the daemon's place, which writes down what it gets.
place() { # SOCKET NAME
	"$PYTHON" "$TOP/tests/integration/outbound_client.py" host "$1" "$2" 3>&- &
	PLACE=$!
	eventually test -e "$2.ready"
}

@test "nothing is granted because a request comes through the relay: keys, origins, forwarded names" {
	key=$(key_add ann free)
	daemon_start --origin https://h1.relay.test --listen "unix:$SOCK"
	relay_start
	dialer_start
	dialer_up
	for path in /v1/me /v1/sandboxes /v1/keys /metrics; do
		via - GET "$path"
		expect 401
	done
	via - POST /v1/sandboxes '{}'
	expect 401
	CURL=(-H 'X-Forwarded-For: 127.0.0.1' -H 'Forwarded: for=127.0.0.1;host=localhost' -H 'X-Real-IP: 127.0.0.1' -H 'X-Forwarded-User: ann')
	via - GET /v1/me
	expect 401
	CURL=(-H 'Origin: https://evil.example')
	via "$key" POST /v1/sandboxes '{}'
	expect 403 origin
	CURL=(-H 'Origin: http://localhost')
	via "$key" POST /v1/sandboxes '{}'
	expect 403 origin
	# No administrator's page either.
	CURL=()
	via "$key" GET /v1/keys
	expect 403
	# Positive control: a key, and the host's own origin.
	via "$key" GET /v1/me
	expect 200 ann
	CURL=(-H 'Origin: https://h1.relay.test')
	via "$key" POST /v1/sandboxes '{}'
	expect 201
}

@test "without its token nobody dials in as a host, and none takes another's place" {
	relay_start
	good=$(head -n 1 "$PKI/h1") other=$(head -n 1 "$BATS_FILE_TMPDIR/h2")
	for token in - crt_wrong "$other" "${good%?}" "${good}x" "$(tail -n 1 "$PKI/h1" | cut -d' ' -f2)"; do echo "h1 $token good"; done > "$WORK/rows"
	for host in nobody ../h1 H1 - h1.relay.test; do echo "$host $good good"; done >> "$WORK/rows"
	outbound dials "$RELAY" < "$WORK/rows" > "$WORK/dialed"
	cat "$WORK/dialed"
	[ "$(grep -c '"status": 401' "$WORK/dialed")" = "$(wc -l < "$WORK/rows")" ]
	# With its own token as another: HELLO has to be of the same host.
	out=$(outbound dial "$RELAY" h1 "$good" other-host)
	[[ "$(jq -r .reason <<< "$out")" == *'another host'* ]]
	# Meanwhile h1's place is still free, and a live one is not moved by any of it.
	dialer_start
	wait_for "said 'connected to relay' dialer"
	out=$(outbound dial "$RELAY" h1 "$other" good)
	[ "$(jq -r .status <<< "$out")" = 401 ]
	outbound dial "$RELAY" h1 "$good" other-host > /dev/null
	[ -z "$(grep 'takes the place' "$WORK/relay.log" || true)" ]
	# Positive control: with its token it does.
	outbound dial "$RELAY" h1 "$good" good > "$WORK/dial" 3>&- &
	dial=$!
	wait_for "said 'takes the place of' relay"
	kill $dial
}

@test "a dialer that breaks the rules is cut off, and nobody else is" {
	key=$(key_add ann free)
	daemon_start --listen "unix:$SOCK"
	relay_start
	dialer_start
	dialer_up
	good=$(head -n 1 "$BATS_FILE_TMPDIR/h2")
	# What the relay says in its log and, where frames are still understood, in its close frame.
	cat > "$WORK/rows" << 'ROWS'
no-hello before HELLO
two-hellos a second one
version version 9
streams 0 streams
window a window of 1
opens from a dialer
unopened was never opened
oversize malformed
huge malformed
unknown unknown type 99
short 1 bytes
unmasked malformed
ROWS
	sed "s|^\([^ ]*\).*|h2 $good \1|" "$WORK/rows" | outbound dials "$RELAY" > "$WORK/dialed"
	[ "$(grep -c '"status": 101' "$WORK/dialed")" = 12 ]
	gone_all() { [ "$(grep -c 'host h2: .* is gone' "$WORK/relay.log")" = 12 ]; }
	wait_for gone_all
	grep 'host h2: .* is gone' "$WORK/relay.log" > "$WORK/gone"
	cut -d' ' -f2- "$WORK/rows" | paste -d'|' - "$WORK/gone" | while IFS='|' read -r why line; do
		[[ $line == *"$why"* ]] || { echo "\"$why\" is not in: $line" && exit 1; }
	done
	# With a client: credit that overflows, bytes behind the end, more than the window.
	for row in 'credit:too much' 'behind-end:behind END' 'window-overrun:were allowed'; do
		: > "$WORK/relay.log"
		outbound dial "$RELAY" h2 "$good" "${row%%:*}" > "$WORK/dial" 3>&- &
		dial=$!
		wait_for "said 'host h2: connected' relay"
		# Not by the function: it is to be ended itself.
		CLIENT_CA=$PKI/ca.pem CLIENT_HOST=h2.relay.test "$PYTHON" "$TOP/tests/integration/outbound_client.py" mute "$RELAY" 'GET / HTTP/1.1\r\nHost: h2.relay.test\r\n\r\n' 3>&- &
		client=$!
		wait_for "grep 'host h2: .* is gone' '$WORK/relay.log' > /dev/null"
		grep 'host h2: .* is gone' "$WORK/relay.log" | grep -qF "${row#*:}"
		kill $client $dial 2> /dev/null || true
		wait $client $dial 2> /dev/null || true
	done
	# Positive control: one that keeps them is used, and h1 was never disturbed.
	outbound dial "$RELAY" h2 "$good" good > "$WORK/dial" 3>&- &
	dial=$!
	wait_for "grep -q up '$WORK/dial'"
	out=$(NAME=h2.relay.test raw 'GET / HTTP/1.1\r\nHost: h2.relay.test\r\n\r\n')
	[[ "$(jq -r .text <<< "$out")" == *ok ]]
	wait $dial
	[ "$(grep -c 'connected to relay' "$WORK/dialer.log")" = 1 ]
	via "$key" GET /v1/me
	expect 200
}

@test "no second request is smuggled: what a host gets is one head and its body" {
	relay_start
	place "$SOCK" "$WORK/got"
	dialer_start
	wait_for "said 'connected to relay' dialer"
	n=0
	# sees REQUEST: how many requests the host saw, and the answers.
	sees() {
		out=$(raw "$1")
		n=$((n + 1))
		wait_for "[ -e '$WORK/got.$n' ]"
	}
	h='Host: h1.relay.test\r\n'
	# Positive control: one request with a body arrives as it is, but for the words about the way.
	sees "POST /a HTTP/1.1\r\n${h}Content-Length: 5\r\nX-Forwarded-For: 127.0.0.1\r\nForwarded: for=x\r\n\r\nhello"
	[ "$(jq -c .status <<< "$out")" = '[200]' ]
	printf 'POST /a HTTP/1.1\r\nHost: h1.relay.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello' | cmp - "$WORK/got.$n"
	# Pipelined, behind a body, and behind an upgrade that was none.
	sees "GET /a HTTP/1.1\r\n${h}\r\nGET /b HTTP/1.1\r\nHost: h2.relay.test\r\n\r\n"
	[ "$(grep -ac HTTP/1.1 "$WORK/got.$n")" = 1 ]
	sees "POST /a HTTP/1.1\r\n${h}Content-Length: 2\r\n\r\nhiGET /b HTTP/1.1\r\n${h}\r\n"
	[ "$(grep -ac HTTP/1.1 "$WORK/got.$n")" = 1 ]
	sees "GET /a HTTP/1.1\r\n${h}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /b HTTP/1.1\r\n${h}\r\n"
	[ "$(grep -ac HTTP/1.1 "$WORK/got.$n")" = 1 ]
	sees "GET /a HTTP/1.1\r\n${h}Connection: keep-alive\r\n\r\nGET /b HTTP/1.1\r\n${h}\r\n"
	grep -aq '^Connection: close' "$WORK/got.$n"
	# Heads that two readers could take in two ways go to nobody.
	outbound heads "$RELAY" '\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n' << HEADS > "$WORK/heads"
POST /a HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\n
POST /a HTTP/1.1\r\n${h}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n
POST /a HTTP/1.1\r\n${h}Content-Length: 4\r\nTransfer-Encoding : chunked\r\n
POST /a HTTP/1.1\r\n${h}Content-Length: 4\r\nContent-Length: 5\r\n
POST /a HTTP/1.1\r\n${h}Content-Length: 4, 5\r\n
POST /a HTTP/1.1\r\n${h}Content-Length: -1\r\n
POST /a HTTP/1.1\r\n${h}X: a\r\n Content-Length: 4\r\n
POST /a HTTP/1.1\r\n${h}X: a\rContent-Length: 4\r\n
POST /a HTTP/1.1\r\n${h}X: a\nContent-Length: 4\r\n
GET /a HTTP/1.1\r\n${h}Host: h2.relay.test\r\n
GET http://h2.relay.test/a HTTP/1.1\r\n${h}
GET /h/h2/../h1/a HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\n
HEADS
	cat "$WORK/heads"
	[ "$(grep -cE '^4[0-9][0-9] ' "$WORK/heads")" = 12 ]
	[ ! -e "$WORK/got.$((n + 1))" ]
}

@test "a browser may not use /h/, where all hosts would be one site to it" {
	key=$(key_add ann free)
	daemon_start --listen "unix:$SOCK"
	relay_start
	dialer_start
	dialer_up
	url=https://$RELAY/h/h1/v1/me
	ask() { curl -sS -m 30 --cacert "$PKI/ca.pem" -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $key" "$@" "$url"; }
	[ "$(ask)" = 200 ]
	[ "$(ask -H 'Cookie: carrel_session=x')" = 403 ]
	[ "$(ask -H "Origin: https://$RELAY")" = 403 ]
	[ "$(ask -H 'Sec-Fetch-Site: same-origin')" = 403 ]
}

@test "heads that dribble, never end or are too many cost the relay a few seconds and nobody a connection" {
	key=$(key_add ann free)
	daemon_start --listen "unix:$SOCK"
	relay_start --head 3s
	dialer_start
	dialer_up
	out=$(raw 'GET / HTTP/1.1\r\nX: ')
	[ "$(jq -c .status <<< "$out")" = '[408]' ]
	out=$({ printf 'GET / HTTP/1.1\r\nX: ' && head -c 20000 /dev/zero | tr '\0' a; } | outbound send "$RELAY")
	[ "$(jq -c .status <<< "$out")" = '[431]' ]
	# A stranger that says nothing, not even in TLS.
	"$PYTHON" - "${RELAY##*:}" << 'PY'
import socket, sys
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(200)]
for s in held:
    s.settimeout(30)
    assert s.recv(1) == b""
PY
	via "$key" GET /v1/me
	expect 200
}
