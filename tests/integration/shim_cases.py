"""The shim's integration tests, one function each; shim.bats runs them by name: shim_cases.py CASE WORKDIR

Environment: CARREL_SHIM, CARREL_RUNTIME, CARREL_INIT name the programs under test.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))

import shim_client as sc  # noqa: E402

WORK = sys.argv[2]
RUN = os.path.join(WORK, "run")
LAYER = os.path.join(WORK, "layer")
SH = ["/bin/sh"]
SAN = bool(os.environ.get("CARREL_SAN"))
# KiB of the front's resident memory, whatever clients do. A sanitizer's own memory is beside the point.
MEMORY = 65536 if SAN else 4096


def box(args, **kw):
    return sc.Sandbox(RUN, kw.pop("layers", [LAYER]), args, **kw)


def sh(script, **kw):
    return box(["/bin/sh", "-c", script], **kw)


def with_init(cfg):
    """As our bundles do it: carrel-init is bound in and stands before the command."""
    cfg["mounts"].append({"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755", "size=64k"]})
    cfg["mounts"].append({"destination": "/run/carrel-init", "type": "bind", "source": sc.INIT,
                          "options": ["bind", "ro", "nosuid", "nodev"]})
    cfg["process"]["args"] = ["/run/carrel-init", "--", *cfg["process"]["args"]]


def started(b, *extra, **kw):
    r = b.start(*extra, **kw)
    assert r["ok"], r
    return b


def eq(a, b):
    assert a == b, f"{a!r} is not {b!r}"


def stat(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()


def cpu_ticks(pid):
    s = stat(pid)
    return int(s[11]) + int(s[12])


def comes_to_rest(pids, seconds=1.5):
    """A while in which they take no processor time comes soon. (The last of a start may be late where others have the processors.)"""
    spent = []
    for _ in range(20):
        before = sum(map(cpu_ticks, pids))
        time.sleep(seconds)
        spent.append(sum(map(cpu_ticks, pids)) - before)
        if spent[-1] == 0:
            return
    raise AssertionError(f"never idle: {spent} ticks")


def alive(pid):
    try:
        return stat(pid)[0] not in "ZX"
    except OSError:
        return False


def gone(pid, timeout=60):
    end = time.monotonic() + timeout
    while alive(pid):
        assert time.monotonic() < end, f"process {pid} still lives"
        time.sleep(0.01)


def smaps(pid, key="Pss"):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(rf"^{key}:\s+(\d+)", f.read(), re.M).group(1))


def cgroups(b):
    found = []
    for top, dirs, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(top, d) for d in dirs if b.id in d]
    return found


def nothing_left(b, files=("exit.json", "lock", "sandbox.json", "shim.log")):
    """What outlives a sandbox that ended properly: its record."""
    eq(sorted(os.listdir(b.dir)), sorted(files))
    eq(cgroups(b), [])
    assert not os.path.exists(b.orders["uid_slot"]), "uid slot is left"
    root = b.orders["runtime_root"]
    assert b.id not in (os.listdir(root) if os.path.isdir(root) else []), "runtime state is left"
    with open("/proc/self/mountinfo") as f:
        assert b.id not in f.read(), "a mount shows in the host's namespace"


# ---- a life ----

def life():
    with box(SH) as b:
        r = started(b, timeout=30).ask("info")
        eq((r["state"], r["cols"], r["rows"], r["clients"]), ("running", 80, 24, 0))
        with open("/proc/self/mountinfo") as f:
            assert b.id not in f.read(), "the root is mounted where the host sees it"
        c = b.attach()
        hello = c.hello()
        eq((hello["version"], hello["id"], hello["client"], hello["role"]), (1, b.id, 1, "writer"))
        c.input("echo $((6*7)) $(id -u) [$(stty size)]\n")
        c.until(r"42 0 \[24 80\]")
        c.resize(100, 30)
        eq(struct.unpack(">HH", c.until_type(sc.SIZE)), (100, 30))
        c.input("stty size\n")
        c.until("30 100")
        b.ask("resize", cols=90, rows=20)
        c.input("stty size\n")
        c.until("20 90")
        b.ask("input", extra=b"echo by-shim-sock\n")
        c.until(r"by-shim-sock\s+by-shim-sock")
        waiter = b.connect()
        text = b'{"op":"wait"}'
        waiter.send(struct.pack("<I", len(text)) + text)
        c.input("exit 3\n")
        closed = c.until_closed()
        eq(closed.code, 1000)
        eq(c.exit(), {"reason": "exited", "code": 3, "signal": 0})
        answer = json.loads(waiter.recv(65536)[4:])
        x = b.exit_json()
        eq(answer, {"ok": True, "exit": x})
        eq((x["reason"], x["code"], x["signal"], x["error"], x["oom_kills"]), ("exited", 3, 0, None, 0))
        eq(x["usage"]["output_bytes"], c.next)
        assert x["usage"]["input_bytes"] > 40
        assert x["usage"]["cpu_ns"] > 0 and x["usage"]["memory_peak"] > 0, x
        eq(b.wait(), 0)
        nothing_left(b)


def size_before_exec():
    # The program's first act is to ask; nobody is attached yet.
    with sh("stty size; sleep 0.2", cols=132, rows=43,
            config=lambda c: c["process"].update(consoleSize={"height": 43, "width": 132})) as b:
        c = started(b).attach()
        c.until("43 132")
        c.until_closed()


def init():
    with sh("trap 'echo got-term; exit 9' TERM; (sleep 0.1 &) ; echo pid $$; while :; do sleep 0.1; done",
            config=with_init) as b:
        c = started(b).attach()
        c.until(r"pid (\d+)")
        # Orphans are reaped: only the command itself remains a child.
        init_pid, end = b.ask("info")["pid"], time.monotonic() + 60
        while True:
            with open(f"/proc/{init_pid}/task/{init_pid}/children") as f:
                kids = f.read().split()
            if len(kids) == 1:
                break
            assert time.monotonic() < end, kids
            time.sleep(0.05)
        eq(b.ask("signal", signal=15), {"ok": True})
        c.until("got-term")
        c.until_closed()
        eq(b.exit_json()["code"], 9)
    with sh("kill -KILL $$", config=with_init) as b:
        started(b)
        eq(b.exit_json()["code"], 137)
    # Ctrl-Z at a command that no shell watches: it goes on. Ctrl-C ends it.
    with box(["/bin/cat"], config=with_init) as b:
        c = started(b).attach()
        c.input("\x1a")
        time.sleep(0.2)
        c.input("still here\n")
        c.until("still here\r\nstill here")
        c.input("\x03")
        c.until_closed()
        eq(b.exit_json()["code"], 130)
    with box(["/nonexistent"], config=with_init) as b:
        c = started(b).attach()
        c.until("carrel-init: /nonexistent: No such file or directory")
        eq(c.until_closed().code, 1000)
        eq(b.exit_json()["code"], 127)


def signalled():
    # Without an init the first process's own death by a signal shows.
    with box(["/bin/sleep", "100"]) as b:
        started(b)
        b.ask("signal", signal=9)
        x = b.exit_json()
        eq((x["reason"], x["signal"], x["code"]), ("signalled", 9, 0))


def quick_program():
    # Ended before the first client came: its output waits for one.
    with sh("echo quick") as b:
        started(b)
        b.exit_json()
        c = b.attach()
        eq(c.until_closed().code, 1000)
        eq(bytes(c.output), b"quick\r\n")
        eq(c.exit()["code"], 0)
        eq(b.wait(), 0)


def no_terminal():
    with sh("wc -c; echo err >&2; exit 4", terminal=False) as b:
        c = started(b).attach(framing="packet")
        c.input(b"x" * 300000)
        c.send(bytes([sc.INPUT_END]))
        eq(c.until_closed().code, 1000)
        eq(bytes(c.output), b"300000\nerr\n")
        eq(c.exit()["code"], 4)
        r = b.ask("resize", cols=10, rows=10)
        assert not r["ok"], r
        b.wait()
        nothing_left(b)


def remove_dir():
    with sh("exit 0", remove_dir=True) as b:
        started(b)
        c = b.attach()
        c.until_closed()
        c.close()
        b.wait()
        assert not os.path.exists(b.dir)


# ---- clients ----

def reconnect():
    # The second half comes when the first client is gone for sure.
    program = "i=0; while [ $i -lt 1500 ]; do echo line $i; i=$((i+1)); done; sleep 1; " \
        "while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; sleep 100"
    with sh(program) as b:
        c = started(b).attach()
        c.until("line 50\r\n")
        seen, at = bytes(c.output), c.next
        assert b"line 2999" not in seen
        c.close()
        deadline = time.time() + 60
        while b.ask("info")["next"] < len("".join(f"line {i}\r\n" for i in range(3000))) and time.time() < deadline:
            time.sleep(0.05)
        eq(b.ask("info")["state"], "running")
        d = b.attach(since=at)
        d.hello()
        d.until("line 2999\r\n")
        eq(d.start, at)
        want = "".join(f"line {i}\r\n" for i in range(3000)).encode()
        eq(seen + bytes(d.output), want)
        d.until_type(sc.REPLAY_END)
        eq([k for k, _ in d.messages], [sc.HELLO, sc.REPLAY_BEGIN, sc.REPLAY_END])
        e = b.attach(expect_ok=False, since=10**9)
        eq((e.answer["ok"], e.answer["code"]), (False, "invalid"))


def history_is_bounded():
    with sh("seq 1 100000; echo; echo done; sleep 100", history_bytes=65536) as b:
        started(b)
        want = "".join(f"{i}\r\n" for i in range(1, 100001)).encode()
        end = time.monotonic() + 60
        while b.ask("info")["next"] < len(want) + len(b"\r\ndone\r\n"):
            assert time.monotonic() < end, b.ask("info")
            time.sleep(0.05)
        c = b.attach(since=0)
        c.hello()
        c.until("done")
        eq(len(c.gaps), 1)
        eq(c.gaps[0][0], 0)
        # The first line after the gap is whole.
        first = bytes(c.output).split(b"\r\n")[0]
        eq(want[c.gaps[0][1]:c.gaps[0][1] + len(first)], first)
        eq(want[c.gaps[0][1] - 1:c.gaps[0][1]], b"\n")
        info = b.ask("info")
        assert info["next"] - info["oldest"] <= 65536


def screen_instead_of_lost_output():
    """What has left the history is there as a screen: modes, title, lines; output goes on from its offset."""
    script = r"printf '\033]2;the title\007\033[?2004h\033[?1h'; seq 1 40000; printf 'the \033[31mend'; sleep 100"
    with sh(script, history_bytes=65536) as b:
        started(b)
        end = time.monotonic() + 60
        while b.ask("info")["next"] < sum(len(f"{i}\r\n") for i in range(1, 40001)) + 30:
            assert time.monotonic() < end, b.ask("info")
            time.sleep(0.05)
        for kw in ({}, {"since": 0}, {"framing": "packet"}):
            c = b.attach(**kw)
            c.hello()
            c.until_type(sc.REPLAY_END)
            offset, cols, rows, data = c.screens[0]
            eq((cols, rows), (80, 24))
            text = b"".join(s[3] for s in c.screens)
            for part in (b"\x18\x1b\\\x1bc", b"\x1b]2;the title\x1b\\", b"\x1b[?2004h", b"\x1b[?1h"):
                assert part in text, (part, text)
            # The last line of the screen and the first one of the output are neighbours.
            lines = [x for x in text.split(b"\x1b[?1h")[0].split(b"\r\n") if x.isdigit()]
            first = int(bytes(c.output).split(b"\r\n")[0])
            eq(int(lines[-1]) + 1, first)
            eq(bytes(c.output)[-12:], b"the \x1b[31mend")
            eq(len(c.gaps), 1 if "since" in kw else 0)
            c.close()


def many_clients():
    with box(SH, max_clients=4) as b:
        started(b)
        w = b.attach()
        v = b.attach(role="viewer")
        p = b.attach(framing="packet", role="viewer")
        eq(v.hello()["role"], "viewer")
        v.input("echo from-viewer\n")
        v.resize(10, 10)
        w.input("echo from-writer; stty size\n")
        for c in (w, v, p):
            c.until("from-writer\r?\n24 80")
        assert b"from-viewer" not in w.output
        w2 = b.attach()
        refused = b.attach(expect_ok=False)
        eq(refused.answer["code"], "limit")
        w2.input("echo second\n")
        w.until("second")
        w.close()
        deadline = time.monotonic() + 60
        while b.ask("info")["clients"] > 3:
            assert time.monotonic() < deadline
        w3 = b.attach(takeover=True)
        closed = w2.until_closed()
        eq((closed.code, closed.reason), (4001, "another writer took over"))
        w3.input("echo third\n")
        v.until("third")


def slow_client_stalls_nobody():
    with sh("stty -opost; head -c 40000000 /dev/zero | tr '\\0' x; echo; echo done; sleep 100") as b:
        started(b)
        stuck = b.attach(role="viewer")           # never reads
        stuck_writer = b.attach(role="writer")    # neither
        fast = b.attach()
        fast.until("done", timeout=60)
        eq(len(fast.gaps), 0)
        eq(fast.next, 40000000 + 6)
        pid = b.front_pid()
        assert smaps(pid, "Rss") < MEMORY, smaps(pid, "Rss")
        # It finds out what it missed, whole frames and all, and is in step again.
        while not (stuck.screens and b"done" in stuck.screens[-1][3]):
            stuck.take(60)
        assert stuck.gaps and stuck.gaps[-1][1] > 39000000, stuck.gaps
        eq(stuck.screens[-1][0], stuck.gaps[-1][1])
        stuck_writer.close()


def reader_stops():
    # The only client reads nothing for a while: the program waits for it, and nothing is lost.
    with sh("stty -opost; seq 1 400000; sleep 100") as b:
        c = started(b).attach()
        c.hello()
        time.sleep(1.5)
        before = smaps(b.front_pid(), "Rss")
        c.until("\n400000\n", timeout=60)
        eq(c.gaps, [])
        eq(bytes(c.output), "".join(f"{i}\n" for i in range(1, 400001)).encode())
        assert before < MEMORY, before


def stalled_writer_holds_for_seconds_only():
    with sh("stty -opost; yes | head -c 3000000; echo; echo done > /dev/null; sleep 100") as b:
        c = started(b).attach()
        c.hello()
        time.sleep(1)
        held = b.ask("info")["next"]
        assert held < 1500000, held
        end = time.monotonic() + 60
        while b.ask("info")["next"] < 3000000:
            assert time.monotonic() < end, b.ask("info")
            time.sleep(0.2)
        # What it lost is there as the screen, and it has everything after that.
        while not ((c.next or 0) >= 3000001 and c.screens and c.screens[-1][0] == c.gaps[-1][1]):
            c.take(20)


def output_complete_at_exit():
    # More than a window and the kernel's buffers hold is pending when the program ends.
    with sh("stty -opost; seq 1 200000; exit 7") as b:
        c = started(b).attach()
        c.hello()
        time.sleep(1)
        eq(c.until_closed(60).code, 1000)
        eq(bytes(c.output), "".join(f"{i}\n" for i in range(1, 200001)).encode())
        eq(c.exit()["code"], 7)
        eq(b.exit_json()["usage"]["output_bytes"], len(c.output))


def ctrl_c_in_a_flood():
    # Through the same client, which reads 10 MB/s.
    with box(SH, config=with_init) as b:
        c = started(b).attach()
        c.auto_ack = False
        c.input("stty -opost; PS1='ready> '; cat /dev/zero\n")
        c.until("\0\0\0\0")
        t0, got, sent, at_sent = time.monotonic(), 0, None, 0
        while True:
            k, data = c.take()
            if k != sc.OUTPUT:
                continue
            got += len(data)
            c.ack()
            lag = got / 10e6 - (time.monotonic() - t0)
            if lag > 0:
                time.sleep(lag)
            if sent is None and time.monotonic() - t0 > 1:
                c.input("\x03")
                sent, at_sent = time.monotonic(), got
            if sent and b"ready> " in c.output[-60:]:
                break
            assert sent is None or time.monotonic() - sent < 30
            if len(c.output) > 1000000:
                del c.output[:900000]
        took = (time.monotonic() - sent) * 1000
        print(f"# Ctrl-C to prompt {took:.0f} ms, {got - at_sent} bytes")
        # What 400 ms carry at that speed; a busy machine takes longer for them.
        assert got - at_sent < 4000000, got - at_sent


def paste():
    # 3 MiB to a program that writes back all that it reads: its output must flow though acknowledgements wait behind
    # the client's own input.
    with sh("stty raw -echo; echo ready; cat; sleep 100") as b:
        c = started(b).attach()
        c.until(r"ready\s+")
        del c.output[:]
        data = os.urandom(3 << 20).replace(b"\0", b"1")
        c.hold()
        c.input(data)
        while len(c.output) < len(data):
            c.take(20)
        eq(bytes(c.output[-len(data):]), data)
        eq(c.gaps, [])


def paste_to_a_stuck_program():
    with sh("trap 'go=1' USR1; stty raw -echo; echo ready; while [ -z \"$go\" ]; do sleep 0.1; done; wc -c; sleep 100") as b:
        c = started(b).attach()
        c.until("ready")
        mine = threading.Thread(target=lambda: c.input(b"x" * 3000000), daemon=True)
        mine.start()
        time.sleep(0.5)
        pid = b.front_pid()
        t0 = cpu_ticks(pid)
        time.sleep(1.5)
        assert cpu_ticks(pid) - t0 <= 3, "spinning"
        assert smaps(pid, "Rss") < MEMORY
        other = b.attach()  # everyone else is served meanwhile
        other.hello()
        eq(b.ask("signal", signal=10)["ok"], True)
        end = time.monotonic() + 60
        while mine.is_alive():
            assert time.monotonic() < end
            time.sleep(0.05)
        eq(b.ask("input", extra=b"y" * 10)["ok"], True)


def early_bytes():
    # The first frame came in the same segment as the upgrade request.
    with box(SH) as b:
        started(b)
        early = sc.frame(bytes([sc.INPUT]) + b"echo ear") + sc.frame(bytes([sc.INPUT]) + b"ly-$((40+2))\n")
        c = b.attach(early=early[:-3])
        c.raw(early[-3:])
        c.until("early-42")


def silent_terminal_costs_nothing():
    with sh("trap 'exit 5' USR1; echo up; exec </dev/null >/dev/null 2>&1; while :; do sleep 0.1; done") as b:
        # The program closes its side of the terminal and lives on.
        c = started(b).attach()
        c.until("up")
        comes_to_rest([b.front_pid(), b.proc.pid])
        eq(b.ask("signal", signal=10)["ok"], True)
        eq(c.until_closed().code, 1000)
        eq(c.exit()["code"], 5)


def pings():
    with box(SH) as b:
        c = started(b).attach()
        c.hello()
        c.raw(sc.frame(b"hello", opcode=9))
        c.send(bytes([sc.PING]) + b"abc")
        eq(c.until_type(sc.PONG), b"abc")
        end = time.monotonic() + 60
        while not c.pongs and time.monotonic() < end:
            c.input("\n")
            c.take(5)
        eq(c.pongs, [b"hello"])
        c.send(b"")  # empty: tolerated
        c.input("echo alive\n")
        c.until("alive")


# ---- ends ----

def deleted():
    with box(SH) as b:
        c = started(b).attach()
        c.hello()
        pid = b.ask("info")["pid"]
        t0 = time.monotonic()
        eq(b.ask("end", reason="deleted"), {"ok": True})
        assert not alive(pid)
        assert time.monotonic() - t0 < 30
        eq(cgroups(b), [])
        assert not os.path.exists(b.orders["uid_slot"])
        eq(b.exit_json()["reason"], "deleted")
        eq(c.until_closed().code, 4410)
        eq(c.exit()["reason"], "deleted")
        b.wait()
        nothing_left(b)


def idle():
    with box(SH, idle_ms=2500, warn_ms=1000) as b:
        c = started(b).attach()
        c.until(r"[#$] ")
        time.sleep(0.7)
        c.input("echo active\n")
        t0 = time.monotonic()
        notice = json.loads(c.until_type(sc.NOTICE))
        eq(notice["kind"], "idle")
        assert notice["seconds_left"] <= 1, notice  # less where the shim itself had to wait
        b.ask("extend", lifetime_ms=0)  # somebody wants it: its idle time begins anew
        t0 = time.monotonic()
        eq(json.loads(c.until_type(sc.NOTICE))["kind"], "idle")
        eq(c.until_closed().code, 4008)
        took = time.monotonic() - t0
        assert 2.3 < took < 30, took
        eq(b.exit_json()["reason"], "idle")
        b.wait()
        nothing_left(b)


def lifetime():
    with sh("while :; do echo busy; sleep 0.2; done", lifetime_ms=2000, warn_ms=1500, idle_ms=1000) as b:
        c = started(b).attach()
        notice = json.loads(c.until_type(sc.NOTICE))
        eq(notice["kind"], "lifetime")
        assert 1 <= notice["seconds_left"] <= 2, notice
        r = b.ask("extend", lifetime_ms=3000)
        assert 2000 <= r["lifetime_left_ms"] <= 3000, r
        eq(b.ask("extend", lifetime_ms=10)["lifetime_left_ms"] > 1000, True)  # never shortens
        t0 = time.monotonic()
        eq(json.loads(c.until_type(sc.NOTICE))["kind"], "lifetime")
        eq(c.until_closed().code, 4009)
        took = time.monotonic() - t0
        assert 2 < took < 30, took
        eq(b.exit_json()["reason"], "lifetime")


def oom():
    with sh("x=x; while :; do x=$x$x; done", memory=32 << 20, config=with_init) as b:
        c = started(b).attach()
        eq(c.until_closed(60).code, 4010)
        x = b.exit_json()
        eq(x["reason"], "oom")
        assert x["oom_kills"] >= 1, x
        assert x["usage"]["memory_peak"] > 16 << 20, x
        b.wait()
        nothing_left(b)
    # A SIGKILL without the kernel's killer is none.
    with sh("kill -9 $$", memory=32 << 20, config=with_init) as b:
        started(b)
        eq(b.exit_json()["reason"], "exited")


def sigterm_to_the_shim():
    with box(SH) as b:
        started(b)
        b.proc.terminate()
        eq(b.wait(), 0)
        eq(b.exit_json()["reason"], "deleted")
        nothing_left(b)


def everything_in_it_dies():
    with sh("trap '' TERM HUP INT; (trap '' TERM HUP; setsid sleep 1000 &); sleep 1000 & echo up; sleep 1000") as b:
        c = started(b).attach()
        c.until("up")
        pid = b.ask("info")["pid"]
        end, inside = time.monotonic() + 60, []
        while len(inside) < 3:  # the command and two that left it
            assert time.monotonic() < end, inside
            inside = [int(p) for p in os.listdir("/proc") if p.isdigit() and in_ns(p, pid)]
        b.ask("end")
        for p in inside:
            gone(p)


def in_ns(p, pid):
    try:
        return os.readlink(f"/proc/{p}/ns/pid") == os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return False


# ---- failures ----

def cannot_start():
    with box(["/no/such/program"]) as b:
        r = b.start()
        eq(r["ok"], False)
        assert "/no/such/program" in r["error"], r
        eq(b.wait(), 1)
        nothing_left(b, files=("lock", "sandbox.json", "shim.log"))
    with box(SH, layers=[os.path.join(WORK, "missing")]) as b:
        r = b.start()
        assert "missing: No such file or directory" in r["error"], r
        b.wait()
        nothing_left(b, files=("lock", "sandbox.json", "shim.log"))
    with box(SH, runtime="/no/runtime") as b:
        assert "/no/runtime" in b.start()["error"]
        b.wait()


def bad_orders():
    rows = [
        ("version", 2, "version: 2 is not known"),
        ("id", "../x", 'id: "../x" is no identifier'),
        ("runtime", "crun", 'runtime: "crun" is not an absolute path'),
        ("rootfs", {"format": "zip", "layers": ["/x"]}, 'rootfs.format: "zip" is not known'),
        ("rootfs", {"format": "overlay", "layers": []}, "rootfs.layers: 0 layers where 1 to 500 belong"),
        ("rootfs", {"format": "overlay", "layers": ["/a", "b"]}, 'rootfs.layers[1]: "b" is not a clean absolute path'),
        ("idmap", {"base": 4294967295, "count": 65536}, "no range of ids"),
        ("cols", 0, "cols: 0 is not within 1 to 1000"),
        ("rows", 1001, "rows: 1001 is not within"),
        ("rows", "24", "rows: "),
        ("history_bytes", 1, "history_bytes: 1 is not within"),
        ("history_bytes", 1 << 40, "history_bytes: "),
        ("idle_ms", -1, "idle_ms: "),
        ("ack_window", 1, "ack_window: 1 is not within"),
        ("max_clients", 0, "max_clients: 0 is not within"),
        ("max_processes", 65, "max_processes: 65 is not within 0 to 64"),
        ("detached_ms", -1, "detached_ms: "),
        ("surprise", 1, "surprise"),
    ]
    for field, value, want in rows:
        with box(SH) as b:
            b.orders[field] = value
            b.write_orders()
            r = b.start()
            assert not r["ok"] and r["error"].startswith("sandbox.json: ") and want in r["error"], (field, r)
            eq(b.wait(), 1)
    with box(SH) as b:
        for text in ("", "{", "[]", '{"version":1,"version":1}'):
            with open(os.path.join(b.dir, "sandbox.json"), "w") as f:
                f.write(text)
            r = b.start()
            assert not r["ok"] and r["error"].startswith("sandbox.json: "), r
            b.wait()


def one_shim_only():
    with box(SH) as b:
        started(b)
        again = subprocess.run([sc.SHIM, "--dir", b.dir], capture_output=True, text=True, check=False)
        eq(again.returncode, 1)
        assert "another shim has it" in again.stdout, again.stdout
        sweep = subprocess.run([sc.SHIM, "--dir", b.dir, "--sweep"], capture_output=True, text=True, check=False)
        eq(sweep.returncode, 3)
        assert "lives" in sweep.stderr, sweep.stderr
        eq(b.ask("info")["state"], "running")


# ---- kill -9 ----

def kill_front():
    with box(SH) as b:
        c = started(b).attach()
        c.hello()
        pid = b.ask("info")["pid"]
        os.kill(b.front_pid(), signal.SIGKILL)
        x = b.exit_json()
        eq((x["reason"], x["error"]), ("error", "the shim's front died"))
        b.wait()
        gone(pid)
        nothing_left(b)


def sweep(b):
    r = subprocess.run([sc.SHIM, "--dir", b.dir, "--sweep"], capture_output=True, text=True, check=False, timeout=60)
    eq((r.returncode, r.stderr), (0, ""))


def kill_janitor():
    with box(SH) as b:
        c = started(b).attach()
        c.hello()
        pid, front = b.ask("info")["pid"], b.front_pid()
        b.proc.kill()
        b.wait()
        eq(c.until_closed().code, 1011)
        gone(front)
        sweep(b)
        gone(pid)
        eq(b.exit_json()["error"], "the sandbox's shim was killed")
        nothing_left(b)
        sweep(b)  # again: nothing to do


def kill_both():
    with sh("trap '' HUP; sleep 1000", config=with_init) as b:
        started(b)
        pid, front = b.ask("info")["pid"], b.front_pid()
        os.kill(b.proc.pid, signal.SIGSTOP)
        os.kill(front, signal.SIGKILL)
        b.proc.kill()
        b.wait()
        gone(front)
        sweep(b)
        gone(pid)
        nothing_left(b)


def kill_at_any_moment():
    """At random moments of start and life, shim and janitor alike; then the sweep."""
    for i in range(int(os.environ.get("CARREL_KILLS", "25"))):
        b = sh("sleep 1000", config=with_init)
        try:
            r, w = os.pipe()
            b.proc = subprocess.Popen([sc.SHIM, "--dir", b.dir, "--ready-fd", str(w)], pass_fds=[w],
                                      stderr=subprocess.DEVNULL)
            os.close(w)
            time.sleep(i * 0.0007)
            b.proc.kill()
            b.wait()
            os.close(r)
            end = time.monotonic() + 60
            while True:
                res = subprocess.run([sc.SHIM, "--dir", b.dir, "--sweep"], capture_output=True, text=True,
                                     check=False, timeout=60)
                if res.returncode == 0:
                    break
                # 3: the front has not seen the end yet.
                assert res.returncode == 3 and time.monotonic() < end, (i, res)
                time.sleep(0.02)
            left = set(os.listdir(b.dir))
            assert left <= {"exit.json", "lock", "sandbox.json", "shim.log"}, (i, left)
            eq(cgroups(b), [])
            for p in os.listdir("/proc"):
                if p.isdigit():
                    try:
                        with open(f"/proc/{p}/cmdline", "rb") as f:
                            assert b.id.encode() not in f.read(), (i, p)
                    except OSError:
                        pass
        finally:
            b.end()


def kill_runtime():
    """The runtime dies at any moment of its run: the start fails with a reason, or had succeeded; nothing is left."""
    failed = 0
    for i in range(int(os.environ.get("CARREL_KILLS", "25"))):
        b = sh("sleep 1000", config=with_init)
        try:
            r, w = os.pipe()
            b.proc = subprocess.Popen([sc.SHIM, "--dir", b.dir, "--ready-fd", str(w)], pass_fds=[w], stderr=subprocess.DEVNULL)
            os.close(w)
            pid, end = b.proc.pid, time.monotonic() + 60
            while time.monotonic() < end and b.proc.poll() is None:
                victim = runtime_of(pid)
                if victim:
                    time.sleep(i * 0.0003)
                    try:
                        os.kill(victim, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                    break
                if select.select([r], [], [], 0)[0]:
                    break
            answer = json.loads(os.read(r, 4096))
            os.close(r)
            if answer["ok"]:
                b.ask("end")
                b.wait()
                nothing_left(b)
            else:
                failed += 1
                assert "killed by signal 9" in answer["error"], answer
                eq(b.wait(), 1)
                nothing_left(b, files=("lock", "sandbox.json", "shim.log"))
        finally:
            b.end()
    assert failed, "no kill was in time"


def runtime_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            for child in f.read().split():
                with open(f"/proc/{child}/cmdline", "rb") as c:
                    if b"--detach" in c.read():
                        return int(child)
    except OSError:
        pass
    return None


# ---- isolation ----

def front_has_no_rights():
    with box(SH) as b:
        started(b)
        with open(f"/proc/{b.front_pid()}/status") as f:
            text = f.read()
        for key, want in (("CapInh", "0" * 16), ("CapPrm", "0" * 16), ("CapEff", "0" * 16), ("CapBnd", "0" * 16),
                          ("CapAmb", "0" * 16), ("NoNewPrivs", "1"), ("Seccomp", "2")):
            eq(re.search(rf"^{key}:\s+(\S+)", text, re.M).group(1), want)
        # Control: the janitor, which keeps its rights, shows others.
        with open(f"/proc/{b.proc.pid}/status") as f:
            assert re.search(r"^CapEff:\s+0*[1-9a-f]", f.read(), re.M)
        links = [os.readlink(f"/proc/{b.front_pid()}/fd/{n}") for n in os.listdir(f"/proc/{b.front_pid()}/fd")]
        files = [x for x in links if x.startswith("/") and not x.startswith(("/dev/null", "/dev/pts", "/pts", "/ptmx", "/dev/ptmx"))]
        eq(sorted(os.path.basename(x) for x in files if "ptmx" not in x), ["lock", "shim.log"])


def nothing_of_the_starter():
    # No descriptor of the starter stays open, and its end ends nothing.
    with box(SH) as b:
        f = open(os.path.join(WORK, "secret"), "w")
        os.set_inheritable(f.fileno(), True)
        code = ("import subprocess,sys,os;os.setsid();r,w=os.pipe();os.set_inheritable(w,True);"
                "p=subprocess.Popen([sys.argv[1],'--dir',sys.argv[2],'--ready-fd',str(w)],close_fds=False);"
                "os.close(w);print(p.pid,flush=True);print(os.read(r,1000).decode(),flush=True)")
        out = subprocess.run([sys.executable, "-c", code, sc.SHIM, b.dir], capture_output=True, text=True, close_fds=False,
                             timeout=30, check=True).stdout.split("\n")
        eq(json.loads(out[1])["ok"], True)
        f.close()
        pid = int(out[0])
        for p in (pid, *map(int, open(f"/proc/{pid}/task/{pid}/children").read().split())):
            for n in os.listdir(f"/proc/{p}/fd"):
                try:
                    link = os.readlink(f"/proc/{p}/fd/{n}")
                except FileNotFoundError:  # closed meanwhile
                    continue
                assert "secret" not in link, link
        eq(b.ask("info")["state"], "running")
        c = b.attach()
        c.input("exit\n")
        c.until_closed()
        gone(pid)


def control_refuses():
    with box(SH) as b:
        started(b)
        rows = [
            ({"op": "dance"}, 'op: "dance" is not known'),
            ({}, "op"),
            ({"op": "resize", "cols": 0, "rows": 24}, "cols 0, rows 24: both must be 1 to 1000"),
            ({"op": "resize", "cols": 80}, "cols 80, rows 0"),
            ({"op": "resize", "cols": 65536, "rows": 24}, "cols 65536"),
            ({"op": "resize", "cols": -1, "rows": 24}, "cols"),
            ({"op": "signal", "signal": 65}, "signal: 65 is not within 1 to 64"),
            ({"op": "extend"}, "lifetime_ms: must be"),
            ({"op": "end", "reason": "oom"}, 'only "deleted"'),
            ({"op": "attach", "framing": "ws"}, "0 descriptors where one socket belongs"),
            ({"op": "attach", "framing": "tty"}, 'framing: must be "ws" or "packet"'),
            ({"op": "attach", "framing": "ws", "role": "king"}, 'role: must be "writer" or "viewer"'),
            ({"op": "info", "extra": 1}, "extra"),
        ]
        for request, want in rows:
            s = b.connect()
            text = json.dumps(request).encode()
            s.send(struct.pack("<I", len(text)) + text)
            r = json.loads(s.recv(65536)[4:])
            assert not r["ok"] and r["code"] == "invalid" and want in r["error"], (request, r)
            s.close()
        for raw in (b"", b"\x01", b"\xff\xff\xff\xff{}", b"\x05\0\0\0{}", b"\x02\0\0\0[]", b"\x02\0\0\0{]"):
            s = b.connect()
            if raw:
                s.send(raw)
                r = json.loads(s.recv(65536)[4:])
                assert not r["ok"] and r["error"].startswith("request"), (raw, r)
            s.close()
        # A descriptor that is no socket.
        with open("/dev/null") as f:
            r = b.ask("attach", fd=f.fileno(), framing="ws")
            assert not r["ok"], r
        eq(b.ask("info")["clients"], 0)


def control_is_private():
    with box(SH) as b:
        started(b)
        mode = os.stat(os.path.join(b.dir, "shim.sock")).st_mode & 0o777
        eq(mode, 0o600)
        for d in (WORK, RUN, os.path.join(RUN, "sandboxes"), b.dir):
            os.chmod(d, 0o755)
        os.chmod(os.path.join(b.dir, "shim.sock"), 0o666)  # the weakest setting: now only the peer check stands
        code = ("import socket,sys,os;os.setgid(65534);os.setuid(65534);s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET);"
                "s.connect(sys.argv[1]);t=b'{\"op\":\"info\"}';\n"
                "try: s.send(len(t).to_bytes(4,'little')+t); print(len(s.recv(1000)))\n"
                "except OSError: print(0)")
        cwd = os.getcwd()
        os.chdir(b.dir)
        out = subprocess.run([sys.executable, "-c", code, "shim.sock"], capture_output=True, text=True, timeout=20, check=False)
        mine = subprocess.run([sys.executable, "-c", code.replace("os.setgid(65534);os.setuid(65534);", ""), "shim.sock"],
                              capture_output=True, text=True, timeout=20, check=False)
        os.chdir(cwd)
        eq(out.stdout.strip(), "0")
        assert int(mine.stdout) > 4, mine  # control: root gets an answer


# ---- root filesystem ----

def layers():
    top = os.path.join(WORK, "top")
    os.makedirs(os.path.join(top, "etc"), exist_ok=True)
    base = os.path.join(WORK, "base")
    if not os.path.exists(base):
        shutil.copytree(LAYER, base, symlinks=True)
        for name, text in (("gone", "x"), ("both", "base"), ("low", "low")):
            with open(os.path.join(base, "etc", name), "w") as f:
                f.write(text)
        with open(os.path.join(top, "etc", "both"), "w") as f:
            f.write("top")
        os.mknod(os.path.join(top, "etc", "gone"), 0o600 | 0o020000, os.makedev(0, 0))  # a whiteout
        os.chown(os.path.join(top, "etc", "both"), 1000, 1000)
    script = ("cat /etc/both /etc/low; echo; ls -n /etc/both; ls /etc/gone; touch /etc/new; echo u $(id -u); "
              "touch /tmp/ok && echo tmp-ok")
    for env in ({}, {"CARREL_TEST_NO_LAYER_FDS": "1"}):
        with sh(script, layers=[base, top]) as b:
            c = started(b, env=env).attach()
            eq(c.until_closed().code, 1000)
            out = bytes(c.output).decode()
            assert "toplow" in out, out
            assert re.search(r"1000 +1000", out), out       # as the image says, not the host's shifted id
            assert "/etc/gone: No such file" in out, out
            assert "/etc/new: Read-only file system" in out, out
            assert "tmp-ok" in out, out
            b.wait()
            nothing_left(b)
    eq(sorted(os.listdir(os.path.join(top, "etc"))), ["both", "gone"])


def many_layers():
    """As many as Docker makes, and more than fit into one string of the new mount calls."""
    all_layers = [LAYER]
    for i in range(126):
        one = os.path.join(WORK, f"many{i}")
        os.makedirs(one, exist_ok=True)
        with open(os.path.join(one, f"of-{i}"), "w") as f:
            f.write(str(i))
        all_layers.append(one)
    for env in ({}, {"CARREL_TEST_NO_LAYER_FDS": "1"}):
        with sh("ls / | grep -c ^of-; cat /of-0 /of-125", layers=all_layers) as b:
            c = started(b, env=env).attach()
            eq(c.until_closed().code, 1000)
            assert b"126\r\n0125" in c.output, c.output
            b.wait()
            nothing_left(b)


def without_idmap():
    def no_user_namespace(cfg):
        cfg["linux"]["namespaces"] = [n for n in cfg["linux"]["namespaces"] if n["type"] != "user"]
        del cfg["linux"]["uidMappings"], cfg["linux"]["gidMappings"]

    with sh("id -u; touch /x", config=no_user_namespace, idmap=None) as b:
        c = started(b).attach()
        c.until_closed()
        assert b"Read-only" in c.output, c.output


# ---- size ----

def many_live():
    n = int(os.environ.get("CARREL_LIVE", "20"))
    boxes = [box(SH, base=524288 + i * 65536) for i in range(n)]
    try:
        ms = sorted(started(b) and b.ms for b in [keep_ms(b) for b in boxes])
        pids = [(b.proc.pid, b.front_pid()) for b in boxes]
        comes_to_rest([p for pair in pids for p in pair])
        pss = sorted(sum(smaps(p) for p in pair) for pair in pids)
        print(f"# {n} live: PSS of a shim (both processes) median {pss[n // 2]} KiB, most {pss[-1]} KiB; "
              f"start median {ms[n // 2]:.1f} ms")
        assert pss[-1] < (MEMORY if SAN else 1536), pss
    finally:
        for b in boxes:
            b.end()


def keep_ms(b):
    b.start_plain = b.start

    def start(*a, **kw):
        r = b.start_plain(*a, **kw)
        b.ms = r["ms"]
        return r
    b.start = start
    return b


def main(cases):
    if not os.path.exists(LAYER):
        sc.make_layer(LAYER)
        for name in ("tr", "setsid", "nohup", "sha256sum", "mkfifo"):
            os.symlink("busybox", os.path.join(LAYER, "bin", name))
    cases[sys.argv[1]]()


if __name__ == "__main__":
    main(globals())
