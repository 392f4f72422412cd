# Registries that do not send what they promised. The control is the same registry being honest.
load ../integration/registry

setup() {
	registry_setup
	two_layers
}
teardown() { registry_teardown; }

# lies TEXT JSON: refused with this text, the store is as before; and without the lie it works.
lies() {
	fake layout "$2"
	plain "$FAKE"
	unchanged "$1" pull --retries 1 "$FAKE/two:1"
	[ -z "$(ls -A "$STORE/tmp")" ]
}

control() {
	fake layout
	plain "$FAKE"
	run pull "$FAKE/two:1"
	ok
	[ "$output" = "$(digest_of layout)" ]
}

@test "a blob with another byte in it" {
	lies 'its content has the digest' '{"flip": true}'
	control
}

@test "blobs that are longer or shorter than they should be, or end never" {
	lies 'more than the' '{"more": 5}'
	lies 'has no more than' '{"less": 5}'
	lies 'more than the' '{"endless": true}'
	# Also where the resuming server sends another part than was asked for.
	lies 'is another part' '{"cut": 1000, "bad_range": true}'
	control
}

@test "a manifest that is not the one that was asked for, or claimed" {
	fake layout '{"body": "{}"}'
	plain "$FAKE"
	unchanged 'was promised' pull "$FAKE/two@$(digest_of layout)"
	lies 'was promised' '{"body": "{}"}'
	lies 'Docker-Content-Digest' '{"digest": "sha256:../../../etc/passwd"}'
	lies 'was promised' "{\"digest\": \"sha256:$(printf '%064d' 0)\"}"
	control
}

@test "media types: one that is not supported, one that the document does not have, a web page" {
	lies "the media type 'application/vnd.docker.distribution.manifest.v1+prettyjws'" '{"type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}'
	lies 'it calls itself' '{"type": "application/vnd.docker.distribution.manifest.v2+json"}'
	lies 'manifest: ' '{"type": "text/html", "body": "<html>", "digest": ""}'
	control
}

@test "a manifest without end, a head of a megabyte" {
	lies 'more than the 1048576 bytes' '{"fill": 1100000}'
	lies 'the head of the answer has more than' '{"head": 60000, "heads": 20}'
	control
}

@test "a layer that the descriptor calls larger than a layer may be is not fetched" {
	fake layout
	plain "$FAKE"
	unchanged 'more than the 1024 bytes it may have' pull --max-blob-bytes 1Ki "$FAKE/two:1"
	run grep -c "$(jq -r '.layers[0].digest' "layout/blobs/sha256/$(digest_of layout | cut -c8-)")" "$FAKE_LOG"
	[ "$output" = 0 ]
	control
}

@test "redirections: in a circle, to other protocols, from TLS to plain HTTP" {
	fake layout '{"location": "/v2/two/blobs/x"}'
	plain "$FAKE"
	unchanged 'more than 5 redirections' pull "$FAKE/two:1"
	fake layout '{"location": "file:///etc/passwd"}'
	plain "$FAKE"
	unchanged 'which is not HTTP' pull "$FAKE/two:1"
	fake layout '{"location": "http://user:x@127.0.0.1/"}'
	plain "$FAKE"
	unchanged 'an address with a password' pull "$FAKE/two:1"
	certificates
	fake layout "{\"cert\": \"$WORK/server.pem\", \"key\": \"$WORK/server.key\", \"location\": \"http://127.0.0.1:1/x\"}"
	printf 'registries:\n  "%s": {ca: %s}\n' "$FAKE" "$WORK/ca.pem" > registries.yaml
	unchanged 'from https to http, which is not followed' pull "$FAKE/two:1"
	control
}
