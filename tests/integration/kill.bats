# kill and ps at the edges of a container's life: before start, after the end, realtime signals.
load lib

setup() { runtime_setup; }
teardown() { runtime_teardown; }

@test "a created container that has not been started can be ended by a signal" {
	for sig in TERM INT HUP QUIT; do
		args sleep 1000
		rt create -b "$BUNDLE" --pid-file "$WORK/pid" "$ID" < /dev/null > "$WORK/out" 2>&1
		[ "$(status_of)" = created ]
		rt kill "$ID" $sig
		wait_for '[ "$(status_of)" = stopped ]'
		rt delete "$ID"
	done
}

@test "what the waiting init does with signals is not handed to the program" {
	args sh -c 'grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status > /tmp/signals; exec sleep 1000'
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	rt start "$ID"
	wait_for 'rt exec "$ID" test -s /tmp/signals'
	# busybox' grep catches nothing, and nothing is ignored or blocked.
	[ "$(rt exec "$ID" grep -c '0000000000000000$' /tmp/signals)" = 3 ]
	# As process 1 of its namespace the program itself is out of SIGTERM's reach again.
	rt kill "$ID" TERM
	sleep 0.2
	[ "$(status_of)" = running ]
}

@test "realtime signals by name and by number" {
	args sh -c 'for s in 34 37 62 64; do trap "echo $s >> /tmp/got" $s; done; touch /tmp/ready; while :; do sleep 0.1; done'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for 'rt exec "$ID" test -e /tmp/ready'
	rt kill "$ID" RTMIN
	rt kill "$ID" SIGRTMIN+3
	rt kill "$ID" sigrtmax-2
	rt kill "$ID" RTMAX
	wait_for '[ "$(rt exec "$ID" sort /tmp/got | tr "\n" " ")" = "34 37 62 64 " ]'
	rt kill "$ID" 34
	wait_for '[ "$(rt exec "$ID" grep -c 34 /tmp/got)" = 2 ]'
	for bad in RTMIN+31 RTMAX+1 RTMIN-1 RTMIN+ RTMINx RTMAX-31 SIG '' -1; do
		fails_with 'unknown signal' rt kill -- "$ID" "$bad"
	done
}

@test "options of kill and delete stand before or behind the id" {
	start_sleeper
	rt kill "$ID" -a 0
	rt kill --all "$ID" 0
	rt kill "$ID" KILL --all
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID" -f
	[ ! -e "$ROOT/$ID" ]
}

@test "kill of a stopped container fails, kill --all does not" {
	start_sleeper
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	fails_with 'container not running' rt kill "$ID" 0
	[ "$status" -eq 1 ]
	rt kill --all "$ID" 0
	rt kill --all "$ID" KILL
}

@test "ps of a stopped container is an empty list, not an error" {
	ps -ef > /dev/null 2>&1 || skip "ps -ef does not work on this kernel"
	start_sleeper
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	[ "$(rt ps --format json "$ID")" = '[]' ]
	run rt ps "$ID"
	ok
	[ "${#lines[@]}" -eq 1 ]
	[[ ${lines[0]} == *PID* ]]
	fails_with 'invalid format option' rt ps --format yaml "$ID"
	fails_with 'container nobody does not exist' rt ps nobody
}

@test "ps shows processes that have outlived an init without a pid namespace" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	args sh -c 'setsid sleep 1020 & exec sleep 0.3'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ "$(status_of)" = stopped ]'
	run rt ps --format json "$ID"
	ok
	[ "$(jq length <<< "$output")" = 1 ]
	pid=$(jq '.[0]' <<< "$output")
	rt kill --all "$ID" KILL
	wait_for "gone $pid"
}

@test "list makes every column as wide as its widest cell" {
	args sleep 1000
	long=$ID-$(printf 'x%.0s' $(seq 60))
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	config '.linux.cgroupsPath += "-2"'
	rt create -b "$BUNDLE" "$long" < /dev/null > "$WORK/out" 2>&1
	run rt list
	ok
	[ "${#lines[@]}" -eq 3 ]
	for head in PID STATUS BUNDLE CREATED OWNER; do
		left=${lines[0]%%"$head"*}
		for row in "${lines[1]}" "${lines[2]}"; do
			# Three blanks end the cell before, and this one begins right there.
			[[ ${row:${#left}-3:3} == '   ' && ${row:${#left}:1} != ' ' ]] || { printf '%s\n' "${lines[@]}" && false; }
		done
	done
	says " created "
	says " running "
}

@test "kill --all KILL ends a paused container" {
	start_sleeper
	rt pause "$ID"
	rt kill --all "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	start_again
	rt pause "$ID"
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
}

start_again() { rt delete "$ID" && start_sleeper; }
