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

# monitor DIR DOMAIN TOTAL LOCAL OCCUPANCY
monitor() {
	mkdir -p "$1/mon_data/mon_L3_$2"
	echo "$3" > "$1/mon_data/mon_L3_$2/mbm_total_bytes"
	echo "$4" > "$1/mon_data/mon_L3_$2/mbm_local_bytes"
	echo "$5" > "$1/mon_data/mon_L3_$2/llc_occupancy"
}
told() {
	rt events --stats "$ID" > "$WORK/told"
	[ "$(jq -c .data.intel_rdt "$WORK/told")" = "$1" ] || { cat "$WORK/told" && return 1; }
}

@test "events: the host's limits, the class's shares and what its monitors count" {
	rdt '{"schemata": ["L3:0=3;1=f", "MB:0=20;1=70"], "enableMonitoring": true}'
	start_sleeper
	told '{"schemata":["L3:0=3;1=f","MB:0=20;1=70"]}'
	# As the kernel writes them: set off to the right.
	mkdir -p "$FAKE"/info/{L3,MB,L3_MON}
	printf '    MB:0=100;1=100\n    L3:0=fffff;1=fffff\n' > "$FAKE/schemata"
	printf '    MB:0= 20;1= 70\n    L3:0=00003;1=0000f\n' > "$FAKE/$ID/schemata"
	echo fffff > "$FAKE/info/L3/cbm_mask"
	echo 2 > "$FAKE/info/L3/min_cbm_bits"
	echo 16 > "$FAKE/info/L3/num_closids"
	printf 'llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n' > "$FAKE/info/L3_MON/mon_features"
	monitor "$FAKE/$ID" 00 9 9 9
	monitor "$FAKE/$ID/mon_groups/$ID" 01 300 200 100
	monitor "$FAKE/$ID/mon_groups/$ID" 00 18446744073709551615 2 Unavailable
	l3='"l3_cache_info":{"cbm_mask":"fffff","min_cbm_bits":2,"num_closids":16},"l3_cache_schema_root":"L3:0=fffff;1=fffff","l3_cache_schema":"L3:0=00003;1=0000f"'
	lines='"schemata":["MB:0= 20;1= 70","L3:0=00003;1=0000f"]'
	counted='"mbm_stats":[{"mbm_total_bytes":18446744073709551615,"mbm_local_bytes":2},{"mbm_total_bytes":300,"mbm_local_bytes":200}],"cmt_stats":[{},{"llc_occupancy":100}]'
	rt events --stats "$ID" > "$WORK/told"
	grep -qF "\"intel_rdt\":{$l3,$lines,$counted}" "$WORK/told" || { cat "$WORK/told" && return 1; }
	for f in bandwidth_gran:10 delay_linear:1 min_bandwidth:10 num_closids:8; do echo "${f#*:}" > "$FAKE/info/MB/${f%:*}"; done
	told "$(jq -nc --argjson m '{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8}' \
		"{$l3, mem_bw_info: \$m, mem_bw_schema_root: \"MB:0=100;1=100\", mem_bw_schema: \"MB:0= 20;1= 70\", $lines, $counted}")"
	echo llc_occupancy > "$FAKE/info/L3_MON/mon_features"
	rt events --stats "$ID" | jq -e '.data.intel_rdt | has("cmt_stats") and (has("mbm_stats") | not)'
	rm -r "$FAKE/${ID:?}/mon_groups/$ID"
	fails_with "mon_groups/$ID/mon_data" rt events --stats "$ID"
}

@test "events: the class's own monitors without a monitoring group; nothing without a class" {
	rdt '{"closID": "gold"}'
	mkdir -p "$FAKE/gold/mon_groups" "$FAKE/info/L3_MON"
	echo 'L3:0=3' > "$FAKE/gold/schemata"
	: > "$FAKE/gold/tasks"
	echo llc_occupancy > "$FAKE/info/L3_MON/mon_features"
	monitor "$FAKE/gold" 00 1 2 3
	start_sleeper
	told '{"schemata":["L3:0=3"],"cmt_stats":[{"llc_occupancy":3}]}'
	rt delete --force "$ID"
	config 'del(.linux.intelRdt)'
	start_sleeper
	told '{}'
}

@test "a class is not left because resctrl could not be opened" {
	rdt '{"schemata": ["L3:0=3"]}'
	start_sleeper
	[ -d "$FAKE/$ID" ]
	mv "$FAKE" "$FAKE.away"
	ln -s "$FAKE" "$FAKE"
	fails_with 'class of resctrl' rt delete --force "$ID"
	rm "$FAKE"
	mv "$FAKE.away" "$FAKE"
	rt delete --force "$ID"
	[ ! -e "$FAKE/$ID" ]
	[ ! -e "$ROOT/$ID" ]
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
