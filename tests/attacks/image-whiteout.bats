# Whiteouts that want to remove what is not theirs, and names that no honest tool writes.
load ../integration/images

setup() { victim_setup; }

# archive PY: writes a.tar and lets a careless program unpack it below control/.
archive() {
	mk << PY
V = os.environ['VICTIM']
t = layer([$1])
write('a.tar', t)
os.makedirs('control', exist_ok=True)
naive(t, '$WORK/control')
PY
}

@test "a whiteout through a symlink" {
	archive "s('link', V), f('link/.wh.secret', '')"
	[ ! -e victim/secret ]
	echo secret > victim/secret
	both import --as rootfs a.tar
	[ "$(cat victim/secret)" = secret ]
	# Inside, it is a whiteout where the link leads to.
	[ -c "$(only_layer)$VICTIM/secret" ]
}

@test "whiteouts of '.', '..' and of nothing" {
	for name in .wh. .wh.. .wh...; do
		rm -rf control
		archive "d('sub'), f('sub/file', '1'), f('sub/$name', '')"
		unchanged 'a whiteout of no possible name' img import --as rootfs a.tar
	done
	# The control: rm -rf sub/.. is refused by rm itself, but "sub/" is what an empty name means.
	archive "d('sub'), f('sub/file', '1'), f('sub/.wh.', '')"
	[ ! -e control/sub/file ]
}

@test "metadata names of other tools, and whiteouts as directories" {
	for name in .wh..wh.plnk .wh..wh.aufs .wh..wh..opqx; do
		mk <<< "write('a.tar', layer([f('$name', '')]))"
		unchanged 'a whiteout of no possible name' img import --as rootfs a.tar
	done
	mk <<< "write('a.tar', layer([d('.wh.dir'), f('.wh.dir/file', '')]))"
	unchanged 'a whiteout has to be a regular file' img import --as rootfs a.tar
	mk <<< "write('a.tar', layer([f('.wh.dir/file', '')]))"
	unchanged "a directory's name begins with '.wh.'" img import --as rootfs a.tar
	for kind in "s('.wh.x', 'y')" "h('.wh.x', 'y')" "p('.wh.x')" "c('.wh.x', 0, 0)"; do
		mk <<< "write('a.tar', layer([f('y', ''), $kind]))"
		unchanged 'a whiteout has to be a regular file' img import --as rootfs a.tar
	done
	# The control: the same names without the mark are ordinary ones.
	mk <<< "write('a.tar', layer([f('y', ''), f('wh.x', ''), d('a.wh.'), s('.whx', 'y')]))"
	both import --as rootfs a.tar
}

@test "a whiteout never removes what its own layer wrote, in either order" {
	mk << 'PY'
write('a.tar', layer([f('before', '1'), f('.wh.before', ''), f('.wh.after', ''), f('after', '2'),
                      d('dir'), f('dir/x', '3'), f('.wh.dir', ''), f('.wh.dir2', ''), d('dir2'), f('dir2/x', '4'),
                      f('.wh.deep', ''), f('deep/a/b', '5')]))
PY
	both import --as rootfs a.tar
	root=$(only_layer)
	[ "$(cat "$root/before" "$root/after" "$root/dir/x" "$root/dir2/x" "$root/deep/a/b")" = 12345 ]
	# What the whiteouts meant is still said: the directories hide the lower ones' content.
	for dir in dir dir2 deep; do
		python3 -c "import os, sys; assert os.getxattr(sys.argv[1], 'trusted.overlay.opaque') == b'y'" "$root/$dir"
	done
	[ -z "$(find "$root" -type c)" ]
}

@test "a directory replaced by a symlink between layers hides, and is not followed" {
	mk << 'PY'
V = os.environ['VICTIM']
one, two, three = layer([d('dir'), f('dir/a', '1')]), layer([s('dir', V)]), layer([f('dir/.wh.secret', '')])
oci('l', [one, two, three], name='x')
for t in (two, three):
    naive(t, 'control')
PY
	[ ! -e victim/secret ]
	echo secret > victim/secret
	both import l
	[ "$(cat victim/secret)" = secret ]
}

@test "an opaque mark on the root, and one below a symlink" {
	mk << 'PY'
V = os.environ['VICTIM']
write('a.tar', layer([f('.wh..wh..opq', ''), s('link', V), f('link/.wh..wh..opq', '')]))
PY
	both import --as rootfs a.tar
	root=$(only_layer)
	python3 - "$root" "$VICTIM" << 'PY'
import os, sys
root, victim = sys.argv[1:]
def opaque(path):
    try:
        return os.getxattr(path, 'trusted.overlay.opaque') == b'y'
    except OSError:
        return False
assert opaque(root)
assert opaque(root + victim)
assert not opaque(victim)
os.setxattr(victim, 'trusted.overlay.opaque', b'y')  # the control: it could have been set there
assert opaque(victim)
PY
}
