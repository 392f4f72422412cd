# checkpoint and restore: what criu is asked and told (by a criu of ours that only talks), how its failures are told on, and
# with a working criu (in PATH, or in the directory that CARREL_CRIU names) whether containers come back as they were.
load lib

FAKE=$BATS_TEST_DIRNAME/../tools/fake_criu.py

setup() {
	runtime_setup
	export IMAGES=$WORK/images LOGS=$WORK/logs
	ulimit -c 0
}

teardown() {
	runtime_teardown
}

# A container's own command line must be simple: criu refuses files of the host, so its streams are pipes or null.
sleeper() {
	args sleep 1000
	rt run -d -b "$BUNDLE" --pid-file "$WORK/pid" "$ID" < /dev/null > /dev/null 2>&1
}

fake() {
	mkdir -p "$WORK/bin"
	printf '#!/bin/sh\nexec python3 %s "$@"\n' "$FAKE" > "$WORK/bin/criu"
	chmod +x "$WORK/bin/criu"
	export PATH=$WORK/bin:$PATH FAKE_CRIU=$1 FAKE_CRIU_LOG=$WORK/requests
	rm -f "$WORK/requests"
}

without_criu() {
	mkdir -p "$WORK/tools"
	local t
	for t in timeout; do ln -sf "$(command -v $t)" "$WORK/tools/$t"; done
	PATH=$WORK/tools "$@"
}

# option FIELD: its values in the last request that had options, one a line.
option() {
	tail -n 1 "$WORK/requests" | jq -c --argjson f "$1" '.opts[] | select(.[0] == $f) | .[1]'
}

has_option() {
	[ "$(option "$1")" = "$2" ] || { printf 'field %s is "%s", not "%s"\n' "$1" "$(option "$1")" "$2" && return 1; }
}

has_one_of() {
	option "$1" | grep -qxF "$2" || { printf 'field %s has no "%s":\n%s\n' "$1" "$2" "$(option "$1")" && return 1; }
}

nothing_left() {
	[ ! -e "$ROOT/$ID" ]
	[ -z "$(find /sys/fs/cgroup -type d -name "$ID")" ]
	! grep -q "$BUNDLE" /proc/self/mountinfo
}

images() {
	mkdir -p "$IMAGES"
	printf '%s' "${1:-[\"/dev/null\",\"/dev/null\",\"/dev/null\"]}" > "$IMAGES/descriptors.json"
}

checkpoint() { rt checkpoint --image-path "$IMAGES" --work-path "$LOGS" "$@" "$ID"; }
restore() { rt restore -d -b "$BUNDLE" --image-path "$IMAGES" --work-path "$LOGS" "$@" "$ID" < /dev/null > "$WORK/restored" 2>&1 3>&-; }
try_restore() { rt restore -d -b "$BUNDLE" --image-path "$IMAGES" --work-path "$LOGS" "$@" "$ID" < /dev/null; }

# ---- the command line ----

@test "an engine's probe: --help of both succeeds, criu or not" {
	run without_criu rt checkpoint --help
	ok
	says --leave-running
	run without_criu rt restore --help
	ok
	says --console-socket
}

@test "without criu both say so and change nothing" {
	sleeper
	fails_with 'executable file not found in $PATH; install criu 3.15 or later' without_criu rt checkpoint --image-path "$IMAGES" "$ID"
	[ "$(status_of)" = running ]
	rt delete -f "$ID"
	images
	fails_with 'criu is not in PATH' without_criu rt restore -d -b "$BUNDLE" --image-path "$IMAGES" "$ID"
	nothing_left
}

@test "a criu in a relative directory of PATH is not taken" {
	fake ok
	sleeper
	cd "$WORK"
	mkdir -p tools
	ln -s "$(command -v timeout)" tools/timeout
	PATH=bin:$WORK/tools fails_with 'criu is not in PATH' rt checkpoint --image-path "$IMAGES" "$ID"
	# The same directory by its whole name.
	checkpoint
}

@test "a criu that is too old is refused by its version" {
	fake old
	sleeper
	fails_with 'is of version 3.14.1, too old; install criu 3.15 or later' checkpoint
	export FAKE_CRIU=mute
	fails_with 'version of criu' checkpoint
	[ "$(status_of)" = running ]
}

@test "a file called criu that is no program is reported as what it is" {
	fake ok
	echo nonsense > "$WORK/bin/criu"
	sleeper
	fails_with "$WORK/bin/criu: Exec format error" checkpoint
}

@test "a container that does not run cannot be checkpointed" {
	fake ok
	fails_with "container $ID does not exist" checkpoint
	args sleep 1000
	rt create -b "$BUNDLE" "$ID" < /dev/null > /dev/null 2>&1
	fails_with 'cannot be checkpointed in state created' checkpoint
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	fails_with 'cannot be checkpointed in state stopped' checkpoint
}

@test "options that cannot be meant are refused before anything happens" {
	fake ok
	sleeper
	fails_with '--parent-path must be relative' checkpoint --parent-path /tmp
	fails_with 'invalid --parent-path' checkpoint --parent-path ../nowhere
	touch "$WORK/file"
	fails_with 'is not a directory' checkpoint --parent-path ../file
	fails_with '--manage-cgroups-mode hard: is none of' checkpoint --manage-cgroups-mode hard
	fails_with 'namespace "pid" is not supported' checkpoint --empty-ns pid
	for s in 127.0.0.1 :80 127.0.0.1: ; do fails_with 'must be ADDRESS:PORT' checkpoint --page-server "$s"; done
	fails_with 'port' checkpoint --page-server 127.0.0.1:65536
	fails_with '--status-fd 77' checkpoint --status-fd 77
	fails_with 'not writable' checkpoint --status-fd 9 9< /dev/null
	[ "$(status_of)" = running ]
}

# ---- what criu is asked ----

@test "checkpoint hands every option on" {
	fake ok
	sleeper
	mkdir -p "$WORK/before"
	checkpoint --leave-running --tcp-established --tcp-skip-in-flight --link-remap --ext-unix-sk --shell-job --file-locks \
		--auto-dedup --parent-path ../before --page-server '[::1]:27' --manage-cgroups-mode full --empty-ns network
	[ "$(status_of)" = running ]
	for f in 3 4 5 7 8 12 15 16 18 46 50; do has_option $f 1; done
	has_option 2 "$(cat "$WORK/pid")"
	has_option 10 '"dump.log"'
	has_option 11 '["::1",27]'
	has_option 13 "\"$ROOTFS\""
	has_option 14 '"../before"'
	has_option 34 4
	has_option 38 $((0x40000000))
	has_option 48 0
	option 44 | grep -q "$CGROUP\"\$"
	# And none unasked.
	checkpoint --leave-running
	for f in 4 5 7 8 16 18 46 48; do has_option $f 0; done
	for f in 11 14 15; do has_option $f ''; done
	has_option 34 6
}

@test "checkpoint ends the container, its cgroup and its state; poststop hooks run" {
	fake ok
	config --arg f "$WORK/stopped" '.hooks.poststop = [{ "path": "/bin/sh", "args": ["sh", "-c", "cat > " + $f] }]'
	sleeper
	checkpoint
	nothing_left
	[ "$(jq -r .status "$WORK/stopped")" = stopped ]
	fails_with "container $ID does not exist" rt state "$ID"
	rt delete --force "$ID"
}

@test "what exec has started is not saved, and a warning says so" {
	fake ok
	sleeper
	rt exec -d --pid-file "$WORK/other" "$ID" sleep 1000 < /dev/null > /dev/null 2>&1
	rt exec "$ID" sh -c 'sleep 1000 < /dev/null > /dev/null 2>&1 &'
	run checkpoint --leave-running
	ok
	says "process $(cat "$WORK/other") of container $ID is not in the checkpoint"
	[ "$(grep -c 'is not in the checkpoint' <<< "$output")" -eq 1 ]
}

@test "the process that was to become criu ends with a runtime that is killed, and lets go of the lock" {
	fake ok
	sleeper
	# Its first message is the word to go on.
	strace -qq -o /dev/null -e trace=sendmsg -e inject=sendmsg:signal=KILL:when=1 "$RUNTIME" --root "$ROOT" \
		checkpoint --image-path "$IMAGES" "$ID" > /dev/null 2>&1 3>&- &
	wait_code $!
	[ "$code" -eq 137 ]
	wait_for '! pgrep -f -- "--root $ROOT checkpoint" > /dev/null'
	RT_TIMEOUT=20 rt delete --force "$ID"
	nothing_left
}

@test "pre-dump leaves it running and needs the tracking of memory" {
	fake ok
	sleeper
	checkpoint --pre-dump
	[ "$(status_of)" = running ]
	[ "$(tail -n 1 "$WORK/requests" | jq .type)" = 4 ]
	export FAKE_CRIU=featureless
	fails_with 'cannot track changes of memory, which --pre-dump needs' checkpoint --pre-dump
	fails_with 'which --lazy-pages needs' checkpoint --lazy-pages
}

@test "lazy pages: a zero byte tells when they can be asked for" {
	fake ok
	sleeper
	checkpoint --lazy-pages --page-server 127.0.0.1:27277 --status-fd 9 9> "$WORK/ready"
	[ "$(od -An -tx1 "$WORK/ready" | tr -d ' \n')" = 00 ]
}

@test "what a container has from outside is named at the dump, and given by config.json at the restore" {
	fake ok
	mkdir -p "$BUNDLE/data" "$ROOTFS/real"
	ln -s real "$ROOTFS/link"
	config '.mounts += [{ "destination": "/link", "source": "data", "options": ["bind"] },
		{ "destination": "/mnt", "source": "/usr", "options": ["rbind", "ro"] }]
		| .linux.maskedPaths += ["/proc/nothing"]'
	sleeper
	checkpoint
	has_one_of 23 '["/real","/link"]'
	has_one_of 23 '["/mnt","/mnt"]'
	has_one_of 23 '["/proc/keys","/dev/null"]'
	# A directory is covered by a tmpfs of the container's own.
	! option 23 | grep -E 'proc/scsi|sys/firmware|nothing' || return 1
	restore
	has_one_of 23 "[\"/link\",\"$BUNDLE/data\"]"
	has_one_of 23 '["/mnt","/usr"]'
	has_one_of 23 '["/dev/null","/dev/null"]'
	! option 23 | grep notify
}

@test "a notification socket's directory is one of these, at a restore without a service manager too" {
	fake ok
	export NOTIFY_SOCKET=$WORK/nobody
	args sleep 1000
	rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	rt start "$ID"
	unset NOTIFY_SOCKET
	checkpoint
	has_one_of 23 '["/run/notify","/run/notify"]'
	restore
	has_one_of 23 "[\"/run/notify\",\"$ROOT/$ID/notify\"]"
}

@test "an idmapped mount is refused: it would come back without its map" {
	fake ok
	mkdir -p "$BUNDLE/data"
	config '.mounts += [{ "destination": "/mnt", "source": "data", "options": ["bind", "idmap"],
		"uidMappings": [{ "containerID": 0, "hostID": 1000, "size": 1 }], "gidMappings": [{ "containerID": 0, "hostID": 1000, "size": 1 }] }]'
	sleeper || skip "no idmapped mounts on this filesystem"
	fails_with 'an idmapped mount cannot be saved' checkpoint
	[ "$(status_of)" = running ]
}

@test "a joined network namespace is saved as an external one" {
	fake ok
	unshare -n sleep 1000 & other=$!
	wait_for '[ "$(readlink /proc/'$other'/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	config --arg p "/proc/$other/ns/net" '(.linux.namespaces[] | select(.type == "network")) .path = $p'
	sleeper
	checkpoint
	has_option 37 "\"net[$(stat -Lc %i /proc/$other/ns/net)]:extRootNetNS\""
	restore
	option 27 | grep -q '^\["extRootNetNS",[0-9]*\]$'
	kill $other
}

@test "the configuration file is the annotation's; an empty one means none" {
	fake ok
	config '.annotations["org.criu.config"] = "/some/where.conf"'
	sleeper
	checkpoint --leave-running
	has_option 51 '"/some/where.conf"'
	config '.annotations["org.criu.config"] = ""'
	checkpoint
	has_option 51 ''
}

# ---- restore ----

@test "restore: state, pid file, hooks, kill and delete" {
	fake ok
	images
	config --arg f "$WORK/hook" '.hooks.prestart = [{ "path": "/bin/sh", "args": ["sh", "-c", "cat > " + $f] }]
		| .hooks.createRuntime = [{ "path": "/bin/sh", "args": ["sh", "-c", "cat > " + $f + "2"] }]'
	restore --pid-file "$WORK/pid"
	pid=$(cat "$WORK/pid")
	[ "$(rt state "$ID" | jq .pid)" = "$pid" ]
	[ "$(status_of)" = running ]
	[ "$(jq .pid "$WORK/hook")" = "$pid" ]
	[ "$(jq -r .status "$WORK/hook2")" = creating ]
	grep -q "$CGROUP" "/proc/$pid/cgroup"
	! grep "$BUNDLE" /proc/self/mountinfo || return 1
	fails_with 'that is not stopped: running' rt delete "$ID"
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID"
	nothing_left
}

@test "restore hands every option on" {
	fake ok
	images
	restore --tcp-established --tcp-close --ext-unix-sk --shell-job --file-locks --auto-dedup --lazy-pages \
		--manage-cgroups-mode ignore --empty-ns network --lsm-profile apparmor:x --lsm-mount-context a_t --no-pivot -no-subreaper
	for f in 4 5 6 7 8 12 16 24 26 48 50 52; do has_option $f 1; done
	has_option 10 '"restore.log"'
	has_option 13 "\"$(realpath "$ROOTFS")\""
	has_option 34 0
	has_option 53 '"apparmor:x"'
	has_option 63 '"a_t"'
	[ -n "$(option 25 | grep "$CGROUP")" ]
}

@test "only streams that were pipes are inherited, whatever the checkpoint says" {
	fake ok
	images '["pipe:[12]", "/etc/shadow", "pipe:[34]"]'
	restore
	[ "$(option 27 | tr '\n' ' ')" = '["pipe:[12]",0] ["pipe:[34]",2] ' ]
	rt delete -f "$ID"
	images '["pipe:[1]x", "extRootNetNS", "pipe:[-1]", "pipe:[5]", "pipe:[00007]"]'
	restore
	has_option 27 ''
	rt delete -f "$ID"
	images '[7, null, {"pipe": 1}]'
	restore
	has_option 27 ''
}

@test "a directory that is no checkpoint is refused, links in it are not followed" {
	fake ok
	fails_with "--image-path: $IMAGES: No such file or directory" try_restore
	[ ! -e "$IMAGES" ]
	mkdir "$IMAGES"
	fails_with 'is --image-path the directory of a whole checkpoint?' try_restore
	echo '[]' > "$WORK/elsewhere"
	ln -s "$WORK/elsewhere" "$IMAGES/descriptors.json"
	fails_with 'descriptors.json is a link' try_restore
	rm "$IMAGES/descriptors.json"
	mkfifo "$IMAGES/descriptors.json"
	run timeout 20 "$RUNTIME" --root "$ROOT" restore -d -b "$BUNDLE" --image-path "$IMAGES" "$ID"
	[ "$status" -eq 1 ]
	rm "$IMAGES/descriptors.json"
	head -c 100000 /dev/zero | tr '\0' '[' > "$IMAGES/descriptors.json"
	fails_with descriptors.json try_restore
	nothing_left
}

@test "a failing hook ends the restore, the process and what was made" {
	fake ok
	images
	config '.hooks.createRuntime = [{ "path": "/bin/false" }]'
	fails_with 'error running createRuntime hook #0' try_restore
	nothing_left
}

@test "what a killed restore and its criu leave behind, delete --force removes" {
	fake alone
	images
	code=0
	restore || code=$?
	[ "$code" = 137 ]
	rt list -q | grep -qx "$ID"
	# The process that nobody has told of is there.
	[ -n "$(find /sys/fs/cgroup -path "*/$ID/cgroup.procs" -exec cat {} +)" ]
	rt delete --force "$ID"
	nothing_left
}

@test "missing mount points are made by restore as by create" {
	fake ok
	images
	mkdir -p "$BUNDLE/data"
	config '.mounts += [{ "destination": "/new/dir", "source": "data", "options": ["bind"] },
		{ "destination": "/new/dir/inner", "source": "/usr", "options": ["bind"] },
		{ "destination": "/fresh", "type": "tmpfs", "source": "tmpfs" },
		{ "destination": "/tmp/on/tmpfs", "source": "/usr", "options": ["bind"] }]'
	restore
	[ -d "$ROOTFS/new/dir" ]
	[ -d "$BUNDLE/data/inner" ]
	[ -d "$ROOTFS/fresh" ]
	[ ! -e "$ROOTFS/tmp/on" ]
	! grep "$BUNDLE" /proc/self/mountinfo
}

@test "an id that exists, a bundle without config.json" {
	fake ok
	sleeper
	images
	fails_with 'container with given ID already exists' try_restore
	[ "$(status_of)" = running ]
	rt delete -f "$ID"
	rm "$BUNDLE/config.json"
	fails_with config.json try_restore
	nothing_left
}

# ---- what criu answers ----

@test "a refusal is told with the log, its last errors and what helps" {
	fake fail
	sleeper
	fails_with 'criu did not save the container' checkpoint
	says "dump.log in $LOGS"
	says 'Error (criu/last.c:3): .[2Jthe last'
	says 'use --tcp-established'
	[[ $output != *'the first'* ]]
	[[ $output != *FAILED* ]]
	[[ $output != *$'\033'* ]]
	[ "$(status_of)" = running ]
	rt delete -f "$ID"
	images
	fails_with 'criu did not restore the container' try_restore
	says "restore.log in $LOGS"
	nothing_left
}

@test "whatever criu answers, the container is as before and the call ends" {
	fake ok
	sleeper
	local mode text
	while read -r mode text; do
		export FAKE_CRIU=$mode
		fails_with "$text" checkpoint
		[ "$(status_of)" = running ]
	done <<- END
		garbage is not understood
		types is of the wrong kind
		huge more than 65536 bytes
		cut is cut off
		empty is not understood
		die ended before it answered (exit status 3)
		kill ended before it answered (killed by signal 9)
	END
	export FAKE_CRIU=ok
	checkpoint
}

@test "whatever criu answers, a failed restore leaves nothing" {
	fake ok
	images
	local mode text
	while read -r mode text; do
		export FAKE_CRIU=$mode
		fails_with "$text" try_restore
		nothing_left
	done <<- END
		garbage is not understood
		types is of the wrong kind
		huge more than 65536 bytes
		die ended before it answered (exit status 3)
		nopid does not say what init's pid is
		lies but announced
	END
}

# ---- with a criu that works ----

needs_criu() {
	[ -z "${CARREL_CRIU:-}" ] || PATH=$CARREL_CRIU:$PATH
	command -v criu > /dev/null || skip "no criu in PATH (nor named by CARREL_CRIU)"
	local why
	why=$(cd "$WORK" && timeout 60 criu check 2>&1) || skip "criu check: $(tail -n 1 <<< "$why")"
}

# Pipes without a name, as engines use them: 8 is the container's input, 9 its output, open for both here.
pipes() {
	exec 8<> <(:) 9<> <(:)
}

start_counter() {
	pipes
	args sh -c 'i=0; while read -r line; do i=$((i + 1)); echo "$line $i"; done'
	rt run -d -b "$BUNDLE" "$ID" < /proc/self/fd/8 > /proc/self/fd/9 2>&1 8>&- 9>&-
}

ask_counter() {
	echo "$1" >&8
	read -r -t 10 reply <&9
}

come_back() {
	rt restore -d -b "$BUNDLE" --image-path "$IMAGES" --work-path "$LOGS" "$@" "$ID" < /proc/self/fd/8 > /proc/self/fd/9 2> "$WORK/err" 8>&- 9>&- ||
		{ cat "$WORK/err"; return 1; }
}

@test "criu: a container goes on where it was, twice" {
	needs_criu
	start_counter
	ask_counter one
	[ "$reply" = 'one 1' ]
	local n
	for n in 2 3; do
		checkpoint
		nothing_left
		come_back
		[ "$(status_of)" = running ]
		ask_counter more
		[ "$reply" = "more $n" ]
	done
	run rt exec "$ID" cat /proc/1/comm
	[ "$output" = sh ]
	rt kill "$ID" KILL
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID"
	nothing_left
}

@test "criu: --leave-running, then a copy of it under another name" {
	needs_criu
	start_counter
	ask_counter one
	checkpoint --leave-running
	[ "$(status_of)" = running ]
	ask_counter two
	[ "$reply" = 'two 2' ]
	rt delete -f "$ID"
	come_back
	ask_counter two
	[ "$reply" = 'two 2' ]
}

@test "criu: covers, read-only paths, limits and the filter are there again" {
	needs_criu
	config '.linux.resources.pids = { "limit": 50 } | .linux.seccomp = { "defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }] }'
	start_counter
	checkpoint
	come_back
	pid=$(rt state "$ID" | jq .pid)
	[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" = 2 ]
	[ "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$pid/status")" = 1 ]
	[ "$(awk '/^CapEff:/ { print $2 }' "/proc/$pid/status")" = 0000000000000421 ]
	[ "$(cat "/sys/fs/cgroup/pids$CGROUP/pids.max" 2> /dev/null || cat "/sys/fs/cgroup$CGROUP/pids.max")" = 50 ]
	run rt exec "$ID" sh -c 'cat /proc/keys /proc/timer_list; ls /sys/firmware /proc/scsi; mkdir /tmp/x; echo 1 > /proc/sys/kernel/shmmni'
	[[ $output != *:* ]] || { says "can't create directory"; says 'Read-only file system'; }
	run rt exec "$ID" sh -c 'wc -c < /proc/keys; ls /sys/firmware | wc -l'
	[ "$output" = $'0\n0' ]
}

@test "criu: bind mounts come from config.json, not from the checkpoint" {
	needs_criu
	mkdir -p "$BUNDLE/one" "$BUNDLE/two"
	echo first > "$BUNDLE/one/f"
	echo second > "$BUNDLE/two/f"
	config '.mounts += [{ "destination": "/mnt", "source": "one", "options": ["bind", "ro"] }]'
	start_counter
	run rt exec "$ID" cat /mnt/f
	[ "$output" = first ]
	checkpoint
	config '.mounts[-1].source = "two"'
	come_back
	run rt exec "$ID" cat /mnt/f
	[ "$output" = second ]
	fails_with 'Read-only file system' rt exec "$ID" touch /mnt/f
}

@test "criu: a listener on the loopback, and what was executed inside" {
	needs_criu
	start_counter
	rt exec "$ID" httpd -p 127.0.0.1:80 -h /etc
	wait_for 'rt exec "$ID" wget -qO- http://127.0.0.1/group'
	checkpoint
	come_back
	run rt exec "$ID" wget -qO- http://127.0.0.1/group
	ok
	says extra
}

@test "criu: restore in the foreground passes the exit code on and deletes" {
	needs_criu
	args sh -c 'read -r x; exit 7'
	pipes
	rt run -d -b "$BUNDLE" "$ID" < /proc/self/fd/8 > /dev/null 2>&1 8>&- 9>&-
	checkpoint
	rt restore -b "$BUNDLE" --image-path "$IMAGES" --work-path "$LOGS" "$ID" < /proc/self/fd/8 > "$WORK/err" 2>&1 8>&- 9>&- & pid=$!
	wait_for '[ "$(status_of)" = running ]'
	echo go >&8
	wait_code $pid
	[ "$code" -eq 7 ] || { cat "$WORK/err"; false; }
	nothing_left
	exec 8>&-
}

@test "criu: what it cannot save is told with the option that helps" {
	needs_criu
	start_counter
	rt exec "$ID" httpd -p 127.0.0.1:80 -h /etc
	wait_for 'rt exec "$ID" wget -qO- http://127.0.0.1/group'
	rt exec "$ID" sh -c 'sh -c "sleep 1000 | nc 127.0.0.1 80" < /dev/null > /dev/null 2>&1 &' 
	wait_for 'rt exec "$ID" netstat -tn | grep -q ESTABLISHED'
	fails_with 'use --tcp-established' checkpoint
	[ "$(status_of)" = running ]
	ask_counter one
	[ "$reply" = 'one 1' ]
	checkpoint --tcp-established
	come_back --tcp-established
	ask_counter two
	[ "$reply" = 'two 2' ]
	rt exec "$ID" netstat -tn | grep -q ESTABLISHED
}
