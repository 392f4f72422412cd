# What the tests of the outbound connection share, on top of sessiond.bash: a relay, a dialer, and certificates of an authority
# of our own, made once per file.
#
#   setup_file() { outbound_file; }
#   setup()      { outbound_setup; }
#   teardown()   { outbound_teardown; }
#
#   relay_start [OPTION...]    on $RELAY (127.0.0.1:PORT), TLS, one host: h1
#   dialer_start [OPTION...]   host h1; does not wait
#   dialer_up                  until the daemon answers through the relay
#   via KEY METHOD PATH [BODY] as api, through the relay, by the host's own name h1.relay.test
#   via_client COMMAND...      as client, likewise

load "${BASH_SOURCE[0]%/*}/sessiond.bash"

# cert NAME DAYS SUBJECT-ALTERNATIVE-NAMES; DAYS -1: expired
cert() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$PKI/$1.key" -out "$PKI/$1.csr" -subj "/CN=$1" 2> /dev/null
	openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/ca.pem" -CAkey "$PKI/ca.key" -CAcreateserial -days "$2" \
		-extfile <(printf 'subjectAltName=%s\n' "$3") -out "$PKI/$1.pem" 2> /dev/null
}

outbound_pki() {
	PKI=$BATS_FILE_TMPDIR/pki
	mkdir -p "$PKI"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$PKI/ca.key" -out "$PKI/ca.pem" -days 2 \
		-subj "/CN=test authority" 2> /dev/null
	cert relay 2 'DNS:relay.test,DNS:*.relay.test,IP:127.0.0.1'
	"$CARREL_BIN/carrel-relay" token h1 > "$PKI/h1"
	(umask 077 && head -n 1 "$PKI/h1" > "$PKI/h1.token")
	tail -n 1 "$PKI/h1" > "$PKI/hosts"
}

outbound_file() {
	sessiond_store
	outbound_pki
}

outbound_setup() {
	sessiond_setup
	PKI=$BATS_FILE_TMPDIR/pki
	HOSTS=$WORK/hosts
	cp "$PKI/hosts" "$HOSTS"
	RELAY= RELAY_PID= DIALER=
	SOCK=$WORK/out.sock
	: > "$WORK/relay.log" > "$WORK/dialer.log"
	# A sanitized program keeps what was freed; not so much that bounds could not be seen.
	SANE=${ASAN_OPTIONS:-}:quarantine_size_mb=4
}

relay_start() {
	: > "$WORK/relay.out"
	ASAN_OPTIONS=$SANE "$CARREL_BIN/carrel-relay" --listen "${RELAY:-127.0.0.1:0}" --cert "$PKI/${CERT:-relay}.pem" --key "$PKI/${CERT:-relay}.key" \
		--hosts "$HOSTS" --suffix .relay.test --log-level debug "$@" > "$WORK/relay.out" 2>> "$WORK/relay.log" 3>&- &
	RELAY_PID=$!
	wait_for '[ -s "$WORK/relay.out" ] || gone $RELAY_PID'
	RELAY=$(sed -E '1s|^https?://||;q' "$WORK/relay.out")
	[ -n "$RELAY" ] || { cat "$WORK/relay.log" && return 1; }
}

dialer_start() {
	ASAN_OPTIONS=$SANE "$CARREL_BIN/carrel-dialer" --relay "wss://$RELAY" --host h1 --token-file "$PKI/h1.token" --ca-file "$PKI/ca.pem" --daemon "$SOCK" \
		--retry-min 20ms --retry-max 200ms --log-level debug "$@" >> "$WORK/dialer.log" 2>&1 3>&- &
	DIALER=$!
}

stop() { # NAME-OF-VARIABLE [SIGNAL]
	local pid=${!1}
	[ -n "$pid" ] || return 0
	kill -"${2:-TERM}" "$pid" 2> /dev/null || true
	wait "$pid" 2> /dev/null && STOPPED=0 || STOPPED=$?
	printf -v "$1" ''
}

reaches() { via - GET /healthz && [ "$code" = 200 ]; }
dialer_up() { wait_for reaches; }

via() { # KEY METHOD PATH [BODY]; KEY "-": none
	local port=${RELAY##*:} auth=()
	[ "$1" = - ] || auth=(-H "Authorization: Bearer $1")
	code=$(curl -sS -m 30 -o "$WORK/body" -D "$WORK/head" -w '%{http_code}' --cacert "$PKI/ca.pem" --resolve "h1.relay.test:$port:127.0.0.1" \
		"${auth[@]}" "${CURL[@]}" -X "$2" ${4+--data-binary "$4"} "https://h1.relay.test:$port$3" 2> "$WORK/curl") || true
	body=$(cat "$WORK/body" 2> /dev/null)
	: > "$WORK/body"
}

via_client() { CLIENT_CA=$PKI/ca.pem CLIENT_HOST=h1.relay.test client "$@"; }

outbound_teardown() {
	[ -n "${WORK:-}" ] || return 0
	[ -z "${BATS_ERROR_STATUS:-}" ] || [ "${BATS_TEST_COMPLETED:-}" = 1 ] || tail -n 20 "$WORK/relay.log" "$WORK/dialer.log"
	stop DIALER
	stop RELAY_PID
	sessiond_teardown
}
