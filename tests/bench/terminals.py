"""The servers that make bench-shim compares, and one client for all of them: it only walks over frames, so that it is not what is measured."""
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import time

from benchlib import TOP, Group, now

sys.path.insert(0, TOP + "/tests/tools")
import shim_client  # noqa: E402

PROMPT = b"READY> "
PROGRAMS = ("busybox", "cat", "seq", "yes", "head", "stty")


def send_frame(sock, payload):
    sock.sendall(shim_client.frame(payload))


class Stream:
    """One attached client. `kind`: what lies in a message: "carrel" (a type byte, an offset, bytes; is acknowledged), "tty" (a type
    byte, bytes) or "raw"."""

    def __init__(self, sock, kind, early=b""):
        self.sock, self.kind, self.buf = sock, kind, bytearray(early)
        self.next = self.acked = self.taken = 0
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def type(self, data):
        if isinstance(data, str):
            data = data.encode()
        send_frame(self.sock, {"carrel": b"\x10", "tty": b"0", "raw": b""}[self.kind] + data)

    def _payload(self, body):
        if self.kind == "raw":
            return body
        if self.kind == "tty":
            return body[1:] if body[:1] == b"0" else b""
        if body[0] == 1:
            self.next = struct.unpack_from(">Q", body, 1)[0] + len(body) - 9
            return body[9:]
        return b""

    def _frames(self):
        out, at, buf = [], 0, self.buf
        while len(buf) - at >= 2:
            op, n, head = buf[at] & 15, buf[at + 1] & 127, 2
            if n == 126:
                head = 4
                if len(buf) - at < 4:
                    break
                n = buf[at + 2] << 8 | buf[at + 3]
            elif n == 127:
                head = 10
                if len(buf) - at < 10:
                    break
                n = int.from_bytes(buf[at + 2:at + 10], "big")
            if len(buf) - at < head + n:
                break
            body = bytes(buf[at + head:at + head + n])
            at += head + n
            if op == 9:
                self.sock.sendall(shim_client.frame(body, opcode=10))
            elif op == 8:
                raise ConnectionError("closed: %s" % body)
            elif body:
                out.append(self._payload(body))
        del buf[:at]
        return b"".join(out)

    def take(self, timeout, most=262144):
        """Output bytes of one read; b"" when there is none in time."""
        if not select.select([self.sock], [], [], max(timeout, 0))[0]:
            return b""
        more = self.sock.recv(most)
        if not more:
            raise ConnectionError("the server closed the connection")
        self.buf += more
        out = self._frames()
        self.taken += len(out)
        if self.kind == "carrel" and self.next - self.acked > 32768:
            self.acked = self.next
            send_frame(self.sock, struct.pack(">BQ", 0x12, self.acked))
        return out

    def until(self, mark, timeout=120, rate=None):
        """Reads until `mark` has come, at `rate` bytes a second at most; returns when that was."""
        end, tail, began, got = now() + timeout, b"", now(), 0
        while now() < end:
            if rate:
                ahead = got / rate - (now() - began)
                if ahead > 0:
                    time.sleep(ahead)
            data = self.take(end - now(), 65536 if rate else 262144)
            got += len(data)
            tail += data
            if mark in tail:
                return now()
            tail = tail[-max(len(mark), 64):]
        raise TimeoutError("%s did not come; last %s" % (mark, tail))

    def close(self):
        self.sock.close()


def upgrade(port, path, protocol=None, extra=b""):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"
               % (path, port, "Sec-WebSocket-Protocol: %s\r\n" % protocol if protocol else "")).encode())
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(4096)
        if not more:
            raise ConnectionError("no answer to the upgrade")
        data += more
    if b" 101 " not in data.split(b"\r\n")[0]:
        raise ConnectionError(data.decode(errors="replace"))
    if extra:
        send_frame(s, extra)
    return s, data.partition(b"\r\n\r\n")[2]


def pss_kib(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return int(re.search(r"Pss:\s+(\d+)", f.read()).group(1))
    except (OSError, AttributeError):
        return 0


class Server:
    """What serves sessions whose shell asks with PROMPT; the server's processes and the programs' are in control groups of their own."""

    def __init__(self, name, place):
        self.name, self.place = name, place
        word = re.sub(r"\W+", "-", name)
        self.serving, self.running = Group("serve-" + word), Group("run-" + word)

    def in_group(self):
        self.serving.enter()

    def shell(self):
        """For a peer on the host: moves itself out of the server's group."""
        return ["sh", "-c", "echo $$ > %s && exec env -i PATH=/usr/bin:/bin TERM=xterm PS1='%s' busybox sh -i" % (self.running.procs, PROMPT.decode())]

    def pids(self):
        with open(os.path.dirname(self.serving.procs) + "/cgroup.procs") as f:
            return [int(p) for p in f.read().split()]

    def pss(self):
        return sum(pss_kib(p) for p in self.pids())

    def usable(self):
        return True


class Peer(Server):
    """A server program with a port."""

    def __init__(self, name, place, argv, kind, path, protocol, hello, port_of):
        super().__init__(name, place)
        self.kind, self.path, self.protocol, self.hello = kind, path, protocol, hello
        self.p = subprocess.Popen(argv + self.shell(), preexec_fn=self.in_group, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.port = port_of(self.p)

    def session(self):
        s, early = upgrade(self.port, self.path, self.protocol, self.hello)
        return Stream(s, self.kind, early)

    def close(self):
        self.p.kill()
        self.p.wait()
        with open(os.path.dirname(self.running.procs) + "/cgroup.procs") as f:
            for pid in f.read().split():
                try:
                    os.kill(int(pid), 9)
                except ProcessLookupError:
                    pass


def ttyd(program, place):
    def port_of(p):
        for line in p.stdout:
            m = re.search(rb"[Ll]istening on port: (\d+)", line)
            if m:
                return int(m.group(1))
        sys.exit("bench: ttyd does not start")
    return Peer("ttyd", place, [program, "-W", "-i", "127.0.0.1", "-p", "0"], "tty", "/ws", "tty", b'{"columns":80,"rows":24}', port_of)


def node(directory, place, careful):
    argv = ["env", "CAREFUL=%d" % careful, "node", directory + "/server.js"]
    return Peer("node, careful" if careful else "node", place, argv, "raw", "/", None, b"", lambda p: int(p.stdout.readline()))


class Shims(Server):
    """carrel-shim, one for each session, with carrel-runtime; a client's socket is handed over as the daemon does it."""

    def __init__(self, binaries, work, place):
        super().__init__("carrel", "/bench")
        self.work, self.host_place, self.boxes = work, place, []
        shim_client.SHIM, shim_client.RUNTIME = binaries + "/carrel-shim", binaries + "/carrel-runtime"
        self.init = binaries + "/carrel-init"
        self.layer = work + "/layer"
        shim_client.make_layer(self.layer, ["/usr/bin/" + name for name in PROGRAMS], applets=("sh",))
        shutil.copy2(self.init, self.layer + "/bin/carrel-init")
        os.makedirs(self.layer + "/bench", exist_ok=True)

    def session(self):
        n = len(self.boxes)

        def config(c):
            c["process"]["env"] = ["PATH=/bin", "TERM=xterm", "PS1=" + PROMPT.decode()]
            c["mounts"].append({"destination": "/bench", "type": "bind", "source": self.host_place, "options": ["bind", "ro"]})
            c["linux"]["cgroupsPath"] = self.running.path + "/box%d" % n
        box = shim_client.Sandbox(self.work, [self.layer], ["/bin/carrel-init", "/bin/sh", "-i"], sid="bench%d-%d" % (os.getpid(), n), config=config)
        self.boxes.append(box)
        # The shim is born in the server's group.
        home = Group("home")
        self.serving.enter()
        try:
            answer = box.start()
        finally:
            home.enter()
        if not answer["ok"]:
            sys.exit("bench: " + answer["error"])
        client = box.attach(cols=80, rows=24)
        return Stream(client.sock, "carrel")

    def close(self):
        for box in self.boxes:
            box.end()
        self.boxes = []
