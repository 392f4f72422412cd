# The system call filter, as a container's program meets it. Verdicts in all detail are the unit tests' business
# (test_runtime_seccomp*.c); here profiles come from config.json and the kernel judges.
load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

profile() {
	config --argjson p "$1" '.linux.seccomp = $p'
}

deny() {
	profile "$(jq -n --arg n "$1" --arg a "$2" '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: [$n], action: $a}]}')"
}

@test "without a profile there is no filter, with one there is" {
	inside grep '^Seccomp:' /proc/self/status
	says 'Seccomp:	0'
	deny swapon SCMP_ACT_ERRNO
	inside grep '^Seccomp:' /proc/self/status
	says 'Seccomp:	2'
}

@test "a refused call fails with the given errno" {
	inside mkdir /tmp/x
	ok
	deny mkdir SCMP_ACT_ERRNO
	inside mkdir /tmp/x
	says 'Operation not permitted'
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}'
	inside mkdir /tmp/x
	says 'No space left on device'
}

@test "kill ends the program by SIGSYS" {
	deny mkdir SCMP_ACT_KILL_PROCESS
	inside sh -c 'mkdir /tmp/x; echo "mkdir $?"'
	says 'mkdir 159'
}

@test "a condition decides by argument" {
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]}]}'
	inside sh -c 'trap "" USR1 USR2; kill -USR2 $$ && echo usr2 went; kill -USR1 $$ || echo usr1 did not'
	says 'usr2 went'
	says 'usr1 did not'
	says 'Permission denied'
}

@test "exec runs under the same filter" {
	deny mkdir SCMP_ACT_ERRNO
	start_sleeper
	run rt exec "$ID" mkdir /tmp/x
	[ "$status" -eq 1 ]
	says 'Operation not permitted'
	run rt exec "$ID" grep '^Seccomp:' /proc/self/status
	says 'Seccomp:	2'
}

@test "without no_new_privs the filter is loaded while it still can be" {
	deny mkdir SCMP_ACT_ERRNO
	config '.process.noNewPrivileges = false'
	inside sh -c 'grep ^NoNewPrivs /proc/self/status; mkdir /tmp/x'
	says 'NoNewPrivs:	0'
	says 'Operation not permitted'
}

@test "the compiled filter is cached, and a cache that others may write is not believed" {
	deny mkdir SCMP_ACT_ERRNO
	inside mkdir /tmp/x
	says 'Operation not permitted'
	cache=$(find "$ROOT" -mindepth 1 -maxdepth 1 -type d -name '@*')
	[ "$(stat -c %a "$cache")" = 700 ]
	file=$(find "$cache" -name '*.bpf')
	[ "$(stat -c %a "$file")" = 600 ]
	# Every instruction now says ALLOW: a cache that is believed lets mkdir through, which is the control.
	n=$(od -An -tu4 -j12 -N4 "$file" | tr -d ' ')
	cp "$file" "$WORK/good"
	head -c -$((n * 8)) "$WORK/good" > "$file"
	for i in $(seq "$n"); do printf '\006\000\000\000\000\000\377\177'; done >> "$file"
	chmod 600 "$file"
	inside mkdir /tmp/x
	ok
	chmod 770 "$cache"
	inside mkdir /tmp/x
	says 'Operation not permitted'
	chmod 700 "$cache"
	chmod 620 "$file"
	inside mkdir /tmp/x
	says 'Operation not permitted'
	chmod 600 "$file"
	# Refused for its mode it was written anew by us.
	inside mkdir /tmp/x
	says 'Operation not permitted'
}

@test "a profile that cannot be meant is refused by field" {
	profile '{"defaultAction": "SCMP_ACT_MAYBE"}'
	fails_with 'linux.seccomp: "SCMP_ACT_MAYBE" is no seccomp action' rt run -b "$BUNDLE" "$ID"
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PDP11"]}'
	fails_with 'linux.seccomp.architectures[0]' rt run -b "$BUNDLE" "$ID"
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}], "listenerPath": "/x"}'
	fails_with 'SCMP_ACT_NOTIFY cannot be used for the write syscall' rt run -b "$BUNDLE" "$ID"
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}'
	fails_with 'listenerPath' rt run -b "$BUNDLE" "$ID"
	deny no_such_call SCMP_ACT_ERRNO
	fails_with '"no_such_call" is no system call that this version knows' rt run -b "$BUNDLE" "$ID"
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 1}]}'
	fails_with 'takes no errnoRet' rt run -b "$BUNDLE" "$ID"
	[ ! -e "$ROOT/$ID" ]
}

# A listener that answers by not answering: it takes the descriptor and lets go of it, so that the call fails with ENOSYS.
listener() {
	python3 - "$1" "$WORK/listener.log" << 'PY' &
import array, json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1]); s.listen(1); s.settimeout(30)
c, _ = s.accept()
text, anc, *_ = c.recvmsg(65536, socket.CMSG_SPACE(4))
fds = array.array('i')
for level, kind, data in anc:
    if kind == socket.SCM_RIGHTS: fds.frombytes(data[:4])
open(sys.argv[2], 'w').write(json.dumps({'state': json.loads(text), 'n': len(fds), 'link': os.readlink('/proc/self/fd/%d' % fds[0])}))
PY
	LISTENER=$!
	listening "$1"
}

@test "NOTIFY sends the listener and the state to listenerPath" {
	profile "$(jq -n --arg p "$WORK/agent.sock" '{defaultAction: "SCMP_ACT_ALLOW", listenerPath: $p, listenerMetadata: "meta",
		syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}')"
	listener "$WORK/agent.sock"
	inside sh -c 'sleep 1; mkdir /tmp/x'
	says 'Function not implemented'
	wait $LISTENER
	[ "$(jq -r .link "$WORK/listener.log")" = 'anon_inode:seccomp notify' ]
	[ "$(jq -r .state.metadata "$WORK/listener.log")" = meta ]
	[ "$(jq -r '.state.fds[0]' "$WORK/listener.log")" = seccompFd ]
	[ "$(jq -r .state.state.id "$WORK/listener.log")" = "$ID" ]
}

@test "a listener that is not there is an error" {
	profile "$(jq -n --arg p "$WORK/nobody.sock" '{defaultAction: "SCMP_ACT_ALLOW", listenerPath: $p,
		syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}')"
	run rt run -b "$BUNDLE" "$ID"
	[ "$status" -eq 1 ]
	says nobody.sock
}

# The programs of a terminal, under the profile of our own sandboxes.
host_tree() {
	config '.root = {path: "/", readonly: true} | .process.env = ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TERM=xterm"]
		| .process.cwd = "/tmp" | del(.linux.readonlyPaths, .linux.maskedPaths)'
	config --argjson p "$(cat "$BATS_TEST_DIRNAME/../../config/seccomp.json")" '.linux.seccomp = $p'
}

@test "calls that the profile does not know do not exist, others are refused" {
	host_tree
	# A number of the future, clone3, io_uring_setup; sethostname and bpf.
	inside /usr/bin/python3 -c 'import ctypes
c = ctypes.CDLL(None, use_errno=True)
for n in 900, 435, 425, 170, 321: ctypes.set_errno(0); print(n, c.syscall(n, 0, 0, 0, 0, 0, 0), ctypes.get_errno())'
	ok
	says '900 -1 38'
	says '435 -1 38'
	says '425 -1 38'
	says '170 -1 1'
	says '321 -1 1'
}

@test "bash, python, vim, less, git, node and apt work under our own profile" {
	host_tree
	cat > "$WORK/try" << 'SH'
set -e
echo "bash $((6 * 7))"; echo a | cat | sed s/a/b/ > f; mkfifo p; (echo through > p &) ; cat p
/usr/bin/python3 -c 'import subprocess, threading, socket, multiprocessing.pool as m, tempfile, ssl, select, os
print("python", subprocess.check_output(["echo", "sub"]).decode().strip(), m.ThreadPool(3).map(abs, [-1, -2]))
socket.socket(); a, b = socket.socketpair(); a.send(b"x"); print(b.recv(1)); select.epoll(); os.memfd_create("x"); os.openpty()' || echo "python failed"
vim -Nu NONE -es +'normal ihello' +'w v.txt' +'q' < /dev/null; echo "vim $(cat v.txt)"
echo page | less -FX | cat
git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && echo "git $(git log --oneline | wc -l)"; cd ..
! command -v node > /dev/null || node -e 'const f = require("fs"), c = require("child_process"), w = require("worker_threads");
f.readFile("/etc/hostname", () => { console.log("node", c.execSync("echo sub").toString().trim()); new w.Worker("1", {eval: true}).on("exit", x => console.log("worker", x)) })'
apt-cache --version | head -n 1; apt-config dump > /dev/null && echo apt works
ps > /dev/null; find . -name f | xargs ls -l > /dev/null; tar cf - f | tar tf -; dd if=/dev/zero bs=1k count=1 2> /dev/null | wc -c
SH
	inside bash -c "$(cat "$WORK/try")"
	ok
	says 'bash 42'
	says through
	says 'python sub [1, 2]'
	says 'vim hello'
	says page
	says 'git 1'
	says 'apt works'
	if command -v node > /dev/null && [ -x /usr/bin/node ]; then
		says 'node sub'
		says 'worker 0'
	fi
	[[ $output != *'python failed'* && $output != *'Bad system call'* ]]
}

@test "a startContainer hook runs under the filter, as the program's user" {
	config '.process.user = {uid: 1000, gid: 1000} | .hooks = {startContainer: [{path: "/bin/sh", env: ["PATH=/bin"],
		args: ["sh", "-c", "id -u > /tmp/who; mkdir /tmp/x; exit $?"]}]}'
	inside cat /tmp/who
	says 1000
	deny mkdir SCMP_ACT_KILL_PROCESS
	inside true
	says 'error running startContainer hook #0'
	deny mkdir SCMP_ACT_ERRNO
	inside true
	says 'Operation not permitted'
}

@test "flags: what is said, and the default of a profile that says nothing" {
	flags() { rt --debug run -b "$BUNDLE" "$ID" 2>&1 | grep -o 'seccomp filter flags: [0-9]*'; }
	deny swapon SCMP_ACT_ERRNO
	[ "$(flags)" = 'seccomp filter flags: 4' ]
	config '.linux.seccomp.flags = []'
	[ "$(flags)" = 'seccomp filter flags: 0' ]
	config '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"]'
	[ "$(flags)" = 'seccomp filter flags: 2' ]
	# There is nobody to wait for.
	config '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]'
	[ "$(flags)" = 'seccomp filter flags: 0' ]
}

@test "an architecture of the specification that cannot be filtered here is a warning, any other word an error" {
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_M68K"], "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}'
	inside mkdir /tmp/x
	says 'SCMP_ARCH_M68K is not known'
	says 'Operation not permitted'
	config '.linux.seccomp.architectures = ["SCMP_ARCH_Z80"]'
	fails_with 'is no architecture' rt run -b "$BUNDLE" "$ID"
}
