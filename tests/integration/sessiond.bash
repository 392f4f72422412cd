# What the tests of the daemon share. Each test has its own daemon, directories, port and cgroup parent; the image
# store is made once per file.
#
#   setup_file() { sessiond_store; }
#   setup()      { sessiond_setup; }
#   teardown()   { sessiond_teardown; }
#
#   daemon_start [OPTION...]       daemon on $ADDR; ephemeral unless "--lasting" comes first
#   daemon_stop [SIGNAL]
#   key=$(key_add USER TIER [OPTION...])
#   api KEY METHOD PATH [BODY]     sets $code, $body; headers in $WORK/head
#   client COMMAND...              sessiond_client.py
#
# With SCHEME=https (and the CA in CLIENT_CA) both speak TLS.

load "${BASH_SOURCE[0]%/*}/assert.bash"
load "${BASH_SOURCE[0]%/*}/busybox.bash"

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CARREL_BIN=${CARREL_BIN:-$TOP/build/bin}
PYTHON=/usr/bin/python3

# A busybox image: made and imported in a second, unlike the default one.
sessiond_store() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	local root=$BATS_FILE_TMPDIR/root
	busybox_root "$root" home/user workspace
	tar -C "$root" -cf "$BATS_FILE_TMPDIR/rootfs.tar" .
	"$CARREL_BIN/carrel-image" --store "$BATS_FILE_TMPDIR/store" import --name default --as rootfs \
		"$BATS_FILE_TMPDIR/rootfs.tar" > /dev/null
}

sessiond_setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	WORK=$BATS_TEST_TMPDIR
	STATE=$WORK/state RUN=$WORK/run STORE=$BATS_FILE_TMPDIR/store
	TIERS=$TOP/config/tiers.yaml
	CGROUP=/carrel-sd-$$-$BATS_TEST_NUMBER
	DAEMON= ADDR=
	BIN_DIR=$CARREL_BIN
	[ -z "${CARREL_SAN:-}" ] || quiet_programs
}

# The leak check at a shim's end needs ptrace, which a shim has given up by then, and would wait for ever. The daemon
# itself is checked.
quiet_programs() {
	local p
	BIN_DIR=$WORK/bin
	mkdir -p "$BIN_DIR"
	for p in carrel-shim carrel-runtime carrel-image carrel-scan; do
		printf '#!/bin/sh\nexport ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"\nexec %s "$@"\n' "$CARREL_BIN/$p" > "$BIN_DIR/$p"
		chmod +x "$BIN_DIR/$p"
	done
	ln -s "$CARREL_BIN/carrel-init" "$BIN_DIR/carrel-init"
}

options() {
	OPTIONS=(--state-dir "$STATE" --run-dir "$RUN" --store "$STORE" --tiers "$TIERS" --seccomp "$TOP/config/seccomp.json"
		--cgroup "$CGROUP" --web "$WORK/web" --bin-dir "$BIN_DIR")
	mkdir -p "$WORK/web"
}

daemon_start() {
	local mode=--ephemeral
	if [ "${1:-}" = --lasting ]; then mode=--log-level=info && shift; fi
	options
	: > "$WORK/out"
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=1 \
		"${PREFIX[@]}" "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" "$mode" --listen "${ADDR:-127.0.0.1:0}" "$@" \
		> "$WORK/out" 2>> "$WORK/log" 3>&- &
	DAEMON=$!
	wait_for '[ -s "$WORK/out" ] || gone $DAEMON' 60
	FIRST=$(head -n 1 "$WORK/out")
	ADDR=$(printf '%s' "$FIRST" | sed -E 's|^https?://([^/]*).*|\1|')
	[ -n "$ADDR" ] || { cat "$WORK/log" && return 1; }
}

daemon_stop() {
	[ -n "$DAEMON" ] || return 0
	kill -"${1:-TERM}" $DAEMON 2> /dev/null || true
	wait $DAEMON 2> /dev/null && DAEMON_STATUS=0 || DAEMON_STATUS=$?
	DAEMON=
}

sessiond_teardown() {
	[ -n "${WORK:-}" ] || return 0
	# What a lasting daemon left alive is found and ended by an ephemeral one.
	daemon_stop
	if [ -n "$(ls "$RUN/sandboxes" 2> /dev/null)" ]; then
		ADDR=127.0.0.1:0
		daemon_start && daemon_stop
	fi
	[ -z "${BATS_ERROR_STATUS:-}" ] || [ "${BATS_TEST_COMPLETED:-}" = 1 ] || tail -n 30 "$WORK/log" 2> /dev/null
	find /sys/fs/cgroup -maxdepth 3 -type d -path "*$CGROUP" -exec rmdir {} \; 2> /dev/null
	return 0
}

key_add() { # USER TIER [OPTION...]
	local user=$1 tier=$2
	shift 2
	options
	"$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key add --user "$user" --tier "$tier" "$@"
}

api() { # KEY METHOD PATH [BODY]; KEY "-": none; more curl arguments in the array CURL
	local auth=()
	[ "$1" = - ] || auth=(-H "Authorization: Bearer $1")
	code=$(curl -sS -m 30 -o "$WORK/body" -D "$WORK/head" -w '%{http_code}' "${auth[@]}" "${CURL[@]}" -X "$2" \
		${4+--data-binary "$4"} "$SCHEME://$ADDR$3") || true
	body=$(cat "$WORK/body")
	: > "$WORK/body"
}
CURL=()
SCHEME=http
PREFIX=() # of the daemon: a program that executes it somewhere else

header() { sed -n "s/^$1: *//Ip" "$WORK/head" | tr -d '\r'; }
field() { printf '%s' "$body" | jq -r "$1"; }

expect() { # CODE [TEXT IN BODY]
	[ "$code" = "$1" ] || { echo "status $code instead of $1: $body" && return 1; }
	case $body in *"${2:-}"*) ;; *) echo "\"$2\" is not in: $body" && return 1 ;; esac
}

# A sandbox of its own for KEY; sets $box.
create() { # KEY [BODY]
	api "$1" POST /v1/sandboxes "${2:-{\}}"
	expect 201
	box=$(field .id)
}

client() { timeout 200 "$PYTHON" "$TOP/tests/integration/sessiond_client.py" "$@"; }
terminal() { printf '/v1/sandboxes/%s/terminal' "$1"; }
