#!/usr/bin/env bats
# Further processes of a sandbox by the API: one-shot commands with a result, terminals, pause and resume; whose they are.

load sessiond.bash

setup_file() { sessiond_store; }
setup() { sessiond_setup; }
teardown() { sessiond_teardown; }

run_in() { # KEY BODY
	api "$1" POST "/v1/sandboxes/$box/exec" "$2"
}

@test "exec: output, error, exit code, signal, usage" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	run_in "$key" '{"command":["/bin/sh","-c","echo out; echo err >&2; echo $A in $PWD as $(id -u); exit 3"],"env":{"A":"b"},"cwd":"/tmp","user":"1000"}'
	expect 200
	[ "$(field .output)" = "$(printf 'out\nb in /tmp as 1000')" ]
	[ "$(field .error)" = err ]
	[ "$(field '[.success,.exit_code,.signal,.reason,.oom,.timed_out,.truncated,.isolation] | tostring')" = \
		'[false,3,null,"exited",false,false,false,"namespaces"]' ]
	[ "$(field '.usage.cpu_ns > 0 and .usage.memory_peak > 0 and .usage.output_bytes > 10 and .execution_ms >= 0')" = true ]
	run_in "$key" '{"command":["/bin/cat"],"input":"typed\n"}'
	[ "$(field '[.success,.output,.exit_code,.usage.input_bytes] | tostring')" = '[true,"typed\n",0,6]' ]
	# Without input its standard input is at its end.
	run_in "$key" '{"command":["/bin/cat"]}'
	[ "$(field '[.success,.output] | tostring')" = '[true,""]' ]
	run_in "$key" '{"command":["/bin/sh","-c","kill -SEGV $$"]}'
	[ "$(field '[.success,.exit_code,.signal,.reason] | tostring')" = '[false,null,11,"signalled"]' ]
	# Any bytes are an answer; what is no UTF-8 is replaced.
	run_in "$key" '{"command":["/bin/printf","a\\000b\\377c\\303\\251"]}'
	[ "$(field .output)" = $'a\uFFFDb\uFFFDc\u00e9' ]
}

@test "exec: a time limit, an output limit, memory, a program that is not there" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	run_in "$key" '{"command":["/bin/sh","-c","echo begun; sleep 100"],"timeout_seconds":3}'
	expect 200
	[ "$(field '[.success,.timed_out,.reason,.exit_code,.output] | tostring')" = '[false,true,"timeout",null,"begun\n"]' ]
	# More than a window of it, and still all of it is counted and the process ends.
	run_in "$key" '{"command":["/bin/sh","-c","yes | head -c 3000000; echo end >&2"],"output_limit":1000}'
	[ "$(field '[.success,.truncated,(.output|length),.usage.output_bytes] | tostring')" = '[true,true,1000,3000004]' ]
	run_in "$key" '{"command":["/bin/sh","-c","yes | head -c 600000 | tr y x"],"output_limit":524288}'
	[ "$(field '.output | length')" = 524288 ]
	run_in "$key" '{"command":["/bin/sh","-c","x=x; while :; do x=$x$x; done"]}'
	[ "$(field '[.success,.oom,.reason,.signal] | tostring')" = '[false,true,"oom",9]' ]
	run_in "$key" '{"command":["/no/such/program"]}'
	expect 400 /no/such/program
	# The sandbox has survived all that.
	run_in "$key" '{"command":["/bin/true"]}'
	[ "$(field .success)" = true ]
	for bad in '{}' '{"command":[]}' '{"command":"ls"}' '{"command":[""]}' '{"command":["x"],"timeout_seconds":0}' \
		'{"command":["x"],"timeout_seconds":3601}' '{"command":["x"],"output_limit":524289}' '{"command":["x"],"cwd":"a/../b"}' \
		'{"command":["x"],"user":"-u"}' '{"command":["x"],"env":{"1":"x"}}' '{"command":["x"],"surprise":1}'; do
		run_in "$key" "$bad"
		expect 400 || return 1
	done
}

@test "terminals: made, listed, attached by number, ended" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	api "$key" POST "/v1/sandboxes/$box/terminals" '{"command":["/bin/sh"],"cols":70,"rows":21,"tag":"tab-1","env":{"TAB":"one"}}'
	expect 201
	[ "$(field .process)" = 2 ]
	[ "$(header location)" = "/v1/sandboxes/$box/terminals/2" ]
	path=$(field .path)
	[ "$path" = "/v1/sandboxes/$box/terminal?process=2" ]
	out=$(client talk "$ADDR" "$path" "$key" 'echo $TAB-$((6*7)); stty size\n' '21 70')
	[ "$(jq -r .found <<< "$out")" = true ]
	[[ "$(jq -r .output <<< "$out")" == *one-42* ]]
	# The sandbox's own terminal has heard nothing of it.
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'echo first-$((1+1))\n' 'first-2')
	[[ "$(jq -r .output <<< "$out")" != *one-42* ]]
	api "$key" GET "/v1/sandboxes/$box/terminals"
	expect 200
	[ "$(field '[.items[] | [.process,.tag,.state,.terminal,.cols]] | tostring')" = '[[1,"","running",true,80],[2,"tab-1","running",true,70]]' ]
	[ "$(field '.items[0] | has("pid")')" = false ]
	api "$key" GET "/v1/sandboxes/$box/terminals/2"
	expect 200
	[ "$(field .tag)" = tab-1 ]
	api "$key" DELETE "/v1/sandboxes/$box/terminals/2"
	expect 204
	over() { api "$key" GET "/v1/sandboxes/$box/terminals/2" && [ "$(field .state)" != running ]; }
	wait_for over
	[ "$(field '[.state,.exit.signal] | tostring')" = '["ended",1]' ]
	api "$key" DELETE "/v1/sandboxes/$box/terminals/1"
	expect 409
	for n in 99 0 x 4294967296; do
		api "$key" GET "/v1/sandboxes/$box/terminals/$n"
		expect 404 || return 1
	done
	out=$(client shake "$ADDR" "/v1/sandboxes/$box/terminal?process=99" "Authorization:Bearer $key")
	[ "$(jq -r .close <<< "$out")" = 4404 ]
}

@test "pause and resume; a paused sandbox is ended" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	api "$key" POST "/v1/sandboxes/$box/pause"
	expect 204
	run_in "$key" '{"command":["/bin/true"]}'
	expect 409 paused
	api "$key" POST "/v1/sandboxes/$box/resume"
	expect 204
	run_in "$key" '{"command":["/bin/true"]}'
	expect 200
	api "$key" POST "/v1/sandboxes/$box/pause"
	api "$key" DELETE "/v1/sandboxes/$box"
	expect 204
	[ -z "$(ls "$RUN/sandboxes")" ]
	for verb in exec pause resume terminals; do
		api "$key" POST "/v1/sandboxes/$box/$verb" '{"command":["/bin/true"]}'
		expect 410 || return 1
	done
}

@test "extend: later or as it was, never sooner; as far as the tier gives; told of an end for want of memory" {
	# Time for two extensions of the tier's lifetime, and a bit.
	sed 's/^    lifetime: 2h/    lifetime: 2h\n    lifetime_max: 4h/' "$TOP/config/tiers.yaml" > "$WORK/extended.yaml"
	TIERS=$WORK/extended.yaml
	key=$(key_add ann free)
	daemon_start
	create "$key" '{"lifetime_seconds":600,"command":["/bin/sh","-c","until [ -e /tmp/go ]; do sleep 0.1; done; x=x; while :; do x=$x$x; done"]}'
	more() { # BODY LOW HIGH: the seconds that are left then, as it says and as everybody is told
		api "$key" POST "/v1/sandboxes/$box/extend" "$1"
		expect 200
		jq -e ".lifetime_left_ms / 1000 | . > $2 and . <= $3" <<< "$body" > /dev/null || { echo "$1: $body" && return 1; }
		end=$(field .expires_at)
		api "$key" GET "/v1/sandboxes/$box"
		[ "$(field .expires_at)" = "$end" ]
		jq -e ".live.lifetime_left_ms / 1000 | . > $2 - 60 and . <= $3" <<< "$body" > /dev/null || { echo "$1: $body" && return 1; }
	}
	more '{"seconds":60}' 400 600 # no sooner
	more '{"seconds":900}' 800 900
	more '' 7100 7200 # the tier's lifetime
	more '{"seconds":10000}' 9900 10000
	more '{}' 9800 10000 # which is less than there is
	more '{"seconds":14000}' 13900 14000
	for seconds in 15000 0 -1 1.5 '"9"' 99999999999; do
		api "$key" POST "/v1/sandboxes/$box/extend" "{\"seconds\":$seconds}"
		expect 400 seconds || return 1
	done
	api "$key" POST "/v1/sandboxes/$box/extend" '{"minutes":1}'
	expect 400 minutes
	api "$key" GET /v1/me
	[ "$(field '[.limits.lifetime_seconds,.limits.lifetime_max_seconds] | tostring')" = '[7200,14400]' ]
	api "$(key_add bob free)" POST "/v1/sandboxes/$box/extend" '{}'
	expect 404
	run_in "$key" '{"command":["/bin/touch","/tmp/go"]}'
	over() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .state)" = ended ]; }
	wait_for over 60
	[ "$(field '[.exit.reason, .exit.oom.kills > 0, .exit.oom.limit, .exit.oom.own_limit] | tostring')" = '["oom",true,536870912,true]' ]
	[ "$(field '.exit.usage | [.memory_peak > 500000000, has("io_read_bytes"), has("io_write_bytes")] | tostring')" = '[true,true,true]' ]
	api "$key" POST "/v1/sandboxes/$box/extend" '{}'
	expect 410
}

@test "somebody else's sandbox has no processes: 404 for each request, and nothing happens in it" {
	key=$(key_add ann free)
	other=$(key_add bob free)
	daemon_start
	create "$key"
	api "$key" POST "/v1/sandboxes/$box/terminals" '{"command":["/bin/sh"]}'
	expect 201
	while read -r method path; do
		api "$other" "$method" "/v1/sandboxes/$box/$path" '{"command":["/bin/touch","/tmp/bob-was-here"]}'
		[ "$method" != GET ] && [ "$method" != DELETE ] || api "$other" "$method" "/v1/sandboxes/$box/$path"
		expect 404 "no such sandbox" || return 1
		# Without a key it is nobody's.
		api - "$method" "/v1/sandboxes/$box/$path"
		expect 401 || return 1
	done <<- END
		POST exec
		POST terminals
		GET terminals
		GET terminals/1
		GET terminals/2
		DELETE terminals/2
		POST pause
		POST resume
	END
	out=$(client shake "$ADDR" "/v1/sandboxes/$box/terminal?process=2" "Authorization:Bearer $other")
	[ "$(jq -r .status <<< "$out")" = 404 ]
	# The control: its owner finds all as it was.
	api "$key" GET "/v1/sandboxes/$box/terminals"
	[ "$(field '[.items[].state] | tostring')" = '["running","running"]' ]
	run_in "$key" '{"command":["/bin/ls","/tmp"]}'
	[ "$(field '.output | contains("bob")')" = false ]
	[ "$(field .success)" = true ]
}

@test "the daemon is killed during a command: its process ends by its own time limit, the next daemon serves on" {
	key=$(key_add ann free)
	daemon_start --lasting
	create "$key"
	run_in "$key" '{"command":["/bin/sh","-c","sleep 100"],"timeout_seconds":2}' > /dev/null &
	asker=$!
	begun() { api "$key" GET "/v1/sandboxes/$box/terminals" 2> /dev/null && [ "$(field '.items | length')" = 2 ]; }
	wait_for begun
	daemon_stop KILL
	wait $asker || true
	daemon_start --lasting
	over() { api "$key" GET "/v1/sandboxes/$box/terminals/2" && [ "$(field .state)" != running ]; }
	wait_for over
	[ "$(field '[.state,.exit.reason] | tostring')" = '["ended","timeout"]' ]
	run_in "$key" '{"command":["/bin/echo","on"]}'
	[ "$(field .output)" = on ]
}
