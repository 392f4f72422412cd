"""Several processes in one sandbox: shim_procs.bats runs these by name, as shim_cases.py its own."""

import hashlib
import json
import os
import signal
import struct
import subprocess
import time

import shim_cases
import shim_client as sc
from shim_cases import SH, alive, box, eq, gone, in_ns, nothing_left, sh, started, sweep, with_init


def exec_(b, *args, **kw):
    """Starts a process; its number."""
    r = b.ask("exec", args=list(args), **kw)
    assert r["ok"], r
    return r["process"]


def script(b, text, **kw):
    return exec_(b, "/bin/sh", "-c", text, **kw)


def output_of(b, number, **kw):
    c = b.attach(framing="packet", process=number, **kw)
    eq(c.until_closed().code, 1000)
    c.close()
    return bytes(c.output), c.exit()


def waited(b, number):
    r = b.ask("wait", process=number)
    assert r["ok"], r
    return r["exit"]


def listed(b):
    return {p["process"]: p for p in b.ask("processes")["processes"]}


def everybody(b):
    """Host pids of all that live in the sandbox's pid namespace."""
    pid = b.ask("info")["pid"]
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and in_ns(p, pid)]


# ---- what a process is given ----

def terminals():
    with box(SH, config=with_init) as b:
        started(b)
        sizes = [(100, 30), (60, 20), (132, 43)]
        numbers = [exec_(b, "/bin/sh", terminal=True, cols=c, rows=r, tag=f"tab-{i}", cwd="/tmp", env=[f"TAB={i}", "HOME=/"])
                   for i, (c, r) in enumerate(sizes)]
        eq(numbers, [2, 3, 4])
        clients = [b.attach(process=n) for n in numbers]
        first = b.attach()
        for i, c in enumerate(clients):
            c.input("stty size; echo tab=$TAB home=$HOME in $PWD\n")
        for i, c in enumerate(clients):
            c.until(rf"{sizes[i][1]} {sizes[i][0]}\r\ntab={i} home=/ in /tmp")
        # Each has a size of its own; the first process's is another.
        clients[1].resize(70, 25)
        eq(struct.unpack(">HH", clients[1].until_type(sc.SIZE)), (70, 25))
        eq(b.ask("resize", process=4, cols=140, rows=50), {"ok": True})
        eq(b.ask("input", process=4, extra=b"stty size\n"), {"ok": True})
        clients[2].until("50 140")
        clients[1].input("stty size\n")
        clients[1].until("25 70")
        first.input("stty size\n")
        first.until("24 80")
        # Nobody sees another one's output.
        assert b"tab=" not in first.output and b"tab=0" not in clients[1].output
        p = listed(b)
        eq(sorted(p), [1, 2, 3, 4])
        eq([(p[n]["tag"], p[n]["state"], p[n]["terminal"], p[n]["clients"]) for n in (2, 3, 4)],
           [(f"tab-{i}", "running", True, 1) for i in range(3)])
        eq((p[3]["cols"], p[3]["rows"], p[4]["cols"], p[4]["rows"]), (70, 25, 140, 50))
        eq(b.ask("info", process=3)["cols"], 70)
        eq(b.ask("info")["clients"], 4)  # of the whole sandbox
        # One ends: the others go on.
        clients[0].input("exit 7\n")
        eq(clients[0].until_closed().code, 1000)
        eq(clients[0].exit(), {"reason": "exited", "code": 7, "signal": 0})
        clients[1].input("echo still-$((40+2))\n")
        clients[1].until("still-42")
        b.ask("end")
        eq(clients[1].until_closed().code, 4410)
        eq(first.until_closed().code, 4410)
        b.wait()
        nothing_left(b)


def users():
    with box(SH, config=with_init) as b:
        started(b)
        n = script(b, "id -u; id -g; cat /proc/self/status | head -40 | tail -20", user="1000:1001")
        out, _ = output_of(b, n)
        assert out.startswith(b"1000\n1001\n"), out
        # Its rights are the sandbox's: no capabilities, no new ones.
        n = exec_(b, "/bin/cat", "/proc/self/status")
        status = output_of(b, n)[0].decode()
        for key, want in (("CapEff", "0" * 16), ("CapBnd", "0" * 16), ("NoNewPrivs", "1")):
            assert f"{key}:\t{want}\n" in status, status
        # Nothing of the shim is open in it.
        n = exec_(b, "/bin/ls", "/proc/self/fd")
        eq(output_of(b, n)[0].split(), [b"0", b"1", b"2", b"3"])  # 3: ls's own
        # The environment does not stand on a command line that others can read.
        n = script(b, "sleep 100", env=["SECRET=sesame-9c1f"])
        for p in os.listdir("/proc"):
            if p.isdigit():
                try:
                    with open(f"/proc/{p}/cmdline", "rb") as f:
                        assert b"sesame-9c1f" not in f.read(), p
                except OSError:
                    pass


def pipes():
    with box(SH, config=with_init) as b:
        started(b)
        # Standard input: closed unless it is asked for; open until its end is said.
        eq(output_of(b, exec_(b, "/bin/cat"))[0], b"")
        n = exec_(b, "/bin/sha256sum", input=True)
        data = os.urandom(1 << 20)
        c = b.attach(framing="packet", process=n)
        c.input(data)
        c.send(bytes([sc.INPUT_END]))
        eq(c.until_closed().code, 1000)
        eq(bytes(c.output).split()[0].decode(), hashlib.sha256(data).hexdigest())
        eq(waited(b, n)["usage"]["input_bytes"], 1 << 20)
        # All output, however much was pending when it ended, comes before the exit.
        n = script(b, "seq 1 100000; exit 4")
        c = b.attach(framing="packet", process=n)
        time.sleep(0.3)
        eq(c.until_closed(60).code, 1000)
        eq(bytes(c.output), "".join(f"{i}\n" for i in range(1, 100001)).encode())
        eq(c.exit()["code"], 4)
        r = b.ask("resize", process=n, cols=10, rows=10)
        assert not r["ok"], r


def errors():
    with box(SH, config=with_init) as b:
        started(b)
        # One after the other: each waits until what was before it has arrived.
        n = script(b, "read x; echo out-1; read x; echo err-1 >&2; read x; echo out-2; read x; printf err-2 >&2; read x", input=True)
        c = b.attach(framing="packet", process=n)
        k8s = b.attach(process=n, protocol="v5.channel.k8s.io", role="viewer")
        for text in (b"out-1\n", b"err-1\n", b"out-2\n", b"err-2"):
            c.input("go\n")
            while text not in bytes(c.output) + bytes(c.errors):
                c.take()
        c.input("end\n")
        eq(c.until_closed().code, 1000)
        eq((bytes(c.output), bytes(c.errors)), (b"out-1\nout-2\n", b"err-1\nerr-2"))
        # Channels of Kubernetes: 1 and 2; 3 is the status.
        got = {1: b"", 2: b"", 3: b""}
        try:
            while True:
                m = k8s.message(20)
                got[m[0]] += m[1:]
        except sc.Closed:
            pass
        eq((got[1], got[2]), (b"out-1\nout-2\n", b"err-1\nerr-2"))
        eq(json.loads(got[3])["status"], "Success")
        # A replay tells them apart as well, from any byte.
        for since in (0, 3, 6, 9, 12, 20):
            d = b.attach(framing="packet", process=n, since=since)
            eq(d.until_closed().code, 1000)
            whole = [(b"out-1\n", 0), (b"err-1\n", 1), (b"out-2\n", 0), (b"err-2", 1)]
            want, at = [b"", b""], 0
            for text, stream in whole:
                want[stream] += text[max(0, since - at):]
                at += len(text)
            eq([bytes(d.output), bytes(d.errors)], want)
        # Both at once and fast: each arrives whole, for a client that reads nothing is lost.
        n = script(b, "read x; (seq 1 30000 >&2) & seq 30001 60000; wait", input=True)
        c = b.attach(framing="packet", process=n)
        c.input("go\n")
        eq(c.until_closed(60).code, 1000)
        eq(c.gaps, [])
        eq(bytes(c.errors), "".join(f"{i}\n" for i in range(1, 30001)).encode())
        eq(bytes(c.output), "".join(f"{i}\n" for i in range(30001, 60001)).encode())
        # One of the two closed early: the other goes on.
        out = b.attach(framing="packet", process=script(b, "exec 2>&-; sleep 0.2; echo late"))
        eq(out.until_closed().code, 1000)
        eq((bytes(out.output), bytes(out.errors)), (b"late\n", b""))


# ---- how it ends ----

def exits():
    with box(SH, config=with_init) as b:
        started(b)
        for text, want in (("exit 0", ("exited", 0, 0)), ("exit 255", ("exited", 255, 0)), ("kill -TERM $$", ("signalled", 0, 15)),
                           ("kill -KILL $$", ("signalled", 0, 9))):
            n = script(b, text)
            x = waited(b, n)
            eq((x["reason"], x["code"], x["signal"]), want)
            eq(waited(b, n), x)  # for a while it can be read again
        # Kept though nobody was there, with its output; and what it used.
        n = script(b, "echo kept; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 5")
        until_ended(b, n)
        out, x = output_of(b, n)
        eq((out, x["code"]), (b"kept\n", 5))
        x = waited(b, n)
        assert x["usage"]["cpu_ns"] > 1000000 and x["usage"]["memory_peak"] > 100000, x
        eq(x["usage"]["output_bytes"], 5)
        # The number of them is bounded: the oldest go.
        last = [script(b, f"exit {i}") for i in range(36)]
        for n in last:
            until_ended(b, n)
        kept = [n for n, p in listed(b).items() if p["state"] == "ended"]
        eq(len(kept), 32)
        eq(kept, last[-32:])
        r = b.ask("wait", process=last[0])
        eq((r["ok"], r["code"]), (False, "not_found"))
        eq(waited(b, last[-1])["code"], 35)
        # An orphan of one is reaped by the sandbox's init; nothing waits for it.
        n = script(b, "(sleep 0.2; exit 3) & exit 6")
        eq(waited(b, n)["code"], 6)
        init_pid = b.ask("info")["pid"]
        end = time.monotonic() + 30
        while True:
            with open(f"/proc/{init_pid}/task/{init_pid}/children") as f:
                if len(f.read().split()) == 1:
                    break
            assert time.monotonic() < end, "an orphan is left"
            time.sleep(0.05)


def until_ended(b, n, timeout=60):
    end = time.monotonic() + timeout
    while True:
        p = listed(b).get(n)
        if p is None or p["state"] == "ended":
            return
        assert time.monotonic() < end, p
        time.sleep(0.02)


def signals():
    with box(SH, config=with_init) as b:
        started(b)
        # The whole group: also what the shell runs in the background.
        n = script(b, "sleep 1000 & sleep 1000 & echo up; wait")
        c = b.attach(framing="packet", process=n)
        c.until("up")
        before = len(everybody(b))
        eq(b.ask("signal", process=n, signal=15), {"ok": True})
        eq(waited(b, n)["signal"], 15)
        until(lambda: len(everybody(b)) == before - 3)
        # A shell's foreground job has a group of its own: only `to` reaches it, and the shell lives on.
        n = exec_(b, "/bin/sh", terminal=True)
        t = b.attach(process=n)
        t.input("sleep 1000; echo ended $?\n")
        t.until("sleep 1000; echo")
        until(lambda: len(everybody(b)) == before - 1)
        eq(b.ask("signal", process=n, signal=9, to="foreground"), {"ok": True})
        t.until(r"ended 137")
        eq(listed(b)[n]["state"], "running")
        r = b.ask("signal", process=n, signal=99)
        assert not r["ok"] and "not within 1 to 64" in r["error"], r
        # Hang-up; the shell ends by it.
        eq(b.ask("end", process=n), {"ok": True})
        eq(t.until_closed().code, 1000)
        # One that ignores it is killed after a while.
        n = script(b, "trap '' HUP; echo deaf; while :; do sleep 1; done", terminal=True)
        c = b.attach(process=n)
        c.until("deaf")
        t0 = time.monotonic()
        eq(b.ask("end", process=n), {"ok": True})
        eq(waited(b, n)["signal"], 9)
        assert 2 < time.monotonic() - t0 < 60
        # Time is over.
        t0 = time.monotonic()
        n = script(b, "echo begun; sleep 1000", timeout_ms=2000)
        out, x = output_of(b, n)
        eq((out, x["reason"], x["signal"]), (b"begun\n", "timeout", 9))
        assert 1.9 < time.monotonic() - t0 < 60
        r = b.ask("signal", process=n, signal=15)
        eq((r["ok"], r["code"]), (False, "gone"))
        eq(b.ask("info")["state"], "running")


def until(true, timeout=30, step=0.02):
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(step)


def oom():
    # In one of several: it is told from a kill, and the sandbox lives.
    with box(SH, config=with_init, memory=48 << 20) as b:
        started(b)
        n = script(b, "kill -9 $$")
        eq((waited(b, n)["reason"], waited(b, n)["oom_kills"]), ("signalled", 0))
        n = script(b, "x=x; while :; do x=$x$x; done")
        x = waited(b, n)
        eq((x["reason"], x["signal"]), ("oom", 9))
        assert x["oom_kills"] >= 1, x
        eq(b.ask("info")["state"], "running")
        n = script(b, "exit 3")
        eq(waited(b, n)["reason"], "exited")


def first_ends():
    with sh("read x; exit 8", config=with_init) as b:
        started(b)
        n = script(b, "trap '' TERM HUP INT; (trap '' TERM HUP; setsid sleep 1000 &); echo up; sleep 1000")
        c = b.attach(framing="packet", process=n)
        c.until("up")
        inside = everybody(b)
        assert len(inside) >= 4, inside
        first = b.attach()
        first.input("\n")
        eq(first.until_closed().code, 1000)
        eq(first.exit()["code"], 8)
        eq(c.until_closed().code, 1000)
        eq(c.exit()["signal"], 9)
        for p in inside:
            gone(p)
        first.close()
        c.close()
        b.wait()
        eq(b.exit_json()["code"], 8)
        nothing_left(b)


# ---- clocks ----

def counting(b):
    """A process that counts; how far it is."""
    n = script(b, "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done")
    c = b.attach(framing="packet", process=n)
    c.until("3\n")
    return n, c


def stands(b, n):
    at = b.ask("info", process=n)["next"]
    time.sleep(0.5)
    return b.ask("info", process=n)["next"] == at


def pause():
    with box(SH, config=with_init, idle_ms=2500, warn_ms=0) as b:
        started(b)
        n, c = counting(b)
        eq(b.ask("pause"), {"ok": True})
        eq((b.ask("info")["state"], listed(b)[n]["state"]), ("paused", "paused"))
        eq(b.ask("pause"), {"ok": True})  # it is so already
        # What it had said already may be on its way; then there is half a second without a word of it.
        until(lambda: stands(b, n))
        at = b.ask("info", process=n)["next"]
        r = b.ask("exec", args=["/bin/true"])
        eq((r["ok"], r["code"]), (False, "paused"))
        # The clock of idleness stands still; what is typed waits.
        eq(b.ask("input", extra=b"echo woken\n"), {"ok": True})
        time.sleep(3)
        eq(b.ask("info")["state"], "paused")
        eq(b.ask("resume"), {"ok": True})
        eq(b.ask("info")["state"], "running")
        until(lambda: b.ask("info", process=n)["next"] > at)
        d = b.attach()
        d.until("woken")
        eq(waited(b, exec_(b, "/bin/true"))["code"], 0)
        # A paused one can be ended, at once.
        eq(b.ask("pause"), {"ok": True})
        t0 = time.monotonic()
        eq(b.ask("end"), {"ok": True})
        assert time.monotonic() - t0 < 30, "its end waited for somebody to thaw it"
        c.until_closed()
        d.until_closed()
        c.close()
        d.close()
        b.wait()
        eq(b.exit_json()["reason"], "deleted")
        nothing_left(b)


def paused_and_killed():
    """The lifetime goes on while it is paused; kill -9 of either half leaves nothing, though all is frozen."""
    with box(SH, config=with_init, lifetime_ms=3000, warn_ms=0) as b:
        started(b)
        eq(b.ask("pause"), {"ok": True})
        eq(b.exit_json()["reason"], "lifetime")
        b.wait()
        nothing_left(b)
    for half in ("front", "janitor"):
        with box(SH, config=with_init) as b:
            inside = crowd(b)
            eq(b.ask("pause"), {"ok": True})
            front = b.front_pid()
            if half == "front":
                os.kill(front, signal.SIGKILL)
                b.wait()
            else:
                b.proc.kill()
                b.wait()
                gone(front)
                sweep(b)
            for p in inside:
                gone(p)
            nothing_left(b)


def detached():
    with sh("while :; do echo busy; sleep 0.1; done", detached_ms=1500) as b:
        started(b)
        c = b.attach()
        n = script(b, "sleep 1000")
        d = b.attach(framing="packet", process=n)
        c.hello()
        time.sleep(2)
        eq(b.ask("info")["state"], "running")
        c.close()
        time.sleep(2)
        eq(b.ask("info")["state"], "running")  # the other one is still there
        t0 = time.monotonic()
        d.close()
        eq(b.exit_json()["reason"], "detached")
        assert 1.2 < time.monotonic() - t0 < 60
        b.wait()
        nothing_left(b)
    # Nobody ever came.
    with sh("sleep 1000", detached_ms=300) as b:
        started(b)
        eq(b.exit_json()["reason"], "detached")


def usage():
    with box(SH, config=with_init, memory=64 << 20) as b:
        started(b)
        n = script(b, "head -c 3000000 /dev/zero | wc -c; x=x; while :; do x=$x$x; done")
        eq(waited(b, n)["reason"], "oom")
        b.ask("end")
        x = b.exit_json()
        # Not the reason of its end, but it is told: which group, which limit, how many.
        eq((x["reason"], x["oom"]["kills"], x["oom"]["limit"], x["oom"]["own_limit"]), ("deleted", x["oom_kills"], 64 << 20, True))
        assert x["oom"]["kills"] >= 1 and b.id in x["oom"]["cgroup"], x
        u = x["usage"]
        assert u["cpu_ns"] > 0 and u["memory_peak"] > 32 << 20 and u["io_read_bytes"] >= 0 and u["io_write_bytes"] >= 0, u
        assert u["output_bytes"] >= len("3000000\n"), u
    with sh("kill -9 $$", config=with_init, memory=64 << 20) as b:
        started(b)
        assert "oom" not in b.exit_json(), b.exit_json()


# ---- limits ----

def limits():
    with box(SH, config=with_init, max_processes=3) as b:
        started(b)
        rows = [
            ({}, "args: a program"),
            ({"args": []}, "args: a program"),
            ({"args": [""]}, "args: a program"),
            ({"args": ["x"] * 257}, "256 at most"),
            ({"args": ["x"], "env": ["A=1"] * 257}, "257 variables; 256 at most"),
            ({"args": ["x"], "env": ["=1"]}, 'env[0]: "=1" is not NAME=VALUE'),
            ({"args": ["x"], "env": ["A=1", "B"]}, 'env[1]: "B" is not NAME=VALUE'),
            ({"args": ["x"], "cwd": "tmp"}, 'cwd: "tmp" is not an absolute path'),
            ({"args": ["x"], "user": "-u"}, 'user: "-u" is not USER[:GROUP]'),
            ({"args": ["x"], "user": "a b"}, "is not USER[:GROUP]"),
            ({"args": ["x"], "tag": "a b"}, 'tag: "a b"'),
            ({"args": ["x"], "tag": "a" * 65}, "tag: "),
            ({"args": ["x"], "terminal": True, "cols": 0, "rows": 3}, "both must be 1 to 1000"),
            ({"args": ["x"], "timeout_ms": 1 << 50}, "timeout_ms: "),
            ({"args": ["x" * 65530]}, "request: "),  # larger than a request may be
            ({"args": ["/no/such/program"]}, "/no/such/program"),
            ({"args": ["/bin/true"], "cwd": "/no/such/place"}, "/no/such/place"),
            ({"args": ["/bin/true"], "user": "nobody-here"}, "nobody-here"),
        ]
        for request, want in rows:
            r = b.ask("exec", **request)
            assert not r["ok"] and r["code"] == "invalid" and want in r["error"], (str(request)[:80], r)
        for op in ("attach", "info", "resize", "signal", "input", "wait", "end"):
            r = b.ask(op, process=77)
            eq((r["ok"], r["code"]), (False, "not_found"))
        # A large one that fits.
        n = exec_(b, "/bin/echo", *["y" * 200 for _ in range(250)])
        eq(len(output_of(b, n)[0]), 250 * 201)
        running = [script(b, "sleep 1000") for _ in range(3)]
        r = b.ask("exec", args=["/bin/true"])
        eq((r["ok"], r["code"]), (False, "limit"))
        b.ask("signal", process=running[0], signal=9)
        waited(b, running[0])
        eq(waited(b, exec_(b, "/bin/true"))["code"], 0)
    # The sandbox's own limit on processes counts them as well: init, its command, this shell, and room for one.
    with box(SH, config=lambda c: (with_init(c), c["linux"]["resources"]["pids"].update(limit=4))) as b:
        started(b)
        out, x = output_of(b, script(b, "exec 2>&1; sleep 1000 & echo one; sleep 1000 & echo two"))
        assert out.startswith(b"one\n") and b"two" not in out and b"fork" in out, out
        eq(x["code"], 2)


# ---- kill -9 ----

def crowd(b):
    """Processes of every kind; the host pids of all of them."""
    started(b)
    c = [b.attach(process=script(b, "trap '' HUP TERM; echo up; sleep 1000 & sleep 1000", terminal=True)),
         b.attach(framing="packet", process=script(b, "trap '' HUP TERM; (setsid sleep 1000 &); echo up; sleep 1000"))]
    for x in c:
        x.until("up")
    until(lambda: len(everybody(b)) >= 6)
    return everybody(b)


def kill_front():
    with box(SH, config=with_init) as b:
        inside = crowd(b)
        os.kill(b.front_pid(), signal.SIGKILL)
        eq(b.exit_json()["error"], "the shim's front died")
        b.wait()
        for p in inside:
            gone(p)
        nothing_left(b)


def kill_janitor():
    with box(SH, config=with_init) as b:
        inside = crowd(b)
        front = b.front_pid()
        b.proc.kill()
        b.wait()
        gone(front)
        sweep(b)
        for p in inside:
            gone(p)
        nothing_left(b)


def runtimes(b):
    """Host pids of the runtime's exec, which are the janitor's children."""
    found = []
    try:
        with open(f"/proc/{b.proc.pid}/task/{b.proc.pid}/children") as f:
            for child in f.read().split():
                with open(f"/proc/{child}/cmdline", "rb") as c:
                    if b"\0exec\0" in c.read():
                        found.append(int(child))
    except OSError:
        pass
    return found


def ask_later(b, *args):
    s = b.connect()
    text = json.dumps({"op": "exec", "args": args}).encode()
    s.send(struct.pack("<I", len(text)) + text)
    return s


def kill_runtime():
    """The runtime dies at any moment of an exec: the request is told, or had succeeded; the sandbox lives; nothing is left."""
    failed = 0
    with box(SH, config=with_init) as b:
        started(b)
        for i in range(30):
            s = ask_later(b, "/bin/sleep", "1000")
            # An exec takes two milliseconds: looked for without a pause.
            until(lambda: runtimes(b) or shim_cases.select.select([s], [], [], 0)[0], step=0)
            time.sleep(i * 0.0002)
            for p in runtimes(b):
                try:
                    os.kill(p, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            r = json.loads(s.recv(65536)[4:])
            s.close()
            if r["ok"]:
                b.ask("signal", process=r["process"], signal=9)
                eq(waited(b, r["process"])["signal"], 9)
            else:
                failed += 1
                assert "killed by signal 9" in r["error"], r
        assert failed, "no kill was in time"
        eq(b.ask("info")["state"], "running")
        eq([x for x in os.listdir(os.path.join(b.dir, "bundle")) if x[:5] in ("pid-1", "pid-2", "exec-", "conso")], [])
        b.ask("end")
        b.wait()
        nothing_left(b)


def end_while_starting():
    """The sandbox ends, or its janitor is killed, while the runtime starts a process."""
    for i in range(12):
        with box(SH, config=with_init) as b:
            started(b)
            pid = b.ask("info")["pid"]
            s = ask_later(b, "/bin/sleep", "1000")
            time.sleep(i * 0.0008)
            if i % 2:
                b.proc.kill()
                b.wait()
                end = time.monotonic() + 60
                while True:
                    r = subprocess.run([sc.SHIM, "--dir", b.dir, "--sweep"], capture_output=True, text=True, check=False)
                    if r.returncode == 0:
                        break
                    assert r.returncode == 3 and time.monotonic() < end, r
                    time.sleep(0.02)
            else:
                eq(b.ask("end"), {"ok": True})
                b.wait()
            s.close()
            gone(pid)
            nothing_left(b)
            for p in os.listdir("/proc"):
                if p.isdigit():
                    try:
                        with open(f"/proc/{p}/cmdline", "rb") as f:
                            assert b.id.encode() not in f.read(), (i, p)
                    except OSError:
                        pass


# ---- what it costs ----

def figures():
    with box(SH, config=with_init) as b:
        started(b)
        ms = []
        for _ in range(50):
            t0 = time.monotonic()
            n = exec_(b, "/bin/echo", "x")
            c = b.attach(framing="packet", process=n)
            c.until("x")
            ms.append((time.monotonic() - t0) * 1000)
            c.until_closed()
            c.close()
        ms.sort()
        print(f"# exec to first byte: p50 {ms[25]:.1f} ms, p98 {ms[-2]:.1f} ms, least {ms[0]:.1f} ms")
        front = b.front_pid()
        # Ended ones are bounded, and so is what they hold.
        assert shim_cases.smaps(front) < shim_cases.MEMORY, shim_cases.smaps(front)
        running = [exec_(b, "/bin/sleep", "1000", terminal=True) for _ in range(4)]
        shim_cases.comes_to_rest([front, b.proc.pid], 1)
        assert alive(listed(b)[running[0]]["pid"])


if __name__ == "__main__":
    shim_cases.main(globals())
