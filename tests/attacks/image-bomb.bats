# Archives that are small and want to become large. The control is the same archive with that one limit raised.
load ../integration/images

setup() {
	images_setup
	both_formats
}

peak() { # MAX_KIB COMMAND...: runs it, and no process of it may have had more
	/usr/bin/env python3 - "$@" << 'PY'
import resource, subprocess, sys
r = subprocess.run(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print('peak', peak, 'KiB')
sys.exit(r.returncode if peak < int(sys.argv[1]) else 99)
PY
}

@test "ratio: 80 MiB of zeros in 80 KiB" {
	mk << 'PY'
t = layer([f('zeros', bytes(80 << 20))])
write('z.tar.gz', pack(t, 'gzip'))
write('z.tar.zst', pack(t, 'zstd'))
PY
	[ "$(stat -c %s z.tar.gz)" -lt 500000 ]
	unchanged 'as bombs do' img import --as rootfs z.tar.gz
	unchanged 'as bombs do' img import --as rootfs z.tar.zst
	run img import --as rootfs --max-ratio 100000 z.tar.zst
	ok
	[ "$(stat -c %s "$(only_layer)/zeros")" = 83886080 ]
}

@test "ratio: an archive of images is a bomb too" {
	mk << 'PY'
t = layer([f('blobs/sha256/' + 'a' * 64, bytes(80 << 20))])
write('z.tar.gz', pack(t, 'gzip'))
PY
	unchanged 'as bombs do' img import z.tar.gz
	fails_with 'neither an OCI layout' img import --max-ratio 100000 z.tar.gz
}

@test "bytes: more than the layer may have" {
	mk << 'PY'
import random
write('b.tar', layer([f(f'f{i}', random.randbytes(1 << 20)) for i in range(12)]))
PY
	unchanged 'bytes that are allowed' img import --max-bytes 8Mi --as rootfs b.tar
	run img import --max-bytes 16Mi --as rootfs b.tar
	ok
}

@test "bytes: a blob that is larger than a blob may be" {
	head -c 3000000 /dev/zero > b.tar
	unchanged 'more than the 1048576 bytes' img import --max-blob-bytes 1Mi --as rootfs b.tar
	mk <<< "oci('l', [layer([f('x', 'y' * 3000000)])])"
	unchanged 'more than the 1048576 bytes' img import --max-blob-bytes 1Mi l
	run img import --max-blob-bytes 4Mi l
	ok
}

@test "holes: a sparse file of a tebibyte in a kilobyte" {
	truncate -s 1T sparse
	tar --sparse -cf s.tar sparse
	[ "$(stat -c %s s.tar)" -lt 20000 ]
	unchanged 'bytes that are allowed' img import --as rootfs s.tar
	truncate -s 1G sparse
	tar --sparse -cf s.tar sparse
	IMG_FORMAT=erofs STORE=$STORE.erofs run img import --as rootfs s.tar
	ok
	[ "$(du -k "$STORE.erofs"/layers/*/layer.erofs | cut -f 1)" -lt 100 ]
	run img import --as rootfs s.tar
	ok
	[ "$(stat -c '%s' "$(only_layer)/sparse")" = 1073741824 ]
	[ "$(stat -c '%b' "$(only_layer)/sparse")" -lt 100 ]
}

@test "entries: many, and the same name again and again" {
	mk << 'PY'
write('many.tar', layer([f(f'{i}', '') for i in range(500)]))
write('same.tar', layer([f('x', str(i)) for i in range(500)]))
PY
	unchanged 'entries that are allowed' img import --max-entries 499 --as rootfs many.tar
	unchanged 'entries that are allowed' img import --max-entries 499 --as rootfs same.tar
	both import --max-entries 500 --as rootfs many.tar
	run img rm "$(img ls --format json | jq -r '.[0].digest')"
	img gc
	both import --max-entries 500 --as rootfs same.tar
	[ "$(cat "$(only_layer)/x")" = 499 ]
}

@test "depth and length of names" {
	mk << 'PY'
write('deep.tar', layer([f('d/' * 128 + 'x', '')]))
write('ok.tar', layer([f('d/' * 127 + 'x', '')]))
write('long.tar', layer([f('n' * 256, '')]))
write('path.tar', layer([f('/'.join(['n' * 200] * 25), '')]))
write('link.tar', layer([s('l', 't' * 5000)]))
PY
	unchanged 'deeper than 128' img import --as rootfs deep.tar
	unchanged 'is longer than 255' img import --as rootfs long.tar
	unchanged 'longer than 4095' img import --as rootfs path.tar
	unchanged 'link target of 5000 bytes' img import --as rootfs link.tar
	both import --as rootfs ok.tar
	rm -rf "$STORE"
	both import --as rootfs --max-depth 129 deep.tar
}

# The unpacking child is stopped: its parent has to end it.
too_slow() { # FORMAT PATH-OF-WHAT-SHOWS-THAT-IT-WORKS
	local pid job child code=0
	stopped() {
		job=$(cat "/proc/$pid/task/$pid/children") && child=$(cat "/proc/${job% }/task/${job% }/children") && kill -STOP ${child:?}
	}
	caught '[ -s "$STORE"/tmp/*/layers/partial.1/'"$2 ]" stopped "$IMAGE" --store "$STORE" import --format "$1" --max-time 1s --as rootfs slow.tar
	wait $pid || code=$?
	[ "$code" = 1 ]
	grep -q 'it takes longer than the 1 seconds' out
	wait_for "gone ${child% }"
	[ -z "$(ls -A "$STORE/tmp")" ] && [ -z "$(ls -A "$STORE/layers")" ]
}

@test "time: an import that takes longer than it may" {
	mk << 'PY'
write('slow.tar', layer([f(f'd{i % 100}/{i}', 'x' * 3000) for i in range(8000)], tarfile.USTAR_FORMAT))
PY
	img ls > /dev/null
	too_slow dir root/d1
	too_slow erofs layer.erofs
	# The control: left alone, it is done in time.
	for IMG_FORMAT in erofs dir; do
		STORE=$STORE.$IMG_FORMAT run img import --max-time 60s --as rootfs slow.tar
		ok
	done
}

@test "memory stays below 64 MiB, whatever the archive" {
	[ -z "${CARREL_SAN:-}" ] || skip "sanitizers need more"
	mk << 'PY'
import random
write('big.tar.zst', pack(layer([f('big', random.randbytes(1 << 20) * 90)] + [d(f'd{i}') for i in range(3000)]), 'zstd'))
PY
	for format in dir erofs; do
		run peak 65536 "$IMAGE" --store "$STORE.$format" import --format $format --as rootfs big.tar.zst
		ok
	done
}

@test "JSON that is deep, wide or endless" {
	mk << 'PY'
t = layer([f('a', '1')])
def deep(step, parts):
    if step == 'index':
        parts['index'] = b'[' * 100000
def wide(step, parts):
    if step == 'index':
        parts['index'] = b'{"schemaVersion":2,"manifests":[' + b'0,' * 400000 + b'0]}'
def long(step, parts):
    if step == 'index':
        parts['index'] = b'{"schemaVersion":2,"x":"' + b'y' * (20 << 20) + b'","manifests":[]}'
for name, lie in (('deep', deep), ('wide', wide), ('long', long)):
    oci(name, [t], lie=lie)
oci('good', [t])
PY
	IMG_FORMATS=dir # no layer is looked at
	for l in deep wide long; do unchanged "$l" img import $l; done
	run img import good
	ok
}
