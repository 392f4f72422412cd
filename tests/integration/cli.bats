# The command line: help, versions, logs, errors, flags.
load cgroup.bash

setup() { runtime_setup; }
teardown() { runtime_teardown; }

@test "help is printed for the program and for every command" {
	run "$RUNTIME" --help
	ok
	says 'create'
	for c in create start run exec state kill delete list ps pause resume update spec features version; do
		for flag in -h --help; do
			run "$RUNTIME" $c $flag
			ok
			[ "${lines[0]}" = NAME: ]
			[[ ${lines[1]} == "   carrel-runtime $c - "* ]]
			says "   carrel-runtime $c [OPTION...]"
		done
		[ "$("$RUNTIME" help $c)" = "$("$RUNTIME" $c --help)" ]
	done
	[ "$("$RUNTIME" help)" = "$("$RUNTIME" -h)" ]
	# Callers probe for commands so.
	fails_with "No help topic for 'nosuch'" "$RUNTIME" nosuch --help
	fails_with "No help topic for 'nosuch'" "$RUNTIME" help nosuch
}

@test "every command of --help has a man page, and no other word has" {
	for c in $("$RUNTIME" --help | sed -n '/^COMMANDS:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		run "$RUNTIME" --man $c
		ok
		[[ ${lines[0]} == '.TH "CARREL\-RUNTIME\-'"${c^^}"'" "8"'* ]]
		# Option by option the same as --help.
		for o in $("$RUNTIME" $c --help | grep -oE -- '^ +(-., )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+'); do
			says "\\fB${o//-/\\-}\\fR"
		done
	done
	fails_with "No help topic for 'nosuch'" "$RUNTIME" --man nosuch
}

@test "--version prints name, version and specification" {
	run "$RUNTIME" --version
	ok
	[[ ${lines[0]} =~ ^carrel-runtime\ version\ [0-9]+\.[0-9]+ ]]
	[[ ${lines[1]} == "spec: 1.3.0" ]]
	[[ ${lines[2]} =~ ^libseccomp:\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ "$("$RUNTIME" -v)" = "$output" ]
	[ "$("$RUNTIME" version)" = "$output" ]
}

@test "an unknown command or option is refused by name" {
	fails_with 'nosuch' "$RUNTIME" nosuch
	fails_with 'nosuch' "$RUNTIME" --nosuch list
	fails_with 'nosuch' "$RUNTIME" run --nosuch x
}

@test "errors go to stderr, and to the log in the format that is asked for" {
	run rt --log "$WORK/log" --log-format json state nobody
	[ "$status" -eq 1 ]
	says 'carrel-runtime state: container nobody does not exist'
	tail -n 1 "$WORK/log" | jq -e '.level == "error" and .msg == "carrel-runtime state: container nobody does not exist" and (.time | length > 10)'
	run rt --log "$WORK/log.txt" state nobody
	[[ $(tail -n 1 "$WORK/log.txt") =~ ^time=\"20.*\"\ level=error\ msg=\"carrel-runtime\ state:\ container\ nobody ]]
	run rt state nobody
	[[ $output =~ ^time=\"20.*\"\ level=error\ msg= ]]
}

@test "errors of the system have the words that are known, whatever the program is linked with" {
	ln -s loop "$WORK/loop"
	fails_with 'Too many levels of symbolic links' rt --log "$WORK/loop" list
	fails_with 'File name too long' rt --log "$WORK/$(printf 'x%.0s' $(seq 300))" list
}

@test "a wrong command line is in the log as well" {
	fails_with 'unknown option --nosuch' "$RUNTIME" --log "$WORK/log" --log-format json run --nosuch x
	tail -n 1 "$WORK/log" | jq -e '.level == "error" and (.msg | startswith("carrel-runtime: run: unknown option --nosuch"))'
	run "$RUNTIME" --log "$WORK/log" exec --nosuch x
	[ "$status" -eq 255 ]
}

@test "sockets of a service manager are handed on and announced" {
	args sh -c 'echo $LISTEN_FDS $LISTEN_PID $$; cat <&3; cat <&4'
	echo first > "$WORK/3" && echo second > "$WORK/4"
	run bash -c 'exec 3< "$1/3" 4< "$1/4"; export LISTEN_FDS=1 LISTEN_PID=$$; shift; exec "$@"' with "$WORK" \
		"$RUNTIME" --root "$ROOT" run --preserve-fds 1 -b "$BUNDLE" "$ID"
	ok
	[ "$output" = $'1 1 1\nfirst\nsecond' ]
	config '.linux.namespaces |= map(select(.type != "pid"))'
	args sh -c 'echo $LISTEN_FDS; [ $LISTEN_PID = $$ ] && echo mine'
	run bash -c 'exec 3< "$1/3"; export LISTEN_FDS=1 LISTEN_PID=$$; shift; exec "$@"' with "$WORK" \
		"$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = $'1\nmine' ]
	# Meant for another process: neither announced nor handed on.
	args sh -c 'echo "<$LISTEN_FDS>"; ls /proc/self/fd | grep -c "^3$"'
	run bash -c 'exec 4< "$1/4"; export LISTEN_FDS=2 LISTEN_PID=1; shift; exec "$@"' with "$WORK" \
		"$RUNTIME" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "${lines[0]}" = '<>' ]
}

@test "--debug logs the handshake" {
	run rt --debug run -b "$BUNDLE" "$ID"
	ok
	says 'level=debug'
	says 'created'
}

@test "an id that is a path or empty is refused" {
	for id in ../x a/b . .. '' 'a b' $'a\nb' "$(printf 'x%.0s' $(seq 300))"; do
		fails_with 'invalid container ID' rt run -b "$BUNDLE" -- "$id"
		fails_with 'invalid container ID' rt state "$id"
		fails_with 'invalid container ID' rt delete --force "$id"
	done
	# What is allowed.
	args true
	run rt run -b "$BUNDLE" "A_z+0.9-$ID"
	ok
}

@test "without systemd its driver is refused with a way out" {
	[ ! -d /run/systemd/system ] || skip "systemd runs here"
	config 'del(.linux.cgroupsPath)'
	fails_with 'cgroupfs' rt --systemd-cgroup run -b "$BUNDLE" "$ID"
	fails_with 'cgroupfs' rt --cgroup-manager systemd run -b "$BUNDLE" "$ID"
	fails_with '--cgroup-manager bogus' rt --cgroup-manager bogus run -b "$BUNDLE" "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "--cgroup-manager disabled runs without a cgroup" {
	config 'del(.linux.resources)'
	args true
	run rt --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	ok
}

@test "a terminal that nobody would hold is refused" {
	config '.process.terminal = true'
	fails_with 'cannot allocate tty' rt create -b "$BUNDLE" "$ID"
	fails_with 'cannot allocate tty' rt run -d -b "$BUNDLE" "$ID"
	config '.process.terminal = false'
	fails_with 'cannot use console socket' rt create --console-socket "$WORK/sock" -b "$BUNDLE" "$ID"
}

@test "--preserve-fds hands over what is open, and nothing else" {
	args sh -c 'cat <&3; ls /proc/self/fd'
	echo from outside > "$WORK/file"
	run rt run --preserve-fds 1 -b "$BUNDLE" "$ID" 3< "$WORK/file"
	ok
	says 'from outside'
	# 3 is the preserved one, 4 is ls's own.
	[ "$(grep -cE '^[0-9]+$' <<< "$output")" -le 5 ]
	fails_with 'descriptor 9 is not open' rt run --preserve-fds 7 -b "$BUNDLE" "$ID" 3<&0 4<&0 5<&0 6<&0 7<&0 8<&0 9<&-
}

@test "without --preserve-fds nothing of the caller's leaks" {
	args ls /proc/self/fd
	run rt run -b "$BUNDLE" "$ID" 5< /etc/hostname 77< /etc/hostname
	ok
	! grep -qE '^(5|77)$' <<< "$output"
}

@test "a bundle that is not there or has no config is named" {
	fails_with "bundle $WORK/nothing" rt run -b "$WORK/nothing" "$ID"
	mkdir "$WORK/empty"
	fails_with 'config.json' rt run -b "$WORK/empty" "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "the current directory is the default bundle" {
	args echo hello
	cd "$BUNDLE"
	run rt run "$ID"
	ok
	says hello
}

@test "options may stand after the id" {
	args true
	run rt run "$ID" -b "$BUNDLE"
	ok
}

@test "spec writes a config.json that runs, and does not overwrite" {
	rm "$BUNDLE/config.json"
	rt spec -b "$BUNDLE"
	fails_with 'File exists' rt spec -b "$BUNDLE"
	config --arg g "$CGROUP" '.process.terminal = false | .linux.cgroupsPath = $g'
	args sh -c 'id -u; hostname'
	run rt run -b "$BUNDLE" "$ID"
	ok
	says carrel
}

@test "the template has a cgroup namespace where controllers share one hierarchy" {
	cd "$WORK"
	rt spec
	if v2; then
		jq -e '.linux.namespaces | map(.type) | index("cgroup")' config.json
	else
		jq -e '.linux.namespaces | map(.type) | index("cgroup") | not' config.json
	fi
	jq -e '.linux.namespaces | length >= 5' config.json
	rm config.json
	rt spec --rootless
	jq -e '.linux.namespaces | map(.type) | index("user")' config.json
}

@test "--config names another file than the bundle's, also for exec later" {
	config '.process.args = ["sleep", "1000"] | .process.env = ["PATH=/bin", "WHICH=other"]'
	mv "$BUNDLE/config.json" "$WORK/other.json"
	fails_with 'config.json' rt run -b "$BUNDLE" "$ID"
	cd "$WORK"
	rt run -d --config other.json -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	cd /
	[ "$(rt exec "$ID" sh -c 'echo $WHICH')" = other ]
	fails_with '--config /no/such: No such file or directory' rt run --config /no/such -b "$BUNDLE" "$ID-2"
	[ ! -e "$ROOT/$ID-2" ]
}

@test "--no-subreaper is accepted" {
	args echo hello
	[ "$(rt run --no-subreaper -b "$BUNDLE" "$ID")" = hello ]
}

@test "run says without further words that a program cannot be executed" {
	printf '#!/no/such/interpreter\n' > "$ROOTFS/bin/script"
	chmod +x "$ROOTFS/bin/script"
	args /bin/script
	run rt run -b "$BUNDLE" "$ID"
	[ "$status" -eq 1 ]
	[ "$output" = 'exec /bin/script: no such file or directory' ]
	run rt --log "$WORK/log" run -b "$BUNDLE" "$ID"
	[ "$output" = 'carrel-runtime run: exec /bin/script: no such file or directory' ]
	grep -q 'level=error msg="carrel-runtime run: exec /bin/script: no such file' "$WORK/log"
}

@test "features is valid and complete" {
	run rt features
	ok
	jq -e '.ociVersionMax == "1.3.0" and (.hooks | length == 6) and (.mountOptions | index("rbind")) and
		(.linux.namespaces | length == 8) and (.linux.capabilities | index("CAP_SYS_ADMIN")) and
		.linux.cgroup.v1 and .linux.cgroup.v2 and .linux.seccomp.enabled and (.linux.seccomp.actions | index("SCMP_ACT_ERRNO"))' <<< "$output"
}

@test "the man page is made from the same tables" {
	run "$RUNTIME" --man
	ok
	says '.TH'
	says 'EXIT STATUS'
	says 'no\-pivot'
}

@test "--no-pivot runs on a root that cannot be pivoted" {
	args sh -c 'ls / | grep -x bin'
	run rt run --no-pivot -b "$BUNDLE" "$ID"
	ok
}
