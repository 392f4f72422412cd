# podman as root, with carrel-runtime as its runtime.

load lib
bats_require_minimum_version 1.5.0

setup_file() {
	room_open podman conmon python3 || return 0
	put /mnt/containers.conf << CONF
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
events_logger = "file"
runtime_supports_json = ["carrel-runtime"]
runtime_supports_nocgroup = ["carrel-runtime"]
[engine.runtimes]
carrel-runtime = ["$RUNTIME"]
CONF
	pod import /mnt/image.tar bb:1
	# Once, so that what podman makes for itself is there before things are counted.
	create_one bb:1 true
	pod run --rm --cgroup-parent "/$PARENT" bb:1 true
	room_ledger > "$ROOM_DIR/before"
}
teardown_file() { room_close; }
setup() { room_here; }
# podman's own cleanup of a container that just ended may hold its mounts for a moment.
teardown() { [ -n "$NO_ROOM" ] || wait_for 'pod rm --force --time 0 --all > /dev/null'; }

PODMAN='podman --root /mnt/podman --runroot /run/podman --runtime carrel-runtime --cgroup-manager cgroupfs --storage-driver overlay'
pod() { in_room CONTAINERS_CONF=/mnt/containers.conf $PODMAN "$@"; }
# Without a network: most tests are not about it.
create_one() { pod run --rm --network none --cgroup-parent "/$PARENT" "$@"; }
start_one() { pod run -d --name "$1" --network none --cgroup-parent "/$PARENT" "${@:2}" > /dev/null; }
field() { pod inspect --format "{{$2}}" "$1"; }

@test "podman knows the runtime by its name and version" {
	run pod info --format '{{.Host.OCIRuntime.Path}} {{.Host.OCIRuntime.Version}}'
	ends 0 "$RUNTIME carrel-runtime version $(cat "$BATS_TEST_DIRNAME/../../VERSION")" 'spec: 1.'
}

@test "run: output on both streams, input, the exit code" {
	run create_one bb:1 sh -c 'echo out; echo err >&2; exit 3'
	ends 3 out err
	[ "$(create_one bb:1 sh -c 'echo out; echo err >&2' 2> /dev/null)" = out ]
	[ "$(echo hello | create_one -i bb:1 cat)" = hello ]
}

@test "what cannot be executed: 127 and 126, and the sentence says what" {
	run -127 create_one bb:1 nosuch
	ends 127 'exec: "nosuch": executable file not found in $PATH'
	run -127 create_one bb:1 /no/such
	ends 127 '/no/such: no such file or directory'
	run create_one bb:1 /etc/data
	ends 126 '/etc/data: permission denied'
	start_one box bb:1 sleep 1000
	run -127 pod exec box nosuch
	ends 127 'executable file not found in $PATH'
	run pod exec box /etc/data
	ends 126 'permission denied'
}

@test "run with a terminal: its size, a resize, what is typed" {
	resizes env CONTAINERS_CONF=/mnt/containers.conf $PODMAN run --rm -it --network none --cgroup-parent "/$PARENT" bb:1
}

@test "exec: output, exit code, user, environment, directory, input" {
	start_one box bb:1 sleep 1000
	run pod exec -u user -e GREETING=hello -w /tmp box sh -c 'echo $(id -un) $GREETING $(pwd); exit 7'
	ends 7 'user hello /tmp'
	[ "$(echo typed | pod exec -i box cat)" = typed ]
	run pod exec --privileged box guest caps
	ends 0 'effective 000001ff'
	pod exec -d box sh -c 'echo done > /tmp/mark; sleep 100'
	wait_for 'pod exec box cat /tmp/mark'
}

@test "exec with a terminal: its size, a resize, the exit code" {
	start_one box bb:1 sleep 1000
	resizes env CONTAINERS_CONF=/mnt/containers.conf $PODMAN exec -it box
}

@test "limits are in the control group, and update changes them there" {
	start_one box --memory 64m --memory-swap 96m --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 --pids-limit 40 bb:1 sleep 1000
	local pid
	pid=$(field box .State.Pid)
	[ "$(limit "$pid" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(limit "$pid" pids pids.max pids.max)" = 40 ]
	[ "$(limit "$pid" cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	[[ "$(limit "$pid" cpu cpu.cfs_quota_us cpu.max)" =~ ^50000 ]]
	pod update --memory 32m --cpus 0.25 box
	[ "$(limit "$pid" memory memory.limit_in_bytes memory.max)" = 33554432 ]
	[[ "$(limit "$pid" cpu cpu.cfs_quota_us cpu.max)" =~ ^25000 ]]
	# Untouched, and in force.
	[ "$(limit "$pid" pids pids.max pids.max)" = 40 ]
	run pod exec box sh -c 'for i in $(seq 60); do sleep 5 & done'
	[ "$status" -ne 0 ] && says "can't fork"
}

@test "without a control group" {
	run pod run --rm --network none --cgroups disabled bb:1 cat /proc/self/cgroup
	ok
	[[ "$output" != *libpod* ]] && [[ "$output" == *:/* ]]
}

@test "pause and unpause: nothing runs meanwhile, and exec is refused" {
	start_one box bb:1 sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /tmp/count; usleep 10000; done'
	wait_for 'pod exec box test -s /tmp/count'
	pod pause box
	[ "$(field box .State.Status)" = paused ]
	run pod exec box true
	[ "$status" -ne 0 ]
	local file a b
	file=/proc/$(field box .State.Pid)/root/tmp/count
	a=$(in_room cat "$file")
	sleep 0.3
	[ "$(in_room cat "$file")" = "$a" ]
	pod unpause box
	[ "$(field box .State.Status)" = running ]
	wait_for 'b=$(pod exec box cat /tmp/count); [ "${b:-0}" -gt "$a" ]'
}

@test "kill by name and number; stop asks first, then kills; start and restart" {
	start_one box bb:1 sh -c 'trap "echo usr1 >> /tmp/got" USR1; trap "exit 9" TERM; echo up > /tmp/got; while :; do usleep 20000; done'
	wait_for 'pod exec box grep up /tmp/got'
	pod kill --signal USR1 box
	pod kill --signal 10 box
	wait_for '[ "$(pod exec box grep -c usr1 /tmp/got)" -ge 1 ]'
	pod stop --time 10 box
	[ "$(field box .State.ExitCode)" = 9 ]
	pod start box
	local pid
	pid=$(field box .State.Pid)
	pod restart --time 5 box
	[ "$(field box .State.Status)" = running ] && [ "$(field box .State.Pid)" != "$pid" ]
	pod kill box
	wait_for '[ "$(field box .State.Status)" = exited ]'
	[ "$(field box .State.ExitCode)" = 137 ]
	# One that ignores TERM.
	start_one deaf bb:1 sh -c 'trap "" TERM; while :; do usleep 20000; done'
	run pod stop --time 1 deaf
	[ "$(field deaf .State.ExitCode)" = 137 ]
}

@test "out of memory is reported as that" {
	in_room rm -f /oom
	start_one box --memory 16m --memory-swap 16m bb:1 sh -c 'x=0123456789abcdef; while :; do x=$x$x; done'
	wait_for '[ "$(field box .State.Status)" = exited ]'
	[ "$(field box .State.ExitCode)" = 137 ]
	# Debian 12's conmon tells it by a file in /, its podman looks for that elsewhere.
	[ "$(field box .State.OOMKilled)" = true ] || in_room test -e /oom
}

@test "stats and top" {
	start_one box --memory 64m bb:1 sh -c 'sleep 1000 & sleep 1001; wait'
	wait_for 'pod top box args | grep -q "sleep 1001"'
	run pod stats --no-stream --format json box
	ok
	jq -e '.[0] | .name == "box" and .pids == "3" and (.mem_usage | test("/ 67.11MB")) and (.mem_usage | startswith("0B") | not)' <<< "$output"
	run pod top box pid args
	ends 0 'sleep 1000' 'sleep 1001'
	# ps inside, by its own options.
	run pod ps --format '{{.Names}} {{.Status}}'
	ends 0 'box Up'
}

@test "user namespaces: ranges of ids, automatic ones, files owned inside" {
	run create_one --uidmap 0:100000:65536 --gidmap 0:200000:65536 bb:1 sh -c 'cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /etc/data; touch /tmp/x'
	ok
	[[ "$output" =~ 0\ +100000\ +65536.*0\ +200000\ +65536.*0:0 ]]
	in_room sh -c 'echo containers:300000:200000 | tee -a /etc/subuid >> /etc/subgid'
	run create_one --userns auto:size=2000 bb:1 cat /proc/self/uid_map
	ok
	[[ "$output" =~ 0\ +3[0-9]{5}\ +2000 ]]
	start_one box --uidmap 0:100000:65536 -u user bb:1 sleep 1000
	[ "$(in_room stat -c %u "/proc/$(field box .State.Pid)")" = 101000 ]
	run pod exec box id -u
	ends 0 1000
}

@test "security options: capabilities, seccomp, no_new_privs, read-only, masked paths, devices" {
	run create_one --cap-drop ALL --cap-add KILL --security-opt no-new-privileges bb:1 guest caps -- signals
	ends 0 'effective 0000000000000020' 'bounding 0000000000000020' 'nnp 1' "$(printf 'Seccomp:\t2')"
	run create_one --security-opt seccomp=unconfined bb:1 guest signals
	ends 0 "$(printf 'Seccomp:\t0')"
	run create_one --read-only bb:1 sh -c 'touch /x; echo 1 > /proc/sys/kernel/hostname; echo text > /tmp/ok && cat /tmp/ok'
	ends 0 '/x: Read-only' 'hostname: Read-only' text
	run create_one --device /dev/fuse:/dev/fuse2:rw bb:1 sh -c 'test -c /dev/fuse2 && : 3<> /dev/fuse2 && echo opened; mknod /dev/mem c 1 1; : < /dev/mem'
	says opened && says 'Operation not permitted'
	run create_one --privileged bb:1 sh -c 'mkdir /m && mount -t tmpfs t /m && grep -c " /m " /proc/mounts'
	ends 0 1
	run create_one --sysctl net.ipv4.ip_forward=1 --ulimit nofile=99:100 --ulimit nproc=50:50 bb:1 sh -c 'cat /proc/sys/net/ipv4/ip_forward; ulimit -n'
	[ "$output" = "$(printf '1\n99')" ]
}

@test "volumes, tmpfs, files copied in and out, a process 1 that reaps, a health check" {
	in_room sh -c 'mkdir -p /mnt/vol && echo from-host > /mnt/vol/a'
	run create_one -v /mnt/vol:/v:ro -v fresh:/named --tmpfs /t:size=1m bb:1 sh -c 'cat /v/a; touch /v/b; touch /named/x && df -k /t | tail -n 1'
	ends 0 from-host '/v/b: Read-only' 1024
	start_one box --init --health-cmd 'test -e /tmp/well' --health-interval disable bb:1 sleep 1000
	pod cp /mnt/vol/a box:/tmp/copied
	[ "$(pod exec box cat /tmp/copied)" = from-host ]
	pod cp box:/etc/data /mnt/data
	[ "$(in_room cat /mnt/data)" = data ]
	run pod exec box ps -o pid,args
	ends 0 '1 /run/podman-init'
	run pod healthcheck run box
	[ "$status" -ne 0 ]
	pod exec box touch /tmp/well
	pod healthcheck run box
}

@test "a bridge: an address, the way to the host and back, a published port" {
	[ -x /usr/lib/cni/bridge ] || skip "no /usr/lib/cni/bridge here: install what config/packages/clients lists"
	pod run -d --name web --cgroup-parent "/$PARENT" -p 8080:80 bb:1 sh -c 'echo served > /tmp/index.html; httpd -f -p 80 -h /tmp' > /dev/null
	local ip
	ip=$(field web .NetworkSettings.IPAddress)
	[ -n "$ip" ]
	wait_for 'in_room busybox wget -q -O - "http://$ip/" | grep served'
	wait_for 'in_room busybox wget -q -O - http://127.0.0.1:8080/ | grep served'
	run pod run --rm --cgroup-parent "/$PARENT" bb:1 wget -q -O - "http://$ip/"
	ends 0 served
}

@test "pods: containers that share their network and ipc" {
	pod pod create --name p --network none --cgroup-parent "/$PARENT" --share net,ipc,uts
	pod run -d --pod p --name one bb:1 sh -c 'httpd -f -p 127.0.0.1:80 -h /etc' > /dev/null
	wait_for 'pod run --rm --pod p bb:1 wget -q -O - http://127.0.0.1/data | grep data'
	pod pod pause p
	[ "$(field one .State.Status)" = paused ]
	pod pod unpause p
	pod pod rm --force --time 0 p
	# podman 4.3 forgets the pod's group in the hierarchies without a controller, whatever the runtime is.
	find /sys/fs/cgroup/{systemd,unified}/"$PARENT" -mindepth 1 -type d -delete 2> /dev/null || true
}

@test "names: a second one is refused, one that is not there too, rm --force of a running one works" {
	start_one box bb:1 sleep 1000
	run start_one box bb:1 true
	ends 125 'box'
	run pod exec nosuch true
	ends 125 'no such container'
	run pod rm box
	[ "$status" -ne 0 ] && says running
	pod rm --force --time 0 box
	run pod ps -aq
	[ -z "$output" ]
}

@test "checkpoint and restore: it goes on where it was, here, from an archive and under another name" {
	needs_criu
	start_one box bb:1 sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /tmp/n; usleep 50000; done'
	count() { pod exec "${1:-box}" cat /tmp/n; }
	wait_for '[ "$(count)" -gt 10 ]'
	run pod container checkpoint --keep box
	ends 0 box
	[ "$(field box .State.Status)" = exited ]
	run pod container restore box
	ends 0 box
	first=$(count)
	[ "$first" -gt 10 ]
	wait_for "[ \"\$(count)\" -gt $first ]"
	run pod container checkpoint --export /mnt/box.tar --leave-running box
	ends 0 box
	[ "$(field box .State.Status)" = running ]
	run pod container restore --import /mnt/box.tar --name copy
	ends 0
	wait_for '[ "$(count copy)" -gt 10 ]'
}

@test "nothing is left: mounts, states, control groups, processes" {
	wait_for 'room_ledger > "$ROOM_DIR/after"; diff "$ROOM_DIR/before" "$ROOM_DIR/after" > "$ROOM_DIR/diff"' || { cat "$ROOM_DIR/diff" && return 1; }
}
