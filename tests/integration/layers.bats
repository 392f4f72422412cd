#!/usr/bin/env bats
# The store and a running sandbox: removing and collecting its image takes nothing away from under it.

bats_require_minimum_version 1.5.0
load carrel.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	# A store of our own: this test removes images.
	cp -a "$STORE" "$WORK/own"
	STORE=$WORK/own
}
teardown() { carrel_teardown; }

layers() { find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l; }

@test "gc leaves the layers of a running sandbox, and takes them when it has ended" {
	before=$(layers)
	boxed --detach --name kept default -- sleep 100 < /dev/null
	car image rm default
	car image gc
	[ "$(layers)" = "$before" ]
	layer=$(find "$STORE/layers" -mindepth 2 -maxdepth 2 -name root | head -n 1)
	run flock --nonblock --exclusive "$layer" true
	ends 1
	car rm kept
	flock --nonblock --exclusive "$layer" true
	car image gc
	[ "$(layers)" = 0 ]
	clean
}

@test "a layer that was removed meanwhile is named" {
	boxed default -- true < /dev/null
	mv "$STORE/layers" "$STORE/elsewhere"
	run boxed default -- true < /dev/null
	[ "$status" != 0 ]
	says layers
	clean
}
