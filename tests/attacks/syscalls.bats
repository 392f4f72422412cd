# Kernel attack surface: every call and socket family that the profile of our own sandboxes refuses is tried from inside.
# Control: the same program without the profile and with all capabilities gets another answer in every row.
load ../integration/guest

setup() {
	guest_setup
	cp "$CARREL_BIN/../tests/attacks/syscalls" "$ROOTFS/bin/syscalls"
}
teardown() { runtime_teardown; }

our_profile() {
	config --argjson p "$(cat "$BATS_TEST_DIRNAME/../../config/seccomp.json")" '.linux.seccomp = $p'
}

# Rows of $output whose result is not the one wanted / is the one wanted.
misses() { awk 'NF == 3 && $2 != $3' <<< "$output"; }
hits() { awk 'NF == 3 && $2 == $3' <<< "$output"; }

@test "forbidden calls and socket families are out of reach under the profile" {
	our_profile
	inside /bin/syscalls
	ok
	[ "$(wc -l <<< "$output")" -gt 110 ]
	[ -z "$(misses)" ] || { echo "reached:" && misses && return 1; }
}

@test "control: without the profile each of them answers otherwise" {
	all=$(jq -nc '["CHOWN","DAC_OVERRIDE","DAC_READ_SEARCH","FOWNER","FSETID","KILL","SETGID","SETUID","SETPCAP","LINUX_IMMUTABLE","NET_BIND_SERVICE","NET_BROADCAST","NET_ADMIN","NET_RAW","IPC_LOCK","IPC_OWNER","SYS_MODULE","SYS_RAWIO","SYS_CHROOT","SYS_PTRACE","SYS_PACCT","SYS_ADMIN","SYS_BOOT","SYS_NICE","SYS_TIME","SYS_TTY_CONFIG","MKNOD","LEASE","AUDIT_WRITE","AUDIT_CONTROL","SETFCAP","MAC_OVERRIDE","MAC_ADMIN","SYSLOG","WAKE_ALARM","BLOCK_SUSPEND","AUDIT_READ","PERFMON","BPF","CHECKPOINT_RESTORE"] | map("CAP_" + .)')
	config --argjson c "$all" '.process.capabilities |= with_entries(.value = $c)'
	inside /bin/syscalls
	ok
	# What works must work here too; the others must not look as if they were filtered.
	[ -z "$(misses | grep ^works:)" ]
	same=$(hits | grep -v ^works:) || return 0
	# A call that this kernel was built without says ENOSYS by itself: such a row is no proof on this machine, and no failure.
	[ -z "$(grep -v ' ENOSYS ENOSYS$' <<< "$same")" ] || { echo "no control:" && echo "$same" && return 1; }
	[ "$(wc -l <<< "$same")" -le 5 ]
	echo "# not provable here, the kernel lacks them: $(cut -d' ' -f1 <<< "$same" | tr '\n' ' ')" >&3
}

@test "the profile holds for exec too" {
	our_profile
	start_sleeper
	run rt exec "$ID" /bin/syscalls
	ok
	[ -z "$(misses)" ] || { echo "reached:" && misses && return 1; }
}

@test "the profile holds for a user namespace's root with all its capabilities" {
	our_profile
	userns
	all_caps
	inside /bin/syscalls
	ok
	[ -z "$(misses)" ] || { echo "reached:" && misses && return 1; }
}
