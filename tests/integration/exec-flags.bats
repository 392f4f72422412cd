# exec: the flags that put the process into another cgroup, under another label, or hand out a descriptor of it.
load cgroup.bash

setup() { runtime_setup; }
teardown() { runtime_teardown; }

# A receiver of descriptors: prints what came with it and the pid that it stands for, then sends the signal.
receiver() { # SOCKET SIGNAL
	cat > "$WORK/pidfd.py" << 'PY'
import array, os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
open(sys.argv[1] + ".ready", "w").close()
c = s.accept()[0]
data, anc, _, _ = c.recvmsg(256, socket.CMSG_SPACE(8))
fds = array.array("i", anc[0][2])
info = open("/proc/self/fdinfo/%d" % fds[0]).read()
print(data.decode(), len(fds), [l for l in info.split("\n") if l.startswith("Pid:")][0].split()[1], flush=True)
sys.stdin.readline()
signal.pidfd_send_signal(fds[0], int(sys.argv[2]))
PY
	rm -f "$WORK/go" && mkfifo "$WORK/go"
	timeout 60 python3 "$WORK/pidfd.py" "$1" "$2" < "$WORK/go" > "$1.out" &
	exec {go}> "$WORK/go"
	wait_for "[ -e '$1.ready' ]"
}

@test "--pidfd-socket of exec receives a descriptor of the process" {
	start_sleeper
	receiver "$WORK/sock" 15
	rt exec -d --pidfd-socket "$WORK/sock" --pid-file "$WORK/pid" "$ID" sleep 1010 < /dev/null > "$WORK/out" 2>&1
	pid=$(cat "$WORK/pid")
	wait_for '[ -s "$WORK/sock.out" ]'
	[ "$(cat "$WORK/sock.out")" = "pidfd 1 $pid" ]
	[ -d "/proc/$pid" ]
	echo go >&$go
	wait_for "gone $pid"
	[ "$(status_of)" = running ]
}

@test "--pidfd-socket of create and run receives a descriptor of init" {
	args sleep 1000
	receiver "$WORK/sock" 9
	rt create --pidfd-socket "$WORK/sock" -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ -s "$WORK/sock.out" ]'
	[ "$(cat "$WORK/sock.out")" = "pidfd 1 $(rt state "$ID" | jq .pid)" ]
	echo go >&$go
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID"

	receiver "$WORK/sock2" 9
	rt run -d --pidfd-socket "$WORK/sock2" -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait_for '[ -s "$WORK/sock2.out" ]'
	[ "$(cat "$WORK/sock2.out")" = "pidfd 1 $(rt state "$ID" | jq .pid)" ]
	echo go >&$go
	wait_for '[ "$(status_of)" = stopped ]'
}

@test "--pidfd-socket that nobody listens on is an error before anything is made" {
	args true
	fails_with '--pidfd-socket' rt run --pidfd-socket "$WORK/nothing" -b "$BUNDLE" "$ID"
	[ ! -e "$ROOT/$ID" ]
	start_sleeper
	fails_with '--pidfd-socket' rt exec --pidfd-socket "$WORK/nothing" "$ID" touch /tmp/ran
	run rt exec "$ID" test -e /tmp/ran
	[ "$status" -eq 1 ]
}

@test "the descriptor of --pidfd-socket's connection is not in the container" {
	args sh -c 'ls -l /proc/self/fd'
	receiver "$WORK/sock" 9
	run rt run --pidfd-socket "$WORK/sock" -b "$BUNDLE" "$ID"
	ok
	[[ $output != *socket:* ]]
	echo go >&$go
}

@test "--cgroup puts the process into a cgroup below the container's" {
	start_sleeper
	mkdir "$(dir pids)/sub"
	if v2; then
		rt exec -d --cgroup sub --pid-file "$WORK/pid" "$ID" sleep 1011 < /dev/null > "$WORK/out" 2>&1
	else
		rt exec -d --cgroup pids:sub --pid-file "$WORK/pid" "$ID" sleep 1011 < /dev/null > "$WORK/out" 2>&1
		# Only there: of the others it is in the container's own.
		[ "$(cat "/sys/fs/cgroup/memory$CGROUP/cgroup.procs" | grep -cx "$(cat "$WORK/pid")")" = 1 ]
	fi
	[ "$(cat "$(dir pids)/sub/cgroup.procs")" = "$(cat "$WORK/pid")" ]
	# The container's own, by name.
	rt exec -d --cgroup / --pid-file "$WORK/pid" "$ID" sleep 1011 < /dev/null > "$WORK/out" 2>&1
	grep -qx "$(cat "$WORK/pid")" "$(dir pids)/cgroup.procs"
	# Everything in it goes with the container.
	rt delete --force "$ID"
	[ ! -e "$(dir pids)" ]
}

@test "--cgroup for several controllers" {
	v2 && skip "cgroup v2 has one hierarchy for all controllers"
	start_sleeper
	mkdir "/sys/fs/cgroup/pids$CGROUP/a" "/sys/fs/cgroup/memory$CGROUP/b"
	rt exec -d --cgroup pids:a --cgroup memory:b --pid-file "$WORK/pid" "$ID" sleep 1012 < /dev/null > "$WORK/out" 2>&1
	[ "$(cat "/sys/fs/cgroup/pids$CGROUP/a/cgroup.procs")" = "$(cat "$WORK/pid")" ]
	[ "$(cat "/sys/fs/cgroup/memory$CGROUP/b/cgroup.procs")" = "$(cat "$WORK/pid")" ]
	fails_with 'is given twice' rt exec --cgroup pids:a --cgroup pids:a "$ID" true
	fails_with 'must be the only --cgroup' rt exec --cgroup pids:a --cgroup / "$ID" true
	rt exec --cgroup pids,memory:/ "$ID" true
}

@test "--cgroup leads neither upwards nor to what is not there" {
	start_sleeper
	rt exec --cgroup / "$ID" true
	for bad in .. ../x a/../.. /..; do
		fails_with 'bad sub cgroup path' rt exec --cgroup "$bad" "$ID" true
		[ "$status" -eq 255 ]
	done
	fails_with 'adding pid of the new process to cgroups' rt exec --cgroup nonexistent "$ID" true
	says 'No such file or directory'
	fails_with 'unknown controller "nosuch"' rt exec --cgroup nosuch:/ "$ID" true
	fails_with 'unknown controller ""' rt exec --cgroup :/ "$ID" true
	fails_with 'the container has no cgroup' no_cgroup
}

no_cgroup() {
	config 'del(.linux.resources)'
	rt --cgroup-manager disabled run -d -b "$BUNDLE" "$ID-2" < /dev/null > "$WORK/out" 2>&1
	rt exec --cgroup x "$ID-2" true
}

@test "exec follows init when the container's cgroup takes no processes any more" {
	v2 || skip "only cgroup v2 has cgroups that take no processes"
	start_sleeper
	pid=$(rt state "$ID" | jq .pid)
	dir=$(dir pids)
	grep -qw pids "$dir/cgroup.controllers" || skip "the controller pids is not in $dir"
	mkdir "$dir/init"
	echo "$pid" > "$dir/init/cgroup.procs"
	echo +pids > "$dir/cgroup.subtree_control"
	# A process in it would be one beside a controller's children, if the kernel allowed that.
	[ "$(rt exec "$ID" sh -c 'exec cat /proc/self/cgroup')" = "$(cat "/proc/$pid/cgroup" | sed 's/.*/0::\/init/')" ] ||
		[ "$(rt exec "$ID" cat /proc/self/cgroup)" = 0::/init ]
	fails_with 'adding pid of the new process to cgroups' rt exec --cgroup / "$ID" true
	says 'Device or resource busy'
	rt exec --cgroup init "$ID" true
}

@test "--apparmor and --process-label need their module" {
	start_sleeper
	if [ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" != Y ]; then
		fails_with 'AppArmor is not active on this host' rt exec --apparmor nosuch "$ID" true
		[ "$status" -eq 255 ]
	else
		fails_with 'apparmor profile nosuch' rt exec --apparmor nosuch "$ID" true
	fi
	if [ ! -e /sys/fs/selinux/enforce ]; then
		fails_with 'SELinux is not active on this host' rt exec --process-label a:b:c:s0 "$ID" true
	fi
	# Empty asks for nothing.
	rt exec --apparmor '' --process-label '' "$ID" true
}

@test "flags change a process from a file as well" {
	start_sleeper
	echo '{"cwd": "/", "args": ["sh", "-c", "pwd; echo $X$Y; id -u"], "env": ["PATH=/bin", "X=x", "Y=y"], "user": {"uid": 7, "gid": 8}}' > "$WORK/process.json"
	[ "$(rt exec -p "$WORK/process.json" "$ID" | tr '\n' ' ')" = '/ xy 7 ' ]
	[ "$(rt exec -p "$WORK/process.json" --cwd /tmp -e Y=z -u 1000 "$ID" | tr '\n' ' ')" = '/tmp xz 1000 ' ]
}

@test "--debug names the steps, wherever the log goes" {
	start_sleeper
	run rt --debug exec "$ID" true
	ok
	says 'level=debug'
	says 'setns_init: about to exec true'
	run rt --debug --log "$WORK/log" --log-format json exec "$ID" echo hello
	[ "$output" = hello ]
	jq -es 'map(select(.level == "debug") | .msg) | any(startswith("nsexec container setup")) and any(startswith("child process in init()"))' "$WORK/log"
	run rt exec "$ID" echo hello
	[ "$output" = hello ]
}
