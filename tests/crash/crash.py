"""Breaks the runtime at each of its system calls and looks at what is left. For crash.bats.

  crash.py kill WORK EVERY OFFSET   SIGKILL at the entry of a call: `delete --force` must remove everything, and the same id
                                    must be free for a new container
  crash.py fail WORK EVERY OFFSET   the call fails with some errno: either the container is whole, as read from inside, or there
                                    is an error with a text and nothing is left
  crash.py planted WORK             the control: leaks of every kind and weaker containers must be seen

The calls OFFSET, OFFSET + EVERY, ... of each operation are taken; EVERY 1 is all of them, with each errno (CRASH_EACH: with so many). WORK holds the
bundles: whole, user and rdt, whose program shows what it sees of itself, sleep and rdt-sleep, saved (which CRIU can take) and short. CARREL_BIN is
in the environment, and CARREL_TEST_RESCTRL, the directory that the bundles rdt take for resctrl. Prints one line per operation, and what
is wrong.
"""
import collections
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from crash_box import SLOW, Box, Wrong, cgroup_roots, children, read

ERRORS = ["EPERM", "ENOSYS", "ENOMEM", "EIO"]
ONLY = os.environ.get("CRASH_ONLY", "")
PR_SET_CHILD_SUBREAPER = 36


# ---- operations: what is there before, and the command ----


def nothing(box):
    return []


def no_filter(box):
    """The compiled filter is not there yet."""
    shutil.rmtree(box.root + "/@seccomp", ignore_errors=True)
    return []


def created(box):
    box.must("create", "-b", box.bundle, box.id)
    return []


def its_init(box):
    created(box)
    return ["--pid", str(box.init())]


def running(box):
    created(box)
    box.must("start", box.id)
    return []


def paused(box):
    running(box)
    box.must("pause", box.id)
    return []


def in_sleep(box):
    """CRIU takes no file of the host: the program has let go of the streams that it was made with."""
    running(box)
    box.until("sleep", lambda: read("/proc/%d/comm" % box.init()) == "sleep\n")
    return []


def to_save(box):
    shutil.rmtree(box.images, ignore_errors=True)
    return in_sleep(box)


def saved(box):
    """Read again and again."""
    if not os.path.exists(box.saved):
        in_sleep(box)
        box.must("checkpoint", "--image-path", box.saved, box.id)
    return []


def stopped(box):
    created(box)
    box.must("kill", box.id, "KILL")
    box.until("the end", lambda: box.status() == "stopped")
    return []


Operation = collections.namedtuple("Operation", "name bundle before step command")
CHILD = ["--who", "child"]
OPERATIONS = [
    Operation("create", "whole", nothing, [], ["create", "-b", "BUNDLE", "ID"]),
    Operation("create, first filter", "whole", no_filter, [], ["create", "-b", "BUNDLE", "ID"]),
    Operation("create, init", "whole", nothing, CHILD, ["create", "-b", "BUNDLE", "ID"]),
    Operation("create, user namespace", "user", nothing, [], ["create", "-b", "BUNDLE", "ID"]),
    Operation("create, user namespace, init", "user", nothing, CHILD, ["create", "-b", "BUNDLE", "ID"]),
    Operation("create, idmapped mount", "idmap", nothing, [], ["create", "-b", "BUNDLE", "ID"]),
    Operation("start", "whole", created, [], ["start", "ID"]),
    Operation("start, init", "whole", its_init, [], ["start", "ID"]),
    Operation("run", "whole", nothing, [], ["run", "-b", "BUNDLE", "ID"]),
    Operation("run, init", "whole", nothing, CHILD, ["run", "-b", "BUNDLE", "ID"]),
    Operation("run, user namespace, init", "user", nothing, CHILD, ["run", "-b", "BUNDLE", "ID"]),
    Operation("exec", "sleep", running, [], ["exec", "ID", "/bin/sh", "/show"]),
    Operation("exec, its process", "sleep", running, CHILD, ["exec", "ID", "/bin/sh", "/show"]),
    Operation("pause", "sleep", running, [], ["pause", "ID"]),
    Operation("resume", "sleep", paused, [], ["resume", "ID"]),
    Operation("update", "sleep", running, [], ["update", "--memory", "33554432", "--pids-limit", "40", "--cpu-share", "300", "ID"]),
    Operation("create, class of RDT", "rdt", nothing, [], ["create", "-b", "BUNDLE", "ID"]),
    Operation("update, class of RDT", "rdt-sleep", running, [],
              ["update", "--l3-cache-schema", "L3:0=1", "--mem-bw-schema", "MB:0=30", "--memory", "33554432", "ID"]),
    Operation("events --stats", "sleep", running, [], ["events", "--stats", "ID"]),
    Operation("events", "short", running, [], ["events", "--interval", "50ms", "ID"]),
    Operation("checkpoint", "saved", to_save, [], ["checkpoint", "--image-path", "IMAGES", "ID"]),
    Operation("checkpoint --leave-running", "saved", to_save, [], ["checkpoint", "--leave-running", "--image-path", "IMAGES", "ID"]),
    Operation("restore", "saved", saved, [], ["restore", "-d", "-b", "BUNDLE", "--image-path", "SAVED", "ID"]),
    Operation("kill", "sleep", running, [], ["kill", "ID", "KILL"]),
    Operation("kill --all", "sleep", running, [], ["kill", "--all", "ID", "KILL"]),
    Operation("delete", "whole", stopped, [], ["delete", "ID"]),
    Operation("delete --force, class of RDT", "rdt-sleep", running, [], ["delete", "--force", "ID"]),
    Operation("delete --force", "sleep", running, [], ["delete", "--force", "ID"]),
    Operation("delete --force, paused", "sleep", paused, [], ["delete", "--force", "ID"]),
]


def words(box, op):
    known = {"ID": box.id, "BUNDLE": box.bundle, "IMAGES": box.images, "SAVED": box.saved}
    return [known.get(w, w) for w in op.command]


def delete_and_look(box, after):
    began = time.monotonic()
    box.must("delete", "--force", box.id)
    if time.monotonic() - began > 25 * SLOW:
        raise Wrong("delete --force took %.1f s" % (time.monotonic() - began))
    left = box.left()
    if left:
        raise Wrong("%s left: %s" % (after, "; ".join(left)))


# ---- kill ----


def kill_one(box, op, at, tally):
    more = op.before(box)
    _, call = box.step([*op.step, *more, "--at", str(at)], words(box, op))
    try:
        box.must("list", "-q")
        delete_and_look(box, "delete --force")
        if box.hit:
            tally["killed"] += 1
            box.must("create", "-b", box.bundle, box.id)
            delete_and_look(box, "a second container")
    except Wrong as w:
        raise Wrong("killed at call %d, %s: %s" % (at, call, w))


# ---- fail ----


def normal(text):
    """What may differ between two runs of one container is taken out."""
    lines = []
    for line in text.splitlines():
        # Counts the user's signals in all of the machine.
        if line.startswith("SigQ:"):
            continue
        # The caller's, which somebody may change on the way: the configuration asks for none.
        if line.startswith("nice "):
            continue
        # Where a device cannot be made it is the host's, bound: what it is, its stat line tells.
        if re.match(r"\d+ \d+ \d+:\d+ /(null|zero|full|random|urandom|tty) /dev/\1 rw,nosuid,noexec,relatime ", line):
            continue
        ns = re.match(r"ns (\w+) (.*)", line)
        mount = re.match(r"\d+ \d+ \d+:\d+ (/.*)", line)
        if ns:
            host = os.readlink("/proc/self/ns/" + ns.group(1)) == ns.group(2)
            line = "ns %s %s" % (ns.group(1), "host" if host else "own")
        if mount:
            line = re.sub(r"\b(master|shared):\d+", r"\1", mount.group(1))
        # The default when /etc/passwd cannot be read.
        lines.append("env HOME" if line in ("env HOME=/", "env HOME=/home/user") else line)
    return lines


def whole(box, reference):
    got = normal(read(box.shown))
    if got != reference:
        more = ["-" + x for x in reference if x not in got] + ["+" + x for x in got if x not in reference]
        raise Wrong("not the same container as without the fault: " + "; ".join(more[:12]))


def error_text(box):
    if not box.said or "Success" in box.said or "(null)" in box.said or box.said.endswith(":"):
        raise Wrong("no error with a text: %r" % box.said)


def show(box, op):
    """What a program does not show of itself."""
    if op.command[0] == "update":
        box.show_limits()
    if op.command[0] == "events":
        box.show_statistics()


def after_success(box, op, reference):
    verb = op.command[0]
    if verb == "create":
        box.must("start", box.id)
    if verb in ("create", "start"):
        box.until("the end of the program", lambda: box.status() == "stopped")
    show(box, op)
    if verb in ("create", "start", "run", "exec", "update") or "--stats" in op.command:
        whole(box, reference)
    if verb == "kill":
        box.until("the end of what was killed", lambda: box.status() == "stopped")
    if verb in ("run", "delete") or is_last(op):
        left = box.left()
        if left:
            raise Wrong("left: " + "; ".join(left))
    if verb == "checkpoint" and not os.path.exists(box.images + "/descriptors.json"):
        raise Wrong("succeeded, and there is no checkpoint")
    if verb in ("pause", "resume", "restore") or "--leave-running" in op.command:
        wanted = "paused" if verb == "pause" else "running"
        if box.status() != wanted:
            raise Wrong("%s succeeded, and it is %s" % (verb, box.status()))


def is_last(op):
    """A checkpoint ends its container, as a rule."""
    return op.command[0] == "checkpoint" and "--leave-running" not in op.command


def after_error(box, op, reference):
    verb = op.command[0]
    error_text(box)
    # A fault in the removal after the program's end may leave what is to be removed, since it is told.
    if verb in ("create", "restore") or (verb == "run" and normal(read(box.shown)) != reference):
        left = box.left()
        if left:
            raise Wrong("%s, and left: %s" % (box.said, "; ".join(left)))
    # What has ended it must have saved it.
    if verb == "checkpoint" and not os.path.exists(box.images + "/descriptors.json") and box.status() != "running":
        raise Wrong("%s, and it is %s without a checkpoint" % (box.said, box.status()))
    if verb == "exec":
        box.until("the end of exec's process", lambda: len(pids(box)) == 1)


def pids(box):
    box.must("ps", "--format", "json", box.id)
    return json.loads(read(box.out))


def fail_one(box, op, at, error, reference, tally):
    more = op.before(box)
    code, call = box.step([*op.step, *more, "--at", str(at), "--errno", error], words(box, op))
    try:
        if code == "timeout":
            raise Wrong("hangs")
        if code == 0:
            after_success(box, op, reference)
        else:
            after_error(box, op, reference)
        delete_and_look(box, "delete --force")
    except Wrong as w:
        raise Wrong("call %d, %s, fails with %s: %s" % (at, call, error, w))
    if box.hit:
        tally["succeeded" if code == 0 else "refused"] += 1


def reference_of(box, op):
    """What the program shows without a fault, which must be the same each time."""
    seen = []
    for _ in range(2):
        op.before(box)
        box.must(*words(box, op))
        if op.command[0] == "create":
            box.must("start", box.id)
        if op.command[0] in ("create", "start"):
            box.until("the end", lambda: box.status() == "stopped")
        show(box, op)
        seen.append(normal(read(box.shown)))
        delete_and_look(box, "without a fault")
    least = {"create": 50, "start": 50, "run": 50, "exec": 50, "update": 3, "events": 3}.get(op.command[0], 0)
    if least and (len(seen[0]) < least or (seen[0] != seen[1] and op.bundle != "short")):
        raise Wrong("the program shows %d lines, and %d" % (len(seen[0]), len(seen[1])))
    return seen[0]


# ---- all ----


def sweep(work, op, mode, every, offset):
    """What was wrong."""
    box, tally, wrong = Box(work, op.bundle), collections.Counter(), []
    reference = reference_of(box, op)
    at, began, box.hit = offset, time.monotonic(), True
    each = int(os.environ.get("CRASH_EACH", len(ERRORS) if every == 1 else 1))
    while box.hit and len(wrong) <= 200:
        for error in [None] if mode == "kill" else [ERRORS[(at // every + i) % len(ERRORS)] for i in range(each)]:
            try:
                if mode == "kill":
                    kill_one(box, op, at, tally)
                else:
                    fail_one(box, op, at, error, reference, tally)
            except Wrong as w:
                wrong.append("%s: %s" % (op.name, w))
                print(wrong[-1], flush=True)
                box.clean()
        at += every
    counts = ", ".join("%d %s" % (n, what) for what, n in sorted(tally.items()))
    print("%-30s %s; %d wrong; %.1f s" % (op.name, counts, len(wrong), time.monotonic() - began), flush=True)
    if every == 1 and not tally:
        wrong.append("%s: no call was met" % op.name)
        print(wrong[-1])
    return wrong


def planted(work):
    """Every kind of leak, and containers that are weaker by one thing each."""
    box = Box(work, "whole")
    op = next(o for o in OPERATIONS if o.name == "run")
    reference = reference_of(box, op)
    group = [g for g in cgroup_roots() if os.access(g, os.W_OK)][0] + "/carrel-test/" + box.id
    process = subprocess.Popen(["sleep", "100"])
    os.makedirs(group)
    os.makedirs(box.root + "/x")
    os.makedirs(box.classes + "/x")
    subprocess.check_call(["mount", "-t", "tmpfs", "leak", box.root + "/x"])
    box.patience = 2  # it stays
    seen = box.left()
    del box.patience
    subprocess.check_call(["umount", box.root + "/x"])
    os.rmdir(box.root + "/x")
    os.rmdir(group)
    os.rmdir(box.classes + "/x")
    os.kill(children()[0], signal.SIGKILL)
    process.wait()
    for kind in ("process", "cgroup", "file", "mount", "class"):
        if not any(line.startswith(kind) for line in seen):
            raise Wrong("a leak is not seen: " + kind)
    weaker = {
        "seccomp": lambda c: c["linux"].pop("seccomp"),
        "no_new_privs": lambda c: c["process"].update(noNewPrivileges=False),
        "capabilities": lambda c: [c["process"]["capabilities"][k].append("CAP_FOWNER") for k in ("bounding", "effective", "permitted")],
        "mask": lambda c: c["linux"]["maskedPaths"].remove("/proc/keys"),
        "read-only path": lambda c: c["linux"]["readonlyPaths"].remove("/proc/sys"),
        "memory": lambda c: c["linux"]["resources"]["memory"].pop("limit"),
        "pids": lambda c: c["linux"]["resources"].pop("pids"),
        "namespace": lambda c: c["linux"]["namespaces"].remove({"type": "cgroup"}),
        "rlimit": lambda c: c["process"].pop("rlimits"),
        "read-only root": lambda c: c["root"].update(readonly=False),
        "mount option": lambda c: c["mounts"][0].update(options=[]),
        "user": lambda c: c["process"].update(user={"uid": 0, "gid": 0}),
    }
    for what, edit in weaker.items():
        config = read(box.bundle + "/config.json")
        box.configure(edit)
        box.must("run", "-b", box.bundle, box.id)
        with open(box.bundle + "/config.json", "w") as f:
            f.write(config)
        if normal(read(box.shown)) == reference:
            raise Wrong("a weaker container is not seen: " + what)
    print("%d leaks and %d weaker containers were seen" % (len(seen), len(weaker)))


def main():
    mode, work = sys.argv[1:3]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if mode == "planted":
        planted(work)
        return
    every, offset = int(sys.argv[3]), int(sys.argv[4])
    wrong = []
    for op in OPERATIONS:
        if not os.path.exists("%s/%s" % (work, op.bundle)):
            print("%-30s left out: no bundle %s can be had here" % (op.name, op.bundle), flush=True)
        elif re.search(ONLY, op.name):
            wrong += sweep(work, op, mode, every, offset)
    sys.exit(1 if wrong else 0)


main()
