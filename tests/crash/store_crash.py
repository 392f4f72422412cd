"""Breaks carrel-image at its system calls and looks at the store. For store-crash.bats.

  store_crash.py kill WORK ROUNDS     SIGKILL at the entry of a random call of a random operation
  store_crash.py moment WORK ROUNDS   SIGKILL after a random time, to the command or to one of the children that unpack, pack or download
  store_crash.py fail WORK ROUNDS     the call fails with ENOSPC, EIO or ENOMEM: it worked, or an error with a text
  store_crash.py listings WORK        each reading of a directory by import and gc fails with ENOMEM, gc beside an import that needs what no image does
  store_crash.py planted WORK         the control: every kind of damage and residue must be seen

After each round: the names are those from before or those from after, no process and no work directory is left, verify finds
nothing, and after a gc there is nothing that no image needs; a file that was exported is whole or not there. WORK holds the layouts base
and new, and upper, an overlay's upper directory. pull is from a registry of the loopback that has new; push is to docker-registry, and left
out, with a line that says so, where that is not installed. CARREL_BIN is in the environment, CRASH_SEED makes the same rounds again. Prints a line per operation.
"""
import collections
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

BIN = os.environ["CARREL_BIN"]
IMAGE, STEP = BIN + "/carrel-image", BIN + "/../tests/crash/step"
ERRORS = ["ENOSPC", "EIO", "ENOMEM"]


class Wrong(Exception):
    pass


class Store:
    def __init__(self, work, registries=None):
        self.work, self.path, self.registries = work, work + "/store", registries
        self.run("import", "--name", "keep", work + "/base")

    def run(self, *args, status=(0,)):
        p = subprocess.run([IMAGE, "--store", self.path, *args], capture_output=True, text=True, timeout=300)
        if p.returncode not in status:
            raise Wrong("%s: exit code %d: %s%s" % (" ".join(args), p.returncode, p.stdout, p.stderr))
        return p.stdout

    def names(self):
        return {i["name"]: i["digest"] for i in json.loads(self.run("ls", "--format", "json"))}

    def files(self):
        """All that lies in the store, contents of layers apart."""
        out = set()
        for top, dirs, files in os.walk(self.path):
            here = os.path.relpath(top, self.path)
            out.update(os.path.normpath(os.path.join(here, n)) for n in dirs + files)
            if here.startswith("layers/"):
                dirs[:] = []
        return out

    patience = 30

    def wait_children(self):
        deadline = time.monotonic() + self.patience
        while True:
            left = [p for p in os.listdir("/proc") if p.isdigit() and self.is_ours(p)]
            if not left:
                return
            if time.monotonic() > deadline:
                raise Wrong("processes are left: " + " ".join(left))
            time.sleep(0.02)

    def is_ours(self, pid):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                line = f.read().split(b"\0")
        except OSError:
            return False
        # The helpers have no store in their command lines; what they do ends with their parents.
        return line[0].endswith((b"carrel-image", b"carrel-registry", b"carrel-inflate")) and (
            self.path.encode() in line or not line[0].endswith(b"carrel-image") and self.is_orphan(pid))

    def is_orphan(self, pid):
        """A helper that was started by one of this store's commands and has none any more: its file is ours."""
        try:
            with open("/proc/%s/stat" % pid) as f:
                parent = f.read().rsplit(")", 1)[1].split()[1]
            return os.path.samefile("/proc/%s/exe" % pid, BIN + "/" + os.path.basename(os.readlink("/proc/%s/exe" % pid))) and parent == "1"
        except OSError:
            return False

    def check_export(self):
        """What was exported can be read, and what was not is not there under its name."""
        out = self.work + "/out.tar"
        if os.path.exists(out):
            subprocess.run(["tar", "-tf", out], stdout=subprocess.DEVNULL, check=True)
            with open(out, "rb") as f:
                f.seek(-1024, os.SEEK_END)
                if f.read() != bytes(1024):
                    raise Wrong("out.tar is not whole")
            os.unlink(out)

    def check(self, allowed):
        """allowed: sets of names that may be there."""
        self.wait_children()
        names = self.names()
        if names not in allowed:
            raise Wrong("names %s, expected one of %s" % (names, allowed))
        if os.listdir(self.path + "/tmp"):
            raise Wrong("tmp: " + " ".join(os.listdir(self.path + "/tmp")))
        self.run("verify")
        # What a killed writer of the index left goes with the next change.
        self.run("tag", "keep", "keep")
        self.run("gc")
        wanted = {"oci-layout", "index.json", "lock", "index.lock", "tmp", "blobs", "blobs/sha256", "blobs/sha512", "layers",
                  "mountpoints", "mountpoints/root"}
        wanted |= {"mountpoints/root/" + n for n in "dev proc sys tmp run workspace".split()}
        for name in self.names():
            image = json.loads(self.run("inspect", name))
            blobs = [image["digest"], image["manifest"]["config"]["digest"]] + [x["digest"] for x in image["layers"]]
            wanted |= {"blobs/" + b.replace(":", "/") for b in blobs}
            for x in image["layers"]:
                here = "layers/" + x["diff_id"].split(":")[1]
                wanted |= {here, here + ("/layer.erofs" if "erofs" in x else "/root"), here + "/layer.json"}
        self.check_export()
        files = self.files()
        if files != wanted:
            raise Wrong("too many: %s; missing: %s" % (sorted(files - wanted), sorted(wanted - files)))


def nothing(store):
    pass


def with_new(store):
    store.run("import", "--name", "new", store.work + "/new")


def with_garbage(store):
    with_new(store)
    store.run("rm", "new")


def with_damage(store):
    layer = json.loads(store.run("inspect", "keep"))["layers"][0]["root"]
    os.chmod(layer + "/etc/passwd", 0o666)


def without_partial(store):
    """What a killed export leaves beside its destination goes with the next one."""
    store.run("export", "keep", store.work + "/out.tar")
    if os.path.exists(store.work + "/out.tar.partial"):
        raise Wrong("out.tar.partial")
    os.unlink(store.work + "/out.tar")


# What is at the other end: set by Registries.
WAY = ["--registries", "WORK/registries.yaml", "--progress", "none", "--retry-delay", "10ms", "--retries", "1"]

# name: what is prepared, the command, and what must be run before the store can be judged
OPERATIONS = {
    "import": (nothing, ["import", "--name", "new", "WORK/new"], None),
    "import erofs": (nothing, ["import", "--format", "erofs", "--name", "new", "WORK/new"], None),
    "pull": (nothing, ["pull", *WAY, "--name", "new", "FAKE/new:1"], None),
    "pull erofs": (nothing, ["pull", *WAY, "--format", "erofs", "--name", "new", "FAKE/new:1"], None),
    "push": (with_new, ["push", *WAY, "new", "REAL/new:1"], None),
    "export": (with_new, ["export", "new", "WORK/out.tar"], None),
    "tag": (nothing, ["tag", "keep", "new"], None),
    "rm": (with_new, ["rm", "new"], None),
    "gc": (with_garbage, ["gc"], None),
    "commit": (nothing, ["commit", "--upper", "WORK/upper", "--base", "keep", "new"], None),
    "repair": (with_damage, ["verify", "--repair"], ["verify", "--repair"]),
}


class Registries:
    """Two of them: one that serves the layout new, one that takes what is pushed."""

    def __init__(self, work):
        here = os.path.dirname(os.path.abspath(__file__)) + "/../integration/registry_server.py"
        fake = subprocess.Popen([sys.executable, here, work + "/new", work + "/fake.log"], stdout=subprocess.PIPE, text=True)
        self.all, self.fake = [fake], "127.0.0.1:" + fake.stdout.readline().strip()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.real = "127.0.0.1:%d" % s.getsockname()[1]
        self.start_real(work)
        with open(work + "/registries.yaml", "w") as f:
            f.write("registries:\n" + "".join('  "%s": {plain: true}\n' % x for x in (self.fake, self.real)))

    def start_real(self, work):
        program = shutil.which("docker-registry")
        if not program:
            print("push: left out, docker-registry is not installed")
            del OPERATIONS["push"]
            return
        with open(work + "/real.yml", "w") as f:
            f.write("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/real}}\nhttp:\n  addr: %s\n" % (work, self.real))
        self.all.append(subprocess.Popen([program, "serve", work + "/real.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(tuple(self.real.split(":"))).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def end(self):
        for p in self.all:
            p.kill()
            p.wait()


def command_of(store, args):
    places = {"WORK": store.work, "FAKE": store.registries.fake, "REAL": store.registries.real}
    out = [IMAGE, "--store", store.path]
    for a in args:
        for name, place in places.items():
            a = a.replace(name, place, 1) if a.startswith(name) else a
        out.append(a)
    return out


def step(store, args, *options):
    report = store.work + "/report"
    command = command_of(store, args)
    env = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
    p = subprocess.run([STEP, "--report", report, *options, "--", *command], capture_output=True, text=True, timeout=300, env=env)
    with open(report) as f:
        return p, f.read().split()


def reset(store):
    if "new" in store.names():
        store.run("rm", "new")
    if os.path.exists(store.work + "/out.tar.partial"):
        without_partial(store)
    shutil.rmtree(store.work + "/real/docker", ignore_errors=True)
    store.run("gc")


# Without these the loader or the C library ends the process in its own way. The store is judged all the same.
MEMORY = {"brk", "mmap", "mprotect", "munmap", "mremap", "futex", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64"}


def judge(store, name, p, call, names_after):
    if p.returncode not in (0, 1, 2):
        if call not in MEMORY and "error while loading shared libraries" not in p.stderr:
            raise Wrong("exit code %d: %s" % (p.returncode, p.stderr))
    elif p.returncode == 1 and "carrel-image" not in p.stderr:
        raise Wrong("no text: " + p.stderr)
    elif p.returncode == 0 and name not in ("gc", "repair", "push", "export") and store.names() != names_after:
        raise Wrong("success, but the names are %s" % store.names())


def one_round(store, rng, name, mode, calls):
    prepare, args, settle = OPERATIONS[name]
    reset(store)
    prepare(store)
    before = store.names()
    at = rng.randint(1, calls[name][0])
    options = ["--at", str(at)]
    if mode == "fail":
        options += ["--errno", rng.choice(ERRORS)]
    p, report = step(store, args, *options)
    what = "%s, call %d (%s) %s: " % (name, at, " ".join(report), " ".join(options[2:]))
    try:
        if mode == "fail":
            judge(store, name, p, report[1], calls[name][1])
        store.wait_children()
        if settle:
            store.run(*settle)
        store.check([before, calls[name][1]])
    except Wrong as e:
        raise Wrong(what + str(e))


def descendants(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            mine = [int(x) for x in f.read().split()]
    except OSError:
        return []
    return mine + [x for c in mine for x in descendants(c)]


def one_moment(store, rng, name, seconds, names_after):
    """A process dies of the ten or so that an operation has, at any time: half of the times the command itself."""
    prepare, args, settle = OPERATIONS[name]
    reset(store)
    prepare(store)
    before = store.names()
    wait = rng.uniform(0, seconds)
    p = subprocess.Popen(command_of(store, args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env=dict(os.environ, SOURCE_DATE_EPOCH="1700000000"))
    try:
        p.wait(wait)
    except subprocess.TimeoutExpired:
        pass
    children = descendants(p.pid)
    victim = p.pid if not children or rng.random() < 0.5 else rng.choice(children)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:  # it was done before
        pass
    _, text = p.communicate(timeout=300)
    what = "%s, after %.3f s, %s: " % (name, wait, "itself" if victim == p.pid else "a child of %d" % len(children))
    try:
        if p.returncode not in (0, 1, -signal.SIGKILL):
            raise Wrong("exit code %d: %s" % (p.returncode, text))
        if p.returncode == 1 and "carrel-image" not in text:
            raise Wrong("no text: " + text)
        store.wait_children()
        if settle:
            store.run(*settle)
        store.check([before, names_after])
    except Wrong as e:
        raise Wrong(what + str(e))
    return "itself" if victim == p.pid else "a child"


def moments(store, n):
    rng = random.Random(int(os.environ.get("CRASH_SEED", random.randrange(1 << 30))))
    names, times = {}, {}
    operations = [o for o in OPERATIONS if o not in ("tag", "rm", "repair")]
    for name in operations:
        prepare, args, _ = OPERATIONS[name]
        reset(store)
        prepare(store)
        begin = time.monotonic()
        subprocess.run(command_of(store, args), check=True, capture_output=True, env=dict(os.environ, SOURCE_DATE_EPOCH="1700000000"))
        times[name], names[name] = time.monotonic() - begin, store.names()
    done, wrong = collections.Counter(), []
    for i in range(n):
        name = operations[i % len(operations)]
        try:
            done[name, one_moment(store, rng, name, times[name], names[name])] += 1
        except Wrong as e:
            wrong.append(str(e))
            subprocess.run(["rm", "-rf", store.path], check=True)
            store = Store(store.work, store.registries)
    for name in operations:
        print("%s: killed itself %d times, a child %d times, within %.2f s" % (name, done[name, "itself"], done[name, "a child"], times[name]))
    for w in wrong:
        print("WRONG: " + w)
    return 1 if wrong else 0


def measure(store):
    """How many calls each operation makes, and which names there are after it."""
    calls = {}
    for name, (prepare, args, _) in OPERATIONS.items():
        reset(store)
        prepare(store)
        p, report = step(store, args)
        if p.returncode != 0 or report[0] != "end":
            raise Wrong("%s: %s %s%s" % (name, report, p.stdout, p.stderr))
        calls[name] = (int(report[1]), store.names())
    return calls


def rounds(store, mode, n):
    rng = random.Random(int(os.environ.get("CRASH_SEED", random.randrange(1 << 30))))
    calls = measure(store)
    done, wrong = collections.Counter(), []
    for i in range(n):
        name = list(OPERATIONS)[i % len(OPERATIONS)]
        try:
            one_round(store, rng, name, mode, calls)
        except Wrong as e:
            wrong.append(str(e))
            subprocess.run(["rm", "-rf", store.path], check=True)
            store = Store(store.work, store.registries)
        done[name] += 1
    for name in OPERATIONS:
        print("%s: %d rounds of %d calls" % (name, done[name], calls[name][0]))
    for w in wrong:
        print("WRONG: " + w)
    return 1 if wrong else 0


def listings(store):
    """A directory of which a part was not read is not one that holds less. What gc removes last has no part in that."""
    wrong = []
    for name, most in (("import", 100), ("gc", 10)):
        prepare, args, _ = OPERATIONS[name]
        for at in range(1, most + 1):
            reset(store)
            prepare(store)
            before = store.names()
            lock, needed = pin(store) if name == "gc" else (os.open("/", os.O_PATH), [])
            p, report = step(store, args, "--call", "getdents64", "--at", str(at), "--errno", "ENOMEM")
            try:
                if not all(os.path.exists(x) for x in needed):
                    raise Wrong("what an import needs is gone")
                judge(store, name, p, "getdents64", {**before, "new": store.names().get("new")})
                for image in store.names():
                    whole(store, image)
            except Wrong as e:
                wrong.append("%s, getdents64 %d (%s): %s" % (name, at, " ".join(report), e))
                subprocess.run(["rm", "-rf", store.path], check=True)
                store = Store(store.work, store.registries)
            os.close(lock)
            if report[0] == "end":
                break
        print("%s: %d directories" % (name, at))
    for w in wrong:
        print("WRONG: " + w)
    return 1 if wrong else 0


def whole(store, name):
    image = json.loads(store.run("inspect", name))
    for layer in image["layers"]:
        if "root" not in layer or not os.path.exists(layer["blob"]):
            raise Wrong("%s: a part of it is not there" % name)


def pin(store):
    """What an import that found all of the garbage in the store has there: its lock, and the files."""
    blobs = [store.path + "/blobs/sha256/" + n for n in os.listdir(store.path + "/blobs/sha256")]
    mine = store.path + "/tmp/0123456789abcdef"
    os.makedirs(mine + "/pins")
    for b in blobs:
        open(mine + "/pins/" + os.path.basename(b), "w").close()
    fd = os.open(mine, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd, blobs


def planted(store):
    """Each of these has to be noticed."""
    blob = store.path + "/blobs/sha256/" + "0" * 64
    inspect = json.loads(store.run("inspect", "keep"))
    root = inspect["layers"][0]["root"]
    missed = []

    def plant(what, do, undo, allowed=None):
        do()
        try:
            store.check(allowed or [store.names()])
            missed.append(what)
        except Wrong:
            pass
        undo()

    def write(path):
        with open(path, "w") as f:
            f.write("x")

    plant("a blob that is not its name", lambda: write(blob), lambda: os.path.exists(blob) and os.unlink(blob))
    plant("a file in a layer", lambda: write(root + "/more"), lambda: os.unlink(root + "/more"))
    plant("a file in the store", lambda: write(store.path + "/x"), lambda: os.unlink(store.path + "/x"))
    plant("a lost name", lambda: None, lambda: None, [{"other": "x"}])
    keep = subprocess.Popen([IMAGE, "--store", store.path, "import", "--name", "y", "/dev/stdin"], stdin=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    while not os.listdir(store.path + "/tmp"):
        time.sleep(0.02)
    store.patience = 2  # it stays
    plant("a process and its directory", lambda: None, keep.kill)
    keep.wait()
    for m in missed:
        print("NOT SEEN: " + m)
    return 1 if missed else 0


def main():
    mode, work = sys.argv[1:3]
    registries = Registries(work) if mode != "planted" else None
    store = Store(work, registries)
    try:
        if mode == "planted":
            return planted(store)
        if mode == "listings":
            return listings(store)
        return moments(store, int(sys.argv[3])) if mode == "moment" else rounds(store, mode, int(sys.argv[3]))
    finally:
        if registries:
            registries.end()


sys.exit(main())
