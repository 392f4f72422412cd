#!/usr/bin/env python3
"""treecmp.py A B [--no-root-time] [--no-times] [--no-dir-times] [--links] [--empty]: every entry of two trees by name, type, mode, owner, time in nanoseconds, size, link
target, device, attributes, content and, with --links, link count. Prints what differs; exit status 1 if anything does, or if there is
nothing but the root and no --empty."""
import hashlib
import os
import stat
import sys


def entry(path, links):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    out = {'mode': oct(st.st_mode), 'owner': (st.st_uid, st.st_gid), 'mtime': st.st_mtime_ns}
    if kind == stat.S_IFLNK:
        out['target'] = os.readlink(path)
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        out['device'] = st.st_rdev
    if kind == stat.S_IFREG:
        out['size'] = st.st_size
        with open(path, 'rb') as f:
            out['content'] = hashlib.file_digest(f, 'sha256').hexdigest() if hasattr(hashlib, 'file_digest') else hashlib.sha256(f.read()).hexdigest()
    if links:
        out['links'] = st.st_nlink
    out['xattrs'] = {n: os.getxattr(path, n, follow_symlinks=False) for n in sorted(os.listxattr(path, follow_symlinks=False))}
    return out


def tree(top, links):
    found = {'.': entry(top, links)}
    for base, dirs, files in os.walk(top):
        for n in dirs + files:
            p = os.path.join(base, n)
            found[os.path.relpath(p, top)] = entry(p, links)
    # Names of one file: the same set of names in both trees.
    return found


def same_files(top):
    sets = {}
    for base, _, files in os.walk(top):
        for n in files:
            st = os.lstat(os.path.join(base, n))
            sets.setdefault((st.st_dev, st.st_ino), set()).add(os.path.relpath(os.path.join(base, n), top))
    return sorted(sorted(s) for s in sets.values() if len(s) > 1)


def main():
    args = [a for a in sys.argv[1:] if not a.startswith('--')]
    links = '--links' in sys.argv
    a, b = tree(args[0], links), tree(args[1], links)
    bad = 0
    if '--no-times' in sys.argv or '--no-root-time' in sys.argv:
        for t in (a, b):
            for n in t:
                # What no entry of the archive describes has the time of its making.
                if n == '.' or '--no-times' in sys.argv and (n.startswith('implied') or t[n].get('device') == 0):
                    t[n]['mtime'] = 0
    if '--no-dir-times' in sys.argv:
        for t in (a, b):
            for e in t.values():
                if e.get('device') == 0 or stat.S_ISDIR(int(e['mode'], 8)):
                    e['mtime'] = 0
    for n in sorted(set(a) | set(b)):
        if a.get(n) != b.get(n):
            bad += 1
            print('%s:\n  %s\n  %s' % (n, a.get(n), b.get(n)))
    if same_files(args[0]) != same_files(args[1]):
        bad += 1
        print('hard links:\n  %s\n  %s' % (same_files(args[0]), same_files(args[1])))
    print('%d entries, %d differ' % (len(a), bad))
    sys.exit(bad > 0 or len(a) < 2 and '--empty' not in sys.argv)


main()
