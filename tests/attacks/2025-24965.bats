# CVE-2025-24965: a runtime writes a file of its own into the root, where the image has a link to the host.
load ../integration/guest

setup() {
	guest_setup
	config '.root.readonly = false'
	VICTIM=$WORK/victim
	mkdir "$VICTIM"
	for f in /.krun_config.json /krun_config.json /.containerenv /run/.containerenv /.dockerenv /etc/hostname /etc/hosts \
		/etc/resolv.conf /etc/mtab /.carrel /config.json /state.json /init /dev/console /dev/core /run/carrel; do
		mkdir -p "$ROOTFS$(dirname "$f")"
		ln -sfn "$VICTIM/made-by${f//\//-}" "$ROOTFS$f"
	done
}
teardown() { runtime_teardown; }

@test "control: what writes by name writes to the host" {
	echo '{}' > "$ROOTFS/.krun_config.json"
	[ -e "$VICTIM/made-by-.krun_config.json" ]
}

@test "create, run and exec write nothing into the root, and nothing over a link" {
	local before
	listing() { (cd "$ROOTFS" && find . -xdev -printf '%p %y %m %s %l\n' | sort); }
	before=$(listing)
	inside true
	ok
	start_sleeper
	rt exec "$ID" true
	rt delete --force "$ID"
	[ -z "$(ls -A "$VICTIM")" ] || { ls -la "$VICTIM" && return 1; }
	diff <(echo "$before") <(listing)
}

@test "with a terminal too, where a /dev/console is wanted" {
	local before
	config '.process.terminal = true'
	args true
	run timeout 30 python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' "$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID" < /dev/null
	ok
	[ -z "$(ls -A "$VICTIM")" ]
}
