# carrel-image pull, push and registries: Debian's docker-registry filled by skopeo, and a small one that misbehaves.
load registry

setup() { registry_setup; }
teardown() { registry_teardown; }

@test "pull: what skopeo pushed, with the digest and the tree that it has" {
	real
	plain "$REAL"
	two_layers
	copy --dest-tls-verify=false oci:layout:1 "docker://$REAL/team/two:1"
	run pull "$REAL/team/two:1"
	ok
	[ "$output" = "$(digest_of layout)" ]
	run img inspect "$REAL/team/two:1"
	ok
	trees "$STORE" > pulled
	STORE=$WORK/other img import layout
	trees "$WORK/other" > imported
	[ -s pulled ]
	diff pulled imported
	[ -z "$(ls -A "$STORE/tmp")" ]
}

@test "pull: Docker's manifests, gzip and uncompressed; sha512 layers; by digest" {
	real
	plain "$REAL"
	mk << 'PY'
oci('plain', [layer([f('a', 'x')])], name='1')
oci('packed', [(layer([f('a', 'y')]), 'gzip')], name='1')
PY
	for kind in plain packed; do
		copy --dest-tls-verify=false --format v2s2 "oci:$kind:1" "docker://$REAL/$kind:2"
		run pull "$REAL/$kind:2"
		ok
		digest=$output
		run pull "$REAL/$kind@$digest"
		ok
		[ "$output" = "$digest" ]
		run img inspect "$REAL/$kind@$digest"
		ok
		[[ $(jq -r '.layers[0].mediaType' <<< "$output") == application/vnd.docker.image.rootfs.diff.tar* ]]
	done
	mk <<< "algorithm('sha512'); oci('long', [(layer([f('a', 'z')]), 'gzip')], name='1')"
	fake long
	plain "$FAKE"
	run pull "$FAKE/long:1"
	ok
	[[ $output == sha512:* ]]
}

@test "pull: blobs that are in the store are not fetched again; layers shared by images neither" {
	two_layers
	fake layout
	plain "$FAKE"
	run pull "$FAKE/a:1"
	ok
	[ "$(grep -c /blobs/ "$FAKE_LOG")" = 3 ]
	run pull --name again "$FAKE/b:1"
	ok
	[ "$(grep -c /blobs/ "$FAKE_LOG")" = 3 ]
	[ "$(grep -c /manifests/ "$FAKE_LOG")" = 2 ]
}

@test "pull: of an index the manifest for this machine, or for --platform" {
	mk << 'PY'
import json
entries = []
for arch, variant in [(ARCH, None), ('s390x', None), ('arm', 'v6'), ('arm', 'v7'), ('arm', 'v8')]:
    def lie(step, parts):
        if step == 'config':
            parts['config']['architecture'] = arch
    p = oci('multi', [layer([f('arch', arch + str(variant))])], lie=lie)
    e = dict(p['index']['manifests'][-1])
    e['platform'] = {'os': 'linux', 'architecture': arch, **({'variant': variant} if variant else {})}
    entries.append(e)
blob = dump({'schemaVersion': 2, 'mediaType': OCI + 'index.v1+json', 'manifests': entries})
write('multi/blobs/sha256/' + sha(blob)[7:], blob)
write('multi/index.json', {'schemaVersion': 2, 'manifests': [descriptor(blob, OCI + 'index.v1+json', annotations={'org.opencontainers.image.ref.name': '1'})]})
PY
	fake multi
	plain "$FAKE"
	run pull --name here "$FAKE/m:1"
	ok
	grep -q "^$(img inspect here | jq -r .architecture)" "$STORE"/layers/*/root/arch
	run pull --name s390 --platform linux/s390x "$FAKE/m:1"
	ok
	[ "$(img inspect s390 | jq -r .architecture)" = s390x ]
	run pull --name arm --platform linux/arm "$FAKE/m:1"
	ok
	grep -qx armv7 "$STORE/layers/$(img inspect arm | jq -r '.layers[0].diff_id[7:]')/root/arch"
	run pull --name arm6 --platform linux/arm/v6 "$FAKE/m:1"
	ok
	grep -qx armv6 "$STORE/layers/$(img inspect arm6 | jq -r '.layers[0].diff_id[7:]')/root/arch"
	fails_with 'is for linux/riscv64' pull --platform linux/riscv64 "$FAKE/m:1"
	fails_with 'is no linux/ARCHITECTURE' pull --platform windows/amd64 "$FAKE/m:1"
}

@test "TLS with a CA of one's own, and a password: from --creds, skopeo login, docker's file; helpers are refused" {
	real tls auth
	two_layers
	copy --dest-tls-verify=false --dest-creds user:secret oci:layout:1 "docker://$REAL/two:1"
	fails_with 'name its CA with' pull --creds user:secret "$REAL/two:1"
	printf 'registries:\n  "%s": {ca: %s}\n' "$REAL" "$WORK/ca.pem" > registries.yaml
	fails_with 'no credentials for it were found' pull "$REAL/two:1"
	fails_with 'does not accept the credentials' pull --creds user:wrong "$REAL/two:1"
	run pull --creds user:secret "$REAL/two:1"
	ok
	rm -rf "$STORE"
	skopeo login --tls-verify=false --authfile login.json -u user -p secret "$REAL" > /dev/null
	run pull --authfile login.json "$REAL/two:1"
	ok
	rm -rf "$STORE"
	REGISTRY_AUTH_FILE=$WORK/login.json run pull "$REAL/two:1"
	ok
	rm -rf "$STORE"
	mkdir -p "$HOME/.docker"
	cp login.json "$HOME/.docker/config.json"
	run pull "$REAL/two:1"
	ok
	printf '{"auths":{},"credHelpers":{"%s":"evil"}}' "$REAL" > "$HOME/.docker/config.json"
	fails_with 'a credential helper, a program, which is not run' pull "$REAL/two:1"
	printf '{"auths":{"%s":{}},"credsStore":"evil"}' "$REAL" > "$HOME/.docker/config.json"
	fails_with 'a credential store, a program, which is not run' pull "$REAL/two:1"
}

@test "tokens: for anybody, for a user, and again when one has grown old" {
	two_layers
	fake layout '{"token": ""}'
	plain "$FAKE"
	run pull "$FAKE/team/two:1"
	ok
	grep -q 'GET /token?service=test%2C%20really&scope=repository%3Ateam%2Ftwo%3Apull - ' "$FAKE_LOG"
	rm -rf "$STORE"
	fake layout '{"token": "user:pass:word", "token_uses": 2}'
	plain "$FAKE"
	fails_with 'the token service: the registry wants to know who asks' pull "$FAKE/two:1"
	fails_with 'the token service: the registry does not accept the credentials: wrong password' pull --creds user:no "$FAKE/two:1"
	: > "$FAKE_LOG"
	run pull --creds user:pass:word --parallel 1 "$FAKE/two:1"
	ok
	[ "$(grep -c 'GET /token' "$FAKE_LOG")" = 2 ]
}

@test "cut connections: what is missing is asked for, nothing twice" {
	two_layers
	fake layout '{"cut": 60000}'
	plain "$FAKE"
	PROGRESS=json run pull "$FAKE/two:1"
	ok
	says '"event":"note"'
	says 'bytes remaining to read; again in'
	grep -q ' bytes=60000- ' "$FAKE_LOG"
	grep -q ' bytes=240000- ' "$FAKE_LOG"
	# No byte came twice.
	[ "$(awk '/blobs/ {n += $5} END {print n}' "$FAKE_LOG")" = "$(jq '.config.size + ([.layers[].size] | add)' "layout/blobs/sha256/$(digest_of layout | cut -c8-)")" ]
	# The server that sends all of it again is listened to from there on.
	rm -rf "$STORE"
	fake layout '{"cut": 250000, "no_range": true}'
	plain "$FAKE"
	fails_with 'tried 3 times' pull --retries 2 "$FAKE/two:1"
}

@test "a connection that stays open and silent is given up after --stall-time, and the rest is asked for" {
	two_layers
	fake layout '{"stall": 0}'
	mute=$FAKE
	fake layout '{"stall": 200000}'
	plain "$FAKE" "$mute"
	# At the same time one that never says a word after the head, with this patience and, the control, with the default's.
	STORE=$STORE.1 img pull --registries registries.yaml --progress none --stall-time 1s --retries 0 "$mute/two:1" > mute.log 2>&1 &
	one=$!
	STORE=$STORE.2 img pull --registries registries.yaml --progress none --retries 0 "$mute/two:1" > patient.log 2>&1 &
	two=$!
	PROGRESS=json run pull --stall-time 1s "$FAKE/two:1"
	ok
	says 'Operation too slow'
	grep -q ' bytes=200000- ' "$FAKE_LOG"
	code=0
	wait $one || code=$?
	[ $code = 1 ] && grep -q 'Operation too slow' mute.log && [ -z "$(ls -A "$STORE.1/tmp")" ]
	kill -0 $two
	kill $two
	wait $two || true
}

@test "503 and 429 are tried again, after the time that they say; 404 and 403 are not" {
	two_layers
	fake layout '{"fail": [503, 429, 500], "retry_after": "1"}'
	plain "$FAKE"
	began=$SECONDS
	run pull --parallel 1 "$FAKE/two:1"
	ok
	[ $((SECONDS - began)) -ge 2 ]
	fake layout '{"fail": [403]}'
	plain "$FAKE"
	rm -rf "$STORE"
	fails_with 'no credentials for it were found' pull "$FAKE/two:1"
	[ "$(grep -c /blobs/ "$FAKE_LOG")" = 1 ]
	fails_with 'the registry does not have it: manifest unknown??[31m' pull "$FAKE/two:none"
	fake layout '{"fail": [503, 503, 503, 503]}'
	plain "$FAKE"
	fails_with 'the registry answers 503; tried 3 times' pull --retries 2 "$FAKE/two:1"
}

@test "a server that sends nothing is left after --stall-time, one that drips after --transfer-time" {
	two_layers
	fake layout '{"slow": 100}'
	plain "$FAKE"
	began=$SECONDS
	fails_with 'not done in 2 s' pull --transfer-time 2s "$FAKE/two:1"
	[ $((SECONDS - began)) -le 40 ]
}

@test "mirrors come first, with a prefix; the registry itself when they fail" {
	two_layers
	fake layout
	mirror=$FAKE mirror_log=$FAKE_LOG
	fake layout
	printf 'registries:\n  "%s": {plain: true}\n  "%s": {plain: true, mirrors: ["%s/cache"]}\n' "$mirror" "$FAKE" "$mirror" > registries.yaml
	run pull --creds user:secret "$FAKE/two:1"
	ok
	grep -q 'GET /v2/cache/two/manifests/1' "$mirror_log"
	[ ! -s "$FAKE_LOG" ]
	[ "$(img ls --format json | jq -r '.[0].name')" = "$FAKE/two:1" ]
	rm -rf "$STORE"
	printf 'registries:\n  "127.0.0.1:1": {plain: true}\n  "%s": {plain: true, mirrors: ["127.0.0.1:1"]}\n' "$FAKE" > registries.yaml
	PROGRESS=json run pull --retries 1 "$FAKE/two:1"
	ok
	says '"event":"note"'
}

@test "push: to an empty registry, by parts, and mounted; the digest stays" {
	real
	plain "$REAL"
	two_layers
	img import --name local layout
	for chunk in 0 65536; do
		run push --chunk "$chunk" local "$REAL/p$chunk:1"
		ok
		[ "$output" = "$(digest_of layout)" ]
		[ "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$REAL/p$chunk:1")" = "$(digest_of layout)" ]
	done
	STORE=$WORK/other run pull "$REAL/p65536:1"
	ok
	trees "$STORE" > pushed
	trees "$WORK/other" > pulled
	diff pushed pulled
	# Under a name that says where its layers are already, they are mounted; then they are there.
	pull --name "$REAL/p0:1" "$REAL/p0:1"
	PROGRESS=json run push "$REAL/p0:1" "$REAL/else/where:2"
	ok
	[ "$(grep -c '"state":"mounted"' <<< "$output")" = 3 ]
	PROGRESS=json run push "$REAL/p0:1" "$REAL/else/where:2"
	ok
	[ "$(grep -c '"state":"present"' <<< "$output")" = 3 ]
	fails_with 'not in the store' push nothing "$REAL/x:1"
	fails_with 'it names no registry' push local
}

@test "push: what is refused for a moment, or cut, is sent again whole; what is refused is not" {
	two_layers
	img import --name local layout
	mkdir nothing
	echo '{"manifests": []}' > nothing/index.json
	sizes=$(jq -r '[.config.size, .layers[].size] | sort | map(tostring) | join(" ")' "layout/blobs/sha256/$(digest_of layout | cut -c8-)")
	for how in '[503, 429]' '[0, 0]' '[0, 503]'; do
		for chunk in 0 100000; do
			fake nothing "{\"push\": $how, \"retry_after\": \"0\"}"
			plain "$FAKE"
			run push --parallel 1 --chunk $chunk local "$FAKE/p:1"
			ok
			[ "$output" = "$(digest_of layout)" ]
			# Each blob came to its end once, the manifest after all of them.
			[ "$(grep -c '^PUT .*digest=' "$FAKE_LOG")" -ge 3 ]
			[[ $(tail -1 "$FAKE_LOG") == 'PUT /v2/p/manifests/1 '* ]]
			[ $chunk != 0 ] || [ "$(awk '/^PUT .*digest=/ {last[$2] = $5} END {for (p in last) print last[p]}' "$FAKE_LOG" | sort -n | xargs)" = "$sizes" ]
		done
	done
	fake nothing '{"push": [503, 503, 503, 503]}'
	plain "$FAKE"
	fails_with 'the registry answers 503; tried 3 times' push --retries 2 --parallel 1 local "$FAKE/p:1"
	fake nothing '{"push": [400]}'
	plain "$FAKE"
	fails_with 'the registry answers 400' push --parallel 1 local "$FAKE/p:1"
	[ "$(grep -c '^PUT' "$FAKE_LOG")" = 1 ]
	run grep -c manifests "$FAKE_LOG"
	[ "$output" = 0 ]
}

@test "push: with TLS and a password" {
	real tls auth
	two_layers
	img import --name local layout
	printf 'registries:\n  "%s": {ca: %s}\n' "$REAL" "$WORK/ca.pem" > registries.yaml
	fails_with 'no credentials for it were found' push local "$REAL/two:1"
	run push --creds user:secret local "$REAL/two:1"
	ok
	STORE=$WORK/other run pull --creds user:secret "$REAL/two:1"
	ok
}

@test "names: none goes anywhere by default; docker.io's short ones are in library/" {
	fails_with 'it names no registry: write HOST/alpine, such as docker.io/alpine' pull alpine
	fails_with 'is no tag' pull 'localhost:1/a:b:c'
	fails_with "is no repository" pull 'localhost:1/A'
	fails_with 'its digest' pull 'localhost:1/a@sha256:12'
	two_layers
	fake layout
	printf 'default: docker.io\nregistries:\n  "%s": {plain: true}\n  docker.io: {mirrors: ["%s"]}\n' "$FAKE" "$FAKE" > registries.yaml
	run pull two:1
	ok
	grep -q 'GET /v2/library/two/manifests/1' "$FAKE_LOG"
	[ "$(img ls --format json | jq -r '.[0].name')" = docker.io/library/two:1 ]
	echo 'registries: {a: {mirror: []}}' > registries.yaml
	fails_with 'registries.a' pull localhost:1/x
	echo 'registries: {a: {plain: true, ca: /x}}' > registries.yaml
	fails_with 'exclude each other' pull localhost:1/x
}

@test "an image answers to every way to write the reference that brought it" {
	two_layers
	fake layout
	printf 'default: "%s"\nregistries:\n  "%s": {plain: true}\n  docker.io: {mirrors: ["%s"]}\n' "$FAKE" "$FAKE" "$FAKE" > registries.yaml
	digest=$(digest_of layout)
	called() { [ "$(img inspect "$1" | jq -r .name)" = "$2" ]; }
	pull "$FAKE/team/two:1@$digest"
	for r in "$FAKE/team/two:1@$digest" "$FAKE/team/two@$digest" "$FAKE/team/two:other@$digest"; do called "$r" "$FAKE/team/two@$digest"; done
	fails_with 'not in the store' img inspect "$FAKE/else/two@$digest"
	fails_with 'not in the store' img inspect "$FAKE/team/two:1"
	pull docker.io/two:1
	called docker.io/two:1 docker.io/library/two:1
	called "docker.io/two@$digest" docker.io/library/two:1
	called "docker.io/two:1@$digest" docker.io/library/two:1
	pull team/two:1
	fails_with "not in the store (carrel-image ls shows what is); there is $FAKE/team/two:1" img inspect team/two:1
	img tag "$FAKE/team/two:1" "$FAKE/latest:latest"
	called "$FAKE/latest" "$FAKE/latest:latest"
	# A name takes itself away, however it is written.
	img rm docker.io/two:1 "$FAKE/latest" "$FAKE/team/two:7@$digest"
	[ "$(img ls --format json | jq -r '.[].name')" = "$FAKE/team/two:1" ]
	# Registries on IPv6 have brackets in their names.
	img tag "$FAKE/team/two:1" '[::1]:5000/two:1'
	called '[::1]:5000/two:1' '[::1]:5000/two:1'
	# By the repository's digest all names go, as by a digest.
	img rm "$FAKE/team/two@$digest"
	[ "$(img ls --format json)" = '[]' ]
}

@test "progress: a line on a terminal, JSON lines elsewhere, nothing" {
	two_layers
	fake layout
	plain "$FAKE"
	run script -qec "'$IMAGE' --store '$STORE' pull --registries registries.yaml $FAKE/two:1" /dev/null
	ok
	[[ $output =~ [012]\ of\ [12]\ blobs,\  ]]
	[[ $output != *'"event"'* ]]
	rm -rf "$STORE"
	img pull --registries registries.yaml "$FAKE/two:1" 2> lines > digest
	jq -es 'map(select(.event == "blob" and .state == "unpacked")) | length == 2' lines
	[ "$(cat digest)" = "$(digest_of layout)" ]
	rm -rf "$STORE"
	pull "$FAKE/two:1" 2> lines
	[ ! -s lines ]
	fails_with 'is none of auto, tty, json, none' img pull --progress loud "$FAKE/two:1"
}
