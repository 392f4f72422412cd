# carrel-image commit: an overlay's upper directory as a layer, and the image it makes.
load images

setup() {
	images_setup
	mkdir rw && mount -t tmpfs -o size=64m none rw
	mkdir rw/upper rw/work rw/m
	mk << 'PY'
base = layer([d('./', mode=0o711), d('etc'), f('etc/passwd', 'root:x:0:0::/root:/bin/sh\n', mtime=7), f('etc/old', '1'), d('dir'), f('dir/a', '1'), f('dir/b', '2'),
              d('gone'), f('gone/x', '1'), f('two', 'x' * 50), h('two.link', 'two'), s('link', 'etc/passwd'), d('replaced'), f('replaced/f', 'x')])
oci('base', [(base, 'gzip')], name='base')
PY
	img import base > /dev/null
	lower=$(only_layer)
}

teardown() {
	umount -R rw/m 2> /dev/null || true
	umount rw || true
}

merge() {
	mount -t overlay -o "lowerdir=$lower,upperdir=rw/upper,workdir=rw/work,redirect_dir=off,metacopy=off" none rw/m
}

# tree DIR: all that can be seen of it, but times of directories.
tree() {
	(cd "$1" && find . -printf '%P %y %m %U %G %n %l %s %T@\n' | sed -E 's/^([^ ]* d [0-9]+ [0-9]+ [0-9]+) .*/\1/' | sort
		find . -type f -print0 | sort -z | xargs -0 sha256sum
		find . -print0 | sort -z | python3 -c "import os, sys
for p in sys.stdin.buffer.read().split(b'\0')[:-1]:
    for a in sorted(os.listxattr(p, follow_symlinks=False)):
        print(p, a, os.getxattr(p, a, follow_symlinks=False))")
}

# same IMAGE: its layers, mounted, show what rw/m shows.
same() {
	local dirs
	dirs=$(img inspect "$1" | jq -r '[.layers[].root] | reverse | join(":")')
	mkdir -p rw/n
	tree rw/m > want
	run unshare -m bash -c "mount -t overlay -o 'lowerdir=$dirs' none rw/n && $(declare -f tree) && tree rw/n"
	ok
	diff want <(echo "$output")
}

@test "the image is what the overlay shows: changes, removals, replacements, links, attributes, holes, odd names" {
	merge
	cd rw/m
	echo changed > etc/passwd
	rm etc/old && rm -r gone && rm -r replaced && mkdir replaced && echo new > replaced/g && rm dir/a && rm -r dir && echo file > dir
	chmod 4755 two && chown 3:4 two
	ln etc/passwd etc/second && mkdir -p deep/er && ln etc/passwd deep/er/third && ln -s ../nowhere deep/dangling && mkfifo fifo
	truncate -s 20M hole && printf x | dd of=hole bs=1 seek=10000000 conv=notrunc status=none
	truncate -s 8M empty-hole
	head -c 300000 /dev/urandom > random && touch -d '2001-02-03 04:05:06.123456789' random && mkdir -m 1777 tmp && chown 7:8 tmp
	printf x > $'new\nline' && printf x > $'\xff\xfe' && printf x > "$(printf 'n%.0s' $(seq 255))" && printf x > ' -rf' && printf x > .w && printf x > wh.x
	python3 -c "import os; os.setxattr('random', 'user.note', b'a\0b'); os.setxattr('tmp', 'user.d', b'1')"
	cp /bin/true cap && setcap cap_net_raw=ep cap 2> /dev/null || true
	chmod 700 .
	cd ../..
	mkdir rw/m/deep/sub && rmdir rw/m/deep/sub
	run img commit --upper rw/upper --base base --message 'by hand' new
	ok
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	same new
	jq -e '(.layers | length) == 2 and .layers[0].digest == $base.layers[0].digest and .config.cmd == $base.config.cmd' \
		--argjson base "$(img inspect base)" <<< "$(img inspect new)"
	[ "$(img history new --format json | jq -c '[length, .[0].created_by, .[0].comment]')" = '[2,"carrel-image commit","by hand"]' ]
	# What others read in it: umoci the same tree, tar the whiteouts.
	blob=$(img inspect new | jq -r '.layers[1].blob')
	tar -tzf "$blob" --quoting-style=escape > names
	for name in .wh.gone etc/.wh.old replaced/.wh..wh..opq; do grep -qx "$name" names; done
	[ "$(stat -c %s "$blob")" -lt 1000000 ]
	[ "$(img verify | tail -1 | grep -c ': 0 broken')" = 1 ]
	# On top of that once more, of another compression.
	umount rw/m && rm -rf rw/upper rw/work && mkdir rw/upper rw/work
	lower=$(img inspect new | jq -r '[.layers[].root] | reverse | join(":")')
	merge
	rm rw/m/hole && echo again > rw/m/etc/old
	run img commit --upper rw/upper --base new --compression zstd newer
	ok
	same newer
	[ "$(img inspect newer | jq -r '.layers[2].mediaType')" = application/vnd.oci.image.layer.v1.tar+zstd ]
}

@test "the same directory gives the same image" {
	need touch
	merge
	for i in $(seq 50); do echo "$i" > "rw/m/f$i"; done
	rm -r rw/m/gone
	export SOURCE_DATE_EPOCH=1700000000
	one=$(img commit --upper rw/upper --base base one)
	sleep 1.1
	cp -a rw/upper rw/copy # another order on the disk
	[ "$(img commit --upper rw/copy --base base two)" = "$one" ]
	[ "$(img inspect one | jq -r .created)" = 2023-11-14T22:13:20Z ]
	SOURCE_DATE_EPOCH=soon fails_with SOURCE_DATE_EPOCH img commit --upper rw/copy --base base three
}

@test "sockets and devices are left out and counted, hostile upper directories refused" {
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('rw/upper/sock')"
	mknod rw/upper/null c 1 3
	python3 -c "import os; os.setxattr('rw/upper/null', 'trusted.x', b'1'); open('rw/upper/f', 'w'); os.setxattr('rw/upper/f', 'trusted.x', b'1')"
	ln -s /etc/shadow rw/upper/link && ln -s / rw/upper/root
	run img commit --upper rw/upper --base base x
	ok
	says '1 sockets left out' && says '1 device nodes left out' && says 'extended attributes left out'
	top=$(img inspect x | jq -r '.layers[1].root')
	[ "$(readlink "$top/root")" = / ] && [ ! -e "$top/null" ] && [ ! -e "$top/sock" ]
	: > rw/upper/.wh.etc
	unchanged '.wh.etc: a layer cannot hold a name' img commit --upper rw/upper --base base y
	rm rw/upper/.wh.etc && mkdir rw/upper/moved
	python3 -c "import os; os.setxattr('rw/upper/moved', 'trusted.overlay.redirect', b'/etc')"
	unchanged 'moved: a renamed directory' img commit --upper rw/upper --base base y
	rmdir rw/upper/moved
	python3 -c "import os; os.setxattr('rw/upper/f', 'trusted.overlay.metacopy', b'')"
	unchanged 'f: its content lies in a lower layer' img commit --upper rw/upper --base base y
	rm rw/upper/f && mkdir rw/upper/mnt && mount -t tmpfs none rw/upper/mnt
	unchanged 'mnt: a mount point' img commit --upper rw/upper --base base y
	umount rw/upper/mnt
	ln -s upper rw/alias
	unchanged '--upper rw/alias' img commit --upper rw/alias --base base y
	unchanged 'not in the store' img commit --upper rw/upper --base nosuch y
	unchanged '--base: missing' img commit --upper rw/upper y
	for c in gzip zstd none; do
		img commit --upper rw/upper --base base --compression $c "c-$c" > /dev/null 2>&1
		jq -r '.layers[1].mediaType' <<< "$(img inspect "c-$c")"
	done > types
	printf 'application/vnd.oci.image.layer.v1.tar%s\n' +gzip +zstd '' | diff - types
	unchanged 'none of gzip, zstd, none' img commit --upper rw/upper --base base --compression xz y
}

@test "whiteouts and opaque marks in the form of attributes; ids of a container" {
	mkdir rw/upper/etc rw/upper/dir && : > rw/upper/etc/old && : > rw/upper/etc/kept
	chown -R 524288:524289 rw/upper
	python3 - << 'PY'
import os
os.setxattr('rw/upper/etc', 'user.overlay.opaque', b'x')
os.setxattr('rw/upper/etc/old', 'user.overlay.whiteout', b'')
os.setxattr('rw/upper/dir', 'user.overlay.opaque', b'y')
PY
	unchanged 'its owner or group 524288 is none' img commit --upper rw/upper --base base --uid-base 1000 --uid-count 10 x
	run img commit --userxattr --upper rw/upper --base base --uid-base 524288 --uid-count 65536 x
	ok
	top=$(img inspect x | jq -r '.layers[1].root')
	[ "$(stat -c '%F %t:%T' "$top/etc/old")" = 'character special file 0:0' ]
	[ "$(stat -c '%u %g' "$top/etc/kept")" = '0 1' ]
	python3 -c "import os, sys; t = sys.argv[1]; assert os.getxattr(t + '/dir', 'trusted.overlay.opaque') == b'y'; assert os.listxattr(t + '/etc') == [], os.listxattr(t + '/etc')" "$top"
	# Without the option these attributes are what the container likes them to be.
	run img commit --upper rw/upper --base base --uid-base 524288 --uid-count 65536 y
	ok
	says '3 extended attributes left out'
	[ -f "$(img inspect y | jq -r '.layers[1].root')/etc/old" ]
}

@test "ACLs go with what they are of, and with the container's ids" {
	python3 - << 'PY'
import os, struct
def acl(*entries): return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *en) for en in entries)
NO = 0xffffffff
os.chdir('rw/upper')
os.mkdir('d')
open('f', 'w').close()
for uid, name, kinds in ((101005, 'd', ('access', 'default')), (101005, 'f', ('access',))):
    for kind in kinds:
        os.setxattr(name, 'system.posix_acl_' + kind, acl((1, 7, NO), (2, 6, uid), (4, 5, NO), (16, 7, NO), (32, 0, NO)))
for name in '.', 'd', 'f':
    os.chown(name, 100000, 100000)
PY
	run img commit --upper rw/upper --base base --uid-base 100000 --uid-count 65536 new
	ok
	run python3 - "$(img inspect new | jq -r '.layers[1].root')" << 'PY'
import os, struct, sys
os.chdir(sys.argv[1])
for name, kind in ('d', 'access'), ('d', 'default'), ('f', 'access'):
    value = os.getxattr(name, 'system.posix_acl_' + kind)
    assert struct.unpack('<HHI', value[12:20]) == (2, 6, 1005), (name, kind, value)
PY
	ok
	[ "$(img verify | tail -1 | grep -c ': 0 broken')" = 1 ]
	fails_with 'its ACL is for 101005, which is none' img commit --upper rw/upper --base base --uid-base 100000 --uid-count 1000 other
}
