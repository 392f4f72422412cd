#!/usr/bin/python3
"""make bench-images: what an image costs on its way into the store and out of it, beside other tools, measured in interleaved rounds.

  bench_images.py --bin DIR --programs DIR --work DIR [--rounds N] [--mib N] [--only unpack,zstd,pull,open,memory] [--peers NAME,...] [--quick]

unpack  an image of three gzip layers (image_make.py) into directories and into EROFS images by carrel-image, and by umoci, tar with igzip,
        bsdtar, skopeo, podman: those that are installed. On a new ext4, in a file, and on a tmpfs. The floor is igzip alone.
        carrel-image also copies the blobs into its store, checks both digests of each layer, and waits for the disk.
zstd    the same image with zstd layers, by those that can.
pull    from a registry on the loopback (docker-registry): the download alone, the unpacking alone, and pull with a first
        sandbox that ran.
open    an image in the store: inspect, bundle, and the root mounted by the shim's own code (mount_root.c).
memory  many sandboxes that read the same file of the image: page cache and other memory that is charged to them.

MB/s are of the unpacked layers. Peak is the largest resident size of any process. Prints Markdown. Needs root.
"""
import argparse
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import stat
import statistics
import subprocess
import sys
import tempfile
import time

import image_make
from benchlib import LIBC, TOP, Group, now, remove_groups, show

MIB = 1 << 20
CLONE_NEWNS = 0x20000


class Job:
    """A way to do it: argv(where) gives the command that fills the empty directory `where`. rounds: at most so many."""

    def __init__(self, name, needs, argv, rounds=99):
        self.name, self.needs, self.argv, self.rounds = name, needs, argv, rounds
        self.wall, self.disk, self.cpu, self.peak = [], [], [], 0

    def missing(self):
        return [p for p in self.needs if not shutil.which(p)]


def quote(words):
    return " ".join("'%s'" % w for w in words)


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    LIBC.syncfs(fd)
    os.close(fd)


def unmount_below(where):
    """What containers-storage has mounted."""
    with open("/proc/self/mounts") as f:
        for line in reversed(f.readlines()):
            if line.split()[1].startswith(where + "/"):
                subprocess.check_call(["umount", line.split()[1]])


def remove(where):
    unmount_below(where)
    shutil.rmtree(where)


def put_away(a, where):
    """On a disk only at the end of all: ext4 goes around inodes that were freed in the last minutes, one by one, and whoever makes
    files next pays for that."""
    if where.startswith(a.tmpfs + "/"):
        return remove(where)
    unmount_below(where)
    os.makedirs(a.disk + "/old", exist_ok=True)
    os.rename(where, "%s/old/%d" % (a.disk, len(os.listdir(a.disk + "/old"))))


def run(a, job, where):
    os.makedirs(where)
    group = Group("images")
    before, began = group.cpu(), now()
    p = subprocess.run([a.programs + "/peak"] + job.argv(where), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=group.enter, text=True)
    job.wall.append(now() - began)
    job.cpu.append(group.cpu() - before)
    if p.returncode != 0:
        sys.exit("bench: %s failed: %s" % (job.name, p.stderr))
    job.peak = max(job.peak, int(re.search(r"rss (\d+)\s*$", p.stderr).group(1)) / 1024)
    # Ours waits for the disk itself; the removal is nobody's.
    sync(where)
    job.disk.append(now() - began)
    put_away(a, where)


def rounds_of(a, jobs, where):
    if a.peers:
        jobs = [j for j in jobs if not j.needs or set(j.needs) & set(a.peers.split(","))]
    left_out = [(j, j.missing()) for j in jobs]
    for j, m in left_out:
        if m:
            show("%s is left out: no %s here." % (j.name, ", ".join(m)))
    jobs = [j for j, m in left_out if not m]
    for i in range(a.rounds):
        for j in jobs[i % 2 and 1 or 0:] + jobs[:i % 2 and 1 or 0]:
            if i < j.rounds:
                run(a, j, where)
    return jobs


def table(jobs, mb, title, ours):
    kinds = ("wall", "disk", "cpu")
    heads = ["%s : it, %s" % (o.name.split()[-1], {"disk": "to the disk", "cpu": "CPU"}.get(w, w)) for o in ours for w in kinds]
    show("| %s | runs | wall s (min, median) | s until it lies on the disk | CPU s | MB/s | peak MiB | %s |" % (title, " | ".join(heads)))
    show("|---|---|---|---|---|---|---|" + "---|" * len(heads))
    med = statistics.median
    for j in jobs:
        ratios = [] if j in ours else ["%.2f" % (med(getattr(j, w)) / med(getattr(o, w))) for o in ours for w in kinds]
        ratios += [""] * (len(heads) - len(ratios))
        show("| %s | %d | %.2f, %.2f | %.2f | %.2f | %.0f | %.1f | %s |" % (
            j.name, len(j.wall), min(j.wall), med(j.wall), med(j.disk), med(j.cpu), mb / med(j.wall), j.peak, " | ".join(ratios)))
    show()


# ---- unpacking ----


def carrel(a, layout, form):
    return Job("carrel-image import, %s" % form, [], lambda w: [
        a.bin + "/carrel-image", "--store", w + "/store", "import", "--format", form, "--name", "bench", layout])


def unpack_jobs(a, layout, how):
    """The first two are ours."""
    layers = image_make.layers_of(layout)
    each = lambda text: lambda w: ["sh", "-ec", "cd '%s'; for b in %s; do %s; done" % (w, quote(layers), text)]
    one = {"gzip": "igzip", "zstd": "zstd"}[how]
    storage = lambda w: "containers-storage:[overlay@%s/root+%s/run]bench" % (w, w)
    jobs = [carrel(a, layout, "dir"), carrel(a, layout, "erofs"),
            Job("floor: %s alone" % one, [one], each(one + " -dc $b > /dev/null"))]
    if how == "gzip":
        jobs.append(Job("umoci unpack", ["umoci"], lambda w: ["umoci", "unpack", "--image", layout + ":bench", w + "/bundle"]))
    return jobs + [
        Job("tar with " + one, ["tar", one], each(one + " -dc $b | tar -xp --numeric-owner")),
        Job("tar with " + one + ", both digests", ["tar", one, "openssl"], each(
            "openssl sha256 $b > /dev/null; mkfifo .p; openssl sha256 < .p > /dev/null & %s -dc $b | tee .p | tar -xp --numeric-owner; wait; rm .p" % one)),
        Job("bsdtar", ["bsdtar"], each("bsdtar -xpf $b")),
        Job("skopeo copy to containers-storage", ["skopeo"], lambda w: [
            "skopeo", "--insecure-policy", "copy", "-q", "oci:" + layout + ":bench", storage(w)], rounds=2),
        Job("podman pull", ["podman"], lambda w: [
            "podman", "--root", w + "/root", "--runroot", a.short + "/run", "--storage-driver", "overlay", "pull", "-q", "oci:%s/image/%s:bench" % (a.short, how)], rounds=1)]


def unpacked_mb(a, layout):
    """From our own store's layer.json, bytes of the tar streams."""
    store = a.tmpfs + "/count"
    subprocess.check_call([a.bin + "/carrel-image", "--store", store, "import", "--format", "dir", "--name", "bench", layout], stdout=subprocess.DEVNULL)
    total = 0
    for d in os.listdir(store + "/layers"):
        with open("%s/layers/%s/layer.json" % (store, d)) as f:
            total += json.load(f).get("bytes", 0)  # the layer of parents came from no stream
    shutil.rmtree(store)
    return total / 1e6


def fs_name(path):
    return subprocess.check_output(["stat", "-f", "-c", "%T", path], text=True).strip().replace("ext2/ext3", "ext4")


def measure_unpack(a, how):
    layout = a.image + "/" + how
    mb = unpacked_mb(a, layout)
    places = [a.tmpfs] if how == "zstd" or a.quick else [a.disk, a.tmpfs]
    show("## %s layers unpacked: %.0f MB\n" % (how, mb))
    for place in places:
        jobs = rounds_of(a, unpack_jobs(a, layout, how), place + "/one")
        table(jobs, mb, "on " + fs_name(place), jobs[:2])


# ---- pull ----


class Registry:
    def __init__(self, a):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % s.getsockname()[1]
        self.dir = a.work + "/registry"
        os.makedirs(self.dir)
        with open(self.dir + "/config.yml", "w") as f:
            f.write("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: '%s'}\n" % (self.dir, self.host))
        with open(a.work + "/registries.yaml", "w") as f:
            f.write("registries: {'%s': {plain: true}}\n" % self.host)
        self.log = open(self.dir + "/log", "wb")
        self.p = subprocess.Popen(["docker-registry", "serve", self.dir + "/config.yml"], stdout=self.log, stderr=self.log)
        for _ in range(100):
            if subprocess.run(["curl", "-s", "-o", "/dev/null", "http://%s/v2/" % self.host], check=False).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit("bench: the registry does not answer")

    def close(self):
        self.p.terminate()
        self.p.wait(30)
        self.log.close()
        shutil.rmtree(self.dir)


def pull_jobs(a, registry, layout):
    digests = ["sha256:" + os.path.basename(p) for p in image_make.layers_of(layout)]
    url = "http://%s/v2/bench/blobs/" % registry.host
    download = lambda w: ["curl", "-sSfZ"] + [x for d in digests for x in ("-o", "%s/%s" % (w, d), url + d)]

    def pull(form, sandbox):
        store = lambda w: w + "/store"
        image = lambda w: quote([a.bin + "/carrel-image", "--store", store(w), "pull", "--registries", a.work + "/registries.yaml", "--progress",
                                 "none", "--format", form, "--name", "bench", registry.host + "/bench:1"])
        box = lambda w: quote([a.bin + "/carrel", "--run-dir", w + "/run", "--store", store(w), "run", "--seccomp", TOP + "/config/seccomp.json",
                               "--cgroup", "/carrel-bench-images", "bench", "--", "/bin/true"])
        return lambda w: ["sh", "-ec", image(w) + (" && " + box(w) + " < /dev/null" if sandbox else "")]
    return [Job("download alone: curl", ["curl"], download),
            carrel(a, layout, "dir"), carrel(a, layout, "erofs"),
            Job("pull and a first sandbox, dir", [], pull("dir", True)), Job("pull and a first sandbox, erofs", [], pull("erofs", True))]


def measure_pull(a):
    layout = a.image + "/gzip"
    missing = [p for p in ("docker-registry", "skopeo", "curl") if not shutil.which(p)]
    if missing:
        return show("pull is left out: no %s here.\n" % ", ".join(missing))
    registry = Registry(a)
    try:
        subprocess.check_call(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", "oci:" + layout + ":bench",
                               "docker://%s/bench:1" % registry.host])
        show("## From a registry on the loopback\n")
        for place in (a.tmpfs,) if a.quick else (a.disk, a.tmpfs):
            jobs = rounds_of(a, pull_jobs(a, registry, layout), place + "/one")
            show("| on %s | wall s (min, median) | CPU s of ours | peak MiB | : the slower of download and unpacking |" % fs_name(place))
            show("|---|---|---|---|---|")
            med = statistics.median
            for j, slower in zip(jobs, [None, None, None, jobs[1], jobs[2]]):
                ratio = "" if not slower else "%.2f" % (med(j.wall) / max(med(slower.wall), med(jobs[0].wall)))
                show("| %s | %.2f, %.2f | %.2f | %.1f | %s |" % (j.name, min(j.wall), med(j.wall), med(j.cpu), j.peak, ratio))
            show()
    finally:
        registry.close()


# ---- a store with the image ----


def stores(a):
    made = {}
    for form in ("dir", "erofs"):
        made[form] = "%s/store.%s" % (a.work, form)
        subprocess.check_call([a.bin + "/carrel-image", "--store", made[form], "import", "--format", form, "--name", "bench", a.image + "/gzip"],
                              stdout=subprocess.DEVNULL)
    return made


def timed(argv, times, env=None):
    walls = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(times):
        began = now()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=env)
        walls.append((now() - began) * 1000)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(getattr(after, k) - getattr(before, k) for k in ("ru_utime", "ru_stime"))
    return walls, cpu / times * 1000


def row(name, walls, cpu):
    v = sorted(walls)
    show("| %s | %.2f | %.2f | %.2f | %s |" % (name, v[0], v[len(v) // 2], v[int(0.95 * len(v))], cpu if cpu == "" else "%.2f" % cpu))


class NoLoopDevices:
    """For those who look from our mount namespace, as shims that we start do."""

    def __enter__(self):
        subprocess.check_call(["mount", "--bind", "/dev/null", "/dev/loop-control"])

    def __exit__(self, *_):
        subprocess.check_call(["umount", "/dev/loop-control"])


def mount_row(a, name, layers, bundle, times, held):
    out = subprocess.check_output([a.programs + "/mount_root", str(times), held, bundle, *layers], text=True)
    row(name, [float(x) / 1000 for x in out.split()], "")


def measure_open(a, made):
    times = 10 if a.quick else 200
    show("## An image in the store\n")
    show("| of the three layers | wall ms min | p50 | p95 | CPU ms |")
    show("|---|---|---|---|---|")
    row("a program that does nothing, started", *timed([a.programs + "/reads"], times))
    for form, store in made.items():
        image = [a.bin + "/carrel-image", "--store", store]
        bundle = a.work + "/bundle." + form
        row("%s: inspect" % form, *timed(image + ["inspect", "bench"], times))
        row("%s: bundle" % form, *timed(image + ["bundle", "bench", bundle, "--seccomp", TOP + "/config/seccomp.json"], times))
        with open(bundle + "/rootfs.json") as f:
            layers = json.load(f)["layers"]
        os.makedirs(bundle + "/rootfs", exist_ok=True)
        mount_row(a, form + ": root mounted and looked at, the only one", layers, bundle, times, "0")
        mount_row(a, form + ": the same, another sandbox has the image", layers, bundle, times, "1")
        if form == "erofs":
            with NoLoopDevices():
                mount_row(a, form + ": the same, read from the file, without loop devices", layers, bundle, times, "1")
    show()


# ---- memory ----


def cgroup_dir(name):
    v1 = "/sys/fs/cgroup/memory"
    return (v1 if os.path.isdir(v1) else "/sys/fs/cgroup") + name


def remove_boxes():
    for top in glob.glob("/sys/fs/cgroup/carrel-bench-images") + glob.glob("/sys/fs/cgroup/*/carrel-bench-images"):
        for d, _, _ in os.walk(top, topdown=False):
            os.rmdir(d)


def charged(name):
    """Page cache and all that is charged to a group and those below, MiB."""
    d = cgroup_dir(name)
    with open(d + "/memory.stat") as f:
        found = {k: int(v) for k, v in (line.split() for line in f)}
    usage = d + ("/memory.usage_in_bytes" if "total_cache" in found else "/memory.current")
    with open(usage) as f:
        return found.get("total_cache", found.get("file", 0)) / MIB, int(f.read()) / MIB


def readers(name, path):
    """The processes in the group that have read all of the file."""
    done = 0
    for d, _, files in os.walk(cgroup_dir(name)):
        for pid in open(d + "/cgroup.procs").read().split() if "cgroup.procs" in files else []:
            try:
                if "true" in open("/proc/%s/comm" % pid).read():
                    done += int(re.search(r"rchar: (\d+)", open("/proc/%s/io" % pid).read()).group(1)) >= path
            except OSError:
                pass
    return done


def await_readers(name, size, count):
    deadline = now() + 120
    while readers(name, size) < count:
        if now() > deadline:
            sys.exit("bench: %d of %d sandboxes have read their file" % (readers(name, size), count))
        time.sleep(0.01)


def forget(store):
    """Takes the store's files out of the page cache."""
    sync(store)
    for d, _, files in os.walk(store):
        for f in files:
            if not stat.S_ISREG(os.lstat(d + "/" + f).st_mode):
                continue
            fd = os.open(d + "/" + f, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def share(a, name, store, size, count):
    # A group for each: page cache outlives who read it, and is charged to the parent then.
    cgroup = "/carrel-bench-images/%d" % count
    car = [a.bin + "/carrel", "--run-dir", a.work + "/run", "--store", store]
    forget(store)
    boxes, marks, began = [], {}, now()
    try:
        for i in range(count):
            boxes.append("b%d" % i)
            subprocess.check_call(car + ["run", "--seccomp", TOP + "/config/seccomp.json", "--cgroup", cgroup, "--detach", "--name", boxes[-1],
                                         "bench", "--", "/bin/true", "/big"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            if i == 0:
                await_readers(cgroup, size, 1)
                marks[1] = charged(cgroup)
        await_readers(cgroup, size, count)
        seconds = now() - began
        marks[count] = charged(cgroup)
    finally:
        for b in boxes:
            subprocess.run(car + ["rm", b], check=False, stdout=subprocess.DEVNULL)
        remove_boxes()
    show("| %s | %.0f | %.0f | %.0f | %.2f |" % (name, marks[1][0], marks[count][0], marks[count][1] - marks[count][0], seconds))


def measure_memory(a, made):
    count = 3 if a.quick else 50
    size = os.path.getsize(glob.glob(made["dir"] + "/layers/*/root/big")[0])
    show("## %d sandboxes read the same %.1f MiB of their image\n" % (count, size / MIB))
    show("| MiB charged to them | page cache, one sandbox | page cache, all | everything else, all | seconds, started one by one |")
    show("|---|---|---|---|---|")
    share(a, "directories", made["dir"], size, count)
    share(a, "EROFS, one loop device per layer", made["erofs"], size, count)
    with NoLoopDevices():
        share(a, "EROFS, read from the file", made["erofs"], size, count)
    show()


# ---- all of it ----


def own_mounts():
    """Our tmpfs is nobody else's, and goes with us."""
    if LIBC.unshare(CLONE_NEWNS) != 0:
        sys.exit("bench: no mount namespace: root is needed")
    subprocess.check_call(["mount", "--make-rprivate", "/"])


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--mib", type=int, default=image_make.FULL_MIB)
    p.add_argument("--only", default="unpack,zstd,pull,open,memory")
    p.add_argument("--peers", help="of the others only these programs, as igzip,umoci")
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    a.bin, a.programs, a.work = (os.path.abspath(x) for x in (a.bin, a.programs, a.work))
    if a.quick:
        a.rounds, a.mib = 1, 6
    return a


def new_disk(work):
    """An ext4 whose state of inodes and blocks is the same at every run."""
    with open(work + "/disk.img", "wb") as f:
        f.truncate(40 << 30)
    subprocess.check_call(["mkfs.ext4", "-q", "-F", work + "/disk.img"])
    os.mkdir(work + "/disk")
    subprocess.check_call(["mount", "-o", "loop", work + "/disk.img", work + "/disk"])
    return work + "/disk"


def measure(a):
    parts = a.only.split(",")
    if "unpack" in parts:
        measure_unpack(a, "gzip")
    if "zstd" in parts:
        measure_unpack(a, "zstd")
    if "pull" in parts:
        measure_pull(a)
    if {"open", "memory"} & set(parts):
        made = stores(a)
        if "open" in parts:
            measure_open(a, made)
        if "memory" in parts:
            measure_memory(a, made)


def main():
    a = arguments()
    own_mounts()
    os.makedirs(a.work, exist_ok=True)
    a.image = "%s/image.%d" % (a.work, a.mib)
    if not os.path.exists(a.image):
        a.image = tempfile.mkdtemp(prefix="image.", dir=a.work)
        image_make.make(a.image, a.mib, a.programs + "/reads")
        os.rename(a.image, "%s/image.%d" % (a.work, a.mib))
        a.image = "%s/image.%d" % (a.work, a.mib)
    top = a.work
    a.work = tempfile.mkdtemp(prefix="run.", dir=top)
    a.tmpfs = a.work + "/tmpfs"
    a.short = "/tmp/cb%d" % os.getpid()  # podman wants its runroot's name short, and an image's in small letters
    os.mkdir(a.short, 0o700)
    os.symlink(a.image, a.short + "/image")
    os.mkdir(a.tmpfs)
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=8G", "none", a.tmpfs])
    a.disk = None if a.quick else new_disk(a.work)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    show("Load average %.1f %.1f %.1f on %d processors at the beginning, kernel %s.\n" % (*os.getloadavg(), os.cpu_count(), os.uname().release))
    try:
        measure(a)
    finally:
        remove(a.short)
        remove(a.work)
        remove_groups()
        remove_boxes()
    show("Load average %.1f %.1f %.1f at the end." % os.getloadavg())


if __name__ == "__main__":
    main()
