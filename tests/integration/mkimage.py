"""Images for tests, honest and not: layers as lists of entries, written as OCI layouts and docker-archives.

    t = layer([d('etc'), f('etc/passwd', 'root:x:0:0::/root:/bin/sh'), s('bin', 'usr/bin')])
    oci('layout', [t])                     one image, uncompressed layer
    oci('layout', [(t, 'gzip')], lie=fn)   fn(parts) may change anything before it is written
"""
import gzip
import hashlib
import io
import json
import os
import struct
import subprocess
import tarfile
import zlib

ARCH = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(os.uname().machine, os.uname().machine)
ALGORITHM = 'sha256'
OCI = 'application/vnd.oci.image.'


def _entry(name, kind, data=b'', link='', **attrs):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    data = data.encode() if isinstance(data, str) else data
    info.size = len(data)
    for key, value in attrs.items():
        if key == 'xattrs':
            info.pax_headers.update({'SCHILY.xattr.' + k: v for k, v in value.items()})
        elif key == 'pax':
            info.pax_headers.update(value)
        else:
            setattr(info, key, value)
    return info, data


def d(name, **a):
    return _entry(name, tarfile.DIRTYPE, **a)


def f(name, data='', **a):
    return _entry(name, tarfile.REGTYPE, data, **a)


def s(name, target, **a):
    return _entry(name, tarfile.SYMTYPE, link=target, **a)


def h(name, target, **a):
    return _entry(name, tarfile.LNKTYPE, link=target, **a)


def c(name, major, minor, **a):
    return _entry(name, tarfile.CHRTYPE, devmajor=major, devminor=minor, **a)


def b(name, major, minor, **a):
    return _entry(name, tarfile.BLKTYPE, devmajor=major, devminor=minor, **a)


def p(name, **a):
    return _entry(name, tarfile.FIFOTYPE, **a)


def acl(*entries):
    """The kernel's form, as a string for xattrs: ('owner', 7), ('user', 4, 1000), ..., in this order or, to be refused, in another."""
    tags = {'owner': 1, 'user': 2, 'group_owner': 4, 'group': 8, 'mask': 16, 'other': 32}
    value = struct.pack('<I', 2)
    for tag, perm, *id in entries:
        value += struct.pack('<HHI', tags.get(tag, tag), perm, id[0] if id else 0xffffffff)
    # A pax header is UTF-8, and so these bytes have to pass it: tarfile takes surrogates for what is none.
    return value.decode('utf-8', 'surrogateescape')


def layer(entries, format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=format) as t:
        for info, data in entries:
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


# ---- archives byte by byte, for what no writer of tars would write ----

END = bytes(1024)


def block(data):
    data = data.encode() if isinstance(data, str) else data
    return data + bytes(-len(data) % 512)


def header(name, size=0, kind='0', magic=b'ustar\x0000', field=None, more=None):
    """field: the size's 12 bytes as they are; more: {offset: bytes}."""
    h = bytearray(512)
    for at, data in {0: name.encode()[:100], 100: b'0000644\0', 108: b'0000000\0', 116: b'0000000\0', 124: field or b'%011o\0' % size,
                     136: b'00000000000\0', 156: kind.encode(), 257: magic, **(more or {}), 148: b' ' * 8}.items():
        h[at:at + len(data)] = data
    h[148:156] = b'%06o\0 ' % sum(h)
    return bytes(h)


def raw(name, data='', **how):
    data = data.encode() if isinstance(data, str) else data
    return header(name, len(data), **how) + block(data)


def pax(*records, text=None, kind='x'):
    """records: (key, value); text: the whole extended header instead."""
    body = b''
    for key, value in records:
        line = b' %s=%s\n' % (key.encode(), value if isinstance(value, bytes) else str(value).encode())
        n = len(line) + 1
        while len(str(n)) + len(line) != n:
            n += 1
        body += str(n).encode() + line
    return raw('PaxHeaders/x', body if text is None else text, kind=kind)


def sparse(name, size, extents, data):
    """GNU's sparse format 1.0 in pax, with these numbers."""
    table = block('%d\n' % len(extents) + ''.join('%s\n%s\n' % x for x in extents))
    return pax(('GNU.sparse.major', 1), ('GNU.sparse.minor', 0), ('GNU.sparse.name', name), ('GNU.sparse.realsize', size)) + \
        raw('GNUSparseFile.0/' + name, table + data)


def old_sparse(name, size, extents, data):
    """GNU's own format."""
    numbers = {386 + 12 * i: b'%011o\0' % n for i, n in enumerate(n for x in extents for n in x)}
    return raw(name, data, kind='S', magic=b'ustar  \0', more={**numbers, 483: b'%011o\0' % size})


def gzip_member(data, extra=None, name=None, comment=None, checksum=False):
    """One with these parts in its header."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
    flags = (extra is not None) * 4 | (name is not None) * 8 | (comment is not None) * 16 | checksum * 2
    head = b'\x1f\x8b\x08' + bytes([flags]) + b'\0\0\0\0\0\xff'
    if extra is not None:
        head += struct.pack('<H', len(extra)) + extra
    for text in (name, comment):
        head += text + b'\0' if text is not None else b''
    head += struct.pack('<H', zlib.crc32(head) & 0xffff) if checksum else b''
    return head + squeeze.compress(data) + squeeze.flush() + struct.pack('<II', zlib.crc32(data), len(data) & 0xffffffff)


def skippable(data):
    """A frame that readers of zstd pass over."""
    return struct.pack('<II', 0x184d2a50, len(data)) + data


def sha(data):
    return f'{ALGORITHM}:' + hashlib.new(ALGORITHM, data).hexdigest()


def algorithm(name):
    """What digests are made of from here on: sha256 (at first) or sha512."""
    global ALGORITHM
    ALGORITHM = name


def pack(data, how):
    if how == 'gzip':
        return gzip.compress(data, 1, mtime=0)
    if how:
        return subprocess.run([how, '-q', '-c'], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def descriptor(data, media_type, **more):
    return {'mediaType': media_type, 'digest': sha(data), 'size': len(data), **more}


def config_of(tars, **config):
    return {'architecture': ARCH, 'os': 'linux', 'created': '2026-01-01T00:00:00Z', 'config': {'Cmd': ['/bin/sh'], **config},
            'rootfs': {'type': 'layers', 'diff_ids': [sha(t) for t in tars]}}


def dump(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def write(path, data):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'wb') as out:
        out.write(dump(data))


def oci(where, layers, name=None, lie=None, **config):
    """lie(parts) sees and changes {'tars', 'blobs', 'config', 'manifest', 'index'} step by step: it is called as
    lie('config', parts), lie('manifest', parts), lie('index', parts) before each is written."""
    lie = lie or (lambda step, parts: None)
    layers = [x if isinstance(x, tuple) else (x, None) for x in layers]
    parts = {'tars': [t for t, _ in layers], 'blobs': [pack(t, how) for t, how in layers], 'where': where}
    parts['config'] = config_of(parts['tars'], **config)
    lie('config', parts)
    blob = dump(parts['config'])
    types = [OCI + 'layer.v1.tar' + ('+' + how if how in ('gzip', 'zstd') else '') for _, how in layers]
    parts['manifest'] = {'schemaVersion': 2, 'mediaType': OCI + 'manifest.v1+json', 'config': descriptor(blob, OCI + 'config.v1+json'),
                         'layers': [descriptor(x, t) for x, t in zip(parts['blobs'], types)]}
    lie('manifest', parts)
    manifest = dump(parts['manifest'])
    entry = descriptor(manifest, OCI + 'manifest.v1+json')
    if name:
        entry['annotations'] = {'org.opencontainers.image.ref.name': name}
    parts['index'] = {'schemaVersion': 2, 'manifests': [entry]}
    for data, digest in [(blob, sha(blob)), (manifest, sha(manifest))] + [(x, sha(x)) for x in parts['blobs']]:
        write(f'{where}/blobs/{digest.replace(":", "/")}', data)
    lie('index', parts)
    old = f'{where}/index.json'
    if os.path.exists(old):
        parts['index']['manifests'] = json.load(open(old))['manifests'] + parts['index']['manifests']
    write(old, parts['index'])
    write(f'{where}/oci-layout', {'imageLayoutVersion': '1.0.0'})
    return parts


def docker(path, layers, tags=('test:1',), legacy=False, lie=None):
    """legacy: HEX/layer.tar, the second of two equal layers as a symlink to the first."""
    blob = dump(config_of(layers))
    names, entries, seen = [], [], {}
    for i, t in enumerate(layers):
        digest = sha(t)[7:]
        if not legacy:
            names.append(digest + '.tar')
            entries.append(f(names[-1], t))
            continue
        here = hashlib.sha256(f'{i}{digest}'.encode()).hexdigest()
        names.append(here + '/layer.tar')
        entries += [d(here), f(here + '/VERSION', '1.0')]
        entries.append(s(names[-1], f'../{seen[digest]}/layer.tar') if digest in seen else f(names[-1], t))
        seen.setdefault(digest, here)
    manifest = [{'Config': sha(blob)[7:] + '.json', 'RepoTags': list(tags), 'Layers': names}]
    if lie:
        lie(manifest, entries)
    entries += [f(sha(blob)[7:] + '.json', blob), f('manifest.json', dump(manifest))]
    write(path, layer(entries))


def naive(tar_bytes, root):
    """Unpacks as a careless program would: joins names, follows what is there. The positive control."""
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as t:
        for m in t:
            path = os.path.join(root, m.name)
            base = os.path.basename(path)
            if base.startswith('.wh.'):
                target = os.path.join(os.path.dirname(path), base[4:])
                subprocess.run(['rm', '-rf', '--', target], check=False)
            elif m.isdir():
                os.makedirs(path, exist_ok=True)
            elif m.issym():
                os.symlink(m.linkname, path)
            elif m.islnk():
                os.link(os.path.join(root, m.linkname), path)
            elif m.isreg():
                with open(path, 'wb') as out:
                    out.write(t.extractfile(m).read())
            elif m.ischr() or m.isblk():
                os.mknod(path, m.mode | (0o020000 if m.ischr() else 0o060000), os.makedev(m.devmajor, m.devminor))
