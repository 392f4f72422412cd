# Inheritable capabilities that nobody asked for turn file capabilities into more (also CVE-2022-24769, CVE-2022-27649,
# CVE-2022-27650).
load ../integration/guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

none_inheritable() {
	fact inheritable '0{16}'
	fact ambient '0{16}'
}

@test "control: the probe sees inheritable capabilities when they are asked for" {
	config '.process.capabilities.inheritable = ["CAP_KILL"]'
	guest caps
	no_fact inheritable '0{16}'
}

@test "run, as root and as a user, with and without a user namespace" {
	guest caps
	none_inheritable
	config '.process.user = {uid: 1000, gid: 1000}'
	guest caps
	none_inheritable
	userns
	guest caps
	none_inheritable
}

@test "create and exec, also with --cap" {
	start_sleeper
	run rt exec "$ID" /bin/guest caps
	none_inheritable
	run rt exec --cap CAP_KILL --cap CAP_NET_RAW "$ID" /bin/guest caps
	ok
	none_inheritable
	run rt exec --user 1000:1000 --cap CAP_KILL "$ID" /bin/guest caps
	ok
	fact inheritable '0{16}'
	[ "$(grep CapInh "/proc/$(rt state "$ID" | jq .pid)/status" | tr -dc 1-9)" = "" ]
}

@test "nothing of the caller's own" {
	# A runtime that is itself started with inheritable capabilities.
	args /bin/guest caps
	run setpriv --inh-caps +kill,+chown timeout 60 "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
	none_inheritable
}
