"""An image to unpack, the same bytes at every call: three layers as a distribution, its toolchains and an application have them.

make(where, mib) writes where/gzip and where/zstd, OCI image layouts with an image named "bench" each, whose layers hold the same tars. Sizes
of files are drawn as they are found in images (median 4 KiB, a few of many MiB); contents compress by gzip to a good third. The first
layer has /bin/true and /big, a third of it, that is read by everyone.
"""
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile

from benchlib import TOP

sys.path.insert(0, TOP + "/tests/integration")
from mkimage import ARCH, OCI, descriptor, dump, sha, write  # noqa: E402

SHARES = [(0.22, 0.25), (0.55, 0.55), (0.23, 0.20)]  # of the bytes, of the files
FULL_MIB, FULL_FILES = 560, 16000
POOL = 24 << 20  # what contents are cut from; less for a small image


def pool(r, size):
    """Text, tables and machine code in turns, and a little that does not compress."""
    letters = "etaoinshrdlucmfwygpbvk"
    words = ["".join(r.choices(letters, k=r.randint(2, 9))).encode() + b" " for _ in range(3000)]
    weights = [1 / (i + 2) for i in range(len(words))]
    out = bytearray()
    while len(out) < size:
        lines = [b"".join(r.choices(words, weights, k=8)) + b"\n" for _ in range(600)]
        out += b"".join(r.choices(lines, k=1500))
        code = [r.randbytes(r.randint(3, 9)) for _ in range(600)]
        out += b"".join(r.choices(code, [1 / (i + 9) for i in range(600)], k=11000))
        base = r.randrange(1 << 30)
        out += b"".join((base + 24 * i + r.choice((0, 0, 8))).to_bytes(8, "little") for i in range(2000))
        out += r.randbytes(4000)
    return bytes(out)


def content(r, p, n):
    """n bytes, no two files alike."""
    parts, left = [r.randbytes(min(16, n))], n - 16
    while left > 0:
        k = min(left, r.randint(1 << 12, 1 << 18))
        at = r.randrange(len(p) - k)
        parts.append(p[at:at + k])
        left -= k
    return b"".join(parts)


def sizes(r, count, total):
    raw = [min(r.lognormvariate(8.3, 2.1), 3e7) for _ in range(count)]
    scale = total / sum(raw)
    return [int(x * scale) for x in raw]


class Layer:
    """Writes the tar and hashes it."""

    def __init__(self, path, r):
        self.out = open(path, "wb")
        self.hash = hashlib.sha256()
        self.tar = tarfile.open(fileobj=self, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20)
        self.r = r

    def write(self, data):
        self.hash.update(data)
        self.out.write(data)

    def add(self, name, kind, data=b"", mode=0o644, link=""):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.size, info.linkname = kind, mode, len(data), link
        info.mtime = 1750000000 + self.r.randrange(4000)
        self.tar.addfile(info, io.BytesIO(data))

    def close(self):
        self.tar.close()
        self.out.close()
        return "sha256:" + self.hash.hexdigest()


def fill(layer, number, r, p, files, total):
    names, dirs = [], []
    for i in range(max(files // 10, 1)):
        parent = r.choice(dirs) if dirs and r.random() < 0.8 else "usr/l%d" % number
        dirs.append("%s/d%d" % (parent, i))
        layer.add(dirs[-1], tarfile.DIRTYPE, mode=0o755)
    for i, n in enumerate(sizes(r, files, total)):
        names.append("%s/file-%d.%s" % (r.choice(dirs), i, r.choice(("so", "py", "h", "txt"))))
        layer.add(names[-1], tarfile.REGTYPE, content(r, p, n), mode=r.choice((0o644, 0o644, 0o755)))
    for i in range(files // 16):
        layer.add("%s/link-%d" % (r.choice(dirs), i), tarfile.SYMTYPE, mode=0o777, link="../" + os.path.basename(r.choice(names)))
    for i in range(files // 400):
        layer.add("%s/hard-%d" % (r.choice(dirs), i), tarfile.LNKTYPE, link=r.choice(names))
    return names


def make_tars(where, mib, program):
    r = random.Random(20250620)
    p = pool(r, min(POOL, mib << 18))
    below, diff_ids = [], []
    for number, (bytes_share, files_share) in enumerate(SHARES):
        layer = Layer("%s/%d.tar" % (where, number), r)
        total, files = int(mib * bytes_share * (1 << 20)), max(int(FULL_FILES * mib / FULL_MIB * files_share), 20)
        if number == 0:
            big = total // 3
            total -= big
            for d in ("bin", "tmp", "usr"):
                layer.add(d, tarfile.DIRTYPE, mode=0o755)
            layer.add("bin/true", tarfile.REGTYPE, program, mode=0o755)
            layer.add("big", tarfile.REGTYPE, content(r, p, big))
        layer.add("usr/l%d" % number, tarfile.DIRTYPE, mode=0o755)
        for name in r.sample(below, len(below) // 200):
            layer.add(os.path.join(os.path.dirname(name), ".wh." + os.path.basename(name)), tarfile.REGTYPE)
        below += fill(layer, number, r, p, files, total)
        diff_ids.append(layer.close())
    return diff_ids


def compress(where, how):
    """The layers side by side; returns their descriptors."""
    argv = {"gzip": ["gzip", "-n", "-6", "-c"], "zstd": ["zstd", "-q", "-3", "-c"]}[how]
    jobs = []
    os.makedirs("%s/%s/blobs/sha256" % (where, how))
    for i in range(len(SHARES)):
        with open("%s/%s/%d" % (where, how, i), "wb") as out:
            jobs.append(subprocess.Popen(argv + ["%s/%d.tar" % (where, i)], stdout=out))
    found = []
    for i, job in enumerate(jobs):
        if job.wait() != 0:
            sys.exit("bench: %s failed" % argv[0])
        path = "%s/%s/%d" % (where, how, i)
        with open(path, "rb") as f:
            digest = hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(f.read()).hexdigest()
        size = os.path.getsize(path)
        os.rename(path, "%s/%s/blobs/sha256/%s" % (where, how, digest))
        found.append({"mediaType": OCI + "layer.v1.tar+" + how, "digest": "sha256:" + digest, "size": size})
    return found


def write_layout(where, how, diff_ids):
    layout = "%s/%s" % (where, how)
    layers = compress(where, how)
    config = dump({"architecture": ARCH, "os": "linux", "created": "2026-01-01T00:00:00Z", "config": {"Cmd": ["/bin/true"]},
                   "rootfs": {"type": "layers", "diff_ids": diff_ids}})
    manifest = dump({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": descriptor(config, OCI + "config.v1+json"),
                     "layers": layers})
    for data in (config, manifest):
        write("%s/blobs/%s" % (layout, sha(data).replace(":", "/")), data)
    entry = descriptor(manifest, OCI + "manifest.v1+json", annotations={"org.opencontainers.image.ref.name": "bench"})
    write(layout + "/index.json", {"schemaVersion": 2, "manifests": [entry]})
    write(layout + "/oci-layout", {"imageLayoutVersion": "1.0.0"})


def make(where, mib, program):
    """program: the static executable that becomes /bin/true."""
    with open(program, "rb") as f:
        diff_ids = make_tars(where, mib, f.read())
    for how in ("gzip", "zstd"):
        write_layout(where, how, diff_ids)
    for i in range(len(SHARES)):
        os.unlink("%s/%d.tar" % (where, i))


def layers_of(layout):
    """The paths of its blobs, bottom first."""
    with open(layout + "/index.json") as f:
        digest = json.load(f)["manifests"][0]["digest"]
    path = lambda d: "%s/blobs/%s" % (layout, d.replace(":", "/"))
    with open(path(digest)) as f:
        return [path(x["digest"]) for x in json.load(f)["layers"]]
