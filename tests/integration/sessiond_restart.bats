#!/usr/bin/env bats
# The daemon may die at any moment; terminals do not notice.

load sessiond.bash

setup_file() { sessiond_store; }
setup() { sessiond_setup; }
teardown() { sessiond_teardown; }

ended() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .state)" = ended ]; }

@test "a client goes on while the daemon is killed, and after it came back" {
	key=$(key_add ann free)
	daemon_start --lasting
	create "$key"
	client talk "$ADDR" "$(terminal "$box")" "$key" 'echo before-$((1+1))\n' 'before-2' > "$WORK/first"
	client hold "$ADDR" "$(terminal "$box")" "$key" "$WORK/hold" > "$WORK/held" 3>&- &
	holder=$!
	eventually test -e "$WORK/hold.ready"
	daemon_stop KILL
	touch "$WORK/hold.go"
	wait $holder
	[ "$(jq -r .found "$WORK/held")" = true ]
	[ "$(jq -r .jumps "$WORK/held")" = 0 ]

	daemon_start --lasting
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .state)" = running ]
	# From where the first client stood: everything, once, in order.
	out=$(client talk "$ADDR" "$(terminal "$box")?since=$(jq -r .next "$WORK/first")" "$key" 'echo after-$((1+1))\n' 'after-2')
	[[ "$(jq -r .output <<< "$out")" == *held-42*after-2* ]]
	[[ "$(jq -r .output <<< "$out")" != *before-2* ]]
	[ "$(jq -r .jumps <<< "$out")" = 0 ]
	api "$key" DELETE "/v1/sandboxes/$box"
	expect 204
}

@test "quotas count what lives on" {
	key=$(key_add ann free)
	daemon_start --lasting
	for i in 1 2 3 4 5; do create "$key"; done
	daemon_stop KILL
	daemon_start --lasting
	api "$key" GET /v1/me
	[ "$(field .use.sandboxes)" = 5 ]
	[ "$(field .use.creations_last_hour)" = 5 ]
	api "$key" POST /v1/sandboxes
	expect 429 quota
	[ -n "$(header retry-after)" ]
	api "$key" DELETE "/v1/sandboxes/$box"
	create "$key"
}

@test "what ended while nobody looked is found with its reason" {
	key=$(key_add ann free)
	daemon_start --lasting
	create "$key" '{"command":["/bin/sh","-c","read x; exit 9"]}'
	client hold "$ADDR" "$(terminal "$box")" "$key" "$WORK/hold" > /dev/null 3>&- &
	holder=$!
	eventually test -e "$WORK/hold.ready"
	daemon_stop KILL
	touch "$WORK/hold.go"
	wait $holder || true
	eventually test -e "$RUN/sandboxes/$box/exit.json"
	daemon_start --lasting
	eventually ended
	[ "$(field .exit.reason)" = exited ]
	[ "$(field .exit.code)" = 9 ]
	[ -z "$(ls "$RUN/sandboxes")" ]
}

@test "a shim killed by force is an error that leaves nothing" {
	key=$(key_add ann free)
	daemon_start --lasting
	create "$key"
	shim=$(shim_pid)
	[ "$shim" -gt 1 ]
	kill -KILL "$shim"
	eventually ended
	[ "$(field .exit.reason)" = error ]
	[ -z "$(ls "$RUN/sandboxes")" ]
	[ -z "$(ls "$RUN/uids")" ]
	[ -z "$(grep "$RUN" /proc/self/mountinfo || true)" ]
}

@test "a daemon comes back although a child of the killed one has not become its program yet" {
	local tracer client child
	[ -x "$(command -v strace)" ] || skip "needs strace"
	key=$(key_add ann free)
	daemon_start --lasting
	strace -f -o "$WORK/trace" -e trace=execve -e inject=execve:delay_enter=20000000 -p "$DAEMON" 2> "$WORK/strace" 3>&- &
	tracer=$!
	eventually grep -q attached "$WORK/strace"
	curl -s -m 60 -H "Authorization: Bearer $key" -X POST -d '{}' "http://$ADDR/v1/sandboxes" > /dev/null 2>&1 3>&- &
	client=$!
	eventually pgrep -P "$DAEMON"
	child=$(pgrep -P "$DAEMON" | head -n 1)
	daemon_stop KILL
	same "$(cat "/proc/$child/comm")" carrel-sessiond
	# It has the port, too.
	ADDR=127.0.0.1:0
	daemon_start --lasting
	kill "$tracer" "$client" 2> /dev/null || true
	# It goes on now, and would write into directories that are being removed.
	wait_for 'gone "$child"'
}

# The daemon's child that serves this sandbox; the janitor is the shim's child.
shim_pid() {
	local p
	for p in $(pgrep -P $DAEMON); do
		if tr '\0' ' ' < "/proc/$p/cmdline" | grep -q "carrel-shim.*$box"; then echo "$p"; fi
	done
}

@test "rows without a sandbox end with an error at the next start" {
	key=$(key_add ann free)
	daemon_start --lasting
	create "$key"
	api "$key" DELETE "/v1/sandboxes/$box"
	daemon_stop
	sqlite3 "$STATE/carrel.db" "UPDATE sandboxes SET state = 'running', ended_ms = NULL, reason = NULL, exit = NULL"
	daemon_start --lasting
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .state)" = ended ]
	[ "$(field .exit.reason)" = error ]
	api "$key" GET /v1/me
	[ "$(field .use.sandboxes)" = 0 ]
}

@test "two daemons never share a state directory" {
	daemon_start
	options
	run timeout 60 "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" --listen 127.0.0.1:0
	[ "$status" = 1 ]
	[[ "$output" == *"another carrel-sessiond"* ]]
}

@test "SIGTERM leaves sandboxes alive; --ephemeral takes them along" {
	key=$(key_add ann free)
	daemon_start --lasting
	create "$key"
	daemon_stop
	[ "$DAEMON_STATUS" = 0 ]
	[ -n "$(ls "$RUN/sandboxes")" ]
	daemon_start
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .state)" = running ]
	daemon_stop
	[ "$DAEMON_STATUS" = 0 ]
	[ -z "$(ls "$RUN/sandboxes")" ]
	[ -z "$(find /sys/fs/cgroup -maxdepth 3 -path "*$CGROUP")" ]
}

@test "a start that is under way when the daemon stops is answered and leaves nothing" {
	key=$(key_add ann free)
	daemon_start --lasting
	api "$key" GET /readyz
	expect 200
	# The stop comes while creations are in flight.
	client race "$ADDR" "$key" 4 '{}' > "$WORK/race" 3>&- &
	racer=$!
	eventually grep -q . "$RUN/uids/0"
	daemon_stop
	wait $racer || true
	[ "$DAEMON_STATUS" = 0 ]
	ADDR=127.0.0.1:0
	daemon_start
	daemon_stop
	[ -z "$(ls "$RUN/sandboxes")" ]
	[ -z "$(ls "$RUN/uids")" ]
}

@test "killed at any moment of creations and deletions, the daemon leaves nothing behind" {
	key=$(key_add ann enterprise)
	for round in 1 2 3 4 5 6 7 8; do
		ADDR=127.0.0.1:0
		daemon_start --lasting
		client storm "$ADDR" "$key" > /dev/null 3>&- &
		stormer=$!
		sleep "0.$((RANDOM % 40 + 2))"
		daemon_stop KILL
		wait $stormer || true
	done
	ADDR=127.0.0.1:0
	daemon_start --lasting
	# What is said to run does run: each has a directory, and nothing else has one.
	# A quick machine makes more than one page of them.
	every() { # FILTER
		local next=
		while :; do
			api "$key" GET "/v1/sandboxes?limit=200${next:+&after=$next}"
			field ".items[] | $1"
			next=$(field '.next // empty')
			[ -n "$next" ] || return 0
		done
	}
	agree() { [ "$(every 'select(.state != "ended") | .id' | sort)" = "$(ls "$RUN/sandboxes" | sort)" ]; }
	eventually agree
	for id in $(every 'select(.state == "running") | .id'); do
		api "$key" GET "/v1/sandboxes/$id"
		[ "$(field .live.cols)" = 80 ]
	done
	daemon_stop
	daemon_start
	daemon_stop
	[ -z "$(ls "$RUN/sandboxes")" ]
	[ -z "$(ls "$RUN/uids")" ]
	[ -z "$(ls "$RUN/runtime" | grep -v ^@ || true)" ]
	[ -z "$(grep "$RUN" /proc/self/mountinfo || true)" ]
	[ -z "$(find /sys/fs/cgroup -maxdepth 4 -path "*$CGROUP*")" ]
	free_of "carrel-shim --dir $RUN"
}

@test "a shim that was still starting when the daemon died is adopted as soon as it listens" {
	key=$(key_add ann free)
	daemon_start --lasting
	create "$key"
	api "$key" DELETE "/v1/sandboxes/$box"
	daemon_stop KILL
	sqlite3 "$STATE/carrel.db" "UPDATE sandboxes SET state = 'starting', ended_ms = NULL, reason = NULL, exit = NULL"
	mkdir "$RUN/sandboxes/$box"
	"$PYTHON" - "$RUN/sandboxes/$box" 3>&- << 'PY' &
import fcntl, os, socket, sys, time
os.chdir(sys.argv[1])
lock = open("lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
open("locked", "w").close()
while not os.path.exists("listen"):
    time.sleep(0.02)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind("shim.sock")
s.listen()
s.settimeout(60)
watch, _ = s.accept()
open("accepted", "w").close()
while not os.path.exists("end"):
    time.sleep(0.02)
PY
	shim=$!
	eventually test -e "$RUN/sandboxes/$box/locked"
	daemon_start --lasting
	api "$key" GET /v1/me
	[ "$(field .use.sandboxes)" = 1 ]
	[ ! -e "$RUN/sandboxes/$box/accepted" ]
	touch "$RUN/sandboxes/$box/listen"
	eventually test -e "$RUN/sandboxes/$box/accepted"
	touch "$RUN/sandboxes/$box/end"
	wait $shim
	eventually ended
	[ "$(field .exit.reason)" = error ]
	[ -z "$(ls "$RUN/sandboxes")" ]
}
