"""What a hostile client may try on a terminal; shim-*.bats run these by name: shim_attacks.py CASE WORKDIR

Each attack has its control beside it: the nearest thing that is allowed, seen to work, so that a refusal means the
rule and not a broken test.
"""

import os
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))

import shim_client as sc  # noqa: E402

WORK = sys.argv[2]
LAYER = os.path.join(WORK, "layer")
RAW = "stty raw -echo; echo ready; "


def box(script, **kw):
    b = sc.Sandbox(os.path.join(WORK, "run"), [LAYER], ["/bin/sh", "-c", script], **kw)
    r = b.start()
    assert r["ok"], r
    return b


def ready(b, **kw):
    c = b.attach(**kw)
    c.until(r"ready\s+")
    del c.output[:]
    return c


def eq(a, b):
    assert a == b, f"{a!r} is not {b!r}"


def rss(b):
    with open(f"/proc/{b.front_pid()}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def fds(b):
    return len(os.listdir(f"/proc/{b.front_pid()}/fd"))


def closes_with(b, code, data, **kw):
    """The attacker is closed with this code; the terminal and everyone else live on."""
    c = b.attach(**kw)
    c.hello()
    try:
        c.raw(data)
    except OSError:
        pass  # it closed while we were still sending
    closed = c.until_closed()
    eq(closed.code, code)
    c.close()
    return closed


def still_serves(b, other, text):
    other.input(text)
    other.until(text)
    eq(b.ask("info")["state"], "running")


def takes(c, byte, n):
    """Until the client has been given n of these bytes and no more."""
    while c.output.count(byte) < n:
        c.take(15)
    eq(c.output.count(byte), n)


def inp(data):
    return sc.frame(bytes([sc.INPUT]) + data)


ECHO = RAW + "exec cat"


def huge_length():
    with box(ECHO) as b:
        good = ready(b)
        before = rss(b)
        # A length of 2^63 or more is no length at all; nor is one that has a shorter form.
        for n, code in ((65537, 1009), (1 << 31, 1009), (1 << 40, 1009), ((1 << 63) - 1, 1009), (1 << 63, 1002),
                        ((1 << 64) - 1, 1002), (6, 1002)):
            head = b"\x82\xff" + struct.pack(">Q", n) + b"\1\2\3\4"
            closes_with(b, code, head + b"x" * 100)
        for n in (65537, 0xFFFFFFFF):
            c = b.attach(framing="packet")
            c.hello()
            c.sock.sendall(struct.pack(">I", n) + b"x" * 100)
            eq(c.until_closed().code, 1009)
        assert rss(b) - before < 512, (before, rss(b))
        still_serves(b, good, "alive")
        # Control: the same header with the greatest length that is allowed.
        c = b.attach()
        c.hello()
        c.raw(b"\x82\xff" + struct.pack(">Q", 65536) + b"\0\0\0\0" + b"\x10" + b"h" * 65535)
        takes(good, b"h", 65535)


def message_size():
    with box(ECHO) as b:
        good = ready(b)
        closes_with(b, 1009, inp(b"y" * 65536))  # with its type byte, one too many
        # Control: exactly 65,536 bytes pass, in one frame and in two.
        c = b.attach()
        c.hello()
        body = bytes([sc.INPUT]) + b"z" * 65535
        c.raw(sc.frame(body))
        takes(good, b"z", 65535)
        c.raw(sc.frame(body[:40000], fin=False) + sc.frame(body[40000:], opcode=0))
        takes(good, b"z", 2 * 65535)
        assert b"y" not in good.output
        closes_with(b, 1009, sc.frame(body[:40000], fin=False) + sc.frame(body[:40000], opcode=0))


def endless_fragments():
    with box(ECHO) as b:
        good = ready(b)
        for piece in (b"", b"a"):
            closes_with(b, 1009, sc.frame(bytes([sc.INPUT]), fin=False) + sc.frame(piece, opcode=0, fin=False) * 3000)
        assert b"a" not in good.output
        # Control: a thousand fragments and an end make a message.
        c = b.attach()
        c.hello()
        c.raw(sc.frame(bytes([sc.INPUT]), fin=False) + sc.frame(b"q", opcode=0, fin=False) * 1000 + sc.frame(b"!", opcode=0))
        good.until("q{1000}!")


def malformed_frames():
    rows = [
        ("unmasked", sc.frame(b"\x10evil", mask=None), 1002),
        ("RSV1", sc.frame(b"\x10evil", rsv=0x40), 1002),
        ("RSV2", sc.frame(b"\x10evil", rsv=0x20), 1002),
        ("RSV3", sc.frame(b"\x10evil", rsv=0x10), 1002),
        ("opcode 3", sc.frame(b"\x10evil", opcode=3), 1002),
        ("opcode 15", sc.frame(b"", opcode=15), 1002),
        ("fragmented ping", sc.frame(b"", opcode=9, fin=False), 1002),
        ("long ping", sc.frame(b"x" * 126, opcode=9), 1002),
        ("continuation of nothing", sc.frame(b"\x10evil", opcode=0), 1002),
        ("message inside a message", sc.frame(b"\x10", fin=False) + sc.frame(b"\x10evil"), 1002),
        ("close of one byte", sc.frame(b"\x03", opcode=8), 1002),
        ("close with code 1005", sc.frame(b"\x03\xed", opcode=8), 1002),
        ("text", sc.frame(b"evil", opcode=1), 4400),
        ("text fragment", sc.frame(b"evil", opcode=1, fin=False), 4400),
        ("unknown type", sc.frame(b"\x01evil"), 4400),
        ("HTTP again", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1002),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 1002),
    ]
    with box(ECHO) as b:
        good = ready(b)
        for name, data, code in rows:
            closed = closes_with(b, code, data + inp(b"evil"))
            assert closed.reason, name
        still_serves(b, good, "alive")
        assert b"evil" not in good.output
        # Control: the same word in a proper frame arrives.
        c = b.attach()
        c.hello()
        c.raw(inp(b"evil"))
        good.until("evil")


def empty_messages():
    # One of these ended a whole server of another kind.
    with box(ECHO) as b:
        good = ready(b)
        c = b.attach()
        c.hello()
        c.raw(sc.frame(b"") * 5000 + sc.frame(b"", fin=False) + sc.frame(b"", opcode=0) + inp(b"") + inp(b"done"))
        good.until("done")
        p = b.attach(framing="packet")
        p.hello()
        p.sock.sendall(b"\0\0\0\0" * 5000 + b"\0\0\0\5\x10more")
        good.until("more")


def ping_flood():
    with box(ECHO) as b:
        good = ready(b)
        before = rss(b)
        c = b.attach()
        c.hello()
        c.hold()
        flood = (sc.frame(b"p" * 125, opcode=9) + sc.frame(bytes([sc.PING]) + b"q" * 32)) * 400
        worst = 0
        for i in range(200):  # nothing of the answers is read
            c.push(flood)
            if i % 20 == 0:
                t0 = time.monotonic()
                still_serves(b, good, f"alive{i}.")
                worst = max(worst, time.monotonic() - t0)
        assert worst < 30, worst
        assert rss(b) - before < 1024, (before, rss(b))
        c.close()
        # Control: one who reads is answered.
        d = b.attach()
        d.hello()
        d.raw(sc.frame(b"hello", opcode=9))
        d.send(bytes([sc.PING]) + b"x")
        eq(d.until_type(sc.PONG), b"x")
        end = time.monotonic() + 60
        while not d.pongs and time.monotonic() < end:
            d.input("x")
            d.take(5)
        eq(d.pongs, [b"hello"])


def resize_overflow():
    with box(RAW + "while read x; do stty size; done") as b:
        good = ready(b)
        for cols, rows in ((0, 24), (80, 0), (0, 0), (1001, 24), (80, 1001), (65535, 65535), (32768, 1)):
            closes_with(b, 4400, sc.frame(struct.pack(">BHH", sc.RESIZE, cols, rows)))
        for body in (b"", b"\0", b"\0\x50\0", b"\0\x50\0\x18\0"):
            closes_with(b, 4400, sc.frame(bytes([sc.RESIZE]) + body))
        for cols, rows in ((0, 24), (65536, 24), (80, 4294967296), (-1, 24)):
            r = b.ask("resize", cols=cols, rows=rows)
            eq((r["ok"], r["code"]), (False, "invalid"))
        info = b.ask("info")
        eq((info["cols"], info["rows"]), (80, 24))
        good.input("\n")
        good.until("24 80")
        # Control: the largest that is allowed is set.
        good.resize(1000, 1000)
        good.input("\n")
        good.until("1000 1000")


def resize_flood():
    with box(ECHO) as b:
        good = ready(b)
        before = rss(b)
        c = b.attach()
        c.hello()
        c.hold()
        for i in range(100):
            c.push(b"".join(sc.frame(struct.pack(">BHH", sc.RESIZE, 1 + (i + k) % 1000, 1 + k % 1000)) for k in range(500)))
        still_serves(b, good, "alive")
        assert rss(b) - before < 1024
        sizes = [body for kind, body in good.messages if kind == sc.SIZE]
        # Control: sizes were set and told; but told once a turn, not 50,000 times.
        assert 1 <= len(sizes) < 40000, len(sizes)


def acknowledging_the_future():
    with box(ECHO) as b:
        ready(b)
        for n in (1 << 20, (1 << 64) - 1):
            closes_with(b, 4400, sc.frame(struct.pack(">BQ", sc.ACK, n)))
        c = b.attach()
        c.hello()
        c.send(struct.pack(">BQ", sc.ACK, 0))  # control: an old one is nothing
        c.input("ok")
        c.until("ok")


def slow_headers():
    with box(ECHO, max_clients=8) as b:
        good = ready(b)
        before = rss(b)
        crowd = [b.attach() for _ in range(7)]
        for c in crowd:
            c.raw(b"\x82")
        for byte in b"\xff\0\0\0\0\0":
            for c in crowd:
                c.raw(bytes([byte]))
            still_serves(b, good, f"alive{byte}.")
        eq(b.attach(expect_ok=False).answer["code"], "limit")
        assert rss(b) - before < 512
        # Control: a slow one that ends its frame is heard.
        crowd[0].raw(b"\1\0\0" + b"\0\0\0\0" + b"\x10!" + b"!" * 65534)
        good.until("!")
        for c in crowd:
            c.close()
        end = time.monotonic() + 60
        while b.ask("info")["clients"] > 1:
            assert time.monotonic() < end


def nobody_is_there(b):
    end = time.monotonic() + 60
    while b.ask("info")["clients"]:
        assert time.monotonic() < end, b.ask("info")
        time.sleep(0.02)


def read_only():
    """One who may only watch, in every protocol: typing, sizes, the end of input, the pen. The control: a viewer by its own wish takes the pen and
    writes, and writers of each protocol do."""
    import json
    pen = bytes([sc.PEN, 1])
    attempts = {
        "carrel.v1": [pen, bytes([sc.INPUT]) + b"evil\n", struct.pack(">BHH", sc.RESIZE, 66, 11), bytes([0x14])],
        "tty": [b'{"AuthToken":"","columns":66,"rows":11}', b"0evil\n", b'1{"columns":66,"rows":11}'],
        "v5.channel.k8s.io": [b"\0evil\n", b'\4{"Width":66,"Height":11}', b"\xff\0"],
        "v4.channel.k8s.io": [b"\0evil\n", b'\4{"Width":66,"Height":11}'],
        "terminado": [b'["stdin","evil\\n"]', b'["set_size",11,66]'],
        "raw": [b"evil\n"],
    }
    with box(RAW + "while read x; do echo \"<$x>\"; done") as b:
        good = ready(b)
        for protocol, messages in attempts.items():
            opcode = 1 if protocol == "terminado" else 2
            watcher = b.attach(protocol=protocol, role="viewer", read_only=True, cols=66, rows=11)
            for m in messages * 2:
                watcher.raw(sc.frame(m, opcode=opcode))
            watcher.heard()
            info = b.ask("info")
            mine = [x for x in info["attached"] if x["protocol"] == protocol][-1] if protocol != "carrel.v1" else info["attached"][0]
            eq((protocol, mine["role"], mine["pen"]), (protocol, "viewer", False))
            eq((info["cols"], info["rows"]), (80, 24))
            good.input(protocol.encode() + b"\n")
            good.until("<" + protocol + ">")
            assert b"evil" not in good.output, (protocol, good.output)
            watcher.close()
            # The control: the same words of a writer.
            writer = b.attach(protocol=protocol)
            writer.raw(sc.frame(messages[1] if protocol in ("carrel.v1", "tty") else messages[0], opcode=opcode))
            good.until("<evil>")
            del good.output[:]
            writer.close()
        wish = b.attach(role="viewer")
        wish.hello()
        wish.send(pen)
        eq(wish.until_type(sc.ROLE), b"\1")
        wish.input("pen\n")
        good.until("<pen>")
        wish.close()
        for extra in (dict(role="writer"), dict(role="viewer", takeover=True)):
            r = b.attach(expect_ok=False, read_only=True, **extra).answer
            assert not r["ok"] and "read_only: " in r["error"], r


def abrupt_drops():
    with box(RAW + "while :; do echo output-output-output; done") as b:
        b.attach().close()
        nobody_is_there(b)
        # A connection to shim.sock that asked before may be there still: the least of a few looks.
        before = (min(fds(b) for _ in range(10) if not time.sleep(0.02)), rss(b))
        for i in range(300):
            c = b.attach(since=0 if i % 3 == 0 else None) if i % 3 == 0 else b.attach()
            if i % 2:
                c.raw(sc.frame(b"\x10half", fin=False)[:6])
            if i % 5 == 0:
                # A reset instead of an end.
                import socket
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()
        nobody_is_there(b)
        end = time.monotonic() + 60
        while fds(b) != before[0]:
            assert time.monotonic() < end, (fds(b), before)
            time.sleep(0.02)
        assert rss(b) - before[1] < 1024, (before, rss(b))
        c = b.attach()  # control: the terminal still speaks
        c.until("output-output")


def control_socket_floods():
    with box(ECHO) as b:
        good = ready(b)
        before = fds(b)
        crowd = []
        for _ in range(200):
            try:
                s = b.connect()
                s.setblocking(False)
                crowd.append(s)
            except OSError:
                break
        good.input("alive")
        good.until("alive")
        assert fds(b) - before <= 66, (before, fds(b))
        for s in crowd:
            s.close()
        eq(b.ask("info")["ok"], True)
        # A peer that asks and never reads its answers is let go.
        s = b.connect()
        s.setblocking(False)
        text = b'{"op":"info"}'
        try:
            for _ in range(20000):
                s.send(struct.pack("<I", len(text)) + text)
        except OSError:
            pass
        still_serves(b, good, "again")
        s.close()
        # More descriptors than any request has.
        import array
        import socket
        for n in (2, 8, 20):
            s = b.connect()
            r, w = os.pipe()
            s.sendmsg([struct.pack("<I", len(text)) + text],
                      [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [r] * n))])
            try:
                s.recv(1000)
            except OSError:
                pass
            s.close()
            os.close(r)
            os.close(w)
        end = time.monotonic() + 60
        while fds(b) > before:
            assert time.monotonic() < end, (before, fds(b))
            time.sleep(0.05)


def main():
    if not os.path.exists(LAYER):
        sc.make_layer(LAYER)
    globals()[sys.argv[1]]()


if __name__ == "__main__":
    main()
