load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

@test "user, groups and umask" {
	config '.process.user = {uid: 1000, gid: 1001, additionalGids: [5, 6], umask: 63}'
	guest ids
	fact uid '1000 1000 1000'
	fact gid '1001 1001 1001'
	fact groups '5 6'
	fact umask 0077
	config '.process.user = {uid: 0, gid: 0}'
	guest ids
	fact 'groups' '' || grep -qx groups <<< "$output"
	fact umask 0022
}

@test "the user in a user namespace; one that is not mapped is refused by name" {
	userns
	config '.process.user = {uid: 1000, gid: 1001, additionalGids: [5]}'
	guest ids
	fact uid '1000 1000 1000'
	fact groups 5
	config '.process.user = {uid: 70000, gid: 0}'
	fails_with 'uid 70000 is not mapped' rt run -b "$BUNDLE" "$ID"
	config '.process.user = {uid: 0, gid: 70000}'
	fails_with 'gid 70000 is not mapped' rt run -b "$BUNDLE" "$ID"
}

@test "the working directory: entered, made when missing, over a link inside the root" {
	config '.process.cwd = "/home"'
	guest cwd
	fact cwd /home
	config '.process.cwd = "/tmp/made/here"'
	guest cwd -- stat /tmp/made
	fact cwd /tmp/made/here
	ln -s /home "$ROOTFS/mnt/link"
	config '.process.cwd = "/mnt/link"'
	guest cwd
	fact cwd /home
}

@test "a working directory that cannot be entered" {
	config '.process.cwd = "/etc/passwd"'
	fails_with '/etc/passwd' rt run -b "$BUNDLE" "$ID"
	config '.process.cwd = "/proc/no/such"'
	fails_with 'No such file' rt run -b "$BUNDLE" "$ID"
	# Only its owner may: as root it is entered before rights are given up, as the user afterwards.
	mkdir -m 700 "$ROOTFS/mnt/root" "$ROOTFS/mnt/user"
	chown 1000:1000 "$ROOTFS/mnt/user"
	config '.process.cwd = "/mnt/user" | .process.user = {uid: 1000, gid: 1000}'
	guest cwd
	fact cwd /mnt/user
	config '.process.user = {uid: 1001, gid: 1001} | .process.cwd = "/mnt/user/.."'
	guest cwd
	fact cwd /mnt
}

@test "resource limits" {
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 12, hard: 34}, {type: "RLIMIT_CORE", soft: 0, hard: 0},
		{type: "RLIMIT_FSIZE", soft: 4096, hard: 8192}]'
	guest limits
	fact NOFILE '12 34'
	fact CORE '0 0'
	fact FSIZE '4096 8192'
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 3, hard: 3}]'
	guest limits
	fact NOFILE '3 3'
	config '.process.rlimits = [{type: "RLIMIT_BEER", soft: 3, hard: 3}]'
	fails_with 'RLIMIT_BEER' rt run -b "$BUNDLE" "$ID"
}

@test "a limit above the runtime's own needs a capability, and the error says which" {
	local hard
	hard=$(ulimit -Hn)
	[ "$hard" != unlimited ] || skip "no hard limit on open files here"
	edit --argjson n "$((hard + 1))" '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: $n, hard: $n}]'
	if [ $(($(grep CapEff /proc/self/status | sed 's/.*:\s*/0x/') >> 24 & 1)) = 1 ]; then
		userns
		guest limits
		fact NOFILE "$((hard + 1)) $((hard + 1))"
	else
		fails_with CAP_SYS_RESOURCE rt run -b "$BUNDLE" "$ID"
		userns
		fails_with CAP_SYS_RESOURCE rt run -b "$BUNDLE" "$ID"
	fi
}

@test "the OOM score" {
	config '.process.oomScoreAdj = 321'
	inside cat /proc/self/oom_score_adj
	[ "$output" = 321 ]
	userns
	inside cat /proc/self/oom_score_adj
	[ "$output" = 321 ]
}

@test "scheduler, I/O priority and personality" {
	config '.process.scheduler = {policy: "SCHED_BATCH", nice: 7} | .process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 3}
		| .linux.personality = {domain: "LINUX32"}'
	guest sched
	fact policy 3
	fact nice 7
	fact ioprio $((2 << 13 | 3))
	fact personality 0x8
}

@test "the environment: last of duplicates, HOME when there is none" {
	config '.process.env = ["A=1", "B=x", "A=2", "PATH=/bin", "EMPTY="]'
	guest env
	fact env A=2
	no_fact env A=1
	fact env EMPTY=
	fact env HOME=/root
	config '.process.user.uid = 1000 | .process.env += ["HOME="]'
	guest env
	fact env HOME=/home/user
	config '.process.user.uid = 12345'
	guest env
	fact env HOME=/
	config '.process.env += ["HOME=/given"]'
	guest env
	fact env HOME=/given
	[ "$(grep -c '^env HOME=' <<< "$output")" = 1 ]
	# Nothing of the caller's.
	FOREIGN=1 guest env
	no_fact env FOREIGN=1
}

@test "HOME does not come from a file that is a trap" {
	rm "$ROOTFS/etc/passwd"
	mkfifo "$ROOTFS/etc/passwd"
	RT_TIMEOUT=40 guest env
	fact env HOME=/
	rm "$ROOTFS/etc/passwd"
	truncate -s 1G "$ROOTFS/etc/passwd"
	RT_TIMEOUT=40 guest env
	fact env HOME=/
	rm "$ROOTFS/etc/passwd"
	ln -s /proc/self/fd/0 "$ROOTFS/etc/passwd"
	RT_TIMEOUT=40 guest env
	fact env HOME=/
}

@test "the program is looked for in PATH" {
	args guest cwd
	run rt run -b "$BUNDLE" "$ID"
	ok
	config '.process.env = ["PATH=/nowhere:relative:/bin"]'
	run rt run -b "$BUNDLE" "$ID"
	ok
	config '.process.env = ["PATH=/etc"]'
	fails_with 'exec: "guest": executable file not found in $PATH' rt run -b "$BUNDLE" "$ID"
	config '.process.env = []'
	fails_with 'executable file not found in $PATH' rt run -b "$BUNDLE" "$ID"
}

@test "why a program cannot be executed" {
	args /no/such
	fails_with 'exec /no/such: no such file or directory' rt run -b "$BUNDLE" "$ID"
	args /etc/passwd
	fails_with 'exec /etc/passwd: permission denied' rt run -b "$BUNDLE" "$ID"
	args /etc
	fails_with 'exec /etc: is a directory' rt run -b "$BUNDLE" "$ID"
	printf '#!/no/interpreter\n' > "$ROOTFS/bin/script"
	printf 'garbage' > "$ROOTFS/bin/garbage"
	chmod 755 "$ROOTFS/bin/script" "$ROOTFS/bin/garbage"
	args script
	fails_with 'no such file or directory' rt run -b "$BUNDLE" "$ID"
	args garbage
	fails_with 'exec format error' rt run -b "$BUNDLE" "$ID"
	args ''
	fails_with 'args' rt run -b "$BUNDLE" "$ID"
}

@test "a relative program starts at the working directory" {
	config '.process.cwd = "/bin"'
	args ./guest cwd
	run rt run -b "$BUNDLE" "$ID"
	ok
	fact cwd /bin
}

@test "a session and a keyring of its own" {
	guest session
	fact sid 1
	fact pgid 1
	fact keyring "_ses.$ID"
	fact ctty ENXIO
	args /bin/guest session
	run rt run --no-new-keyring -b "$BUNDLE" "$ID"
	ok
	no_fact keyring "_ses.$ID"
}

@test "no descriptor but stdio is open, and signals are as after boot" {
	exec 7< /etc/passwd 8< /
	guest fds -- signals
	exec 7<&- 8<&-
	[ "$(grep -c '^fd' <<< "$output")" = 3 ]
	grep -qE '^SigBlk:\s0+$' <<< "$output"
	grep -qE '^SigIgn:\s0+$' <<< "$output"
}

@test "preserved descriptors, and only these" {
	args /bin/guest fds
	# Descriptor 3 is the test runner's own here.
	run bash -c 'exec 3< /etc/hostname 4< /etc/passwd 5< /; timeout 60 "$@"' - \
		"$RUNTIME" --root "$ROOT" run --preserve-fds 2 -b "$BUNDLE" "$ID"
	ok
	fact 'fd 3' /etc/hostname
	fact 'fd 4' /etc/passwd
	[ "$(grep -c '^fd' <<< "$output")" = 5 ]
}

@test "stdio belongs to the user" {
	config '.process.user = {uid: 1000, gid: 1000}'
	args sh -c 'echo written > /proc/self/fd/1'
	before=$(stat -c %u /dev/null)
	rt run -b "$BUNDLE" "$ID" < /dev/null > "$WORK/stdout"
	[ "$(stat -c %u "$WORK/stdout")" = 1000 ]
	[ "$(cat "$WORK/stdout")" = written ]
	[ "$(stat -c %u /dev/null)" = "$before" ]
}

@test "no_new_privs stops setuid programs" {
	cp "$ROOTFS/bin/guest" "$ROOTFS/bin/guest.suid"
	chmod 4755 "$ROOTFS/bin/guest.suid"
	config '.process.user = {uid: 1000, gid: 1000} | .process.args = ["/bin/guest.suid", "ids"]'
	run rt run -b "$BUNDLE" "$ID"
	fact uid '1000 1000 1000'
	config '.process.noNewPrivileges = false'
	run rt run -b "$BUNDLE" "$ID"
	fact uid '1000 0 0'
}

@test "labels of modules that are not active are refused" {
	if [ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" = Y ]; then skip "AppArmor is active here"; fi
	config '.process.apparmorProfile = "carrel"'
	fails_with 'AppArmor is not active' rt run -b "$BUNDLE" "$ID"
	[ ! -e /sys/fs/selinux/enforce ] || skip "SELinux is active here"
	config 'del(.process.apparmorProfile) | .process.selinuxLabel = "a:b:c:s0"'
	fails_with 'SELinux is not active' rt run -b "$BUNDLE" "$ID"
}

@test "what was allowed for old kernels is allowed here: no close_range, openat2 or clone3" {
	args /bin/guest fds -- cwd
	run timeout 60 "$CARREL_BIN/../tests/forbid" close_range openat2 clone3 keyctl -- "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
	[ "$(grep -c '^fd' <<< "$output")" = 3 ]
}

@test "where mounts cannot be cloned a sealed copy in memory runs" {
	# It comes as far as the first mount of the container.
	run "$CARREL_BIN/../tests/forbid" open_tree -- timeout 60 "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ $output == *'no open_tree'* && $output != *'seal this program'* ]]
}
