"""The subprotocols of a terminal, over sockets that are handed to a shim, one function each; dialects.bats runs them by name:
dialect_cases.py CASE WORKDIR. The transcripts of ttyd, Kubernetes and terminado are written from what their servers and
clients put on the wire (docs/protocol.md).

Environment: CARREL_SHIM, CARREL_RUNTIME, CARREL_INIT name the programs under test.
"""

import json
import os
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))

import shim_client as sc  # noqa: E402

WORK = sys.argv[2]
LAYER = os.path.join(WORK, "layer")
RESET = b"\x18\x1bc"


def box(script, **kw):
    b = sc.Sandbox(os.path.join(WORK, "run"), [LAYER], ["/bin/sh", "-c", script], **kw)
    r = b.start()
    assert r["ok"], r
    return b


def eq(a, b):
    assert a == b, f"{a!r} is not {b!r}"


def plain(b, protocol, **kw):
    return b.attach(protocol=protocol, **kw)


def now(b):
    """Where output stands, for a client that wants none of the history."""
    return b.ask("info")["next"]


# ---- frames ----

def cases():
    with open(os.path.join(HERE, "..", "tools", "ws_cases"), encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                name, rest = line.split(" = ", 1)
                frames, events = rest.split(" -> ")
                yield name, frames.split(), events.split()


def payload(text):
    return b"x" * int(text[1:]) if text.startswith("@") else bytes.fromhex(text)


def wire(word):
    if word.startswith("raw:"):
        return bytes.fromhex(word[4:])
    first, body = int(word[:2], 16), payload(word[3:])
    return sc.frame(body, opcode=first & 15, fin=bool(first & 0x80), rsv=first & 0x70)


def frames():
    """Every case of tests/tools/ws_cases: what comes to the program, what is answered, how it closes."""
    n = 0
    with box("stty raw -echo; echo ready; exec cat") as b:
        plain(b, "raw").gather(rb"ready\s")
        total = now(b)
        for name, words, events in cases():
            c = plain(b, "raw", since=total)
            try:
                c.push(b"".join(map(wire, words)))
            except OSError:
                pass  # it closed while we were still sending
            last = events[-1]
            want = b"".join(payload(e[2:]) for e in events if e[0] in "tb")
            code = int(last[2:]) if last[0] in "ce" else None
            if code is None:
                # Its echo comes behind all that the frames caused, pongs too.
                want += b"."
                c.send(b".")
                got = b""
                while len(got) < len(want):
                    got += c.message()
                c.push(sc.frame(b"\x03\xe8", opcode=8))
                rest, closed = c.rest()
                got += b"".join(rest)
                eq((name, closed.code), (name, 1000))
            else:
                rest, closed = c.rest()
                got = b"".join(rest)
                eq((name, closed.code), (name, 1000 if code == 1005 else code))
            # An error may overtake the echo of what came before it.
            assert got == want or (code is not None and want.startswith(got)), (name, got, want)
            eq((name, c.pongs[-1:]), (name, [payload(e[2:]) for e in events if e[0] == "p"][-1:]))
            c.close()
            n += 1
            total += len(want)
            end = time.monotonic() + 60
            while now(b) < total:  # what an error has overtaken
                assert time.monotonic() < end, (name, now(b), total)
                time.sleep(0.005)
            eq((name, now(b)), (name, total))
        eq(b.ask("info")["state"], "running")
    assert n > 100, n
    print(f"# {n} cases")


# ---- ttyd ----

def tty_output(m):
    return m[1:] if m[:1] == b"0" else b""


def tty():
    with box("stty size; read x; echo got $x; stty size; read y; exit 3") as b:
        c = plain(b, "tty")
        eq(c.message(), b"1carrel " + b.id.encode())
        eq(c.message(), b"2{}")
        c.send(b'{"AuthToken":"","columns":80,"rows":24}')
        c.gather(b"24 80\r\n", tty_output)
        c.send(b"")          # ended ttyd with all of its sessions
        c.send(b"9unknown")  # skipped
        c.send(b'1{"columns":132,"rows":43}')
        c.send(b"0" + "grün\n".encode())
        c.gather("got grün\r\n43 132".encode(), tty_output)
        c.text("0end\n")     # older pages send text
        got, closed = c.rest()
        # Never 1006: its page would come back for ever.
        eq((closed.code, closed.reason), (1000, "exited, code 3"))
        assert all(m[:1] == b"0" for m in got), got
    # The end does not wait for a RESUME.
    with box("read x; echo last; exit 0") as b:
        c = plain(b, "tty")
        c.send(b"2")
        c.send(b"0\n")
        got, closed = c.rest()
        assert b"last" in b"".join(got), got
        eq(closed.code, 1000)
    with box("sleep 100") as b:
        bad = plain(b, "tty")
        bad.send(b"1{")
        got, closed = bad.rest()
        eq(closed.code, 1002)
        watcher = plain(b, "tty", role="viewer")
        b.ask("end")
        eq(watcher.rest()[1].code, 1000)


def tty_pause():
    """PAUSE holds the one who asked and nobody else; after seconds the program runs on, and the paused one starts again at
    a clean place."""
    script = "stty -opost; read x; seq 1 30000; echo; echo half; read x; seq 30001 60000; echo; echo full; read x"
    with box(script, history_bytes=65536) as b:
        paused = plain(b, "tty")
        paused.message(), paused.message()
        other = b.attach()
        other.hello()
        paused.send(b"2")
        paused.heard()
        other.input("\n")
        other.until(r"\nhalf")
        # Held up, it would have got nothing for the five seconds that a program waits, and then a gap.
        eq(other.gaps, [])
        try:
            got = tty_output(paused.message(0.3))
        except OSError:
            got = b""
        eq(got, b"")
        paused.send(b"3")
        text = paused.gather(b"half", tty_output)
        # 168,894 bytes went through a history of 65,536: a reset, then the screen of the present, not the history.
        assert text.startswith(RESET), text[:40]
        assert b"30000" in text and b"29990" in text and b"25000" not in text, text[:200]
        # Resumed, it is served as all are.
        other.input("\n")
        paused.gather(b"\nfull", tty_output)
        # Alone and paused it holds the program for seconds only.
    with box("stty -opost; read x; seq 1 30000; echo done > /tmp/x; read y", history_bytes=65536) as b:
        alone = plain(b, "tty")
        alone.send(b"2")
        alone.send(b"0\n")
        end = time.monotonic() + 60
        while now(b) < 168894:
            assert time.monotonic() < end, b.ask("info")
            time.sleep(0.2)
        alone.send(b"3")
        alone.gather(b"C30000\r\n", tty_output)


# ---- Kubernetes ----

def channel(n):
    return lambda m: m[1:] if m[0] == n else b""


def status_of(messages):
    found = [json.loads(m[1:]) for m in messages if m[0] == 3]
    eq(len(found), 1)
    eq(messages[-1][0], 3)
    return found[0]


def k8s():
    for version in ("v5.channel.k8s.io", "v4.channel.k8s.io"):
        with box("stty size; read x; echo got $x; stty size; read y; exit 3") as b:
            c = plain(b, version)
            eq(c.message(), b"\x01")
            c.gather(b"24 80", channel(1))
            c.send(b"")
            c.send(b"\x07nowhere")
            c.send(b'\x04{"Width":132,"Height":43}')
            c.send(b"\x00word\n")
            c.gather(b"got word\r\n43 132", channel(1))
            c.send(b"\x00end\n")
            got, closed = c.rest()
            eq(status_of(got), {
                "metadata": {}, "status": "Failure", "message": "command terminated with exit code 3",
                "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}})
            eq(closed.code, 1000)
    # Without a terminal: the end of stdin, by which `wc` learns that nothing more comes.
    with box("wc -c", terminal=False) as b:
        c = plain(b, "v5.channel.k8s.io")
        for _ in range(5):
            c.send(b"\x00" + b"x" * 60000)
        c.send(b"\xff\x00")
        got, closed = c.rest()
        eq(b"".join(map(channel(1), got)), b"300000\n")
        eq(status_of(got), {"metadata": {}, "status": "Success"})
        eq(closed.code, 1000)
    # Ends that are not the program's.
    with box("sleep 100") as b:
        c = plain(b, "v5.channel.k8s.io")
        loser = plain(b, "v5.channel.k8s.io")
        b.attach(takeover=True, role="writer").hello()
        for x in (c, loser):
            got, closed = x.rest()
            eq((status_of(got)["message"], closed.code), ("another writer took over", 1000))
        bad = plain(b, "v4.channel.k8s.io")
        bad.send(b"\x04{")
        got, closed = bad.rest()
        eq((status_of(got)["reason"], closed.code), ("InternalError", 1002))
        last = plain(b, "v5.channel.k8s.io")
        b.ask("end")
        got, closed = last.rest()
        eq((status_of(got)["message"], closed.code), ("the sandbox was ended: deleted", 1000))


# ---- terminado ----

def terminado():
    with box("stty size; read x; echo got $x; stty size; printf 'a\\303'; sleep 0.5; printf '\\251b \\377 \\000.\\n'; read y; exit 3") as b:
        c = plain(b, "terminado")

        def out(m):
            eq(c.opcode, 1)
            v = json.loads(m)
            return v[1].encode() if v[0] == "stdout" else b""

        eq(json.loads(c.message()), ["setup", {}])
        c.gather(b"24 80", out)
        c.text(json.dumps(["set_size", 43, 132, 600, 800]))
        c.text(json.dumps(["switch", "elsewhere"]))
        c.text(json.dumps(["stdin", "grün\r"]))
        text = c.gather(rb"\.\r\n", out)
        assert "got grün\r\n43 132\r\na" in text.decode(), text
        assert text.endswith("aéb \ufffd \0.\r\n".encode()), text
        c.send(json.dumps(["stdin", "end\r"]).encode())
        got, closed = c.rest()
        eq(json.loads(got[-1]), ["disconnect", 1])
        eq(closed.code, 1000)
    with box("sleep 100") as b:
        c = plain(b, "terminado")
        c.text("{}")
        eq(c.rest()[1].code, 1002)


# ---- raw ----

def raw():
    with box("stty raw -echo; echo ready; head -c 8; exit 3") as b:
        c = plain(b, "raw", cols=90, rows=20)
        eq(b.ask("info")["cols"], 90)
        c.gather(rb"ready\s")
        c.text("é")
        c.send(b"")
        c.raw(sc.frame(b"\xff\x00\x80\x7b12", opcode=2))
        got, closed = c.rest()
        eq(b"".join(got), "é".encode() + b"\xff\x00\x80\x7b12")
        eq((closed.code, closed.reason), (1000, "exited, code 3"))


def behind():
    """A client without GAP that fell behind the history: a reset, then output from a place where a terminal can begin."""
    lines = "".join(f"\\033[1m{i}\\033[0m\\n" for i in range(3))
    script = f"stty -opost; printf '{lines}'; seq 1 30000; echo end; sleep 100"
    for protocol, body in (("raw", lambda m: m), ("tty", tty_output), ("v4.channel.k8s.io", channel(1)),
                           ("terminado", lambda m: (json.loads(m) + [""])[1].encode() if b"stdout" in m else b"")):
        with box(script, history_bytes=65536) as b:
            end = time.monotonic() + 60
            while now(b) < 168894:
                assert time.monotonic() < end, b.ask("info")
                time.sleep(0.05)
            c = plain(b, protocol, since=5)
            text = c.gather(b"end\n", body)
            assert text.startswith(RESET), (protocol, text[:40])
            numbers = [int(x) for x in text[len(RESET):].split() if x.isdigit()]
            eq(numbers, list(range(numbers[0], 30001)))


def questions():
    """Questions of a program to its terminal: none in what is replayed, where nobody knows that it is old; all of them live, and all of
    them to a client that knows (carrel.v1), or without a terminal."""
    asked = r"\033[c\033[6n\033]11;?\007\033P$qm\033\\\033[?2026$p"
    seen = asked.replace(r"\033", "\x1b").replace(r"\007", "\x07").replace("\\\\", "\\").encode()
    old, live = b"old" + seen + b"er\n", b"live" + seen + b".\n"
    say = r"printf 'old%ser\n'; read x; printf 'live%s.\n'; sleep 100" % (asked, asked)
    for protocol, body, key in (("raw", lambda m: m, b"\n"), ("tty", tty_output, b"0\n"), ("v4.channel.k8s.io", channel(1), b"\x00\n"),
                                ("terminado", lambda m: (json.loads(m) + [""])[1].encode() if b"stdout" in m else b"", b'["stdin", "\\n"]')):
        with box("stty -opost -echo; " + say) as b:
            knows = b.attach()
            knows.until(rb"er\n")
            eq(bytes(knows.output), old)
            c = plain(b, protocol)
            eq(c.gather(rb"er\n", body), b"old\x1b\\er\n")
            c.text(key.decode())
            eq(c.gather(rb"\.\n", body), live)
            again = b.attach()
            again.until(rb"\.\n")
            eq(bytes(again.output), old + live)
    with box(say, terminal=False) as b:
        b.attach().until(rb"er\n")
        eq(plain(b, "raw").gather(rb"er\n"), old)


def floods():
    """A flood at full speed to each kind of client, one that does not read beside each: whole, in bounded memory."""
    size = 3_000_000
    for protocol, body in (("raw", len), ("tty", lambda m: len(tty_output(m))), ("v5.channel.k8s.io", lambda m: len(channel(1)(m))),
                           ("terminado", lambda m: len(json.loads(m)[1]) if b"stdout" in m else 0)):
        with box(f"stty -opost; read x; head -c {size} /dev/zero | tr '\\0' x; read y") as b:
            plain(b, protocol, role="viewer")  # never reads
            c = plain(b, protocol)
            c.hold()
            t0 = time.monotonic()
            b.ask("input", extra=b"\n")
            got = 0
            while got < size:
                got += body(c.message(30))
            took = time.monotonic() - t0
            with open(f"/proc/{b.front_pid()}/status") as f:
                rss = next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))
            print(f"# {protocol}: {size / took / 1e6:.0f} MB/s, front {rss} KiB")
            assert rss < (65536 if os.environ.get("CARREL_SAN") else 4096), rss


# ---- roles and sizes ----

def roles():
    with box("stty -echo; while read x; do echo \"<$x>\"; done") as b:
        time.sleep(0.3)
        a, c, v = b.attach(), b.attach(), b.attach(role="viewer")
        t = plain(b, "tty")
        eq([x.hello()["role"] for x in (a, c, v)], ["writer", "writer", "viewer"])
        # Everyone writes while the pen is free; the viewer does not.
        v.input("viewer-1\n")
        for who, x in (("a", a), ("c", c)):
            x.input(who + "-1\n")
            v.until(f"<{who}-1>")
        # The viewer takes the pen: it alone writes.
        v.send(bytes([sc.PEN, 1]))
        eq([x.until_type(sc.ROLE) for x in (a, c, v)], [b"\0", b"\0", b"\1"])
        a.input("a-2\n")
        t.send(b"0t-2\n")
        v.input("v-2\n")
        v.until("<v-2>")
        assert b"viewer-1" not in v.output and b"-2>" not in bytes(v.output).split(b"<v-2>")[0], v.output
        eq({x["client"]: (x["role"], x["pen"]) for x in b.ask("info")["attached"]},
           {1: ("viewer", False), 2: ("viewer", False), 3: ("writer", True), 4: ("viewer", False)})
        # One who comes watches; one without the pen cannot give it back.
        late = b.attach()
        eq(late.hello()["role"], "viewer")
        a.send(bytes([sc.PEN, 0]))
        # It goes from hand to hand.
        a.send(bytes([sc.PEN, 1]))
        eq(v.until_type(sc.ROLE), b"\0")
        eq(a.until_type(sc.ROLE), b"\1")
        a.input("a-3\n")
        v.until("<a-3>")
        # Its holder goes: all who came to write, write; who came to watch, watches.
        a.close()
        for x in (c, late):
            eq(x.until_type(sc.ROLE), b"\1")
        for who, x in (("c", c), ("late", late)):
            x.input(who + "-4\n")
            v.until(f"<{who}-4>")
        t.send(b"0t-4\n")
        v.input("v-4\n")
        v.until("<t-4>")
        time.sleep(0.2)
        assert b"v-4" not in v.output
        # Given back.
        c.send(bytes([sc.PEN, 1]))
        eq(late.until_type(sc.ROLE), b"\0")
        c.send(bytes([sc.PEN, 0]))
        eq(late.until_type(sc.ROLE), b"\1")
        # Take-over on attach closes the writers and has the pen if there was one.
        c.send(bytes([sc.PEN, 1]))
        late.until_type(sc.ROLE)
        boss = b.attach(takeover=True)
        eq(boss.hello()["role"], "writer")
        eq(c.until_closed().code, 4001)
        boss.input("boss\n")
        v.until("<boss>")
        late.input("late-5\n")
        time.sleep(0.2)
        for bad in (b"", b"\2", b"\1\1"):
            x = b.attach()
            x.hello()
            x.send(bytes([sc.PEN]) + bad)
            eq(x.until_closed().code, 4400)
        boss.close()
        eq(late.until_type(sc.ROLE), b"\1")
        late.input("late-6\n")
        v.until("<late-6>")
        assert b"late-5" not in v.output


def sizes():
    """The size is the last active writer's, everyone is told, and what a telephone leaves behind is undone."""
    def told(x):
        return struct.unpack(">HH", x.until_type(sc.SIZE))

    with box("while :; do read x; stty size; done") as b:
        desk = b.attach(cols=120, rows=40)
        desk.hello()
        viewer = b.attach(role="viewer", cols=10, rows=10)
        eq(viewer.hello()["cols"], 120)
        phone = b.attach(cols=40, rows=20)
        eq(phone.hello()["cols"], 40)
        eq([told(desk), told(viewer)], [(40, 20)] * 2)
        # Typing at the desk: its size; at the phone again: the phone's.
        desk.input("\n")
        desk.until("40 120")
        eq(told(viewer), (120, 40))
        phone.input("\n")
        eq(told(viewer), (40, 20))
        # The phone goes.
        phone.close()
        eq(told(viewer), (120, 40))
        # Set through shim.sock: typing leaves it alone, a client's own RESIZE does not.
        b.ask("resize", cols=77, rows=22)
        eq(told(viewer), (77, 22))
        desk.input("\n")
        desk.until("22 77")
        desk.resize(100, 30)
        eq(told(viewer), (100, 30))
        # Whoever takes the pen brings its size; a viewer's RESIZE counted until then for nothing.
        viewer.resize(66, 16)
        time.sleep(0.2)
        eq(b.ask("info")["cols"], 100)
        viewer.send(bytes([sc.PEN, 1]))
        eq(told(viewer), (66, 16))
        viewer.send(bytes([sc.PEN, 0]))
        eq(told(viewer), (100, 30))
        # Other protocols take part.
        t = plain(b, "tty")
        t.send(b'{"columns":50,"rows":15}')
        eq(told(viewer), (50, 15))
        t.close()
        eq(told(viewer), (100, 30))


def round_trip():
    with box("sleep 100") as b:
        c = b.attach()
        c.hello()
        eq([x["rtt_ms"] for x in b.ask("info")["attached"]], [None])
        end = time.monotonic() + 90
        while b.ask("info")["attached"][0]["rtt_ms"] is None:
            assert time.monotonic() < end, "no pong counted"
            try:
                c.take(0.5)
            except OSError:
                pass
        assert c.pings >= 1
        assert b.ask("info")["attached"][0]["rtt_ms"] < 30000


# ---- residue ----

def residue():
    """A thousand clients of all kinds that come and drop: in the middle of frames, in floods, resizing, without a word."""
    kinds = ("carrel.v1", "tty", "v5.channel.k8s.io", "v4.channel.k8s.io", "terminado", "raw")
    resize = {"carrel.v1": b"\x11\x00\x50\x00\x18", "tty": b'1{"columns":90,"rows":30}', "v5.channel.k8s.io": b'\x04{"Width":91,"Height":30}',
              "v4.channel.k8s.io": b'\x04{"Width":92,"Height":30}', "terminado": b'["set_size",30,93]', "raw": b"x"}
    with box("stty -echo; while :; do echo output-output-output-output-output; done", max_clients=64) as b:
        pid = b.front_pid()

        def state():
            # A connection to shim.sock that asked before may be there still: the least of a few looks.
            looks = []
            for _ in range(5):
                looks.append(len(os.listdir(f"/proc/{pid}/fd")))
                time.sleep(0.02)
            with open(f"/proc/{pid}/status") as f:
                rss = next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))
            return min(looks), rss

        def quiet():
            end = time.monotonic() + 60
            while b.ask("info")["clients"] > 0:
                assert time.monotonic() < end, b.ask("info")
                time.sleep(0.02)

        n = int(os.environ.get("CARREL_DROPS", "1000"))
        before = None
        for i in range(n):
            kind = kinds[i % len(kinds)]
            c = b.attach(protocol=kind, tcp=i % 3 != 0)
            whole = sc.frame(resize[kind], opcode=1 if kind == "terminado" else 2)
            try:
                c.sock.settimeout(10)
                c.sock.sendall((b"", whole[:1], whole[:7], whole * 50 + whole[:3], sc.frame(b"p" * 100, opcode=9) * 20,
                                b"\x82\xff" + struct.pack(">Q", 1 << 40))[i // 6 % 6])
                if i % 4 == 0:
                    c.sock.recv(i * 7 % 5000 + 1)
                if i % 5 == 0:  # a reset instead of an end
                    c.sock.setsockopt(sc.socket.SOL_SOCKET, sc.socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
            c.close()
            if i == min(199, n // 2):
                quiet()
                before = state()
        quiet()
        end = time.monotonic() + 60
        while state()[0] != before[0] and time.monotonic() < end:
            pass
        fds, rss = state()
        print(f"# after {n}: {fds} descriptors ({before[0]} before), {rss} KiB ({before[1]})")
        eq(fds, before[0])
        # A sanitizer keeps what was freed, up to 256 MiB of it.
        assert rss - before[1] < (300000 if os.environ.get("CARREL_SAN") else 256), (before, rss)
        c = b.attach()
        c.hello()
        c.until("output-output")
        b.ask("end")
        b.wait()
        with open("/proc/net/unix", encoding="utf-8") as f:
            assert b.id not in f.read(), "a socket is left"
        eq(sorted(os.listdir(b.dir)), ["exit.json", "lock", "sandbox.json", "shim.log"])
        for p in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{p}/cmdline", "rb") as f:
                    assert b.id.encode() not in f.read(), p
            except OSError:
                pass
        found = [d for top, dirs, _ in os.walk("/sys/fs/cgroup") for d in dirs if b.id in d]
        eq(found, [])


def refused():
    with box("sleep 100") as b:
        for fields, why in ((dict(protocol="webtty"), 'protocol: "webtty" is not known'), (dict(protocol=""), "is not known"),
                            (dict(protocol="tty", framing="packet"), "tty is spoken over a WebSocket only"),
                            (dict(protocol=7), "protocol: ")):
            r = b.attach(expect_ok=False, **fields).answer
            assert not r["ok"] and r["code"] == "invalid" and why in r["error"], (fields, r)
        eq(b.attach(protocol="carrel.v1", framing="packet").hello()["role"], "writer")  # control
        eq(b.attach().hello()["role"], "writer")


def main():
    if not os.path.exists(LAYER):
        sc.make_layer(LAYER, applets=("sh", "cat", "echo", "sleep", "stty", "seq", "head", "printf", "tr", "wc"))
    globals()[sys.argv[1]]()


if __name__ == "__main__":
    main()
