#!/usr/bin/env bats
# Limits of a tier under parallel creation.

load ../integration/sessiond.bash

setup_file() { sessiond_store; }
setup() { sessiond_setup; }
teardown() { sessiond_teardown; }

@test "thirty creations at the same moment make five sandboxes" {
	key=$(key_add ann free)
	daemon_start
	out=$(client race "$ADDR" "$key" 30 '{}')
	[ "$(jq -r '."201"' <<< "$out")" = 5 ]
	[ "$(jq -r '."429"' <<< "$out")" = 25 ]
	[ "$(jq -r 'keys | length' <<< "$out")" = 2 ]
	[ "$(ls "$RUN/sandboxes" | wc -l)" = 5 ]
	[ "$(ls "$RUN/uids" | wc -l)" = 5 ]
}

@test "two keys of one user share the user's limit, another user has an own" {
	one=$(key_add ann free) two=$(key_add ann free) bob=$(key_add bob free)
	daemon_start
	client race "$ADDR" "$one" 12 '{}' > "$WORK/1" 3>&- &
	racer=$!
	client race "$ADDR" "$two" 12 '{}' > "$WORK/2" 3>&-
	wait $racer
	[ "$(jq -s 'map(."201" // 0) | add' "$WORK/1" "$WORK/2")" = 5 ]
	create "$bob"
}

@test "deleting does not give back the creations of the hour" {
	key=$(key_add ann free)
	daemon_start
	for i in $(seq 10); do
		create "$key"
		api "$key" DELETE "/v1/sandboxes/$box"
		expect 204
	done
	api "$key" POST /v1/sandboxes
	expect 429 "creations an hour"
	retry=$(header retry-after)
	[ "$retry" -gt 3000 ] && [ "$retry" -le 3600 ]
	# Forgetting the ended rows does not either.
	api "$key" DELETE "/v1/sandboxes/$box"
	api "$key" POST /v1/sandboxes
	expect 429
}

@test "creations that fail do not use up the hour, and a storm of them leaves nothing" {
	key=$(key_add ann free)
	daemon_start
	out=$(client race "$ADDR" "$key" 20 '{"image":"nosuch"}')
	# Those beyond the fifth at the same moment meet the limit.
	[ "$(jq -r '(."400" // 0) + (."429" // 0)' <<< "$out")" = 20 ]
	[ "$(jq -r '."400"' <<< "$out")" -ge 5 ]
	[ -z "$(ls "$RUN/sandboxes")" ]
	[ -z "$(ls "$RUN/uids")" ]
	create "$key"
}

@test "a sandbox cannot be asked to outlive its tier" {
	key=$(key_add ann free)
	daemon_start
	for body in '{"lifetime_seconds":7201}' '{"idle_seconds":901}' '{"idle_seconds":0}' '{"lifetime_seconds":-1}' \
		'{"lifetime_seconds":1e9}' '{"memory":"8Gi"}' '{"pids":100000}' '{"privileged":true}' '{"tier":"enterprise"}'; do
		api "$key" POST /v1/sandboxes "$body"
		[ "$code" = 400 ] || [ "$code" = 403 ] || { echo "$body: $code" && return 1; }
	done
	create "$key" '{"lifetime_seconds":7200,"idle_seconds":900}'
}
