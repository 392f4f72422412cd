#!/usr/bin/env bats
# carrel exec and carrel ps ID, on this host and through a daemon.

bats_require_minimum_version 1.5.0
load carrel.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	if [[ $BATS_TEST_DESCRIPTION == daemon:* ]]; then
		sed 's/^    lifetime: 24h/&\n    detached: 2s/' "$TIERS" > "$WORK/tiers.yaml" && TIERS=$WORK/tiers.yaml
		key=$(key_add ann pro)
		printf '%s\n' "$key" > "$WORK/key"
		daemon_start
		create "$key" '{"command":["/bin/sh"]}'
		where=(--url "http://$ADDR" --key-file "$WORK/key")
	else
		where=(--run-dir "$RUN" --store "$STORE")
		box=$(boxed --detach default -- sh < /dev/null)
	fi
}
teardown() {
	if [[ $BATS_TEST_DESCRIPTION == daemon:* ]]; then sessiond_teardown; else carrel_teardown; fi
}

here() { timeout 60 "$CARREL" "${where[@]}" "$@"; }

exec_with_pipes() {
	run --separate-stderr here exec -e A=b -w /tmp "$box" -- sh -c 'echo "$A in $PWD"; echo err >&2; exit 7' < /dev/null
	ends 7
	[ "$output" = 'b in /tmp' ]
	[ "$stderr" = err ]
	head -c 2000000 /dev/urandom > "$WORK/in"
	here exec "$box" -- cat < "$WORK/in" > "$WORK/out"
	cmp "$WORK/in" "$WORK/out"
	run here exec "$box" -- sh -c 'kill -TERM $$' < /dev/null
	ends 143
	run here exec "$box" -- /no/such/program < /dev/null
	ends 125
	says /no/such/program
	run here exec nobody -- true < /dev/null
	ends 125
}

exec_on_a_terminal() {
	run typed 'expect # ;; send stty size; echo two-$((40+2))\r ;; expect 24 80 ;; expect two-42 ;; size 90 30 ;; send until [ "$(stty size)" = "30 90" ]; do sleep 0.1; done; echo sized-$((1+1))\r ;; expect sized-2 ;; send exit 4\r' \
		"$CARREL" "${where[@]}" exec "$box" sh
	says '[exit 4]'
	# Ctrl-P Ctrl-Q leaves it running; ps shows it.
	run typed 'expect # ;; send \x10\x11' "$CARREL" "${where[@]}" exec "$box" sh
	says '[exit 0]'
	run here ps "$box"
	ends 0
	says 'carrel-exec'
	run here --format json ps "$box"
	[ "$(jq -r '[.[] | select(.tag == "carrel-exec" and .state == "running")] | length' <<< "$output")" = 1 ]
	run here ps nobody
	ends 1
}

# Whoever ends `carrel exec` ends its program.
exec_is_ended() {
	here exec "$box" -- sh -c 'echo up; sleep 100' < /dev/null > "$WORK/out" 3>&- &
	local it=$!
	wait_for 'grep -q up "$WORK/out"'
	pkill -TERM -P $it
	wait $it && status=0 || status=$?
	[ "$status" = 143 ]
	alone() { [ "$(here --format json ps "$box" | jq -r '[.[] | select(.process != 1 and .state == "running")] | length')" = 0 ]; }
	wait_for alone
}

@test 'here: exec with pipes: both outputs, input, exit codes' { exec_with_pipes; }
@test 'here: exec on a terminal, detached; ps of a sandbox' { exec_on_a_terminal; }
@test 'here: a signal to carrel exec ends its program' { exec_is_ended; }
@test 'daemon: exec with pipes: both outputs, input, exit codes' { exec_with_pipes; }
@test 'daemon: exec on a terminal, detached; ps of a sandbox' { exec_on_a_terminal; }
@test 'daemon: a signal to carrel exec ends its program' { exec_is_ended; }

@test 'daemon: a tier whose sandboxes end when nobody is attached' {
	other=$(key_add bob enterprise)
	create "$other" '{"command":["/bin/sleep","1000"]}'
	over() { api "$other" GET "/v1/sandboxes/$box" && [ "$(field .state)" != running ]; }
	wait_for over
	[ "$(field '[.state,.exit.reason] | tostring')" = '["ended","detached"]' ]
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $other")
	[ "$(jq -r .close <<< "$out")" = 4011 ]
}
