#!/usr/bin/python3
"""make bench: what a sandbox costs, beside crun and podman, measured in one interleaved run.

  bench.py --bin DIR --store DIR [--rounds N] [--live N] [--only prompt,boxes,run,life,storm,live] [--peer NAME=PROGRAM]...

prompt  create -> first byte of the prompt, default image. carrel: POST, WebSocket, first OUTPUT. crun: `run` on a terminal, the
        same root mounted before. podman: `run --rm -it` on the same root. CPU: everything each of them started, by cpuacct.
boxes   memory of a shim, and the same create -> prompt with 0, 100 and 200 sandboxes of the daemon alive.
run     `run /bin/true` (nothing.c: no C library is measured) of carrel-runtime, crun, runc and the floor (floor.c) with the same
        config.json, with and without user and time namespaces (the peers of Debian 12 know no time namespace).
life    each step of a container's life on its own: create, start, state, exec, kill, delete.
storm   as many whole runs as fit, by 8 workers.
live    the same steps with 0, 500 and 1,000 containers alive, and what a live one holds; carrel-runtime and one peer, the newest.

--peer NAME=PROGRAM adds a runtime to the last four, for one that is newer than the distribution's.

Wall times are milliseconds, CPU is milliseconds a run; on a machine that does other work as well, trust CPU, the minimum and the
ratios. Prints Markdown, and the load before and after. Needs root.
"""
import argparse
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time

from benchlib import TOP, Group, Peers, now, percentiles, remove_groups, show
from bench_live import measure_live
from bench_runtime import measure_life, measure_run, measure_storm


def on_terminal(argv, before, env=None):
    """Starts argv on a terminal; returns pid, master and the moment right before its exec."""
    read_end, write_end = os.pipe()
    pid, master = pty.fork()
    if pid == 0:
        try:
            before()
            os.write(write_end, struct.pack("d", now()))
            os.execvpe(argv[0], argv, env or os.environ)
        finally:
            os._exit(127)
    os.close(write_end)
    began = struct.unpack("d", os.read(read_end, 8))[0]
    os.close(read_end)
    return pid, master, began


def first_byte(master, what):
    ready = select.select([master], [], [], 30)[0]
    moment = now()
    try:
        data = os.read(master, 4096) if ready else b""
    except OSError:
        data = b""
    if not data:
        sys.exit("bench: %s printed nothing" % what)
    return moment, data


# ---- carrel ----


class Daemon:
    def __init__(self, binaries, store, work, group):
        self.work = work
        os.makedirs(work + "/web")
        with open(TOP + "/config/tiers.yaml") as f:
            tiers = re.sub(r"creations_per_hour: \d+", "creations_per_hour: 1000000", re.sub(r"sandboxes: \d+", "sandboxes: 100000", f.read()))
        with open(work + "/tiers.yaml", "w") as f:
            f.write(tiers)
        options = ["--state-dir", work + "/state", "--run-dir", work + "/run", "--store", store, "--tiers", work + "/tiers.yaml",
                   "--seccomp", TOP + "/config/seccomp.json", "--web", work + "/web", "--cgroup", group.path + "/boxes"]
        program = binaries + "/carrel-sessiond"
        self.key = subprocess.check_output([program, *options, "key", "add", "--user", "bench", "--tier", "free"], text=True).strip()
        self.log = open(work + "/log", "wb")
        self.p = subprocess.Popen([program, *options, "--ephemeral", "--log-level", "warn", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                  stderr=self.log, preexec_fn=group.enter)
        self.port = int(self.p.stdout.readline().decode().strip().rsplit(":", 1)[1])

    def request(self, s, method, path, body=""):
        s.sendall(("%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                   "Content-Length: %d\r\n\r\n%s" % (method, path, self.port, self.key, len(body), body)).encode())
        data = b""
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                sys.exit("bench: the daemon closed the connection: %s" % data)
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(rest) < int(length.group(1)):
            rest += s.recv(65536)
        return int(head.split(b" ")[1]), rest

    def create(self):
        """A sandbox with its prompt seen: id, socket, seconds to the answer, seconds to the prompt."""
        began = now()
        s = socket.create_connection(("127.0.0.1", self.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        status, body = self.request(s, "POST", "/v1/sandboxes", "{}")
        answered = now()
        if status != 201:
            sys.exit("bench: create: %d %s" % (status, body))
        box = json.loads(body)["id"]
        s.sendall(("GET /v1/sandboxes/%s/terminal HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                   "Sec-WebSocket-Protocol: carrel.v1\r\n\r\n" % (box, self.port, self.key)).encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += s.recv(65536)
        data = data.partition(b"\r\n\r\n")[2]
        while True:
            while len(data) >= 2:
                n, at = data[1] & 127, 2
                if n == 126:
                    if len(data) < 4:
                        break
                    n, at = struct.unpack(">H", data[2:4])[0], 4
                if len(data) < at + n:
                    break
                if n > 9 and data[at] == 0x01:
                    return box, s, answered - began, now() - began
                data = data[at + n:]
            more = s.recv(65536)
            if not more:
                sys.exit("bench: the terminal closed before the prompt")
            data += more

    def delete(self, box):
        s = socket.create_connection(("127.0.0.1", self.port))
        status, body = self.request(s, "DELETE", "/v1/sandboxes/" + box)
        if status != 204:
            sys.exit("bench: delete: %d %s" % (status, body))
        s.close()

    def close(self):
        self.p.terminate()
        self.p.wait(600)


# ---- bundles for the peers ----


def default_config(binaries, store, work):
    """What `carrel-image bundle` says of the default image: its layers and its process."""
    bundle = work + "/image"
    subprocess.check_call([binaries + "/carrel-image", "--store", store, "bundle", "--seccomp", TOP + "/config/seccomp.json",
                           "--tiers", TOP + "/config/tiers.yaml", "--tier", "free", "--uid-base", "524288", "default", bundle])
    with open(bundle + "/config.json") as f:
        config = json.load(f)
    with open(bundle + "/rootfs.json") as f:
        return config, json.load(f)["layers"]


def peer_config(config, group, root):
    """The same container for crun: without what crun 1.8 does not know, and without user namespace, for its root is not
    idmapped."""
    config = json.loads(json.dumps(config), object_hook=lambda o: {k: v for k, v in o.items() if v is not None})
    config["ociVersion"] = "1.0.2"
    linux = config["linux"]
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] not in ("user", "time")]
    for key in ("uidMappings", "gidMappings", "timeOffsets"):
        linux.pop(key, None)
    linux["cgroupsPath"] = group.path + "/box"
    config["root"]["path"] = root
    config["process"]["terminal"] = True
    config["process"]["args"] = [a for a in config["process"]["args"]]
    for m in config["mounts"]:
        m["options"] = [o for o in m.get("options", []) if not re.match(r"(uid|gid)=", o)]
        m.pop("uidMappings", None), m.pop("gidMappings", None)
    return config


def measure_prompt(a, work):
    groups = {name: Group(name) for name in ("carrel", "crun", "podman")}
    config, layers = default_config(a.bin, a.store, work)
    root = work + "/root"
    os.mkdir(root)
    # podman writes into its root before it makes it read-only.
    writable = work + "/writable"
    os.mkdir(writable)
    peers = Peers(layers, root, writable)
    daemon = Daemon(a.bin, a.store, work + "/carrel", groups["carrel"])
    bundle = work + "/crun"
    os.mkdir(bundle)
    with open(bundle + "/config.json", "w") as f:
        json.dump(peer_config(config, groups["crun"], root), f)
    with open(work + "/containers.conf", "w") as f:
        f.write('[containers]\ndefault_ulimits=["nofile=1024:4096","nproc=4096:4096"]\n[engine]\nevents_logger="file"\n')
    shell = config["process"]["args"]
    env = dict(os.environ, CONTAINERS_CONF=work + "/containers.conf")
    podman = ["podman", "--root", work + "/podman", "--runroot", work + "/podman-run", "--runtime", "crun", "--cgroup-manager", "cgroupfs",
              "--storage-driver", "overlay"]
    podman_run = podman + ["run", "--rm", "-it", "--network", "none", "--read-only", "--cgroup-parent", groups["podman"].path,
                           "--seccomp-policy", "default", "--security-opt", "seccomp=" + TOP + "/config/seccomp.json", "--memory", "512m",
                           "--cpus", "0.5", "--pids-limit", "128", "--rootfs", writable + "/root", *shell]
    walls = {name: [] for name in groups}
    cpus = {name: [] for name in groups}
    answers = []

    def carrel(_):
        before = groups["carrel"].cpu()
        box, s, answered, prompt = daemon.create()
        s.close()  # first: a shim waits a moment for a client that does not hang up
        daemon.delete(box)
        answers.append(answered)
        return prompt, groups["carrel"].cpu() - before

    def crun(i):
        before = groups["crun"].cpu()
        name = "bench-%d-%d" % (os.getpid(), i)
        argv = ["crun", "--root", work + "/crun-state", "run", "-b", bundle, name]
        pid, master, began = on_terminal(argv, lambda: (peers.enter(), groups["crun"].enter()))
        moment, text = first_byte(master, "crun")
        drain(pid, master, text)
        return moment - began, groups["crun"].cpu() - before

    def podman_once(_):
        before = groups["podman"].cpu()
        pid, master, began = on_terminal(podman_run, lambda: (peers.enter(), groups["podman"].enter()), env)
        moment, text = first_byte(master, "podman")
        drain(pid, master, text)
        return moment - began, groups["podman"].cpu() - before

    tools = {"carrel": carrel}
    if not a.no_peers:
        tools.update(crun=crun, podman=podman_once)
    try:
        for i in range(a.rounds + 3):
            for name, once in tools.items():
                if name == "podman" and i % a.podman_every and i >= 3:
                    continue
                wall, cpu = once(i)
                if i >= 3:  # the first fill caches
                    walls[name].append(wall)
                    cpus[name].append(cpu)
    finally:
        daemon.close()
        if not a.no_peers:
            subprocess.run(podman + ["rm", "-fa"], env=env, preexec_fn=peers.enter, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peers.close()
    show("| create → first prompt byte | runs | min ms | p50 | p95 | p99 | CPU ms, create to removed (mean) |")
    show("|---|---|---|---|---|---|---|")
    label = {"carrel": "carrel-sessiond: POST, WebSocket, OUTPUT", "crun": "crun run", "podman": "podman run"}
    for name in tools:
        show("| %s | %d | %s | %.1f |" % (label[name], len(walls[name]), percentiles(walls[name]), 1000 * sum(cpus[name]) / len(cpus[name])))
    show("| of it: POST /v1/sandboxes answered | %d | %s | |" % (len(answers) - 3, percentiles(answers[3:])))
    show()


def drain(pid, master, text):
    """To its end, which must be a good one: else what was timed was an error message."""
    end, asked = now() + 30, False
    while now() < end:
        if not asked and re.search(rb"[#$] $", text):
            os.write(master, b"exit\n")
            asked = True
        if not select.select([master], [], [], 5)[0]:
            os.kill(pid, signal.SIGKILL)
            break
        try:
            more = os.read(master, 65536)
            if not more:
                break
            text += more
        except OSError:
            break
    os.close(master)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        sys.exit("bench: a peer ended with %d: %r" % (status, text))


# ---- many at once ----


def pss(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def shims(run):
    """Processes of each shim: {directory: [pid...]}."""
    found = {}
    for p in os.listdir("/proc"):
        if not p.isdigit():
            continue
        try:
            with open("/proc/%s/cmdline" % p) as f:
                words = f.read().split("\0")
        except OSError:
            continue
        if words[0].endswith("carrel-shim") and len(words) > 2 and words[2].startswith(run):
            found.setdefault(words[2], []).append(int(p))
    return found


def settle(group):
    """Until what was started last has come to rest, 10 s at most: shells that read their profiles are nobody's cost."""
    for _ in range(20):
        before = group.cpu()
        time.sleep(0.5)
        if group.cpu() - before < 0.005:
            return


def measure_boxes(a, work):
    group = Group("boxes")
    daemon = Daemon(a.bin, a.store, work + "/daemon", group)
    alive, rows = [], []
    try:
        for _ in range(3):
            box, s, _, _ = daemon.create()
            s.close()
            daemon.delete(box)
        for level in (0, a.boxes // 2, a.boxes):
            while len(alive) < level:
                box, s, _, _ = daemon.create()
                s.close()
                alive.append(box)
            settle(group)
            walls, before = [], group.cpu()
            for _ in range(max(20, a.rounds // 2)):
                box, s, _, prompt = daemon.create()
                s.close()
                daemon.delete(box)
                walls.append(prompt)
            cpu = (group.cpu() - before) / len(walls)
            rows.append("| %d | %d | %s | %.1f |" % (level, len(walls), percentiles(walls), cpu * 1000))
        time.sleep(1)
        per_shim = [sum(pss(p) for p in v) for v in shims(work + "/daemon/run").values()]
        processes = [len(v) for v in shims(work + "/daemon/run").values()]
        before = group.cpu()
        time.sleep(5)
        idle = (group.cpu() - before) / 5
        daemon_pss = pss(daemon.p.pid)
    finally:
        daemon.close()
    show("| sandboxes alive | creates | min ms | p50 | p95 | p99 | CPU ms a create and delete |")
    show("|---|---|---|---|---|---|---|")
    for row in rows:
        show(row)
    show()
    show("With %d alive: a shim (%d processes) has %d KiB PSS at the median, %d at most; carrel-sessiond %d KiB. All of them together, shells "
         "included, use %.2f %% of one core while nobody types." %
         (len(per_shim), max(processes), sorted(per_shim)[len(per_shim) // 2], max(per_shim), daemon_pss, 100 * idle))
    show()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", default=TOP + "/build/bin")
    p.add_argument("--floor", default=TOP + "/build/tests/bench/floor")
    p.add_argument("--store", default=TOP + "/build/run/store")
    p.add_argument("--rounds", type=int, default=100)
    p.add_argument("--podman-every", type=int, default=1, help="every Nth round only")
    p.add_argument("--boxes", type=int, default=200, help="sandboxes of the daemon")
    p.add_argument("--live", type=int, default=1000, help="containers of a runtime")
    p.add_argument("--only", default="prompt,boxes,run,life,storm,live")
    p.add_argument("--storm", type=int, default=800, help="runs in a storm")
    p.add_argument("--peer", action="append", default=[], metavar="NAME=PROGRAM")
    p.add_argument("--no-peers", action="store_true")
    a = p.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root")
    for tool in [] if a.no_peers else ["crun", "runc", "podman"]:
        if not shutil.which(tool):
            sys.exit("bench: %s is not installed; --no-peers measures without" % tool)
    a.bin, a.store, a.floor = map(os.path.abspath, (a.bin, a.store, a.floor))
    # The default limit of descriptors is too low for 200 terminals in one process, and the work directory's path ends up in sockets.
    work = tempfile.mkdtemp(prefix="carrel-bench.", dir="/tmp")
    os.chmod(work, 0o755)
    # A null device of our own as standard input of all: crun gives its stdio to the container's root, and that may be
    # the host's /dev/null.
    os.mknod(work + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.dup2(os.open(work + "/null", os.O_RDWR), 0)
    show("Load average %.1f %.1f %.1f on %d processors at the beginning, kernel %s.\n" % (*os.getloadavg(), os.cpu_count(), os.uname().release))
    try:
        for name, measure in (("prompt", measure_prompt), ("boxes", measure_boxes), ("run", measure_run), ("life", measure_life),
                              ("storm", measure_storm), ("live", measure_live)):
            if name in a.only.split(","):
                os.mkdir(work + "/" + name)
                os.chmod(work + "/" + name, 0o755)
                measure(a, work + "/" + name)
        show("Load average %.1f %.1f %.1f at the end." % os.getloadavg())
    finally:
        time.sleep(0.2)
        remove_groups()
        for _ in range(10):  # podman's conmon may still be writing
            if subprocess.run(["rm", "-rf", "--one-file-system", work], stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.5)


main()
