"""What the measurements of make bench share: percentiles, control groups whose CPU time is read, a namespace where all peers work."""
import ctypes
import glob
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBC = ctypes.CDLL(None, use_errno=True)
now = time.monotonic


def show(text=""):
    print(text, flush=True)


def percentiles(values):
    v = sorted(values)
    pick = lambda q: v[min(len(v) - 1, int(q * len(v)))] * 1000
    return "%.1f | %.1f | %.1f | %.1f" % (v[0] * 1000, pick(0.50), pick(0.95), pick(0.99))


# ---- control groups of our own, to see what each tool's processes used ----


class Group:
    """A cgroup whose CPU time is read; on v1 in cpuacct only. Its path is a parent for containers too."""

    def __init__(self, name):
        self.path = "/carrel-bench-%d/%s" % (os.getpid(), name)
        self.v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        self.dir = ("/sys/fs/cgroup" if self.v2 else "/sys/fs/cgroup/cpuacct") + self.path
        os.makedirs(self.dir, exist_ok=True)
        self.procs = self.dir + ("/cgroup.procs" if self.v2 else "/tasks")
        if self.v2:
            # Containers are made below: processes and children do not mix there.
            os.makedirs(self.dir + "/tool", exist_ok=True)
            self.procs = self.dir + "/tool/cgroup.procs"

    def enter(self):
        with open(self.procs, "w") as f:
            f.write("0")

    def cpu(self):
        if self.v2:
            with open(self.dir + "/cpu.stat") as f:
                return int(re.search(r"usage_usec (\d+)", f.read()).group(1)) / 1e6
        with open(self.dir + "/cpuacct.usage") as f:
            return int(f.read()) / 1e9


def remove_groups():
    for top in glob.glob("/sys/fs/cgroup/carrel-bench-%d" % os.getpid()) + glob.glob("/sys/fs/cgroup/*/carrel-bench-%d" % os.getpid()):
        for d, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(d)
            except OSError:
                pass


# ---- a mount namespace where crun 1.8 works: it refuses leftovers of cgroup v2 beside v1 ----


class Peers:
    """A helper's mount namespace, entered by what is started here; the host's table stays as it is. In `state`, for what the
    runtimes keep of their containers, a tmpfs is mounted there, as /run is one on a host."""

    def __init__(self, layers, root, writable=None, state=None):
        script = "mount --bind %s %s && mount -t overlay overlay -o ro,lowerdir=%s %s" % (root, root, ":".join(reversed(layers)), root)
        if len(layers) == 1:
            script = "mount --bind -o ro %s %s" % (layers[0], root)
        if writable:
            script += " && mount -t tmpfs none %s && mkdir %s/upper %s/work %s/root && mount -t overlay overlay -o lowerdir=%s,upperdir=%s/upper,workdir=%s/work %s/root" % (
                writable, writable, writable, writable, ":".join(reversed(layers)), writable, writable, writable)
        if state:
            script += " && mount -t tmpfs -o mode=755 none " + state
        if os.path.isdir("/sys/fs/cgroup/unified"):
            script += " && mount -t tmpfs none /sys/fs/cgroup/unified"
        self.p = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", script + " && echo ok && exec sleep 100000"],
                                  stdout=subprocess.PIPE)
        if self.p.stdout.readline() != b"ok\n":
            sys.exit("bench: the peers' mount namespace cannot be made")
        self.fd = os.open("/proc/%d/ns/mnt" % self.p.pid, os.O_RDONLY | os.O_CLOEXEC)

    def inside(self, path):
        """The path as it is seen from there."""
        return "/proc/%d/root%s" % (self.p.pid, path)

    def enter(self):
        if LIBC.setns(self.fd, 0x20000) != 0:
            os._exit(126)

    def close(self):
        self.p.kill()
        self.p.wait()
