#!/usr/bin/env bats
# A checkpoint comes from somebody else (CVE-2026-50195, 2026-53488, 2026-53489, 2026-53492): configuration, annotations and hooks in it that a
# restore takes for its own, and links in it that lead a program with root's rights to files of the host.
load ../integration/guest

setup() {
	guest_setup
	IMAGES=$WORK/images
	mkdir "$IMAGES" "$WORK/bin"
	printf '["/dev/null","/dev/null","/dev/null"]' > "$IMAGES/descriptors.json"
	printf '#!/bin/sh\nexec python3 %s "$@"\n' "$BATS_TEST_DIRNAME/../tools/fake_criu.py" > "$WORK/bin/criu"
	chmod +x "$WORK/bin/criu"
	export PATH=$WORK/bin:$PATH FAKE_CRIU=ok FAKE_CRIU_LOG=$WORK/requests
	echo secret > "$WORK/victim"
}
teardown() { runtime_teardown; }

restore() { rt restore -d -b "$BUNDLE" --image-path "$IMAGES" "$ID" < /dev/null 3>&-; }

# All that engines put beside the images, and what an attacker would like to be read from there.
hostile() {
	jq --arg m "$WORK/mark" '.hooks = {prestart: [{path: "/bin/sh", args: ["sh", "-c", "touch " + $m]}], poststart: [{path: "/usr/bin/touch", args: ["touch", $m]}]}
		| .annotations = {"org.criu.config": $m, "run.oci.hooks.stderr": $m, "io.carrel.network": "{}"} | .root.path = "/"
		| .mounts += [{destination: "/mnt", type: "bind", source: "/", options: ["rbind"]}]' "$BUNDLE/config.json" > "$IMAGES/config.json"
	local f
	for f in config.dump spec.dump status.dump network.status state.json cdi.json; do cp "$IMAGES/config.json" "$IMAGES/$f"; done
	printf 'action-script %s\n' "$WORK/mark" > "$IMAGES/criu.conf"
}

@test "control: the same text as the bundle's own configuration does what it says" {
	hostile
	jq --slurpfile own "$BUNDLE/config.json" '$own[0] + {hooks}' "$IMAGES/config.json" > "$WORK/config" && cp "$WORK/config" "$BUNDLE/config.json"
	rm "$IMAGES"/*.dump "$IMAGES"/*.conf "$IMAGES"/[!d]*.json
	restore
	[ -e "$WORK/mark" ]
}

@test "configuration, annotations and hooks in a checkpoint are nobody's" {
	hostile
	restore
	[ ! -e "$WORK/mark" ]
	[ -z "$(grep -F "$WORK/mark" "$WORK/requests")" ]
	[ "$(rt state "$ID" | jq -c '.annotations // {}')" = '{}' ]
}

@test "control: a log opened by name, as criu does it, truncates what a link leads to" {
	ln -s "$WORK/victim" "$IMAGES/restore.log"
	# What criu's own code does in its working directory.
	python3 -c 'import os, sys; os.chdir(sys.argv[1]); os.open("restore.log", os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND, 0o600)' "$IMAGES"
	[ ! -s "$WORK/victim" ]
}

@test "a link, a pipe or a device in a checkpoint is refused before criu is started" {
	local name
	for name in restore.log stats-restore pages-1.img core-1.img inventory.img config.json x; do
		ln -s "$WORK/victim" "$IMAGES/$name"
		fails_with "images/$name is a link" restore
		rm "$IMAGES/$name"
		mkfifo "$IMAGES/$name"
		fails_with "images/$name is a pipe" restore
		rm "$IMAGES/$name"
	done
	mknod "$IMAGES/mem" c 1 1
	fails_with 'a pipe or a device' restore
	rm "$IMAGES/mem"
	[ -z "$(grep -s restore.log "$WORK/requests")" ]
	[ "$(cat "$WORK/victim")" = secret ]
	[ ! -e "$ROOT/$ID" ]
	# What criu makes itself: the link to the dump before, and the socket that pages come through.
	ln -s ../images "$IMAGES/parent"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$IMAGES/lazy-pages.socket"
	restore
	[ "$(status_of)" = running ]
}
