# exec: one more process in a running container, from flags or from a process.json, with and without a terminal.
load lib

setup() { runtime_setup; }
teardown() { runtime_teardown; }

@test "exec passes output and exit code through" {
	start_sleeper
	run rt exec "$ID" sh -c 'echo hello; exit 9'
	[ "$status" -eq 9 ]
	says hello
	run rt exec "$ID" sh -c 'kill -TERM $$'
	[ "$status" -eq 143 ]
}

@test "exec is in all of the container's namespaces and in its cgroup" {
	local time=
	[ ! -e /proc/self/ns/time ] || { time=time && config '.linux.namespaces += [{"type": "time"}]'; }
	start_sleeper
	pid=$(rt state "$ID" | jq .pid)
	for ns in pid net ipc uts mnt cgroup $time; do
		[ "$(rt exec "$ID" readlink "/proc/self/ns/$ns")" = "$(readlink "/proc/$pid/ns/$ns")" ]
	done
	rt exec -d --pid-file "$WORK/pid" "$ID" sleep 1005 < /dev/null > "$WORK/out" 2>&1
	[ "$(cat "/proc/$(cat "$WORK/pid")/cgroup")" = "$(cat "/proc/$pid/cgroup")" ]
	grep -q "$ID" "/proc/$(cat "$WORK/pid")/cgroup"
}

@test "exec enters a user namespace" {
	config '.linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 "$ROOTFS"
	start_sleeper
	run rt exec "$ID" id -u
	ok
	[ "$output" = 0 ]
	rt exec -d --pid-file "$WORK/pid" "$ID" sleep 1006 < /dev/null > "$WORK/out" 2>&1
	[ "$(awk '/^Uid/ {print $2}' "/proc/$(cat "$WORK/pid")/status")" = 100000 ]
}

@test "what goes wrong before the program is exit code 255 and a sentence" {
	start_sleeper
	run rt exec "$ID" /no/such
	[ "$status" -eq 255 ]
	says 'no such file or directory'
	run rt exec "$ID" nosuchprogram
	[ "$status" -eq 255 ]
	says 'executable file not found in $PATH'
	run rt exec "$ID" /etc
	[ "$status" -eq 255 ]
	run rt exec "$ID"
	[ "$status" -eq 255 ]
	says 'COMMAND'
	run rt exec nobody true
	[ "$status" -eq 255 ]
	says 'container nobody does not exist'
}

@test "exec in a stopped container is refused" {
	start_sleeper
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	run rt exec "$ID" true
	[ "$status" -eq 255 ]
	says 'container not running'
}

@test "flags change directory, environment, user, groups and rights" {
	mkdir "$ROOTFS/work"
	start_sleeper
	[ "$(rt exec --cwd /tmp "$ID" pwd)" = /tmp ]
	fails_with 'absolute' rt exec --cwd tmp "$ID" pwd
	[ "$(rt exec -e A=1 --env B=2 -e A=3 "$ID" sh -c 'echo $A $B')" = '3 2' ]
	fails_with 'NAME=VALUE' rt exec -e A "$ID" true
	[ "$(rt exec -u 1000 "$ID" id -u)" = 1000 ]
	[ "$(rt exec -u user "$ID" id -un)" = user ]
	[ "$(rt exec -u 1:2 "$ID" sh -c 'id -u; id -g' | tr '\n' ' ')" = '1 2 ' ]
	[ "$(rt exec -u 1000 -g 5000 -g 6000 "$ID" id -G | tr ' ' '\n' | grep -cE '^(5000|6000)$')" = 2 ]
	fails_with 'nosuchuser' rt exec -u nosuchuser "$ID" true
	fails_with '--user -1' rt exec -u -1 "$ID" true
	[ "$(rt exec --cap CAP_SYS_NICE "$ID" awk '/CapEff/ {print $2}' /proc/self/status)" = 0000000000800421 ]
	fails_with 'unknown capability' rt exec --cap CAP_NOSUCH "$ID" true
}

@test "-u never looks a number up as a name" {
	echo '1:x:4242:4242::/:/bin/sh' >> "$ROOTFS/etc/passwd"
	start_sleeper
	[ "$(rt exec -u 1 "$ID" id -u)" = 1 ]
	[ "$(rt exec -u 01 "$ID" id -u)" = 1 ]
	for bad in 4294967295 4294967296 -0 ' 1' '1 ' '' :; do
		run rt exec -u "$bad" "$ID" id -u
		[ "$status" -eq 255 ] || { echo "accepted: '$bad': $output" && false; }
	done
}

@test "inheritable capabilities stay empty" {
	start_sleeper
	[ "$(rt exec --cap CAP_SYS_NICE "$ID" awk '/CapInh/ {print $2}' /proc/self/status)" = 0000000000000000 ]
}

@test "--no-new-privs sets it" {
	config '.process.noNewPrivileges = false'
	start_sleeper
	[ "$(rt exec "$ID" awk '/NoNewPrivs/ {print $2}' /proc/self/status)" = 0 ]
	[ "$(rt exec --no-new-privs "$ID" awk '/NoNewPrivs/ {print $2}' /proc/self/status)" = 1 ]
}

@test "--process takes a file or a descriptor, and refuses nonsense" {
	start_sleeper
	echo '{"cwd": "/tmp", "args": ["sh", "-c", "pwd; echo $X"], "env": ["PATH=/bin", "X=y"], "user": {"uid": 7, "gid": 8}}' > "$WORK/process.json"
	[ "$(rt exec --process "$WORK/process.json" "$ID" | tr '\n' ' ')" = '/tmp y ' ]
	[ "$(rt exec -p /dev/fd/5 "$ID" 5< "$WORK/process.json" | tr '\n' ' ')" = '/tmp y ' ]
	[ "$(rt exec -p <(cat "$WORK/process.json") "$ID" | tr '\n' ' ')" = '/tmp y ' ]
	echo '{"cwd": "tmp", "args": ["true"]}' > "$WORK/process.json"
	fails_with 'process.cwd: must be an absolute path' rt exec -p "$WORK/process.json" "$ID"
	echo '{"cwd": "/", "args": []}' > "$WORK/process.json"
	fails_with 'process.args: must not be empty' rt exec -p "$WORK/process.json" "$ID"
	echo '{"cwd": "/", "args": [1]}' > "$WORK/process.json"
	fails_with 'process.args[0]: must be a string' rt exec -p "$WORK/process.json" "$ID"
	echo '{' > "$WORK/process.json"
	fails_with "$WORK/process.json" rt exec -p "$WORK/process.json" "$ID"
	fails_with 'exclude each other' rt exec -p "$WORK/process.json" "$ID" true
}

@test "the container's seccomp filter applies to exec" {
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95}]}'
	start_sleeper
	run rt exec "$ID" mkdir /tmp/x
	[ "$status" -eq 1 ]
	[[ ${output,,} == *"not supported"* ]]
	[ "$(rt exec "$ID" awk '/^Seccomp:/ {print $2}' /proc/self/status)" = 2 ]
}

@test "exec -d returns at once and writes the pid" {
	start_sleeper
	rt exec -d --pid-file "$WORK/pid" "$ID" sleep 1007 < /dev/null > "$WORK/out" 2>&1
	runs "$(cat "$WORK/pid")" sleep 1007
}

@test "exec forwards signals" {
	start_sleeper
	"$RUNTIME" --root "$ROOT" exec "$ID" sh -c 'trap "echo got; exit 4" TERM; echo ready; while :; do sleep 0.1; done' > "$WORK/out" & pid=$!
	wait_for 'grep -q ready "$WORK/out"'
	kill -TERM $pid
	wait_code $pid
	[ "$code" -eq 4 ]
	grep -q got "$WORK/out"
}

@test "exec -t has a terminal of the container's own devpts" {
	start_sleeper
	run timeout 60 script -qec "'$RUNTIME' --root '$ROOT' exec -t '$ID' sh -c 'tty; test -t 0 && test -t 1 && echo is terminal; stty size'" /dev/null
	ok
	says /dev/pts/0
	says 'is terminal'
}

@test "exec -t carries input, and the size of our terminal" {
	start_sleeper
	printf 'echo sum $((40 + 2))\nstty size\nexit 6\n' > "$WORK/in"
	run timeout 60 script -qec "stty rows 33 cols 77; '$RUNTIME' --root '$ROOT' exec -t '$ID' sh" /dev/null < "$WORK/in"
	[ "$status" -eq 6 ]
	says 'sum 42'
	says '33 77'
}

@test "what is typed before the program runs reaches it, an end of file as one" {
	start_sleeper
	# script(1) types the end of its own input. It lies in the terminal until our relay begins.
	run timeout 60 script -qec "sleep 0.5; '$RUNTIME' --root '$ROOT' exec -t '$ID' sh -c 'sleep 0.2; echo hello'" /dev/null < /dev/null
	[ "$output" = hello ] || { printf '%q' "$output" && false; }
	printf 'first line\nsecond\n' > "$WORK/in"
	run timeout 60 script -qec "sleep 0.5; '$RUNTIME' --root '$ROOT' exec -t '$ID' sh -c 'stty -echo; cat; echo end'" /dev/null < "$WORK/in"
	ok
	says 'first line'
	says 'second'
	says 'end'
	[[ $output != *'^@'* ]]
}

@test "exec -t ends when a piped input ends" {
	start_sleeper
	run bash -c "echo 'echo sum \$((40 + 2))' | timeout 60 '$RUNTIME' --root '$ROOT' exec -t '$ID' sh"
	ok
	says 'sum 42'
}

@test "run -t gives the program a terminal" {
	config '.process.terminal = true'
	args sh -c 'tty; test -t 2 && echo is terminal'
	run timeout 60 script -qec "'$RUNTIME' --root '$ROOT' run -b '$BUNDLE' '$ID'" /dev/null
	ok
	says /dev/pts/0
	says 'is terminal'
}

@test "--console-socket receives the master, for create and for exec" {
	cat > "$WORK/receive.py" << 'PY'
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
open(sys.argv[1] + ".ready", "w").close()
c = s.accept()[0]
data, anc, _, _ = c.recvmsg(256, socket.CMSG_SPACE(4))
fd = array.array("i", anc[0][2])[0]
print("name", data.decode(), "tty", os.isatty(fd), flush=True)
out = b""
while True:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    out += got
print(out.decode(), flush=True)
PY
	config '.process.terminal = true'
	args sh -c 'echo from the container; sleep 0.2'
	timeout "${RT_TIMEOUT:-60}" python3 "$WORK/receive.py" "$WORK/s1" > "$WORK/o1" & py=$!
	wait_for '[ -e "$WORK/s1.ready" ]'
	rt create --console-socket "$WORK/s1" -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	rt start "$ID"
	wait $py
	grep -q 'tty True' "$WORK/o1"
	grep -q 'from the container' "$WORK/o1"
	# As the kernel makes a terminal: whoever holds it decides about carriage returns.
	grep -q $'from the container\r' "$WORK/o1"
	rt delete --force "$ID"

	config '.process.terminal = false'
	start_sleeper
	timeout "${RT_TIMEOUT:-60}" python3 "$WORK/receive.py" "$WORK/s2" > "$WORK/o2" & py=$!
	wait_for '[ -e "$WORK/s2.ready" ]'
	rt exec -d -t --console-socket "$WORK/s2" "$ID" sh -c 'echo exec here; sleep 0.2' < /dev/null > "$WORK/out" 2>&1
	wait $py
	grep -q 'exec here' "$WORK/o2"
	fails_with 'cannot allocate tty' rt exec -d -t "$ID" true
}

@test "--preserve-fds for exec" {
	start_sleeper
	echo from outside > "$WORK/file"
	[ "$(rt exec --preserve-fds 1 "$ID" sh -c 'cat <&3' 3< "$WORK/file")" = 'from outside' ]
	run rt exec "$ID" ls /proc/self/fd 5< /etc/hostname
	! grep -qx 5 <<< "$output"
}

@test "--ignore-paused waits for resume" {
	start_sleeper
	rt pause "$ID"
	rt exec --ignore-paused "$ID" echo hello > "$WORK/out" & pid=$!
	sleep 0.3
	[ ! -s "$WORK/out" ]
	rt resume "$ID"
	wait $pid
	grep -q hello "$WORK/out"
}

@test "HOME comes from the container's passwd when it is not given" {
	start_sleeper
	[ "$(rt exec "$ID" sh -c 'echo $HOME')" = /root ]
	[ "$(rt exec -u 1000 "$ID" sh -c 'echo $HOME')" = /home/user ]
	[ "$(rt exec -e HOME=/x "$ID" sh -c 'echo $HOME')" = /x ]
}
