# Archives that want the reader to go wrong: other formats, numbers that lie or wrap, streams with more behind them, programs that
# would unpack them. The control is the same archive without the lie, or another reader.
load ../integration/images

setup() {
	images_setup
	both_formats
}

# refused TEXT FILE...: each, in either format, with one of the texts that TEXT (an extended regular expression) is.
refused() {
	local text=$1 before file IMG_FORMAT
	shift
	img ls > /dev/null
	before=$(contents)
	for file; do
		for IMG_FORMAT in $IMG_FORMATS; do
			run img import --as rootfs "$file"
			[ "$status" = 1 ] && [[ $output =~ $text ]] || { echo "$file ($IMG_FORMAT): $status, $output" && return 1; }
		done
	done
	[ "$(contents)" = "$before" ]
}

@test "formats that the library could read, and nobody lets it" {
	need bsdtar
	mkdir in
	echo x > in/file
	for format in zip 7zip ar cpio newc iso9660 mtree xar warc shar; do bsdtar -C in -cf a.$format --format=$format file; done
	for how in xz bzip2 lz4 lzma compress lzop uuencode; do bsdtar -C in -cf a.tar.$how --$how file 2> /dev/null || rm -f a.tar.$how; done
	[ -e a.tar.xz ] && [ -e a.tar.bzip2 ]
	mv a.iso9660 iso
	refused 'Unrecognized archive format|none of gzip and zstd' a.*
	# A disk image begins with 32 KiB of zeros, which to a reader of tars are the end.
	both import --as rootfs iso
	[ -z "$(ls -A "$(only_layer)")" ]
	# The control: it does read them.
	for file in iso a.zip a.7zip a.cpio a.xar a.tar.xz a.tar.bzip2; do bsdtar -tf $file | grep -q file; done
}

@test "numbers: sizes, lengths and sparse maps that are negative, wrap, or are more than there is" {
	mk << 'PY'
big = 2 ** 63 - 1
bad = {}
for i, n in enumerate(('-1', str(big), str(big + 1), str(2 ** 64), '0x10', '')):
    bad['size%d' % i] = pax(('size', n)) + raw('file', 'hello')
for i, field in enumerate((b'\xff' * 12, b'\x80' + b'\xff' * 11, b'\x80\0\0\0\x40' + bytes(7))):
    bad['binary%d' % i] = header('file', field=field) + block('hello')
bad['long-name'] = header('././@LongLink', 1 << 30, 'L', b'ustar  \0') + block('n')
bad['long-name-negative'] = header('././@LongLink', kind='L', magic=b'ustar  \0', field=b'\xff' * 12) + raw('file', 'hello')
bad['pax-endless'] = header('x', 1 << 30, 'x') + block('n')
for i, text in enumerate(('99999 path=x\n', '0 path=x\n', '9' * 25 + ' path=x\n', '9 path=xyz', '-9 path=x\n')):
    bad['pax%d' % i] = pax(text=text) + raw('file', 'hello')
for i, (size, at) in enumerate(((100, 98), (100, big - 5), (100, '9' * 25), (100, -5), (-1, 4), (big, 4))):
    bad['sparse%d' % i] = sparse('file', size, [(at, 5)], b'hello')
bad['sparse-count'] = pax(('GNU.sparse.major', 1), ('GNU.sparse.minor', 0), ('GNU.sparse.name', 'f'), ('GNU.sparse.realsize', 100)) + \
    raw('f', block('99999999999\n0\n5\n') + b'hello')
bad['sparse-0.1'] = pax(('GNU.sparse.size', 100), ('GNU.sparse.numblocks', 1), ('GNU.sparse.map', '%d,5' % big), ('GNU.sparse.name', 'f')) + raw('x', 'hello')
bad['sparse-old'] = old_sparse('file', 100, [(98, 5)], b'hello')
bad['checksum'] = raw('good', '1') + b'q' + raw('file', 'hello')[1:]
bad['cut-data'] = header('file', 50000) + block('hello')
bad['cut-header'] = raw('good', '1') + header('file')[:200]
for name, t in bad.items():
    write('bad/' + name, t if name.startswith('cut') else t + END)
# The control: all of that with numbers that are true.
write('good', pax(('size', 5)) + raw('pax', 'hello') + header('binary', field=b'\x80' + bytes(10) + b'\5') + block('hello') +
      raw('././@LongLink', 'n' * 150 + '\0', kind='L', magic=b'ustar  \0') + raw('n', 'hello') + pax(text='10 path=p\n') + raw('file', 'hello') +
      sparse('sparse', 100, [(4, 5)], b'hello') + old_sparse('old', 100, [(4, 5)], b'hello') + END)
PY
	refused 'ar[:,]|entry ' bad/*
	both import --as rootfs good
	[ "$(ls "$(only_layer)" | tr '\n' ' ')" = "binary $(printf 'n%.0s' $(seq 150)) old p pax sparse " ]
}

@test "stretches of a sparse file that overlap, or come in another order, write nowhere else and the same in both formats" {
	mk << 'PY'
write('a.tar', sparse('over', 9000, [(0, 600), (300, 600)], b'a' * 600 + b'b' * 600) + sparse('back', 9000, [(8995, 5), (0, 5)], b'helloworld') +
      old_sparse('old', 5000, [(0, 3), (1, 2)], b'helyy') + sparse('one', 100, [(4, 5)], b'hello') + raw('after', 'untouched') + END)
PY
	both import --as rootfs a.tar
	root=$(only_layer)
	[ "$(stat -c %s "$root"/{after,back,old,one,over} | tr '\n' ' ')" = '9 9000 5000 100 9000 ' ]
	[ "$(cat "$root/after")" = untouched ]
	[ "$(tr -d '\0' < "$root/one")" = hello ] && [ "$(tr -d '\0' < "$root/back")" = worldhello ]
}

@test "what follows an archive's end is part of its digest and of nothing else" {
	mk << 'PY'
good, hidden = raw('file', 'hello'), raw('hidden', 'x')
for name, t in {'twice': good + END + hidden + END, 'junk': good + END + b'x' * 700, 'lone': good + bytes(512) + hidden + END, 'zeros': good + END + bytes(20480)}.items():
    oci(name, [t], name=name)
PY
	for name in twice junk lone zeros; do
		both import $name
		[ "$(ls "$STORE.erofs/layers")" = "$(img inspect $name | jq -r '.layers[0].diff_id[7:]')" ]
	done
	[ "$(find "$STORE/layers" -name file | wc -l)" = 4 ] && [ -z "$(find "$STORE/layers" -name hidden)" ]
	tar -tf <(head -c 1024 twice/blobs/sha256/"$(img inspect twice | jq -r '.layers[0].diff_id[7:]')"; dd if=twice/blobs/sha256/"$(img inspect twice | jq -r '.layers[0].diff_id[7:]')" bs=512 skip=4 status=none) | grep -q hidden # the control: it is an archive
}

@test "gzip of several members, zstd of several frames with others between them (zstd:chunked): one stream" {
	mk << 'PY'
t = layer([f('a', os.urandom(3000)), f('b', 'x' * 5000)])
cuts = (0, 512, 1000, 1001, len(t))
parts = [t[i:j] for i, j in zip(cuts, cuts[1:])]
frames = [pack(x, 'zstd') for x in parts]
for name, how, blob in (('members', 'gzip', b''.join(gzip_member(x) for x in parts) + gzip_member(b'')),
                        ('dressed', 'gzip', gzip_member(t, b'extra', b'name', b'comment', True)),
                        ('frames', 'zstd', b''.join(frames)),
                        ('first', 'zstd', skippable(b'table') + b''.join(frames)),
                        ('chunked', 'zstd', skippable(b'') .join(frames) + skippable(b'{"version":1}') + skippable(bytes(64)))):
    def lie(step, parts):
        if step == 'config':
            parts['blobs'] = [blob]
        if step == 'manifest' and name == 'chunked':
            parts['manifest']['layers'][0]['annotations'] = {'io.github.containers.zstd-chunked.manifest-checksum': sha(b'{"version":1}'),
                                                             'io.github.containers.zstd-chunked.manifest-position': '1:2:3:1'}
    oci(name, [(t, how)], name=name, lie=lie)
PY
	for name in members dressed frames first chunked; do
		for CARREL_TEST_NO_ISAL in '' 1; do
			[ "$CARREL_TEST_NO_ISAL" = 1 ] && export CARREL_TEST_NO_ISAL || unset CARREL_TEST_NO_ISAL
			rm -rf "$STORE"
			IMG_FORMAT=erofs run img import $name
			ok
		done
	done
	unset CARREL_TEST_NO_ISAL
	# That they unpacked to what their diff-id says has been looked at; here once more by eye.
	rm -rf "$STORE"
	both import chunked
	[ "$(stat -c %s "$(only_layer)/b")" = 5000 ]
}

@test "a compressed stream that is damaged, cut, or followed by something else" {
	mk << 'PY'
t = layer([f('a', os.urandom(3000))])
g, z = gzip_member(t), pack(t, 'zstd')
for name, data in {'gz-crc': g[:-8] + b'\1\2\3\4' + g[-4:], 'gz-length': g[:-4] + b'\1\2\3\4', 'gz-cut': g[:-3], 'gz-second-cut': g + g[:9], 'zst-cut': z[:-3],
                   'zst-skip-cut': z + skippable(b'table')[:-3], 'zst-window': bytes.fromhex('28b52ffd00a80100')}.items():
    write('bad/' + name, data)
for name, data in {'gz-zeros': g + bytes(512), 'gz-junk': g + b'junk' * 4, 'zst-zeros': z + bytes(512), 'zst-junk': z + b'junk' * 4}.items():
    write('more/' + name, data)
write('good.gz', g)
write('good.zst', z)
PY
	for CARREL_TEST_NO_ISAL in 1 ''; do
		[ "$CARREL_TEST_NO_ISAL" = 1 ] && export CARREL_TEST_NO_ISAL || unset CARREL_TEST_NO_ISAL
		refused '(gzip|zstd): ' bad/*
		refused '(gzip|zstd): other bytes follow the end of the stream' more/*
	done
	both import --as rootfs good.gz
	both import --as rootfs good.zst
}

@test "gzip headers that come in pieces" {
	mk << 'PY'
import random
t = layer([f('a', random.Random(1).randbytes(400000))])
one = gzip_member(t[:220000])
for k in (1, 3, 4, 9, 30):
    # The reader's pieces are of 256 KiB: the second member begins k bytes before the end of one.
    blob = gzip_member(t[:220000], bytes((256 << 10) - k - 2 - len(one))) + gzip_member(t[220000:], b'extra', b'n' * 30, b'comment', True)
    assert gzip.decompress(blob) == t
    oci('l%d' % k, [(t, 'gzip')], lie=lambda step, parts: parts.update(blobs=[blob]) if step == 'config' else None)
PY
	for k in 1 3 4 9 30; do
		for no_isal in 0 1; do
			rm -rf "$STORE"
			[ $no_isal = 1 ] && export CARREL_TEST_NO_ISAL=1 || unset CARREL_TEST_NO_ISAL
			IMG_FORMAT=erofs run img import l$k
			ok
		done
	done
}

@test "programs that unpack are not looked for, neither in PATH nor in the image (CVE-2026-41567)" {
	mkdir evil
	for name in gzip gunzip zcat unpigz pigz zstd unzstd zstdcat xz igzip tar bsdtar carrel-inflate; do
		printf '#!/bin/sh\necho %s >> "%s/ran"\nexec /bin/false\n' $name "$WORK" > evil/$name
		chmod 755 evil/$name
	done
	mk << 'PY'
evil = [f('bin/' + n, open('evil/' + n).read(), mode=0o755) for n in sorted(os.listdir('evil'))]
t = layer([d('bin'), f('file', 'x'), *evil])
for how in ('gzip', 'zstd'):
    oci(how, [(t, how), (layer([f('second', how)]), how)], name=how)
    write('a.' + how, pack(t, how))
PY
	for how in gzip zstd; do
		PATH=$WORK/evil:$PATH both import $how
		PATH=$WORK/evil:$PATH both import --as rootfs a.$how
	done
	[ ! -e ran ]
	# The control: a reader that does look for them.
	PATH=$WORK/evil:$PATH run /bin/tar -xzf a.gzip -C control
	[ -e ran ]
}
