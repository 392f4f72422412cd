"""Breaks carrel-image at its system calls and looks at the store. For store-crash.bats.

  store_crash.py kill WORK ROUNDS     SIGKILL at the entry of a random call of a random operation
  store_crash.py fail WORK ROUNDS     the call fails with ENOSPC, EIO or ENOMEM: it worked, or an error with a text
  store_crash.py planted WORK         the control: every kind of damage and residue must be seen

After each round: the names are those from before or those from after, no process and no work directory is left, verify finds
nothing, and after a gc there is nothing that no image needs. WORK holds the layouts base and new, and upper, an overlay's upper
directory. CARREL_BIN is in the environment, CRASH_SEED makes the same rounds again. Prints a line per operation.
"""
import collections
import json
import os
import random
import subprocess
import sys
import time

BIN = os.environ["CARREL_BIN"]
IMAGE, STEP = BIN + "/carrel-image", BIN + "/../tests/crash/step"
ERRORS = ["ENOSPC", "EIO", "ENOMEM"]


class Wrong(Exception):
    pass


class Store:
    def __init__(self, work):
        self.work, self.path = work, work + "/store"
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

    def wait_children(self):
        deadline = time.monotonic() + 10
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
        return line[0].endswith(b"carrel-image") and self.path.encode() in line

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
                wanted |= {here, here + "/root", here + "/layer.json"}
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


# name: what is prepared, the command, and what must be run before the store can be judged
OPERATIONS = {
    "import": (nothing, ["import", "--name", "new", "WORK/new"], None),
    "tag": (nothing, ["tag", "keep", "new"], None),
    "rm": (with_new, ["rm", "new"], None),
    "gc": (with_garbage, ["gc"], None),
    "commit": (nothing, ["commit", "--upper", "WORK/upper", "--base", "keep", "new"], None),
    "repair": (with_damage, ["verify", "--repair"], ["verify", "--repair"]),
}


def step(store, args, *options):
    report = store.work + "/report"
    command = [IMAGE, "--store", store.path] + [a.replace("WORK", store.work, 1) for a in args]
    env = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
    p = subprocess.run([STEP, "--report", report, *options, "--", *command], capture_output=True, text=True, timeout=300, env=env)
    with open(report) as f:
        return p, f.read().split()


def reset(store):
    if "new" in store.names():
        store.run("rm", "new")
    store.run("gc")


# Without these the loader or the C library ends the process in its own way. The store is judged all the same.
MEMORY = {"brk", "mmap", "mprotect", "munmap", "mremap", "futex", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64"}


def judge(store, name, p, call, names_after):
    if p.returncode not in (0, 1, 2):
        if call not in MEMORY and "error while loading shared libraries" not in p.stderr:
            raise Wrong("exit code %d: %s" % (p.returncode, p.stderr))
    elif p.returncode == 1 and "carrel-image" not in p.stderr:
        raise Wrong("no text: " + p.stderr)
    elif p.returncode == 0 and name not in ("gc", "repair") and store.names() != names_after:
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
            store = Store(store.work)
        done[name] += 1
    for name in OPERATIONS:
        print("%s: %d rounds of %d calls" % (name, done[name], calls[name][0]))
    for w in wrong:
        print("WRONG: " + w)
    return 1 if wrong else 0


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
    time.sleep(0.3)
    plant("a process and its directory", lambda: None, keep.kill)
    keep.wait()
    for m in missed:
        print("NOT SEEN: " + m)
    return 1 if missed else 0


def main():
    mode, work = sys.argv[1:3]
    store = Store(work)
    return planted(store) if mode == "planted" else rounds(store, mode, int(sys.argv[3]))


sys.exit(main())
