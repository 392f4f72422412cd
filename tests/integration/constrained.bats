#!/usr/bin/env bats
# The runtime where something is short or missing: few descriptors, a full disk, a read-only /run, controllers that are not there, system
# calls that are refused, little memory. There is a clear error and nothing left, or a whole container: never a weaker one.

load guest

setup() {
	guest_setup
	FORBID=$CARREL_BIN/../tests/forbid
	show > "$ROOTFS/show"
	args /bin/sh /show
	config '.process.user = {uid: 1000, gid: 1000, additionalGids: [2000]} | .process.oomScoreAdj = 500
		| .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]
		| .linux.resources += {memory: {limit: 67108864}, pids: {limit: 50}}
		| .linux.sysctl = {"net.ipv4.ip_forward": "1"}
		| .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}'
	mkdir "$ROOTFS/sys/fs" 2> /dev/null || :
	mount_at /sys/fs/cgroup cgroup cgroup nosuid noexec nodev ro
}
teardown() { runtime_teardown; }

show() {
	cat << 'SH'
/bin/guest ids -- caps -- sched -- limits -- env -- signals -- cwd -- names -- loopback -- unshare-user \
	-- read /proc/kcore /proc/keys /proc/timer_list -- stat /dev/null /dev/zero /dev/tty /dev/ptmx /proc/keys \
	-- write /proc/sys/kernel/shmmax 1 -- make /etc/x -- mknod /tmp/y c 1 3 | grep -v SigQ
ls /proc/self/fd
cut -d' ' -f4-6,8- /proc/self/mountinfo | sed 's/master:[0-9]*/master/'
cat /proc/self/cgroup /proc/self/uid_map /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward
cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max 2> /dev/null
:
SH
}

# Namespaces are read from outside: each of the listed ones is the container's own.
own_namespaces() {
	local pid kind
	pid=$(rt state "${1:-$ID}" | jq .pid)
	for kind in pid net ipc uts mnt cgroup; do
		[ "$(readlink "/proc/$pid/ns/$kind")" != "$(readlink "/proc/self/ns/$kind")" ] || { echo "the host's $kind namespace" && return 1; }
	done
}

nothing_left() {
	[ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name '@*' 2> /dev/null)" ] || { ls -la "$ROOT" && return 1; }
	[ -z "$(find /sys/fs/cgroup -type d -path "*$CGROUP" 2> /dev/null)" ] || { echo "a cgroup is left" && return 1; }
	! grep -q "$WORK/bundle" /proc/self/mountinfo
}

# It has said in a sentence why.
clear_error() {
	[ "$status" -lt 128 ] || [ "$status" = 255 ] || { echo "ended by a signal: $status" && return 1; }
	[ -n "$output" ] && [[ $output != *Success* ]] || { printf 'no clear error:\n%s\n' "$output" && return 1; }
}

# A private view of the host's mounts, for COMMAND. The host's own are never touched.
privately() { timeout 60 unshare --mount --propagation private sh -ec "$1" - "${@:2}"; }

@test "64 descriptors are enough for everything" {
	local i
	for i in $(seq 12); do
		mkdir "$WORK/v$i"
		mount_at "/mnt/$i" bind "$WORK/v$i" rbind ro
	done
	config '.root.readonly = false | .process.rlimits = []'
	(
		ulimit -n 64
		inside /bin/guest limits -- fds
		ok
		fact NOFILE '64 64'
		[ "$(grep -c '^fd' <<< "$output")" = 3 ]
		args sleep 1000
		rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
		rt start "$ID"
		run rt exec "$ID" /bin/guest fds
		ok
		rt pause "$ID" && rt resume "$ID"
		rt ps "$ID" > "$WORK/ps"
		rt kill "$ID" KILL
		rt delete --force "$ID"
	)
}

@test "too few descriptors are an error that says so" {
	[ -z "${CARREL_SAN:-}" ] || skip "sanitized programs need descriptors for their libraries first"
	local n
	config '.process.rlimits = []'
	for n in 4 6 8 10 12 16 20; do
		run bash -c 'ulimit -n "$1"; shift; exec "$@"' - "$n" "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
		if [ "$status" -ne 0 ]; then
			clear_error
			[[ $output == *'descriptors'* || $output == *'open files'* ]] || { printf '%s: %s\n' "$n" "$output" && return 1; }
		fi
		nothing_left
	done
	run bash -c 'ulimit -n 4; exec "$@"' - "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$status" -ne 0 ]
}

# Runs with a state directory on a tmpfs of N more inodes and M pages.
tiny_state() { # INODES PAGES
	privately 'mkdir -p "$2/tiny"; mount -t tmpfs -o "size=${4}k,nr_inodes=$3" tiny "$2/tiny"
		rc=0; "$1" --root "$2/tiny/state" run -b "$2/bundle" "$5" || rc=$?
		find "$2/tiny/state" -mindepth 1 -maxdepth 1 ! -name "@*" | sed "s/^/left: /"
		"$1" --root "$2/tiny/state" delete --force "$5" || { echo "delete --force fails"; exit 99; }
		exit $rc' "$RUNTIME" "$WORK" "$1" "$(($2 * 4))" "$ID"
}

@test "a full disk for the state: an error that says so, and nothing left" {
	local n failed=0 good=0
	for n in $(seq 1 12); do
		run tiny_state "$n" 64
		[[ $output != *left:* && $status != 99 ]] || { echo "$n inodes: $output" && return 1; }
		if [ "$status" = 0 ]; then good=$((good + 1)); else failed=$((failed + 1)) && says 'No space left on device'; fi
	done
	[ "$failed" -ge 3 ] && [ "$good" -ge 1 ]
	failed=0
	# One page and more: state.json needs one, the filter that exec uses another.
	for n in 1 2 3; do
		run tiny_state 64 "$n"
		[[ $output != *left:* && $status != 99 ]] || { echo "$n pages: $output" && return 1; }
		if [ "$status" != 0 ]; then failed=$((failed + 1)) && says 'No space left on device'; fi
	done
	[ "$failed" -ge 1 ]
	nothing_left
}

@test "a read-only /run: --root elsewhere works, the default says what to do" {
	args true
	run privately 'mount --bind /run /run; mount -o remount,bind,ro /run; "$1" run -b "$2" "$3"' "$RUNTIME" "$BUNDLE" "$ID"
	[ "$status" -ne 0 ]
	says '/run/carrel/runtime'
	says 'Read-only file system'
	says '--root'
	nothing_left
	run privately 'mount --bind /run /run; mount -o remount,bind,ro /run; "$1" --root "$4" run -b "$2" "$3"' "$RUNTIME" "$BUNDLE" "$ID" "$ROOT"
	ok
}

@test "a controller that is not there is an error for its own limit, and for nothing else" {
	[ -d /sys/fs/cgroup/memory ] || skip "this host has cgroup v2: one mount has all controllers"
	local c field value
	while read -r c field value; do
		config ".linux.resources = {devices: [{allow: false, access: \"rwm\"}]} | .process.args = [\"/bin/true\"]
			| .mounts |= map(select(.destination != \"/sys/fs/cgroup\"))"
		run privately 'umount -l "/sys/fs/cgroup/$4"; "$1" --root "$5" run -b "$2" "$3"' "$RUNTIME" "$BUNDLE" "$ID" "$c" "$ROOT"
		ok
		config ".linux.resources.$field = $value"
		run privately 'umount -l "/sys/fs/cgroup/$4"; "$1" --root "$5" run -b "$2" "$3"' "$RUNTIME" "$BUNDLE" "$ID" "$c" "$ROOT"
		[ "$status" -ne 0 ]
		says "\\\"$c\\\" is not mounted"
		nothing_left
		# The control: where it is there, the same limit is taken.
		run rt run -b "$BUNDLE" "$ID"
		ok
	done << 'ROWS'
memory memory.limit 67108864
pids pids.limit 50
cpuset cpu.cpus "0"
ROWS
	config '.linux.resources = {devices: [{allow: false, access: "rwm"}]}'
	run privately 'umount -l /sys/fs/cgroup/devices; "$1" --root "$4" run -b "$2" "$3"' "$RUNTIME" "$BUNDLE" "$ID" "$ROOT"
	[ "$status" -ne 0 ]
	says '\"devices\" is not mounted'
	nothing_left
}

@test "no cgroup hierarchy at all" {
	[ -d /sys/fs/cgroup/memory ] || skip "this host has cgroup v2"
	run privately 'mount -t tmpfs none /sys/fs/cgroup; "$1" --root "$4" run -b "$2" "$3"' "$RUNTIME" "$BUNDLE" "$ID" "$ROOT"
	[ "$status" -ne 0 ]
	says cgroup
	nothing_left
}

@test "every call that is refused: the whole container, or a clear error and nothing left" {
	[ -z "${CARREL_SAN:-}" ] || skip "the sanitizer's own start needs some of them"
	local call error how good=0 bad=0 whole
	# The filter that refuses nothing is there in both, so that what is counted inside is the same.
	run timeout 60 "$FORBID" -- "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
	whole=$output
	[ "$(wc -l <<< "$whole")" -gt 50 ]
	for call in openat2 clone3 open_tree move_mount fsopen fsconfig fsmount mount_setattr close_range pidfd_open pidfd_send_signal pidfd_getfd \
		statx faccessat2 execveat memfd_create seccomp setns unshare pivot_root prctl capset setgroups setresuid mknodat sethostname prlimit64; do
		for error in ENOSYS EPERM; do
			run timeout 60 "$FORBID" "$call=$error" -- "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
			if [ "$status" = 0 ]; then
				good=$((good + 1))
				# Where no device can be made, the host's own are bound, as in a user namespace.
				[ "$call" != mknodat ] || output=$(grep -vE '^/(null|zero|full|random|urandom|tty) /dev/(null|zero|full|random|urandom|tty) .* devtmpfs ' <<< "$output")
				diff <(echo "$whole") <(echo "$output") || { echo "$call=$error: another container" && return 1; }
			else
				bad=$((bad + 1))
				clear_error || { echo "$call=$error" && return 1; }
			fi
			nothing_left || { echo "$call=$error" && return 1; }
		done
	done
	echo "# $good whole, $bad refused" >&3
	[ "$good" -ge 6 ] && [ "$bad" -ge 10 ]
}

@test "the same with a user namespace and an idmapped mount" {
	[ -z "${CARREL_SAN:-}" ] || skip "the sanitizer's own start needs some of them"
	local call error good=0 bad=0 whole
	userns
	mkdir "$WORK/volume"
	echo mine > "$WORK/volume/file"
	edit --arg s "$WORK/volume" '.mounts += [{destination: "/mnt", type: "bind", source: $s, options: ["rbind", "ro", "nosuid", "nodev", "idmap"],
		uidMappings: [{containerID: 0, hostID: 100000, size: 65536}], gidMappings: [{containerID: 0, hostID: 100000, size: 65536}]}]'
	sed -i '1i ls -ln /mnt; echo x > /mnt/file; cat /mnt/file' "$ROOTFS/show"
	run timeout 60 "$FORBID" -- "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
	whole=$output
	says mine
	for call in clone3 open_tree move_mount fsopen fsmount mount_setattr openat2 unshare setns pidfd_open pidfd_getfd memfd_create; do
		for error in ENOSYS EPERM; do
			run timeout 60 "$FORBID" "$call=$error" -- "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
			if [ "$status" = 0 ]; then
				good=$((good + 1))
				diff <(echo "$whole") <(echo "$output") || { echo "$call=$error: another container" && return 1; }
			else
				bad=$((bad + 1))
				clear_error || { echo "$call=$error" && return 1; }
			fi
			nothing_left || { echo "$call=$error" && return 1; }
		done
	done
	echo "# $good whole, $bad refused" >&3
	[ "$good" -ge 4 ] && [ "$bad" -ge 8 ]
}

@test "exec without open_tree runs from a copy in memory, and without memfd_create too it does not go in" {
	[ -z "${CARREL_SAN:-}" ] || skip "the sanitizer's own start needs some of them"
	local error
	start_sleeper
	for error in ENOSYS EPERM; do
		run timeout 60 "$FORBID" "open_tree=$error" -- strace -qq -o "$WORK/trace" -e trace=memfd_create,execveat \
			"$RUNTIME" --root "$ROOT" exec "$ID" /bin/guest ids
		ok
		fact uid '1000 1000 1000'
		grep -q '^memfd_create("carrel-runtime".*= [0-9]' "$WORK/trace"
		grep -q '^execveat([0-9]*, "".*AT_EMPTY_PATH) = 0' "$WORK/trace"
		run timeout 60 "$FORBID" "open_tree=$error" "memfd_create=$error" -- "$RUNTIME" --root "$ROOT" exec "$ID" /bin/guest ids
		[ "$status" -ne 0 ]
		says 'seal this program'
		[[ $output != *uid* ]]
	done
	# The control: by itself it does not copy.
	run strace -qq -o "$WORK/trace" -e trace=memfd_create,execveat "$RUNTIME" --root "$ROOT" exec "$ID" /bin/guest ids
	ok
	[ -z "$(grep memfd_create "$WORK/trace")" ]
}

@test "what has a tested way without: openat2, clone3, close_range, pidfd_getfd, statx, faccessat2" {
	local call
	for call in openat2 clone3 close_range pidfd_getfd statx faccessat2; do
		run timeout 60 "$FORBID" "$call" -- "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
		[ "$status" = 0 ] || { printf '%s: %s\n' "$call" "$output" && return 1; }
	done
}

@test "the same for create, start, exec, kill and delete" {
	local call error
	args sleep 1000
	for call in openat2 clone3 close_range pidfd_open pidfd_send_signal pidfd_getfd setns seccomp prctl open_tree fsopen memfd_create; do
		for error in ENOSYS EPERM; do
			local f=("$FORBID" "$call=$error" --)
			# Not by run: the container would keep its pipe.
			status=0
			timeout 60 "${f[@]}" "$RUNTIME" --root "$ROOT" create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 || status=$?
			output=$(cat "$WORK/out")
			if [ "$status" -ne 0 ]; then
				clear_error
				nothing_left
				rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
			fi
			own_namespaces
			run timeout 60 "${f[@]}" "$RUNTIME" --root "$ROOT" start "$ID"
			[ "$status" = 0 ] || clear_error
			[ "$(status_of)" = running ] || { rt delete --force "$ID" && start_sleeper; }
			run timeout 60 "${f[@]}" "$RUNTIME" --root "$ROOT" exec "$ID" /bin/guest caps -- ids
			if [ "$status" = 0 ]; then
				fact effective '0000000000000000'
				fact nnp 1
				fact uid '1000 1000 1000'
			else
				clear_error || { echo "exec: $call=$error" && return 1; }
			fi
			run timeout 60 "${f[@]}" "$RUNTIME" --root "$ROOT" kill "$ID" KILL
			[ "$status" = 0 ] || clear_error
			run timeout 60 "${f[@]}" "$RUNTIME" --root "$ROOT" delete --force "$ID"
			[ "$status" = 0 ] || { clear_error && rt delete --force "$ID"; }
			nothing_left || { echo "$call=$error" && return 1; }
		done
	done
}

@test "a container with 512 KiB of memory" {
	args /bin/guest cwd
	config '.linux.resources.memory.limit = 524288'
	inside /bin/guest cwd
	ok
	says 'cwd /'
	start_sleeper
	[ "$(cat "$(find /sys/fs/cgroup -path "*$CGROUP/memory.limit_in_bytes" -o -path "*$CGROUP/memory.max" | head -n 1)")" = 524288 ]
	run rt exec "$ID" /bin/guest cwd
	ok
}

@test "the runtime's own memory: at most 1.5 MiB" {
	[ -z "${CARREL_SAN:-}" ] || skip "sanitized programs are bigger"
	readelf -p .comment "$RUNTIME" | grep -qi clang && skip "built with glibc: the figure is for the small build"
	local peak verb
	gcc -O1 -static -o "$WORK/peak" "$BATS_TEST_DIRNAME/../bench/peak.c"
	peak() {
		timeout 60 "$WORK/peak" "$RUNTIME" --root "$ROOT" "$@" < /dev/null > "$WORK/out" 2> "$WORK/peak.txt" || { cat "$WORK/peak.txt" && return 1; }
		kib=$(sed -n 's/^rss //p' "$WORK/peak.txt")
		echo "# $1: $kib KiB" >&3
		[ "$kib" -le 1536 ]
	}
	args sleep 1000
	peak create -b "$BUNDLE" "$ID"
	peak start "$ID"
	peak exec "$ID" /bin/true
	peak state "$ID"
	peak list
	peak kill "$ID" KILL
	peak delete --force "$ID"
	args true
	peak run -b "$BUNDLE" "$ID"
}
