"""A criu that only talks: `criu swrk FD` with answers as $FAKE_CRIU says, for tests of who asks.

Its protocol buffers are written and read by hand here, so that they agree with the runtime's only when both are right. Each
request is appended to $FAKE_CRIU_LOG as a line of JSON: {"type": N, "opts": [[field, value], ...]}.

  ok          does what is asked: ends or spares the process, or makes one (sleep)
  old         says it is 3.14
  mute        knows no version request
  featureless says that the kernel can neither track memory nor restore it lazily
  fail        says no, and writes why into its log
  lies        a restore whose pid is another than the one announced
  nopid       a restore that does not say the pid
  alone       a restore that leaves the process alone: kills who asked, then itself
  garbage types huge cut empty      answers that are none
  die kill    no answer: exit status 3, SIGKILL
"""
import json
import os
import signal
import socket
import subprocess
import sys

DUMP, RESTORE, PRE_DUMP, NOTIFY, FEATURES, VERSION = 1, 2, 4, 6, 9, 10
PAIRS = (11, 23, 25, 27, 39)
MODE = os.environ.get("FAKE_CRIU", "ok")


def varint(n):
    out = b""
    n &= (1 << 64) - 1
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def text(field, b):
    b = b.encode() if isinstance(b, str) else b
    return varint(field << 3 | 2) + varint(len(b)) + b


def read_varint(b, i):
    n = shift = 0
    while True:
        n |= (b[i] & 0x7F) << shift
        shift += 7
        i += 1
        if b[i - 1] < 0x80:
            return n, i


def fields(b):
    i = 0
    while i < len(b):
        key, i = read_varint(b, i)
        n, i = read_varint(b, i)
        if key & 7 == 2:
            yield key >> 3, b[i:i + n]
            i += n
        elif key & 7 == 0:
            yield key >> 3, n - (1 << 64) if n >> 63 else n
        else:
            sys.exit("a kind of field that no request has")


def readable(field, v):
    if isinstance(v, bytes):
        return [readable(0, x) for _, x in fields(v)] if field in PAIRS else v.decode()
    return v


class Client:
    def __init__(self, fd):
        self.sock = socket.socket(fileno=fd)

    def request(self):
        b = self.sock.recv(1 << 20)
        return dict(fields(b)) if b else None

    def reply(self, kind, more=b"", success=1):
        self.sock.send(number(1, kind) + number(2, success) + more)

    def notify(self, script, pid=0, fd=-1):
        inner = text(1, script) + (number(2, pid) if pid else b"")
        msg = number(1, NOTIFY) + number(2, 1) + text(5, inner)
        rights = [fd] if fd >= 0 else []
        if rights:
            socket.send_fds(self.sock, [msg], rights)
        else:
            self.sock.send(msg)
        answer = self.request()
        return bool(answer and answer.get(1) == NOTIFY and answer.get(3))


def log(opts, lines):
    """Into the log in the work directory, which is a descriptor of the asker."""
    path = "/proc/%d/fd/%d/%s" % (os.getppid(), opts[17], opts[10].decode())
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


def odd_answer(c, kind):
    answers = {
        "garbage": bytes(range(255, 0, -1)),
        "types": number(1, kind) + text(2, "yes"),
        "huge": number(1, kind) + number(2, 1) + text(9, "x" * 100000),
        "cut": number(1, kind) + number(2, 1) + varint(9 << 3 | 2) + varint(1 << 40),
        "empty": number(7, 5),
    }
    c.sock.send(answers[MODE])


def dump(c, kind, opts):
    """A no, or an asker that has gone, spares the process: it is ended last."""
    for script in ("pre-dump", "network-lock", "status-ready", "post-dump"):
        if (script != "status-ready" or opts.get(48)) and not c.notify(script):
            c.reply(kind, number(7, 5), 0)
            return
    if kind == DUMP and not opts.get(3):
        os.kill(opts[2], signal.SIGKILL)
    c.reply(kind, text(3, b""))


def restore(c, opts):
    child = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, start_new_session=True)
    if MODE == "alone":
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    pid = 0 if MODE == "nopid" else child.pid
    if not c.notify("setup-namespaces", pid) or not c.notify("post-restore", pid):
        child.kill()
        child.wait()
        c.reply(RESTORE, number(7, 5), 0)
        return
    c.reply(RESTORE, text(4, number(1, pid + (1 if MODE == "lies" else 0))))


def serve(c, request):
    kind = request[1]
    opts = dict(fields(request.get(2, b"")))
    if kind == VERSION:
        if MODE == "mute":
            c.reply(0, b"", 0)
        else:
            minor = 14 if MODE == "old" else 20
            c.reply(VERSION, text(10, number(1, 3) + number(2, minor) + number(4, 1)))
    elif kind == FEATURES:
        can = MODE != "featureless"
        c.reply(FEATURES, text(8, number(1, can) + number(2, can)))
    elif MODE == "die":
        sys.exit(3)
    elif MODE == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif MODE in ("garbage", "types", "huge", "cut", "empty"):
        odd_answer(c, kind)
    elif MODE == "fail":
        log(opts, ["(00.1) started", "(00.2) Error (criu/first.c:1): the first",
                   "(00.3) Error (criu/sk-inet.c:2): Connected TCP socket, consider --tcp-established",
                   "(00.4) Error (criu/last.c:3): \033[2Jthe last", "(00.5) Error (criu/cr.c:4): Dumping FAILED."])
        c.reply(kind, number(7, 16) + text(9, "said so"), 0)
    elif kind == RESTORE:
        restore(c, opts)
    else:
        dump(c, kind, opts)


def main():
    c = Client(int(sys.argv[2]))
    request = c.request()
    if not request:
        return
    path = os.environ.get("FAKE_CRIU_LOG")
    if path:
        opts = [[f, readable(f, v)] for f, v in fields(request.get(2, b""))]
        with open(path, "a") as f:
            f.write(json.dumps({"type": request[1], "opts": opts}) + "\n")
    serve(c, request)


main()
