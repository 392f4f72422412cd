#!/usr/bin/env bats
# carrel as a client of the daemon: REST by libcurl, the terminal as a WebSocket.

load carrel.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	key=$(key_add ann enterprise)
	printf '%s\n' "$key" > "$WORK/key"
	daemon_start
}
teardown() { sessiond_teardown; }

far() { timeout 60 "$CARREL" --url "http://$ADDR" --key-file "$WORK/key" "$@"; }
typed_far() {
	local script=$1
	shift
	typed "$script" "$CARREL" --url "http://$ADDR" --key-file "$WORK/key" "$@"
}

@test "ps, attach, detach, attach, rm" {
	create "$key" '{"command":["/bin/sh"]}'
	run far ps
	ends 0
	says "$box"
	says ann
	run far --format json ps
	[ "$(jq -r '.[0].id' <<< "$output")" = "$box" ]
	run typed_far 'expect # ;; send stty size; echo one-$((40+2))\r ;; expect 24 80 ;; expect one-42 ;; size 90 30 ;; send until [ "$(stty size)" = "30 90" ]; do sleep 0.1; done; echo sized-$((1+1))\r ;; expect sized-2 ;; send \x10\x11' \
		attach "$box"
	says '[exit 0]'
	run typed_far 'expect one-42 ;; send exit 6\r' attach "$box"
	says '[exit 6]'
	run far rm "$box"
	ends 0
	run far --format json ps
	[ "$output" = '[]' ]
}

@test "a long output arrives whole, acknowledged as it goes" {
	create "$key" '{"command":["/bin/sh","-c","read x; stty raw -echo; head -c 3000000 /dev/zero | tr \"\\\\0\" z; exit 3"]}'
	mkfifo "$WORK/keys"
	far attach "$box" <> "$WORK/keys" > "$WORK/out" 3>&- &
	reader=$!
	echo go > "$WORK/keys"
	wait $reader && status=0 || status=$?
	[ "$status" = 3 ]
	[ "$(tr -dc z < "$WORK/out" | wc -c)" = 3000000 ]
}

@test "the environment names the daemon; a unix socket does as well" {
	create "$key"
	run env CARREL_URL="http://$ADDR/" CARREL_KEY="$key" "$CARREL" ps
	ends 0
	says "$box"
	ADDR=unix:$WORK/s.sock
	daemon_stop
	daemon_start
	run "$CARREL" --url "unix:$WORK/s.sock" --key "$key" ps
	ends 0
	says ended
}

@test "refusals are sentences" {
	run far attach nosuch
	ends 125
	says '404'
	run far attach ../x
	ends 125
	run far rm nosuch
	ends 1
	says 'nosuch: no such sandbox'
	run "$CARREL" --url "http://$ADDR" --key wrong ps
	ends 1
	says 'valid key'
	run "$CARREL" --url "http://$ADDR" --key $'a\nb' ps
	ends 1
	says 'control character'
	run "$CARREL" --url ftp://x --key a ps
	ends 1
	says 'http://'
	daemon_stop
	run far ps
	ends 1
	says "$ADDR"
}

@test "deleted while somebody is attached" {
	create "$key" '{"command":["/bin/sleep","60"]}'
	mkfifo "$WORK/keys"
	{ far attach "$box" <> "$WORK/keys" || echo "code $?"; } > "$WORK/out" 2>&1 3>&- &
	watcher=$!
	attached() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .live.clients)" = 1 ]; }
	eventually attached
	far rm "$box"
	eventually grep -q 'code 137' "$WORK/out"
	grep -q 'it was deleted' "$WORK/out"
	wait $watcher
}

@test "upgrade: running sandboxes get the carrel-shim that the daemon was started anew with; terminals stay; administrators only" {
	[ -z "${CARREL_SAN:-}" ] || skip "the daemon's carrel-shim is a script there, which cannot take over"
	admin=$(key_add root pro --admin)
	printf '%s\n' "$admin" > "$WORK/admin"
	daemon_stop
	# Programs that are root's, whoever has built them; beside them another build of one.
	cp -R "$CARREL_BIN" "$WORK/old"
	cp -R "$CARREL_BIN" "$WORK/new"
	chmod -R go-w "$WORK/old" "$WORK/new"
	BIN_DIR=$WORK/old
	daemon_start --lasting
	create "$key" '{"command":["/bin/sh"]}'
	first=$box
	api "$admin" POST "/v1/sandboxes/$first/upgrade"
	expect 200
	[ "$(field .upgraded)" = false ]
	build=$(field .build)
	api "$key" POST "/v1/sandboxes/$first/upgrade"
	expect 403
	run far upgrade --all
	ends 1
	says "administrator"
	python3 - "$WORK/new/carrel-shim" "$build" <<- 'END'
		import sys
		data, note = open(sys.argv[1], "rb").read(), bytes.fromhex(sys.argv[2])
		assert data.count(note) == 1
		open(sys.argv[1], "wb").write(data.replace(note, bytes(b ^ 1 for b in note)))
	END
	daemon_stop
	BIN_DIR=$WORK/new
	daemon_start --lasting
	run timeout 60 "$CARREL" --url "http://$ADDR" --key-file "$WORK/admin" upgrade --all
	ends 0
	says "$first  upgraded"
	api "$admin" POST "/v1/sandboxes/$first/upgrade"
	expect 200
	[ "$(field .upgraded)" = false ] && [ "$(field .build)" != "$build" ]
	run typed_far 'expect # ;; send echo one-$((40+2))\r ;; expect one-42 ;; send exit 6\r' attach "$first"
	says '[exit 6]'
	run timeout 60 "$CARREL" --url "http://$ADDR" --key-file "$WORK/admin" upgrade "$first"
	ends 1
	says 'has ended'
	run "$CARREL" upgrade
	ends 2
}
