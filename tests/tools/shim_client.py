"""A shim's starter and client for the tests: plain sockets, so that a test may break every rule.

    Sandbox     makes sandboxes/ID with a bundle and sandbox.json, starts carrel-shim, asks shim.sock
    WsClient    carrel.v1 over WebSocket frames, on a socket handed over by SCM_RIGHTS
    PacketClient the same behind 4-byte lengths
    PlainClient  another protocol: whole messages as they come

Only the standard library of Python 3.9 or later.
"""

import array
import json
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import time

OUTPUT, HELLO, REPLAY_BEGIN, REPLAY_END, SIZE, EXIT, NOTICE, PONG, GAP = range(1, 10)
ERRORS, ROLE, SCREEN, CLOSE = 0x0A, 0x0B, 0x0C, 0x0F
INPUT, RESIZE, ACK, PING, INPUT_END, PEN = range(0x10, 0x16)

# Never crun of its own accord: it gives its standard input, which may be the host's /dev/null, to the sandbox's root.
RUNTIME = os.environ.get("CARREL_RUNTIME") or os.path.abspath("build/bin/carrel-runtime")
SHIM = os.environ.get("CARREL_SHIM", "build/bin/carrel-shim")
INIT = os.environ.get("CARREL_INIT", "")


def base_config(sid, args, base, count, memory=None, pids=100, terminal=True, cgroup=None):
    """An OCI bundle of our usual kind: all namespaces, mapped ids, no capabilities."""
    linux = {
        "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount", "cgroup", "user")],
        "uidMappings": [{"containerID": 0, "hostID": base, "size": count}],
        "gidMappings": [{"containerID": 0, "hostID": base, "size": count}],
        "resources": {"pids": {"limit": pids}},
        "cgroupsPath": cgroup or f"/carrel-test/{sid}",
    }
    if memory:
        linux["resources"]["memory"] = {"limit": memory, "swap": memory}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": terminal,
            "consoleSize": {"height": 24, "width": 80},
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/usr/local/bin:/usr/bin:/bin:/sbin", "TERM=xterm-256color", "HOME=/tmp"],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {k: [] for k in ("bounding", "effective", "inheritable", "permitted", "ambient")},
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "size=64m"]},
        ],
        "linux": linux,
    }


class Sandbox:
    """One sandbox directory and its shim."""

    def __init__(self, run_dir, layers, args, sid=None, runtime=None, runtime_root=None, config=None,
                 base=524288, count=65536, **orders):
        self.id = sid or "t" + os.urandom(8).hex()
        self.run_dir = run_dir
        self.dir = os.path.join(run_dir, "sandboxes", self.id)
        os.makedirs(os.path.join(self.dir, "bundle", "rootfs"), mode=0o700)
        terminal = orders.get("terminal", True)
        memory = orders.pop("memory", None)
        cfg = base_config(self.id, args, base, count, memory=memory, terminal=terminal)
        if config:
            config(cfg)
        with open(os.path.join(self.dir, "bundle", "config.json"), "w") as f:
            json.dump(cfg, f)
        self.orders = {
            "version": 1, "id": self.id, "runtime": runtime or RUNTIME,
            "runtime_root": runtime_root or os.path.join(run_dir, "runtime"),
            "rootfs": {"format": "overlay", "layers": layers},
            "idmap": {"base": base, "count": count},
        }
        slot = os.path.join(run_dir, "uids", self.id)
        os.makedirs(os.path.dirname(slot), exist_ok=True)
        with open(slot, "w") as f:
            f.write(self.id)
        self.orders["uid_slot"] = slot
        self.orders.update(orders)
        self.write_orders()
        self.proc = None

    def write_orders(self):
        with open(os.path.join(self.dir, "sandbox.json"), "w") as f:
            json.dump({k: v for k, v in self.orders.items() if v is not None}, f)

    def start(self, *extra, env=None, timeout=60):
        """Returns the ready line as a dict, with the milliseconds it took in `ms`."""
        r, w = os.pipe()
        t0 = time.monotonic()
        self.proc = subprocess.Popen([SHIM, "--dir", self.dir, "--ready-fd", str(w), *extra], pass_fds=[w],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     env={**os.environ, **(env or {})})
        os.close(w)
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([r], [], [], timeout)[0]:
                raise TimeoutError("no ready line")
            more = os.read(r, 4096)
            if not more:
                break
            line += more
        ms = (time.monotonic() - t0) * 1000
        os.close(r)
        if not line:
            raise RuntimeError("shim said nothing: " + self.proc.communicate(timeout=5)[1].decode() + self.log())
        answer = json.loads(line)
        answer["ms"] = ms
        return answer

    def log(self):
        try:
            with open(os.path.join(self.dir, "shim.log")) as f:
                return f.read()
        except OSError:
            return ""

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(60)
        here = os.open(self.dir, os.O_PATH | os.O_DIRECTORY)
        try:
            s.connect(f"/proc/self/fd/{here}/shim.sock")
        finally:
            os.close(here)
        return s

    def ask(self, op, fd=None, extra=b"", conn=None, **fields):
        s = conn or self.connect()
        text = json.dumps({"op": op, **fields}).encode()
        message = struct.pack("<I", len(text)) + text + extra
        if fd is None:
            s.send(message)
        else:
            s.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        answer = s.recv(65536)
        if not conn:
            s.close()
        (n,) = struct.unpack("<I", answer[:4])
        return json.loads(answer[4:4 + n])

    def attach(self, framing="ws", early=b"", tcp=True, expect_ok=True, **fields):
        if framing == "ws" and tcp:
            listener = socket.create_server(("127.0.0.1", 0))
            mine = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
            listener.close()
        else:
            mine, theirs = socket.socketpair()
        answer = self.ask("attach", fd=theirs.fileno(), extra=early, framing=framing, **fields)
        theirs.close()
        plain = fields.get("protocol", "carrel.v1") != "carrel.v1"
        client = (PlainClient if plain else WsClient if framing == "ws" else PacketClient)(mine)
        client.answer = answer
        if expect_ok and not answer["ok"]:
            raise RuntimeError(answer["error"])
        return client

    def exit_json(self, timeout=60):
        end = time.monotonic() + timeout
        path = os.path.join(self.dir, "exit.json")
        while not os.path.exists(path):
            if time.monotonic() > end:
                raise TimeoutError("no exit.json; " + self.log())
            time.sleep(0.02)
        with open(path) as f:
            return json.load(f)

    def wait(self, timeout=60):
        return self.proc.wait(timeout)

    def front_pid(self):
        """The process that talks to clients: the shim's child without capabilities."""
        pid = self.proc.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            for child in f.read().split():
                with open(f"/proc/{child}/comm") as c:
                    if c.read().strip().startswith("carrel-shim"):
                        return int(child)
        return None

    def end(self):
        """For tear-down: whatever state it is in, it is gone afterwards."""
        if self.proc and self.proc.poll() is None:
            try:
                self.ask("end")
            except OSError:
                self.proc.terminate()
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        if self.proc and self.proc.stderr:
            self.proc.stderr.close()
        subprocess.run([SHIM, "--dir", self.dir, "--sweep"], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure:
            print(f"# shim.log of {self.id}:\n{self.log()}")
        self.end()


class Closed(Exception):
    """The shim closed the connection, with this code and reason (None, "" without a close frame)."""

    def __init__(self, code, reason):
        super().__init__(f"closed: {code} {reason}")
        self.code, self.reason = code, reason


HEARD = b"all of that?"


class Heard(Exception):
    """The pong to a ping of heard()."""


class Client:
    """carrel.v1 above a framing; keeps what came."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(60)
        self.buf = bytearray()
        self.output = bytearray()
        self.errors = bytearray()  # what came apart from it
        self.start = None      # offset of output[0]
        self.next = None
        self.acked = 0
        self.messages = []     # everything but OUTPUT
        self.gaps = []
        self.screens = []
        self.auto_ack = True
        self.closed = None
        self.backlog = None    # bytes that a browser would hold in its send buffer

    def fill(self, timeout=None):
        timeout = 60 if timeout is None else max(timeout, 0.001)
        while self.backlog:
            r, w, _ = select.select([self.sock], [self.sock], [], timeout)
            if not r and not w:
                raise socket.timeout
            if w:
                self.flush()
            if r:
                break
        self.sock.settimeout(timeout)
        more = self.sock.recv(262144)
        if not more:
            raise Closed(None, "")
        self.buf += more

    def hold(self):
        """From now on sending never blocks: what the socket does not take is sent while reading."""
        self.backlog = bytearray()

    def push(self, data):
        if self.backlog is None:
            self.sock.settimeout(60)
            self.sock.sendall(data)
        else:
            self.backlog += data
            self.flush()

    def flush(self):
        self.sock.setblocking(False)
        try:
            while self.backlog:
                del self.backlog[:self.sock.send(self.backlog[:65536])]
        except BlockingIOError:
            pass

    def need(self, n, timeout=None):
        while len(self.buf) < n:
            self.fill(timeout)
        out = bytes(self.buf[:n])
        del self.buf[:n]
        return out

    def input(self, data):
        if isinstance(data, str):
            data = data.encode()
        for i in range(0, len(data), 65000):
            self.send(bytes([INPUT]) + data[i:i + 65000])

    def resize(self, cols, rows):
        self.send(struct.pack(">BHH", RESIZE, cols, rows))

    def ack(self, offset=None):
        self.acked = self.next if offset is None else offset
        self.send(struct.pack(">BQ", ACK, self.acked))

    def take(self, timeout=None):
        """One message: (type, body)."""
        m = self.message(timeout)
        kind, body = m[0], m[1:]
        if kind in (OUTPUT, ERRORS):
            (at,) = struct.unpack(">Q", body[:8])
            data = body[8:]
            if self.next is not None and at != self.next:
                raise AssertionError(f"output jumps from {self.next} to {at}")
            if self.start is None:
                self.start = at
            self.next = at + len(data)
            if kind == OUTPUT:
                self.output += data
            else:
                self.errors += data
            if self.auto_ack and self.next - self.acked > 32768:
                self.ack()
            return kind, data
        if kind == SCREEN:
            offset, cols, rows = struct.unpack(">QHH", body[:12])
            self.screens.append((offset, cols, rows, body[12:]))
        if kind == GAP:
            gap = struct.unpack(">QQ", body)
            self.gaps.append(gap)
            if self.next is not None and gap[0] != self.next:
                raise AssertionError(f"gap from {gap[0]}, output ended at {self.next}")
            self.next = gap[1]
        self.messages.append((kind, body))
        return kind, body

    def until(self, pattern, timeout=60):
        """Takes messages until the output matches; returns the match."""
        if isinstance(pattern, str):
            pattern = pattern.encode()
        end = time.monotonic() + timeout
        scan = 0  # what was searched already is not searched again, but for what a match may begin in
        while True:
            m = re.search(pattern, bytes(self.output[scan:]))
            if m:
                return m
            scan = max(scan, len(self.output) - 1024)
            left = end - time.monotonic()
            try:
                if left <= 0:
                    raise socket.timeout
                self.take(left)
            except socket.timeout:
                raise TimeoutError(f"{pattern} not in {bytes(self.output[-400:])}") from None

    def until_type(self, kind, timeout=60):
        end = time.monotonic() + timeout
        while True:
            k, body = self.take(max(end - time.monotonic(), 0.001))
            if k == kind:
                return body

    def until_closed(self, timeout=60):
        """Takes everything that comes; returns the Closed."""
        end = time.monotonic() + timeout
        try:
            while True:
                self.take(max(end - time.monotonic(), 0.001))
        except Closed as c:
            self.closed = c
            return c
        except ConnectionResetError:
            self.closed = Closed("reset", "")
            return self.closed

    def exit(self):
        for kind, body in self.messages:
            if kind == EXIT:
                return json.loads(body)
        return None

    def hello(self):
        return json.loads(self.until_type(HELLO))

    def close(self):
        self.sock.close()


class PacketClient(Client):
    def send(self, message):
        self.push(struct.pack(">I", len(message)) + message)

    def message(self, timeout=None):
        (n,) = struct.unpack(">I", self.need(4, timeout))
        m = self.need(n, timeout)
        if m[:1] == bytes([CLOSE]):
            raise Closed(struct.unpack(">H", m[1:3])[0], m[3:].decode())
        return m


def frame(payload, opcode=2, fin=True, mask=b"\x11\x22\x33\x44", rsv=0, length=None):
    """A client's frame; mask None and a wrong length make a bad one."""
    n = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    m = 0x80 if mask is not None else 0
    if n < 126:
        head += bytes([m | n])
    elif n < 65536:
        head += bytes([m | 126]) + struct.pack(">H", n)
    else:
        head += bytes([m | 127]) + struct.pack(">Q", n)
    if mask is None:
        return head + payload
    keyed = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], "big")
    return head + mask + keyed.to_bytes(len(payload), "big")


class WsClient(Client):
    def __init__(self, sock):
        super().__init__(sock)
        self.pings = 0
        self.pongs = []
        self.answer_close = True

    def send(self, message):
        self.raw(frame(message))

    def heard(self):
        """Returns when the shim has read all that was sent: so it has the ping behind it. What comes meanwhile is lost."""
        self.raw(frame(HEARD, opcode=9))
        while True:
            try:
                self.message(60)
            except Heard:
                return
            except AssertionError:  # text, in the mouth of one who knows carrel.v1 alone
                pass

    def raw(self, data):
        self.push(data)

    def message(self, timeout=None):
        while True:
            head = self.need(2, timeout)
            op, n = head[0] & 15, head[1] & 127
            assert head[0] & 0x80 and not head[0] & 0x70 and not head[1] & 0x80, "bad frame from the shim"
            if n == 126:
                (n,) = struct.unpack(">H", self.need(2, timeout))
            elif n == 127:
                (n,) = struct.unpack(">Q", self.need(8, timeout))
            body = self.need(n, timeout)
            if op == 9:
                self.pings += 1
                self.raw(frame(body, opcode=10))
            elif op == 10:
                self.pongs.append(body)
                if body == HEARD:
                    raise Heard
            elif op == 8:
                if self.answer_close:
                    try:
                        self.raw(frame(body, opcode=8))
                    except OSError:
                        pass
                raise Closed(struct.unpack(">H", body[:2])[0] if body else None, body[2:].decode())
            else:
                self.opcode = op
                self.check(op, body)
                return body

    def check(self, op, body):
        assert op == 2, "carrel.v1 is binary"


class PlainClient(WsClient):
    """A protocol of other people's: message() gives whole messages, with `opcode`; text is UTF-8."""

    def check(self, op, body):
        assert op in (1, 2), op
        if op == 1:
            body.decode()

    def text(self, s):
        self.raw(frame(s.encode(), opcode=1))

    def gather(self, pattern, body_of=lambda m: m, timeout=60):
        """Takes messages until what body_of makes of them, joined, matches; returns all of it."""
        got, scan, end = bytearray(), 0, time.monotonic() + timeout
        while not re.search(pattern, got[scan:]):
            if time.monotonic() > end:
                raise TimeoutError(f"{pattern} not in {bytes(got[-400:])}")
            scan = max(0, len(got) - 1024)
            got += body_of(self.message(max(end - time.monotonic(), 0.001)))
        return bytes(got)

    def rest(self, timeout=60):
        """All messages up to the close, and that."""
        got = []
        try:
            while True:
                got.append(self.message(timeout))
        except Closed as c:
            return got, c


def make_layer(path, programs=("/usr/bin/busybox",), applets=()):
    """A layer with busybox and, when bash is asked for, what it links."""
    for d in ("bin", "sbin", "usr", "etc", "proc", "dev", "sys", "tmp", "root", "lib", "lib64", "run"):
        os.makedirs(os.path.join(path, d), exist_ok=True)
    for program in programs:
        real = os.path.realpath(program)
        shutil.copy2(real, os.path.join(path, "bin", os.path.basename(program)))
        out = subprocess.run(["ldd", real], capture_output=True, text=True, check=False).stdout
        for lib in re.findall(r"(/\S+)", out):
            to = os.path.join(path, lib.lstrip("/"))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(os.path.realpath(lib), to)
    names = applets or ("sh", "cat", "echo", "sleep", "stty", "seq", "yes", "kill", "id", "mount", "ls", "head",
                        "printf", "true", "false", "ps", "dd", "env", "touch", "tail", "wc", "test", "od")
    for name in names:
        link = os.path.join(path, "bin", name)
        if not os.path.lexists(link):
            os.symlink("busybox", link)
