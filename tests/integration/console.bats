load guest

setup() {
	guest_setup
	config '.process.terminal = true'
}
teardown() { runtime_teardown; }

# run gives no terminal on stdin; the runtime relays ours.
terminal() {
	args /bin/guest "$@"
	run rt run -b "$BUNDLE" "$ID" < /dev/null
	output=${output//$'\r'/}
	ok
}

@test "a terminal on stdio, as controlling terminal, without ONLCR" {
	terminal tty -- session -- fds
	fact isatty '1 1 1'
	fact onlcr 0
	fact ctty yes
	fact 'fd 0' /dev/pts/0
}

@test "its size comes from consoleSize" {
	config '.process.consoleSize = {height: 33, width: 111}'
	terminal tty
	fact size '33 111'
}

@test "/dev/console is the terminal, bound by descriptor" {
	config '.process.user = {uid: 1000, gid: 1000}'
	terminal stat /dev/console /dev/pts/0 -- mount /dev/console -- write /dev/console x
	fact stat '/dev/console char .* 1000:5 136:0'
	fact stat '/dev/pts/0 char .* 1000:5 136:0'
	fact mount '/dev/console .*nosuid,noexec.* devpts devpts .*'
}

@test "in a user namespace it belongs to the user too, with exec as well" {
	userns
	terminal stat /dev/pts/0 -- tty
	fact stat '/dev/pts/0 char .* 0:5 136:0'
	config '.process.terminal = false'
	start_sleeper
	run rt exec -t "$ID" /bin/guest stat /dev/pts/0 -- tty < /dev/null
	output=${output//$'\r'/}
	ok
	fact stat '/dev/pts/0 char .* 0:5 136:0'
	fact isatty '1 1 1'
}

@test "devpts in a user namespace whose gid 5 is not mapped" {
	userns
	config '.linux.gidMappings[0].size = 1'
	terminal tty -- mount /dev/pts
	fact isatty '1 1 1'
	fact mount '/dev/pts .* devpts devpts rw,mode=620,ptmxmode=666'
}

@test "a terminal without a devpts is refused" {
	config '.mounts |= map(select(.destination != "/dev/pts"))'
	fails_with 'a terminal needs a devpts' rt run -b "$BUNDLE" "$ID"
}

@test "a ptmx that is no multiplexer is refused" {
	config '.mounts |= map(select(.destination != "/dev/pts"))'
	mkdir -p "$WORK/pts"
	mkfifo "$WORK/pts/ptmx"
	mount_at /dev/pts bind "$WORK/pts" bind
	RT_TIMEOUT=40 fails_with 'not a terminal device of a devpts' rt run -b "$BUNDLE" "$ID"
	rm "$WORK/pts/ptmx"
	mknod "$WORK/pts/ptmx" c 5 2
	fails_with 'not a terminal device of a devpts' rt run -b "$BUNDLE" "$ID"
	rm "$WORK/pts/ptmx"
	ln -s /dev/null "$WORK/pts/ptmx"
	fails_with '/dev/pts/ptmx' rt run -b "$BUNDLE" "$ID"
}
