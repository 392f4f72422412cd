# What the tests of engines share: a room of their own, an image without a registry, a terminal.
#
#   setup_file()    { room_open PROGRAM... || return 0; ...; }    fails when a program is missing, or there is no root
#   setup()         { room_here; }                                then skips, with the reason
#   teardown_file() { room_close; }
#   in_room CMD...                                       runs it there
#   terminal 'expect # ;; send exit\r' CMD...            with a terminal, as in carrel_tty.py
#
# The room is a set of namespaces (mount, process, network, ...) whose process 1 is tests/clients/room: killing it
# ends every daemon, mount, bridge and account that the tests have made.

load "${BASH_SOURCE[0]%/*}/../integration/assert.bash"
load "${BASH_SOURCE[0]%/*}/../integration/busybox.bash"

CARREL_BIN=$(realpath "${CARREL_BIN:-$BATS_TEST_DIRNAME/../../build/bin}")
# Where the room has it.
RUNTIME=/usr/local/bin/carrel-runtime

room_open() {
	local p
	[ -x "$CARREL_BIN/carrel-runtime" ] || { echo "no $CARREL_BIN/carrel-runtime: build it first, or set CARREL_BIN" >&2 && return 1; }
	export NO_ROOM=
	[ "$(id -u)" = 0 ] || NO_ROOM="needs root"
	for p in catatonit:/usr/libexec/podman/catatonit "$@"; do
		[ -x "${p#*:}" ] || [ -x "$(type -P "$p")" ] || NO_ROOM="no ${p%%:*} here: install what config/packages/clients lists"
	done
	[ -z "$NO_ROOM" ] || return 1
	export ROOM_DIR=$BATS_FILE_TMPDIR
	export PARENT=carrel-clients-$$
	unshare --mount --pid --net --ipc --uts --fork --kill-child --propagation private \
		"$BATS_TEST_DIRNAME/room" "$ROOM_DIR/ready" > "$ROOM_DIR/room.log" 2>&1 < /dev/null 3>&- &
	export ROOM_UNSHARE=$!
	disown
	wait_for '[ -e "$ROOM_DIR/ready" ]' || {
		cat "$ROOM_DIR/room.log"
		return 1
	} >&2
	ROOM=$(cat "/proc/$ROOM_UNSHARE/task/$ROOM_UNSHARE/children")
	export ROOM=${ROOM// /}
	put "$RUNTIME" < "$CARREL_BIN/carrel-runtime"
	in_room chmod 755 "$RUNTIME"
	put /mnt/type.py < "$BATS_TEST_DIRNAME/../integration/carrel_tty.py"
	make_image
}

room_here() {
	[ -z "$NO_ROOM" ] || skip "$NO_ROOM"
}

room_close() {
	[ -n "${ROOM_UNSHARE:-}" ] || return 0
	# It takes the room's first process along, and that one all the others.
	kill -9 "$ROOM_UNSHARE"
	wait_for '! [ -e "/proc/$ROOM" ]'
	# Deepest first; nothing of ours runs any more.
	wait_for '! parents | grep -q .' || { echo "control groups are left:" && parents && return 1; } >&2
}
# Removes our control groups, and names those that could not be removed.
parents() {
	find /sys/fs/cgroup -depth -type d -path "*/$PARENT*" 2> /dev/null | while read -r d; do rmdir "$d" 2> /dev/null || echo "$d"; done
}

in_room() {
	nsenter --target "$ROOM" --mount --pid --net --ipc --uts --wdns=/ env TMPDIR=/mnt/tmp HOME=/root "$@"
}
# resizes CMD...: with `sh -c SCRIPT` behind it the command is run in a terminal, whose size changes; then something is typed.
resizes() {
	run terminal 'expect small ;; size 132 43 ;; expect large ;; send word\r ;; expect got word ;; expect /dev/pts/' "$@" sh -c '
		until [ "$(stty size)" = "24 80" ]; do usleep 20000; done
		echo small
		until [ "$(stty size)" = "43 132" ]; do usleep 20000; done
		echo large
		read -r x
		echo "got $x"
		tty
		exit 5'
	ends 0 '[exit 5]'
}
# A criu that works, for the room; without one the test is skipped with the reason.
needs_criu() {
	local criu
	criu=$(PATH=${CARREL_CRIU:+$CARREL_CRIU:}$PATH type -P criu) || skip "no criu in PATH (nor in the directory that CARREL_CRIU names)"
	put /usr/sbin/criu < "$criu"
	in_room chmod 755 /usr/sbin/criu
	in_room criu check > "$ROOM_DIR/criu" 2>&1 || skip "criu does not work on this kernel: $(grep -m 1 Error "$ROOM_DIR/criu")"
}
# put FILE: from standard input.
put() { in_room sh -c 'cat > "$1"' put "$1"; }
terminal() {
	local script=$1
	shift
	in_room TERM=xterm python3 /mnt/type.py "$script" "$@" < /dev/null
}

# busybox, our guest, and two users: /mnt/image.tar, for podman import; /mnt/docker.tar, for docker load and ctr image import.
make_image() {
	local d=$ROOM_DIR/rootfs
	busybox_root "$d" home/user usr
	cp "$CARREL_BIN/../tests/guest" "$d/bin/guest"
	echo data > "$d/etc/data"
	tar -C "$d" --owner=0 --group=0 --numeric-owner -cf "$ROOM_DIR/layer.tar" .
	put /mnt/image.tar < "$ROOM_DIR/layer.tar"
	make_archive localhost/bb:1 '{Cmd: ["sh"]}' /mnt/docker.tar
}
# make_archive NAME CONFIG FILE: that one layer with a configuration, as docker save writes it.
make_archive() {
	local d=$ROOM_DIR/archive layer config
	layer=$(sha256sum < "$ROOM_DIR/layer.tar" | cut -d' ' -f1)
	mkdir -p "$d/$layer"
	ln -f "$ROOM_DIR/layer.tar" "$d/$layer/layer.tar"
	jq -n --arg l "sha256:$layer" '{architecture: "amd64", os: "linux", created: "2020-01-01T00:00:00Z", config: ({Env: ["PATH=/bin"]} + '"$2"'),
		rootfs: {type: "layers", diff_ids: [$l]}, history: [{created: "2020-01-01T00:00:00Z"}]}' > "$d/config"
	config=$(sha256sum < "$d/config" | cut -d' ' -f1)
	mv "$d/config" "$d/$config.json"
	jq -n --arg c "$config.json" --arg l "$layer/layer.tar" --arg n "$1" \
		'[{Config: $c, RepoTags: [$n], Layers: [$l]}]' > "$d/manifest.json"
	tar -C "$d" -cf "$ROOM_DIR/archive.tar" .
	put "$3" < "$ROOM_DIR/archive.tar"
	rm -r "$d"
}

# limit PID CONTROLLER V1FILE V2FILE: what the limit of this process of the room is, whichever version the machine has.
limit() {
	local groups at
	groups=$(in_room cat "/proc/$1/cgroup")
	at=$(grep -E "^[0-9]+:([a-z_,]*,)?$2(,[a-z_,]*)?:" <<< "$groups" | cut -d: -f3)
	if [ -n "$at" ]; then cat "/sys/fs/cgroup/$2$at/$3"; else cat "/sys/fs/cgroup$(sed -n 's/^0:://p' <<< "$groups")/$4"; fi
}

# What must be the same after a client's tests as before: mounts, states, and the control groups below our parent.
room_ledger() {
	in_room sh -c 'grep -c . /proc/1/mountinfo; ls /run/carrel/runtime 2> /dev/null | grep -v ^@; true'
	# Groups of others come and go while it looks.
	find /sys/fs/cgroup -mindepth 3 -type d -path "*/$PARENT/*" 2> /dev/null || true
	find /proc -mindepth 2 -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$RUNTIME" 2> /dev/null || true
}
