# containerd through its own command line, ctr, with carrel-runtime as the runtime of its shim.

load lib
load containerd
bats_require_minimum_version 1.5.0

setup_file() {
	room_open containerd ctr containerd-shim-runc-v2 python3 || return 0
	containerd_start
	ctr image import /mnt/docker.tar > /dev/null
	run_one first true
	room_ledger > "$ROOM_DIR/before"
}
teardown_file() {
	containerd_stop
	room_close
}
setup() { room_here; }
teardown() { ctr_remove_all default; }

run_one() { ctr run --rm --runc-binary "$RUNTIME" --cgroup "/$PARENT/$1" localhost/bb:1 "$@"; }
# start_one ID [OPTION...] -- COMMAND...
start_one() {
	local id=$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	ctr run -d --null-io --runc-binary "$RUNTIME" --cgroup "/$PARENT/$id" "${options[@]}" localhost/bb:1 "$id" "$@"
}
status_of() { ctr task ls | awk -v id="$1" '$1 == id {print $3}'; }
pid_of() { ctr task ls | awk -v id="$1" '$1 == id {print $2}'; }
metric() { ctr task metrics --format json "$1" | jq "$2"; }

@test "run: output, input, the exit code; what cannot be executed is named" {
	run run_one box sh -c 'echo out; echo err >&2; exit 3'
	ends 3 out err
	# Without the pause ctr 1.6 sees the end of its input too early, and forgets to pass it on.
	[ "$( (echo typed && sleep 3) | run_one box cat)" = typed ]
	run run_one absent nosuch
	ends 1 'exec: "nosuch": executable file not found in $PATH'
	run run_one data /etc/data
	ends 1 '/etc/data: permission denied'
	# Of the runtime nothing is left of them.
	[ -z "$(in_room ls /run/containerd/runc/default)" ]
}

@test "a terminal: its size, a resize, what is typed" {
	resizes $CTR run --rm -t --runc-binary "$RUNTIME" --cgroup "/$PARENT/box" localhost/bb:1 box
}

@test "exec: output, exit code, user, directory, a terminal with resize" {
	start_one box -- sleep 1000
	run ctr task exec --exec-id one --user 1000 --cwd /tmp box sh -c 'echo $(id -un) $(pwd); exit 7'
	ends 7 'user /tmp'
	run ctr task exec --exec-id two box nosuch
	ends 1 'executable file not found in $PATH'
	resizes $CTR task exec --exec-id three -t box
	# A signal to a process that was executed, and not to the container.
	ctr task exec -d --exec-id four box sleep 500
	run ctr task ps box
	ok
	[ "$(grep -c '^[0-9]' <<< "$output")" = 2 ]
	ctr task kill --signal KILL --exec-id four box
	wait_for '[ "$(ctr task ps box | grep -c "^[0-9]")" = 1 ]'
	[ "$(status_of box)" = RUNNING ]
}

@test "limits are in the control group; metrics" {
	start_one box --memory-limit 67108864 --cpus 0.5 -- sh -c 'sleep 1000 & sleep 1001; wait'
	local pid
	pid=$(pid_of box)
	[ "$(limit "$pid" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[[ "$(limit "$pid" cpu cpu.cfs_quota_us cpu.max)" =~ ^50000 ]]
	wait_for '[ "$(metric box "(.pids // .pids).current | tonumber")" = 3 ]'
	[ "$(metric box '.memory.usage.limit // .memory.usage_limit | tonumber')" = 67108864 ]
}

@test "pause, resume, kill of one and of all" {
	start_one box -- sh -c 'sleep 1000 & sleep 1001; wait'
	local pid
	pid=$(pid_of box)
	ctr task pause box
	[ "$(status_of box)" = PAUSED ]
	run ctr task exec --exec-id one box true
	[ "$status" -ne 0 ]
	ctr task resume box
	[ "$(status_of box)" = RUNNING ]
	ctr task exec --exec-id two box true
	ctr task kill --all --signal KILL box
	wait_for '[ "$(status_of box)" = STOPPED ]'
	run ctr task rm box
	ends 0 'exit code 137'
	ctr container rm box
}

@test "out of memory is an event" {
	in_room sh -c "$CTR events > /mnt/events 2>&1 & echo \$! > /mnt/events.pid"
	start_one box --memory-limit 16777216 -- sh -c 'sleep 2; x=0123456789abcdef; while :; do x=$x$x; done'
	wait_for '[ "$(status_of box)" = STOPPED ]'
	wait_for 'in_room grep /tasks/oom /mnt/events'
	in_room sh -c 'kill "$(cat /mnt/events.pid)"'
	run ctr task rm box
	ends 0 'exit code 137'
}

# It is frozen while it is saved, and its options, with the runtime's path, are in the image.
@test "checkpoint and restore: it goes on where it was, with the files that it wrote" {
	needs_criu
	start_one box -- sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /n; usleep 50000; done'
	count() { ctr task exec --exec-id count box cat /n; }
	local first
	wait_for '[ "$(count)" -gt 10 ]'
	ctr container checkpoint --task --rw --image box localhost/saved:1
	[ "$(status_of box)" = RUNNING ]
	first=$(count)
	ctr task kill --signal KILL box
	wait_for '[ "$(status_of box)" = STOPPED ]'
	ctr task rm box
	ctr container rm box
	ctr container restore --rw --live box localhost/saved:1
	wait_for '[ "$(status_of box)" = RUNNING ]'
	wait_for "[ \"\$(count)\" -gt $first ]"
}

@test "a container in a user namespace" {
	run ctr run --rm --runc-binary "$RUNTIME" --cgroup "/$PARENT/box" --snapshotter native --uidmap 0:100000:65536 --gidmap 0:100000:65536 --remap-labels localhost/bb:1 box cat /proc/self/uid_map
	[ "$status" -eq 0 ] || skip "this ctr cannot: $output"
	[[ "$output" =~ 0\ +100000\ +65536 ]]
}

@test "two containers with the same name, and one that died with its shim" {
	start_one box -- sleep 1000
	run start_one box -- true
	[ "$status" -ne 0 ] && says 'already exists'
	# containerd cleans up after a shim that was killed, with delete --force.
	in_room sh -c 'kill -9 $(pgrep -f "containerd-shim.*-id [b]ox")'
	wait_for '[ "$(status_of box)" != RUNNING ]'
	wait_for '! in_room test -e /run/containerd/runc/default/box'
}

@test "nothing is left: mounts, states, control groups, processes" {
	wait_for 'room_ledger > "$ROOM_DIR/after"; diff "$ROOM_DIR/before" "$ROOM_DIR/after" > "$ROOM_DIR/diff"' || { cat "$ROOM_DIR/diff" && return 1; }
	[ -z "$(in_room ls /run/containerd/runc/default)" ]
}
