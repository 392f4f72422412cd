#!/usr/bin/env bats
# carrel-image is killed at its system calls and at any moment, and its system calls fail: tests/crash/store_crash.py. Here a few random rounds;
# `make check-store-crash` has 200 of each. And a disk that is really full.

load registry

setup() {
	registry_setup
	mk << 'PY'
base = layer([d('etc'), f('etc/passwd', 'root:x:0:0::/root:/bin/sh\n'), d('gone'), f('gone/x', '1')])
oci('base', [(base, 'gzip')])
oci('new', [(base, 'gzip'), (layer([f(f'd{i % 5}/f{i}', 'x' * 100) for i in range(60)]), 'zstd')], name='1')
PY
	rounds=${STORE_CRASH_ROUNDS:-11}
	export CARREL_BIN
}

teardown() {
	registry_teardown
	umount "$WORK/small" 2> /dev/null || true
}

crash() {
	local upper=$BATS_TEST_TMPDIR/upper
	mkdir -p "$upper/sub"
	echo x > "$upper/sub/file"
	mknod "$upper/gone" c 0 0
	run timeout $((600 + rounds * 30)) python3 "$BATS_TEST_DIRNAME/../crash/store_crash.py" "$@"
	ok
}

@test "killed at random calls of each operation: a valid store and nothing left" {
	crash kill "$WORK" "$rounds"
}

@test "the command, or one of its children, killed at random moments of pull, import, push, export, commit and gc: likewise" {
	rm -r new
	mk << 'PY'
oci('new', [layer([d('etc'), f('etc/passwd', 'root:x:0:0::/root:/bin/sh\n')]),
            (layer([f(f'd{i % 50}/f{i}', os.urandom(1500)) for i in range(3000)]), 'gzip'), (layer([f('big', os.urandom(8000000))]), 'zstd')], name='1')
PY
	crash moment "$WORK" "$rounds"
}

@test "calls that fail: it worked, or there is an error and the store is as before" {
	[ -z "${CARREL_SAN:-}" ] || skip "the sanitizer's own calls would fail too, and it reports that"
	crash fail "$WORK" "$rounds"
}

@test "a directory that cannot be read to its end is no shorter one: import keeps all, gc takes nothing that is needed" {
	[ -z "${CARREL_SAN:-}" ] || skip "the sanitizer's own calls would fail too, and it reports that"
	crash listings "$WORK"
}

@test "the control: damage and residue are seen" {
	crash planted "$WORK"
}

@test "a full disk: a clear error, and the store is as before" {
	mkdir small
	truncate -s 12M disk
	mkfs.ext4 -q -m 0 disk
	mount -o loop disk small
	export STORE=$WORK/small/store
	img import --name base base
	img gc > /dev/null
	mk << 'PY'
import random
big = random.Random(1).randbytes(6000000)
oci('big', [layer([f('big', big)])], name='1')
oci('many', [(layer([f(f'd{i % 100}/f{i}', '') for i in range(20000)]), 'gzip')], name='1')
PY
	IMG_FORMATS='dir erofs'
	unchanged 'No space left on device' img import --name big big
	IMG_FORMATS=dir unchanged 'No space left on device' img import --name many many
	# The same layers from a registry: they are unpacked while they come.
	for what in big many; do
		fake $what
		plain "$FAKE"
		IMG_FORMATS=dir unchanged 'No space left on device' pull --retries 0 --name x "$FAKE/x:1"
	done
	fake big
	plain "$FAKE"
	unchanged 'No space left on device' pull --retries 0 --name x "$FAKE/x:1"
	mkdir upper
	cp big/blobs/sha256/* upper/
	head -c 9000000 /dev/urandom > upper/more
	unchanged 'No space left on device' img commit --upper upper --base base x
	[[ $(img verify) == *': 0 broken'* ]]
	# Not even the index: no room for one more byte. What was deleted above is free only once the file system has committed it.
	local round
	for round in 1 2 3 4; do
		sync -f small
		dd if=/dev/zero bs=4k >> small/rest 2> /dev/null || true
		dd if=/dev/zero bs=1 >> small/rest 2> /dev/null || true
	done
	unchanged 'No space left on device' img tag base again
	rm small/rest
	img tag base again
	[ "$(img ls --format json | jq -c 'map(.name)')" = '["base","again"]' ]
}
