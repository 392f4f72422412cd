#!/usr/bin/env bats
# Keys and sessions: never in addresses, logs or files, never good twice when they are for once.

load ../integration/sessiond.bash

setup_file() { sessiond_store; }
setup() { sessiond_setup; }
teardown() { sessiond_teardown; }

@test "a key in an address is refused and not logged" {
	key=$(key_add ann free)
	daemon_start
	for path in "/v1/me?key=$key" "/v1/me?token=x" "/v1/me?access_token=$key" "/v1/sandboxes/$key" "/$key" "/?x=$key" \
		"/v1/me?KEY=1" "/v1/me?x=a%63rl_$key"; do
		api - GET "$path"
		expect 400 key-in-url || { echo "$path" && return 1; }
	done
	create "$key"
	for query in "ticket=x" "token=x" "key=$key"; do
		out=$(client shake "$ADDR" "$(terminal "$box")?$query" "Authorization:Bearer $key")
		[ "$(jq -r .status <<< "$out")" = 400 ]
	done
	daemon_stop
	# Positive control: the log has these requests and the key's user, and no secret.
	grep -q 'user=ann' "$WORK/log"
	[ "$(grep -c ' 400 ' "$WORK/log")" -ge 11 ]
	[ -z "$(grep -F "${key:17}" "$WORK/log" || true)" ]
}

# The word that is looked for is on nobody's command line for that.
command_lines_with() { cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\0' '\n' | grep -aF -f <(printf '%s\n' "$1") || true; }

@test "no secret is in the database, the log, the run directory or the process list" {
	key=$(key_add ann free)
	daemon_start --first-use-key --log-level debug
	first=${FIRST##*key=}
	create "$key" '{"env":{"SECRET":"in-the-sandbox"}}'
	CURL=(-H "Origin: http://$ADDR")
	api - POST /v1/session "{\"key\":\"$first\"}"
	cookie=$(header set-cookie | sed -E 's/[^=]*=([^;]*).*/\1/')
	CURL=()
	api "$key" POST "/v1/sandboxes/$box/tickets"
	ticket=$(field .ticket)
	for secret in "${key:17}" "${first:17}" "${cookie:17}" "$ticket"; do
		[ ${#secret} = 43 ]
		found=$(grep -rlF -- "$secret" "$STATE" "$RUN" "$WORK/log" || true)
		[ -z "$found" ] || { echo "$found" && return 1; }
		[ -z "$(command_lines_with "$secret")" ]
	done
	# Positive control: what is meant to be there is found by the same means.
	(exec -a "$ticket" sleep 1000) 3>&- &
	sleeper=$!
	wait_for '[ -n "$(command_lines_with "$ticket")" ]'
	kill $sleeper
	grep -rqF ann "$STATE"
	grep -rqF "$box" "$STATE" "$WORK/log"
}

@test "a first-use key opens one session, also when it is tried many times at once" {
	daemon_start --first-use-key
	first=${FIRST##*key=}
	[[ $FIRST == "http://$ADDR/#key=crl_"* ]]
	api "$first" GET /v1/me
	expect 401
	for i in $(seq 10); do
		curl -s -o /dev/null -w '%{http_code}\n' -X POST --data-binary "{\"key\":\"$first\"}" "http://$ADDR/v1/session" > "$WORK/s$i" 3>&- &
	done
	wait $(jobs -p | grep -v "^$DAEMON\$")
	[ "$(cat "$WORK"/s* | grep -c 201)" = 1 ]
	[ "$(cat "$WORK"/s* | grep -c 401)" = 9 ]
}

@test "a session's cookie is out of reach of scripts and other sites, and ends" {
	key=$(key_add ann free)
	daemon_start
	CURL=(-H "Origin: http://$ADDR")
	api - POST /v1/session "{\"key\":\"$key\"}"
	expect 201
	set_cookie=$(header set-cookie)
	[[ $set_cookie == *HttpOnly* && $set_cookie == *SameSite=Strict* && $set_cookie == *Path=/* ]]
	cookie=${set_cookie%%;*}
	CURL=(-H "Cookie: $cookie" -H "Origin: http://$ADDR")
	api - GET /v1/me
	expect 200 ann
	api - DELETE /v1/session
	expect 204
	api - GET /v1/me
	expect 401
	# Somebody else's value, a doubled cookie, a key as cookie.
	for bad in "carrel_session=crs_x" "$cookie; $cookie" "carrel_session=$key" "carrel_session=" "x$cookie"; do
		CURL=(-H "Cookie: $bad")
		api - GET /v1/me
		expect 401 || { echo "$bad" && return 1; }
	done
}

@test "wrong keys are refused alike, and a wrong key beside a good cookie is wrong" {
	key=$(key_add ann free)
	daemon_start
	last=$([ "${key: -1}" = A ] && echo B || echo A)
	for bad in "" x "crl_" "${key:0:59}" "${key}A" "${key:0:59}$last" "${key/crl_/crs_}" "${key:0:4}aaaaaaaaaaaa${key:16}" "$(printf 'a%.0s' {1..9000})"; do
		api "$bad" GET /v1/me
		expect 401 || { echo "key ${bad:0:80}: $code" && return 1; }
		[ "$(header www-authenticate)" = Bearer ]
	done
	CURL=(-H "Authorization: Basic $(printf 'ann:%s' "$key" | base64 -w0)")
	api - GET /v1/me
	expect 401
	CURL=(-H "Origin: http://$ADDR")
	api - POST /v1/session "{\"key\":\"$key\"}"
	CURL=(-H "Cookie: $(header set-cookie | cut -d';' -f1)" -H "Authorization: Bearer crl_wrong")
	api - GET /v1/me
	expect 401
	CURL=()
	api "$key" GET /v1/me
	expect 200
}

@test "secrets are compared in constant time" {
	objs=$CARREL_BIN/../obj/sessiond
	[ -f "$objs/keys.o" ] || skip "needs the object files of the build ($objs)"
	for o in keys tickets; do
		nm -u "$objs/$o.o" | grep -qw bytes_equal_ct
	done
	# keys.c has nothing else that could compare; tickets.c compares names, which are no secrets.
	[ -z "$(nm -u "$objs/keys.o" | grep -wE 'memcmp|strcmp|strncmp|bcmp' || true)" ]
	# Positive control.
	nm -u "$objs/routes.o" | grep -qwE 'strcmp|memcmp|strncmp'
}

@test "expired and removed keys stop working at once" {
	daemon_start
	key=$(key_add ann free) soon=$(key_add ann free --expires 5s)
	api "$soon" GET /v1/me
	expect 200
	refused() { api "$soon" GET /v1/me && [ "$code" = 401 ]; }
	wait_for refused
	api "$key" GET /v1/me
	expect 200
	options
	"$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key rm "${key:4:12}"
	api "$key" GET /v1/me
	expect 401
}

@test "the daemon binds no outside address unless it is insisted on" {
	options
	for address in 0.0.0.0:0 '[::]:0' 192.0.2.1:7681; do
		run timeout 60 "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" --listen "$address"
		[ "$status" = 1 ]
		[[ "$output" == *--insecure-listen* ]]
	done
	# Positive control.
	key=$(key_add ann free)
	ADDR=0.0.0.0:0
	daemon_start --insecure-listen
	ADDR=127.0.0.1:${ADDR##*:}
	api "$key" GET /v1/me
	expect 200
}

@test "files and sockets of the daemon are its own" {
	daemon_start --listen "unix:$BATS_TEST_TMPDIR/s"
	[ "$(stat -c %a "$STATE")" = 700 ]
	[ "$(stat -c %a "$STATE/carrel.db")" = 600 ]
	[ "$(stat -c %a "$STATE/carrel.db-wal")" = 600 ]
	[ "$(stat -c %a "$RUN/sandboxes")" = 700 ]
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/s")" = 600 ]
	[ "$(curl -s --unix-socket "$BATS_TEST_TMPDIR/s" http://x/healthz)" = ok ]
}
