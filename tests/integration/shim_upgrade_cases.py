"""A running shim becomes another program: shim_upgrade.bats runs these by name, as shim_cases.py its own.

The programs are copies of carrel-shim in a directory of root's; another build of it is one whose build note was changed: the same
code under another name.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
import time
import traceback

import shim_cases
import shim_client as sc
from shim_cases import SAN, SH, WORK, alive, box, eq, gone, nothing_left, sh, started, sweep
from shim_procs_cases import exec_, listed, output_of, script, waited

PROGRAMS = os.path.join(WORK, "programs")


def build_of(path):
    return json.loads(subprocess.run([path, "--handover-version"], check=True, capture_output=True).stdout)["build"]


def program(name, salt=None):
    """A copy; with salt another build."""
    os.makedirs(PROGRAMS, mode=0o755, exist_ok=True)
    path = os.path.join(PROGRAMS, "carrel-shim-" + name)
    with open(ORIGINAL, "rb") as f:
        data = f.read()
    if salt is not None:
        note = bytes.fromhex(build_of(ORIGINAL))
        assert data.count(note) == 1, "the build note is not there once"
        data = data.replace(note, bytes(b ^ salt for b in note))
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)
    return path


ORIGINAL = sc.SHIM


def upgrade(b, **kw):
    r = b.ask("upgrade", **kw)
    assert r["ok"], f"{r}; {b.log()}"
    return r


def refused(b, code, pattern, **kw):
    r = b.ask("upgrade", **kw)
    assert not r["ok"] and r["code"] == code and re.search(pattern, r["error"]), r
    return r


def one():
    """The control of all others: another build, the same process, the same connections."""
    a, other = program("a"), program("b", 1)
    sc.SHIM = a
    with box(SH) as b:
        started(b)
        c = b.attach()
        c.hello()
        c.input("echo $((6*7))\n")
        c.until("42")
        watcher = b.attach(role="viewer", read_only=True)
        watcher.hello()
        front, info = b.front_pid(), b.ask("info")
        assert alive(front)
        r = upgrade(b, program=other)
        eq((r["upgraded"], r["build"]), (True, build_of(other)))
        # Who may only watch still may not more.
        watcher.send(bytes([sc.PEN, 1]))
        watcher.input("echo no$((1+1))\n")
        c.input("echo $((7*8))\n")
        c.until("56")
        watcher.until("56")
        assert b"no" not in c.output and b.ask("info")["attached"][0]["role"] == "viewer"
        after = b.ask("info")
        eq(after["build"], build_of(other))
        eq([after[k] for k in ("pid", "cols", "clients", "attached")], [info[k] for k in ("pid", "cols", "clients", "attached")])
        gone(front)
        assert alive(b.front_pid()) and b.front_pid() != front
        # The same one: nothing to do; and again the default is what it was started from last.
        eq(upgrade(b)["upgraded"], False)
        eq(upgrade(b, force=True)["upgraded"], True)
        c.input("exit 3\n")
        eq(c.until_closed().code, 1000)
        eq(c.exit(), {"reason": "exited", "code": 3, "signal": 0})
        x = b.exit_json()
        eq((x["reason"], x["code"], x["error"], x["usage"]["output_bytes"]), ("exited", 3, None, c.next))
        assert x["usage"]["memory_peak"] > 0 and x["usage"]["cpu_ns"] > 0
        eq(b.wait(), 0)
        nothing_left(b)



def failing(step, action, name=""):
    """The program of tests/othershim.c."""
    path = os.path.join(PROGRAMS, f"{step}-{action}{name}")
    shutil.copy(os.path.join(os.path.dirname(ORIGINAL), "..", "tests", "othershim"), path)
    os.chmod(path, 0o755)
    with open(path + ".mode", "w") as f:
        f.write(f"{program('real', 5)} {step} {action}\n")
    return path


# ---- what clients see ----

def output_of_message(protocol, m):
    if protocol == "terminado":
        name, text = (json.loads(m) + [""])[:2]
        return text.encode() if name == "stdout" else b""
    if protocol == "tty":
        return m[1:] if m[:1] == b"0" else b""
    if protocol.startswith("v5"):
        return m[1:] if m[:1] == b"\x01" else b""
    return m


class Reader(threading.Thread):
    """Takes all that one client is sent, up to its close."""

    def __init__(self, client, protocol):
        super().__init__(daemon=True)
        self.client, self.protocol, self.code, self.got, self.failure = client, protocol, None, bytearray(), None
        self.start()

    def run(self):
        try:
            if self.protocol is None:
                self.code = self.client.until_closed(120).code
                self.got = self.client.output
                return
            while True:
                self.got += output_of_message(self.protocol, self.client.message(120))
        except sc.Closed as c:
            self.code = c.code
        except Exception as e:  # noqa: BLE001: told by the test
            self.failure = e


FLOOD = """stty -echo; echo READY; read x; i=0
while [ ! -e /tmp/stop ]; do
    seq $i $((i+299)); i=$((i+300))
    n=0; while [ $n -lt 30 ]; do echo "$i é€😀 $n"; n=$((n+1)); done
done
echo "END $i"; exit 5"""


def check_flood(text):
    """Every number and every line once, in order, up to END."""
    lines = text.decode().split("\r\n")
    eq((lines[0], lines[-1]), ("READY", ""))
    at, i = 1, 0
    while not lines[at].startswith("END"):
        eq(lines[at:at + 300], [str(k) for k in range(i, i + 300)])
        i += 300
        eq(lines[at + 300:at + 330], [f"{i} é€😀 {n}" for n in range(30)])
        at += 330
    eq(lines[at:], [f"END {i}", ""])
    return i


def paste(b):
    """1 MiB into a program that says what it got; upgrades come in between."""
    number = exec_(b, "sha256sum", input=True)
    c = b.attach(framing="packet", process=number)
    c.hold()
    data = os.urandom(1 << 20)
    return number, c, data


def flood():
    a, other = program("a"), program("b", 1)
    sc.SHIM = a
    cast = os.path.join(WORK, "cast")
    protocols = [None, None, "raw", "tty", "v5.channel.k8s.io", "terminado"]
    rounds = 4 if SAN else 10
    with sh(FLOOD, history_bytes=64 << 20, recording={"file": cast, "max_bytes": 1 << 30}) as b:
        started(b)
        clients = [b.attach(framing="packet" if i == 1 else "ws", **({"protocol": p} if p else {})) for i, p in enumerate(protocols)]
        readers = [Reader(c, p) for c, p in zip(clients, protocols)]
        number, paster, data = paste(b)
        eventually(lambda: b.ask("info")["next"] > 0)  # nothing is echoed any more
        b.ask("input", extra=b"go\n")
        piece = len(data) // rounds + 1
        for i in range(rounds):
            paster.input(data[i * piece:(i + 1) * piece])
            before = b.ask("info")["next"]
            eq(upgrade(b, program=other if i % 2 == 0 else a)["upgraded"], True)
            eventually(lambda before=before: b.ask("info")["next"] > before + 20000)
        paster.send(bytes([sc.INPUT_END]))
        paster_end = paster.until_closed()
        eq((paster_end.code, bytes(paster.output).split()[0].decode()), (1000, hashlib.sha256(data).hexdigest()))
        eq(waited(b, exec_(b, "touch", "/tmp/stop"))["code"], 0)
        for r in readers:
            r.join(120)
            assert not r.is_alive() and not r.failure, (r.protocol, r.failure, b.log())
        total = check_flood(bytes(readers[0].got))
        eq([r.protocol for r in readers if r.got != readers[0].got], [])
        eq([r.code for r in readers], [1000] * len(readers))
        eq(clients[0].exit(), {"reason": "exited", "code": 5, "signal": 0})
        eq([c.gaps for c in clients[:2]], [[], []])
        eq(played(cast), bytes(readers[0].got))
        x = b.exit_json()
        eq((x["code"], x["usage"]["output_bytes"]), (5, len(readers[0].got) + len(paster.output)))
        print(f"# {rounds} upgrades, {total} lines, {len(readers[0].got)} bytes")
        eq(b.wait(), 0)
        nothing_left(b)


def played(cast):
    """The output of a recording whose text was all UTF-8; times never go back, the exit is last."""
    out, last = b"", None
    with open(cast, encoding="utf-8") as f:
        head = json.loads(f.readline())
        eq(head["version"], 3)
        for line in f:
            assert not line.startswith("#"), f"bytes that are no text: {line}"
            ms, kind, text = json.loads(line)
            assert ms >= 0 and last != "x"
            last = kind
            if kind == "o":
                out += text.encode()
    eq(last, "x")
    return out


def screen():
    """What a late client is shown is the same before and after; a character that was cut goes on."""
    a, other = program("a"), program("b", 1)
    sc.SHIM = a
    picture = ("stty -echo; seq 1 30000; printf '\\033[?1049h\\033[2J\\033[3;5H\\033[1;31mred\\033[0m\\033[10;20r\\033[?25l\\033[?2004h"
               "\\033]0;a title\\007\\033[12;7Hlow é\\0337\\033[4 q\\033[38;2;1;2;3m'; read x; printf '\\342\\202'; read x; "
               "printf '\\254 \\033[31'; read x; printf ';4m under'; read x")
    with sh(picture, history_bytes=65536) as b:
        started(b)
        shown = []
        for i in range(8):
            c = b.attach(role="viewer")
            c.hello()
            if i == 0:
                c.until(rb"\x1b\[38;2;1;2;3m")
                eventually(lambda: b.ask("info")["next"] > 150000)
                c.close()
                c = b.attach(role="viewer")
            c.until_type(sc.REPLAY_END)
            shown.append(bytes(c.screens[0][3]) + bytes(c.output))
            c.close()
            if i % 2 == 0:
                upgrade(b, program=other if i % 4 == 0 else a)
                continue
            eq(shown[i], shown[i - 1])
            before = b.ask("info")["next"]
            b.ask("input", extra=b"\n")
            if i < 7:
                eventually(lambda before=before: b.ask("info")["next"] > before)
        assert b"a title" in shown[0] and b"red" in shown[0]
        eq(b.exit_json()["code"], 0)


def eventually(what, timeout=30):
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)


# ---- processes, clocks, the end ----

def asked(b, op, **kw):
    """A request whose answer is read later, from the connection that this returns."""
    s = b.connect()
    text = json.dumps({"op": op, **kw}).encode()
    s.send(struct.pack("<I", len(text)) + text)
    return s


def answer(s):
    return json.loads(s.recv(65536)[4:])


def processes():
    a, other = program("a"), program("b", 1)
    sc.SHIM = a
    with box(SH) as b:
        started(b)
        ended = script(b, "echo kept; exit 9")
        waited(b, ended)
        n = script(b, "read x; echo out $x; echo err >&2; read y; exit 4", input=True, tag="pipes")
        t0 = time.monotonic()
        late = script(b, "sleep 1000", timeout_ms=1500)
        tab = exec_(b, "/bin/sh", terminal=True, cols=100, rows=30)
        c, d = b.attach(framing="packet", process=n), b.attach(process=tab)
        d.hello()
        waiter, end = asked(b, "wait", process=n), asked(b, "wait")
        before = listed(b)
        upgrade(b, program=other)
        eq(listed(b), before)
        c.input("one\n")
        c.until("out one")
        eventually(lambda: c.errors or c.take()[0] == sc.ERRORS)
        eq((bytes(c.output), bytes(c.errors)), (b"out one\n", b"err\n"))
        upgrade(b, program=a)
        c.input("two\n")
        eq(c.until_closed().code, 1000)
        eq((c.exit()["code"], answer(waiter)["exit"]["code"]), (4, 4))
        d.input("stty size; exit 2\n")
        d.until("30 100")
        d.until_closed()
        eq(d.exit()["code"], 2)
        eq(output_of(b, ended), (b"kept\n", {"reason": "exited", "code": 9, "signal": 0}))
        x = waited(b, late)
        eq(x["reason"], "timeout")
        assert 1.4 < time.monotonic() - t0 < 30
        # New ones get numbers that never were.
        assert script(b, "true") > tab
        # What cannot be at the same time is refused, the one or the other, and works when it is asked again.
        e, u = asked(b, "exec", args=["true"]), asked(b, "upgrade", program=other)
        both = [answer(e), answer(u)]
        eq(sorted(r["ok"] for r in both), [False, True])
        assert [r["code"] for r in both if not r["ok"]] == ["limit"], both
        eventually(lambda: b.ask("exec", args=["true"])["ok"])
        eventually(lambda: b.ask("upgrade", program=other)["ok"])
        eq(b.ask("end"), {"ok": True})
        eq(answer(end)["exit"]["reason"], "deleted")
        b.wait()
        nothing_left(b)


def stopped(path, pid=None):
    """The pid of the stopped process of this program."""
    found = []

    def look():
        for p in [pid] if pid else map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if os.readlink(f"/proc/{p}/exe") == path and shim_cases.stat(p)[0] == "T":
                    found.append(p)
            except OSError:
                pass
        return found
    eventually(look)
    return found[0]


def ends_meanwhile():
    """A process, and then the sandbox, end while nobody is there to see it."""
    sc.SHIM = program("a")
    slow = failing("resume", "stop")
    with sh("trap 'echo last words; exit 6' USR1; while :; do sleep 0.01; done") as b:
        started(b)
        c = b.attach()
        c.hello()
        n = script(b, "sleep 1000")
        victim = listed(b)[n]["pid"]
        u = asked(b, "upgrade", program=slow)
        pid = stopped(slow, b.proc.pid)
        os.kill(victim, signal.SIGKILL)
        os.kill(pid, signal.SIGCONT)
        r = answer(u)
        eq((r["ok"], r["upgraded"]), (True, True))
        eq((waited(b, n)["reason"], waited(b, n)["signal"]), ("signalled", 9))
        inside = b.ask("info")["pid"]
        u = asked(b, "upgrade", program=slow, force=True)
        pid = stopped(slow, b.proc.pid)
        os.kill(inside, signal.SIGUSR1)
        eventually(lambda: shim_cases.stat(inside)[0] == "Z")
        os.kill(pid, signal.SIGCONT)
        c.until("last words")
        eq(c.until_closed().code, 1000)
        eq((c.exit()["code"], b.exit_json()["code"]), (6, 6))
        eq(answer(u)["ok"], True)
        b.wait()
        nothing_left(b)


def paused_and_clocks():
    a, other = program("a"), program("b", 1)
    sc.SHIM = a
    t0 = time.monotonic()
    with sh("i=0; while :; do echo $((i=i+1)); sleep 0.05; done", lifetime_ms=4000, idle_ms=3000, warn_ms=0) as b:
        started(b)
        eq(b.ask("pause"), {"ok": True})
        at, left = b.ask("info")["next"], b.ask("info")["lifetime_left_ms"]
        upgrade(b, program=other)
        now = b.ask("info")
        eq((now["state"], now["next"]), ("paused", at))
        assert left - 3000 < now["lifetime_left_ms"] <= left, (left, now)
        eq(b.ask("exec", args=["true"])["code"], "paused")
        eq(b.ask("resume"), {"ok": True})
        eventually(lambda: b.ask("info")["next"] > at)
        eq(b.ask("info")["state"], "running")
        upgrade(b, program=a)
        eq(b.exit_json()["reason"], "lifetime")
        assert time.monotonic() - t0 > 3.9
        b.wait()
        nothing_left(b)
    # Paused, and ended: the new one knows that it has to be thawed.
    with sh("sleep 1000") as b:
        started(b)
        eq(b.ask("pause"), {"ok": True})
        upgrade(b, program=other)
        eq(b.ask("end"), {"ok": True})
        b.wait()
        nothing_left(b)


def scanner(shim):
    """The pid of the shim's scanner; None while there is none, or two."""
    found = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/cmdline", "rb") as f:
                if f.read().startswith(b"carrel-scan\0") and shim_cases.stat(int(p))[1] == str(shim) and shim_cases.stat(int(p))[0] != "Z":
                    found.append(int(p))
        except OSError:
            pass
    return found[0] if len(found) == 1 else None


def groups_of(pid):
    with open(f"/proc/{pid}/cgroup") as f:
        return f.read()


def policy():
    """The scanner is another program, too, with what the old one held (test_scan_save.c cuts it anywhere): no byte is lost, no secret shown."""
    a, other = program("a"), program("b", 1)
    sc.SHIM = a
    scan, rules = os.path.join(PROGRAMS, "carrel-scan"), os.path.join(WORK, "rules")
    shutil.copy(os.path.join(os.path.dirname(ORIGINAL), "carrel-scan"), scan)
    os.chmod(scan, 0o755)
    rule = "{ id: aws, pattern: 'AKIA[A-Z2-7]{16}', direction: out, action: mask }"

    def write(what):
        with open(os.path.join(WORK, "policies.yaml"), "w") as f:
            f.write(f"version: 1\npolicies:\n  test:\n    - {what}\n")
        subprocess.run([scan, "--compile", f.name, "--into", rules], check=True)

    os.mkdir(rules)
    write(rule)
    rounds = 3 if SAN else 6
    with sh("stty -echo; echo READY; read x; while [ ! -e /tmp/stop ]; do seq 1 500; echo AKIAIOSFODNN7EXAMPLE; done; "
            "echo END; read x; exit 4", history_bytes=64 << 20,
            policy={"program": scan, "rules": os.path.join(rules, "test")}) as b:
        started(b)
        c = b.attach()
        c.hello()
        c.until("READY\r\n")
        reader = Reader(c, None)

        def renew(said="the scanner is another one now", same=False):
            before, n = scanner(b.proc.pid), b.log().count(said)
            groups = groups_of(before)
            eventually(lambda: b.ask("upgrade", program=a if b.ask("info")["build"] == build_of(other) else other)["ok"])
            eventually(lambda: b.log().count(said) > n)
            eventually(lambda: scanner(b.proc.pid) is not None and (scanner(b.proc.pid) == before) == same)
            eq(groups_of(scanner(b.proc.pid)), groups)

        b.ask("input", extra=b"go\n")
        for _ in range(rounds):
            at = b.ask("info")["next"]
            renew()
            eventually(lambda at=at: b.ask("info")["next"] > at + 5000)
        # One that does not come up, and one that others could change: the one of before goes on.
        shutil.copy("/bin/false", scan + ".new")
        os.rename(scan + ".new", scan)
        renew("the scanner of before goes on: the new one: it ended before it was ready", same=True)
        os.chmod(scan, 0o775)
        renew("the scanner of before goes on: " + scan + ": others than root may write it", same=True)
        shutil.copy(os.path.join(os.path.dirname(ORIGINAL), "carrel-scan"), scan + ".new")
        os.chmod(scan + ".new", 0o755)
        os.rename(scan + ".new", scan)
        # Other rules have other matches: the old one's state is refused when all of it has come, and what was held meanwhile is the old one's.
        write("{ id: other, pattern: 'x{9}', direction: out, action: alert }")
        renew("the scanner of before goes on: the new one: the policy's rules have changed since", same=True)
        at = b.ask("info")["next"]
        eventually(lambda: b.ask("info")["next"] > at + 5000)
        write(rule)
        renew()
        eq(waited(b, exec_(b, "touch", "/tmp/stop"))["code"], 0)
        eventually(lambda: c.output.endswith(b"END\r\n"))
        renew()
        b.ask("input", extra=b"go\n")
        reader.join(60)
        assert not reader.is_alive() and not reader.failure, (reader.failure, b.log())
        eq(reader.code, 1000)
        piece = "".join(f"{n}\r\n" for n in range(1, 501)) + "*" * 20 + "\r\n"
        text = bytes(reader.got).decode()
        n = text.count("*" * 20)
        assert n > rounds
        eq(text, "READY\r\n" + piece * n + "END\r\n")
        eq(b.exit_json()["code"], 4)
        b.wait()


# ---- what is refused, what is killed ----

def refusals():
    a, other = program("a"), program("b", 1)
    sc.SHIM = a
    with box(SH) as b:
        started(b)
        c = b.attach()
        c.hello()
        front, build = b.front_pid(), b.ask("info")["build"]
        group, theirs, plain = program("group"), program("theirs"), program("plain")
        os.chmod(group, 0o775)
        os.chown(theirs, 1, 0)
        os.chmod(plain, 0o644)
        with open(os.path.join(PROGRAMS, "script"), "w") as f:
            f.write("#!/bin/sh\nexit 0\n")
        os.chmod(f.name, 0o755)
        rows = [
            ("invalid", "others than root may write it .mode 0775.; make it 0755", group),
            ("invalid", "it belongs to uid 1, not to root", theirs),
            ("invalid", "it is no program", plain),
            ("invalid", "it is no program", PROGRAMS),
            ("invalid", "it is no program", "/dev/null"),
            ("invalid", "No such file", os.path.join(PROGRAMS, "none")),
            ("invalid", "no absolute path", "a"),
            ("invalid", "no absolute path", "/" + "x" * 3001),
            ("invalid", "it is no carrel-shim that can take over", "/bin/false"),
            ("invalid", "it is no carrel-shim that can take over", "/bin/true"),
            ("invalid", "script: ", os.path.join(PROGRAMS, "script")),
            ("invalid", "version 9 takes over formats 90 to 91, and this one, version .*, has [0-9]+$", failing("version", "old")),
            ("invalid", "no carrel-shim that can take over", failing("version", "junk")),
            ("invalid", "no carrel-shim that can take over .it ended with status 7", failing("version", "exit")),
            ("invalid", "cannot take over: .*it is told to fail .status 7", failing("check", "exit")),
            ("invalid", "cannot take over: .*does not say why .signal 9", failing("check", "die")),
        ]
        for code, pattern, path in rows:
            refused(b, code, pattern, program=path)
            c.input("echo $((6*7))\n")
            c.until("42")
            c.output.clear()
        eq((b.front_pid(), b.ask("info")["build"]), (front, build))
        # Two at once: the second one is told so.
        slow = failing("version", "stop")
        first = asked(b, "upgrade", program=slow)
        pid = stopped(slow)
        refused(b, "limit", "an upgrade is under way already", program=other)
        refused_exec = b.ask("exec", args=["true"])
        eq((refused_exec["ok"], refused_exec["code"]), (False, "limit"))
        os.kill(pid, signal.SIGCONT)
        eq(answer(first)["upgraded"], True)
        # The control.
        eq(upgrade(b, program=other)["upgraded"], True)
        c.input("echo $((6*8))\n")
        c.until("48")


def killed():
    """kill -9 of a half while it waits for the other program's word, and of that program; all at once, since a dead one's
    clients are given seconds."""
    sc.SHIM = program("a")
    jobs = [(step, half, failing(step, "stop", half)) for step in ("version", "check", "resume") for half in ("janitor", "front")]
    failures = []

    def run(job):
        try:
            killed_at(*job)
        except BaseException as e:  # noqa: BLE001: told below
            traceback.print_exc()
            failures.append((job, e))
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(failures, [])


def killed_at(step, half, slow):
    with box(SH) as b:
        started(b)
        c = b.attach()
        c.hello()
        inside, front = b.ask("info")["pid"], b.front_pid()
        u = asked(b, "upgrade", program=slow)
        pid = stopped(slow, b.proc.pid if step == "resume" else None)
        if half == "front":
            killed_front(b, c, u, step, pid, front)
            return
        b.proc.kill()
        b.wait()
        gone(front)
        eq(c.until_closed().code, None if step == "resume" else 1011)
        gone(pid)
        sweep(b)
        gone(inside)
        eq(b.exit_json()["error"], "the sandbox's shim was killed")
        nothing_left(b)


def killed_front(b, c, u, step, pid, front):
    if step != "resume":  # there it has gone by itself
        os.kill(front, signal.SIGKILL)
    gone(front)
    if step == "version":
        os.kill(pid, signal.SIGKILL)
        eq(b.exit_json()["error"], "the shim's front died")
        b.wait()
        nothing_left(b)
        return
    # All that it had was handed over.
    os.kill(pid, signal.SIGCONT)
    eq(answer(u)["upgraded"], True)
    c.input("echo $((6*7)); exit 3\n")
    c.until("42")
    eq((c.until_closed().code, c.exit()["code"], b.exit_json()["code"]), (1000, 3, 3))
    b.wait()
    nothing_left(b)


if __name__ == "__main__":
    shim_cases.main(globals())
