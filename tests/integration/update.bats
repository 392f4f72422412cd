# update: limits of a container that lives, from flags and from a resources object, on cgroup v1 and v2.
load cgroup.bash

setup() { runtime_setup; }
teardown() { runtime_teardown; }

# is FILE TEXT
is() {
	same "$(cat "$1")" "$2" || { echo "in $1" && return 1; }
}

@test "memory: each flag, with units, before and after the id; what is not given stays" {
	needs memory
	limit=$(file memory memory.limit_in_bytes memory.max) low=$(file memory memory.soft_limit_in_bytes memory.low)
	config '.linux.resources.memory = {limit: 33554432, reservation: 16777216}'
	start_sleeper
	rt update --memory 64M "$ID"
	is "$limit" 67108864
	is "$low" 16777216
	rt update "$ID" --memory-reservation 8388608
	is "$low" 8388608
	is "$limit" 67108864
	rt update "$ID" --memory=-1
	if [ "$VERSION" = 2 ]; then is "$limit" max; else [ "$(cat "$limit")" -gt 1000000000000 ]; fi
}

@test "memory and swap: up, down, and one without the other" {
	needs memory
	limit=$(file memory memory.limit_in_bytes memory.max) swap=$(file memory memory.memsw.limit_in_bytes memory.swap.max)
	sum() { if [ "$VERSION" = 2 ]; then is "$swap" $(($2 - $1)); else is "$swap" "$2"; fi; }
	start_sleeper
	[ -e "$swap" ] || skip "this kernel does not account for swap"
	rt update --memory 30M --memory-swap 50M "$ID"
	is "$limit" 31457280
	sum 31457280 52428800
	rt update --memory 60M --memory-swap 80M "$ID"
	is "$limit" 62914560
	sum 62914560 83886080
	rt update --memory-swap 70M "$ID"
	sum 62914560 73400320
	fails_with 'linux.resources.memory.swap' rt update --memory 50M --memory-swap 40M "$ID"
	is "$limit" 62914560
	rt update --memory-swap -1 "$ID"
	if [ "$VERSION" = 2 ]; then is "$swap" max; else [ "$(cat "$swap")" -gt 1000000000000 ]; fi
	if [ "$VERSION" = 2 ]; then
		rt update --memory -1 "$ID"
		fails_with 'the memory limit is not set' rt update --memory-swap 70M "$ID"
	fi
}

@test "checkBeforeUpdate: a limit below what is in use is refused, and the container lives" {
	needs memory
	start_sleeper
	for row in 'limit limit":1024' 'memory+swap limit":1024,"swap":2048'; do
		printf '{"memory":{"%s,"checkBeforeUpdate":true}}' "${row#* }" > "$WORK/r"
		fails_with "rejecting" rt update -r "$WORK/r" "$ID"
	done
	says 'rejecting memory+swap limit 2048'
	[ "$(status_of)" = running ]
}

@test "cpu: period, quota, burst and shares; a burst above the old quota, a period below it" {
	needs cpu
	start_sleeper
	quota() {
		if [ "$VERSION" = 2 ]; then
			is "/sys/fs/cgroup$CGROUP/cpu.max" "${1/#-1/max} $2"
		else
			is "/sys/fs/cgroup/cpu$CGROUP/cpu.cfs_quota_us" "$1" && is "/sys/fs/cgroup/cpu$CGROUP/cpu.cfs_period_us" "$2"
		fi
	}
	rt update "$ID" --cpu-period 900000
	quota -1 900000
	rt update "$ID" --cpu-quota 600000
	quota 600000 900000
	rt update "$ID" --cpu-quota 30000 --cpu-period 100000
	quota 30000 100000
	burst=$(file cpu cpu.cfs_burst_us cpu.max.burst)
	[ -e "$burst" ] || skip "this kernel has no burst"
	rt update "$ID" --cpu-burst 20000
	is "$burst" 20000
	rt update "$ID" --memory 100M
	is "$burst" 20000
	rt update "$ID" --cpu-burst 50000 --cpu-quota 60000
	is "$burst" 50000
	rt update "$ID" --cpu-burst 0 --cpu-quota 10000
	is "$burst" 0
	quota 10000 100000
	rt update "$ID" --cpu-quota -1
	quota -1 100000
	rt update "$ID" --cpu-share 200
	is "$(file cpu cpu.shares cpu.weight)" "$([ "$VERSION" = 2 ] && echo 29 || echo 200)"
}

@test "cpu.idle: on, off, with shares, and nothing else" {
	needs cpu
	start_sleeper
	idle=$(file cpu cpu.idle cpu.idle)
	[ -e "$idle" ] || skip "this kernel has no idle groups"
	rt update --cpu-idle 1 "$ID"
	is "$idle" 1
	rt update --cpu-idle 0 --cpu-share 300 "$ID"
	is "$idle" 0
	run rt update --cpu-share 400 --cpu-idle 1 "$ID"
	ok
	says 'an idle group has no weight, it is ignored'
	is "$idle" 1
	run rt update -r - "$ID" <<< '{"cpu": {"shares": 400, "idle": 1}}'
	ok
	says 'an idle group has no weight, it is ignored'
	# A weight alone ends it; other limits do not.
	rt update --cpu-period 50000 "$ID"
	is "$idle" 1
	rt update --cpu-share 300 "$ID"
	is "$idle" 0
	rt update --cpu-idle 1 "$ID"
	for v in -1 2; do
		fails_with 'linux.resources.cpu.idle' rt update --cpu-idle $v "$ID"
		is "$idle" 1
	done
}

@test "cpu.realtime: set, or an error that says why not" {
	needs cpu
	start_sleeper
	if [ "$VERSION" = 2 ]; then
		fails_with 'linux.resources.cpu.realtimeRuntime: cgroup v2 has no such limit' rt update --cpu-rt-runtime 1000 "$ID"
	elif [ ! -e "/sys/fs/cgroup/cpu$CGROUP/cpu.rt_runtime_us" ]; then
		fails_with 'CONFIG_RT_GROUP_SCHED' rt update --cpu-rt-runtime 1000 "$ID"
	else
		echo 20000 > /sys/fs/cgroup/cpu/carrel-test/cpu.rt_runtime_us || skip "other groups have all the realtime time of this host"
		rt update --cpu-rt-runtime 1000 --cpu-rt-period 100000 "$ID"
		is "/sys/fs/cgroup/cpu$CGROUP/cpu.rt_runtime_us" 1000
	fi
}

@test "cpuset and pids" {
	needs pids
	start_sleeper
	pids=$(file pids pids.max pids.max)
	rt update --pids-limit 55 "$ID"
	is "$pids" 55
	rt update --pids-limit 0 "$ID"
	is "$pids" 1
	rt update --pids-limit -1 "$ID"
	is "$pids" max
	needs cpuset
	rt update --cpuset-cpus 0 --cpuset-mems 0 "$ID"
	is "$(file cpuset cpuset.cpus cpuset.cpus)" 0
	fails_with 'linux.resources.cpu.cpus' rt update --cpuset-cpus 4000 "$ID"
}

@test "a resources object from a file and from stdin; other options are ignored beside it, which is said" {
	needs pids
	start_sleeper
	pids=$(file pids pids.max pids.max)
	echo '{"pids": {"limit": 44}, "memory": {}, "cpu": {}}' > "$WORK/r"
	run rt update --resources "$WORK/r" --pids-limit 7 "$ID"
	ok
	says '--pids-limit is ignored beside --resources'
	is "$pids" 44
	echo '{"pids": {"limit": 43}}' | rt update -r - "$ID"
	is "$pids" 43
	fails_with 'No such file or directory' rt update -r "$WORK/none" "$ID"
	echo '{"pids": {"limit": "x"}}' > "$WORK/r"
	fails_with 'pids.limit: must be a number' rt update -r "$WORK/r" "$ID"
}

devices() { printf '{"devices": [{"allow": false, "access": "rwm"}%s]}' "$1" > "$WORK/r" && rt update -r "$WORK/r" "$ID"; }
opens() { rt exec "$ID" sh -c ": < /dev/$1"; }

@test "device rules: others take the place of the container's, what stays is open all the time" {
	[ -z "${RT_DRIVER:-}" ] || skip "the systemd driver refuses this: systemd.bats"
	config '.linux.devices = [{path: "/dev/one", type: "b", major: 7, minor: 1}, {path: "/dev/two", type: "b", major: 7, minor: 2}]'
	start_sleeper
	fails_with 'Operation not permitted' opens one
	devices ', {"allow": true, "type": "b", "major": 7, "minor": 1, "access": "rw"}'
	! [[ $(opens one 2>&1) == *"not permitted"* ]] || return 1
	fails_with 'Operation not permitted' opens two
	opens null
	# With 20 changes beside it a reader of /dev/null never meets a closed door.
	rt exec "$ID" sh -c 'while [ ! -e /tmp/end ]; do : < /dev/null || exit 1; done' &
	reader=$!
	for i in $(seq 20); do
		devices ", {\"allow\": true, \"type\": \"b\", \"major\": 7, \"minor\": $((i % 2 + 1)), \"access\": \"rw\"}"
	done
	rt exec "$ID" touch /tmp/end
	wait "$reader"
	fails_with 'Operation not permitted' opens two
	# The container's own list again: not what it has any more, so it is written.
	devices ''
	fails_with 'Operation not permitted' opens one
	# Everything, and less again.
	echo '{"devices": [{"allow": true, "access": "rwm"}]}' > "$WORK/r"
	rt update -r "$WORK/r" "$ID"
	! [[ $(opens two 2>&1) == *"not permitted"* ]] || return 1
	devices ''
	fails_with 'Operation not permitted' opens two
	opens null
	fails_with 'resources.devices' devices ', {"allow": true, "type": "x", "access": "r"}'
}

@test "device rules that are the container's own: what others have allowed since stays" {
	[ "$VERSION" = 1 ] || skip "cgroup v1: there a rule can be added from outside by a word"
	config '.linux.devices = [{path: "/dev/one", type: "b", major: 7, minor: 1}]'
	start_sleeper
	echo 'b 7:1 rw' > "/sys/fs/cgroup/devices$CGROUP/devices.allow"
	devices ''
	! [[ $(opens one 2>&1) == *"not permitted"* ]] || return 1
}

@test "an update does not thaw a paused container, nor does it hold up one that runs" {
	needs pids
	start_sleeper
	rt pause "$ID"
	rt update --pids-limit 30 "$ID"
	[ "$(status_of)" = paused ]
	rt resume "$ID"
	rt update --pids-limit 31 "$ID"
	[ "$(status_of)" = running ]
}

@test "kernel memory is accepted with a warning; Intel RDT without a class is an error" {
	start_sleeper
	run rt update --kernel-memory 10M --kernel-memory-tcp 10M "$ID"
	ok
	says 'are ignored'
	fails_with '--l3-cache-schema: the container has no class of resctrl' rt update --l3-cache-schema L3:0=f "$ID"
	fails_with '--mem-bw-schema: the container has no class of resctrl' rt update --mem-bw-schema MB:0=50 "$ID"
}

@test "values that are none name their flag" {
	start_sleeper
	for row in '--memory x' '--memory 99999999999G' '--cpu-quota 1.5' '--cpu-period -5' '--pids-limit many' '--blkio-weight 5' '--cpuset-cpus a-b'; do
		# shellcheck disable=SC2086
		fails_with "${row% *}" rt update $row "$ID"
	done
	fails_with 'does not exist' rt update --pids-limit 5 nobody
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	fails_with 'container not running' rt update --pids-limit 5 "$ID"
}
