"""The cost of one more container while others live, and what a live one holds."""
import glob
import os
import re
import sys

from benchlib import Group, now, percentiles, show
from bench_runtime import STEPS, make_bundle, make_root, profile, programs, run_config, timed

FILLERS = 2
STEPS_SHOWN = ("create", "start", "state", "exec", "kill", "delete")


class Fleet:
    """Containers of one runtime that only wait, in its own state directory."""

    def __init__(self, name, program, work, root, peers):
        self.name, self.work, self.root, self.peers, self.n = name, work + "/" + name, root, peers, 0
        self.group = Group("live-" + name)
        self.argv = [program, "--root", work + "/state/" + name]
        os.mkdir(self.work)

    def bundle(self, box):
        path = self.work + "/" + box
        if not os.path.isdir(path):
            make_bundle(path, self.root, run_config(False, self.group.path + "/" + box, profile(), "/bin/waits"), self.name)
        return path

    def call(self, a, step, box):
        argv = [{"BUNDLE": self.bundle(box) if step == "create" else "", "ID": box}.get(w, w) for w in STEPS[step]]
        before = self.group.cpu()
        wall = timed(a, self.argv + argv, self.peers, self.group)
        return wall, self.group.cpu() - before

    def each(self, a, numbers, steps):
        """By a few at a time: there are many."""
        workers = []
        for w in range(FILLERS):
            workers.append(os.fork())
            if workers[-1] == 0:
                status = 1
                try:
                    for i in numbers[w::FILLERS]:
                        for step in steps:
                            self.call(a, step, "live%d" % i)
                    status = 0
                finally:
                    os._exit(status)
        if any([os.waitpid(pid, 0)[1] for pid in workers]):
            sys.exit("bench: live: %s did not %s them all" % (self.name, steps[0]))

    def fill(self, a, level):
        self.each(a, range(self.n, level), ("create", "start"))
        self.n = level

    def empty(self, a):
        n, self.n = self.n, 0
        self.each(a, range(n), ("delete",))

    def held(self):
        """KiB that the memory controller charges to a container at the median: all, and the kernel's part."""
        if self.group.v2:
            dirs = glob.glob("/sys/fs/cgroup%s/live*" % self.group.path)
            read = lambda d, f: int(re.search(r"(?m)^%s (\d+)" % f[1], open(d + "/" + f[0]).read()).group(1)) if f[1] else int(open(d + "/" + f[0]).read())
            names = (("memory.current", None), ("memory.stat", "kernel"))
        else:
            dirs = glob.glob("/sys/fs/cgroup/memory%s/live*" % self.group.path)
            read = lambda d, f: int(open(d + "/" + f).read())
            names = ("memory.usage_in_bytes", "memory.kmem.usage_in_bytes")
        median = lambda v: sorted(v)[len(v) // 2] / 1024 if v else 0
        return [median([read(d, f) for d in dirs]) for f in names]


def free_kib():
    with open("/proc/meminfo") as f:
        return int(re.search(r"MemAvailable:\s+(\d+)", f.read()).group(1))


def measure_level(a, fleet, floor, rounds):
    """{step: [(wall, cpu)...]} of one more container, and of the floor in between: what the kernel itself takes."""
    seen = {step: [] for step in (*STEPS_SHOWN, "floor")}
    for i in range(rounds + 1):
        box = "more%d" % i
        got = {step: fleet.call(a, step, box) for step in STEPS_SHOWN}
        before = fleet.group.cpu()
        got["floor"] = (timed(a, floor, fleet.peers, fleet.group), fleet.group.cpu() - before)
        for step, pair in got.items():
            if i:
                seen[step].append(pair)
    return seen


def measure_fleet(a, fleet, floor, levels):
    rows, kept = [], free_kib()
    for level in levels:
        began = now()
        fleet.fill(a, level)
        took = now() - began
        seen = measure_level(a, fleet, floor, max(10, a.rounds // 3))
        cells = []
        for step in (*STEPS_SHOWN, "floor"):
            walls, cpus = zip(*seen[step])
            _, p50, p95, _ = percentiles(walls).split(" | ")
            cells.append("%.2f, %s, %s" % (1000 * sum(cpus) / len(cpus), p50, p95))
        rows.append("| %s | %d | %s |" % (fleet.name, level, " | ".join(cells)))
        print("bench: live: %d of %s, filled in %.0f s" % (level, fleet.name, took), file=sys.stderr)
    charged, kernel = fleet.held()
    held = "| %s | %d | %.0f | %.0f | %.0f |" % (fleet.name, levels[-1], charged, kernel, (kept - free_kib()) / max(levels[-1], 1))
    return rows, held


def measure_live(a, work):
    root, peers = make_root(a, work)
    known = programs(a)
    # The newest peer is the one to compare with: filling takes long.
    newer = [n for n in known if n not in ("carrel-runtime", "crun", "runc")] + [n for n in ("crun",) if n in known]
    chosen = ["carrel-runtime", *newer[:1]]
    floor = [a.floor, root, "-", "/bin/true"]
    rows, held = [], []
    for name in chosen:
        fleet = Fleet(name, known[name], work, root, peers)
        try:
            more, line = measure_fleet(a, fleet, floor, (0, a.live // 2, a.live))
            rows += more
            held.append(line)
        finally:
            fleet.empty(a)
    peers.close()
    show("One more container while others live: CPU ms (mean), wall ms p50, p95. The floor, without a filter, is run in between: what it gains is the kernel's.\n")
    show("| runtime | live | " + " | ".join((*STEPS_SHOWN, "floor")) + " |")
    show("|---|---|" + "---|" * (len(STEPS_SHOWN) + 1))
    for row in rows:
        show(row)
    show()
    show("| a live container of | live | charged KiB (median) | of it the kernel's | less available on the host, KiB each |")
    show("|---|---|---|---|---|")
    for line in held:
        show(line)
    show()
