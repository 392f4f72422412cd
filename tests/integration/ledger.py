"""The leak ledger: what sandboxes leave on the machine, counted. For ledger.bats.

  ledger.py cycles WORK STORE N        N sandboxes made and deleted through the daemon
  ledger.py kills WORK STORE N SEED    N sandboxes, and kill -9 of shim, runtime, init or daemon at a random moment of each
  ledger.py planted WORK STORE         one leak of every kind is planted: each must be seen

What is ours is told by names that nothing else uses: the run directory, the cgroup parent, a range of uids.
CARREL_BIN and TOP are in the environment. Prints what it did; exits 1 and prints the residue when there is any.
"""
import glob
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

BIN, TOP = os.environ["CARREL_BIN"], os.environ["TOP"]
UID_BASE, UID_SLOTS = 1200000000, 64
UID_END = UID_BASE + UID_SLOTS * 65536


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "replace")
    except OSError:
        return ""


def pids():
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


def fail(text):
    print(text)
    sys.exit(1)


class Machine:
    """What of ours exists at one moment, as lines of text."""

    def __init__(self, run, cgroup):
        self.run, self.cgroup = run, cgroup

    def ours(self, pid):
        uid = re.search(r"^Uid:\s+(\d+)", read("/proc/%d/status" % pid), re.M)
        command = read("/proc/%d/cmdline" % pid).replace("\0", " ")
        if uid and UID_BASE <= int(uid.group(1)) < UID_END:
            return command or "?"
        if self.run + "/" in command and "carrel-" in command.split(" ")[0] and "sessiond" not in command:
            return command
        return None

    def lines(self, daemon=None):
        found = []
        host_net = os.readlink("/proc/self/ns/net")
        for pid in pids():
            command = self.ours(pid)
            if command is None:
                continue
            found.append("process %s" % command[:100])
            try:
                net = os.readlink("/proc/%d/ns/net" % pid)
                if net != host_net:
                    found.append("netns %s" % net)
            except OSError:
                pass
        for line in read("/proc/self/mountinfo").splitlines():
            if self.run in line or self.cgroup in line:
                found.append("mount " + line)
        for top, dirs, _ in os.walk("/sys/fs/cgroup"):
            found += ["cgroup " + os.path.join(top, d) for d in dirs if self.cgroup + "/" in os.path.join(top, d) + "/"]
        found += ["link " + name for name in os.listdir("/sys/class/net")]
        for line in read("/proc/net/unix").splitlines():
            if self.run + "/" in line:
                found.append("socket " + line.split(" ")[-1])
        for top, dirs, files in os.walk(self.run):
            found += ["inode " + os.path.join(top, n) for n in dirs + files]
        for name in os.listdir("/dev/shm"):
            st = os.lstat("/dev/shm/" + name)
            if UID_BASE <= st.st_uid < UID_END or "carrel" in name:
                found.append("shm " + name)
        if daemon:
            found.append("descriptors of the daemon %d" % len(os.listdir("/proc/%d/fd" % daemon)))
        return sorted(found)


class Daemon:
    def __init__(self, work, store):
        self.work, self.run = work, work + "/run"
        # sessiond is given its parent, sandboxes are its children.
        self.cgroup = "/carrel-ledger-%d" % os.getpid()
        self.options = [
            "--state-dir", work + "/state", "--run-dir", self.run, "--store", store, "--tiers", work + "/tiers.yaml",
            "--seccomp", TOP + "/config/seccomp.json", "--cgroup", self.cgroup, "--web", work + "/web",
            "--uid-base", str(UID_BASE), "--uid-slots", str(UID_SLOTS)]
        os.makedirs(work + "/web", exist_ok=True)
        with open(TOP + "/config/tiers.yaml") as f:
            tiers = re.sub(r"creations_per_hour: \d+", "creations_per_hour: 100000", f.read())
        with open(work + "/tiers.yaml", "w") as f:
            f.write(tiers)
        self.key = subprocess.check_output(
            [BIN + "/carrel-sessiond", *self.options, "key", "add", "--user", "ledger", "--tier", "enterprise"], text=True).strip()
        self.machine = Machine(self.run, self.cgroup)
        self.log = open(work + "/log", "ab")
        self.port = 0
        self.start()

    def start(self, ephemeral=False):
        mode = ["--ephemeral"] if ephemeral else []
        # A child of the one before that has not become its program yet has the port still.
        end = time.monotonic() + 30
        while True:
            self.p = subprocess.Popen(
                [BIN + "/carrel-sessiond", *self.options, *mode, "--listen", "127.0.0.1:%d" % self.port],
                stdout=subprocess.PIPE, stderr=self.log)
            line = self.p.stdout.readline().decode()
            if line:
                break
            self.p.wait()
            text = read(self.work + "/log")[-3000:]
            if "Address already in use" not in text[-200:] or time.monotonic() > end:
                fail("the daemon does not start:\n" + text)
            time.sleep(0.1)
        self.port = int(line.strip().rsplit(":", 1)[1])

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        self.p.wait(60)
        self.p.stdout.close()

    def call(self, method, path, body=None):
        """Status and JSON; None when the daemon is not there or died over it."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            c.request(method, path, body, {"Authorization": "Bearer " + self.key, "Content-Type": "application/json"})
            r = c.getresponse()
            text = r.read()
            return r.status, json.loads(text) if text else None
        except (OSError, http.client.HTTPException):
            return None, None
        finally:
            c.close()

    def create(self):
        return self.call("POST", "/v1/sandboxes", json.dumps({"command": ["/bin/sleep", "1000"]}))

    def delete_all(self):
        end = time.monotonic() + 60
        while True:
            status, page = self.call("GET", "/v1/sandboxes?limit=200")
            if status != 200:
                fail("list: %s" % status)
            if not page["items"]:
                return
            for item in page["items"]:
                self.call("DELETE", "/v1/sandboxes/" + item["id"])
            if time.monotonic() > end:
                fail("these do not end: %s" % [i["id"] for i in page["items"]])

    def settled(self, wanted, seconds=20):
        """What differs from `wanted` once it has stopped to differ, or after so many seconds."""
        end = time.monotonic() + seconds
        while True:
            now = self.machine.lines(self.p.pid)
            if now == wanted or time.monotonic() > end:
                more = list(now)
                for line in wanted:
                    if line in more:
                        more.remove(line)
                return more + ["missing: " + line for line in wanted if line not in now]
            time.sleep(0.1)


def warm_up(d):
    """The state of rest: after it the template, the filter's cache and the pools exist."""
    for _ in range(3):
        status, box = d.create()
        if status != 201:
            fail("create: %s %s\n%s" % (status, box, read(d.work + "/log")[-2000:]))
        d.call("DELETE", "/v1/sandboxes/" + box["id"])
    d.delete_all()
    time.sleep(0.5)
    return d.machine.lines(d.p.pid)


def cycles(d, n):
    rest = warm_up(d)
    wrong = []

    def work(count):
        for _ in range(count):
            status, box = d.create()
            if status != 201:
                wrong.append((status, box))
                continue
            status, _ = d.call("DELETE", "/v1/sandboxes/" + box["id"])
            if status != 204:
                wrong.append((status, box["id"]))

    threads = [threading.Thread(target=work, args=(n // 2,)) for _ in range(2)]
    during = 0
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        during = max(during, len(d.machine.lines(d.p.pid)))
        time.sleep(0.05)
    d.delete_all()
    print("%d cycles, %d failed; lines of the ledger at rest %d, meanwhile up to %d" % (n, len(wrong), len(rest), during))
    if wrong:
        fail("failed: %s" % wrong[:5])
    if during <= len(rest):
        fail("the ledger saw nothing of %d sandboxes" % n)
    return d.settled(rest)


class Victims:
    """Who may be killed, by what they are."""

    def __init__(self, d, known=()):
        self.d, self.known = d, set(known)

    def find(self, kind):
        if kind == "daemon":
            return [self.d.p.pid]
        found = []
        # A runtime lives for a few milliseconds: only what is new since `known` is looked at.
        for pid in pids():
            if pid in self.known:
                continue
            words = read("/proc/%d/cmdline" % pid).split("\0")
            name = os.path.basename(words[0])
            if kind == "init":
                if name == "carrel-init" and self.d.machine.ours(pid):
                    found.append(pid)
            elif name == "carrel-" + kind and any(w.startswith(self.d.run + "/") for w in words):
                found.append(pid)
        return found


def kill_round(d, kind, chance):
    """One creation with one murder; True when there was somebody to kill."""
    victims, hit = Victims(d, pids()), False
    maker = threading.Thread(target=d.create)
    maker.start()
    if kind != "runtime":
        time.sleep(chance.uniform(0, 0.03))
    # Until there is one, or the creation is over.
    while not hit:
        alive = maker.is_alive()
        found = victims.find(kind)
        if kind == "shim" and found and chance.random() < 0.5:
            found = [chance.choice(found)]
        if found:
            time.sleep(chance.uniform(0, 0.004))
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
                hit = True
            except ProcessLookupError:
                pass
        if not alive:
            break
    maker.join(60)
    if d.p.poll() is not None:
        d.p.stdout.close()
        d.start()
    return hit


def kills(d, n, seed):
    chance = random.Random(seed)
    rest = warm_up(d)
    kinds = ["shim", "runtime", "init", "daemon"]
    hits = dict.fromkeys(kinds, 0)
    for i in range(n):
        kind = kinds[i % len(kinds)]
        for _ in range(4):  # it may have been gone before the blow fell
            if kill_round(d, kind, chance):
                hits[kind] += 1
                break
    # All at once, with some alive.
    for _ in range(4):
        d.create()
    for kind in kinds:
        for pid in Victims(d).find(kind):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    d.p.wait(10)
    d.p.stdout.close()
    d.start()
    d.delete_all()
    print("%d sandboxes, seed %s; killed %s" % (n, seed, " ".join("%s %d" % kv for kv in hits.items())))
    for kind, count in hits.items():
        if count < n // len(kinds) // 2:
            fail("too few of them were met: %s" % kind)
    # A daemon that has just started has its own number of descriptors; the rest is as before.
    rest = [line for line in rest if not line.startswith("descriptors")]
    rest += [line for line in d.machine.lines(d.p.pid) if line.startswith("descriptors")]
    return d.settled(sorted(rest))


def planted(d):
    rest = warm_up(d)
    run, uid = d.run, UID_BASE + 5
    process = subprocess.Popen(["setpriv", "--reuid", str(uid), "--clear-groups", "sleep", "60"])
    space = subprocess.Popen(["unshare", "-n", "setpriv", "--reuid", str(uid + 1), "--clear-groups", "sleep", "60"])
    groups = [g for g in glob.glob("/sys/fs/cgroup/*/") if "unified" not in g] or ["/sys/fs/cgroup/"]
    group = [os.path.join(g, d.cgroup[1:], "leak") for g in groups if os.path.isdir(os.path.join(g, d.cgroup[1:]))]
    group = group or [os.path.join(groups[0], d.cgroup[1:], "leak")]
    os.makedirs(group[0])
    os.mkdir(run + "/leak")
    subprocess.check_call(["mount", "-t", "tmpfs", "leak", run + "/leak"])
    subprocess.check_call(["ip", "link", "add", "leak0", "type", "veth", "peer", "name", "leak1"])
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(run + "/leak.sock")
    listener.listen()
    open("/dev/shm/carrel-leak", "w").close()
    held = socket.create_connection(("127.0.0.1", d.port))
    held.send(b"GET / HTTP/1.1\r\n")
    time.sleep(0.5)
    try:
        seen = d.settled(rest, 0)
    finally:
        held.close()
        os.unlink("/dev/shm/carrel-leak")
        listener.close()
        os.unlink(run + "/leak.sock")
        subprocess.call(["ip", "link", "del", "leak0"])
        subprocess.call(["umount", run + "/leak"])
        os.rmdir(run + "/leak")
        os.rmdir(group[0])
        for p in (process, space):
            p.kill()
            p.wait()
    for kind in ["process", "netns", "cgroup", "mount", "link", "socket", "inode", "shm", "descriptors"]:
        if not any(line.startswith(kind) for line in seen):
            fail("a leak of this kind is not seen: %s\n%s" % (kind, "\n".join(seen)))
        print("seen: " + next(line for line in seen if line.startswith(kind))[:100])
    return d.settled(rest)


def main():
    what, work, store = sys.argv[1:4]
    d = Daemon(work, store)
    try:
        if what == "cycles":
            residue = cycles(d, int(sys.argv[4]))
        elif what == "kills":
            residue = kills(d, int(sys.argv[4]), sys.argv[5])
        else:
            residue = planted(d)
    finally:
        if d.p.poll() is None:
            d.stop()
        d.start(ephemeral=True)
        d.stop()
        for path in glob.glob("/sys/fs/cgroup/*" + d.cgroup) + glob.glob("/sys/fs/cgroup" + d.cgroup):
            try:
                os.rmdir(path)
            except OSError as e:
                print("%s: %s" % (path, e))
    if residue:
        fail("left:\n" + "\n".join(residue))


main()
