# Who gets to see a password or a token. The control is that its registry does.
load ../integration/registry

setup() {
	registry_setup
	two_layers
}
teardown() { registry_teardown; }

secret=dXNlcjpTRUNSRVQ= # user:SECRET

@test "a redirection to another host loses the password; its own registry has it" {
	fake layout
	elsewhere=$FAKE other_log=$FAKE_LOG
	fake layout "{\"basic\": \"user:SECRET\", \"redirect\": \"http://$elsewhere\"}"
	plain "$FAKE"
	run pull --creds user:SECRET "$FAKE/two:1"
	ok
	grep -q "/manifests/1 Basic_$secret " "$FAKE_LOG"
	[ "$(grep -c '/blobs/.* - ' "$other_log")" = 3 ]
	run grep -c "$secret" "$other_log"
	[ "$output" = 0 ]
}

@test "the same with a token, and when the other host asks for a password" {
	fake layout '{"basic": "user:SECRET"}'
	elsewhere=$FAKE other_log=$FAKE_LOG
	fake layout "{\"token\": \"user:SECRET\", \"redirect\": \"http://$elsewhere\"}"
	plain "$FAKE"
	fails_with 'does not accept the credentials' pull --creds user:SECRET "$FAKE/two:1"
	grep -q '/manifests/1 Bearer_t' "$FAKE_LOG"
	grep -q '/blobs/' "$other_log"
	run grep -cE "$secret|Bearer" "$other_log"
	[ "$output" = 0 ]
}

@test "an upload that goes on elsewhere loses the password, and TLS is not left" {
	img import --name local layout
	mkdir nothing
	echo '{"manifests": []}' > nothing/index.json
	fake nothing '{"push": []}'
	elsewhere=$FAKE other_log=$FAKE_LOG
	fake nothing "{\"push\": [], \"basic\": \"user:SECRET\", \"upload\": \"http://$elsewhere\"}"
	plain "$FAKE"
	run push --creds user:SECRET local "$FAKE/p:1"
	ok
	[ "$(grep -c '^PUT .*digest=.* - ' "$other_log")" = 3 ]
	run grep -c "$secret" "$other_log"
	[ "$output" = 0 ]
	grep -q "^PUT /v2/p/manifests/1 Basic_$secret " "$FAKE_LOG"
	: > "$other_log"
	certificates
	fake nothing "{\"push\": [], \"cert\": \"$WORK/server.pem\", \"key\": \"$WORK/server.key\", \"upload\": \"http://$elsewhere\"}"
	printf 'registries:\n  "%s": {ca: %s}\n' "$FAKE" "$WORK/ca.pem" > registries.yaml
	fails_with 'from https to http, which is not followed' push local "$FAKE/p:1"
	[ ! -s "$other_log" ]
}

@test "credentials of one registry are not for another, nor for a mirror" {
	fake layout
	mirror=$FAKE mirror_log=$FAKE_LOG
	fake layout '{"basic": "user:SECRET"}'
	printf '{"auths": {"%s": {"auth": "%s"}}}' "$FAKE" "$secret" > auth.json
	printf 'registries:\n  "%s": {plain: true}\n  "%s": {plain: true, mirrors: ["%s"]}\n' "$mirror" "$FAKE" "$mirror" > registries.yaml
	run pull --authfile auth.json "$FAKE/two:1"
	ok
	run pull --authfile auth.json --name b "$mirror/two:1"
	ok
	[ -s "$mirror_log" ]
	run grep -c "$secret" "$mirror_log"
	[ "$output" = 0 ]
	printf 'registries:\n  "%s": {plain: true}\n' "$FAKE" > registries.yaml
	rm -rf "$STORE"
	run pull --authfile auth.json "$FAKE/two:1"
	ok
	grep -q "$secret" "$FAKE_LOG"
}

@test "a token service without TLS gets nothing from a registry with TLS" {
	fake layout '{"token": "user:SECRET"}'
	service=$FAKE service_log=$FAKE_LOG
	certificates
	fake layout "{\"cert\": \"$WORK/server.pem\", \"key\": \"$WORK/server.key\", \"token\": \"user:SECRET\", \"realm\": \"http://$service/token\"}"
	printf 'registries:\n  "%s": {ca: %s}\n' "$FAKE" "$WORK/ca.pem" > registries.yaml
	fails_with 'only one with https:// is asked' pull --creds user:SECRET "$FAKE/two:1"
	[ ! -s "$service_log" ]
	# The control: a plain registry may have a plain service.
	fake layout "{\"token\": \"user:SECRET\"}"
	plain "$FAKE"
	run pull --creds user:SECRET "$FAKE/two:1"
	ok
}

@test "nothing that is printed, logged or kept has the password in it" {
	fake layout '{"basic": "user:SECRET"}'
	plain "$FAKE"
	printf '{"auths": {"%s": {"auth": "%s"}}}' "$FAKE" "$secret" > auth.json
	img --debug pull --registries registries.yaml --authfile auth.json "$FAKE/two:1" > out 2>&1
	printf '{"auths": {"%s": {"auth": "dXNlcjpTRUNSRVQ\\u0001"}}}' "$FAKE" > auth.json
	fails_with 'no base64' pull --authfile auth.json "$FAKE/two:1"
	echo "$output" >> out
	printf '{"auths": {"%s": {"username": "a", "password": "SECRET\\u000a"}}}' "$FAKE" > auth.json
	fails_with 'a control character in a user name or password' pull --authfile auth.json "$FAKE/two:1"
	echo "$output" >> out
	run grep -rlE "SECRET|dXNlcjpTRUNSRVQ" out "$STORE"
	[ "$output" = "" ]
	grep -q dXNlcjpTRUNSRVQ "$FAKE_LOG"
}

@test "the helper runs as nobody, without capabilities, filtered, and cannot be traced" {
	mk <<< "import random; oci('slow', [layer([f('x', random.randbytes(200000))])], name='1')"
	# It is looked at while it waits for what never comes.
	fake slow '{"stall": 100000}'
	plain "$FAKE"
	pull "$FAKE/slow:1" > out 2>&1 3>&- &
	PIDS+=($!)
	filtered() {
		local p
		for p in $(pgrep -x carrel-registry); do
			if grep -q "$STORE" "/proc/$(ps -o ppid= -p "$p" | tr -d ' ')/cmdline"; then helper=$p; fi
		done
		[ -n "${helper:-}" ] && status=$(cat "/proc/$helper/status") && grep -q 'Seccomp:.2' <<< "$status"
	} 2> /dev/null
	wait_for filtered
	grep -qP '^Uid:\t65534\t65534\t65534\t65534$' <<< "$status"
	grep -qP '^Gid:\t65534\t65534\t65534\t65534$' <<< "$status"
	grep -qP '^Groups:\t *$' <<< "$status"
	for set in CapInh CapPrm CapEff CapAmb; do grep -qP "^$set:\t0+$" <<< "$status"; done
	grep -qP '^NoNewPrivs:\t1$' <<< "$status"
	grep -qP '^Seccomp:\t2$' <<< "$status"
	[ "$(stat -c %u "/proc/$helper/environ")" = 0 ] # not dumpable
	grep -qP '^Max file size +0 +0' "/proc/$helper/limits"
	# It has pipes and sockets, and no descriptor of the store.
	run find "/proc/$helper/fd" -lname '/*' ! -lname '/dev/null'
	[ "$output" = "" ]
}
