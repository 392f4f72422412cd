#!/usr/bin/env bats
# The daemon with TLS of its own: the API, terminals over wss, what a daemon that is killed costs them, a renewed certificate.

load sessiond.bash

setup_file() {
	sessiond_store
	cd "$BATS_FILE_TMPDIR" || return 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=test CA' -keyout ca.key -out ca.pem 2> /dev/null
	certificate one
	certificate two
}
setup() {
	sessiond_setup
	SCHEME=https CA=$BATS_FILE_TMPDIR/ca.pem
	export CLIENT_CA=$CA
	cp "$BATS_FILE_TMPDIR/one.pem" "$WORK/server.pem"
	cp "$BATS_FILE_TMPDIR/one.key" "$WORK/server.key"
	CURL=(--cacert "$CA")
	key=$(key_add ann free)
}
teardown() { sessiond_teardown; }

certificate() { # NAME
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2> /dev/null
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$1.pem" \
		-extfile <(echo 'subjectAltName=IP:127.0.0.1') 2> /dev/null
}

tls_start() { daemon_start "$@" --tls-certificate "$WORK/server.pem" --tls-key "$WORK/server.key"; }
subject() { openssl s_client -connect "$ADDR" < /dev/null 2> /dev/null | sed -n 's/^subject=CN = //p'; }
gone_() { [ "$(ls "/proc/$DAEMON/fd" | wc -l)" -le "$1" ]; }

@test "tls: the API, its origins and cookies; nothing below TLS 1.2, and nothing without TLS" {
	tls_start
	[[ $FIRST == "https://$ADDR" ]]
	create "$key"
	api "$key" GET "/v1/sandboxes/$box"
	expect 200 running
	CURL+=(-H "Origin: https://$ADDR")
	api - POST /v1/session "{\"key\":\"$key\"}"
	expect 201
	[[ "$(header set-cookie)" == *'; Secure' ]]
	# What was an origin without TLS is a stranger's.
	CURL=(--cacert "$CA" -H "Origin: http://$ADDR")
	api - POST /v1/session "{\"key\":\"$key\"}"
	expect 403 origin
	curl -s --cacert "$CA" --tlsv1.2 --tls-max 1.2 "https://$ADDR/healthz"
	! curl -s --cacert "$CA" --tls-max 1.1 "https://$ADDR/healthz" || return 1
	! curl -s "https://$ADDR/healthz" || return 1
	! curl -s -m 20 "http://$ADDR/healthz" || return 1
	# A body that is refused before it is read does not hide the answer.
	head -c 300000 /dev/zero > "$WORK/big"
	CURL=(--cacert "$CA")
	api "$key" POST /v1/sandboxes "@$WORK/big"
	expect 413
}

@test "tls: a terminal over wss, both ways and whole; carrel attach" {
	tls_start
	create "$key" '{"command":["/bin/sh","-c","stty raw -echo; echo ready; exec cat"]}'
	[ "$(client both "$ADDR" "$(terminal "$box")" "$key" 600000 | jq -c .)" = '{"same":true,"jumps":0}' ]
	create "$key" '{"command":["/bin/sh","-c","read x; stty raw -echo; head -c 2000000 /dev/zero | tr \"\\\\0\" z; exit 3"]}'
	mkfifo "$WORK/keys"
	CARREL_KEY=$key timeout 100 "$CARREL_BIN/carrel" --url "https://$ADDR" --ca "$CA" attach "$box" <> "$WORK/keys" > "$WORK/out" 3>&- &
	reader=$!
	echo go > "$WORK/keys"
	wait $reader && status=0 || status=$?
	[ "$status" = 3 ]
	[ "$(tr -dc z < "$WORK/out" | wc -c)" = 2000000 ]
	# The control: nobody vouches for it.
	run env CARREL_KEY="$key" "$CARREL_BIN/carrel" --url "https://$ADDR" ps
	[ "$status" = 1 ] && [[ $output == *certificate* ]]
}

@test "tls: a connection ends with the daemon, and goes on from its offset: no gap, no repeat" {
	tls_start --lasting
	create "$key" '{"command":["/bin/sh","-c","i=0; while read x; do i=$((i + 1)); echo line $i; done"]}'
	first=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'a\na\n' 'line 2')
	client hold "$ADDR" "$(terminal "$box")" "$key" "$WORK/hold" > "$WORK/held" 3>&- &
	holder=$!
	eventually test -e "$WORK/hold.ready"
	daemon_stop KILL
	touch "$WORK/hold.go"
	wait $holder || true
	# The connection is over; the sandbox is not.
	[ "$(jq -r .found "$WORK/held")" != true ]
	tls_start --lasting
	out=$(client talk "$ADDR" "$(terminal "$box")?since=$(jq -r .next <<< "$first")" "$key" 'a\n' 'line 3')
	[ "$(jq -r .found <<< "$out")" = true ]
	[ "$(jq -r .jumps <<< "$out")" = 0 ]
	[[ "$(jq -r .output <<< "$out")" != *'line 2'* ]]
	api "$key" DELETE "/v1/sandboxes/$box"
	expect 204
}

@test "tls: SIGHUP takes a renewed certificate, an open terminal goes on; files that cannot be used change nothing" {
	tls_start
	create "$key"
	client hold "$ADDR" "$(terminal "$box")" "$key" "$WORK/hold" > "$WORK/held" 3>&- &
	holder=$!
	eventually test -e "$WORK/hold.ready"
	[ "$(subject)" = one ]
	cp "$BATS_FILE_TMPDIR/two.pem" "$WORK/server.pem"
	kill -HUP "$DAEMON" # the key is still the other one
	wait_for 'grep -q "key values mismatch" "$WORK/log"'
	[ "$(subject)" = one ]
	cp "$BATS_FILE_TMPDIR/two.key" "$WORK/server.key"
	kill -HUP "$DAEMON"
	renewed() { [ "$(subject)" = two ]; }
	wait_for renewed
	touch "$WORK/hold.go"
	wait $holder
	[ "$(jq -r .found "$WORK/held")" = true ]
}

@test "tls: connections that come and go, or never say a word of TLS, leave no descriptor" {
	tls_start
	create "$key"
	client open_close "$ADDR" "$(terminal "$box")" "$key" 3
	before=$(ls "/proc/$DAEMON/fd" | wc -l)
	client open_close "$ADDR" "$(terminal "$box")" "$key" 60
	for _ in 1 2 3 4 5; do printf 'GET / HTTP/1.1\r\n\r\n' | timeout 20 socat - "TCP:$ADDR" > /dev/null 2>&1 || true; done
	wait_for "gone_ $before"
	nobody() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .live.clients)" = 0 ]; }
	wait_for nobody
}

@test "tls: another address than loopback needs nothing else; half of a pair, a wrong one and a missing file are named" {
	ADDR=0.0.0.0:0
	tls_start
	ADDR=127.0.0.1:${ADDR##*:}
	api "$key" GET /v1/me
	expect 200
	daemon_stop
	options
	while IFS='|' read -r text certificate key_file; do
		run timeout 60 "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" --listen 127.0.0.1:0 --tls-certificate "$certificate" ${key_file:+--tls-key "$key_file"}
		[ "$status" = 1 ] && [[ $output == *"$text"* ]] || { echo "$text is not in: $output" && return 1; }
	done << ROWS
a certificate and a key go together|$WORK/server.pem|
No such file|$WORK/nothing|$WORK/server.key
key values mismatch|$WORK/server.pem|$BATS_FILE_TMPDIR/two.key
ROWS
}
