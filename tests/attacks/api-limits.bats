#!/usr/bin/env bats
# Requests that are too big, too slow, too many or of two meanings.

load ../integration/sessiond.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	key=$(key_add ann free)
	daemon_start
}
teardown() { sessiond_teardown; }

healthy() {
	api - GET /healthz
	expect 200 ok
}
raw() { printf "$@" | client raw "$ADDR"; } # printf's FORMAT ARG...

@test "bodies beyond 64 KiB are refused before they are read" {
	head -c 65537 /dev/zero | tr '\0' ' ' > "$WORK/big"
	code=$(curl -s -m 20 -o "$WORK/body" -w '%{http_code}' -H "Authorization: Bearer $key" --data-binary "@$WORK/big" "http://$ADDR/v1/sandboxes")
	[ "$code" = 413 ]
	out=$(raw 'POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 99999999999\r\n\r\n' "$key")
	[ "$(jq -r .status <<< "$out")" = 413 ]
	# Positive control: just below is read, and is a sandbox.
	{ printf '{}' && head -c 65534 /dev/zero | tr '\0' ' '; } > "$WORK/most"
	code=$(curl -s -m 20 -o "$WORK/body" -w '%{http_code}' -H "Authorization: Bearer $key" --data-binary "@$WORK/most" "http://$ADDR/v1/sandboxes")
	[ "$code" = 201 ]
}

@test "JSON bombs: depth, values, numbers, strings, doubled keys, bad UTF-8" {
	bombs=("$(printf '[%.0s' {1..3000})" "$(printf '{"a":%.0s' {1..50})1$(printf '}%.0s' {1..50})"
		"{\"command\":[$(printf '"a",%.0s' {1..5000})\"a\"]}" '{"cols":1e400}' '{"cols":18446744073709551616}'
		'{"cols":80,"cols":81}' '{"cols":80}x' '{"cols":NaN}' '[]' '"x"' 'null' '{' '{"image":"a\ud800"}' "{'cols':80}" $'{"image":"\xff"}'
		'{"image":"a\u0000b"}' '{"env":{"A\u0000":"b"}}')
	for bomb in "${bombs[@]}"; do
		api "$key" POST /v1/sandboxes "$bomb"
		[ "$code" = 400 ] || { echo "${bomb:0:60}: $code" && return 1; }
		[ "$(field .type | cut -d: -f1-3)" = urn:carrel:problem ]
	done
	healthy
	api "$key" GET /v1/me
	[ "$(field .use.sandboxes)" = 0 ]
}

@test "heads beyond 16 KiB end the connection" {
	out=$(raw 'GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n' "$(head -c 20000 /dev/zero | tr '\0' a)")
	[[ "$(jq -r .status <<< "$out")" =~ ^(0|400|413|414|431)$ ]]
	out=$(raw 'GET /%s HTTP/1.1\r\nHost: x\r\n\r\n' "$(head -c 30000 /dev/zero | tr '\0' a)")
	[[ "$(jq -r .status <<< "$out")" =~ ^(0|400|413|414|431)$ ]]
	out=$(raw 'GET /%s HTTP/1.1\r\nHost: x\r\n\r\n' "$(head -c 3000 /dev/zero | tr '\0' a)")
	[ "$(jq -r .status <<< "$out")" = 400 ]
	healthy
}

@test "a request of two lengths is refused (smuggling)" {
	auth="Host: x\r\nAuthorization: Bearer $key\r\n"
	for head in "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" "Content-Length: 2\r\nContent-Length: 3\r\n" \
		"Transfer-Encoding: chunked\r\n" "Content-Length: +2\r\n" "Content-Length: 0x2\r\n" "Content-Length: 2, 2\r\n" \
		"Content-Length: -1\r\n" "Transfer-Encoding: identity\r\nContent-Length: 2\r\n"; do
		out=$(raw "POST /v1/sandboxes HTTP/1.1\r\n$auth$head\r\n{}")
		[[ "$(jq -r .status <<< "$out")" =~ ^(400|411|413|501)$ ]] || { echo "$head: $out" && return 1; }
	done
	for head in "Origin: http://$ADDR\r\nOrigin: https://evil.example\r\n" "Authorization: Bearer $key\r\n" "Host: y\r\n"; do
		out=$(raw "GET /v1/me HTTP/1.1\r\n$auth$head\r\n")
		[ "$(jq -r .status <<< "$out")" = 400 ] || { echo "$head: $out" && return 1; }
	done
	out=$(raw "GET /v1/me HTTP/1.1\r\n$auth""Content-Length: 5\r\n\r\nhello")
	[ "$(jq -r .status <<< "$out")" = 400 ]
	# Positive control.
	out=$(raw "GET /v1/me HTTP/1.1\r\n$auth\r\n")
	[ "$(jq -r .status <<< "$out")" = 200 ]
	api "$key" GET /v1/me
	[ "$(field .use.sandboxes)" = 0 ]
}

@test "slowloris: heads, bodies and second requests that dribble are cut off in time, others are served" {
	for what in head body keepalive; do
		client slow "$ADDR" $what > "$WORK/$what" 3>&- &
	done
	for i in $(seq 20); do
		healthy
		sleep 0.2
	done
	wait $(jobs -p | grep -v "^$DAEMON\$")
	for what in head body; do
		[ "$(jq -r .closed "$WORK/$what")" = true ]
		[ "$(jq -r '.seconds < 30' "$WORK/$what")" = true ]
		[ "$(jq -r '.seconds > 8' "$WORK/$what")" = true ]
	done
	[ "$(jq -r .closed "$WORK/keepalive")" = true ]
}

@test "a crowd of idle connections does not keep others out for longer than the deadline" {
	"$PYTHON" - "$ADDR" > "$WORK/crowd" 3>&- << 'PY'
import socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
idle = []
for _ in range(1100):
    s = socket.socket()
    s.settimeout(30)
    try:
        s.connect((host, int(port)))
        idle.append(s)
    except OSError:
        break
time.sleep(12)
# One deadline (10 s) after the last of them at the latest.
s = socket.create_connection((host, int(port)), timeout=60)
s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
print(len(idle), s.recv(12).decode())
PY
	read -r crowd answer < "$WORK/crowd"
	[ "$crowd" -ge 1000 ]
	[ "$answer" = "HTTP/1.1 200" ]
	healthy
	wait_for '[ "$(ls "/proc/$DAEMON/fd" | wc -l)" -lt 200 ]'
}

@test "clients that vanish in the middle of a creation leave no sandbox unowned and no descriptor" {
	before=$(ls "/proc/$DAEMON/fd" | wc -l)
	for i in 1 2 3; do
		curl -s -m 0.01 -o /dev/null -X POST -H "Authorization: Bearer $key" "http://$ADDR/v1/sandboxes" || true
	done
	api "$key" GET /v1/me
	settled() { [ "$(ls "$RUN/sandboxes" | wc -l)" = "$(sqlite3 "$STATE/carrel.db" "SELECT count(*) FROM sandboxes WHERE state='running'")" ]; }
	eventually settled
	api "$key" GET /v1/sandboxes
	for id in $(field '.items[] | select(.state == "running") | .id'); do
		api "$key" DELETE "/v1/sandboxes/$id"
		expect 204
	done
	back() { [ "$(ls "/proc/$DAEMON/fd" | wc -l)" -le $((before + 1)) ]; }
	eventually back
}

@test "bad handshakes are answered, never handed over" {
	create "$key"
	path=$(terminal "$box")
	auth="Authorization:Bearer $key"
	for change in "Sec-WebSocket-Version:12" "Sec-WebSocket-Version:-" "Upgrade:-" "Connection:close" "Upgrade:h2c"; do
		[ "$(client shake "$ADDR" "$path" "$auth" "$change" | jq -r .status)" = 426 ] || { echo "$change" && return 1; }
	done
	for change in "Sec-WebSocket-Key:-" "Sec-WebSocket-Key:abc" "Sec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAAAAA==" \
		"Sec-WebSocket-Protocol:webtty" "Sec-WebSocket-Protocol:carrel.v2, Tty"; do
		[ "$(client shake "$ADDR" "$path" "$auth" "$change" | jq -r .status)" = 400 ] || { echo "$change" && return 1; }
	done
	for query in 'cols=0&rows=0' 'cols=65536&rows=24' 'cols=80' 'since=-1' 'since=x' 'arg=-c' 'role=admin' 'protocol=v3.channel.k8s.io' 'cols=80&rows=24&cols=90'; do
		[ "$(client shake "$ADDR" "$path?$query" "$auth" | jq -r .status)" = 400 ] || { echo "$query" && return 1; }
	done
	out=$(client shake "$ADDR" "$path?since=999999999" "$auth")
	[ "$(jq -r .close <<< "$out")" = 4400 ]
	# Positive control.
	[ "$(client shake "$ADDR" "$path" "$auth" | jq -r .status)" = 101 ]
}
