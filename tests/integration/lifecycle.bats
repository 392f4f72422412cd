# create, start, state, kill, delete, list, run: a container's life as runtime.md and the OCI specification draw it.
load lib

setup() { runtime_setup; }
teardown() { runtime_teardown; }

@test "run passes output and exit code through, and leaves nothing" {
	inside sh -c 'echo out; echo err >&2; exit 7'
	[ "$status" -eq 7 ]
	says out
	says err
	[ ! -e "$ROOT/$ID" ]
	[ -z "$(find /sys/fs/cgroup -type d -name "$ID")" ]
}

@test "run turns the signal that ended the program into 128 plus its number" {
	inside sh -c 'kill -9 $$'
	# Process 1 of a pid namespace cannot be killed from inside: a child tells.
	inside sh -c 'sh -c "kill -TERM \$\$"; exit $?'
	[ "$status" -eq 143 ]
	args sleep 1000
	rt run -b "$BUNDLE" "$ID" & pid=$!
	wait_for '[ "$(status_of)" = running ]'
	rt kill "$ID" KILL
	wait_code $pid
	[ "$code" -eq 137 ]
}

@test "run forwards signals to the container's process" {
	args sh -c 'trap "echo got usr1; exit 3" USR1; echo ready; while :; do sleep 0.1; done'
	"$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID" > "$WORK/out" & pid=$!
	wait_for 'grep -q ready "$WORK/out"'
	kill -USR1 $pid
	wait_code $pid
	[ "$code" -eq 3 ]
	grep -q 'got usr1' "$WORK/out"
}

@test "create, start, kill and delete go through all states" {
	args sleep 1000
	rt create -b "$BUNDLE" --pid-file "$WORK/pid" "$ID" < /dev/null > "$WORK/out" 2>&1
	[ "$(status_of)" = created ]
	pid=$(cat "$WORK/pid")
	[ "$(rt state "$ID" | jq .pid)" = "$pid" ]
	[ -d "/proc/$pid" ]
	rt start "$ID"
	[ "$(status_of)" = running ]
	runs "$pid" sleep 1000
	fails_with 'that is not stopped: running' rt delete "$ID"
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	[ "$(rt state "$ID" | jq .pid)" = 0 ]
	rt delete "$ID"
	fails_with "container $ID does not exist" rt state "$ID"
	[ -z "$(find /sys/fs/cgroup -type d -name "$ID")" ]
}

@test "the state document has the standard's fields and ours" {
	config '.annotations = {"org.example.a": "b"}'
	start_sleeper
	run rt state "$ID"
	ok
	jq -e --arg id "$ID" --arg b "$BUNDLE" '.ociVersion == "1.3.0" and .id == $id and .status == "running" and .pid > 1
		and .bundle == $b and .rootfs == $b + "/rootfs" and (.created | test("^20.*Z$"))
		and .annotations["org.example.a"] == "b" and .owner == "root"' <<< "$output"
}

@test "start refuses what is not created" {
	start_sleeper
	fails_with 'cannot start an already running container' rt start "$ID"
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	fails_with 'cannot start a container that has stopped' rt start "$ID"
	fails_with 'container nobody does not exist' rt start nobody
}

@test "start returns the error when the program cannot be executed" {
	args /no/such/program
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 || {
		# Found out already at create: as good.
		grep -q 'no such file or directory' "$WORK/out"
		return 0
	}
	fails_with 'no such file or directory' rt start "$ID"
	wait_for '[ "$(status_of)" = stopped ]'
}

@test "create refuses a file that nobody may execute" {
	args /etc/passwd
	fails_with 'exec /etc/passwd: permission denied' rt create -b "$BUNDLE" "$ID"
	[ ! -e "$ROOT/$ID" ]
	# One that somebody may is for start to find out, with the user's rights.
	cp --remove-destination "$ROOTFS/bin/busybox" "$ROOTFS/bin/own"
	chmod 744 "$ROOTFS/bin/own"
	args /bin/own true
	config '.process.user = {uid: 1000, gid: 1000}'
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	fails_with 'exec /bin/own: permission denied' rt start "$ID"
}

@test "run says which program it could not find" {
	inside nosuchprogram
	[ "$status" -eq 1 ]
	says 'executable file not found in $PATH'
	[ ! -e "$ROOT/$ID" ]
}

@test "an id is used once" {
	start_sleeper
	fails_with 'container with given ID already exists' rt create -b "$BUNDLE" "$ID"
	[ "$(status_of)" = running ]
}

@test "a created container can be deleted without force" {
	args true
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	pid=$(rt state "$ID" | jq .pid)
	rt delete "$ID"
	gone "$pid"
}

@test "delete --force kills, and forgives a container that does not exist" {
	start_sleeper
	pid=$(rt state "$ID" | jq .pid)
	rt delete --force "$ID"
	gone "$pid"
	[ ! -e "$ROOT/$ID" ]
	run rt delete --force "$ID"
	ok
	[ -z "$output" ]
	fails_with "container $ID does not exist" rt delete "$ID"
}

@test "kill takes names and numbers, and says when there is nothing to kill" {
	args sh -c 'for s in USR1 USR2 HUP; do trap "echo $s >> /tmp/got" $s; done; touch /tmp/ready; while :; do sleep 0.1; done'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for 'rt exec "$ID" test -e /tmp/ready'
	rt kill "$ID" USR1
	rt kill "$ID" SIGUSR2
	rt kill "$ID" 1
	wait_for '[ "$(rt exec "$ID" cat /tmp/got | sort | tr "\n" " ")" = "HUP USR1 USR2 " ]'
	fails_with 'unknown signal "NOSUCH"' rt kill "$ID" NOSUCH
	fails_with 'unknown signal "65"' rt kill "$ID" 65
	rt kill "$ID" 9
	wait_for '[ "$(status_of)" = stopped ]'
	fails_with 'container not running' rt kill "$ID" TERM
}

@test "kill --all reaches every process" {
	args sh -c 'sleep 1001 & sleep 1002 & wait'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ "$(rt ps --format json "$ID" | jq length)" = 3 ]'
	rt kill --all "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
}

@test "without a pid namespace of its own, kill and delete end all processes" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	args sh -c 'sleep 1001 & sleep 1002 & wait'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ "$(rt ps --format json "$ID" | jq length)" = 3 ]'
	pids=$(rt ps --format json "$ID" | jq -r '.[]')
	rt kill "$ID" KILL
	for p in $pids; do wait_for "gone $p"; done
	rt delete "$ID"
}

@test "init's children that outlive it are ended by delete" {
	config '.linux.namespaces |= map(select(.type != "pid"))'
	args sh -c "setsid sleep 1003$$ & sleep 0.3"
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID"
	free_of "^sleep 1003$$\$"
}

@test "list shows containers as a table, as JSON and as ids" {
	start_sleeper
	run rt list
	ok
	says "ID "
	[[ ${lines[1]} =~ ^$ID\ +[0-9]+\ +running\ +$BUNDLE\ +20.*Z\ +root$ ]]
	run rt list -q
	[ "$output" = "$ID" ]
	run rt list -f json
	jq -e --arg id "$ID" 'length == 1 and .[0].id == $id and .[0].status == "running" and .[0].owner == "root"' <<< "$output"
	fails_with 'invalid format option' rt list -f yaml
}

@test "list does not make a missing state directory" {
	fails_with 'No such file or directory' "$RUNTIME" --root "$WORK/nothing" list
	[ ! -e "$WORK/nothing" ]
}

@test "pause and resume freeze the container" {
	start_sleeper
	rt pause "$ID"
	[ "$(status_of)" = paused ]
	fails_with 'already paused' rt pause "$ID"
	fails_with 'cannot exec in a paused container' rt exec "$ID" true
	rt resume "$ID"
	[ "$(status_of)" = running ]
	fails_with 'not paused' rt resume "$ID"
	rt pause "$ID"
	rt delete --force "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "update changes the limits that it is given" {
	limit() { cat "/sys/fs/cgroup/pids$CGROUP/pids.max" 2> /dev/null || cat "/sys/fs/cgroup$CGROUP/pids.max"; }
	config '.linux.resources.pids = {limit: 50}'
	start_sleeper
	[ "$(limit)" = 50 ]
	echo '{"pids": {"limit": 60}}' > "$WORK/resources.json"
	rt update --resources "$WORK/resources.json" "$ID"
	[ "$(limit)" = 60 ]
	echo '{"pids": {"limit": 70}}' | rt update "$ID" -r -
	[ "$(limit)" = 70 ]
	echo '{"pids": {"limit": "x"}}' > "$WORK/resources.json"
	fails_with 'resources.pids.limit: must be a number' rt update -r "$WORK/resources.json" "$ID"
	[ "$(limit)" = 70 ]
	# Nothing to change is nothing to do.
	rt update "$ID"
	fails_with '--memory: "5x" is not a size' rt update --memory 5x "$ID"
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	echo '{}' > "$WORK/resources.json"
	fails_with 'container not running' rt update -r "$WORK/resources.json" "$ID"
}

@test "ps lists the container's processes only" {
	# procps cannot tell the boot time of some guests' kernels.
	ps -ef > /dev/null 2>&1 || skip "ps -ef does not work on this kernel"
	start_sleeper
	pid=$(rt state "$ID" | jq .pid)
	runs "$pid" sleep 1000
	[ "$(rt ps --format json "$ID")" = "[$pid]" ]
	run rt ps "$ID"
	ok
	[ "${#lines[@]}" -eq 2 ]
	says 'sleep 1000'
	run rt ps "$ID" -o pid,comm
	[[ ${lines[1]} =~ ^\ *$pid\ sleep ]]
}

@test "a runtime that is killed at any moment leaves nothing that delete --force does not remove" {
	args sleep 1000
	for delay in 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.010 0.015 0.020; do
		"$RUNTIME" --root "$ROOT" create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 &
		pid=$!
		sleep $delay
		kill -9 $pid 2> /dev/null || true
		wait $pid || true
		rt delete --force "$ID"
		[ ! -e "$ROOT/$ID" ]
		[ -z "$(find /sys/fs/cgroup -type d -name "$ID")" ]
		# What its end ends is given time.
		free_of "^$RUNTIME --root $ROOT create"
	done
}

@test "a pid that was given to another process is not signalled" {
	start_sleeper
	pid=$(rt state "$ID" | jq .pid)
	sleep 1000 & other=$!
	# As if the kernel had given init's number to the other: same file, other start time.
	ln -sfn "$other:1" "$ROOT/$ID/init"
	[ "$(status_of)" = stopped ]
	fails_with 'container not running' rt kill "$ID" KILL
	kill -0 $other
	kill $other
	ln -sfn "$pid:$(awk '{print $22}' "/proc/$pid/stat")" "$ROOT/$ID/init"
	[ "$(status_of)" = running ]
}

@test "run --keep leaves the stopped container" {
	args true
	rt run --keep -b "$BUNDLE" "$ID"
	[ "$(status_of)" = stopped ]
	rt delete "$ID"
}

@test "run -d gives the pid file the pid of the program" {
	args sleep 1000
	rt run -d --pid-file "$WORK/pid" -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	runs "$(cat "$WORK/pid")" sleep 1000
}

@test "the waiting init of create has no descriptor of the host" {
	args true
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	pid=$(rt state "$ID" | jq .pid)
	for fd in "/proc/$pid/fd"/*; do
		n=${fd##*/} target=$(readlink "$fd")
		[ "$n" -le 2 ] && continue
		case $target in
		socket:* | pipe:* | 'anon_inode:'* | /) ;;
		*) echo "descriptor $n is $target" && false ;;
		esac
	done
}

@test "create and start from parallel callers do not disturb each other" {
	args sh -c 'exit 0'
	pids=
	for i in $(seq 8); do
		timeout 60 "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID" > "$WORK/out.$i" 2>&1 & pids="$pids $!"
	done
	wins=0
	for p in $pids; do wait "$p" && wins=$((wins + 1)); done
	[ $wins -ge 1 ]
	for i in $(seq 8); do
		[ ! -s "$WORK/out.$i" ] || grep -qE 'already exists|not empty|removed by another' "$WORK/out.$i"
	done
	[ ! -e "$ROOT/$ID" ]
}

@test "the runtime seals itself wherever it lies: on a tmpfs, on a read-only mount" {
	local on_tmpfs=/dev/shm/carrel-runtime.$$
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ]
	cp "$RUNTIME" "$on_tmpfs"
	args echo sealed
	run timeout 60 "$on_tmpfs" --root "$ROOT" run -b "$BUNDLE" "$ID"
	rm "$on_tmpfs"
	[ "$output" = sealed ]
	run unshare --mount sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec timeout 60 "$@"' \
		"$RUNTIME" "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = sealed ]
}
