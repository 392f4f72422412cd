#!/usr/bin/env bats
# A sandbox of the default image, as docs/security.md promises it, read from inside: sandbox_probe.py runs once as root inside,
# once as the image's user, and once on the host, where what a sandbox refuses must be possible (the control).
# Needs the store of `make image`; CARREL_STORE names another.

load sessiond.bash

setup_file() {
	sandbox_paths
	if [ "$(id -u)" != 0 ]; then
		export SANDBOX_SKIP="needs root"
	elif ! "$CARREL_BIN/carrel-image" --store "$STORE" inspect default > /dev/null 2>&1; then
		export SANDBOX_SKIP="needs the default image in $STORE: make image"
	fi
	[ -z "${SANDBOX_SKIP:-}" ] || return 0
	[ -z "${CARREL_SAN:-}" ] || quiet_programs
	daemon_start
	export SANDBOX_ADDR=$ADDR SANDBOX_DAEMON=$DAEMON
	key_add me pro > "$WORK/key"
	key_add small free > "$WORK/small"
	# All three live at the same time: the numbers of ended namespaces are used again.
	probe root '"user":"0"'
	root=$box
	probe user '"cols":100'
	PROBE_HOST=1 PROBE_PORT=${ADDR##*:} timeout 60 unshare --mount --propagation private \
		"$PYTHON" "$BATS_TEST_DIRNAME/sandbox_probe.py" \
		identity files network sockets namespaces abi calls > "$WORK/host"
	end
	box=$root
	end
}

teardown_file() {
	sandbox_paths
	DAEMON=${SANDBOX_DAEMON:-}
	[ -n "$DAEMON" ] || return 0
	daemon_stop
	[ -z "$(find /sys/fs/cgroup -type d -path "*$CGROUP*")" ] || { echo "cgroups are left" && return 1; }
}

setup() {
	[ -z "${SANDBOX_SKIP:-}" ] || skip "$SANDBOX_SKIP"
	sandbox_paths
	ADDR=${SANDBOX_ADDR:-}
}

sandbox_paths() {
	WORK=$BATS_FILE_TMPDIR
	STATE=$WORK/state RUN=$WORK/run STORE=${CARREL_STORE:-$TOP/build/run/store}
	TIERS=$TOP/config/tiers.yaml
	CGROUP=/carrel-sandbox-$(basename "$(dirname "$WORK")" | tr -dc 'a-zA-Z0-9')
	DAEMON= ADDR= BIN_DIR=$CARREL_BIN
}

# A sandbox that runs a bash script with these arguments and then waits; sets $box and $output.
session() { # KEY MORE_JSON UNTIL SCRIPT [ARG...]
	local key=$1 more=$2 until=$3
	shift 3
	jq -nc --argjson more "{${more}}" '$more + {command: (["bash", "-c"] + $ARGS.positional)}' --args -- "$1; read -rt 60" "${@:2}" \
		> "$WORK/request"
	create "$key" "@$WORK/request"
	client talk "$ADDR" "$(terminal "$box")" "$key" '' "$until" > "$WORK/talk"
	output=$(jq -r .output "$WORK/talk" | tr -d '\r')
	[ "$(jq -r .found "$WORK/talk")" = true ] || { printf 'no "%s" in:\n%s\n' "$until" "$output" && return 1; }
}

probe() { # NAME MORE_JSON
	local key
	key=$(cat "$WORK/key")
	session "$key" "$2" 'probe done' "export PROBE_PORT=${ADDR##*:}"'; python3 -c "$0" "$@"' \
		"$(cat "$BATS_TEST_DIRNAME/sandbox_probe.py")" identity files mounts network sockets namespaces abi calls
	printf '%s\n' "$output" > "$WORK/$1"
	# What the host knows of it.
	local first
	first=$(head -1 "$(find /sys/fs/cgroup -path "*$CGROUP/$box/cgroup.procs" | head -1)")
	cp "/proc/$first/status" "$WORK/$1.status"
}

end() {
	api "${1:-$(cat "$WORK/key")}" DELETE "/v1/sandboxes/$box"
	expect 204
}

# is WHERE NAME VALUE_REGEX...: each name has this value there.
is() {
	grep -qxE "$2 ($3)" "$WORK/$1" || { printf '%s: "%s" is not "%s": %s\n' "$1" "$2" "$3" "$(grep "^$2 " "$WORK/$1")" && return 1; }
}
inside() { # NAME VALUE_REGEX: for both users
	is root "$1" "$2" && is user "$1" "$2"
}
value() { sed -n "s|^$2 ||p" "$WORK/$1"; }

REFUSED='EPERM|ENOSYS|EACCES'

@test "uid 0 inside is an unprivileged id outside" {
	is root Uid '0 0 0 0'
	is user Uid '1000 1000 1000 1000'
	inside uid_map '0 [0-9]+ 65536'
	inside gid_map '0 [0-9]+ 65536'
	base=$(value root uid_map | cut -d' ' -f2)
	[ "$base" -ge 65536 ]
	grep -qxE "Uid:	$base	$base	$base	$base" "$WORK/root.status"
	grep -qxE "Gid:	$base	$base	$base	$base" "$WORK/root.status"
	base=$(value user uid_map | cut -d' ' -f2)
	grep -qxE "Uid:	$((base + 1000))	.*" "$WORK/user.status"
	is host uid_map '0 0 4294967295'
}

@test "no capabilities in any set, no new privileges, a filter" {
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		inside $set 0000000000000000
	done
	inside NoNewPrivs 1
	inside Seccomp 2
	is host CapEff '.*[1-9a-f].*'
	is host NoNewPrivs 0
}

@test "every namespace is its own, and the first process is carrel-init" {
	inside pid1 carrel-init
	for ns in cgroup ipc mnt net pid user uts; do
		[ -n "$(value root ns-$ns)" ]
		[ "$(value root ns-$ns)" != "$(value host ns-$ns)" ]
		[ "$(value root ns-$ns)" != "$(value user ns-$ns)" ]
	done
	[ "$(value root ns-time)" != "$(value host ns-time)" ]
	[ "$(value root processes)" -le 4 ]
	[ "$(value root hostname)" != "$(hostname)" ]
}

@test "the control group looks like the root" {
	inside cgroups /
	[ "$(value host cgroups)" != / ] || [ -e /sys/fs/cgroup/cgroup.controllers ] || skip "the host's test runs in the root group too"
}

@test "the root filesystem is read-only, for root too" {
	for d in / /usr /usr/bin /etc /var /opt /lib; do
		inside "create $d" 'EROFS'
	done
	is root 'mount / overlay' 'ro .*'
	for d in /tmp /dev/shm; do
		inside "create $d" ok
	done
	is user 'create /workspace' ok
	is user 'create /home/carrel' ok
	is host 'create /tmp' ok
}

@test "/proc and /sys: settings are read-only, what tells about the host is masked" {
	for f in /proc/sys/kernel/hostname /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches /proc/sysrq-trigger \
		/proc/irq/default_smp_affinity; do
		inside "write $f" 'EROFS|EACCES|EPERM|absent'
		is host "write $f" 'ok|absent'
	done
	# Root outside could write without the read-only mounts; so they are looked at as well.
	inside 'chmod /proc/sys/kernel/hostname' EROFS
	for d in /proc/sys /proc/irq /proc/bus /proc/fs; do
		inside "mount $d proc" 'ro .*'
	done
	inside 'mount /sys sysfs' 'ro .*'
	for f in /sys/kernel/mm/ksm/run /sys/kernel/uevent_helper; do
		is root "write $f" 'EROFS|EACCES|absent'
	done
	inside 'create /proc' 'EROFS|EACCES|EPERM|ENOENT'
	inside 'create /sys' 'EROFS|EACCES|EPERM'
	for f in /proc/kcore /proc/keys /proc/key-users /proc/timer_list /proc/interrupts /proc/acpi /proc/scsi /proc/sched_debug \
		/sys/firmware /sys/devices/virtual/powercap; do
		inside "masked $f" '0|absent'
		[ "$(value host "masked $f")" = absent ] || ! is root "masked $f" absent
	done
	# The control: on the host there is something in them.
	[ "$(value host 'masked /proc/interrupts')" = 64 ]
	[ "$(value host 'masked /proc/timer_list')" = 64 ]
	[ "$(value host 'masked /sys/firmware')" != 0 ]
}

@test "nothing of the host is mounted" {
	sed -n 's/^mount \(.*\)/\1/p' "$WORK/root" | grep ^/ | cut -d' ' -f1-3 | sort > "$WORK/points"
	# carrel-init and the six devices are binds, everything else is a filesystem of the sandbox's own.
	known=(
		'/ overlay ro'
		'/(tmp|run|root|workspace|home/[a-z]+|dev|dev/shm) tmpfs rw'
		'/proc proc rw'
		'/proc/[a-z-]+ (proc|tmpfs) ro'
		'/proc/[a-z_-]+ devtmpfs (ro|rw)'
		'/sys sysfs ro'
		'/sys/(firmware|devices/virtual/powercap) tmpfs ro'
		'/sys/fs/cgroup(/[a-z_,]+)? (tmpfs|cgroup|cgroup2) ro'
		'/dev/(pts|console) devpts rw'
		'/dev/mqueue mqueue rw'
		'/dev/(full|null|random|tty|urandom|zero) devtmpfs rw'
		'/dev/carrel-init [a-z0-9]+ ro'
	)
	unknown=$(grep -vxE "$(IFS='|' && printf '%s' "${known[*]}")" "$WORK/points" || true)
	[ -z "$unknown" ] || { printf 'unexpected:\n%s\n' "$unknown" && return 1; }
	[ "$(grep -c ' overlay ' "$WORK/points")" = 1 ]
	# What is bound over a masked file is /dev/null and nothing else.
	[ -z "$(grep -E '^mount /proc/[^ ]+ devtmpfs ' "$WORK/root" | grep -v ' /null$')" ]
	inside mount "$REFUSED"
	inside remount "$REFUSED"
	inside chroot "$REFUSED"
	inside mknod "$REFUSED"
	is host chroot ok
}

@test "only a loopback interface, and nothing listens there" {
	inside interfaces lo
	inside routes 0
	inside connect-out ENETUNREACH
	inside connect-daemon ECONNREFUSED
	inside connect-self ok
	is host connect-daemon ok
	is host interfaces '.*,.*'
}

@test "sockets: UNIX, INET, INET6 and NETLINK_ROUTE, nothing else" {
	for s in unix unix-dgram inet-tcp inet-udp inet6-tcp inet6-udp netlink-route; do
		inside "socket $s" ok
		is host "socket $s" ok
	done
	for s in $(sed -n 's/^socket \([^ ]*\) .*/\1/p' "$WORK/host"); do
		case $s in unix* | inet-tcp | inet-udp | inet6-* | netlink-route) continue ;; esac
		inside "socket $s" EPERM
	done
	for s in packet inet-raw netlink-audit netlink-kobject-uevent; do
		is host "socket $s" ok
	done
}

@test "new namespaces are refused by unshare, clone, clone3 and setns" {
	for ns in user mnt net pid ipc uts cgroup time; do
		inside "unshare $ns" EPERM
		inside "clone3 $ns" ENOSYS
		is host "unshare $ns" ok
		is host "clone3 $ns" ok
		[ $ns = time ] || { inside "clone $ns" EPERM && is host "clone $ns" ok; }
	done
	inside 'clone none' ok
	inside 'setns net' EPERM
	is host 'setns net' ok
}

@test "system calls of another ABI are refused" {
	inside native ok
	inside int80 'signal-31|ENOSYS|EPERM'
	inside x32 'signal-31|ENOSYS|EPERM'
	is host native ok
	[ "$(value host int80)" = ok ] || skip "the host's kernel has no 32-bit system calls, so the refusal proves nothing"
}

@test "system calls that a terminal never needs are refused" {
	inside 'call getpid' ok
	for c in $(sed -n 's/^call \([^ ]*\) .*/\1/p' "$WORK/root"); do
		[ $c = getpid ] || inside "call $c" 'EPERM|ENOSYS'
	done
	for c in bpf perf_event_open keyctl userfaultfd ptrace open_by_handle_at process_vm_readv fsopen; do
		case $(value host "call $c") in EPERM | ENOSYS | '') echo "no control for $c" && return 1 ;; esac
	done
}

@test "the image has its tools" {
	session "$(cat "$WORK/key")" '"user":"carrel"' 'tools-42' \
		'bash --version | head -1; ls --version | head -1; less --version | head -1; vim.tiny --version | head -1
		python3 -c "print(\"python\", 6 * 7)"; ps --version; whoami; pwd; echo "tools-$((6 * 7))"'
	for text in 'GNU bash' 'ls (GNU coreutils)' 'less ' 'VIM - Vi IMproved' 'python 42' 'procps' '/home/carrel'; do
		case $output in *"$text"*) ;; *) printf 'no "%s" in:\n%s\n' "$text" "$output" && return 1 ;; esac
	done
	grep -qx carrel <<< "$output"
	end
}

@test "memory above the tier's is killed and reported as oom" {
	key=$(cat "$WORK/small")
	# Half of it is fine.
	session "$key" '"cols":80' 'took 256' 'python3 -c "b = bytearray(256 << 20); print(\"took\", len(b) >> 20)"'
	end "$key"
	create "$key" '{"command":["python3","-c","b = bytearray(700 << 20); print(len(b))"]}'
	ended() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .state)" = ended ]; }
	eventually ended
	[ "$(field .exit.reason)" = oom ]
	[ "$(field .exit.oom_kills)" -ge 1 ]
	"$PYTHON" -c 'b = bytearray(700 << 20)'
}

FORK='
import os, sys, time
n = 0
try:
    while n < 300:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        n += 1
    print("forks", n, "all")
except OSError as e:
    print("forks", n, "errno", e.errno)
sys.stdout.flush()
os.kill(0, 9)
'

@test "processes stop at the tier's number, a fork bomb too" {
	key=$(cat "$WORK/small")
	session "$key" '"cols":80' 'forks ' 'setsid -w python3 -c "$0"; sleep 0.2' "$FORK" || true
	grep -qE 'forks 1[0-9][0-9] errno 11' <<< "$output"
	[ "$(sed -nE 's/^forks ([0-9]+) .*/\1/p' <<< "$output")" -lt 128 ]
	run setsid -w "$PYTHON" -c "$FORK"
	[[ $output == *"forks 300 all"* ]]
	end "$key"

	create "$key" '{"command":["bash","-c","b() { b | b & }; b; sleep 60"]}'
	current=$(find /sys/fs/cgroup -path "*$CGROUP/$box/pids.current")
	crowded() { [ "$(cat "$current")" -gt 100 ]; }
	eventually crowded
	sleep 1
	[ "$(cat "$current")" -le 128 ]
	api "$key" GET /v1/sandboxes
	expect 200
	end "$key"
	[ ! -e "$current" ]
}

FILL='
import os
total = 0
for d in ("/tmp", "/run", "/dev/shm", "/workspace", os.environ["HOME"]):
    n = 0
    try:
        with open(d + "/fill", "wb", buffering=0) as f:
            while n < 600:
                f.write(b"x" * 1048576)
                n += 1
    except OSError as e:
        print("full", d, n, e.errno)
    total += n
print("filled", total)
'

@test "writable places are full at their size, all together at the tier's" {
	key=$(cat "$WORK/small")
	session "$key" '"cols":80' 'filled ' 'python3 -c "$0"; sleep 0.2' "$FILL"
	[ "$(grep -cE '^full /(tmp|dev/shm|workspace|home/carrel) [0-9]+ 28$' <<< "$output")" = 4 ]
	total=$(sed -n 's/^filled //p' <<< "$output")
	[ "$total" -le 256 ]
	[ "$total" -ge 200 ]
	end "$key"
}

BURN='
import os, time
children = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            pass
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
t = os.times()
print("burnt", round(100 * (t.children_user + t.children_system)))
'

@test "the processor is given out as the tier says" {
	key=$(cat "$WORK/small")
	session "$key" '"cols":80' 'burnt ' 'python3 -c "$0"; while :; do :; done' "$BURN"
	# Half a core for 3 s is 1.5 s; two unlimited processes would take up to 6 s.
	burnt=$(sed -n 's/^burnt //p' <<< "$output")
	[ "$burnt" -le 190 ]
	# On a busy machine it may take a while until it asks for more than it may have.
	throttled() { find /sys/fs/cgroup -path "*$CGROUP/$box/cpu.stat" -exec grep -hE '^nr_throttled [1-9]' {} + ; }
	eventually throttled
	limit=$(find /sys/fs/cgroup -path "*$CGROUP/$box/*" \( -name cpu.cfs_quota_us -o -name cpu.max \) -exec cat {} +)
	[ "${limit%% *}" = 50000 ]
	end "$key"
}
