# A systemd for the tests: in the guest the real one, elsewhere a stand-in on a message bus of its own (fake_systemd.py).
# The latter makes no control groups: the runtime finds none at the unit's place and makes them itself.

load "${BASH_SOURCE[0]%/*}/cgroup.bash"

real_systemd() { [ "$(cat /proc/1/comm)" = systemd ] && [ -d /run/systemd/system ]; }

systemd_setup_file() {
	real_systemd && return
	BUS=$BATS_FILE_TMPDIR/bus
	mkdir -p "$BUS"
	export FAKE=$BUS DBUS_SYSTEM_BUS_ADDRESS=unix:path=$BUS/socket
	dbus-daemon --session --nofork --address="$DBUS_SYSTEM_BUS_ADDRESS" > "$BUS/log" 2>&1 3>&- &
	echo $! > "$BUS/pids"
	listening "$BUS/socket"
	/usr/bin/python3 "${BASH_SOURCE[0]%/*}/fake_systemd.py" "$DBUS_SYSTEM_BUS_ADDRESS" "$BUS" > "$BUS/fake.log" 2>&1 3>&- &
	echo $! >> "$BUS/pids"
	wait_for "[ -e $BUS/ready ]"
}
systemd_teardown_file() {
	[ -z "${FAKE:-}" ] || while read -r p; do kill "$p" 2> /dev/null; done < "$FAKE/pids"
}

# The unit's name of this test, and its place below each hierarchy's root.
systemd_setup() {
	runtime_setup
	UNIT=carrel-$ID.scope
	GROUP=carreltest.slice/carreltest-box.slice/$UNIT
	config --arg p "carreltest-box.slice:carrel:$ID" '.linux.cgroupsPath = $p'
	[ -z "${FAKE:-}" ] || rm -f "$FAKE/calls" "$FAKE/mode"
}
systemd_teardown() {
	[ -z "${FAKE:-}" ] || rm -f "$FAKE/mode"
	runtime_teardown
	find /sys/fs/cgroup -maxdepth 4 -depth -type d -path '*/carreltest*.slice' -exec rmdir {} \; 2> /dev/null
	return 0
}

# A property as it was given last, in the notation of JSON; with the real one as `systemctl show` prints it.
property() { # NAME
	if [ -n "${FAKE:-}" ]; then
		jq -sc --arg u "$UNIT" --arg n "$1" '[.[] | select(.unit == $u) | .properties? // {} | select(has($n))[$n]] | last' "$FAKE/calls"
	else
		systemctl show "$UNIT" -p "$1" --value
	fi
}
has_property() { # NAME FAKE-VALUE REAL-VALUE
	local v want=$2
	[ -n "${FAKE:-}" ] || want=$3
	v=$(property "$1")
	[ "$v" = "$want" ] || { echo "$1 is $v, not $want" && return 1; }
}
unit_is_there() {
	if [ -n "${FAKE:-}" ]; then
		[ "$(jq -sr --arg u "$UNIT" '[.[] | select(.unit == $u and (.method == "StartTransientUnit" or .method == "StopUnit")).method] | last' "$FAKE/calls")" = StartTransientUnit ]
	else
		systemctl show "$UNIT" -p LoadState --value | grep -qx loaded
	fi
}

# The unit's directory with the controller's files.
group_dir() { # CONTROLLER
	dir "$1" "/$GROUP"
}
