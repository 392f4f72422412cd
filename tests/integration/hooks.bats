# The six kinds of hooks: order, place, input, failure.
load lib

setup() {
	runtime_setup
	HOOK=$WORK/hook
	cat > "$HOOK" << 'SH'
#!/bin/sh
# Usage: hook NAME LOG ; notes its name, its namespaces and its input.
state=$(cat)
printf '%s %s %s\n' "$1" "$(readlink /proc/self/ns/mnt)" "$state" >> "$2"
SH
	chmod +x "$HOOK"
	# Inside the container the same program is at this path.
	cp "$HOOK" "$ROOTFS/bin/hook"
	LOG=$WORK/hooks.log
}
teardown() { runtime_teardown; }

all_hooks() {
	config --arg hook "$HOOK" --arg log "$LOG" '.hooks = {
		prestart: [{path: $hook, args: ["hook", "prestart", $log]}],
		createRuntime: [{path: $hook, args: ["hook", "createRuntime", $log]}, {path: $hook, args: ["hook", "createRuntime2", $log]}],
		createContainer: [{path: $hook, args: ["hook", "createContainer", $log]}],
		startContainer: [{path: "/bin/hook", args: ["hook", "startContainer", "/tmp/log"], env: ["PATH=/bin"]}],
		poststart: [{path: $hook, args: ["hook", "poststart", $log]}],
		poststop: [{path: $hook, args: ["hook", "poststop", $log]}]
	} | (.hooks[][] | select(.env == null)).env = ["PATH=/usr/bin:/bin"]'
}

@test "all hooks run in order and where the specification puts them" {
	all_hooks
	host=$(readlink /proc/self/ns/mnt)
	args sleep 1000
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	[ "$(cut -d' ' -f1 "$LOG" | tr '\n' ' ')" = 'prestart createRuntime createRuntime2 createContainer ' ]
	rt start "$ID"
	[ "$(tail -n 1 "$LOG" | cut -d' ' -f1)" = poststart ]
	pid=$(rt state "$ID" | jq .pid)
	own=$(readlink "/proc/$pid/ns/mnt")
	run rt exec "$ID" cat /tmp/log
	ok
	[[ $output == "startContainer $own {"* ]]
	rt delete --force "$ID"
	[ "$(tail -n 1 "$LOG" | cut -d' ' -f1)" = poststop ]
	[ "$(grep '^createRuntime ' "$LOG" | cut -d' ' -f2)" = "$host" ]
	[ "$(grep '^createContainer ' "$LOG" | cut -d' ' -f2)" = "$own" ]
	[ "$(grep '^poststart ' "$LOG" | cut -d' ' -f2)" = "$host" ]
}

@test "hooks get the container's state on stdin" {
	all_hooks
	config '.annotations = {"k": "v"}'
	args sleep 1000
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	pid=$(rt state "$ID" | jq .pid)
	rt exec "$ID" cat /tmp/log >> "$LOG"
	rt delete --force "$ID"
	check() { grep "^$1 " "$LOG" | cut -d' ' -f3- | jq -e --arg id "$ID" --arg b "$BUNDLE" --argjson pid "$pid" \
		".id == \$id and .bundle == \$b and .annotations.k == \"v\" and .ociVersion == \"1.3.0\" and ($2)"; }
	check prestart '.pid == $pid and .status == "creating"'
	check createRuntime '.pid == $pid and .status == "creating"'
	check createContainer '.pid == $pid'
	check startContainer '.pid == $pid'
	check poststart '.pid == $pid and .status == "running"'
	check poststop '.status == "stopped"'
}

@test "a hook that fails ends the container, and the error names it" {
	for kind in prestart createRuntime createContainer startContainer poststart; do
		config --arg kind "$kind" '.hooks = {($kind): [{path: "/bin/true"}, {path: "/bin/sh", args: ["sh", "-c", "echo some reason >&2; exit 5"]}]}'
		args sleep 1000
		run rt run -d -b "$BUNDLE" "$ID"
		[ "$status" -eq 1 ]
		says "error running $kind hook #1"
		says 'exit status 5'
		says 'some reason'
		[ ! -e "$ROOT/$ID" ]
	done
}

@test "a poststop hook that fails is a warning" {
	config '.hooks = {poststop: [{path: "/bin/false"}]}'
	args true
	run rt run -b "$BUNDLE" "$ID"
	ok
	says 'error running poststop hook #0'
	says 'level=warning'
	[ ! -e "$ROOT/$ID" ]
}

@test "a hook that takes longer than its timeout is killed" {
	config '.hooks = {createRuntime: [{path: "/bin/sleep", args: ["sleep", "1004'$$'"], timeout: 1}]}'
	run rt run -b "$BUNDLE" "$ID"
	[ "$status" -eq 1 ]
	says 'error running createRuntime hook #0'
	free_of "^sleep 1004$$\$"
}

@test "a hook has only the environment that it is given" {
	config --arg log "$LOG" '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "/usr/bin/env > " + $log], env: ["ONE=1"]}]}'
	args true
	SECRET=1 rt run -b "$BUNDLE" "$ID"
	grep -qx ONE=1 "$LOG"
	! grep -q SECRET "$LOG"
}

@test "startContainer hooks without an environment have the program's" {
	printf '#!/bin/sh\necho "$ONE $FOO $HOME" > /tmp/env\n' > "$ROOTFS/bin/check"
	chmod +x "$ROOTFS/bin/check"
	config '.process.env += ["ONE=two", "FOO=bar"] | .hooks.startContainer = [{path: "/bin/check"}]'
	start_sleeper
	[ "$(rt exec "$ID" cat /tmp/env)" = 'two bar /root' ]
	rt delete --force "$ID"
	# One of its own is all that it has.
	config '.hooks.startContainer = [{path: "/bin/check", env: ["ONE=three"]}]'
	start_sleeper
	[ "$(rt exec "$ID" cat /tmp/env)" = 'three  ' ]
}

@test "hooks outside of the container do not have the program's environment" {
	printf '#!/bin/sh\necho "<$ONE>" > %s/env\n' "$WORK" > "$WORK/check"
	chmod +x "$WORK/check"
	for kind in prestart createRuntime createContainer poststart; do
		rm -f "$WORK/env"
		config --arg p "$WORK/check" --arg k "$kind" '.process.env += ["ONE=two"] | .hooks = {($k): [{path: $p}]}'
		inside true
		ok
		[ "$(cat "$WORK/env")" = '<>' ]
	done
}
