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
	# One that is deleted while it ends by itself stays in the list, as ended.
	wait_for '[ "$(far --format json ps | jq -r ".[0].state")" = ended ]'
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

another_build() { # DIR DIGIT: a copy of the programs whose carrel-shim is another build, and says that its version is of this digit alone
	cp -R "$CARREL_BIN" "$1"
	chmod -R go-w "$1"
	python3 - "$1/carrel-shim" "$(<"$TOP/VERSION")" "$2" <<- 'END'
		import json, re, subprocess, sys
		path, version, digit = sys.argv[1:]
		note = bytes.fromhex(json.loads(subprocess.run([path, "--handover-version"], check=True, capture_output=True).stdout)["build"])
		data = open(path, "rb").read()
		old = version.encode() + b"\0"
		assert data.count(note) == 1 and old in data
		data = data.replace(old, re.sub(rb"[0-9]", digit.encode(), old)).replace(note, bytes(b ^ (1 + int(digit)) for b in note))
		open(path, "wb").write(data)
	END
}

@test "upgrade_shims: at-start: a daemon that was started anew renews older shims in a flood, leaves newer ones, and says what it cannot" {
	[ -z "${CARREL_SAN:-}" ] || skip "the daemon's carrel-shim is a script there, which cannot take over"
	daemon_stop
	another_build "$WORK/old" 0
	another_build "$WORK/newer" 9
	cp -R "$CARREL_BIN" "$WORK/now"
	chmod -R go-w "$WORK/now"
	BIN_DIR=$WORK/old
	daemon_start --lasting
	create "$key" '{"command":["/bin/sh"]}'
	old=$box
	client flood "$ADDR" "$(terminal "$old")" "$key" "$WORK/flood" > "$WORK/flooded" 3>&- &
	flood=$!
	daemon_stop
	BIN_DIR=$WORK/newer
	daemon_start --lasting
	create "$key" '{"command":["/bin/sh"]}'
	newer=$box
	said() { grep -qF -- "$1" "$WORK/log"; }
	eventually test -e "$WORK/flood.ready"
	# One that nobody could execute safely: nothing has happened.
	daemon_stop
	BIN_DIR=$WORK/now
	chmod g+w "$WORK/now/carrel-shim"
	daemon_start --lasting --upgrade-shims at-start
	wait_for "said '0 of 2 carrel-shims were upgraded; 2 could not be'"
	said "sandbox $newer: its carrel-shim goes on as it is: it is of a newer version than this daemon"
	said "sandbox $old: its carrel-shim goes on as it is: "
	said 'others than root may write it'
	chmod g-w "$WORK/now/carrel-shim"
	# By hand is the default: nothing is done.
	daemon_stop
	daemon_start --lasting
	daemon_stop
	[ "$(grep -c 'its carrel-shim is now' "$WORK/log")" = 0 ]
	daemon_start --lasting --upgrade-shims at-start
	wait_for "said '1 of 2 carrel-shims were upgraded; 1 could not be'"
	said "sandbox $old: its carrel-shim is now version $(<"$TOP/VERSION"), build $("$WORK/now/carrel-shim" --handover-version | jq -r .build)"
	api "$key" POST "/v1/sandboxes/$old/exec" '{"command":["touch","/tmp/stop"]}'
	expect 200
	wait $flood
	cat "$WORK/flooded"
	[ "$(jq -c '[.whole, .jumps, .exit.code]' "$WORK/flooded")" = '[true,0,5]' ]
	[ "$(jq -r .lines "$WORK/flooded")" -gt 1000 ]
	# The control: the one that was left answers as before.
	client talk "$ADDR" "$(terminal "$newer")" "$key" 'echo x-$((1+1))\n' 'x-2' > "$WORK/talked"
	[ "$(jq -r .found "$WORK/talked")" = true ]
	fails_with 'neither by-hand nor at-start' timeout 20 "$CARREL_BIN/carrel-sessiond" --upgrade-shims now
}
