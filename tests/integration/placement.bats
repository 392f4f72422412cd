# Where a process runs and where its memory is: processors, scheduling, NUMA nodes, personality; for the first process and
# for those of exec.
load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

policy() {
	config --argjson p "$1" '.linux.memoryPolicy = $p'
}

# The policy of the first mapping, as the kernel names it.
first_policy='head -n 1 /proc/self/numa_maps | cut -d " " -f 2'

@test "a memory policy applies to the program and to exec" {
	[ -e /proc/self/numa_maps ] || skip "a kernel without NUMA"
	local mode kernel
	while read -r mode kernel; do
		policy "{\"mode\": \"$mode\", \"nodes\": \"0\"}"
		inside sh -c "$first_policy"
		[ "$output" = "$kernel" ]
	done <<- END
		MPOL_BIND bind:0
		MPOL_INTERLEAVE interleave:0
		MPOL_PREFERRED prefer:0
	END
	policy '{"mode": "MPOL_LOCAL"}'
	inside sh -c "$first_policy"
	[ "$output" = local ]
	policy '{"mode": "MPOL_BIND", "nodes": " 0 ", "flags": ["MPOL_F_STATIC_NODES"]}'
	start_sleeper
	run rt exec "$ID" sh -c "$first_policy"
	[ "$output" = 'bind=static:0' ]
}

@test "nodes that do not exist are the kernel's error, with a remedy" {
	[ -e /proc/self/numa_maps ] || skip "a kernel without NUMA"
	policy '{"mode": "MPOL_BIND", "nodes": "1023"}'
	fails_with 'linux.memoryPolicy: set_mempolicy' rt run -b "$BUNDLE" "$ID"
	says cpuset.mems
}

allowed() { grep Cpus_allowed_list /proc/self/status | cut -f 2; }

@test "a runtime that is bound to one processor does not bind the container" {
	[ "$(nproc)" -gt 1 ] || skip "one processor"
	args grep Cpus_allowed_list /proc/self/status
	run taskset -c 0 timeout 60 "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	says "Cpus_allowed_list:	$(allowed)"
	start_sleeper
	run taskset -c 0 timeout 60 "$RUNTIME" --root "$ROOT" exec "$ID" grep Cpus_allowed_list /proc/self/status
	says "Cpus_allowed_list:	$(allowed)"
}

@test "execCPUAffinity is for exec: initial before the cgroup, final in it" {
	[ "$(nproc)" -gt 1 ] || skip "one processor"
	config '.process.execCPUAffinity = {initial: "0", final: "1"}'
	inside grep Cpus_allowed_list /proc/self/status
	says "Cpus_allowed_list:	$(allowed)"
	start_sleeper
	run rt --debug exec "$ID" grep Cpus_allowed_list /proc/self/status
	says 'affinity: 0x1'
	says 'Cpus_allowed_list:	1'
	echo '{"args": ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"], "cwd": "/", "execCPUAffinity": {"final": "0, 0-0"}}' > "$WORK/p.json"
	run rt exec --process "$WORK/p.json" "$ID"
	says 'Cpus_allowed_list:	0'
	jq '.execCPUAffinity = {final: "8000"}' "$WORK/p.json" > "$WORK/q.json"
	fails_with 'process.execCPUAffinity.final 8000' rt exec --process "$WORK/q.json" "$ID"
}

@test "a personality applies to exec as well" {
	config '.linux.personality = {domain: "LINUX32"}'
	start_sleeper
	run rt exec "$ID" /bin/guest sched
	fact personality 0x8
	config 'del(.linux.personality)'
	rt delete --force "$ID"
	start_sleeper
	run rt exec "$ID" /bin/guest sched
	fact personality 0
}

@test "a deadline, with its flag; and why it cannot be had on some processors only" {
	config '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 42000, deadline: 100000, period: 1000000,
		flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
	if ! start_sleeper; then
		grep -E 'no bandwidth|CAP_SYS_NICE' "$WORK/out" || return 1
		skip "$(cat "$WORK/out")"
	fi
	run chrt -p "$(rt state "$ID" | jq .pid)"
	says 'SCHED_DEADLINE|SCHED_RESET_ON_FORK'
	says '42000/100000/1000000'
	rt delete --force "$ID"
	[ "$(nproc)" -gt 1 ] || return 0
	[ -e /sys/fs/cgroup/cpuset ] || skip "no cpuset hierarchy"
	config '.linux.resources.cpu = {cpus: "0", mems: "0"}'
	fails_with "can't be used together with AllowedCPUs" rt run -b "$BUNDLE" "$ID"
}
