# events: statistics and OOM kills as lines of JSON, on cgroup v1 and v2.
load cgroup.bash

setup() { runtime_setup; }
teardown() {
	[ -z "${EVENTS:-}" ] || { kill "$EVENTS" && wait "$EVENTS"; } 2> /dev/null
	runtime_teardown
}

# stats FILTER: of one line of statistics
stats() {
	rt events --stats "$ID" > "$WORK/stats"
	[ "$(wc -l < "$WORK/stats")" -eq 1 ]
	jq -e "$1" "$WORK/stats" || { cat "$WORK/stats" && return 1; }
}

# Until it hears of kills: the descriptor for them is there, and it waits.
watches() {
	local pid
	pid=$(cat "/proc/$EVENTS/task/$EVENTS/children") && pid=${pid%% *} && [ -n "$pid" ] &&
		ls -l "/proc/$pid/fd" | grep -q -e eventfd -e inotify && grep -q '^State:.S' "/proc/$pid/status"
} 2> /dev/null

# Its time limit ends a test that would wait for ever.
follow() {
	timeout 60 "$RUNTIME" --root "$ROOT" events "$@" "$ID" > "$WORK/events" 2> "$WORK/events.err" &
	EVENTS=$!
}

@test "one line of statistics agrees with the kernel's files" {
	needs memory
	config '.linux.resources += {memory: {limit: 67108864}, pids: {limit: 50}}'
	args sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; sleep 1000'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ "$(rt events --stats "$ID" | jq .data.cpu.usage.total)" -gt 50000000 ]'
	stats '.type == "stats" and .id == "'"$ID"'" and (keys | length) == 3'
	stats '.data | keys == ["blkio", "cpu", "cpuset", "hugetlb", "intel_rdt", "memory", "network_interfaces", "pids"]'
	stats '.data.memory.usage | .limit == 67108864 and .usage > 100000 and .usage < 67108864 and .failcnt == 0'
	stats '.data.memory.raw | length > 10'
	stats '.data.memory.raw.pgfault > 0'
	stats '.data.pids | .current >= 1 and .limit == 50'
	stats '.data.cpu.usage | .user + .kernel > 0'
	[[ $(cat "$WORK/stats") == '{"type":"stats","id":"'"$ID"'","data":{'* ]]
	if [ "$VERSION" = 1 ]; then
		stats '.data.cpu.usage.percpu | length >= 1'
		stats '.data.cpuset.cpus | length >= 1'
		[ "$(jq .data.cpu.usage.total "$WORK/stats")" -le "$(cat "/sys/fs/cgroup/cpuacct$CGROUP/cpuacct.usage")" ]
	elif [ -e "/sys/fs/cgroup$CGROUP/cpu.pressure" ]; then
		stats '.data.cpu.psi.some | has("avg10") and has("total")'
	fi
}

@test "throttling is counted; no limit is the largest number or absent" {
	needs cpu
	config '.linux.resources += {cpu: {quota: 5000, period: 50000}}'
	args sh -c 'while :; do :; done'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ "$(rt events --stats "$ID" | jq .data.cpu.throttling.throttledPeriods)" -gt 2 ]'
	stats '.data.cpu.throttling | .periods >= .throttledPeriods'
	# Some kernels count the time only when a process is let go again.
	wait_for '[ "$(rt events --stats "$ID" | jq ".data.cpu.throttling.throttledTime // 0")" -gt 0 ]'
	stats '.data.memory.usage.limit > 9000000000000000000 or .data.memory.usage.limit == 0'
	stats '.data.pids | has("limit") | not'
}

@test "network interfaces are the container's own, without the loopback device" {
	start_sleeper
	stats '.data.network_interfaces == []'
	pid=$(rt state "$ID" | jq .pid)
	nsenter -t "$pid" -n ip link add carrel0 type veth peer name carrel1 2> /dev/null || skip "no veth here"
	stats '[.data.network_interfaces[].Name] | sort == ["carrel0", "carrel1"]'
	stats '.data.network_interfaces[0] | has("RxBytes") and has("TxDropped")'
	rt delete --force "$ID"
	config '.linux.namespaces |= map(select(.type != "network"))'
	start_sleeper
	stats '.data.network_interfaces == []'
}

@test "an interval tells again and again, until the container ends" {
	start_sleeper
	follow --interval 100ms
	wait_for '[ "$(wc -l < "$WORK/events")" -ge 3 ]'
	jq -es 'all(.type == "stats")' "$WORK/events"
	# It waits for nobody: the container can be deleted meanwhile.
	rt delete --force "$ID"
	wait_code $EVENTS
	[ $code = 0 ] || { cat "$WORK/events.err" && return 1; }
	EVENTS=
}

@test "an OOM kill is told, also when it ends the container" {
	needs memory
	config '.linux.resources += {memory: {limit: 25165824, swap: 25165824}}'
	start_sleeper
	follow --interval 1h
	wait_for watches
	run rt exec "$ID" tail /dev/zero
	wait_for '[ -s "$WORK/events" ]'
	[ "$(head -n 1 "$WORK/events")" = '{"type":"oom","id":"'"$ID"'"}' ] || { cat "$WORK/events" && return 1; }
	[ "$(status_of)" = running ]
	rt delete --force "$ID"
	wait_code $EVENTS
	[ $code = 0 ]
	! grep -qv '"oom"' "$WORK/events" || return 1

	args sh -c 'until [ -e /tmp/go ]; do sleep 0.1; done; exec tail /dev/zero'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	follow --interval 1h
	wait_for watches
	rt exec "$ID" touch /tmp/go
	wait_code $EVENTS
	[ $code = 0 ]
	EVENTS=
	[ "$(cat "$WORK/events")" = '{"type":"oom","id":"'"$ID"'"}' ] || { cat "$WORK/events" && return 1; }
	[ "$(status_of)" = stopped ]
}

@test "a container that only ends is no OOM kill" {
	needs memory
	start_sleeper
	follow --interval 1h
	wait_for watches
	rt delete --force "$ID"
	wait_code $EVENTS
	[ $code = 0 ]
	EVENTS=
	[ ! -s "$WORK/events" ] || { cat "$WORK/events" && return 1; }
}

@test "what cannot be told is an error" {
	fails_with 'does not exist' rt events --stats nobody
	start_sleeper
	fails_with '--interval' rt events --interval 0s "$ID"
	fails_with '--interval' rt events --interval soon "$ID"
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	fails_with 'container not running' rt events --stats "$ID"
	rt delete "$ID"
	config 'del(.linux.resources)'
	args sleep 1000
	rt --cgroup-manager disabled run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	fails_with 'the container has no cgroup' rt events --stats "$ID"
}
