# podman as an ordinary user, with carrel-runtime as its runtime.

load lib
bats_require_minimum_version 1.5.0

# The account is the room's: /etc there is an overlay.
setup_file() {
	room_open podman conmon newuidmap useradd setpriv python3 || return 0
	in_room useradd --uid 4242 --home-dir /mnt/home --create-home --shell /bin/bash worker
	in_room sh -c 'echo worker:500000:65536 > /etc/subuid && cp /etc/subuid /etc/subgid
		mkdir -p -m 700 /mnt/xdg && chown worker: /mnt/xdg && chmod 644 /mnt/image.tar && chmod 755 /mnt'
	put /mnt/containers.conf << CONF
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
events_logger = "file"
runtime_supports_json = ["carrel-runtime"]
[engine.runtimes]
carrel-runtime = ["$RUNTIME"]
CONF
	pod import /mnt/image.tar bb:1
	create_one bb:1 true
	room_ledger > "$ROOM_DIR/before"
}
setup() { room_here; }
teardown_file() { room_close; }
teardown() { pod rm --force --time 0 --all > /dev/null; }

USER_ENV='setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all --bounding-set=-sys_resource env HOME=/mnt/home USER=worker XDG_RUNTIME_DIR=/mnt/xdg TMPDIR=/mnt/tmp CONTAINERS_CONF=/mnt/containers.conf'
PODMAN='podman --runtime carrel-runtime --cgroup-manager cgroupfs --storage-driver overlay'
pod() { in_room $USER_ENV $PODMAN "$@"; }
create_one() { pod run --rm --network none "$@"; }
start_one() { pod run -d --name "$1" --network none "${@:2}" > /dev/null; }
field() { pod inspect --format "{{$2}}" "$1"; }

@test "podman knows that it is rootless, and the runtime" {
	run pod info --format '{{.Host.Security.Rootless}} {{.Host.OCIRuntime.Name}}'
	ends 0 'true carrel-runtime'
}

@test "run: the user's ids are mapped, output, input, the exit code" {
	run create_one bb:1 sh -c 'id -u; cat /proc/self/uid_map; echo err >&2; exit 3'
	ends 3 err
	[[ "$output" =~ 0\ +4242\ +1 ]] && [[ "$output" =~ 1\ +500000\ +65536 ]]
	[ "$(echo hello | create_one -i bb:1 cat)" = hello ]
	start_one box -u user bb:1 sleep 1000
	[ "$(in_room stat -c %u "/proc/$(field box .State.Pid)")" = 500999 ]
}

@test "what cannot be executed: 127 and 126" {
	run -127 create_one bb:1 nosuch
	says 'exec: "nosuch": executable file not found in $PATH'
	run create_one bb:1 /etc/data
	ends 126 '/etc/data: permission denied'
}

@test "keep-id: the user is the same number inside" {
	run create_one --userns keep-id bb:1 sh -c 'id -u; touch /tmp/x && stat -c %u /tmp/x'
	[ "$output" = "$(printf '4242\n4242')" ]
}

@test "terminals: of run and of exec, with resize" {
	resizes $USER_ENV $PODMAN run --rm -it --network none bb:1
	start_one box bb:1 sleep 1000
	resizes $USER_ENV $PODMAN exec -it box
}

@test "exec, top, logs, cp, kill, stop, restart" {
	start_one box bb:1 sh -c 'echo said; trap "exit 9" TERM; while :; do usleep 20000; done'
	run pod exec -u user -w /tmp box sh -c 'echo $(id -un) $(pwd); exit 7'
	ends 7 'user /tmp'
	run pod top box args
	ends 0 usleep
	wait_for 'pod logs box | grep -x said'
	pod cp box:/etc/data /mnt/tmp/data
	[ "$(in_room cat /mnt/tmp/data)" = data ]
	pod stop --time 10 box
	[ "$(field box .State.ExitCode)" = 9 ]
	pod restart box
	pod kill box
	wait_for '[ "$(field box .State.Status)" = exited ]'
	[ "$(field box .State.ExitCode)" = 137 ]
}

@test "volumes, tmpfs, read-only, capabilities, seccomp" {
	in_room $USER_ENV sh -c 'mkdir -p /mnt/home/vol && echo mine > /mnt/home/vol/a'
	run create_one --read-only -v /mnt/home/vol:/v --tmpfs /t bb:1 sh -c 'cat /v/a; echo new > /v/b; touch /t/x && touch /x'
	says mine && says '/x: Read-only'
	[ "$(in_room stat -c %U /mnt/home/vol/b)" = worker ]
	run create_one --cap-drop ALL --security-opt no-new-privileges bb:1 guest caps -- signals
	ends 0 'effective 0000000000000000' 'nnp 1' "$(printf 'Seccomp:\t2')"
}

@test "a network by slirp4netns" {
	[ -x "$(type -P slirp4netns)" ] || skip "no slirp4netns here: install what config/packages/clients lists"
	in_room test -c /dev/net/tun || skip "no /dev/net/tun here"
	run pod run --rm --network slirp4netns bb:1 ip addr show tap0
	ends 0 10.0.2.100
}

@test "limits without a delegated control group: podman says that it leaves them out, or they hold" {
	run create_one --memory 64m bb:1 sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null; true'
	ok
	[[ "$output" == *67108864* || "$output" == *"Resource limits are not supported"* ]] || { echo "$output" && return 1; }
}

@test "nothing is left: states, processes" {
	wait_for 'room_ledger > "$ROOM_DIR/after"; diff "$ROOM_DIR/before" "$ROOM_DIR/after" > "$ROOM_DIR/diff"' || { cat "$ROOM_DIR/diff" && return 1; }
	[ -z "$(in_room find /mnt/xdg/carrel -mindepth 2 -maxdepth 2 ! -name '@*' 2> /dev/null)" ]
}
