#!/usr/bin/env bats
# The systemd cgroup driver: the unit, its properties, its end; and what happens when systemd does not do its part. On a host
# without systemd its manager is a stand-in, which shows the messages; `make check-vm` runs this file with the real one.
load systemd.bash

setup_file() { systemd_setup_file; }
teardown_file() { systemd_teardown_file; }
setup() { systemd_setup; }
teardown() { systemd_teardown; }

sd() { rt --systemd-cgroup "$@"; }
sleeper() {
	args sleep 1000
	sd run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 || { cat "$WORK/out" && return 1; }
}
only_fake() { [ -n "${FAKE:-}" ] || skip "needs a manager that misbehaves when it is told to"; }
only_real() { [ -z "${FAKE:-}" ] || skip "needs the real systemd: make check-vm"; }
misbehave() { echo "$*" > "$FAKE/mode"; }

@test "the container runs in the scope that linux.cgroupsPath names" {
	sleeper
	pid=$(rt state "$ID" | jq .pid)
	cat "/proc/$pid/cgroup"
	grep -q ":/$GROUP\$" "/proc/$pid/cgroup"
	unit_is_there
	has_property Slice '"carreltest-box.slice"' carreltest-box.slice
	has_property Delegate true yes
	has_property DefaultDependencies false no
	has_property Description "\"carrel container $ID\"" "carrel container $ID"
	has_property CPUAccounting true yes
	# Nobody else is left in it.
	[ "$(cat "$(group_dir pids)/cgroup.procs")" = "$pid" ]
	rt delete --force "$ID"
	wait_for '! unit_is_there'
	[ ! -d "$(group_dir pids)" ]
}

@test "without a path it is carrel-ID.scope in system.slice; --cgroup-manager systemd is the same" {
	config 'del(.linux.cgroupsPath)'
	GROUP=system.slice/$UNIT
	args true
	rt --cgroup-manager systemd create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	grep -q ":/$GROUP\$" "/proc/$(rt state "$ID" | jq .pid)/cgroup"
	has_property Slice '"system.slice"' system.slice
	rt delete --force "$ID"
}

@test "a path of another form is refused" {
	args true
	for p in /a/b a:b a:b:c:d ':b:' 'x.scope:a:b' 'a--b.slice:c:d' '-a.slice:c:d' 'a/b.slice:c:d' 'a.slice:c:d/e' 'a.slice:c:d e'; do
		config --arg p "$p" '.linux.cgroupsPath = $p'
		fails_with 'linux.cgroupsPath' sd run -b "$BUNDLE" "$ID"
	done
}

@test "limits are properties and files" {
	config '.linux.resources.memory = {limit: 33554432} | .linux.resources.pids = {limit: 20}
		| .linux.resources.cpu = {shares: 512, quota: 50000, period: 100000}'
	sleeper
	has_property TasksMax 20 20
	has_property CPUQuotaPerSecUSec 500000 500ms
	[ "$(cat "$(group_dir pids)/pids.max")" = 20 ]
	if v2; then
		has_property MemoryMax 33554432 33554432
		has_property CPUWeight 59 59
		[ "$(cat "$(group_dir memory)/memory.max")" = 33554432 ]
		[ "$(cat "$(group_dir cpu)/cpu.max")" = '50000 100000' ]
		[ "$(cat "$(group_dir cpu)/cpu.weight")" = 59 ]
	else
		has_property MemoryLimit 33554432 33554432
		has_property CPUShares 512 512
		[ "$(cat "$(group_dir memory)/memory.limit_in_bytes")" = 33554432 ]
		[ "$(cat "$(group_dir cpu)/cpu.cfs_quota_us")" = 50000 ]
	fi
}

@test "a quota is rounded up as systemd rounds it, in both places" {
	config '.linux.resources.cpu = {quota: 12345, period: 100000}'
	sleeper
	has_property CPUQuotaPerSecUSec 130000 130ms
	if v2; then
		[ "$(cat "$(group_dir cpu)/cpu.max")" = '13000 100000' ]
	else
		[ "$(cat "$(group_dir cpu)/cpu.cfs_quota_us")" = 13000 ]
	fi
}

@test "a period without a quota stands in the file, with many processes, few, and after an update" {
	period() { if v2; then cat "$(group_dir cpu)/cpu.max"; else echo "max $(cat "$(group_dir cpu)/cpu.cfs_period_us")"; fi; }
	for n in 20 2; do
		config --argjson n $n '.linux.resources.cpu = {period: 1000000} | .linux.resources.pids = {limit: $n}'
		sleeper
		[ "$(period)" = 'max 1000000' ]
		[ "$(cat "$(group_dir pids)/pids.max")" = $n ]
		echo '{"cpu": {"period": 500000}}' | rt update -r - "$ID"
		[ "$(period)" = 'max 500000' ]
		rt delete --force "$ID"
	done
}

@test "a limit of one process leaves room for the container's" {
	config '.linux.resources.pids = {limit: 1}'
	inside sh -c 'echo here; /bin/true & wait; echo there'
	says here
	[[ $output != *there* ]]
	config '.linux.resources.pids = {limit: 5}'
	inside sh -c 'echo here; /bin/true & wait; echo there'
	ok
	says there
}

@test "update changes the unit and the files" {
	config '.linux.resources.cpu = {quota: 50000, period: 100000}'
	sleeper
	echo '{"pids": {"limit": 30}, "memory": {"limit": 67108864}, "cpu": {"quota": 20000}}' | rt update -r - "$ID"
	has_property TasksMax 30 30
	has_property CPUQuotaPerSecUSec 200000 200ms
	if v2; then
		has_property MemoryMax 67108864 67108864
		[ "$(cat "$(group_dir memory)/memory.max")" = 67108864 ]
		[ "$(cat "$(group_dir cpu)/cpu.max")" = '20000 100000' ]
	else
		has_property MemoryLimit 67108864 67108864
		[ "$(cat "$(group_dir memory)/memory.limit_in_bytes")" = 67108864 ]
	fi
	# A period alone keeps the quota, which is less per second then.
	echo '{"cpu": {"period": 200000}}' | rt update -r - "$ID"
	has_property CPUQuotaPerSecUSec 100000 100ms
	# A quota alone is rounded for the period that holds: 0.12345 of a processor is 0.13.
	echo '{"cpu": {"quota": 24690}}' | rt update -r - "$ID"
	has_property CPUQuotaPerSecUSec 130000 130ms
	if v2; then
		[ "$(cat "$(group_dir cpu)/cpu.max")" = '26000 200000' ]
	else
		[ "$(cat "$(group_dir cpu)/cpu.cfs_quota_us") $(cat "$(group_dir cpu)/cpu.cfs_period_us")" = '26000 200000' ]
	fi
	[ -z "${FAKE:-}" ] || [ "$(jq -s '[.[] | select(.method == "SetUnitProperties").runtime] | all' "$FAKE/calls")" = true ]
	# The container's own rules change nothing; others would be systemd's to keep.
	echo '{"devices": [{"allow": false, "access": "rwm"}]}' | rt update -r - "$ID"
	echo '{"devices": [{"allow": true, "access": "rwm"}]}' > "$WORK/r"
	fails_with 'systemd cgroup driver cannot be changed' rt update -r "$WORK/r" "$ID"
}

@test "unified files are properties where there are some" {
	v2 || skip "needs cgroup v2: make check-vm"
	config '.linux.resources.unified = {"memory.high": "50000000", "pids.max": "7", "cpu.max": "30000 100000", "memory.min": "max"}'
	sleeper
	has_property MemoryHigh 50000000 50000000
	has_property TasksMax 7 7
	has_property CPUQuotaPerSecUSec 300000 300ms
	[ "$(cat "$(group_dir pids)/pids.max")" = 7 ]
	[ "$(cat "$(group_dir memory)/memory.min")" = max ]
}

@test "exec, pause, resume, kill and ps work on it" {
	sleeper
	run rt exec "$ID" sh -c 'exit 7'
	[ "$status" -eq 7 ]
	rt exec -d "$ID" sleep 1001
	pids=$(rt ps -f json "$ID" | jq length)
	[ "$pids" = 2 ]
	rt pause "$ID"
	[ "$(status_of)" = paused ]
	rt resume "$ID"
	[ "$(status_of)" = running ]
	rt kill --all "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID"
	wait_for '! unit_is_there'
}

@test "a unit of that name is not shared" {
	sleeper
	run sd run -b "$BUNDLE" "$ID-b"
	[ "$status" -eq 1 ]
	says "container's cgroup is not empty"
	[ "$(status_of)" = running ]
	unit_is_there
}

@test "a frozen group in the unit's place is refused before anything enters it" {
	args true
	if v2; then dir=$(group_dir x) file=cgroup.freeze text=1; else dir=$(group_dir freezer) file=freezer.state text=FROZEN; fi
	mkdir -p "$dir"
	echo $text > "$dir/$file"
	fails_with "container's cgroup unexpectedly frozen" sd run -b "$BUNDLE" "$ID"
	[ -n "${FAKE:-}" ] || [ "$(systemctl show "$UNIT" -p LoadState --value)" = not-found ]
	rmdir "$dir"
}

@test "a start that fails leaves no unit" {
	config '.process.args = ["/nothing"]'
	run sd run -b "$BUNDLE" "$ID"
	[ "$status" -eq 1 ]
	says '/nothing'
	wait_for '! unit_is_there'
}

@test "harmless properties come from annotations" {
	config '.annotations = {"org.systemd.property.TimeoutStopSec": "5", "org.systemd.property.CollectMode": "'"'inactive-or-failed'"'",
		"org.systemd.property.TimeoutStopUSec.": "no prefix of ours"} | del(.annotations["org.systemd.property.TimeoutStopUSec."])
		| .annotations["org.example.property.ExecStop"] = "ignored"'
	sleeper
	has_property TimeoutStopUSec 5000000 5s
	has_property CollectMode '"inactive-or-failed"' inactive-or-failed
}

@test "other properties, and values of another form, are refused" {
	args true
	while IFS='|' read -r name value; do
		config --arg n "org.systemd.property.$name" --arg v "$value" '.annotations = {($n): $v}'
		fails_with "org.systemd.property.$name" sd run -b "$BUNDLE" "$ID"
	done << 'ROWS'
ExecStopPost|[('/bin/sh', ['/bin/sh'], false)]
Wants|['reboot.target']
OnFailure|['reboot.target']
Slice|'system.slice'
PIDs|[uint32 1]
Delegate|false
DevicePolicy|'auto'
MemoryMax|uint64 18446744073709551615
TasksMax|uint64 1000000
|true
TimeoutStopSec|'x'
TimeoutStopSec|-1
TimeoutStopSec|18446744073709551615
CollectMode|inactive
CollectMode|'a' 'b'
CollectMode|'a
DefaultDependencies|yes
After|'x.service'
After|['x.service'
After|['x.service'] 
ROWS
	# Another driver has no unit to set them for.
	config '.annotations = {"org.systemd.property.ExecStopPost": "x"} | .linux.cgroupsPath = "/carrel-test/'"$ID"'"'
	RT_DRIVER='' rt run -b "$BUNDLE" "$ID"
}

@test "a failed unit of that name is reset" {
	if [ -n "${FAKE:-}" ]; then
		misbehave stale
	else
		systemd-run --unit="$UNIT" --scope -q sh -c 'exit 1' || true
		systemd-run --unit="$UNIT" --scope -q -p RuntimeMaxSec=1 sleep 100 || true
		systemctl show "$UNIT" -p ActiveState
	fi
	sleeper
	[ -z "${FAKE:-}" ] || [ "$(jq -sc '[.[].method][:3]' "$FAKE/calls")" = '["StartTransientUnit","ResetFailedUnit","StartTransientUnit"]' ]
}

@test "delete --force removes what a killed create left" {
	args sleep 1000
	sd create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	pid=$(rt state "$ID" | jq .pid)
	kill -9 "$pid"
	wait_for "gone $pid"
	rt delete --force "$ID"
	wait_for '! unit_is_there'
}

# ---- the stand-in's whims ----

@test "no bus, no manager on it: one sentence and the way out" {
	only_fake
	args true
	for a in unix:path="$WORK/nothing" unix:path=/dev/null garbage; do
		DBUS_SYSTEM_BUS_ADDRESS=$a fails_with 'cgroupfs' sd run -b "$BUNDLE" "$ID"
		says 'systemd cgroup driver: the system manager of systemd cannot be reached'
	done
	dbus-daemon --session --nofork --address=unix:path="$WORK/empty" > /dev/null 2>&1 3>&- &
	daemon=$!
	listening "$WORK/empty"
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/empty fails_with 'systemd is not on this bus' sd run -b "$BUNDLE" "$ID"
	says 'cgroupfs'
	kill $daemon
}

@test "a bus on which nobody reads does not hold us up" {
	only_fake
	args true
	/usr/bin/python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(5); time.sleep(300)' "$WORK/deaf" 3>&- &
	deaf=$!
	listening "$WORK/deaf"
	began=$(date +%s)
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/deaf CARREL_SYSTEMD_TIMEOUT=1 fails_with 'cannot be reached' sd run -b "$BUNDLE" "$ID"
	[ $(($(date +%s) - began)) -lt 25 ]
	kill $deaf
}

@test "a manager that does not answer, or whose job does not end, is given up" {
	only_fake
	args true
	began=$(date +%s)
	misbehave hang
	CARREL_SYSTEMD_TIMEOUT=1 fails_with 'systemd does not answer' sd run -b "$BUNDLE" "$ID"
	misbehave nojob
	CARREL_SYSTEMD_TIMEOUT=1 fails_with "systemd does not finish the job for $UNIT" sd run -b "$BUNDLE" "$ID"
	[ $(($(date +%s) - began)) -lt 45 ]
	CARREL_SYSTEMD_TIMEOUT=x fails_with CARREL_SYSTEMD_TIMEOUT sd run -b "$BUNDLE" "$ID"
}

@test "what systemd refuses is told" {
	only_fake
	args true
	misbehave deny
	fails_with 'the answer is no' sd run -b "$BUNDLE" "$ID"
	misbehave failed
	fails_with "its job ended with \"failed\"" sd run -b "$BUNDLE" "$ID"
	UNIT=other config --arg p "carreltest-box.slice:carrel:$ID-2" '.linux.cgroupsPath = $p'
	misbehave moved
	fails_with 'control group is /elsewhere' sd run -b "$BUNDLE" "$ID"
	misbehave taken
	fails_with 'exists already' sd run -b "$BUNDLE" "$ID"
}

@test "delete does not depend on a bus that has died" {
	only_fake
	sleeper
	misbehave hang
	CARREL_SYSTEMD_TIMEOUT=1 rt delete --force "$ID"
	[ ! -d "$(group_dir pids)" ]
	run rt state "$ID"
	[ "$status" -ne 0 ]
}

@test "the helper is looked for beside the runtime; without it there is a sentence" {
	only_fake
	args true
	cp "$RUNTIME" "$WORK/carrel-runtime"
	RUNTIME=$WORK/carrel-runtime fails_with 'needs the program carrel-sdbus' sd run -b "$BUNDLE" "$ID"
	mkdir -p "$WORK/p/bin" "$WORK/p/libexec/carrel"
	cp "$RUNTIME" "$WORK/p/bin/"
	cp "$CARREL_BIN/carrel-sdbus" "$WORK/p/libexec/carrel/"
	RUNTIME=$WORK/p/bin/carrel-runtime sd run -b "$BUNDLE" "$ID"
	# It runs for the runtime only.
	run "$CARREL_BIN/carrel-sdbus" < /dev/null 3<&-
	[ "$status" -eq 1 ]
	says 'carrel-runtime starts this program'
}

@test "an idle weight is for a systemd that knows it" {
	only_fake
	cat > "$WORK/ask.py" << 'PY'
import os, socket, subprocess, sys
ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
helper = subprocess.Popen(["/bin/sh", "-c", 'exec "$0" 3<&%d' % its.fileno(), sys.argv[1]], pass_fds=[its.fileno()])
ours.send(b"set\tsystem\t5000\tcarrel-idle.scope\np\tt\tCPUWeight\t0\np\tt\tTasksMax\t7\n")
print(ours.recv(4096).decode())
ours.close()
helper.wait()
PY
	echo old > "$FAKE/mode"
	/usr/bin/python3 "$WORK/ask.py" "$CARREL_BIN/carrel-sdbus"
	[ "$(jq -sc 'last.properties' "$FAKE/calls")" = '{"TasksMax":7}' ]
	rm "$FAKE/mode"
	/usr/bin/python3 "$WORK/ask.py" "$CARREL_BIN/carrel-sdbus"
	[ "$(jq -sc 'last.properties' "$FAKE/calls")" = '{"CPUWeight":0,"TasksMax":7}' ]
}

@test "a container that is no longer idle has its weight in the unit too" {
	v2 || skip "needs cgroup v2: make check-vm"
	config '.linux.resources = {cpu: {idle: 1}}'
	sleeper
	has_property CPUWeight 0 idle
	rt update --cpu-idle 0 "$ID"
	[ "$(cat "$(group_dir cpu)/cpu.idle")" = 0 ]
	has_property CPUWeight 100 100
	# The weight that it has, if it was not idle; one that is given, else.
	rt update --cpu-share 200 "$ID"
	weight=$(cat "$(group_dir cpu)/cpu.weight")
	[ "$weight" != 100 ]
	rt update --cpu-idle 0 "$ID"
	has_property CPUWeight "$weight" "$weight"
	rt update -r - "$ID" <<< '{"unified": {"cpu.idle": "1"}}'
	has_property CPUWeight 0 idle
	rt update -r - "$ID" <<< '{"unified": {"cpu.idle": "0", "cpu.weight": "7"}}'
	has_property CPUWeight 7 7
	rt update -r - "$ID" <<< '{"unified": {"cpu.idle": "1"}}'
	rt update -r - "$ID" <<< '{"unified": {"cpu.idle": "0"}}'
	has_property CPUWeight 100 100
}

# ---- the real one ----

@test "daemon-reload keeps limits and devices" {
	only_real
	config '.linux.resources.pids = {limit: 20} | .linux.resources.devices = [{allow: false, access: "rwm"},
		{allow: true, type: "c", major: 1, minor: 11, access: "rw"}]
		| .process.capabilities.bounding += ["CAP_MKNOD"] | .process.capabilities.effective += ["CAP_MKNOD"]
		| .process.capabilities.permitted += ["CAP_MKNOD"]'
	sleeper
	systemctl daemon-reload
	systemctl set-property --runtime "$UNIT" CPUWeight=50
	wait_for '[ "$(cat "$(group_dir cpu)/cpu.weight")" = 50 ]'
	[ "$(cat "$(group_dir pids)/pids.max")" = 20 ]
	run rt exec "$ID" sh -c 'mknod /dev/m c 1 1 && cat /dev/m'
	[ "$status" -ne 0 ]
	says 'Operation not permitted'
	rt exec "$ID" sh -c 'mknod /dev/k c 1 11 && : > /dev/k'
}

@test "systemctl stop ends the container" {
	only_real
	config '.annotations = {"org.systemd.property.TimeoutStopSec": "1"}'
	sleeper
	systemctl stop "$UNIT"
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID"
}

@test "a process killed for memory is seen as such, and the unit does not stay" {
	only_real
	config '.linux.resources.memory = {limit: 8388608, swap: 8388608}'
	inside sh -c 'x=x; while :; do x=$x$x; done'
	[ "$status" -eq 137 ]
	wait_for '! unit_is_there'
}

@test "an idle container stays idle through updates and daemon-reload" {
	only_real
	config '.linux.resources = {cpu: {idle: 1, shares: 512}, pids: {limit: 20}}'
	sleeper
	idle() { cat "$(group_dir cpu)/cpu.idle"; }
	[ "$(idle)" = 1 ]
	rt update --pids-limit 30 "$ID"
	[ "$(idle)" = 1 ]
	systemctl daemon-reload
	systemctl set-property --runtime "$UNIT" TasksMax=40
	wait_for '[ "$(cat "$(group_dir pids)/pids.max")" = 40 ]'
	[ "$(idle)" = 1 ]
	rt update --cpu-share 200 "$ID"
	[ "$(idle)" = 0 ]
	run rt update -r - "$ID" <<< '{"unified": {"cpu.idle": "1", "cpu.weight": "8"}}'
	ok
	says 'unable to apply both'
	[ "$(idle)" = 1 ]
	rt update --cpu-idle 0 "$ID"
	systemctl daemon-reload
	systemctl set-property --runtime "$UNIT" TasksMax=50
	wait_for '[ "$(cat "$(group_dir pids)/pids.max")" = 50 ]'
	[ "$(idle)" = 0 ]
}
