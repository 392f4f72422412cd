"""Many short containers and many execs at once: nothing may fail, nothing may stay. For storm.bats.

  storm.py run WORK N WORKERS     N whole runs of the bundle WORK/bundle
  storm.py exec WORK N WORKERS    N execs of /bin/true in one container
  storm.py planted WORK N WORKERS the control: N runs of which one in five leaves a process, a directory or a failure

CARREL_BIN is in the environment. Prints the rate and, from quarter to quarter, what the kernel's memory and its control groups,
the dying ones too, grew by; exits 1 with what failed or stayed.
"""
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

RUNTIME = os.environ["CARREL_BIN"] + "/carrel-runtime"
PR_SET_CHILD_SUBREAPER = 36
# Of the kernel, and not to be had back by asking for it; others work on this machine too.
KINDS = ("SUnreclaim", "Percpu", "KernelStack", "PageTables")
NOISE_KIB, EACH_KIB = 96 << 10, 2
NOISE_GROUPS, SETTLE_S, QUARTERS, TRIES = 300, 5, 4, 3


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def kernel_kib():
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", read("/proc/meminfo"), re.M))
    return sum(int(found.get(kind, 0)) for kind in KINDS)


def cgroup_roots():
    return [line.split()[4] for line in read("/proc/self/mountinfo").splitlines() if " - cgroup" in line]


def groups():
    """What the kernel still counts, by hierarchy: on v1 with those that nobody sees any more, on v2 those apart."""
    lines = [line.split() for line in read("/proc/cgroups").splitlines()[1:]]
    found = {name: int(n) for name, hierarchy, n, _ in lines if hierarchy != "0"}
    for root in cgroup_roots():
        dying = re.search(r"^nr_dying_descendants (\d+)", read(root + "/cgroup.stat"), re.M)
        if dying:
            found["v2 dying"] = int(dying.group(1))
    return found


class Storm:
    def __init__(self, work):
        self.work, self.root = work, work + "/state"
        self.name = "storm-%d" % os.getpid()
        self.wrong = []
        with open(work + "/bundle/config.json") as f:
            self.config = json.load(f)

    def bundle(self, worker, args):
        """Of its own for each worker, with one root for all."""
        path = "%s/worker-%d" % (self.work, worker)
        os.makedirs(path, exist_ok=True)
        config = json.loads(json.dumps(self.config))
        config["root"]["path"] = self.work + "/bundle/rootfs"
        config["process"]["args"] = args
        config["linux"]["cgroupsPath"] = "/carrel-test/%s-%d" % (self.name, worker)
        with open(path + "/config.json", "w") as f:
            json.dump(config, f)
        return path

    def command(self, *args):
        p = subprocess.run([RUNTIME, "--root", self.root, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=120, check=False)
        if p.returncode != 0:
            self.wrong.append("%s: %s %s" % (" ".join(args), p.returncode, p.stdout.decode(errors="replace")[-300:]))

    def start(self, *args):
        """Detached: its output must not be a pipe that somebody reads to the end."""
        subprocess.run([RUNTIME, "--root", self.root, "run", "-d", *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120, check=True)

    def left(self, patience):
        found, end = [], time.monotonic() + patience
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0 and time.monotonic() > end:
                found += ["process " + p for p in read("/proc/self/task/%d/children" % os.getpid()).split()]
                break
            if pid == 0:
                time.sleep(0.01)
        for top, dirs, files in os.walk(self.root):
            found += ["file " + n for n in dirs + files if not re.fullmatch(r"@seccomp|[0-9a-f]{2}\.bpf", n)]
        for parent in [g + "/carrel-test" for g in cgroup_roots()]:
            found += ["cgroup " + d for _, dirs, _ in os.walk(parent) for d in dirs if d.startswith(self.name)]
        return found + ["mount " + line for line in read("/proc/self/mountinfo").splitlines() if self.work in line]


def blow(what, n, workers):
    """what(worker, i) n times in all; the seconds that it took."""
    def work(worker):
        for i in range(n // workers):
            what(worker, i)

    threads = [threading.Thread(target=work, args=(w,)) for w in range(workers)]
    began = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return time.monotonic() - began


def settles(before, groups_before, n):
    """Whether the kernel keeps no more than noise of n storms; how much, and which control groups."""
    end = time.monotonic() + SETTLE_S
    while True:
        grown = kernel_kib() - before
        more = {name: count - groups_before.get(name, 0) for name, count in groups().items()}
        calm = grown <= NOISE_KIB + EACH_KIB * n and max(more.values()) <= NOISE_GROUPS + n // 20
        if calm and time.monotonic() > end - SETTLE_S + 1 or time.monotonic() > end:
            return calm, grown, more
        time.sleep(0.2)


def main():
    mode, work, n, workers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    n -= n % (QUARTERS * workers)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    s = Storm(work)
    if mode == "exec":
        s.start("-b", s.bundle(0, ["/bin/sleep", "1000"]), s.name)

        def what(worker, i):
            s.command("exec", s.name, "/bin/true")
    else:
        sleepers = []
        bundles = [s.bundle(w, ["/bin/true"]) for w in range(workers)]
        bad = [s.bundle(workers + w, ["/bin/false"]) for w in range(workers)] if mode == "planted" else []

        def what(worker, i):
            planted = mode == "planted" and i % 5 == 3
            s.command("run", "-b", bad[worker] if planted else bundles[worker], "%s-%d" % (s.name, worker))
            if planted:
                os.makedirs("%s/leak-%d-%d" % (s.root, worker, i))
                sleepers.append(subprocess.Popen(["sleep", "100"]))

    blow(what, min(n // 10, 200), workers)
    # What others on this machine do meanwhile is seen too: what is kept must be kept each time.
    for _ in range(TRIES):
        before, groups_before, seconds, curve = kernel_kib(), groups(), 0, []
        for _ in range(QUARTERS):
            seconds += blow(what, n // QUARTERS, workers)
            curve.append("%+d" % (kernel_kib() - before))
        calm, grown, more = settles(before, groups_before, n)
        if calm or s.wrong:
            break
    if mode == "exec":
        p = subprocess.run([RUNTIME, "--root", s.root, "ps", "--format", "json", s.name], stdout=subprocess.PIPE, check=True)
        if len(json.loads(p.stdout)) != 1:
            s.wrong.append("processes that stayed in the container: " + p.stdout.decode())
        s.command("delete", "--force", s.name)
    print("%d x %s, %d workers: %.1f s, %.0f a second; the kernel's memory %s KiB by quarters, %+d in the end; control groups %s" % (
        n, mode, workers, seconds, n / seconds, " ".join(curve), grown, ", ".join("%s %+d" % m for m in sorted(more.items()) if m[1]) or "+0"))
    if not calm:
        s.wrong.append("the kernel keeps: %d KiB more, control groups %s" % (grown, more))
    left = s.left(3 if mode == "planted" else 30)
    for pid in read("/proc/self/task/%d/children" % os.getpid()).split():
        os.kill(int(pid), signal.SIGKILL)
    for line in s.wrong[:10] + left[:20]:
        print(line)
    print("%d failed, %d left" % (len(s.wrong), len(left)))
    sys.exit(1 if s.wrong or left else 0)


main()
