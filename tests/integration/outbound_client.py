"""Clients, dialers and hosts for the tests of the outbound connection. ADDR is the relay's HOST:PORT; CLIENT_CA and CLIENT_HOST as in
sessiond_client.py.

  resume ADDR PATH KEY FILE    counts in a terminal until FILE.stop is there, comes back by since= whenever it is cut; reports
  stall ADDR PATH KEY N FILE   N terminals that flood and are not read; FILE.ready, then waits for FILE.stop
  pace ADDR PATH KEY N         N echoes, one after the other; prints their median and longest in ms
  send ADDR                    stdin as it is, to its end; prints the answers' status lines and what came
  mute ADDR TEXT               a client that says TEXT and reads nothing
  heads ADDR REST              a request per line of stdin (with \r\n as escapes) and REST behind it; prints STATUS LINE of each
  dial ADDR HOST TOKEN CASE    a dialer of its own making, see dial()
  dials ADDR                   the same for each line "HOST TOKEN CASE" of stdin (- : empty); prints a line each
  proxy FILE [USER:PASSWORD]   an HTTP proxy that knows CONNECT and takes every name for 127.0.0.1; prints its port, writes a line to FILE for
                               each request: STATUS NAME:PORT
  front ADDR CERT KEY CA PORT FILE   TLS that asks for a client's certificate, before the relay; writes the common name of each to FILE
  dns FILE                     takes questions at 127.0.0.1:53 and answers none; FILE.asked once there was one
  host PATH FILE               a daemon's place at a unix socket: writes each connection's bytes to FILE.N, answers 200
"""
import base64
import json
import os
import select
import socket
import ssl
import statistics
import struct
import sys
import threading
import time

import sessiond_client
from sessiond_client import DEADLINE, Socket, Terminal, bearer, connect, read_head


# ---- clients ----

def resume(addr, path, key, name):
    t, lines, cuts, tries, end, asked = None, b"", 0, 0, time.monotonic() + 90, 0
    since = None
    while time.monotonic() < end:
        try:
            ws = Socket(addr, path + ("" if since is None else f"?since={since}"), bearer(key))
        except OSError:
            ws = None
        if ws is None or ws.status != 101:
            tries += 1
            time.sleep(0.05)
            continue
        t = Terminal(ws)
        ws.s.settimeout(0.2)
        if since is None:
            ws.send(b"\x10i=0; while :; do i=$((i+1)); echo n-$i.; sleep 0.01; done\n")
        else:
            t.next = since
        alive = True
        while alive and time.monotonic() < end:
            # Again and again: a shell that is between two commands may overlook it.
            if os.path.exists(name + ".stop") and time.monotonic() > asked + 1:
                asked = time.monotonic()
                ws.send(b"\x10\x03")
                ws.send(b"\x10echo e-$((40+2))\n")
            try:
                alive = t.step()
            except socket.timeout:
                pass
            except OSError:
                alive = False
            if t.output.count(b"\n") > 5 and not os.path.exists(name + ".ready"):
                open(name + ".ready", "w").close()
            if b"e-42" in t.output:
                break
        lines += t.output
        since = t.next
        with open(name + ".count", "w") as f:
            f.write(str(cuts))
        if b"e-42" in t.output:
            break
        cuts += 1
    numbers = [int(x.split(b".")[0]) for x in lines.split(b"\nn-")[1:] if b"." in x]
    whole = numbers == list(range(1, len(numbers) + 1))
    print(json.dumps({"whole": whole, "lines": len(numbers), "cuts": cuts, "tries": tries, "jumps": t.jumps if t else None}))


def stall(addr, path, key, n, name):
    held = []
    for _ in range(int(n)):
        ws = Socket(addr, path, bearer(key))
        assert ws.status == 101, ws.status
        ws.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        held.append(ws)
    held[0].send(b"\x10yes stalled-stalled-stalled-stalled\n")
    open(name + ".ready", "w").close()
    end = time.monotonic() + 120
    while not os.path.exists(name + ".stop") and time.monotonic() < end:
        time.sleep(0.05)
    held[0].send(b"\x10\x03")


def pace(addr, path, key, n):
    ws = Socket(addr, path, bearer(key))
    ws.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    t = Terminal(ws)
    ws.send(b"\x10stty -echo; echo go-$((40+2))\n")
    assert t.until(b"go-42")
    took, first = [], os.getpid() * 1000  # not what an earlier one left in the history
    for i in range(first, first + int(n)):
        t.output, began = b"", time.monotonic()
        ws.send(f"\x10echo p-$(({i}+1)).\n".encode())
        assert t.until(f"p-{i + 1}.".encode()), t.output[-200:]
        took.append((time.monotonic() - began) * 1000)
    print(json.dumps({"median": round(statistics.median(took), 2), "longest": round(max(took), 1)}))


def send(addr):
    s = connect(addr)
    s.settimeout(DEADLINE)
    s.sendall(sys.stdin.buffer.read())
    data = b""
    try:
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
    except OSError as e:
        data += f"[{type(e).__name__}]".encode()
    print(json.dumps({"status": [int(x[:3]) for x in data.decode("latin-1").split("HTTP/1.1 ")[1:]], "text": data.decode("latin-1")}))


def heads(addr, rest):
    rest = rest.encode().decode("unicode_escape").encode("latin-1")
    for line in sys.stdin.read().splitlines():
        s = connect(addr)
        s.sendall(line.encode().decode("unicode_escape").encode("latin-1") + rest)
        status, _, _ = read_head(s)
        print(status, line)
        s.close()


def mute(addr, text):
    """A client that asks and then reads nothing."""
    s = connect(addr)
    s.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
    end = select.poll()
    end.register(s, select.POLLRDHUP)
    end.poll(60000)


# ---- dialers ----

def hello(host, version=1, streams=256, window=262144):
    return struct.pack(">BIBII", 1, 0, version, streams, window) + host.encode()


class Dialer(Socket):
    def __init__(self, addr, host, token):
        os.environ["CLIENT_HOST"] = "relay.test"
        super_protocol = [("Sec-WebSocket-Protocol", "carrel.relay.v1"), ("Carrel-Host", host)]
        if token != "-":
            super_protocol.append(("Authorization", "Bearer " + token))
        try:
            super().__init__(addr, "/dial", super_protocol)
        except AssertionError:
            pass  # it compares the protocol's name with a terminal's
        self.s.settimeout(DEADLINE)

    @staticmethod
    def frame(payload, opcode=2):
        mask, n = os.urandom(4), len(payload)
        length = bytes([0x80 | n]) if n < 126 else struct.pack(">BH", 0xFE, n) if n < 65536 else struct.pack(">BQ", 0xFF, n)
        key = (mask * (n // 4 + 1))[:n]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(n, "big") if n else b""
        return bytes([0x80 | opcode]) + length + mask + masked


def closing(d):
    """Reads on to the end; the reason of the close frame."""
    reason, code = "", 0
    try:
        while True:
            d.need(2)
            op, n, at = d.data[0] & 15, d.data[1] & 127, 2
            if n == 126:
                d.need(4)
                n, at = struct.unpack(">H", d.data[2:4])[0], 4
            d.need(at + n)
            payload, d.data = d.data[at:at + n], d.data[at + n:]
            if op == 8:
                code, reason = struct.unpack(">H", payload[:2])[0], payload[2:].decode()
    except (EOFError, OSError):
        pass
    return code, reason


def dial(addr, host, token, case):
    """CASE: what is said after HELLO. A dialer that keeps the rules ("good") answers one client and goes."""
    d = Dialer(addr, host, token)
    if d.status != 101:
        print(json.dumps({"status": d.status, "body": d.data.decode("latin-1")}))
        return
    cases = {
        "other-host": [hello("h2")],
        "no-hello": [b"\x07" + bytes(12)],
        "two-hellos": [hello(host), hello(host)],
        "version": [hello(host, version=9)],
        "streams": [hello(host, streams=0)],
        "window": [hello(host, window=1)],
        "opens": [hello(host), b"\x02\0\0\0\x01{}"],
        "unopened": [hello(host), b"\x03\0\0\0\x07x"],
        "oversize": [hello(host), b"\x03\0\0\0\x01" + bytes(16385)],
        "huge": [hello(host), b"\x03\0\0\0\x01" + bytes(200000)],
        "unknown": [hello(host), b"\x63\0\0\0\x01"],
        "short": [hello(host), b"\x03"],
    }
    if case == "unmasked":
        d.send(hello(host))
        d.s.sendall(b"\x82\x05\x05\0\0\0\x01")
    elif case in cases:
        try:
            for m in cases[case]:
                d.send(m)
        except OSError:
            pass  # cut off before all was said
    else:
        d.send(hello(host))
        print("up", flush=True)
        m = d.recv()
        while m is not None and m[0] != 2:
            m = d.recv()
        if m is not None:
            stream = m[1:5]
            act = {
                "good": [b"\x03" + stream + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", b"\x05" + stream],
                "credit": [b"\x04" + stream + b"\x7f\xff\xff\xff"],
                "behind-end": [b"\x03" + stream + b"x", b"\x05" + stream, b"\x03" + stream + b"x"],
                "reset": [b"\x06" + stream + b"\0\x02" + b"\x1b]0;evil\x07"],
                "window-overrun": [b"\x03" + stream + bytes(16384)] * 2000,
            }[case]
            try:
                for x in act:
                    d.send(x)
            except OSError:
                pass
    code, reason = closing(d) if case != "good" else (0, "")
    if case == "good":
        time.sleep(0.2)
    print(json.dumps({"status": d.status, "code": code, "reason": reason}))


def dials(addr):
    for line in sys.stdin.read().splitlines():
        name, token, case = line.split(" ")
        print(line.split(" ")[0], case, end=" ", flush=True)
        dial(addr, "" if name == "-" else name, token, case)


# ---- on the way ----

def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def join(a, b):
    threading.Thread(target=pump, args=(a, b), daemon=True).start()
    pump(b, a)


def serve_each(listener, fn):
    print(listener.getsockname()[1], flush=True)
    while True:
        s, _ = listener.accept()
        threading.Thread(target=fn, args=(s,), daemon=True).start()


def proxy(name, auth=None):
    wanted = auth and "Proxy-Authorization: Basic " + base64.b64encode(auth.encode()).decode()
    log = open(name, "a", buffering=1)

    def one(s):
        head = b""
        while b"\r\n\r\n" not in head:
            more = s.recv(4096)
            if not more:
                return
            head += more
        lines = head.decode("latin-1").split("\r\n")
        method, where, _ = lines[0].split(" ")
        if method != "CONNECT" or (wanted and wanted not in lines):
            status, answer = 407, b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"
        else:
            status, answer = 200, b"HTTP/1.0 200 Connection established\r\n\r\n"
            there = socket.create_connection(("127.0.0.1", int(where.rsplit(":", 1)[1])))
        log.write(f"{status} {where}\n")
        s.sendall(answer)
        if status == 200:
            join(s, there)
        s.close()

    serve_each(socket.create_server(("127.0.0.1", 0)), one)


def front(addr, cert, key, ca, port, name):
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl._create_unverified_context()
    ours.load_cert_chain(cert, key)
    ours.load_verify_locations(ca)
    ours.verify_mode = ssl.CERT_REQUIRED
    log = open(name, "a", buffering=1)
    host, relay_port = addr.rsplit(":", 1)

    def one(s):
        try:
            s = ours.wrap_socket(s, server_side=True)
        except OSError:
            return
        log.write(dict(x[0] for x in s.getpeercert()["subject"])["commonName"] + "\n")
        join(s, theirs.wrap_socket(socket.create_connection((host, int(relay_port)))))

    serve_each(socket.create_server(("127.0.0.1", int(port))), one)


def dns(name):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))
    open(name + ".ready", "w").close()
    while True:
        s.recv(4096)
        open(name + ".asked", "w").close()


# ---- a host ----

def host(path, name):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    open(name + ".ready", "w").close()
    number = 0
    lock = threading.Lock()

    def serve(s, to):
        data = b""
        s.settimeout(0.3)
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    break
                data += more
        except socket.timeout:
            pass
        with lock, open(to, "wb") as f:
            f.write(data)
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes")
        s.close()

    while True:
        s, _ = listener.accept()
        number += 1
        threading.Thread(target=serve, args=(s, f"{name}.{number}"), daemon=True).start()


if __name__ == "__main__":
    commands = {f.__name__: f for f in (resume, stall, pace, send, heads, mute, dial, dials, proxy, front, dns, host)}
    commands[sys.argv[1]](*sys.argv[2:])
