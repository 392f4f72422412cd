# Ten shapes of images, unpacked by umoci, into directories, and into EROFS images: the same trees, entry by entry.
load images

setup() {
	images_setup
	need umoci
	need fsck.erofs
	need python3
}

# mounted FORMAT: the image in store.FORMAT as a sandbox sees it, at m.FORMAT. For a mount namespace of the test's own.
mounted() {
	local lower='' layer n=0
	mkdir -p m.$1 empty
	for layer in $(jq -r '.layers[].diff_id[7:]' layers.json); do
		if [ "$1" = dir ]; then
			lower=$WORK/store.dir/layers/$layer/root:$lower
		else
			n=$((n + 1))
			mkdir -p e.$n
			mount -t erofs -o ro,loop "$WORK/store.erofs/layers/$layer/layer.erofs" e.$n || return 1
			lower=$WORK/e.$n:$lower
		fi
	done
	layer=$(STORE=$WORK/store.$1 img inspect x | jq -r '.parents // empty')
	mount -t overlay overlay -o "ro,lowerdir=${layer:+$layer:}$lower$WORK/empty" m.$1
}

# same [TREECMP-OPTION...]: the OCI layout l, whose image is called x.
same() {
	local format
	umoci unpack --image l:x u > umoci.log 2>&1 || { cat umoci.log && return 1; }
	for format in dir erofs; do
		STORE=$WORK/store.$format img import --format $format --name x l
		find "$WORK/store.$format/layers" -name layer.json -exec jq -r .format {} + | sort -u | grep -qx $format
	done
	python3 - > layers.json << 'PY'
import json
l = json.load(open('l/index.json'))['manifests'][0]['digest'][7:]
m = json.load(open('l/blobs/sha256/' + l))
c = json.load(open('l/blobs/sha256/' + m['config']['digest'][7:]))
print(json.dumps({'layers': [{'diff_id': d} for d in c['rootfs']['diff_ids']]}))
PY
	for layer in "$WORK"/store.erofs/layers/*/layer.erofs; do
		fsck.erofs "$layer" > fsck.log 2>&1 || { cat fsck.log && return 1; }
	done
	export -f mounted img
	export WORK IMAGE
	cmp="$IMAGES_DIR/treecmp.py"
	# What umoci makes, and its root's time, which it leaves as it comes.
	unshare -m bash -ec "mounted dir && python3 '$cmp' m.dir u/rootfs --no-root-time $*"
	unshare -m bash -ec "mounted erofs && python3 '$cmp' m.erofs u/rootfs --no-root-time $*"
	# Layer by layer, with link counts.
	for layer in $(jq -r '.layers[].diff_id[7:]' layers.json); do
		mkdir -p one
		unshare -m bash -ec "mount -t erofs -o ro,loop store.erofs/layers/$layer/layer.erofs one && \
			python3 '$cmp' store.dir/layers/$layer/root one --links --no-root-time --no-times"
	done
}

@test "sizes around blocks, owners, nanoseconds" {
	mk << 'PY'
entries = [d('', mtime=5), d('dir', mtime=1700000000.25, uid=7, gid=8, mode=0o750)]
for n in (0, 1, 31, 2000, 4000, 4064, 4095, 4096, 4097, 8191, 8192, 300000, 1 << 20, (1 << 20) + 5):
    entries.append(f(f'dir/{n}', os.urandom(n), mtime=1600000000.5 + n / 1024, uid=n, gid=n + 1, mode=0o600 | n & 0o177))
oci('l', [(layer(entries), 'gzip')], name='x')
PY
	same
}

@test "hard links: across directories, to what is replaced later, to a link" {
	mk << 'PY'
oci('l', [(layer([d('a'), d('b'), f('a/one', 'x' * 5000), h('b/two', 'a/one'), h('three', 'b/two'), f('a/one', 'new'),
    f('alone', '1'), h('alone2', 'alone'), f('alone2', '2'), f('big', 'y' * 70000, mtime=7), h('big2', 'big'),
    h('same', 'big')]), 'gzip')], name='x')
PY
	same
}

@test "symlinks: to directories, absolute, dangling, into each other" {
	mk << 'PY'
oci('l', [(layer([d('usr'), d('usr/lib'), s('lib', 'usr/lib', mtime=9), f('lib/x', '1'), s('abs', '/usr/lib'), f('abs/y', '2'),
    s('up', '../../usr'), f('up/z', '3'), s('dangling', 'no/such'), s('long', 't' * 3000), s('usr/lib/back', '../..'),
    f('lib/back/w', '4'), s('file', 'lib/x')]), 'gzip')], name='x')
PY
	same
}

@test "a name that comes twice: the last one wins" {
	mk << 'PY'
oci('l', [layer([f('a', 'first'), f('a', 'second' * 1000), d('b'), f('b/in', '1'), f('b', 'file'), f('c', '1'), d('c', mtime=3), f('c/in', '2'),
    s('e', 'a'), f('e', 'file'), d('g', mode=0o700), f('g/in', ''), d('g', mode=0o711, mtime=11), f('i', ''), s('i', 'a'), p('k'), f('k', 'k')])], name='x')
PY
	same
}

@test "sparse files" {
	truncate -s 10M holes
	printf middle | dd of=holes bs=1 seek=5000000 conv=notrunc status=none
	truncate -s 3M empty-hole
	printf end | dd of=end bs=1 seek=1000001 conv=notrunc status=none
	# pax with the map in three forms, a layer each; GNU's own format, which umoci does not know.
	for form in 0.0 0.1 1.0 gnu; do
		mkdir $form
		cp --sparse=always holes empty-hole end $form/
		tar --sparse $([ $form = gnu ] && echo --format=gnu || echo --format=posix --sparse-version=$form) -cf $form.tar $form
	done
	mk <<< "oci('l', [(open(n + '.tar', 'rb').read(), 'gzip') for n in ('0.0', '0.1', '1.0')], name='x')"
	same
	STORE=$WORK/gnu-store
	both import --as rootfs gnu.tar
	for form in 0.0 0.1 1.0; do
		for file in holes empty-hole end; do cmp $file "$(echo "$WORK"/store.dir/layers/*/root/$form)/$file"; done
	done
	for file in holes empty-hole end; do cmp $file "$(only_layer)/gnu/$file"; done
	[ "$(du -k store.erofs/layers/*/layer.erofs | awk '{n += $1} END {print n}')" -lt 2000 ]
}

@test "setuid, setgid, sticky, file capabilities, attributes of the user" {
	mk << 'PY'
cap = b'\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0'.decode('latin1')
oci('l', [(layer([f('su', 'x', mode=0o4755), f('sg', 'x', mode=0o2711, gid=5), f('both', 'x', mode=0o6750, uid=3, gid=4), d('tmp', mode=0o1777),
    d('sgdir', mode=0o2775, gid=50), f('sgdir/in', 'x', gid=0), f('cap', 'x', xattrs={'security.capability': cap}),
    f('ux', 'x' * 4050, xattrs={'user.a': 'b', 'user.long': 'v' * 3000}), d('dx', xattrs={'user.dir': 'yes'}), f('none', 'x', mode=0)]), 'gzip')], name='x')
PY
	same
}

@test "ACLs: of files, directories, FIFOs; defaults that nobody may inherit; said twice, and taken away" {
	mk << 'PY'
rich = acl(('owner', 7), ('user', 4, 1000), ('user', 7, 2000), ('group_owner', 0), ('group', 5, 300), ('mask', 7), ('other', 1))
plain = acl(('owner', 6), ('group_owner', 4), ('other', 0))
def a(access=None, default=None, **more):
    return {'xattrs': {**({'system.posix_acl_access': access} if access else {}), **({'system.posix_acl_default': default} if default else {}), **more}}
oci('l', [(layer([d('', mode=0o755), d('late', mode=0o770, **a(rich, rich)), f('late/in', 'x', mode=0o640), d('late/sub', mode=0o700),
    f('late/sub/in', 'x' * 5000, mode=0o604), s('late/link', 'in'), p('late/pipe', mode=0o674, **a(rich)), f('file', 'x', mode=0o4771, uid=3, gid=4, **a(rich)),
    f('both', 'y' * 9000, mode=0o771, **a(rich, **{'user.note': 'n' * 3000})), f('plain', '', mode=0o640, **a(plain)), f('empty', '', mode=0o604, **a(acl())),
    d('twice', mode=0o770, **a(rich, rich)), f('twice/in', ''), d('twice', mode=0o750), d('only', mode=0o2755, gid=9, **a(None, rich)), f('only/in', '', mode=0o666)]), 'gzip')], name='x')
PY
	same
	getfacl -np "$WORK"/store.dir/layers/*/root/late | grep -qx 'default:user:2000:rwx'
}

@test "names: longest, deepest, no UTF-8, before and after the dots" {
	mk << 'PY'
names = ['!', '+', '-', '.a', '..a', '...', '0', 'z', '~', 'n' * 255, 'caf\u00e9', 'sp ace', 'new\nline', 'back\\slash', '\u65e5\u672c']
raw = tarfile.TarInfo('bytes-\udcff\udcfe')
raw.size = 1
deep = '/'.join(['d%d' % i for i in range(100)])
entries = [f(n, n) for n in names] + [d('d'), *(f('d/' + n, '') for n in names)] + [d('/'.join(['d%d' % i for i in range(k)])) for k in range(1, 101)] + [f(deep + '/x', '1')]
t = layer(entries)
g = layer([(raw, b'1')], tarfile.GNU_FORMAT)
oci('l', [(t, 'gzip'), (g, 'gzip')], name='x')
PY
	same
}

@test "a directory of three thousand names, and many small ones" {
	mk << 'PY'
entries = [d('many', mtime=1)] + [f('many/%s%d' % ('n' * (i % 60), i), str(i), mtime=i) for i in range(3000)]
entries += [e for i in range(150) for e in (d('s%d' % i, mtime=i), d('s%d/t' % i, mtime=2 * i), f('s%d/t/f' % i, 'x', mtime=3))]
oci('l', [(layer(entries), 'gzip')], name='x')
PY
	same
}

@test "FIFOs, large ids, times before 1970 and after 2038, directories that come after their content" {
	mk << 'PY'
oci('l', [layer([d('late', mtime=1), f('late/x', '1', mtime=4000000000.5), p('late/pipe', mode=0o620, uid=1, mtime=77), f('old', '', mtime=-5),
    f('ids', 'x', uid=4294967290, gid=3000000000), d('idd', uid=65536, gid=65535, mtime=2), d('late', mode=0o500, mtime=123456789.5)]),
    b''.join(pax(('mtime', m)) + raw('t%d' % i, 'x') for i, m in enumerate(('1234567890.123456789', '1.000000001', '4102444800.999999999'))) +
    pax(('mtime', '7.987654321')) + header('dir/', kind='5') + END], name='x')
PY
	same
	stat -c %.9Y "$WORK"/store.dir/layers/*/root/{t0,t1,t2,dir} 2> /dev/null | tr '\n' ' ' | grep -qx '1234567890.123456789 1.000000001 4102444800.999999999 7.987654321 '
}

@test "layers: whiteouts, opaque directories, files over directories and back" {
	mk << 'PY'
one = layer([d('a', mtime=1), f('a/keep', '1'), f('a/gone', '2'), d('o', mtime=2), f('o/under', '3'), d('w', mtime=3), f('w/x', '4'), d('to-file', mtime=4),
    f('to-file/x', ''), f('to-dir', 'f'), f('h', 'hard' * 2000), h('h2', 'h'), d('deep', mtime=5), d('deep/er', mtime=6), f('deep/er/x', '')])
two = layer([d('a', mtime=10), f('a/.wh.gone'), d('o', mtime=11), f('o/.wh..wh..opq'), f('o/over', '5'), f('.wh.w'), f('to-file', 'now'), d('to-dir', mtime=12),
    f('to-dir/in', '6'), f('.wh.h'), d('deep', mtime=13), f('deep/.wh.er')])
three = layer([d('w', mtime=20), f('w/new', '7'), d('o', mtime=21), f('o/third', '8'), f('h', 'back')])
oci('l', [(one, 'gzip'), (two, 'gzip'), three], name='x')
PY
	same
}

@test "parents that an upper layer does not describe are the lower layer's" {
	mk << 'PY'
rich = acl(('owner', 7), ('user', 4, 1000), ('group_owner', 0), ('mask', 5), ('other', 1))
one = layer([d('a', mode=0o700, uid=5, gid=6, mtime=11), d('a/b', mode=0o1777, mtime=12.5, xattrs={'user.k': 'v'}), d('a/b/c', mtime=13), f('a/b/c/low', '1'),
    d('o', mode=0o711, mtime=14), d('o/p', mode=0o750, mtime=15), f('o/p/low', ''), d('w', mode=0o700, mtime=16), f('w/x', ''), d('acl', mode=0o751, mtime=17, xattrs={'system.posix_acl_access': rich}),
    d('plain', mtime=18), d('again', mode=0o700, mtime=19), d('hidden', mode=0o700, mtime=20), d('hidden/in', mode=0o700, mtime=21), d('opq', mode=0o710, mtime=22), f('opq/low', '')])
two = layer([f('a/b/c/up', '2'), f('o/p/up', ''), f('acl/up', ''), f('plain/up', ''), f('again/up', ''), f('.wh.w'), f('.wh.hidden'), f('opq/.wh..wh..opq'), f('opq/up', '')])
three = layer([d('a/b/d', mtime=29), f('a/b/d/up', '3'), d('again', mode=0o711, mtime=30), f('a/.wh.none'), d('w', mtime=31), f('w/y', ''), d('hidden', mtime=32), d('hidden/in', mtime=33), f('hidden/in/y', '')])
four = layer([f('again/more', ''), f('a/b/c/.wh.low'), d('a/b/d', mtime=40)])
oci('l', [(one, 'gzip'), (two, 'gzip'), three, four], name='x')
PY
	same
	# One layer for the image, of few directories; the layers themselves do not know of it.
	for format in dir erofs; do
		STORE=$WORK/store.$format
		p=$(img inspect x | jq -r .parents)
		[ "$(cd "$p" && find . -type d | sort | tr '\n' ' ')" = '. ./a ./a/b ./a/b/c ./acl ./again ./o ./o/p ./opq ./plain ' ]
		[ -z "$(find "$p" ! -type d)" ]
		img verify
		img bundle x b.$format --seccomp "$IMAGES_DIR/../../config/seccomp.json"
		jq -r '.. | strings' b.$format/rootfs.json | grep -qxF "$p"
	done
	# Damaged, and lost: verify sees it, repairs it.
	chmod 777 "$p/a/b"
	fails_with 'the parents of an upper layer' img verify
	run img verify --repair
	[ "$(stat -c %a "$p/a/b")" = 1777 ]
	img verify
	mv "${p%/root}" lost
	fails_with 'the parents of an upper layer: they are missing' img verify
	run img verify --repair
	img verify
	[ "$(stat -c %a "$p/a/b")" = 1777 ]
	# It goes with the image, and not before.
	img gc
	[ -d "$p" ]
	[ "$(img du --format json | jq '.. | .unused? // empty')" = 0 ]
	img rm x
	img gc
	[ -z "$(ls "$STORE/layers")" ]
}

@test "parents: none is made where the layers agree, or nothing is below" {
	mk << 'PY'
oci('l', [layer([d('a', mtime=0, mode=0o755), f('top/x', '')]), layer([f('new/deep/x', ''), d('a', mode=0o700), f('a/x', '')])], name='x')
PY
	img import --name x l
	[ "$(img inspect x | jq -r .parents)" = null ]
	[ "$(ls "$STORE/layers" | wc -l)" = 2 ]
	img verify
}

@test "verify and inspect of an EROFS layer" {
	mk <<< "oci('l', [layer([f('a', 'x' * 5000), f('b', 'y' * 9000)])], name='x')"
	img import --format erofs --name x l
	run img verify
	ok
	img inspect x | grep layer.erofs
	l=$(echo "$STORE"/layers/*/layer.erofs)
	printf Z | dd of="$l" bs=1 seek=4100 conv=notrunc
	fails_with "has changed" img verify
	run img verify --repair
	run img verify
	ok
}

@test "which format: by name, by default, and on a kernel without EROFS" {
	mk <<< "oci('l', [layer([f('a', '1')])], name='x')"
	fails_with '--format tar: auto, dir or erofs is expected' img import --format tar l
	CARREL_TEST_NO_EROFS=1 fails_with '--format erofs: this kernel cannot mount EROFS' img import --format erofs l
	for format in auto dir; do
		rm -rf "$STORE"
		CARREL_TEST_NO_EROFS=1 img import --format $format l
		[ "$(jq -r .format "$STORE"/layers/*/layer.json)" = dir ]
		[ -e "$STORE"/layers/*/root/a ]
	done
	# A store that came from another machine: no silence about it.
	rm -rf "$STORE"
	img import --format erofs --name x l
	[ "$(jq -r .format "$STORE"/layers/*/layer.json)" = erofs ]
	CARREL_TEST_NO_EROFS=1 fails_with 'this kernel has no EROFS' img bundle x b --seccomp "$IMAGES_DIR/../../config/seccomp.json"
}
