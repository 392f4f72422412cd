"""The runtime alone, beside its peers: whole runs, the steps of a life, storms. Part of bench.py, which says what each measures."""
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys

from benchlib import TOP, Group, Peers, now, percentiles, show


class Tool:
    """A runtime with a bundle and a control group of its own; what it makes lies below its group."""

    def __init__(self, name, label, argv, bundle, group):
        self.name, self.label, self.argv, self.bundle, self.group = name, label, argv, bundle, group

    def command(self, *words):
        return self.argv + list(words)


def programs(a):
    """Name -> program of carrel-runtime and every peer there is."""
    found = {"carrel-runtime": a.bin + "/carrel-runtime"}
    if a.no_peers:
        return found
    for name in ("crun", "runc"):
        if shutil.which(name):
            found[name] = shutil.which(name)
    for peer in a.peer:
        name, _, path = peer.partition("=")
        if not os.access(path, os.X_OK):
            sys.exit("bench: --peer %s: NAME=PROGRAM is wanted" % peer)
        found[name] = path
    return found


def slug(text):
    return re.sub(r"\W+", "-", text)


def run_config(user, cgroup, filter_profile, program="/bin/true"):
    masked = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
    mount = lambda dst, kind, options: {"destination": dst, "type": kind, "source": kind, "options": options}
    namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"] + (["user", "time"] if user else [])
    caps = {k: [] for k in ("bounding", "effective", "permitted")}
    config = {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": [program], "env": ["PATH=/bin"], "cwd": "/", "noNewPrivileges": True,
                    "capabilities": caps},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "floor",
        "mounts": [mount("/proc", "proc", ["nosuid", "noexec", "nodev"]),
                   mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
                   mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
                   mount("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=8m"]),
                   mount("/tmp", "tmpfs", ["nosuid", "nodev", "mode=1777", "size=8m"]),
                   mount("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"])],
        "linux": {"cgroupsPath": cgroup, "namespaces": [{"type": n} for n in namespaces], "maskedPaths": masked,
                  "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
                  "resources": {"memory": {"limit": 536870912}, "pids": {"limit": 128}, "cpu": {"quota": 50000, "period": 100000},
                                "devices": [{"allow": False, "access": "rwm"}]},
                  "seccomp": filter_profile}}
    if user:
        ids = [{"containerID": 0, "hostID": 524288, "size": 65536}]
        config["linux"].update(uidMappings=ids, gidMappings=ids)
    return config


def timed(a, argv, peers, group=None):
    """Seconds from the exec of argv, inside the peers' namespace and the group, to its end."""
    read_end, write_end = os.pipe()
    for fd in (write_end, peers.fd):
        os.set_inheritable(fd, True)
    enter = os.path.dirname(a.floor) + "/enter"
    pid = os.posix_spawn(enter, [enter, str(peers.fd), group.procs if group else "-", str(write_end), *argv], os.environ,
                          file_actions=[(os.POSIX_SPAWN_DUP2, 0, 1)])
    os.close(write_end)
    _, status = os.waitpid(pid, 0)
    ended = now()
    began = os.read(read_end, 8)
    os.close(read_end)
    if status != 0:
        sys.exit("bench: %s: status %d" % (" ".join(argv), os.waitstatus_to_exitcode(status)))
    return ended - struct.unpack("d", began)[0]


def peak_rss(peak, argv, before):
    """Started by a small program: a fork of this one would count as theirs."""
    r = subprocess.run([peak, *argv], preexec_fn=before, capture_output=True, text=True)
    return int(re.search(r"rss (\d+)", r.stderr).group(1))


def cached_filter(state, out):
    """The program that carrel-runtime compiled and keeps: instructions are the last thing in the file."""
    files = glob.glob(state + "/@seccomp/*.bpf")
    if not files:
        sys.exit("bench: carrel-runtime keeps no compiled filter in " + state)
    with open(files[0], "rb") as f:
        data = f.read()
    count = struct.unpack("8sII", data[:16])[2]
    with open(out, "wb") as f:
        f.write(data[-8 * count:])
    return count


def make_root(a, work):
    root = work + "/rootfs"
    for d in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        os.makedirs(root + "/" + d)
    here = os.path.dirname(a.floor)
    shutil.copy(here + "/nothing", root + "/bin/true")
    shutil.copy(here + "/waits", root + "/bin/waits")
    # The peers' namespace hides v2's leftovers; the floor and carrel-runtime run in it as well.
    os.mkdir(work + "/peers")
    os.mkdir(work + "/state")
    return root, Peers([root], work + "/peers", state=work + "/state")


def make_bundle(bundle, root, config, name):
    os.makedirs(bundle)
    config["root"]["path"] = root
    if name != "carrel-runtime":  # crun 1.8 has no time namespaces, runc 1.1 neither
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "time"]
    with open(bundle + "/config.json", "w") as f:
        json.dump(config, f)


def profile():
    with open(TOP + "/config/seccomp.json") as f:
        return json.load(f)


def measure_run(a, work):
    root, peers = make_root(a, work)
    rows, count = [], 0
    for user in (False, True):
        tools = []
        for name, program in [("floor", None), *programs(a).items()]:
            label = name if not user else name + (", user and time namespaces" if name in ("floor", "carrel-runtime") else ", user namespace")
            group, bundle = Group(slug(label)), "%s/%s" % (work, slug(label))
            make_bundle(bundle, root, run_config(user, group.path + "/box", profile()), name)
            if name == "floor":
                argv = [a.floor] + (["-u"] if user else []) + [root, work + "/filter.bpf", "/bin/true"]
            else:
                argv = [program, "--root", work + "/state/" + name, "run", "-b", bundle, "bench"]
            tools.append(Tool(name, label, argv, bundle, group))
        timed(a, next(t.argv for t in tools if t.name == "carrel-runtime"), peers)
        count = cached_filter(peers.inside(work + "/state/carrel-runtime"), work + "/filter.bpf")
        walls, cpu = {t: [] for t in tools}, dict.fromkeys(tools, 0.0)
        for i in range(a.rounds + 2):
            for t in tools:
                before = t.group.cpu()
                wall = timed(a, t.argv, peers, t.group)
                if i < 2:
                    continue
                walls[t].append(wall)
                cpu[t] += t.group.cpu() - before
        ours = next(t for t in tools if t.name == "carrel-runtime")
        for t in tools:
            rss = max(peak_rss(os.path.dirname(a.floor) + "/peak", t.argv, peers.enter) for _ in range(3))
            rows.append("| %s | %d | %.1f | %.2f | %s | %d |" % (t.label, len(walls[t]), 1000 * cpu[t] / len(walls[t]), cpu[ours] / cpu[t],
                                                               percentiles(walls[t]), rss))
    peers.close()
    show("| `run /bin/true` | runs | CPU ms (mean) | ours : its CPU | wall min ms | p50 | p95 | p99 | peak RSS KiB |")
    show("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        show(row)
    show()
    show("The seccomp program has %d instructions for the floor and carrel-runtime; the others compile their own from the same profile." % count)
    show()


# ---- the steps of a life ----

STEPS = {
    "create": ("create", "--bundle", "BUNDLE", "ID"),
    "start": ("start", "ID"),
    "state": ("state", "ID"),
    "exec": ("exec", "ID", "/bin/true"),
    "kill": ("kill", "ID", "KILL"),
    "delete": ("delete", "--force", "ID"),
}


def measure_life(a, work):
    root, peers = make_root(a, work)
    tools = []
    for name, program in programs(a).items():
        group, bundle = Group("life-" + slug(name)), "%s/%s" % (work, slug(name))
        make_bundle(bundle, root, run_config(False, group.path + "/box", profile(), "/bin/waits"), name)
        tools.append(Tool(name, name, [program, "--root", work + "/state/" + name], bundle, group))
    walls = {(t, s): [] for t in tools for s in STEPS}
    cpu = dict.fromkeys(walls, 0.0)
    for i in range(a.rounds + 2):
        for t in tools:
            for step, words in STEPS.items():
                argv = t.command(*[{"BUNDLE": t.bundle, "ID": "life%d" % i}.get(w, w) for w in words])
                before = t.group.cpu()
                wall = timed(a, argv, peers, t.group)
                if i >= 2:
                    walls[t, step].append(wall)
                    cpu[t, step] += t.group.cpu() - before
    peers.close()
    show("| step | " + " | ".join("%s: CPU ms (mean) | p50 | p95" % t.label for t in tools) + " |")
    show("|---|" + "---|" * (3 * len(tools)))
    for step in STEPS:
        cells = []
        for t in tools:
            _, p50, p95, _ = percentiles(walls[t, step]).split(" | ")
            cells += ["%.2f" % (1000 * cpu[t, step] / a.rounds), p50, p95]
        show("| %s | %s |" % (step, " | ".join(cells)))
    show()
    show_ratios(tools, walls, cpu)


def show_ratios(tools, walls, cpu):
    ours, peers = tools[0], tools[1:]
    p95 = lambda t, step: float(percentiles(walls[t, step]).split(" | ")[2])
    show("| carrel-runtime : peer, CPU and wall p95 | " + " | ".join(STEPS) + " |")
    show("|---|" + "---|" * len(STEPS))
    for t in peers:
        show("| %s | %s |" % (t.label, " | ".join("%.2f, %.2f" % (cpu[ours, s] / cpu[t, s], p95(ours, s) / p95(t, s)) for s in STEPS)))
    show()


# ---- storms ----

WORKERS = 8


def start_worker(a, runs, argv, peers, group):
    """A program that runs argv again and again: a script's own work between two runs would be a fifth of it."""
    storm = os.path.dirname(a.floor) + "/storm"
    os.set_inheritable(peers.fd, True)
    return os.posix_spawn(storm, [storm, str(peers.fd), group.procs, str(runs), *argv], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 0, 1)])


STORM_PARTS = 4


def storm_part(a, tool, runs, peers):
    """Seconds that WORKERS workers need for `runs` runs each."""
    began, workers = now(), []
    for w in range(WORKERS):
        argv = tool.command("run", "-b", "%s-%d" % (tool.bundle, w), "storm%d" % w)
        workers.append(start_worker(a, runs, argv, peers, tool.group))
    if any([os.waitpid(pid, 0)[1] for pid in workers]):
        sys.exit("bench: storm: a run of %s did not work" % tool.name)
    return now() - began


def measure_storm(a, work):
    root, peers = make_root(a, work)
    runs, tools = max(1, a.storm // WORKERS // STORM_PARTS), []
    for name, program in programs(a).items():
        group, bundle = Group("storm-" + slug(name)), "%s/%s" % (work, slug(name))
        for w in range(WORKERS):
            make_bundle("%s-%d" % (bundle, w), root, run_config(False, "%s/box%d" % (group.path, w), profile()), name)
        tools.append(Tool(name, name, [program, "--root", work + "/state/" + name], bundle, group))
    seconds, cpu = dict.fromkeys(tools, 0.0), {t: t.group.cpu() for t in tools}
    for _ in range(STORM_PARTS):
        for t in tools:
            seconds[t] += storm_part(a, t, runs, peers)
    peers.close()
    n = runs * WORKERS * STORM_PARTS
    show("| storm, %d workers | runs | a second | CPU ms each |" % WORKERS)
    show("|---|---|---|---|")
    for t in tools:
        show("| %s | %d | %.0f | %.1f |" % (t.label, n, n / seconds[t], 1000 * (t.group.cpu() - cpu[t]) / n))
    show()
