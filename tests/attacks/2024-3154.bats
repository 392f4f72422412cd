# CVE-2024-3154, CVE-2023-6476 (see there for the systemd driver): annotations come from whoever writes the pod, and must not steer what the administrator decides.
load ../integration/guest

setup() {
	guest_setup
	config '.linux.resources += {pids: {limit: 50}, memory: {limit: 67108864}}
		| .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}'
	cat > "$ROOTFS/show" << 'SH'
/bin/guest ids -- caps -- sched -- limits -- env -- signals -- cwd -- names -- unshare-user -- read /proc/keys | grep -v SigQ
ls /proc/self/fd
cut -d' ' -f4-6,8- /proc/self/mountinfo
# The hierarchy that another attack makes comes and goes.
grep -v carrel-attack /proc/self/cgroup
cat /proc/self/uid_map /proc/self/oom_score_adj
SH
	args /bin/sh /show
}
teardown() { runtime_teardown; }

# What other runtimes and engines obey; without the systemd driver its properties are nothing but text.
steering() {
	jq -n --arg w "$WORK" '{
		"org.systemd.property.ExecStopPost": ("[(\"/bin/sh\", [\"sh\", \"-c\", \"touch " + $w + "/pwned\"], false)]"),
		"org.systemd.property.TasksMax": "uint64 4000",
		"org.criu.config": ($w + "/criu.conf"),
		"run.oci.seccomp_bpf_file": ($w + "/filter"), "run.oci.systemd.subgroup": "",
		"run.oci.hooks.stdout": ($w + "/hooks"), "run.oci.hooks.stderr": ($w + "/hooks"),
		"run.oci.timens_offset": "1000", "module.wasm.image/variant": "compat",
		"io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw": "true", "io.kubernetes.cri-o.UnifiedCgroup": "pids.max=max",
		"io.kubernetes.cri-o.Devices": "/dev/mem", "io.kubernetes.cri-o.userns-mode": "auto:size=65536",
		"cpu-quota.crio.io": "disable", "io.containers.trace-syscall": "of:/x", "io.podman.annotations.privileged": "TRUE",
		"cdi.k8s.io/x": "vendor.com/x=y", "org.opencontainers.image.os.features": "x" }'
}

@test "control: what does steer a container is seen" {
	inside /bin/sh /show
	ok
	plain=$output
	config '.linux.resources.pids.limit = 51 | .process.oomScoreAdj = 1'
	inside /bin/sh /show
	ok
	[ "$output" != "$plain" ]
}

@test "an annotation changes nothing but the state that shows it" {
	local plain names
	inside /bin/sh /show
	ok
	plain=$output
	[ "$(wc -l <<< "$plain")" -gt 40 ]
	edit --argjson a "$(steering)" '.annotations = $a'
	inside /bin/sh /show
	ok
	diff <(echo "$plain") <(grep -v 'level=warning msg="annotations\.run\.oci\.hooks\.' <<< "$output")
	start_sleeper
	[ "$(rt state "$ID" | jq -S .annotations)" = "$(steering | jq -S .)" ]
	[ "$(cat "$(find /sys/fs/cgroup -path "*$CGROUP/pids.max" | head -n 1)")" = 50 ]
	rt delete --force "$ID"
	[ ! -e "$WORK/pwned" ] && [ ! -e "$WORK/hooks" ]
}

# What would choose another program, filter or cgroup.
refused='run.oci.handler run.oci.seccomp.receiver run.oci.seccomp.plugins run.oci.seccomp_bpf_data run.oci.systemd.force_cgroup_v1 run.oci.delegate-cgroup run.oci.systemd.subgroup'

@test "annotations that would steer more than that are refused by name" {
	for a in $refused; do
		edit --arg a "$a" '.annotations = {($a): "x"}'
		inside /bin/sh /show
		[ "$status" -eq 1 ] || { echo "obeyed or passed over: $a" && return 1; }
		says "annotations.$a: "
	done
}

@test "annotations that do have a meaning here are named by features" {
	local a
	# Whatever the runtime knows by name must be declared as what an engine has to filter, unless it is refused, without effect, or only makes
	# a container stricter.
	local rest=(-e run.oci.seccomp_fail_unknown_syscall)
	for a in $refused run.oci.hooks.stdout run.oci.hooks.stderr; do rest+=(-e "$a"); done
	for a in $(strings -n 8 "$RUNTIME" | grep -oE '^(run\.oci|org\.systemd\.property|org\.criu|io\.kubernetes|net\.carrel|carrel)\.[a-z_.-]+$' | sort -u | grep -vxF "${rest[@]}"); do
		rt features | jq -e --arg a "$a" '(.potentiallyUnsafeConfigAnnotations // []) | any(. as $p | $a | startswith($p))' > /dev/null ||
			{ echo "not declared: $a" && return 1; }
	done
}
