#!/usr/bin/env bats
# Tickets: once, soon, for one sandbox, by its owner.

load ../integration/sessiond.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	key=$(key_add ann free)
	daemon_start
	create "$key"
}
teardown() { sessiond_teardown; }

issue() { # SANDBOX
	api "$key" POST "/v1/sandboxes/$1/tickets"
	expect 201
	ticket=$(field .ticket)
}
redeem() { # SANDBOX: prints the status
	client shake "$ADDR" "$(terminal "$1")" "Sec-WebSocket-Protocol:carrel.v1, carrel.ticket.$ticket" | jq -r .status
}

@test "a ticket works once" {
	issue "$box"
	[ "$(redeem "$box")" = 101 ]
	[ "$(redeem "$box")" = 401 ]
}

@test "of many who show one ticket at the same moment, one gets in" {
	issue "$box"
	for i in $(seq 12); do redeem "$box" > "$WORK/r$i" 3>&- & done
	wait $(jobs -p | grep -v "^$DAEMON\$")
	[ "$(cat "$WORK"/r* | grep -c 101)" = 1 ]
	[ "$(cat "$WORK"/r* | grep -c 401)" = 11 ]
}

@test "a ticket for one sandbox opens no other, and is spent by the attempt" {
	first=$box
	create "$key"
	issue "$first"
	[ "$(redeem "$box")" = 401 ]
	[ "$(redeem "$first")" = 401 ]
	issue "$first"
	[ "$(redeem "$first")" = 101 ]
}

@test "nobody gets a ticket for somebody else's sandbox" {
	bob=$(key_add bob free)
	api "$bob" POST "/v1/sandboxes/$box/tickets"
	expect 404
	api - POST "/v1/sandboxes/$box/tickets"
	expect 401
}

@test "a ticket is no key, a key is no ticket" {
	issue "$box"
	api "$ticket" GET /v1/me
	expect 401
	ticket=$key
	status=$(redeem "$box")
	[ "$status" = 400 ] || [ "$status" = 401 ]
}

@test "guessed, cut, doubled and empty tickets are refused" {
	issue "$box"
	good=$ticket
	for ticket in "${good:0:42}" "${good}A" "" "$(head -c 43 < /dev/zero | tr '\0' A)" "$(tr 'A-Za-z' 'B-ZAb-za' <<< "$good")"; do
		status=$(redeem "$box")
		[ "$status" = 400 ] || [ "$status" = 401 ] || { echo "ticket $ticket: $status" && return 1; }
	done
	status=$(client shake "$ADDR" "$(terminal "$box")" "Sec-WebSocket-Protocol:carrel.v1, carrel.ticket.$good, carrel.ticket.$good" | jq -r .status)
	[ "$status" = 400 ]
	# Positive control: none of that spent it.
	ticket=$good
	[ "$(redeem "$box")" = 101 ]
}

@test "a removed key takes its tickets along" {
	admin=$(key_add root pro --admin)
	issue "$box"
	api "$admin" DELETE "/v1/keys/${key:4:12}"
	expect 204
	[ "$(redeem "$box")" = 401 ]
	api "$key" GET /v1/me
	expect 401
	# The same by another process, behind the daemon's back.
	key=$(key_add ann free)
	issue "$box"
	options
	"$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key rm "${key:4:12}"
	[ "$(redeem "$box")" = 401 ]
	# Positive control.
	key=$(key_add ann free)
	issue "$box"
	[ "$(redeem "$box")" = 101 ]
}

@test "a ticket expires after 30 seconds" {
	issue "$box"
	sleep 31
	[ "$(redeem "$box")" = 401 ]
	issue "$box"
	[ "$(redeem "$box")" = 101 ]
}

@test "hoarding tickets is limited per user and hurts nobody else" {
	bob=$(key_add bob free)
	codes=$(for i in $(seq 70); do
		curl -s -o /dev/null -w '%{http_code}\n' -X POST -H "Authorization: Bearer $key" "http://$ADDR/v1/sandboxes/$box/tickets"
	done | sort | uniq -c | awk '{print $2 ":" $1}' | tr '\n' ' ')
	[ "$codes" = "201:64 429:6 " ]
	create "$bob"
	api "$bob" POST "/v1/sandboxes/$box/tickets"
	expect 201
}

@test "a viewer's ticket is for watching, whatever its holder asks for; the role is one of two" {
	api "$key" POST "/v1/sandboxes/$box/tickets" '{"role":"viewer"}'
	expect 201
	[ "$(field .role)" = viewer ]
	ticket=$(field .ticket)
	out=$("$PYTHON" - "$TOP/tests/integration" "$ADDR" "$(terminal "$box")?role=writer&cols=66&rows=11" "$ticket" << 'PY'
import json, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import sessiond_client as sc
ws = sc.Socket(sys.argv[2], sys.argv[3], [("Sec-WebSocket-Protocol", "carrel.v1, carrel.ticket." + sys.argv[4])])
t = sc.Terminal(ws)
while not t.hello:
    t.step()
ws.send(b"\x15\x01")
ws.send(b"\x10echo evil-$((40+2))\n")
ws.send(b"\x11\x00\x42\x00\x0b")
ws.send(b"behind", 9)
while ws.recv_any()[0] != 10:
    pass
print(json.dumps([t.hello["role"], t.hello["process"]]))
PY
	)
	[ "$out" = '["viewer", 1]' ]
	# The control: the owner's own connection types, and sees that nobody did before it.
	out=$(client talk "$ADDR" "$(terminal "$box")?since=0" "$key" 'echo good-$((40+2)); stty size\n' '24 80')
	[ "$(jq -r .found <<< "$out")" = true ]
	[[ "$(jq -r .output <<< "$out")" == *good-42* && "$(jq -r .output <<< "$out")" != *evil* ]]
	# And a ticket without a role is a writer's.
	api "$key" POST "/v1/sandboxes/$box/tickets" '{}'
	[ "$(field .role)" = writer ]
	for bad in '{"role":"admin"}' '{"role":1}' '{"roles":"viewer"}' '[]'; do
		api "$key" POST "/v1/sandboxes/$box/tickets" "$bad"
		expect 400
	done
}
