# linux.intelRdt against a resctrl that is a directory of the test (tests/rdt_fake.c): few machines have a real one.
load lib

setup() {
	runtime_setup
	RUNTIME=$CARREL_BIN/../tests/runtime-rdt
	export CARREL_TEST_RESCTRL=$WORK/resctrl
	FAKE=$CARREL_TEST_RESCTRL
	mkdir -p "$FAKE/info"
}
teardown() { runtime_teardown; }

rdt() {
	config --argjson r "$1" '.linux.intelRdt = $r'
}

@test "a class of the container's own: schemata in order, the first process in it, gone with the container" {
	rdt '{"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20", "schemata": ["L3:0=3", "L2:0=1"], "enableMonitoring": true}'
	start_sleeper
	[ "$(cat "$FAKE/$ID/schemata")" = $'L3:0=f\nMB:0=20\nL3:0=3\nL2:0=1' ]
	[ "$(cat "$FAKE/$ID/tasks")" = 0 ]
	[ "$(cat "$FAKE/$ID/mon_groups/$ID/tasks")" = 0 ]
	: > "$FAKE/$ID/tasks" > "$FAKE/$ID/mon_groups/$ID/tasks"
	rt exec "$ID" true
	[ "$(cat "$FAKE/$ID/tasks")" = 0 ]
	[ "$(cat "$FAKE/$ID/mon_groups/$ID/tasks")" = 0 ]
	rt delete --force "$ID"
	[ ! -e "$FAKE/$ID" ]
}

@test "a foreground run leaves no class behind, and neither does a start that fails" {
	rdt '{"schemata": ["L3:0=3"]}'
	inside true
	ok
	[ ! -e "$FAKE/$ID" ]
	fails_with 'no such file' inside_fails /bin/nothing
	[ ! -e "$FAKE/$ID" ]
}
inside_fails() { args "$@" && rt run -b "$BUNDLE" "$ID"; }

@test "in a user namespace" {
	rdt '{"schemata": ["L3:0=3"]}'
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	find "$ROOTFS" -type d -exec chown 100000:100000 {} +
	start_sleeper
	[ "$(cat "$FAKE/$ID/tasks")" = 0 ]
}

@test "a class that closID names is shared and stays, its monitoring group does not" {
	rdt '{"closID": "gold", "enableMonitoring": true}'
	fails_with 'no class "gold", and no schemata to make it from' rt run -b "$BUNDLE" "$ID"
	mkdir -p "$FAKE/gold/mon_groups"
	: > "$FAKE/gold/schemata" > "$FAKE/gold/tasks"
	start_sleeper
	[ "$(cat "$FAKE/gold/tasks")" = 0 ]
	[ -d "$FAKE/gold/mon_groups/$ID" ]
	[ ! -s "$FAKE/gold/schemata" ]
	rt delete --force "$ID"
	[ -d "$FAKE/gold" ]
	[ ! -e "$FAKE/gold/mon_groups/$ID" ]
}

@test "a class of that name that is somebody else's is left alone" {
	rdt '{"schemata": ["L3:0=3"]}'
	mkdir "$FAKE/$ID"
	fails_with 'there is a class' rt run -b "$BUNDLE" "$ID"
	[ -d "$FAKE/$ID" ]
	rdt '{}'
	inside true
	ok
	[ -d "$FAKE/$ID" ]
}

@test "what resctrl says is in the error" {
	rdt '{"closID": "full", "schemata": ["L3:0=3"]}'
	mkdir "$FAKE/full" "$FAKE/full/schemata"
	echo 'out of bits' > "$FAKE/info/last_cmd_status"
	fails_with 'resctrl says: out of bits' rt run -b "$BUNDLE" "$ID"
}

@test "without resctrl it is an error that says so" {
	rdt '{"schemata": ["L3:0=3"]}'
	RUNTIME=$CARREL_BIN/carrel-runtime
	[ ! -e /sys/fs/resctrl/tasks ] || skip "this host has a real resctrl"
	fails_with 'linux.intelRdt' rt run -b "$BUNDLE" "$ID"
	says resctrl
	[ ! -e "$ROOT/$ID" ]
}
