# dockerd with carrel-runtime as its default runtime.

load lib
load containerd
bats_require_minimum_version 1.5.0

# By their full names: a machine may have others of other versions first in its PATH.
DOCKER='/usr/bin/docker -H unix:///run/docker.sock'
docker() { in_room $DOCKER "$@"; }

setup_file() {
	room_open containerd ctr containerd-shim-runc-v2 /usr/sbin/dockerd /usr/bin/docker python3 || return 0
	containerd_start
	dockerd_start /mnt/docker
	docker load -q -i /mnt/docker.tar > /dev/null
	docker run --rm --network none localhost/bb:1 true
	room_ledger > "$ROOM_DIR/before"
}
setup() { room_here; }
teardown_file() {
	dockerd_stop
	containerd_stop
	room_close
}
teardown() {
	local all
	all=$(docker ps -aq)
	[ -z "$all" ] || docker rm --force $all > /dev/null
}

# dockerd_start DATA-ROOT [OPTION...]
dockerd_start() {
	local data=$1
	shift
	put /mnt/daemon.json << JSON
{ "data-root": "$data", "exec-root": "/run/docker-exec", "pidfile": "/run/docker.pid", "hosts": ["unix:///run/docker.sock"],
  "bridge": "none", "iptables": false, "storage-driver": "overlay2", "containerd": "/run/containerd/containerd.sock",
  "exec-opts": ["native.cgroupdriver=cgroupfs"], "cgroup-parent": "/$PARENT",
  "runtimes": { "carrel": { "path": "$RUNTIME" } }, "default-runtime": "carrel" }
JSON
	in_room sh -c '/usr/sbin/dockerd --config-file /mnt/daemon.json "$@" >> /mnt/dockerd.log 2>&1 3>&- &' dockerd "$@"
	wait_for 'docker version > /dev/null 2>&1' || { in_room tail -n 20 /mnt/dockerd.log && return 1; } >&2
}
dockerd_stop() {
	[ -n "${ROOM:-}" ] || return 0
	in_room sh -c '[ ! -e /run/docker.pid ] || kill "$(cat /run/docker.pid)"'
	wait_for '! in_room test -e /run/docker.pid'
}
start_one() { docker run -d --name "$1" --network none "${@:2}" > /dev/null; }
create_one() { docker run --rm --network none "$@"; }
field() { docker inspect --format "{{$2}}" "$1"; }

@test "docker knows the runtime" {
	run docker info --format '{{.DefaultRuntime}} {{json .Runtimes}}'
	ends 0 'carrel ' "$RUNTIME"
}

@test "run: output, input, the exit code; what cannot be executed: 127 and 126" {
	run create_one localhost/bb:1 sh -c 'echo out; echo err >&2; exit 3'
	ends 3 out err
	[ "$(echo typed | create_one -i localhost/bb:1 cat)" = typed ]
	run -127 create_one localhost/bb:1 nosuch
	says 'exec: "nosuch": executable file not found in $PATH'
	run create_one localhost/bb:1 /etc/data
	ends 126 '/etc/data: permission denied'
	start_one box localhost/bb:1 sleep 1000
	run docker exec box nosuch
	says 'executable file not found in $PATH'
	[ "$status" -eq 126 ] || [ "$status" -eq 127 ]
}

@test "terminals: of run and of exec, with resize" {
	resizes $DOCKER run --rm -it --network none localhost/bb:1
	start_one box localhost/bb:1 sleep 1000
	resizes $DOCKER exec -it box
}

@test "exec: exit code, user, environment, directory; privileged" {
	start_one box localhost/bb:1 sleep 1000
	run docker exec -u user -e GREETING=hello -w /tmp box sh -c 'echo $(id -un) $GREETING $(pwd); exit 7'
	ends 7 'user hello /tmp'
	run docker exec --privileged box guest caps
	ok
	# CAP_SYS_ADMIN is one of them; docker knows fewer than the kernel.
	[ $((16#$(sed -n 's/^effective //p' <<< "$output") >> 21 & 1)) = 1 ]
}

@test "limits are in the control group, and update changes them there" {
	start_one box --memory 64m --memory-swap 96m --cpus 0.5 --cpuset-cpus 0 --pids-limit 40 localhost/bb:1 sleep 1000
	local pid
	pid=$(field box .State.Pid)
	[ "$(limit "$pid" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(limit "$pid" pids pids.max pids.max)" = 40 ]
	[ "$(limit "$pid" cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	[[ "$(limit "$pid" cpu cpu.cfs_quota_us cpu.max)" =~ ^50000 ]]
	docker update --memory 32m --memory-swap 48m --cpus 0.25 --pids-limit 30 box
	[ "$(limit "$pid" memory memory.limit_in_bytes memory.max)" = 33554432 ]
	[[ "$(limit "$pid" cpu cpu.cfs_quota_us cpu.max)" =~ ^25000 ]]
	[ "$(limit "$pid" pids pids.max pids.max)" = 30 ]
	[ "$(limit "$pid" cpuset cpuset.cpus cpuset.cpus)" = 0 ]
}

@test "pause, unpause, kill, stop, start, restart, wait" {
	start_one box localhost/bb:1 sh -c 'trap "exit 9" TERM; while :; do usleep 20000; done'
	docker pause box
	[ "$(field box .State.Status)" = paused ]
	run docker exec box true
	[ "$status" -ne 0 ] && says paused
	docker unpause box
	docker stop --time 10 box
	[ "$(field box .State.ExitCode)" = 9 ]
	docker start box
	docker restart --time 5 box
	[ "$(field box .State.Running)" = true ]
	docker kill --signal KILL box
	[ "$(docker wait box)" = 137 ]
	start_one again --restart on-failure:1 localhost/bb:1 sh -c 'exit 4'
	wait_for '[ "$(field again .RestartCount) $(field again .State.Running)" = "1 false" ]'
}

@test "out of memory is reported as that" {
	start_one box --memory 16m --memory-swap 16m localhost/bb:1 sh -c 'sleep 2; x=0123456789abcdef; while :; do x=$x$x; done'
	[ "$(docker wait box)" = 137 ]
	[ "$(field box .State.OOMKilled)" = true ]
}

@test "stats and top" {
	start_one box --memory 64m localhost/bb:1 sh -c 'sleep 1000 & sleep 1001; wait'
	wait_for 'docker top box -o pid,args | grep -q "sleep 1001"'
	run docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' box
	ends 0 'box 3 ' '/ 64MiB'
	run docker top box -o pid,args
	ends 0 'sleep 1000' 'sleep 1001'
}

@test "security options, volumes, an init, files copied, a health check" {
	run create_one --cap-drop ALL --cap-add KILL --security-opt no-new-privileges localhost/bb:1 guest caps -- signals
	ends 0 'effective 0000000000000020' 'nnp 1' "$(printf 'Seccomp:\t2')"
	in_room sh -c 'mkdir -p /mnt/vol && echo from-host > /mnt/vol/a'
	run create_one --read-only -v /mnt/vol:/v:ro --tmpfs /t localhost/bb:1 sh -c 'cat /v/a; touch /t/x; touch /x; touch /v/b'
	says from-host && says '/x: Read-only' && says '/v/b: Read-only'
	run create_one --privileged localhost/bb:1 sh -c 'mkdir /m && mount -t tmpfs t /m && grep -c " /m " /proc/mounts'
	ends 0 1
	start_one box --init --health-cmd 'test -e /tmp/well' --health-interval 500ms localhost/bb:1 sleep 1000
	docker cp box:/etc/data /mnt/copied
	[ "$(in_room cat /mnt/copied)" = data ]
	docker exec box touch /tmp/well
	wait_for '[ "$(field box .State.Health.Status)" = healthy ]'
}

@test "a container outlives a daemon that is killed, when it should" {
	dockerd_stop
	dockerd_start /mnt/docker --live-restore
	start_one box localhost/bb:1 sleep 1000
	in_room sh -c 'kill -9 "$(cat /run/docker.pid)"'
	wait_for '! docker version > /dev/null 2>&1'
	in_room rm -f /run/docker.pid
	dockerd_start /mnt/docker --live-restore
	[ "$(field box .State.Running)" = true ]
	docker exec box true
	docker rm --force box
	dockerd_stop
	dockerd_start /mnt/docker
}

@test "nothing is left: mounts, states, control groups, processes" {
	wait_for 'room_ledger > "$ROOM_DIR/after"; diff "$ROOM_DIR/before" "$ROOM_DIR/after" > "$ROOM_DIR/diff"' || { cat "$ROOM_DIR/diff" && return 1; }
}

# Last: such a daemon has other images.
@test "userns-remap: every container in a user namespace" {
	dockerd_stop
	in_room sh -c 'useradd --system dockremap; echo dockremap:400000:65536 | tee -a /etc/subuid >> /etc/subgid'
	dockerd_start /mnt/remapped --userns-remap default
	docker load -q -i /mnt/docker.tar > /dev/null
	run create_one localhost/bb:1 sh -c 'cat /proc/self/uid_map; stat -c %u:%g /etc/data; touch /tmp/x'
	ends 0 0:0
	[[ "$output" =~ 0\ +400000\ +65536 ]]
	start_one box -u user --memory 64m localhost/bb:1 sleep 1000
	[ "$(in_room stat -c %u "/proc/$(field box .State.Pid)")" = 401000 ]
	run docker exec box id -u
	ends 0 1000
	run terminal 'expect $ ;; send id -u\r ;; expect 1000 ;; send exit 6\r' $DOCKER exec -it box sh
	ends 0 '[exit 6]'
}
