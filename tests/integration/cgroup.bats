# Control groups: limits are set and hold, on whichever version the host has (tests/vm/run runs this file again
# under version 2). What a version does not have is an error that names it.
load cgroup.bash

setup() { runtime_setup; }

teardown() {
	[ -z "${LOOP:-}" ] || losetup -d "$LOOP"
	[ -z "${INTRUDER:-}" ] || { kill -9 "$INTRUDER" && wait "$INTRUDER"; } 2> /dev/null
	runtime_teardown
	# What a test made by hand below or beside the container's own.
	find /sys/fs/cgroup -depth -type d -path "*carrel-test/${ID:-none}*" -exec rmdir {} \; 2> /dev/null || :
	find /sys/fs/cgroup -maxdepth 3 -type d -path '*/carrel-test' -exec rmdir {} \; 2> /dev/null || :
	return 0
}

no_directory_left() {
	local left
	# Other tests' groups come and go beside ours.
	left=$(find /sys/fs/cgroup -type d -name "$ID" 2> /dev/null) || :
	[ -z "$left" ] || { echo "left: $left" && return 1; }
}

resources() {
	config ".linux.resources += $1"
}

@test "the container is in its own group of every hierarchy, and the groups go with it" {
	start_sleeper
	pid=$(rt state "$ID" | jq .pid)
	if [ "$VERSION" = 2 ]; then
		same "$(cat /proc/$pid/cgroup)" "0::$CGROUP"
	else
		for h in /sys/fs/cgroup/*/; do
			[ "$(stat -f -c %T "$h")" = cgroupfs ] || continue
			grep -qx "$pid" "$h$CGROUP/cgroup.procs" || { echo "not in $h" && return 1; }
		done
		[ "$(grep -c ":$CGROUP\$" /proc/$pid/cgroup)" -ge 5 ]
	fi
	rt delete --force "$ID"
	no_directory_left
}

@test "the groups are open to look into, whatever the umask of the caller" {
	local mask
	for mask in 077 000; do
		(umask $mask && start_sleeper)
		same "$(stat -c %a "$(dir pids)")" 755
		rt delete --force "$ID"
	done
}

@test "exec joins the same groups" {
	start_sleeper
	rt exec -d --pid-file "$WORK/exec" "$ID" sleep 900 < /dev/null > /dev/null 2>&1
	same "$(sort "/proc/$(cat "$WORK/exec")/cgroup")" "$(sort "/proc/$(rt state "$ID" | jq .pid)/cgroup")"
	grep -q "$CGROUP" "/proc/$(cat "$WORK/exec")/cgroup"
}

@test "hybrid: the v2 mount beside v1 has the group too, with clone3 and without" {
	only_v 1
	[ "$(stat -f -c %T /sys/fs/cgroup/unified 2> /dev/null)" = cgroup2fs ] || skip "no v2 mount beside v1 on this host"
	start_sleeper
	pid=$(rt state "$ID" | jq .pid)
	grep -qx "0::$CGROUP" "/proc/$pid/cgroup"
	grep -qx "$pid" "/sys/fs/cgroup/unified$CGROUP/cgroup.procs"
	rt delete --force "$ID"
	no_directory_left
	args sleep 1000
	timeout 60 "$CARREL_BIN/../tests/forbid" clone3 -- "$RUNTIME" --root "$ROOT" run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	grep -qx "0::$CGROUP" "/proc/$(rt state "$ID" | jq .pid)/cgroup"
	rt delete --force "$ID"
	no_directory_left
}

@test "v2: where clone3 is refused the child is moved before it does anything" {
	only_v 2
	args cat /proc/self/cgroup
	config '.linux.namespaces |= map(select(.type != "cgroup"))'
	run timeout 60 "$CARREL_BIN/../tests/forbid" clone3 -- "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
	same "$output" "0::$CGROUP"
}

@test "a path is cleaned as text and never leaves the hierarchy" {
	config --arg p "/../../carrel-test//x/../$ID/" '.linux.cgroupsPath = $p'
	start_sleeper
	[ -d "$(dir memory "/carrel-test/$ID")" ]
	rt delete --force "$ID"
	config '.linux.cgroupsPath = "/.."'
	fails_with 'must name a cgroup below the root' rt run -b "$BUNDLE" "$ID"
}

@test "memory: limit, reservation and swap" {
	needs memory
	resources '{memory: {limit: 33554432, reservation: 16777216, swap: 50331648}}'
	start_sleeper
	same "$(value memory memory.limit_in_bytes memory.max)" 33554432
	same "$(value memory memory.soft_limit_in_bytes memory.low)" 16777216
	# v1 counts memory and swap together, v2 swap alone.
	if [ "$VERSION" = 1 ]; then
		same "$(cat "$(dir memory)/memory.memsw.limit_in_bytes")" 50331648
	elif [ -e "$(dir memory)/memory.swap.max" ]; then
		same "$(cat "$(dir memory)/memory.swap.max")" 16777216
	fi
}

@test "memory: a program that wants more is killed" {
	needs memory
	resources '{memory: {limit: 25165824, swap: 25165824}}'
	# tail keeps what has no newline.
	inside sh -c 'tail /dev/zero; echo "tail $?"'
	says 'tail 137'
	inside tail /dev/zero
	same "$status" 137
}

@test "memory: unlimited is -1" {
	needs memory
	resources '{memory: {limit: -1, swap: -1}}'
	start_sleeper
	if [ "$VERSION" = 2 ]; then same "$(cat "$(dir memory)/memory.max")" max; else [ "$(cat "$(dir memory)/memory.limit_in_bytes")" -gt 1000000000000 ]; fi
}

@test "memory: swap that cannot be meant is refused, and nothing is left" {
	resources '{memory: {swap: 1000000}}'
	fails_with 'linux.resources.memory.swap: unable to set swap limit without memory limit' rt run -b "$BUNDLE" "$ID"
	resources '{memory: {limit: 2000000, swap: 1000000}}'
	fails_with 'memory+swap limit should be >= memory limit' rt run -b "$BUNDLE" "$ID"
	no_directory_left
	[ ! -e "$ROOT/$ID" ]
}

@test "memory: what v2 does not have is refused by name" {
	only_v 2
	for f in '{swappiness: 10}' '{disableOOMKiller: true}' '{kernelTCP: 1000000}'; do
		config ".linux.resources.memory = $f"
		fails_with 'cgroup v2 has no such limit' rt run -b "$BUNDLE" "$ID"
	done
	no_directory_left
}

@test "memory: swappiness and the OOM killer on v1" {
	only_v 1
	resources '{memory: {limit: 33554432, swappiness: 7, disableOOMKiller: true}}'
	start_sleeper
	same "$(cat "$(dir memory)/memory.swappiness")" 7
	grep -qx 'oom_kill_disable 1' "$(dir memory)/memory.oom_control"
}

@test "cpu: shares, quota and period" {
	needs cpu
	resources '{cpu: {shares: 512, quota: 40000, period: 80000}}'
	start_sleeper
	if [ "$VERSION" = 2 ]; then
		same "$(cat "$(dir cpu)/cpu.weight")" 59
		same "$(cat "$(dir cpu)/cpu.max")" '40000 80000'
	else
		same "$(cat "$(dir cpu)/cpu.shares")" 512
		same "$(cat "$(dir cpu)/cpu.cfs_quota_us")" 40000
		same "$(cat "$(dir cpu)/cpu.cfs_period_us")" 80000
	fi
}

@test "cpu: 1024 shares are the default weight, -1 is no quota" {
	needs cpu
	resources '{cpu: {shares: 1024, quota: -1}}'
	start_sleeper
	if [ "$VERSION" = 2 ]; then
		same "$(cat "$(dir cpu)/cpu.weight")" 100
		same "$(cat "$(dir cpu)/cpu.max")" 'max 100000'
	else
		same "$(cat "$(dir cpu)/cpu.cfs_quota_us")" -1
	fi
}

@test "cpu: a quota throttles" {
	needs cpu
	resources '{cpu: {quota: 5000, period: 50000}}'
	args sh -c 'while :; do :; done'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ "$(sed -n "s/^nr_throttled //p" "$(dir cpu)/cpu.stat")" -gt 2 ]'
}

@test "cpu: shares outside the kernel's range are refused instead of rounded" {
	needs cpu
	resources '{cpu: {shares: 1}}'
	fails_with 'linux.resources.cpu.shares: 1 is not between the minimum and maximum' rt run -b "$BUNDLE" "$ID"
	resources '{cpu: {shares: 262145}}'
	fails_with 'linux.resources.cpu.shares' rt run -b "$BUNDLE" "$ID"
	no_directory_left
}

@test "cpu: a quota that the kernel refuses names field and file" {
	needs cpu
	resources '{cpu: {quota: 10}}'
	fails_with 'linux.resources.cpu.quota: write "10' rt run -b "$BUNDLE" "$ID"
	says 'Invalid argument'
	no_directory_left
}

@test "cpuset: the given ones, or the parent's" {
	needs cpuset
	resources '{cpu: {cpus: "0", mems: "0"}}'
	start_sleeper
	same "$(value cpuset cpuset.cpus cpuset.cpus)" 0
	same "$(value cpuset cpuset.mems cpuset.mems)" 0
	rt delete --force "$ID"
	config 'del(.linux.resources.cpu)'
	inside sh -c 'grep Cpus_allowed_list /proc/self/status'
	ok
	says "$(grep Cpus_allowed_list /proc/self/status)"
}

@test "cpuset: a CPU that is not there names the field" {
	needs cpuset
	resources '{cpu: {cpus: "4000"}}'
	fails_with 'linux.resources.cpu.cpus: write "4000"' rt run -b "$BUNDLE" "$ID"
	no_directory_left
}

@test "pids: the limit holds" {
	needs pids
	resources '{pids: {limit: 5}}'
	inside sh -c 'i=0; while [ $i -lt 10 ]; do sleep 5 & i=$((i + 1)); done; echo done'
	[ "$status" -ne 0 ]
	says "can't fork"
}

@test "pids: 0 is 1, -1 is no limit" {
	needs pids
	resources '{pids: {limit: 0}}'
	start_sleeper
	same "$(cat "$(dir pids)/pids.max")" 1
	rt delete --force "$ID"
	resources '{pids: {limit: -1}}'
	start_sleeper
	same "$(cat "$(dir pids)/pids.max")" max
}

@test "devices: only the standard ones can be opened, others are told apart from missing" {
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"])'
	# 240:77 has no driver: EPERM from the device rules, ENXIO when they let it pass.
	inside sh -c 'for d in null zero full random urandom; do head -c 0 /dev/$d && echo "$d opens"; done
		mknod /dev/odd c 240 77 && echo made && cat /dev/odd'
	says 'null opens'
	says 'urandom opens'
	says made
	says "can't open '/dev/odd': Operation not permitted"
	resources '{devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 240, minor: 77, access: "rw"}]}'
	inside sh -c 'mknod /dev/odd c 240 77 && cat /dev/odd'
	says "can't open '/dev/odd': No such device or address"
}

@test "devices: reading and writing are allowed apart" {
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"])'
	resources '{devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 240, access: "r"}]}'
	inside sh -c 'mknod /dev/odd c 240 77; cat /dev/odd; echo x > /dev/odd'
	says "can't open '/dev/odd': No such device or address"
	says "can't create /dev/odd: Operation not permitted"
}

@test "devices: all can be allowed, with exceptions" {
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"])'
	resources '{devices: [{allow: true, access: "rwm"}, {allow: false, type: "c", major: 240, minor: 78, access: "rw"}]}'
	inside sh -c 'mknod /dev/a c 240 77; mknod /dev/b c 240 78; cat /dev/a; cat /dev/b; :'
	says "can't open '/dev/a': No such device or address"
	says "can't open '/dev/b': Operation not permitted"
}

@test "devices: a hole in a wide rule holds on v2 and is refused on v1" {
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"])'
	resources '{devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 240, access: "rw"}, {allow: false, type: "c", major: 240, minor: 78, access: "rw"}]}'
	if [ "$VERSION" = 1 ]; then
		fails_with 'cannot be expressed on cgroup v1' rt run -b "$BUNDLE" "$ID"
		no_directory_left
		return
	fi
	inside sh -c 'mknod /dev/a c 240 77; mknod /dev/b c 240 78; cat /dev/a; cat /dev/b; :'
	says "can't open '/dev/a': No such device or address"
	says "can't open '/dev/b': Operation not permitted"
}

@test "hugetlb: the limit, or an error that names the controller" {
	resources '{hugepageLimits: [{pageSize: "2MB", limit: 4194304}]}'
	if { [ "$VERSION" = 1 ] && mountpoint -q /sys/fs/cgroup/hugetlb; } || grep -qw hugetlb /sys/fs/cgroup/cgroup.controllers 2> /dev/null; then
		start_sleeper
		same "$(value hugetlb hugetlb.2MB.limit_in_bytes hugetlb.2MB.max)" 4194304
		return
	fi
	fails_with "linux.resources.hugepageLimits: the cgroup v$VERSION controller \"hugetlb\" is not" rt run -b "$BUNDLE" "$ID"
	no_directory_left
}

@test "a missing controller is named" {
	only_v 2
	for row in 'cpuset cpu {"cpus":"0"}' 'hugetlb hugepageLimits [{"pageSize":"2MB","limit":0}]'; do
		read -r controller field value <<< "$row"
		! grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || continue
		config "del(.linux.resources.cpu, .linux.resources.hugepageLimits) | .linux.resources.$field = $value"
		fails_with "the cgroup v2 controller \"$controller\" is not available" rt run -b "$BUNDLE" "$ID"
		says "cgroup.controllers does not list it"
	done
	no_directory_left
}

@test "hugetlb: any case of a field's letters is that field, as engines written in Go take it" {
	needs pids
	config '.linux.resources.PIDS = {Limit: 33}'
	start_sleeper
	same "$(cat "$(dir pids)/pids.max")" 33
}

# A block device that is no partition: any disk of the host does, nothing is read or written.
disk() {
	local d
	for d in /sys/block/*; do
		[ -e "$d/dev" ] && [ ! -e "$d/loop" ] && [ "$(cat "$d/size")" -gt 0 ] && cat "$d/dev" && return
	done
	return 1
}

# row FILE DEVICE: the device's line in the container's blkio (v1) or io (v2) file.
row() {
	grep "^$2 " "$(dir blkio)/$1" | sed 's/^[^ ]* //'
}

@test "blockIO: bytes and operations per second, for each device" {
	if [ "$VERSION" = 2 ]; then needs io; else needs blkio; fi
	dev=$(disk) || skip "no disk on this host"
	config --argjson a "${dev%:*}" --argjson i "${dev#*:}" '.linux.resources.blockIO = {
		throttleReadBpsDevice: [{major: $a, minor: $i, rate: 4194304}, {major: $a, minor: $i, rate: 1048576}],
		throttleWriteBpsDevice: [{major: $a, minor: $i, rate: 2097152}],
		throttleReadIOPSDevice: [{major: $a, minor: $i, rate: 100}],
		throttleWriteIOPSDevice: [{major: $a, minor: $i, rate: 200}]}'
	start_sleeper
	if [ "$VERSION" = 2 ]; then
		same "$(row io.max "$dev")" 'rbps=1048576 wbps=2097152 riops=100 wiops=200'
	else
		same "$(row blkio.throttle.read_bps_device "$dev")" 1048576
		same "$(row blkio.throttle.write_bps_device "$dev")" 2097152
		same "$(row blkio.throttle.read_iops_device "$dev")" 100
		same "$(row blkio.throttle.write_iops_device "$dev")" 200
	fi
	# 0 takes a limit away, the others stay.
	echo "{\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": ${dev%:*}, \"minor\": ${dev#*:}, \"rate\": 0}]}}" |
		rt update -r - "$ID"
	if [ "$VERSION" = 2 ]; then
		same "$(row io.max "$dev")" 'rbps=max wbps=2097152 riops=100 wiops=200'
	else
		same "$(row blkio.throttle.read_bps_device "$dev")" ''
		same "$(row blkio.throttle.write_iops_device "$dev")" 200
	fi
}

@test "blockIO: a device that is not there names field and file" {
	if [ "$VERSION" = 2 ]; then needs io; else needs blkio; fi
	resources '{blockIO: {throttleReadBpsDevice: [{major: 4000, minor: 1, rate: 1000}]}}'
	fails_with 'linux.resources.blockIO.throttleReadBpsDevice: write "4000:1 ' rt run -b "$BUNDLE" "$ID"
	no_directory_left
}

@test "blockIO: weights with BFQ, whole and for a device; without a scheduler that has them, an error" {
	if [ "$VERSION" = 2 ]; then needs io; else needs blkio; fi
	truncate -s 64M "$WORK/disk"
	LOOP=$(losetup -f --show "$WORK/disk" 2> /dev/null) || skip "no loop devices here"
	queue=/sys/block/${LOOP#/dev/}/queue/scheduler
	if ! grep -qw bfq "$queue" || ! echo bfq > "$queue"; then
		# The file exists where some other device has the scheduler, or the cost model is built in.
		[ -z "$(find /sys/fs/cgroup -maxdepth 3 \( -name '*bfq.weight' -o -name io.weight \) -print -quit 2> /dev/null)" ] || skip "some device of this host has weights, but a loop device cannot have BFQ"
		resources '{blockIO: {weight: 300}}'
		fails_with 'linux.resources.blockIO.weight: no I/O scheduler with weights is in use' rt run -b "$BUNDLE" "$ID"
		no_directory_left
		return
	fi
	dev=$(cat "/sys/block/${LOOP#/dev/}/dev")
	config --argjson a "${dev%:*}" --argjson i "${dev#*:}" '.linux.resources.blockIO = {weight: 300, weightDevice: [{major: $a, minor: $i, weight: 400}]}'
	start_sleeper
	if [ "$VERSION" = 2 ]; then file=io.bfq.weight; else file=blkio.bfq.weight_device; fi
	same "$(row $file "$dev")" 400
	same "$(row $file default)" 300
	rt update "$ID" --blkio-weight 500
	same "$(row $file default)" 500
	same "$(row $file "$dev")" 400
}

@test "blockIO: leaf weights, RDMA and network classes: set, or an error that says what is missing" {
	resources '{blockIO: {leafWeight: 100}}'
	fails_with 'linux.resources.blockIO.leafWeight: ' rt run -b "$BUNDLE" "$ID"
	if [ "$VERSION" = 2 ]; then says 'cgroup v2 has no such limit'; else says 'gone since Linux 5.0'; fi
	config 'del(.linux.resources.blockIO)'
	for row in 'rdma rdma {"mlx0":{"hcaHandles":1}}' 'net_cls network {"classID":7}' 'net_prio network {"priorities":[{"name":"lo","priority":3}]}'; do
		read -r controller field value <<< "$row"
		if [ "$VERSION" = 1 ] && mountpoint -q "/sys/fs/cgroup/$controller"; then continue; fi
		if [ "$VERSION" = 2 ] && grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers; then continue; fi
		config "del(.linux.resources.rdma, .linux.resources.network) | .linux.resources.$field = $value"
		fails_with "linux.resources.$field" rt run -b "$BUNDLE" "$ID"
		if [ "$VERSION" = 1 ]; then
			says "the cgroup v1 controller \"$controller\" is not mounted"
		elif [ "$controller" = rdma ]; then
			says 'the cgroup v2 controller "rdma" is not available'
		else
			says 'cgroup v2 has no such limit'
		fi
	done
	no_directory_left
}

@test "memory.kernel is accepted with a warning, kernelTCP is v1's" {
	needs memory
	resources '{memory: {kernel: 100000000}}'
	inside true
	ok
	says 'linux.resources.memory.kernel: is ignored'
	resources '{memory: {kernelTCP: 100000000}}'
	if [ "$VERSION" = 2 ]; then
		fails_with 'linux.resources.memory.kernelTCP: cgroup v2 has no such limit' rt run -b "$BUNDLE" "$ID"
		return
	fi
	start_sleeper
	same "$(cat "$(dir memory)/memory.kmem.tcp.limit_in_bytes")" 99999744
}

@test "unified: files of v2, an error on v1" {
	resources '{unified: {"memory.high": "20971520", "pids.max": "77"}}'
	if [ "$VERSION" = 1 ]; then
		fails_with 'linux.resources.unified: "memory.high" needs cgroup v2' rt run -b "$BUNDLE" "$ID"
		no_directory_left
		return
	fi
	resources '{pids: {limit: 5}}'
	start_sleeper
	same "$(cat "$(dir x)/memory.high")" 20971520
	same "$(cat "$(dir x)/pids.max")" 77
	rt delete --force "$ID"
	for key in ../memory.high cgroup.procs cgroup.freeze nodot ''; do
		config --arg k "$key" '.linux.resources.unified = {($k): "1"}'
		fails_with 'linux.resources.unified' rt run -b "$BUNDLE" "$ID"
	done
	no_directory_left
}

@test "a group that holds processes is refused, and its processes stay alive" {
	mkdir -p "$(dir freezer)"
	sleep 1000 & INTRUDER=$!
	echo $INTRUDER > "$(dir freezer)/cgroup.procs"
	fails_with "container's cgroup is not empty" rt run -b "$BUNDLE" "$ID"
	kill -0 $INTRUDER
	grep -q "$CGROUP" /proc/$INTRUDER/cgroup
}

@test "a frozen group is refused" {
	mkdir -p "$(dir freezer)"
	if [ "$VERSION" = 2 ]; then echo 1 > "$(dir freezer)/cgroup.freeze"; else echo FROZEN > "$(dir freezer)/freezer.state"; fi
	fails_with "container's cgroup unexpectedly frozen" rt run -b "$BUNDLE" "$ID"
	if [ "$VERSION" = 2 ]; then echo 0 > "$(dir freezer)/cgroup.freeze"; else echo THAWED > "$(dir freezer)/freezer.state"; fi
}

@test "an empty group that was there is used" {
	mkdir -p "$(dir memory)"
	inside echo fine
	ok
	says fine
}

@test "pause holds a container that forks all the time; a paused one can be killed" {
	args sh -c 'while :; do true & wait; done'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	for i in 1 2 3 4 5; do
		rt pause "$ID"
		same "$(status_of)" paused
		rt resume "$ID"
		same "$(status_of)" running
	done
	rt pause "$ID"
	rt delete --force "$ID"
	no_directory_left
}

@test "groups made below the container's go with it, however deep, and so do their processes" {
	start_sleeper
	d=$(dir memory)
	for i in $(seq 60); do d=$d/n; mkdir "$d"; done
	mkdir "$(dir memory)/beside"
	sleep 1000 & INTRUDER=$!
	if [ "$VERSION" = 1 ]; then
		# Killing goes by the freezer's hierarchy: the container's processes are in all of them.
		mkdir -p "$(dir freezer)/n/n"
		echo $INTRUDER > "$(dir freezer)/n/n/cgroup.procs"
	fi
	echo $INTRUDER > "$d/cgroup.procs"
	rt delete --force "$ID"
	no_directory_left
	code=0
	wait $INTRUDER || code=$?
	same $code 137
}

# A container with users of its own and cgroups at /sys/fs/cgroup, mounted with the option $1.
userns_with_cgroups() {
	# The mapped root has to reach its files.
	chmod o+x "$WORK" "$BUNDLE" && chown 100000:100000 "$ROOTFS"
	config --arg o "$1" '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings
		| .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", $o]}]'
}

@test "delegation: a writable cgroup with users of its own may be divided, not widened" {
	only_v 2
	needs pids
	resources '{pids: {limit: 30}}'
	userns_with_cgroups rw
	inside sh -c 'stat -c %u /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/pids.max
		mkdir /sys/fs/cgroup/sub && echo 1 > /sys/fs/cgroup/sub/cgroup.procs && cat /proc/self/cgroup
		echo max > /sys/fs/cgroup/pids.max'
	same "$(head -n 3 <<< "$output" | tr '\n' ' ')" '0 0 65534 '
	says '0::/sub'
	says "can't create /sys/fs/cgroup/pids.max: Permission denied"
	no_directory_left
}

@test "delegation: not when it is read-only, nor when it is the host's view" {
	only_v 2
	userns_with_cgroups ro
	inside stat -c %u /sys/fs/cgroup
	ok
	same "$output" 65534
	config '(.mounts[] | select(.destination == "/sys/fs/cgroup")).options |= map(select(. != "ro")) | .linux.namespaces |= map(select(.type != "cgroup"))'
	inside stat -c %u "/sys/fs/cgroup$CGROUP"
	ok
	same "$output" 65534
}

@test "forty containers at once leave no group" {
	args sh -c 'sleep 0.1 & exec true'
	for round in 1 2; do
		pids=
		for i in $(seq 20); do
			config --arg p "$CGROUP/$i" '.linux.cgroupsPath = $p'
			cp "$BUNDLE/config.json" "$WORK/config.$i"
			rt run --config "$WORK/config.$i" -b "$BUNDLE" "$ID-$i" < /dev/null > "$WORK/out.$i" 2>&1 &
			pids="$pids $!"
		done
		for p in $pids; do
			code=0
			wait "$p" || code=$?
			[ $code = 0 ] || { cat "$WORK"/out.* && return 1; }
		done
	done
	[ -z "$(find /sys/fs/cgroup -path "*$CGROUP/*" -type d 2> /dev/null | head -n 1)" ]
}

@test "a failed start takes back every group that it made" {
	config '.root.path = "nowhere"'
	run rt run -b "$BUNDLE" "$ID"
	[ "$status" -ne 0 ]
	no_directory_left
}

@test "a group whose parents are half made, without CPUs, is completed" {
	only_v 1
	needs cpuset
	CGROUP=/carrel-test/$ID/a/b
	config --arg p "$CGROUP" '.linux.cgroupsPath = $p'
	# As another start leaves them between making and filling.
	mkdir -p "/sys/fs/cgroup/cpuset/carrel-test/$ID/a"
	[ -z "$(cat "/sys/fs/cgroup/cpuset/carrel-test/$ID/a/cpuset.cpus")" ]
	inside echo fine
	ok
	mkdir -p "/sys/fs/cgroup/cpuset$CGROUP"
	inside echo fine
	ok
	says fine
}

@test "limits that an empty group still has from before do not stand in the way of new ones" {
	only_v 1
	mkdir -p "$(dir memory)"
	echo 8388608 > "$(dir memory)/memory.limit_in_bytes"
	echo 8388608 > "$(dir memory)/memory.memsw.limit_in_bytes"
	resources '{memory: {limit: 67108864, swap: 67108864}, cpu: {quota: 30000, period: 100000}}'
	mkdir -p "$(dir cpu)"
	echo 50000 > "$(dir cpu)/cpu.cfs_period_us"
	start_sleeper
	same "$(cat "$(dir memory)/memory.memsw.limit_in_bytes")" 67108864
	same "$(cat "$(dir cpu)/cpu.cfs_period_us")" 100000
}
