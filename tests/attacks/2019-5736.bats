# CVE-2019-5736: a container's program overwrites the host's runtime through /proc/PID/exe of the process that enters it.
load ../integration/guest

setup() {
	guest_setup
	cp "$CARREL_BIN/../tests/attacks/hijack" "$ROOTFS/bin/hijack"
	# The runtime under attack is a copy: if the attack works, only that is lost.
	mkdir "$WORK/bin"
	cp "$RUNTIME" "$WORK/bin/carrel-runtime"
	RUNTIME=$WORK/bin/carrel-runtime
	all_caps
	config '.root.readonly = false | .process.noNewPrivileges = false'
}
teardown() {
	# The copy may be spoilt.
	RUNTIME=$CARREL_BIN/carrel-runtime runtime_teardown
}

lurk() {
	args /bin/hijack lurk "${1:-6}"
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/lurker" 2>&1
	wait_for 'grep -q lurking "$WORK/lurker"'
}

@test "exec of /proc/self/exe, again and again, gives the attacker nothing to write to" {
	before=$(sha256sum < "$RUNTIME")
	lurk 6
	ln -s /proc/self/exe "$ROOTFS/bin/trap"
	printf '#!/proc/self/exe\n' > "$ROOTFS/bin/script" && chmod 755 "$ROOTFS/bin/script"
	for i in $(seq 8); do
		rt exec "$ID" /proc/self/exe exec "$ID" true > /dev/null 2>&1 || :
		rt exec "$ID" /bin/trap --version > /dev/null 2>&1 || :
		rt exec "$ID" /bin/script > /dev/null 2>&1 || :
		rt exec "$ID" sh -c 'sleep 0.1' > /dev/null 2>&1 || :
	done
	wait_for '[ "$(status_of)" = stopped ]' 60
	cat "$WORK/lurker"
	! grep -q "wrote .*$WORK" "$WORK/lurker" || return 1
	! grep -q "wrote .*carrel-runtime" "$WORK/lurker" || return 1
	[ "$(sha256sum < "$RUNTIME")" = "$before" ]
}

@test "an image whose entry point is /proc/self/exe cannot write to the runtime either" {
	before=$(sha256sum < "$RUNTIME")
	args /proc/self/exe --version
	run rt run -b "$BUNDLE" "$ID"
	inside sh -c 'exec 3> /proc/self/exe; echo x >&3'
	inside sh -c 'for p in /proc/[0-9]*; do (echo x > $p/exe) 2> /dev/null && echo "wrote $p"; done'
	[[ $output != *wrote* ]]
	[ "$(sha256sum < "$RUNTIME")" = "$before" ]
}

@test "control: a runtime that enters without sealing itself is overwritten" {
	cp "$CARREL_BIN/../tests/attacks/hijack" "$WORK/bin/careless"
	before=$(sha256sum < "$WORK/bin/careless")
	# So that the attacker's own file is another one.
	printf x >> "$ROOTFS/bin/hijack"
	lurk 20
	for i in 1 2 3; do timeout 20 "$WORK/bin/careless" enter "$(rt state "$ID" | jq .pid)" || break; done
	wait_for 'grep -q ^wrote "$WORK/lurker"' 60
	[ "$(sha256sum < "$WORK/bin/careless")" != "$before" ]
	[ "$(head -n 1 "$WORK/bin/careless")" = '#!/bin/false overwritten' ]
}
