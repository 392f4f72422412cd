# What the integration tests of the runtime share. Each test has its own bundle, its own state directory and its own
# cgroup; teardown removes all three whatever happened.
#
#   setup()    { runtime_setup; }
#   teardown() { runtime_teardown; }
#
#   config '.hostname = "x"'     edits the bundle's config.json with jq
#   args sh -c 'echo hi'         sets process.args
#   rt run -b "$BUNDLE" "$ID"    the runtime with this test's --root
#   inside CMD...                args CMD...; then bats' `run` of a foreground container

load "${BASH_SOURCE[0]%/*}/assert.bash"
load "${BASH_SOURCE[0]%/*}/busybox.bash"

CARREL_BIN=${CARREL_BIN:-$BATS_TEST_DIRNAME/../../build/bin}
RUNTIME=$CARREL_BIN/carrel-runtime

# Everything else in the tests needs root's rights; a skip says so.
runtime_setup() {
	[ -x "$RUNTIME" ] || { echo "no $RUNTIME: build it first, or set CARREL_BIN" && return 1; }
	[ "$EUID" = 0 ] || skip "needs root"
	# Where the whole check has an end (tests/tools/check), a slow guest leaves out what comes after it.
	[ "$EPOCHSECONDS" -lt "${RT_UNTIL:-9999999999}" ] || skip "no time left in this check; make check-vm runs it"
	WORK=$BATS_TEST_TMPDIR
	BUNDLE=$WORK/bundle ROOT=$WORK/state
	ROOTFS=$BUNDLE/rootfs
	ID=t$$-$BATS_TEST_NUMBER
	CGROUP=/carrel-test/$ID CGROUPS_PATH=$CGROUP
	# The whole file with this cgroup driver: RT_DRIVER=systemd.
	if [ "${RT_DRIVER:-}" = systemd ]; then
		CGROUP=/carreltest.slice/carrel-$ID.scope CGROUPS_PATH=carreltest.slice:carrel:$ID
	fi
	mkdir -p "$BUNDLE"
	make_rootfs "$ROOTFS"
	base_config > "$BUNDLE/config.json"
}

runtime_teardown() {
	[ -n "${ROOT:-}" ] || return 0
	local dir
	# Few processes: a guest pays for each of them.
	for dir in "$ROOT"/[!@]*/; do
		[ -d "$dir" ] || continue
		dir=${dir%/}
		timeout 30 "$RUNTIME" --root "$ROOT" delete --force "${dir##*/}" || echo "teardown: ${dir##*/} could not be deleted"
	done
	# Our parent group, when no other test uses it.
	rmdir /sys/fs/cgroup{,/*,/*/*}/carrel-test 2> /dev/null
	return 0
}

# A root filesystem of busybox. Hard links: one copy a file of tests.
make_rootfs() {
	local master=$BATS_FILE_TMPDIR/rootfs
	if [ ! -d "$master" ]; then
		busybox_root "$master.new"
		echo extra:x:2000:user >> "$master.new/etc/group"
		mv "$master.new" "$master"
	fi
	cp -al "$master" "$1"
	# Written to by tests: not shared.
	cp --remove-destination "$master"/etc/* "$1/etc/"
}

base_config() {
	cat << JSON
{
  "ociVersion": "1.3.0",
  "process": {
    "user": { "uid": 0, "gid": 0 },
    "args": ["/bin/true"],
    "env": ["PATH=/bin:/sbin", "TERM=xterm"],
    "cwd": "/",
    "capabilities": {
      "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE"],
      "effective": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE"],
      "permitted": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE"]
    },
    "noNewPrivileges": true
  },
  "root": { "path": "rootfs", "readonly": true },
  "hostname": "carrel-test",
  "mounts": [
    { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] },
    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
    { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
      "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
    { "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=8m"] },
    { "destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": ["nosuid", "nodev", "mode=1777", "size=8m"] },
    { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] }
  ],
  "linux": {
    "cgroupsPath": "$CGROUPS_PATH",
    "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
    "namespaces": [
      { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" }, { "type": "cgroup" }
    ],
    "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"],
    "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
  }
}
JSON
}

config() {
	local new
	new=$(jq "$@" < "$BUNDLE/config.json") && printf '%s\n' "$new" > "$BUNDLE/config.json"
}

args() {
	config '.process.args = $ARGS.positional' --args -- "$@"
}

rt() {
	timeout -k 5 "${RT_TIMEOUT:-60}" "$RUNTIME" ${RT_DRIVER:+--cgroup-manager "$RT_DRIVER"} --root "$ROOT" "$@"
}

# A foreground container with this command.
inside() {
	args "$@"
	run rt run -b "$BUNDLE" "$ID"
}

# A container that lives until it is killed, in the background.
start_sleeper() {
	args sleep 1000
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
}

status_of() {
	rt state "${1:-$ID}" | jq -r .status
}

# wait_code PID: $code becomes the exit code of a background job (bats' run would wait in a subshell).
wait_code() {
	code=0
	wait "$1" || code=$?
}
