# crun's annotations that this runtime honours; those that it refuses are in tests/bad/spec.
load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

annotate() { edit --arg k "$1" --arg v "$2" '.annotations[$k] = $v'; }
with_groups() { setpriv --groups 7001,7002 timeout 60 "$RUNTIME" --root "$ROOT" "$@"; }

@test "keep_original_groups: the caller's groups stay, at create and exec, also in a user namespace" {
	config '.process.user.additionalGids = [5]'
	args /bin/guest ids
	run with_groups run -b "$BUNDLE" "$ID"
	fact groups '5'
	annotate run.oci.keep_original_groups 1
	run with_groups run -b "$BUNDLE" "$ID"
	fact groups '7001 7002'
	start_sleeper
	run with_groups exec "$ID" /bin/guest ids
	fact groups '7001 7002'
	rt delete --force "$ID"
	userns
	args /bin/guest ids
	run with_groups run -b "$BUNDLE" "$ID"
	ok
	fact groups '65534 65534'
	config 'del(.annotations)'
	run with_groups run -b "$BUNDLE" "$ID"
	fact groups '5'
}

@test "seccomp_fail_unknown_syscall: a name that exists nowhere is an error, one of another machine is not" {
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["s390_runtime_instr", "mkdir"], action: "SCMP_ACT_ALLOW"}, {names: ["no_such_call"], action: "SCMP_ACT_ALLOW"}]}'
	inside true
	ok
	annotate run.oci.seccomp_fail_unknown_syscall 1
	fails_with 'there is no system call "no_such_call"' rt run -b "$BUNDLE" "$ID"
	config '.linux.seccomp.syscalls |= .[0:1]'
	inside true
	ok
}

@test "pidfd_receiver: init's descriptor goes to that socket, unless --pidfd-socket names another" {
	listen() {
		python3 - "$1" << 'PY' 3>&- &
import socket, array, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1])
s.listen()
s.settimeout(60)
c, _ = s.accept()
_, control, _, _ = c.recvmsg(64, socket.CMSG_SPACE(4))
fd = array.array("i", control[0][2])[0]
print([l for l in open(f"/proc/self/fdinfo/{fd}") if l.startswith("Pid:")][0].split()[1], file=open(sys.argv[1] + ".pid", "w"))
PY
		listening "$1"
	}
	annotate run.oci.pidfd_receiver "$WORK/a"
	listen "$WORK/a"
	start_sleeper
	wait
	[ "$(cat "$WORK/a.pid")" = "$(rt state "$ID" | jq .pid)" ]
	rt delete --force "$ID"
	listen "$WORK/b"
	args sleep 1000
	rt run -d --pidfd-socket "$WORK/b" -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	wait
	[ "$(cat "$WORK/b.pid")" = "$(rt state "$ID" | jq .pid)" ]
}

@test "hooks.stdout and stderr write no file of the host and say so; others mean nothing" {
	annotate run.oci.hooks.stdout "$WORK/hook"
	annotate run.oci.nothing x
	config '.hooks.createRuntime = [{path: "/bin/echo", args: ["echo", "hi"]}]'
	inside true
	ok
	says 'annotations.run.oci.hooks.stdout: is ignored'
	[ ! -e "$WORK/hook" ]
}

@test "features names those that an engine must filter" {
	rt features | jq -e '.potentiallyUnsafeConfigAnnotations | contains(["io.carrel.network", "org.systemd.property.", "org.criu.config",
		"run.oci.keep_original_groups", "run.oci.pidfd_receiver", "run.oci.mount_context_type"])'
}
