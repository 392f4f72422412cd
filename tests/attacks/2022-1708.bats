#!/usr/bin/env bats
# A program that writes without end fills the memory of whoever carries its output (CVE-2022-1708, CVE-2022-31030). The runtime carries
# it where there is a terminal, and keeps no more than a buffer of it, however slow the reader is.
load ../integration/guest

setup() {
	guest_setup
	args sleep 1000
}
teardown() { runtime_teardown; }

# Runs the runtime on a terminal that nobody reads for a while. Prints what its process has grown to, and what was read before and after.
cat_slowly() {
	timeout 60 python3 - "$RUNTIME" --root "$ROOT" "$@" << 'PY'
import os, pty, re, sys, time
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
first = os.read(master, 4096)
time.sleep(3)
with open("/proc/%d/status" % pid) as f:
    print("peak", re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
n = 0
while n < 1 << 20:
    n += len(os.read(master, 65536))
print("went on", first[:1] == b"y")
os.close(master)
os.kill(pid, 9)
os.waitpid(pid, 0)
PY
}

@test "control: who keeps what comes has it all in memory" {
	run timeout 60 python3 -c '
import resource, subprocess, sys
p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
kept = []
while len(kept) < 1000:
    kept.append(p.stdout.read(65536))
p.kill()
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)' "$ROOTFS/bin/busybox" yes
	ok
	[ "$(sed -n 's/^peak //p' <<< "$output")" -gt 32768 ]
}

@test "run and exec with a terminal that nobody reads: the program waits, the runtime stays small" {
	[ -z "${CARREL_SAN:-}" ] || skip "sanitized programs are bigger"
	config '.process.terminal = true | .process.args = ["/bin/busybox", "yes"]'
	run cat_slowly run -b "$BUNDLE" "$ID"
	ok
	says 'went on True'
	[ "$(sed -n 's/^peak //p' <<< "$output")" -lt 8192 ]
	rt delete --force "$ID"
	config '.process.terminal = false | .process.args = ["/bin/sleep", "1000"]'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	run cat_slowly exec --tty "$ID" /bin/busybox yes
	ok
	says 'went on True'
	[ "$(sed -n 's/^peak //p' <<< "$output")" -lt 8192 ]
}
