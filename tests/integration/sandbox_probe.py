"""What can be seen and done from where this runs: in a sandbox, and on the host as the control.

  python3 sandbox_probe.py GROUP...    prints lines "name value"; an attempt's value is ok or the name of an errno

It mounts things: the control runs in a mount namespace of its own (unshare --mount). Whatever might end the process
is tried in a child. Only the standard library, so that it can be given to a
sandbox as `python3 -c`. The values are the tests' business.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import signal
import socket
import struct
import sys
import termios

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def say(name, value):
    print(name, value, flush=True)


def name_of(number):
    return errno.errorcode.get(number, str(number))


def outcome(attempt):
    try:
        attempt()
    except OSError as e:
        return name_of(e.errno)
    return "ok"


def call(number, *args):
    """A system call; raises OSError."""
    got = libc.syscall(ctypes.c_long(number), *[ctypes.c_void_p(a) if isinstance(a, int) else a for a in args])
    if got < 0:
        raise OSError(ctypes.get_errno(), "")
    return got


def in_child(attempt):
    """The outcome of what may kill whoever tries it; "signal N" when it did."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        try:
            os.write(w, outcome(attempt).encode())
        except BaseException as e:  # pylint: disable=broad-except
            os.write(w, repr(e).encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        text = f.read()
    _, status = os.waitpid(pid, 0)
    return f"signal-{os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else text or "nothing"


def line_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return " ".join(f.readline().split())
    except OSError as e:
        return name_of(e.errno)


def identity():
    with open("/proc/self/status", encoding="ascii") as f:
        for line in f:
            key, _, value = line.partition(":")
            if key in ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"):
                say(key, " ".join(value.split()))
    say("uid_map", line_of("/proc/self/uid_map"))
    say("gid_map", line_of("/proc/self/gid_map"))
    say("setgroups", line_of("/proc/self/setgroups"))
    say("pid1", line_of("/proc/1/comm"))
    say("processes", len([p for p in os.listdir("/proc") if p.isdigit()]))
    with open("/proc/self/cgroup", encoding="ascii") as f:
        say("cgroups", ",".join(sorted({line.strip().split(":", 2)[2] for line in f})))
    say("hostname", socket.gethostname())
    for ns in sorted(os.listdir("/proc/self/ns")):
        say("ns-" + ns, os.readlink("/proc/self/ns/" + ns))


def write_try(path, data=b""):
    def attempt():
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if data:
                os.write(fd, data)
        finally:
            os.close(fd)
    return attempt


def create_try(path):
    def attempt():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        os.unlink(path)
    return attempt


def read_len(path):
    """How much there is to read; a directory: how many entries."""
    try:
        if os.path.isdir(path):
            return len(os.listdir(path))
        with open(path, "rb") as f:
            return len(f.read(64))
    except OSError as e:
        return name_of(e.errno)


MASKED = ("/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/interrupts", "/proc/acpi",
          "/proc/scsi", "/proc/sched_debug", "/sys/firmware", "/sys/devices/virtual/powercap")


def files():
    for d in ("/", "/usr", "/usr/bin", "/etc", "/var", "/proc", "/sys", "/opt", "/lib"):
        say("create " + d, outcome(create_try(os.path.join(d, "carrel-probe"))))
    for d in ("/tmp", "/run", "/dev/shm", "/workspace", os.environ.get("HOME", "/root")):
        say("create " + d, outcome(create_try(os.path.join(d, "carrel-probe"))))
    # As they are: a value written back would change nothing.
    for path in ("/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches",
                 "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/sys/kernel/mm/ksm/run",
                 "/sys/kernel/uevent_helper"):
        say("write " + path, outcome(write_try(path)) if os.path.exists(path) else "absent")
    say("chmod /proc/sys/kernel/hostname", outcome(lambda: os.chmod("/proc/sys/kernel/hostname", 0o644)))
    for path in MASKED:
        say("masked " + path, read_len(path) if os.path.exists(path) else "absent")
    say("remount", outcome(lambda: mount(b"none", b"/", None, 0x20)))
    say("mount", outcome(lambda: mount(b"tmpfs", b"/tmp", b"tmpfs", 0)))
    say("chroot", in_child(lambda: os.chroot("/tmp")))
    say("mknod", outcome(lambda: (os.mknod("/tmp/carrel-probe", 0o20600, os.makedev(1, 1)), os.unlink("/tmp/carrel-probe"))))


def mount(source, target, kind, flags):
    if libc.mount(source, target, kind, ctypes.c_ulong(flags), None) < 0:
        raise OSError(ctypes.get_errno(), "")


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        for line in f:
            fields = line.split()
            kind = fields[fields.index("-") + 1]
            say("mount", fields[4] + " " + kind + " " + fields[5].split(",")[0] + " " + fields[3])


def network():
    say("interfaces", ",".join(name for _, name in socket.if_nameindex()))
    with open("/proc/net/route", encoding="ascii") as f:
        say("routes", len(f.readlines()) - 1)

    def to(address):
        def attempt():
            with socket.socket() as s:
                s.settimeout(3)
                s.connect(address)
        return attempt
    say("connect-out", outcome(to(("192.0.2.1", 80))))
    port = os.environ.get("PROBE_PORT")
    if port:
        say("connect-daemon", outcome(to(("127.0.0.1", int(port)))))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        say("connect-self", outcome(to(s.getsockname())))


SOCKETS = {
    "unix": (1, 1, 0), "unix-dgram": (1, 2, 0), "inet-tcp": (2, 1, 0), "inet-udp": (2, 2, 17), "inet6-tcp": (10, 1, 6),
    "inet6-udp": (10, 2, 0), "netlink-route": (16, 3, 0),
    "inet-raw": (2, 3, 1), "inet-sctp": (2, 1, 132), "inet-mptcp": (2, 1, 262), "packet": (17, 3, 0x0300),
    "packet-dgram": (17, 2, 0x0300), "alg": (38, 5, 0), "vsock": (40, 1, 0), "netlink-audit": (16, 3, 9),
    "netlink-netfilter": (16, 3, 12), "netlink-kobject-uevent": (16, 3, 15), "netlink-crypto": (16, 3, 21),
    "netlink-generic": (16, 3, 16), "netlink-xfrm": (16, 3, 6), "netlink-sock-diag": (16, 3, 4), "xdp": (44, 3, 0),
    "can": (29, 3, 1), "bluetooth": (31, 3, 1), "tipc": (30, 2, 0), "rds": (21, 5, 0), "kcm": (41, 2, 0),
    "nfc": (39, 3, 0), "pppox": (24, 1, 0), "ax25": (3, 5, 0), "x25": (9, 5, 0), "appletalk": (5, 2, 0), "smc": (43, 1, 0),
    "qipcrtr": (42, 2, 0), "phonet": (35, 2, 0), "ieee802154": (36, 3, 0), "rxrpc": (33, 2, 2), "key": (15, 3, 2),
}


def sockets():
    for name, (family, kind, protocol) in SOCKETS.items():
        say("socket " + name, outcome(lambda f=family, k=kind, p=protocol: os.close(call(41, f, k, p))))


CLONE_NEWUSER, SIGCHLD = 0x10000000, 17
NEW = {"user": CLONE_NEWUSER, "mnt": 0x20000, "net": 0x40000000, "pid": 0x20000000, "ipc": 0x08000000,
       "uts": 0x04000000, "cgroup": 0x02000000, "time": 0x80}


def clone(flags):
    """fork with flags: the child ends at once."""
    pid = call(56, flags | SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def clone3(flags):
    pid = call(435, struct.pack("=8Q", flags, 0, 0, 0, SIGCHLD, 0, 0, 0), 64)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def setns():
    fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    call(308, fd, 0)


def namespaces():
    for name, flag in NEW.items():
        say("unshare " + name, in_child(lambda f=flag: call(272, f)))
        if name != "time":  # clone has no bit left for it
            say("clone " + name, in_child(lambda f=flag: clone(f)))
        say("clone3 " + name, in_child(lambda f=flag: clone3(f)))
    say("clone none", in_child(lambda: clone(0)))
    say("setns net", in_child(setns))


def machine_code(code):
    """Runs it and raises what it returned as an errno."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    if -4096 < got < 0:
        raise OSError(-got, "")
    if got == 0:
        raise OSError(0, "")


def abi():
    """getpid by three ways: the native one, the 32-bit gate, the x32 bit."""
    say("native", in_child(lambda: machine_code(bytes.fromhex("b827000000 0f05 c3"))))
    # rbx is the callee's to keep; nothing here touches it.
    say("int80", in_child(lambda: machine_code(bytes.fromhex("b814000000 cd80 c3"))))
    say("x32", in_child(lambda: machine_code(bytes.fromhex("b827000040 0f05 c3"))))


def tiocsti():
    master, slave = os.openpty()
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    fcntl.ioctl(slave, termios.TIOCSTI, b"x")
    os.close(master)


CALLS = {
    # name: number, arguments that fail harmlessly (but not with EPERM or ENOSYS) where the call is allowed
    "bpf": (321, -1, 0, 0), "perf_event_open": (298, 0, 0, -1, -1, -1), "io_uring_setup": (425, 0, 0),
    "keyctl": (250, 0, -3, 0), "add_key": (248, 0, 0, 0, 0, 0), "request_key": (249, 0, 0, 0, 0),
    "userfaultfd": (323, -1), "kexec_load": (246, 0, -1, 0, 0), "init_module": (175, 0, 0, 0), "finit_module": (313, -1, 0, 0),
    "delete_module": (176, 0, 0), "open_by_handle_at": (304, -1, 0, 0), "name_to_handle_at": (303, -1, 0, 0, 0, 0),
    "ptrace": (101, 0x4200, 0x7fffffff, 0, 0), "process_vm_readv": (310, 0x7fffffff, 0, 0, 0, 0, 0),
    "pidfd_getfd": (438, -1, 0, 0), "fsopen": (430, 0, 0), "open_tree": (428, -1, 0, 0), "move_mount": (429, -1, 0, -1, 0, -1),
    "pivot_root": (155, 0, 0), "umount2": (166, 0, -1), "swapon": (167, 0, 0), "reboot": (169, 0, 0, 0, 0),
    "acct": (163, 1), "settimeofday": (164, 1, 1), "syslog": (103, -1, 0, 0), "quotactl": (179, -1, 0, 0, 0),
    "lookup_dcookie": (212, 0, 0, 0), "modify_ldt": (154, -1, 0, 0), "vhangup": (153,), "iopl": (172, 4), "ioperm": (173, -1, -1, 1),
    "move_pages": (279, 0x7fffffff, 1, 0, 0, 0, 0), "mbind": (237, 0, 0, -1, 0, 0, 0), "getpid": (39,),
}
# reboot: no magic, so EINVAL. vhangup would hang up a terminal: in a sandbox only.
HOST_SPARES = ("vhangup", "reboot")


def calls():
    spare = os.environ.get("PROBE_HOST") == "1"
    for name, (number, *args) in CALLS.items():
        if not (spare and name in HOST_SPARES):
            say("call " + name, in_child(lambda n=number, a=args: call(n, *a)))
    say("call tiocsti", in_child(tiocsti))


GROUPS = {f.__name__: f for f in (identity, files, mounts, network, sockets, namespaces, abi, calls)}

if __name__ == "__main__":
    for group in sys.argv[1:]:
        GROUPS[group]()
    say("probe", "done")
