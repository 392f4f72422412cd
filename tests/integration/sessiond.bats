#!/usr/bin/env bats
# The daemon's API from create to delete, with real sandboxes.

load sessiond.bash

setup_file() { sessiond_store; }
setup() { sessiond_setup; }
teardown() { sessiond_teardown; }

@test "a sandbox is created, listed, shown and deleted" {
	key=$(key_add ann free)
	daemon_start
	create "$key" '{"cols":100,"rows":30,"labels":{"team":"x"},"idle_seconds":60}'
	[ "$(header location)" = "/v1/sandboxes/$box" ]
	[ "$(field .state)" = running ]
	[ "$(field .tier)" = free ]
	[ "$(field .idle_seconds)" = 60 ]
	[ "$(field .lifetime_seconds)" = 7200 ]
	[ "$(field .labels.team)" = x ]
	api "$key" GET /v1/sandboxes
	[ "$(field '.items | length')" = 1 ]
	[ "$(field '.items[0].id')" = "$box" ]
	api "$key" GET "/v1/sandboxes/$box"
	expect 200
	[ "$(field .live.cols)" = 100 ]
	[ "$(field .live.rows)" = 30 ]
	api "$key" DELETE "/v1/sandboxes/$box"
	expect 204
	[ -z "$(ls "$RUN/sandboxes")" ]
	[ -z "$(ls "$RUN/uids")" ]
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .state)" = ended ]
	[ "$(field .exit.reason)" = deleted ]
	api "$key" DELETE "/v1/sandboxes/$box"
	expect 204
	api "$key" GET "/v1/sandboxes/$box"
	expect 404 not-found
}

@test "a terminal speaks over the WebSocket, and input behind the handshake is not lost" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	out=$(client talk "$ADDR" "$(terminal "$box")?cols=90&rows=33" "$key" 'echo a-$((6*7)); stty size\n' '33 90')
	[ "$(jq -r .found <<< "$out")" = true ]
	[[ "$(jq -r .output <<< "$out")" == *a-42* ]]
	[ "$(jq -r .hello.cols <<< "$out")" = 90 ]
}

@test "since gives the exact bytes that followed" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	first=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'echo one-$((1+1))\n' 'one-2')
	next=$(jq -r .next <<< "$first")
	second=$(client talk "$ADDR" "$(terminal "$box")?since=$next" "$key" 'echo two-$((1+1))\n' 'two-2')
	[[ "$(jq -r .output <<< "$second")" != *one-2* ]]
	whole=$(client talk "$ADDR" "$(terminal "$box")?since=0" "$key" 'echo end-$((1+1))\n' 'end-2')
	[[ "$(jq -r .output <<< "$whole")" == *one-2*two-2* ]]
	[ "$(jq -r .jumps <<< "$whole")" = 0 ]
}

@test "a ticket opens a terminal" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	api "$key" POST "/v1/sandboxes/$box/tickets"
	expect 201
	[ "$(field .expires_in)" = 30 ]
	out=$(client shake "$ADDR" "$(terminal "$box")" "Sec-WebSocket-Protocol:carrel.v1, carrel.ticket.$(field .ticket)" "Origin:http://$ADDR")
	[ "$(jq -r .status <<< "$out")" = 101 ]
	[ "$(jq -r .first <<< "$out")" = 2 ]
}

@test "command, env, cwd and user reach the program" {
	key=$(key_add ann free)
	daemon_start
	create "$key" '{"command":["/bin/sh","-c","echo v=$V $(pwd) $(id -u); exec sh"],"env":{"V":"a b"},"cwd":"/tmp","user":"1000"}'
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" '' 'v=a b /tmp 1000')
	[ "$(jq -r .found <<< "$out")" = true ]
}

@test "resize is seen by the program; after the end it is gone" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	api "$key" POST "/v1/sandboxes/$box/resize" '{"cols":121,"rows":41}'
	expect 204
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'stty size\n' '41 121')
	[ "$(jq -r .found <<< "$out")" = true ]
	api "$key" POST "/v1/sandboxes/$box/resize" '{"cols":0,"rows":41}'
	expect 400 cols
	api "$key" POST "/v1/sandboxes/$box/resize" '{"cols":10}'
	expect 400 rows
	client talk "$ADDR" "$(terminal "$box")" "$key" 'exit 3\n' EOF
	ended() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .state)" = ended ]; }
	eventually ended
	api "$key" POST "/v1/sandboxes/$box/resize" '{"cols":10,"rows":10}'
	expect 410 exited
}

@test "the exit code is kept, and a late client is told by the close code" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'exit 7\n' EOF)
	[ "$(jq -r .exit.code <<< "$out")" = 7 ]
	[ "$(jq -r .close <<< "$out")" = 1000 ]
	ended() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .state)" = ended ]; }
	eventually ended
	[ "$(field .exit.reason)" = exited ]
	[ "$(field .exit.code)" = 7 ]
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $key")
	[ "$(jq -c '[.exit.reason,.exit.code,.exit.signal,.close]' <<< "$out")" = '["exited",7,0,1000]' ]

	create "$key"
	api "$key" DELETE "/v1/sandboxes/$box"
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $key")
	[ "$(jq -r .status <<< "$out")" = 101 ]
	[ "$(jq -r .close <<< "$out")" = 4410 ]
}

@test "the lifetime ends a sandbox and says so" {
	key=$(key_add ann free)
	daemon_start
	create "$key" '{"lifetime_seconds":1,"idle_seconds":1}'
	ended() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .state)" = ended ]; }
	eventually ended
	[[ "$(field .exit.reason)" =~ ^(lifetime|idle)$ ]]
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $key")
	[[ "$(jq -r .close <<< "$out")" =~ ^(4008|4009)$ ]]
}

@test "ended sandboxes are forgotten after --keep-ended" {
	key=$(key_add ann free)
	daemon_start --keep-ended 1s
	create "$key"
	api "$key" DELETE "/v1/sandboxes/$box"
	api "$key" GET "/v1/sandboxes/$box"
	expect 200
	gone() { api "$key" GET "/v1/sandboxes/$box" && [ "$code" = 404 ]; }
	eventually gone
}

@test "an image that is not there is a clear error and costs nothing" {
	key=$(key_add ann free)
	daemon_start
	api "$key" POST /v1/sandboxes '{"image":"nosuch"}'
	expect 400 nosuch
	api "$key" GET /v1/me
	[ "$(field .use.sandboxes)" = 0 ]
	[ "$(field .use.creations_last_hour)" = 0 ]
	[ -z "$(ls "$RUN/sandboxes" "$RUN/uids" | grep -v :)" ]
}

@test "a list comes in pages" {
	key=$(key_add ann pro)
	daemon_start
	for i in 1 2 3; do create "$key"; done
	api "$key" GET '/v1/sandboxes?limit=2'
	[ "$(field '.items | length')" = 2 ]
	next=$(field .next)
	[ "$next" = "$(field '.items[1].id')" ]
	api "$key" GET "/v1/sandboxes?limit=2&after=$next"
	[ "$(field '.items | length')" = 1 ]
	[ "$(field .next)" = null ]
	api "$key" GET '/v1/sandboxes?limit=0'
	expect 400 limit
	api "$key" GET '/v1/sandboxes?limit=201'
	expect 400 limit
	api "$key" GET '/v1/sandboxes?offset=1'
	expect 400 query
}

@test "an administrator sees everybody's sandboxes and may choose a tier" {
	ann=$(key_add ann free) admin=$(key_add root pro --admin)
	daemon_start
	create "$ann"
	api "$admin" GET /v1/sandboxes
	[ "$(field '.items | length')" = 1 ]
	api "$ann" POST /v1/sandboxes '{"tier":"pro"}'
	expect 403 tier
	api "$ann" POST /v1/sandboxes '{"tier":"free"}'
	expect 201
	api "$admin" POST /v1/sandboxes '{"tier":"enterprise"}'
	expect 201 enterprise
	api "$admin" POST /v1/sandboxes '{"tier":"nosuch"}'
	expect 400 tier
	api "$admin" DELETE "/v1/sandboxes/$box"
	expect 204
}
