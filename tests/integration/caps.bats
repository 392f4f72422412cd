load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

caps_are() { # INH PRM EFF BND AMB, in hex without leading zeros
	local name
	for name in inheritable permitted effective bounding ambient; do
		fact "$name" "0*$1"
		shift
	done
}

@test "exactly the sets that are listed" {
	config '.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], permitted: ["CAP_KILL", "CAP_CHOWN"], effective: ["CAP_CHOWN"]}'
	guest caps
	caps_are 0 21 21 21 0
	fact nnp 1
}

@test "root without a list has nothing" {
	config 'del(.process.capabilities) | .process.noNewPrivileges = false'
	guest caps
	caps_are 0 0 0 0 0
	fact nnp 0
	# And cannot get anything back from a file of root.
	inside sh -c 'chown 1:1 /tmp'
	[ "$status" -ne 0 ]
}

@test "root keeps what its bounding set allows over exec; an ordinary user keeps only ambient ones" {
	config '.process.capabilities = {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"]} | .process.user = {uid: 1000, gid: 1000}'
	guest caps
	caps_are 0 0 0 20 0
	config '.process.capabilities |= (.inheritable = ["CAP_KILL"] | .ambient = ["CAP_KILL"])'
	guest caps
	caps_are 20 20 20 20 20
}

@test "an ambient capability that is not inheritable is left out, with a warning" {
	config '.process.capabilities = {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"], ambient: ["CAP_KILL"]}'
	guest caps
	says "can't raise ambient capability CAP_KILL"
	caps_are 0 20 20 20 0
}

@test "an unknown capability is a warning, one that the runtime lacks is left out" {
	config '.process.capabilities.bounding += ["CAP_FROM_THE_FUTURE"]'
	inside true
	ok
	says CAP_FROM_THE_FUTURE
	if [ $(($(grep CapEff /proc/self/status | sed 's/.*:\s*/0x/') >> 24 & 1)) = 1 ]; then skip "this host gives CAP_SYS_RESOURCE"; fi
	config '.process.capabilities = {bounding: ["CAP_SYS_RESOURCE", "CAP_KILL"], permitted: ["CAP_SYS_RESOURCE", "CAP_KILL"], effective: ["CAP_SYS_RESOURCE", "CAP_KILL"]}'
	guest caps
	caps_are 0 20 20 20 0
}

@test "exec has the container's sets; --cap adds to them and never to the inheritable one" {
	start_sleeper
	run rt exec "$ID" /bin/guest caps
	ok
	caps_are 0 421 421 421 0
	run rt exec --cap CAP_SETUID "$ID" /bin/guest caps
	ok
	caps_are 0 4a1 4a1 4a1 0 || caps_are 0 4e1 4e1 4e1 0 || { fact inheritable 0+ && no_fact effective '0*421'; }
	run rt exec -u 1000:1000 "$ID" /bin/guest caps -- ids
	ok
	fact effective '0+'
	fact uid '1000 1000 1000'
}

@test "in a user namespace all of them can be given" {
	userns
	config '.process.capabilities |= with_entries(.value = ["CAP_SYS_RESOURCE", "CAP_SYS_ADMIN"])'
	guest caps
	caps_are 0 1200000 1200000 1200000 0
}

@test "exec --cap is passed on where the container's configuration made it inheritable, and only there" {
	config '.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"],
		inheritable: ["CAP_CHOWN"]}'
	start_sleeper
	run rt exec --cap CAP_CHOWN --cap CAP_KILL "$ID" grep Cap /proc/self/status
	says 'CapInh:	0000000000000001'
	says 'CapAmb:	0000000000000001'
	says 'CapEff:	0000000000000021'
}
