# CVE-2023-6476, CVE-2024-3154 (CRI-O): an annotation of a container becomes a property of its systemd unit: commands that the
# host runs, other units pulled in or stopped, limits lifted.
load ../integration/systemd.bash

setup_file() { systemd_setup_file; }
teardown_file() { systemd_teardown_file; }
setup() { systemd_setup; }
teardown() { systemd_teardown; }

annotate() { config --arg n "$1" --arg v "$2" '.annotations = {($n): $v}'; }

@test "control: an annotation that is allowed reaches the unit" {
	args sleep 1000
	annotate org.systemd.property.TimeoutStopUSec 'uint64 7000000'
	rt --systemd-cgroup run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	has_property TimeoutStopUSec 7000000 7s
}

@test "commands, dependencies, limits and processes are not a container's to set" {
	args true
	while IFS='|' read -r name value; do
		annotate "org.systemd.property.$name" "$value"
		run rt --systemd-cgroup run -b "$BUNDLE" "$ID"
		[ "$status" -eq 1 ] || { echo "accepted: $name=$value" && return 1; }
		says "org.systemd.property.$name"
		[ -n "${FAKE:-}" ] || [ "$(systemctl show "$UNIT" -p LoadState --value)" = not-found ]
		[ -z "${FAKE:-}" ] || [ ! -s "$FAKE/calls" ]
		[ ! -e "$ROOT/$ID" ]
	done << 'ROWS'
ExecStopPost|[('/bin/sh', ['/bin/sh', '-c', 'id > /evil'], false)]
ExecStartPre|[('/bin/sh', ['/bin/sh', '-c', 'id > /evil'], false)]
Wants|['reboot.target']
Requires|['evil.service']
Conflicts|['sshd.service']
OnSuccess|['evil.service']
OnFailure|['reboot.target']
PropagatesStopTo|['sshd.service']
JobTimeoutAction|'reboot'
SuccessAction|'poweroff'
FailureAction|'reboot-force'
MemoryMax|uint64 18446744073709551615
DevicePolicy|'auto'
Slice|'-.slice'
PIDs|[uint32 1]
User|'root'
Controller|':1.1'
ROWS
}

@test "no second property hides in a value or a name" {
	args true
	for v in "'a'
p	s	OnFailure	x" "'a	b'" "'a', 'OnFailure', 'x'" "'a'; OnFailure=x"; do
		annotate org.systemd.property.CollectMode "$v"
		fails_with org.systemd.property.CollectMode rt --systemd-cgroup run -b "$BUNDLE" "$ID"
	done
	annotate 'org.systemd.property.CollectMode	x' "'a'"
	fails_with org.systemd.property rt --systemd-cgroup run -b "$BUNDLE" "$ID"
	annotate 'org.systemd.property.CollectMode
OnFailure' "'a'"
	fails_with org.systemd.property rt --systemd-cgroup run -b "$BUNDLE" "$ID"
}
