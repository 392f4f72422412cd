# CVE-2021-21284, CVE-2021-41103: directories of the engine that others on the host can walk, down to state that tells about
# containers and programs with the set-user-ID bit.
load ../integration/guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

@test "control: another user can walk what is left open" {
	chmod 755 "$(dirname "$BATS_RUN_TMPDIR")" "$BATS_RUN_TMPDIR" 2> /dev/null || :
	mkdir -m 755 "$WORK/open"
	echo secret > "$WORK/open/state.json"
	chmod 644 "$WORK/open/state.json"
	run nsenter_path "$WORK/open/state.json"
	ok
	says secret
}

# Only the last directories count: those of the test itself need not let others through.
nsenter_path() {
	(cd "$(dirname "$1")" && as_nobody cat "./$(basename "$1")")
}

@test "state is root's alone, whatever the umask of the caller" {
	local mask
	for mask in 000 022 077; do
		config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}'
		args sleep 1000
		(umask $mask && rt --root "$ROOT" create -b "$BUNDLE" "$ID-$mask" < /dev/null > "$WORK/out" 2>&1)
		[ "$(stat -c '%a %U' "$ROOT")" = '700 root' ]
		[ "$(stat -c '%a %U' "$ROOT/$ID-$mask")" = '700 root' ]
		[ "$(stat -c '%a %U' "$ROOT/@seccomp")" = '700 root' ]
		[ -z "$(find "$ROOT" ! -type l -perm /077)" ] || { find "$ROOT" -ls && return 1; }
		run nsenter_path "$ROOT/$ID-$mask/state.json"
		[ "$status" -ne 0 ]
		says 'ermission denied'
		rt delete --force "$ID-$mask"
	done
}

@test "nor do its parents, where the runtime makes them, let others list them" {
	args true
	(umask 000 && "$RUNTIME" --root "$WORK/a/b/c" create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1)
	[ "$(stat -c %a "$WORK/a/b/c")" = 700 ]
	[ -z "$(find "$WORK/a" -type d -perm /066)" ]
	"$RUNTIME" --root "$WORK/a/b/c" delete --force "$ID"
}
