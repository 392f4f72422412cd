#!/usr/bin/env bats
# carrel run, attach, ps and rm on this host, without a daemon.

bats_require_minimum_version 1.5.0
load carrel.bash

setup_file() { sessiond_store; }
setup() { sessiond_setup; }
teardown() { carrel_teardown; }

@test "run: output, exit code, nothing left" {
	run --separate-stderr boxed default -- sh -c 'echo out; id -u; exit 3' < /dev/null
	ends 3
	[ "$output" = "$(printf 'out\n0')" ]
	[ -z "$stderr" ]
	clean
}

@test "run: standard input is the program's, to its end" {
	head -c 3000000 /dev/urandom > "$WORK/in"
	boxed default -- cat < "$WORK/in" > "$WORK/out"
	cmp "$WORK/in" "$WORK/out"
	boxed default -- cat < <(cat "$WORK/in" "$WORK/in") | cmp - <(cat "$WORK/in" "$WORK/in")
	run boxed default -- wc -c < "$WORK/in"
	[ "$output" = 3000000 ]
	clean
}

@test "run: output into a pipe whose reader is slow, and into one whose reader leaves" {
	n=$(boxed default -- head -c 5000000 /dev/zero < /dev/null | { sleep 1; wc -c; })
	[ "$n" = 5000000 ]
	# It does not go on for the minute that `boxed` has.
	n=$(boxed default -- yes < /dev/null 2> "$WORK/err" | head -c 100000 | wc -c)
	[ "$n" = 100000 ]
	grep -q 'standard output' "$WORK/err"
	clean
}

@test "run: how it ended" {
	run boxed default -- sh -c 'kill -TERM $$; sleep 5' < /dev/null
	ends 143
	run boxed --lifetime 1s default -- sleep 60 < /dev/null
	ends 124
	says 'its lifetime is over'
	run boxed --idle 1s default -- sleep 60 < /dev/null
	ends 124
	says 'idle limit'
	run boxed --tier free --tiers "$TIERS" default -- dd if=/dev/zero of=/dev/null bs=900M count=1 < /dev/null
	ends 137
	says 'out of memory'
	clean
}

@test "run: a signal ends the sandbox with it" {
	for sig in INT TERM HUP; do
		"$CARREL" --run-dir "$RUN" --store "$STORE" run --seccomp "$TOP/config/seccomp.json" --cgroup "$CGROUP" \
			--name victim default -- sleep 60 < /dev/null > "$WORK/out" 2>&1 3>&- &
		pid=$!
		eventually test -S "$RUN/sandboxes/victim/shim.sock"
		kill -"$sig" "$pid"
		wait $pid && status=0 || status=$?
		[ "$status" = $((128 + $(kill -l $sig))) ]
		clean
	done
}

@test "run: while it is starting, a signal leaves nothing either" {
	for ms in 5 10 20 40 80; do
		timeout --preserve-status -s TERM 0.0"$(printf %02d $ms)" "$CARREL" --run-dir "$RUN" --store "$STORE" run \
			--seccomp "$TOP/config/seccomp.json" --cgroup "$CGROUP" default -- sleep 60 < /dev/null || true
		eventually clean
	done
}

@test "run: options arrive" {
	run boxed --env A='x y' --env PATH=/bin --user 1000:1000 --cwd /tmp --hostname box default -- \
		sh -c 'echo "$A|$(id -u):$(id -g)|$PWD|$(hostname)"' < /dev/null
	ends 0
	[ "$output" = 'x y|1000:1000|/tmp|box' ]
	run boxed --name mine --no-tty default -- cat /proc/1/cmdline < /dev/null
	ends 0
}

@test "run: what cannot run says so and leaves nothing" {
	run boxed nothere < /dev/null
	ends 125
	says 'image nothere: not in the store'
	run boxed --user nosuch default < /dev/null
	ends 125
	says nosuch
	run boxed --tier nosuch --tiers "$TIERS" default < /dev/null
	ends 125
	says nosuch
	run boxed --env novalue default < /dev/null
	ends 125
	says 'NAME=VALUE'
	run boxed --name ../x default < /dev/null
	ends 125
	says 'no sandbox name'
	run car run --seccomp "$WORK/nothere" --cgroup "$CGROUP" default < /dev/null
	ends 125
	says nothere
	run boxed
	ends 2
	run -127 boxed default -- /nosuch < /dev/null
	clean
}

@test "a terminal: size, TERM, resize, exit code" {
	run typed_run 'expect # ;; send stty size; tty; echo $TERM\r ;; expect 24 80 ;; expect /dev/pts/ ;; expect dumb ;; size 100 40 ;; send until [ "$(stty size)" = "40 100" ]; do sleep 0.1; done; echo sized-$((1+1)); exit 7\r ;; expect sized-2' \
		--env TERM=dumb default -- sh
	ends 0
	says '[exit 7]'
	clean
}

@test "detach by its keys, ps, attach, history, a viewer, rm" {
	run typed_run 'expect # ;; send echo one-$((40+2))\r ;; expect one-42 ;; send \x10 ;; send \x11 ;; expect detached' --name box default -- sh
	ends 0
	says '[exit 0]'
	run car ps
	says 'box '
	says running
	run car --format json ps
	[ "$(jq -r '.[0] | "\(.id) \(.state) \(.clients)"' <<< "$output")" = 'box running 0' ]

	run typed 'expect one-42 ;; send echo two-$((40+3))\r ;; expect two-43 ;; send \x10\x10\x11' "$CARREL" --run-dir "$RUN" attach box
	says '[exit 0]'
	# A viewer's keys go nowhere.
	run typed 'expect two-43 ;; send echo three-$((40+4))\r ;; send \x10\x11' "$CARREL" --run-dir "$RUN" attach --viewer box
	says '[exit 0]'
	[[ "$output" != *three-44* ]]
	run typed 'expect two-43 ;; send \x15exit 5\r' "$CARREL" --run-dir "$RUN" attach box
	says '[exit 5]'
	eventually clean

	run car attach box
	ends 125
	says 'none of that name'
	run car rm box
	ends 1
	says 'no such sandbox'
}

@test "the terminal is as it was afterwards, also when it hangs up" {
	run typed 'expect done ;; hangup' bash -c "
		before=\$(stty -g)
		'$CARREL' --run-dir '$RUN' --store '$STORE' run --seccomp '$TOP/config/seccomp.json' --cgroup '$CGROUP' default -- true
		[ \"\$before\" = \"\$(stty -g)\" ] && echo sa''me; echo done; sleep 5"
	says same
	run typed_run 'expect # ;; hangup' --name box default -- sh
	# The terminal went away: run ends what it started.
	eventually clean
}

@test "detached from the start, and rm" {
	run boxed --detach --name box default -- sleep 60
	ends 0
	[ "$output" = box ]
	run boxed --detach --name box default -- sleep 60
	ends 125
	says 'File exists'
	run car rm box
	ends 0
	eventually clean
}

@test "rm collects what a dead shim left" {
	boxed --detach --name box default -- sleep 60
	for pid in $(pgrep -f "carrel-shim --dir $RUN/sandboxes/box"); do kill -9 "$pid" && wait_for "gone $pid"; done
	run car ps
	says dead
	run car rm box
	ends 0
	eventually clean
}

@test "image hands over to carrel-image" {
	run car image ls
	ends 0
	says default
	run car image inspect nothere
	ends 1
}

@test "not root: one sentence" {
	mkdir -m 755 "$WORK/free" && cp "$CARREL" "$WORK/free/" && chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$WORK"
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/free/carrel" ps
	ends 1
	says 'run as root, or name a daemon'
}
