#!/usr/bin/env bats
# Cross-site WebSocket hijacking and request forgery: what a foreign page can make a visitor's browser send.

load ../integration/sessiond.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	key=$(key_add ann free)
}
teardown() { sessiond_teardown; }

fresh_ticket() {
	api "$key" POST "/v1/sandboxes/$box/tickets"
	expect 201
	ticket=$(field .ticket)
}
shake_from() { # ORIGIN: with a ticket that is good
	fresh_ticket
	client shake "$ADDR" "$(terminal "$box")" "Origin:$1" "Sec-WebSocket-Protocol:carrel.v1, carrel.ticket.$ticket" | jq -r .status
}

@test "a WebSocket from a foreign origin is refused, even with a good ticket" {
	daemon_start --origin https://ide.example
	create "$key"
	port=${ADDR##*:}
	# Positive control: the daemon's own origins and the one on the list.
	for origin in "http://127.0.0.1:$port" "http://localhost:$port" https://ide.example; do
		[ "$(shake_from "$origin")" = 101 ] || { echo "$origin was refused" && return 1; }
	done
	for origin in null "" https://evil.example "http://127.0.0.1" "http://127.0.0.1:1$port" "https://127.0.0.1:$port" \
		"http://127.0.0.1:$port.evil.example" "http://127.0.0.1:$port@evil.example" "http://evil.example:$port" \
		"HTTP://127.0.0.1:$port" "http://127.0.0.1:$port/" "http://127.0.0.2:$port" "http://[::1]:$port" \
		https://ide.example.evil.example https://a.ide.example http://ide.example https://ide.example:8443 \
		"https://IDE.EXAMPLE" "file://" "https://ide.example, https://evil.example"; do
		status=$(shake_from "$origin")
		[ "$status" = 403 ] || { echo "origin \"$origin\": $status" && return 1; }
	done
}

@test "a foreign origin is refused with a key too, and before the key is looked at" {
	daemon_start
	create "$key"
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $key" "Origin:https://evil.example")
	[ "$(jq -r .status <<< "$out")" = 403 ]
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer wrong" "Origin:https://evil.example")
	[ "$(jq -r .status <<< "$out")" = 403 ]
	# Positive control: a program without Origin.
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $key")
	[ "$(jq -r .status <<< "$out")" = 101 ]
}

@test "without an Origin a ticket or key is needed all the same; a cookie opens no terminal" {
	daemon_start
	create "$key"
	login
	out=$(client shake "$ADDR" "$(terminal "$box")")
	[ "$(jq -r .status <<< "$out")" = 401 ]
	out=$(client shake "$ADDR" "$(terminal "$box")" "Cookie:$cookie")
	[ "$(jq -r .status <<< "$out")" = 401 ]
	out=$(client shake "$ADDR" "$(terminal "$box")" "Cookie:$cookie" "Origin:http://$ADDR")
	[ "$(jq -r .status <<< "$out")" = 401 ]
}

login() {
	CURL=(-H "Origin: http://$ADDR")
	api - POST /v1/session "{\"key\":\"$key\"}"
	expect 201
	cookie=$(header set-cookie | cut -d';' -f1)
	CURL=()
}

@test "a cookie changes nothing without this server's Origin" {
	daemon_start
	create "$key"
	login
	# Positive control.
	CURL=(-H "Cookie: $cookie" -H "Origin: http://$ADDR")
	api - POST "/v1/sandboxes/$box/tickets"
	expect 201
	for origin in https://evil.example null "http://localhost:1" "http://$ADDR.evil.example"; do
		CURL=(-H "Cookie: $cookie" -H "Origin: $origin")
		api - POST /v1/sandboxes '{}'
		expect 403 origin
		api - DELETE "/v1/sandboxes/$box"
		expect 403 origin
		api - POST "/v1/sandboxes/$box/tickets"
		expect 403 origin
		api - GET /v1/sandboxes
		expect 403 origin
		api - DELETE /v1/session
		expect 403 origin
	done
	# A form or an image of a foreign page sends no Origin in some browsers.
	CURL=(-H "Cookie: $cookie")
	api - DELETE "/v1/sandboxes/$box"
	expect 403 origin
	api - POST /v1/sandboxes '{}'
	expect 403 origin
	api - GET "/v1/sandboxes/$box"
	expect 200 running
}

@test "no foreign page logs a visitor in, and no answer allows one to read" {
	daemon_start
	CURL=(-H "Origin: https://evil.example")
	api - POST /v1/session "{\"key\":\"$key\"}"
	expect 403 origin
	[ -z "$(header set-cookie)" ]
	CURL=(-H "Origin: https://evil.example")
	api "$key" GET /v1/me
	[ -z "$(header access-control-allow-origin)" ]
	CURL=(-H "Origin: https://evil.example" -H "Access-Control-Request-Method: POST")
	api - OPTIONS /v1/sandboxes
	[ "$code" != 200 ]
	[ -z "$(header access-control-allow-origin)" ]
}

@test "Host has no say in what the own origin is" {
	daemon_start
	create "$key"
	fresh_ticket
	out=$(client shake "$ADDR" "$(terminal "$box")" "Host:evil.example" "Origin:http://evil.example" \
		"Sec-WebSocket-Protocol:carrel.v1, carrel.ticket.$ticket")
	[ "$(jq -r .status <<< "$out")" = 403 ]
	CURL=(-H "Host: evil.example" -H "Origin: http://evil.example")
	api "$key" POST /v1/sandboxes '{}'
	expect 403 origin
}

@test "the page cannot be framed, sniffed or made to load what is not its own" {
	daemon_start
	daemon_stop
	echo '<!doctype html><title>x</title>' > "$WORK/web/index.html"
	daemon_start
	api - GET /
	expect 200 doctype
	[[ "$(header content-security-policy)" == *"default-src 'none'"*"frame-ancestors 'none'"* ]]
	[[ "$(header content-security-policy)" == *"script-src 'self';"* ]]
	[ "$(header x-content-type-options)" = nosniff ]
	[ "$(header referrer-policy)" = no-referrer ]
	[ "$(header cache-control)" = no-store ]
	CURL=(-H "If-None-Match: $(header etag)")
	api - GET /
	expect 304
	CURL=()
	api - GET /../../../etc/passwd
	[ "$code" != 200 ]
	CURL=(--path-as-is)
	for path in /../state/carrel.db /%2e%2e/state/carrel.db /..%2fstate/carrel.db //etc/passwd /assets/../index.html /./index.html; do
		api - GET "$path"
		[ "$code" = 400 ] || [ "$code" = 404 ] || { echo "$path: $code" && return 1; }
	done
}
