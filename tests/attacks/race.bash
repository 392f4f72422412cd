# A container and its accomplice: both have one volume, in which the accomplice exchanges the directory `a` and the
# link `b`, which leads to a directory of the host, without end.

load ../integration/guest

ROUNDS=${ATTACK_ROUNDS:-150}

setup() {
	guest_setup
	VOL=$WORK/vol
	VICTIM=$WORK/victim
	mkdir -p "$VOL/a/sub" "$VICTIM/sub"
	ln -s "$VICTIM" "$VOL/b"
	# The accomplice: a container of its own with the same volume.
	EVIL=$WORK/evil
	mkdir -p "$EVIL"
	cp -a "$ROOTFS" "$EVIL/rootfs"
	mount_at /vol bind "$VOL" bind
	jq '.process.args = ["/bin/guest", "swap", "/vol/a", "/vol/b"] | .linux.cgroupsPath += "-evil"' "$BUNDLE/config.json" > "$EVIL/config.json"
	rt run -d -b "$EVIL" "$ID-evil" < /dev/null > "$WORK/evil.out" 2>&1
	wait_for 'grep -q swapping "$WORK/evil.out"'
}
teardown() {
	rt delete --force "$ID-evil"
	runtime_teardown
}

# Everything that the host's directory has.
victim() { find "$VICTIM" -mindepth 1 | sort | tr '\n' ' '; }
