"""A client of carrel-sessiond for the tests: raw sockets, so that it can also do what no good client does.

  sessiond_client.py shake ADDR PATH [NAME:VALUE...]       opening handshake; prints {"status", "headers", "close"}
  sessiond_client.py talk ADDR PATH KEY INPUT UNTIL        sends INPUT, reads until UNTIL; prints {"output", "next", ...}
  sessiond_client.py hold ADDR PATH KEY FILE               the same connection over a daemon's death, see hold()
  sessiond_client.py flood ADDR PATH KEY FILE              numbers from a shell until it ends, over daemons and shims; see flood()
  sessiond_client.py open_close ADDR PATH KEY N            opens and drops N terminals, one after the other
  sessiond_client.py crowd ADDR PATH KEY N                 N terminals at once; prints who was let in
  sessiond_client.py race ADDR KEY N BODY                  N creations at the same moment; prints {"201": n, ...}
  sessiond_client.py storm ADDR KEY                        creates and deletes until the daemon is gone
  sessiond_client.py slow ADDR head|body|keepalive         dribbles; prints how long the server stood it
  sessiond_client.py raw ADDR                              stdin as it is; prints the answer's status line

ADDR is HOST:PORT. Everything has a deadline. CLIENT_CA=FILE: by TLS, to a server that is called CLIENT_HOST, or HOST; that is also the Host.
"""
import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

DEADLINE = 60
CA = os.environ.get("CLIENT_CA")  # then it is TLS


def connect(addr):
    host, port = addr.rsplit(":", 1)
    s = socket.create_connection((host, int(port)), timeout=DEADLINE)
    if CA:
        context = ssl.create_default_context(cafile=CA)
        s = context.wrap_socket(s, server_hostname=os.environ.get("CLIENT_HOST", host))
    return s


def read_head(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(4096)
        if not more:
            break
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1]) if lines[0] else 0
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return status, headers, rest


class Socket:
    """A WebSocket after its handshake."""

    def __init__(self, addr, path, headers, leftover=b""):
        self.s = connect(addr)
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            "Host": os.environ.get("CLIENT_HOST", addr),
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": "carrel.v1",
        }
        for name, value in headers:
            if value == "-":
                fields.pop(name, None)
            else:
                fields[name] = value
        text = f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
        self.s.sendall(text.encode() + leftover)
        self.status, self.headers, self.data = read_head(self.s)
        self.close_code = None
        if self.status == 101:
            want = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
            assert self.headers["sec-websocket-accept"] == want.decode(), "wrong accept"
            assert self.headers["sec-websocket-protocol"] == "carrel.v1"

    @staticmethod
    def frame(payload, opcode=2):
        mask = os.urandom(4)
        n = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | n]) if n < 126 else bytes([0xFE]) + struct.pack(">H", n)
        return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))

    def send(self, payload, opcode=2):
        self.s.sendall(self.frame(payload, opcode))

    def need(self, n):
        while len(self.data) < n:
            more = self.s.recv(65536)
            if not more:
                raise EOFError
            self.data += more

    def recv(self):
        """A binary message; None at the end."""
        while True:
            op, payload = self.recv_any()
            if op == 2:
                return payload
            if op in (None, 8):
                return None

    def recv_any(self):
        """(opcode, payload) of any frame, pings and closes being answered; (None, None) at the end."""
        try:
            self.need(2)
            op, n, at = self.data[0] & 15, self.data[1] & 127, 2
            if n == 126:
                self.need(4)
                n, at = struct.unpack(">H", self.data[2:4])[0], 4
            elif n == 127:
                self.need(10)
                n, at = struct.unpack(">Q", self.data[2:10])[0], 10
            self.need(at + n)
        except (EOFError, ConnectionError):
            return None, None
        payload, self.data = self.data[at:at + n], self.data[at + n:]
        if op == 8:
            self.close_code = struct.unpack(">H", payload[:2])[0] if len(payload) > 1 else 1005
            try:
                self.send(payload[:2], 8)
            except OSError:
                pass
        if op == 9:
            self.send(payload, 10)
        return op, payload


class Terminal:
    """carrel.v1: output in order, and where it stands."""

    def __init__(self, ws):
        self.ws, self.output, self.next, self.hello, self.exit, self.jumps = ws, b"", None, None, None, 0
        self.notices = []

    def step(self):
        m = self.ws.recv()
        if m is None:
            return False
        if m[0] == 1:
            offset = struct.unpack(">Q", m[1:9])[0]
            if self.next is not None and offset != self.next:
                self.jumps += 1
            self.output += m[9:]
            self.next = offset + len(m) - 9
            self.ws.send(b"\x12" + struct.pack(">Q", self.next))
        elif m[0] == 2:
            self.hello = json.loads(m[1:])
        elif m[0] == 7:
            self.notices.append(json.loads(m[1:]))
        elif m[0] == 6:
            self.exit = json.loads(m[1:])
        return True

    def until(self, text, seconds=DEADLINE):
        end = time.monotonic() + seconds
        self.ws.s.settimeout(seconds)
        try:
            while text not in self.output and time.monotonic() < end:
                if not self.step():
                    return False
        except socket.timeout:
            return False
        return text in self.output

    def report(self, **more):
        print(json.dumps({"output": self.output.decode("utf-8", "replace"), "next": self.next, "hello": self.hello,
                          "exit": self.exit, "close": self.ws.close_code, "jumps": self.jumps, "notices": self.notices, **more}))


def unescape(s):
    return s.encode().decode("unicode_escape").encode("latin-1")


def bearer(key):
    return [("Authorization", "Bearer " + key)]


def shake(addr, path, *fields):
    ws = Socket(addr, path, [tuple(f.split(":", 1)) for f in fields])
    ended = None
    if ws.status == 101:
        ws.s.settimeout(20)
        try:
            first = ws.recv()
            kind = first[0] if first else None
            if kind == 6:  # who comes after the end: the exit, then the close
                ended = json.loads(first[1:])
                ws.recv()
        except socket.timeout:
            kind = None
    else:
        kind = None
    body = ws.data.decode("utf-8", "replace") if ws.status != 101 else ""
    print(json.dumps({"status": ws.status, "headers": ws.headers, "close": ws.close_code, "first": kind, "exit": ended, "body": body}))


def talk(addr, path, key, text, until):
    # The first input travels behind the request's head: it must not be lost in the hand-over.
    ws = Socket(addr, path, bearer(key), Socket.frame(b"\x10" + unescape(text)) if text else b"")
    if ws.status != 101:
        print(json.dumps({"status": ws.status}))
        return
    t = Terminal(ws)
    found = t.until(unescape(until)) if until != "EOF" else not t.until(b"\0never\0")
    t.report(found=found, status=101)


def hold(addr, path, key, name):
    """Creates NAME.ready when attached; when NAME.go appears, types a line and reports what came."""
    ws = Socket(addr, path, bearer(key))
    t = Terminal(ws)
    t.step()
    open(name + ".ready", "w").close()
    end = time.monotonic() + DEADLINE
    while not os.path.exists(name + ".go") and time.monotonic() < end:
        time.sleep(0.02)
    ws.send(b"\x10echo held-$((40+2))\n")
    t.report(found=t.until(b"held-42"))


def flood(addr, path, key, name):
    """Has the shell count until /tmp/stop is there. NAME.ready when it does; reports whether every number came once, in order."""
    ws = Socket(addr, path, bearer(key))
    t = Terminal(ws)
    ws.send(b"\x10stty -echo; echo READY; i=0; while [ ! -e /tmp/stop ]; do seq $i $((i+299)); i=$((i+300)); done; echo END; exit 5\n")
    t.until(b"READY\r\n0\r\n")
    open(name + ".ready", "w").close()
    ended = t.until(b"END\r\n")
    while ended and t.step():
        pass
    lines = t.output.split(b"READY\r\n")[-1].split(b"\r\n")
    numbers = lines[:-2]
    print(json.dumps({"whole": ended and numbers == [b"%d" % i for i in range(len(numbers))], "lines": len(numbers),
                      "jumps": t.jumps, "exit": t.exit}))


def race(addr, key, n, body):
    n = int(n)
    gate = threading.Barrier(n)
    counts, lock = {}, threading.Lock()

    def one():
        s = connect(addr)
        head = (f"POST /v1/sandboxes HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")
        s.sendall(head.encode())
        gate.wait()
        s.sendall(body.encode())
        status, headers, _ = read_head(s)
        with lock:
            counts[str(status)] = counts.get(str(status), 0) + 1
            if status == 429 and "retry-after" not in headers:
                counts["429 without Retry-After"] = 1

    threads = [threading.Thread(target=one) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(json.dumps(counts))


def storm(addr, key):
    """Creates and deletes from three threads until the daemon is gone."""
    def one(which):
        box = None
        try:
            while True:
                s = connect(addr)
                method, path = ("DELETE", "/v1/sandboxes/" + box) if box and which else ("POST", "/v1/sandboxes")
                s.sendall((f"{method} {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {key}\r\n"
                           "Content-Length: 0\r\nConnection: close\r\n\r\n").encode())
                status, headers, _ = read_head(s)
                box = headers["location"].rsplit("/", 1)[1] if status == 201 else None
        except (OSError, IndexError, KeyError):
            pass

    threads = [threading.Thread(target=one, args=(i,)) for i in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def slow(addr, what):
    s = connect(addr)
    began = time.monotonic()
    if what == "body":
        s.sendall(b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")
    elif what == "keepalive":
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        read_head(s)
        s.sendall(b"GET /healthz HTTP/1.1\r\nX")
    else:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
    s.setblocking(False)
    alive = True
    while alive and time.monotonic() - began < 45:
        time.sleep(0.25)
        try:
            s.send(b"a")
            alive = s.recv(100) != b""
        except BlockingIOError:
            pass
        except OSError:
            alive = False
    print(json.dumps({"closed": not alive, "seconds": round(time.monotonic() - began, 1)}))


def raw(addr):
    s = connect(addr)
    s.sendall(sys.stdin.buffer.read())
    status, headers, rest = read_head(s)
    print(json.dumps({"status": status, "headers": headers, "body": rest.decode("utf-8", "replace")}))


def open_close(addr, path, key, n):
    for _ in range(int(n)):
        ws = Socket(addr, path, bearer(key))
        assert ws.status == 101, ws.status
        ws.recv()
        ws.s.close()


def both(addr, path, key, n):
    """To a program that writes back what it reads, and says "ready" first: n bytes there and back."""
    t = Terminal(Socket(addr, path, bearer(key)))
    assert t.until(b"ready\n")
    data = os.urandom(int(n))
    start = t.output.index(b"ready\n") + len(b"ready\n")
    for i in range(0, len(data), 30000):
        t.ws.send(b"\x10" + data[i:i + 30000])
        while len(t.output) - start < min(len(data), i + 30000) and t.step():
            pass
    print(json.dumps({"same": t.output[start:] == data, "jumps": t.jumps}))


def crowd(addr, path, key, n):
    """n clients at once: how many got HELLO, which close codes the others, how many still get output."""
    everyone = [Terminal(Socket(addr, path, bearer(key))) for _ in range(int(n))]
    for t in everyone:
        t.step()
    inside = [t for t in everyone if t.hello]
    refused = [t.ws.close_code for t in everyone if not t.hello]
    inside[0].ws.send(b"\x10echo all-$((40+2))\n")
    alive = sum(t.until(b"all-42") for t in inside)
    print(json.dumps({"accepted": len(inside), "refused": refused, "alive": alive}))


if __name__ == "__main__":
    commands = {f.__name__: f for f in (shake, talk, hold, flood, open_close, both, crowd, race, storm, slow, raw)}
    commands[sys.argv[1]](*sys.argv[2:])
