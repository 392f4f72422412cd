# Device nodes and extended attributes with a meaning to the host.
load ../integration/images

setup() {
	images_setup
	both_formats
}

@test "device nodes are refused" {
	for node in "c('dev/null', 1, 3)" "b('disk', 8, 0)" "c('wh', 0, 0)"; do
		mk <<< "t = layer([$node]); write('a.tar', t); os.makedirs('control/dev', exist_ok=True); naive(t, 'control')"
		unchanged 'a device node' img import --as rootfs a.tar
	done
	[ -c control/dev/null ] && [ -b control/disk ] && [ -c control/wh ] # the control
	# Asked for by name, they are left out.
	mk <<< "write('a.tar', layer([c('null', 1, 3), f('file', '')]))"
	both import --as rootfs --skip-devices a.tar
	[ "$(ls "$(only_layer)")" = file ]
	jq -e '.skipped_devices == 1' "$(only_layer)/../layer.json"
}

@test "attributes that overlayfs reads are refused" {
	for name in trusted.overlay.opaque trusted.overlay.redirect trusted.overlay.metacopy trusted.overlay.whiteout user.overlay.opaque user.overlay.redirect; do
		mk <<< "write('a.tar', layer([d('dir', xattrs={'$name': 'y'})]))"
		unchanged "$name has a meaning to overlayfs" img import --as rootfs a.tar
		mk <<< "write('a.tar', layer([s('link', 'x', xattrs={'$name': 'y'})]))"
		unchanged "$name has a meaning to overlayfs" img import --as rootfs a.tar
	done
	# The control: root's tar does set it.
	mk <<< "write('a.tar', layer([d('dir', xattrs={'trusted.overlay.redirect': '/etc'})]))"
	mkdir control
	tar --xattrs --xattrs-include='*' -C control -xf a.tar
	python3 -c "import os; assert os.getxattr('control/dir', 'trusted.overlay.redirect') == b'/etc'"
}

@test "attributes of the host's security modules and trusted ones are left out; setuid and file capabilities stay" {
	mk << 'PY'
cap = b'\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0'.decode('latin1')
bad = {'security.selinux': 'system_u:object_r:shadow_t:s0', 'security.ima': 'x', 'security.evm': 'x', 'security.apparmor': 'x',
       'trusted.md5sum': 'x', 'system.nfs4_acl': 'x', 'btrfs.compression': 'zstd'}
good = {'security.capability': cap, 'user.note': 'kept'}
t = layer([f('file', 'x', mode=0o6755, xattrs={**bad, **good}), d('dir', mode=0o3775, xattrs={**bad, 'user.note': 'kept'}), s('link', 'file', xattrs=bad)])
write('a.tar', t)
PY
	both import --as rootfs a.tar
	root=$(only_layer)
	[ "$(stat -c %a "$root/file" "$root/dir" | tr '\n' ' ')" = '6755 3775 ' ]
	python3 - "$root" << 'PY'
import os, sys
os.chdir(sys.argv[1])
assert sorted(os.listxattr('file')) == ['security.capability', 'user.note'], os.listxattr('file')
assert os.listxattr('dir') == ['user.note'] and os.listxattr('link', follow_symlinks=False) == []
PY
	for s in "$STORE" "$STORE.erofs"; do [ "$(jq .dropped_xattrs "$s"/layers/*/layer.json)" = 21 ]; done
	# The control: tar does set what it is told to.
	mkdir control
	tar --xattrs --xattrs-include='*' -C control -xf a.tar 2> /dev/null || true
	python3 -c "import os; assert os.getxattr('control/file', 'trusted.md5sum') == b'x'"
}

@test "the control of all that is compared: a difference between the formats is seen" {
	mk <<< "write('a.tar', layer([f('file', 'x', mode=0o4755, xattrs={'user.a': 'b'}), h('other', 'file')]))"
	both import --as rootfs a.tar
	root=$(only_layer)
	for change in 'chmod 755' 'chown 1' 'touch -d 2001-01-01' 'cp /dev/null'; do
		cp -a "$root" saved
		$change "$root/file"
		run with_mounts "$STORE.erofs" same_layers
		ends 1 'file:'
		rm -r "$root" && mv saved "$root"
	done
	python3 -c "import os, sys; os.removexattr(sys.argv[1], 'user.a')" "$root/file"
	run with_mounts "$STORE.erofs" same_layers
	ends 1 'file:'
}

@test "numbers of owners are numbers of owners" {
	for id in -1 4294967295 4294967296 18446744073709551616; do
		mk << PY
info, data = f('a', '')
info.pax_headers = {'uid': '$id'}
write('a.tar', layer([(info, data)]))
PY
		unchanged 'a.tar' img import --as rootfs a.tar
	done
	mk << 'PY'
info, data = f('a', '')
info.pax_headers = {'uid': '4294967294'}
write('a.tar', layer([(info, data)]))
PY
	both import --as rootfs a.tar
	[ "$(stat -c %u "$(only_layer)/a")" = 4294967294 ]
}

@test "users: 2^32 is no root, a number is no name, passwd is read up to a limit (CVE-2024-40635)" {
	mk << 'PY'
oci('l', [layer([d('etc'), f('etc/passwd', 'root:x:0:0::/root:/bin/sh\n1000:x:0:0::/root:/bin/sh\nu:x:1000:1000::/:/bin/sh\n'), f('etc/group', 'g:x:7:u\n')])], name='x')
oci('huge', [layer([d('etc'), f('etc/passwd', 'x' * (2 << 20))])], name='huge', User='u')
oci('fifo', [layer([d('etc'), p('etc/passwd')])], name='fifo', User='u')
PY
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' > seccomp.json
	for i in l huge fifo; do img import $i; done
	for u in 4294967296 4294967295 -1 0x0 ' 0' '0:' ':0' 0:4294967296 70000; do
		fails_with 'carrel-image bundle' img bundle x b --seccomp seccomp.json --user "$u"
		[ ! -e b ]
	done
	run img bundle x b --seccomp seccomp.json --user 1000
	ok
	jq -e '.process.user.uid == 1000 and .process.user.gid == 1000' b/config.json
	run img bundle x b --seccomp seccomp.json --user u
	jq -e '.process.user == {uid: 1000, gid: 1000, additionalGids: [7]}' b/config.json
	fails_with '/etc/passwd' img bundle huge b2 --seccomp seccomp.json
	IMG_TIMEOUT=40 fails_with 'no regular file' img bundle fifo b2 --seccomp seccomp.json
}

@test "ACLs that no kernel takes, of thousands of entries, for ids that nobody has: refused, in both forms; a good one is kept" {
	mk << 'PY'
o, u, g, m, x = ('owner', 6), ('user', 4, 1), ('group_owner', 4), ('mask', 6), ('other', 0)
good = acl(o, u, g, m, x)
bad = {'odd': 'x', 'cut': good[:-1], 'version': '\3' + good[1:], 'order': acl(u, o, g, m, x), 'no-mask': acl(o, u, g, x), 'no-owner': acl(u, g, m, x),
       'twice': acl(o, o, g, x), 'nobody': acl(o, ('user', 4), g, m, x), 'perms': acl(o, ('user', 8, 1), g, m, x), 'tag': acl(o, u, g, m, x, (64, 7)),
       'many': acl(o, *(('user', 4, i) for i in range(300)), g, m, x)}
for name, value in bad.items():
    for kind in 'access', 'default':
        write(name + '.' + kind + '.tar', layer([d('d', xattrs={'system.posix_acl_' + kind: value})]))
texts = {'words': 'nonsense', 'half': 'user:1:rw', 'part': 'user::rw-,nonsense,group::r--,other::---', 'many': ','.join(['user::rw-', 'group::r--', 'other::---', 'mask::rw-'] + ['user:%d:r--' % i for i in range(300)])}
for name, text in texts.items():
    write('text-' + name + '.tar', layer([f('f', '', pax={'SCHILY.acl.access': text})]))
write('good.tar', layer([f('f', '', mode=0o660, xattrs={'system.posix_acl_access': good})]))
PY
	for t in odd cut version order no-mask no-owner twice nobody perms tag many; do
		for kind in access default; do
			unchanged "ACL" img import --as rootfs $t.$kind.tar
			[[ $output = *"entry d: SCHILY.acl.$kind: an ACL"* ]]
		done
	done
	unchanged 'SCHILY.acl.access' img import --as rootfs text-words.tar
	unchanged 'SCHILY.acl.access' img import --as rootfs text-part.tar
	unchanged 'mask' img import --as rootfs text-half.tar
	unchanged 'more than 256 entries' img import --as rootfs text-many.tar
	# The control.
	both import --as rootfs good.tar
	python3 -c "import os, sys; assert len(os.getxattr(sys.argv[1], 'system.posix_acl_access')) == 44" "$(only_layer)/f"
}
