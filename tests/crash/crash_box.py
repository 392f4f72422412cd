"""What crash.py works on: a container, the runtime's commands for it, and all that may be left of it on the machine."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

BIN = os.environ["CARREL_BIN"]
STEP = BIN + "/../tests/crash/step"
SLOW = 4 if os.environ.get("CARREL_SAN") else 1


class Wrong(Exception):
    pass


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def children():
    return [int(p) for p in read("/proc/self/task/%d/children" % os.getpid()).split()]


class Box:
    """One container: its name, bundle and state directory, and everything of it that may be left on the machine."""

    def __init__(self, work, bundle):
        self.work, self.bundle = work, "%s/%s" % (work, bundle)
        self.runtime = BIN + ("/../tests/runtime-rdt" if bundle.startswith("rdt") else "/carrel-runtime")
        self.root, self.classes = work + "/state", os.environ["CARREL_TEST_RESCTRL"]
        self.images, self.saved = work + "/images", work + "/saved-images"
        self.id = "crash-%d" % os.getpid()
        self.shown, self.out, self.err = work + "/shown", work + "/out", work + "/err"
        self.configure(lambda config: config["linux"].update(cgroupsPath="/carrel-test/" + self.id))

    def configure(self, edit):
        path = self.bundle + "/config.json"
        config = json.loads(read(path))
        edit(config)
        with open(path, "w") as f:
            json.dump(config, f)

    def command(self, argv, out, err):
        """The exit code. Output goes to files, for a container's process may hold it for long."""
        with open(out, "w") as o, open(err, "w") as e:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=o, stderr=e)
        # What it leaves is reaped meanwhile: until then it would keep its pid namespace from ending.
        end = time.monotonic() + 60 * SLOW
        while time.monotonic() < end:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == p.pid:
                p.returncode = os.waitstatus_to_exitcode(status)
                return p.returncode
            if pid == 0:
                time.sleep(0.001)
        p.kill()
        p.wait()
        return "timeout"

    def rt(self, *args):
        out = self.shown if args[0] in ("create", "run", "exec") else self.out
        return self.command([self.runtime, "--root", self.root, *args], out, self.err)

    def must(self, *args):
        code = self.rt(*args)
        if code != 0:
            raise Wrong("%s ended with %s: %s" % (" ".join(args), code, read(self.err).strip()))

    def step(self, how, args):
        """The exit code and the call. Sets hit, and what was said."""
        report = self.work + "/report"
        with open(report, "w"):
            pass
        out = self.shown if args[0] in ("create", "run", "exec") else self.out
        code = self.command([STEP, *how, "--report", report, "--", self.runtime, "--root", self.root, *args], out, self.err)
        kind, _, call = read(report).strip().partition(" ")
        self.hit, self.said = kind == "hit", read(self.err).strip()
        return code, call

    def init(self):
        return int(os.readlink("%s/%s/init" % (self.root, self.id)).split(":")[0])

    def status(self):
        self.must("state", self.id)
        return json.loads(read(self.out))["status"]

    def show_limits(self):
        """What the kernel has, in place of what a program shows."""
        names = ("memory.limit_in_bytes", "memory.max", "pids.max", "cpu.shares", "cpu.weight")
        with open(self.shown, "w") as shown:
            for group in [g + "/carrel-test/" + self.id for g in cgroup_roots()]:
                shown.writelines("%s %s" % (n, read(group + "/" + n)) for n in names if os.path.exists(group + "/" + n))
            shown.write(read("%s/%s/schemata" % (self.classes, self.id)))

    def show_statistics(self):
        """What they are about, in place of their numbers."""
        with open(self.shown, "w") as shown:
            for line in read(self.out).splitlines():
                try:
                    shown.writelines(name + "\n" for name in sorted(names_in("", json.loads(line))))
                except ValueError as bad:
                    raise Wrong("no JSON: %s: %r" % (bad, line)) from bad

    def until(self, what, true):
        end = time.monotonic() + 30 * SLOW
        while not true():
            if time.monotonic() > end:
                raise Wrong("waited for " + what)
            time.sleep(0.005)

    patience = 20

    def orphans(self):
        """Once what is ending has ended: this process is the reaper of all."""
        end = time.monotonic() + self.patience * SLOW
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return []
            if pid == 0 and time.monotonic() > end:
                return ["process " + read("/proc/%d/cmdline" % p).replace("\0", " ") for p in children()]
            if pid == 0:
                time.sleep(0.002)

    def left(self):
        found = self.orphans()
        for top, dirs, files in os.walk(self.root):
            known = r"@seccomp|[0-9a-f]{2}\.bpf"
            found += ["file " + os.path.join(top, n) for n in dirs + files if not re.fullmatch(known, n)]
        for parent in [g + "/carrel-test" for g in cgroup_roots()]:
            found += ["cgroup " + os.path.join(top, d) for top, dirs, _ in os.walk(parent) for d in dirs if d.startswith(self.id)]
        found += ["class " + d for d in os.listdir(self.classes) if d != "info"]
        return found + ["mount " + line for line in read("/proc/self/mountinfo").splitlines() if self.work in line]

    def clean(self):
        """What is wrong once shall not be counted again."""
        for p in children():
            os.kill(p, signal.SIGKILL)
        self.orphans()
        self.rt("delete", "--force", self.id)
        for kind, _, what in [line.partition(" ") for line in self.left()]:
            if kind == "cgroup":
                os.rmdir(what)
            if kind == "class":
                shutil.rmtree(self.classes + "/" + what)


def names_in(path, value):
    """Of all that a JSON value holds."""
    if isinstance(value, dict):
        return {path} | {n for k, v in value.items() for n in names_in(path + "." + k, v)}
    if isinstance(value, list):
        return {path + "[]"} | {n for v in value for n in names_in(path + "[]", v)}
    return {path}


def cgroup_roots():
    return [line.split()[4] for line in read("/proc/self/mountinfo").splitlines() if " - cgroup" in line]
