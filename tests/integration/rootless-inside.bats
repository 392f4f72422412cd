# The runtime as an ordinary user: nothing is opened for it by anybody else.
load guest

setup() {
	guest_setup
	# Where the user can get to.
	HOME_DIR=$(mktemp -d /tmp/carrel-rootless.XXXXXX)
	chmod 755 "$HOME_DIR"
	mv "$BUNDLE" "$HOME_DIR/bundle"
	BUNDLE=$HOME_DIR/bundle ROOTFS=$HOME_DIR/bundle/rootfs ROOT=$HOME_DIR/state
	cp "$RUNTIME" "$HOME_DIR/carrel-runtime"
	config '.linux.namespaces += [{type: "user"}] | del(.linux.cgroupsPath, .linux.resources)
		| .linux.uidMappings = [{containerID: 0, hostID: 12345, size: 1}] | .linux.gidMappings = .linux.uidMappings
		| .mounts |= map(if .type == "devpts" then .options -= ["gid=5"] else . end)'
	find "$HOME_DIR" -type d -exec chown 12345:12345 {} +
}
teardown() {
	if [ -n "${HOME_DIR:-}" ]; then
		as_user --root "$ROOT" delete --force "$ID" 2> /dev/null
		rm -rf --one-file-system "$HOME_DIR"
	fi
	ROOT=
	runtime_teardown
}

as_user() {
	setpriv --reuid 12345 --regid 12345 --clear-groups timeout 60 "$HOME_DIR/carrel-runtime" "$@"
}

rootless() {
	args "$@"
	cd "$HOME_DIR"
	run as_user --root "$ROOT" run -b "$BUNDLE" "$ID"
	ok
}

@test "root inside, the user outside" {
	rootless /bin/guest ids -- caps -- stat /dev/null /bin -- make /x -- names -- loopback
	fact uid '0 0 0'
	fact stat '/dev/null char .* 1:3'
	fact stat '/bin dir .* 0:0'
	fact make '/x EROFS'
	fact hostname carrel-test
	fact loopback up
	rootless cat /proc/self/setgroups
	[ "$output" = deny ]
}

@test "binds of what the user can reach, none of what he cannot" {
	mkdir "$BUNDLE/vol"
	chown 12345:12345 "$BUNDLE/vol"
	echo content > "$BUNDLE/vol/f"
	mount_at /mnt/vol bind vol rbind ro
	rootless /bin/guest read /mnt/vol/f -- make /mnt/vol/x
	fact read '/mnt/vol/f 8'
	fact make '/mnt/vol/x EROFS'
	mkdir -m 700 "$HOME_DIR/secret" "$HOME_DIR/secret/in"
	edit --arg s "$HOME_DIR/secret/in" '.mounts[-1].source = $s'
	fails_with 'Permission denied' as_user --root "$ROOT" run -b "$BUNDLE" "$ID"
}

@test "masks, parameters, time where the kernel has that, and a terminal" {
	config '.process.terminal = true | .linux.sysctl = {"kernel.shmmax": "12345678"}
		| if $time then .linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 1700000}} else . end' \
		--argjson time "$([ -e /proc/self/ns/time ] && echo true || echo false)"
	args /bin/guest read /proc/keys -- clock -- tty -- stat /dev/console
	run as_user --root "$ROOT" run -b "$BUNDLE" "$ID" < /dev/null
	output=${output//$'\r'/}
	ok
	fact read '/proc/keys 0'
	fact isatty '1 1 1'
	fact stat '/dev/console char .* 0:.* 136:0'
	[ ! -e /proc/self/ns/time ] || [ "$(grep '^boottime' <<< "$output" | cut -d' ' -f2)" -ge 1700000 ]
}

@test "ids that the user does not own are refused" {
	config '.linux.uidMappings[0].hostID = 0'
	run as_user --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$status" -ne 0 ]
	config '.linux.uidMappings[0].hostID = 12345 | .process.user.additionalGids = [5]'
	fails_with 'additional groups' as_user --root "$ROOT" run -b "$BUNDLE" "$ID"
}

@test "exec" {
	args sleep 1000
	cd "$HOME_DIR"
	as_user --root "$ROOT" run -d -b "$BUNDLE" "$ID" < /dev/null > "$HOME_DIR/out" 2>&1
	run as_user --root "$ROOT" exec "$ID" /bin/guest ids -- caps
	ok
	fact uid '0 0 0'
	fact inheritable '0{16}'
}
