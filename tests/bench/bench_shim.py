#!/usr/bin/python3
"""make bench-shim: a terminal over WebSocket, beside ttyd and a Node server, measured in one interleaved run.

  bench_shim.py --bin DIR [--ttyd PROGRAM] [--node DIR] [--pty PROGRAM] [--rounds N] [--size MIB] [--sessions N,N,...] [--only flood,echo,stall,many]

flood   a log of coloured lines, `seq`, `yes`, the same log as a terminal inside this one has made it (CR LF, this one raw: ssh, tmux) and
        random bytes that are no text, read as fast as the client can: MB/s, and CPU seconds a GB of the server alone and of the program (the kernel's terminal is in it). With --pty the kernel's
        terminal alone, whose reader (pty.c) sends nothing.
echo    a key to its echo: idle; under a flood that the client reads at full speed, and at 10 MB/s; Ctrl-C of such a flood until the
        prompt is back.
stall   memory of the server while the client does not read a flood for 10 s, and whether the session goes on afterwards.
many    memory of the server a session, with 1, 50 and 200 of them idle; CPU of all of them while they idle; memory a session once each
        has shown 400 KB, which is more than the history of ours, and been silent for a second.

The program's shell is busybox for all; ours runs in its sandbox, the peers' on the host. ttyd is looked for in PATH; --node names a
directory with server.js and its node_modules. Prints Markdown. Needs root.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from benchlib import Group, now, remove_groups, show
from terminals import PROMPT, Shims, node, ttyd

MARK = b"that was all"


def median(v):
    v = sorted(v)
    return v[len(v) // 2] if v else float("nan")


def at(v, q):
    v = sorted(v)
    return v[min(len(v) - 1, int(q * len(v)))]


def make_log(path, mib, end=b"\n"):
    rnd = random.Random(7)
    words = [bytes(rnd.choices(b"abcdefghijklmnopqrstuvwxyz", k=rnd.randint(2, 11))) for _ in range(4000)]
    lines = []
    for i in range(20000):
        text = b" ".join(rnd.choices(words, k=rnd.randint(3, 16)))
        lines.append(b"2026-01-01T00:%02d:%02d \x1b[3%dm%s\x1b[0m %s%s" % (i // 60 % 60, i % 60, 1 + i % 6, b"INFO", text, end))
    block = b"".join(lines)
    with open(path, "wb") as f:
        left = mib << 20
        while left > 0:
            f.write(block[:left])
            left -= len(block)


def settle(stream):
    """The prompt is there and nothing comes any more."""
    stream.until(PROMPT)
    while stream.take(0.05):
        pass


# ---- flood ----


def floods(size):
    n = size << 20
    return {
        "log": "cat %s/log",
        "seq": "seq 1 %d" % (n // 64),
        "yes": "yes | head -c %d" % (n // 32),
        "raw": "stty raw; cat %s/crlf; stty sane",
        "random": "stty raw; cat %s/random; stty sane",
    }


def one_flood(server, command):
    s = server.session()
    settle(s)
    before = server.serving.cpu(), server.running.cpu()
    s.taken, began = 0, now()
    s.type((command % server.place if "%s" in command else command) + "; echo that 'was all'\n")
    took = s.until(MARK, 600) - began
    cpu = [g.cpu() - b for g, b in zip((server.serving, server.running), before)]
    gb = s.taken / 1e9
    s.close()
    return s.taken / 1e6 / took, cpu[0] / gb, cpu[1] / gb


def bare_flood(a, group, command):
    """The kernel's terminal with a reader that sends nothing."""
    before = group.cpu()
    shell = ["busybox", "sh", "-c", command % a.place if "%s" in command else command]
    p = subprocess.run([a.pty] + shell, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True, preexec_fn=group.enter)
    size, seconds = p.stdout.split()
    return float(size) / 1e6 / float(seconds), 0.0, (group.cpu() - before) / (float(size) / 1e9)


BARE = "the kernel's terminal alone"


def measure_flood(a, servers):
    seen = {}
    bare = Group("bare") if a.pty else None
    for _ in range(a.rounds):
        for name, command in floods(a.size).items() if bare else ():
            seen.setdefault((BARE, name), []).append(bare_flood(a, bare, command))
        for server in servers:
            for name, command in floods(a.size).items():
                seen.setdefault((server.name, name), []).append(one_flood(server, command))
    show("Floods, read at full speed: MB/s; CPU s/GB of the server; of the program and the kernel's terminal. Medians of %d.\n" % a.rounds)
    names = list(floods(a.size))
    show("| server | " + " | ".join(names) + " |")
    show("|---|" + "---|" * len(names))
    for name in [server.name for server in servers] + ([BARE] if bare else []):
        cells = ["%.1f; %.2f; %.2f" % tuple(median(c) for c in zip(*seen[name, n])) for n in names]
        show("| %s | %s |" % (name, " | ".join(cells)))
    ours = servers[0].name
    ratio = lambda peer, i: ["%.2f" % median([x[i] / y[i] for x, y in zip(seen[ours, n], seen[peer, n])]) for n in names]
    for peer in ([BARE] if bare else []) + [server.name for server in servers[1:]]:
        show("| %s / %s: MB/s | %s |" % (ours, peer, " | ".join(ratio(peer, 0))))
        if peer != BARE:
            show("| %s / %s: CPU of the server | %s |" % (ours, peer, " | ".join(ratio(peer, 1))))
    show()


# ---- echo ----

KEY = b"\x02"
SHOWN = b"^B"


def echo_idle(server, n):
    s = server.session()
    settle(s)
    s.type("cat > /dev/null\n")
    time.sleep(0.2)
    while s.take(0.05):
        pass
    out = []
    for _ in range(n):
        began = now()
        s.type(KEY)
        out.append(s.until(SHOWN, 10) - began)
        time.sleep(0.005)
    s.close()
    return out


class Paced:
    """Reads at a rate all the time; keeps what a mark may begin in."""

    def __init__(self, stream, rate):
        self.s, self.rate, self.began, self.got, self.tail = stream, rate, now(), 0, b""

    def step(self, wait=0.2):
        if self.rate:
            ahead = self.got / self.rate - (now() - self.began)
            if ahead > 0:
                time.sleep(min(ahead, 0.02))
                return b""
        data = self.s.take(wait, 16384 if self.rate else 262144)
        self.got += len(data)
        return data

    def run(self, seconds):
        end = now() + seconds
        while now() < end:
            self.step()

    def until(self, mark, timeout=60):
        end, tail = now() + timeout, b""
        while now() < end:
            tail = tail[-64:] + self.step()
            if mark in tail:
                return now()
        return None


def under_flood(server, rate, n):
    """Echo of keys while something else floods the terminal; then Ctrl-C of a flood in the foreground."""
    echo, ctrl_c = [], []
    s = server.session()
    settle(s)
    s.type("(while :; do cat %s/log; done) & cat > /dev/null\n" % server.place)
    p = Paced(s, rate)
    p.run(1.0)
    for _ in range(n):
        p.run(0.05)
        began = now()
        s.type(KEY)
        got = p.until(SHOWN)
        if got is None:
            break
        echo.append(got - began)
    s.close()
    for _ in range(max(n // 4, 3)):
        s = server.session()
        settle(s)
        s.type("while :; do cat %s/log; done\n" % server.place)
        p = Paced(s, rate)
        p.run(0.7)
        began = now()
        s.type(b"\x03")
        got = p.until(PROMPT)
        if got is not None:
            ctrl_c.append(got - began)
        s.close()
    return echo, ctrl_c


def measure_echo(a, servers):
    idle, full, slow = {}, {}, {}
    for server in servers:
        idle[server.name] = []
    for _ in range(a.rounds):
        for server in servers:
            idle[server.name] += echo_idle(server, a.keys)
    for server in servers:
        full[server.name] = under_flood(server, None, a.keys // 4)
        slow[server.name] = under_flood(server, 10e6, a.keys // 4)
    show("A key to its echo, and Ctrl-C of a flood to the prompt, ms: p50, p99 (slowest where there are few).\n")
    show("| server | idle echo | echo, client reads all | Ctrl-C | echo, client reads 10 MB/s | Ctrl-C |")
    show("|---|---|---|---|---|---|")
    cell = lambda v: "%.2f, %.2f" % (1000 * at(v, 0.5), 1000 * at(v, 0.99)) if v else "none came in 60 s"
    for server in servers:
        n = server.name
        show("| %s | %s |" % (n, " | ".join(map(cell, (idle[n], *full[n], *slow[n])))))
    show()


# ---- stall ----


def measure_stall(a, servers):
    show("A client that does not read a flood for %d s: PSS of the server in KiB before, the most meanwhile, and after it reads again.\n" % a.stall)
    show("| server | before | most | after | the session goes on |")
    show("|---|---|---|---|---|")
    for server in servers:
        s = server.session()
        settle(s)
        before, most = server.pss(), 0
        s.type("while :; do cat %s/log; done\n" % server.place)
        end = now() + a.stall
        while now() < end:
            time.sleep(0.5)
            most = max(most, server.pss())
        goes = "yes"
        try:
            p = Paced(s, None)
            p.run(1.0)
            s.type(b"\x03")
            if p.until(PROMPT, 60) is None:
                goes = "no prompt in 60 s"
        except (ConnectionError, OSError) as e:
            goes = "no: %s" % e
        after = server.pss()
        s.close()
        show("| %s | %d | %d | %d | %s |" % (server.name, before, most, after, goes))
    show()


# ---- many ----


def measure_many(a, servers):
    counts = [int(n) for n in a.sessions.split(",")]
    show("Idle sessions: PSS of the server in KiB a session (of its own processes, not the shells'); CPU ms of all of them in %d s; PSS a "
         "session when each has shown 400 KB.\n" % a.idle)
    show("| server | " + " | ".join("%d" % n for n in counts) + " |")
    show("|---|" + "---|" * len(counts))
    for server in servers:
        streams, cells = [], []
        try:
            for n in counts:
                while len(streams) < n:
                    streams.append(server.session())
                    settle(streams[-1])
                cpu = server.serving.cpu()
                time.sleep(a.idle)
                empty = server.pss(), 1000 * (server.serving.cpu() - cpu)
                for s in streams:
                    s.type("head -c 400000 %s/log\n" % server.place)
                    settle(s)
                time.sleep(1)  # what only a flood needs is given back when nothing moves
                cells.append("%.0f; %.1f; %.0f" % (empty[0] / n, empty[1], server.pss() / n))
        except (OSError, TimeoutError) as e:
            if server is servers[0]:
                raise
            cells += ["no: %s" % e] * (len(counts) - len(cells))
        finally:
            for s in streams:
                s.close()
        show("| %s | %s |" % (server.name, " | ".join(cells)))
    show()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", required=True)
    p.add_argument("--ttyd", default=shutil.which("ttyd"))
    p.add_argument("--node")
    p.add_argument("--pty", help="the reader of a bare terminal")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--size", type=int, default=200, help="MiB of the log")
    p.add_argument("--keys", type=int, default=80)
    p.add_argument("--stall", type=int, default=10)
    p.add_argument("--sessions", default="1,50,200")
    p.add_argument("--idle", type=int, default=5, help="seconds")
    p.add_argument("--only", default="flood,echo,stall,many")
    a = p.parse_args()
    a.bin = os.path.abspath(a.bin)
    work = tempfile.mkdtemp(prefix="carrel-bench-shim-")
    os.chmod(work, 0o755)
    place = a.place = work + "/bench"
    os.mkdir(place)
    make_log(place + "/log", a.size)
    make_log(place + "/crlf", a.size, b"\r\n")
    with open(place + "/random", "wb") as f:
        f.write(random.Random(3).randbytes(1 << 20).translate(bytes(range(128, 256)) * 2) * a.size)
    starts = [lambda: Shims(a.bin, work, place)]
    if a.ttyd:
        starts.append(lambda: ttyd(a.ttyd, place))
    if a.node:
        starts += [lambda: node(a.node, place, 1), lambda: node(a.node, place, 0)]
    show("Load before: %.1f %.1f %.1f\n" % os.getloadavg())
    try:
        for name in a.only.split(","):
            servers = []
            try:
                servers = [start() for start in starts]
                {"flood": measure_flood, "echo": measure_echo, "stall": measure_stall, "many": measure_many}[name](a, servers)
            finally:
                for server in servers:
                    server.close()
    finally:
        with open("/sys/fs/cgroup/cpuacct/tasks" if os.path.exists("/sys/fs/cgroup/cpuacct") else "/sys/fs/cgroup/cgroup.procs", "w") as f:
            f.write("0")
        shutil.rmtree(work, ignore_errors=True)
        remove_groups()
    show("Load after: %.1f %.1f %.1f" % os.getloadavg())


if __name__ == "__main__":
    sys.exit(main())
