# Archives that want out of their directory. Each one is also unpacked by a careless program (mkimage.py's naive),
# which shows that the attack would work.
load ../integration/images

setup() { victim_setup; }

# Everything outside the store is as it was.
untouched() {
	[ "$(ls -A victim)" = secret ] && [ "$(cat victim/secret)" = secret ] && [ "$(stat -c %h victim/secret)" = 1 ]
}

# attack PY: the entries of the archive; writes a.tar and unpacks it carelessly below control/.
attack() {
	mk << PY
V = os.environ['VICTIM']
t = layer([$1])
write('a.tar', t)
import shutil
shutil.rmtree('l', ignore_errors=True)
oci('l', [t])
try:
    naive(t, '$WORK/control')
except OSError as e:
    print(e)
PY
}

# The careless program got there; put things back.
hit() {
	untouched && { echo "the control did not reach its goal" && return 1; }
	rm -rf victim control
	mkdir victim control
	echo secret > victim/secret
}

refused() {
	unchanged "$1" img import a.tar --as rootfs
	unchanged "$1" img import l
	untouched
}

contained() {
	both import --as rootfs a.tar
	untouched
}

@test "a name with '..' (CVE-2021-29136 and kin)" {
	attack "f('../victim/pwned', 'x')"
	hit
	refused "'..' is not accepted"
	attack "d('a'), f('a/../../victim/pwned', 'x')"
	hit
	refused "'..' is not accepted"
}

@test "an absolute name stays inside" {
	attack "f(V + '/pwned', 'x')"
	hit
	contained
	[ -e "$(only_layer)$VICTIM/pwned" ]
}

@test "a symlink, then a file through it (absolute)" {
	attack "s('link', V), f('link/pwned', 'x')"
	hit
	contained
	[ -e "$(only_layer)$VICTIM/pwned" ]
}

@test "a symlink, then a file through it (relative, with '..' in the link)" {
	attack "d('a'), d('a/b'), s('a/b/link', '../../../victim'), f('a/b/link/pwned', 'x')"
	hit
	contained
	[ -e "$(only_layer)/victim/pwned" ]
}

@test "a chain of symlinks that each look harmless" {
	attack "s('a', '..'), s('b', 'a/..'), s('c', V), f('c/pwned', 'x')"
	hit
	contained
}

@test "a symlink to '/.' (CVE-2021-29136)" {
	attack "s('root', '/.'), f('root' + V + '/pwned', 'x')"
	hit
	contained
	[ -e "$(only_layer)$VICTIM/pwned" ]
}

@test "a file written over a symlink replaces the link" {
	attack "s('out', V + '/secret'), f('out', 'overwritten')"
	hit
	contained
	[ -f "$(only_layer)/out" ] && [ ! -L "$(only_layer)/out" ]
}

@test "a hard link to a file outside (absolute and through '..')" {
	attack "h('link', '../victim/secret'), f('link', 'overwritten')"
	hit
	refused "'..' is not accepted"
	attack "s('dir', V), h('link', 'dir/secret'), f('link', 'overwritten')"
	hit
	refused 'hard link to dir/secret'
}

@test "a hard link to a symlink, then a write through it" {
	attack "s('sym', V + '/secret'), h('hard', 'sym'), f('hard', 'overwritten')"
	hit
	refused 'that is no regular file'
}

@test "a hard link to a file of a lower layer: of its own layer, or none" {
	mk << 'PY'
lower = layer([f('lower', 'secret of another image')])
oci('l', [lower, layer([h('mine', 'lower')])])
oci('good', [lower, layer([f('lower', '1'), h('mine', 'lower')])])
PY
	unchanged 'hard link to lower: No such file' img import l
	both import good # the control
}

@test "a name that goes through the link which it replaces" {
	mk << 'PY'
oci('l', [layer([s('l', '.'), f('l/a', '1'), s('l/l', 'other'), f('l/y', '2'), s('k', '.'), f('k/k', '3'), s('m', '.'), d('m/m', mode=0o750, mtime=77), f('m/x', '4')])])
oci('none', [layer([d('d'), f('d/f', '1'), h('d', 'd/f')])])
PY
	both import l
	root=$(only_layer)
	[ "$(readlink "$root/l")" = other ] && [ "$(cat "$root/a" "$root/other/y" "$root/k" "$root/m/x")" = 1234 ]
	[ "$(stat -c '%F %a %Y' "$root/m")" = 'directory 750 77' ]
	# What is linked may not go with what makes room for the link.
	unchanged 'hard link to d/f' img import none
}

@test "a directory that becomes a symlink half-way" {
	attack "d('dir'), f('dir/a', '1'), d('other')"
	[ -e control/dir/a ]
	rm -rf control && mkdir control
	mk << 'PY'
V = os.environ['VICTIM']
t = layer([d('dir'), f('dir/a', '1'), s('dir', V), f('dir/pwned', 'x')])
write('a.tar', t)
import shutil
def careless(m):
    shutil.rmtree('control/dir')
naive(layer([d('dir'), f('dir/a', '1')]), 'control')
careless(None)
naive(layer([s('dir', V), f('dir/pwned', 'x')]), 'control')
PY
	hit
	contained
	[ -L "$(only_layer)/dir" ]
	[ -e "$(only_layer)$VICTIM/pwned" ]
}

@test "a symlink in one layer, a file through it in the next" {
	mk << 'PY'
V = os.environ['VICTIM']
one, two = layer([s('dir', V)]), layer([f('dir/pwned', 'x')])
oci('l', [one, two])
naive(one, 'control')
naive(two, 'control')
PY
	hit
	both import l
	untouched
	[ "$(find "$STORE/layers" -name pwned | grep -c /root/dir/pwned)" = 1 ]
}

@test "directory entries over symlinks do not change what the links lead to" {
	chmod 700 victim
	mk << 'PY'
V = os.environ['VICTIM']
t = layer([s('dir', V), d('dir', mode=0o777, uid=1234)])
write('a.tar', t)
naive(layer([s('dir', V)]), 'control')
os.chmod('control/dir', 0o777)
PY
	[ "$(stat -c %a victim)" = 777 ]
	chmod 700 victim
	contained
	[ "$(stat -c '%a %u' victim)" = '700 0' ]
	[ "$(stat -c '%F %a %u' "$(only_layer)/dir")" = 'directory 777 1234' ]
}

@test "blobs of a layout that are links or pipes lead nowhere" {
	mk << 'PY'
t = layer([f('a', '1')])
oci('l', [t])
oci('m', [t])
blob = f'blobs/sha256/{sha(t)[7:]}'
write('outside', t)
os.unlink('l/' + blob)
os.symlink(os.path.abspath('outside'), 'l/' + blob)
os.unlink('m/' + blob)
os.mkfifo('m/' + blob)
PY
	# The control: the link does lead to the right content.
	cmp "l/$(cd l && find blobs -type l)" outside
	unchanged 'No such file' img import l
	IMG_TIMEOUT=20 unchanged 'no regular file' img import m
}

@test "a docker-archive's manifest names files outside" {
	mk << 'PY'
t = layer([f('a', '1')])
write('victim/layer.tar', t)
for i, name in enumerate(['../victim/layer.tar', os.environ['VICTIM'] + '/layer.tar']):
    def lie(manifest, entries):
        manifest[0]['Layers'] = [name]
    os.makedirs(f'd{i}')
    docker('d.tar', [t], lie=lie)
    naive(open('d.tar', 'rb').read(), f'd{i}')
PY
	[ -e "d0/$(jq -r '.[0].Layers[0]' d0/manifest.json)" ]
	unchanged 'No such file' img import d0
	unchanged 'No such file' img import d1
	unchanged 'No such file' img import d.tar
}

@test "passwd of an image is a symlink to the host's" {
	mk << 'PY'
oci('l', [layer([d('etc'), s('etc/passwd', '/proc/self/root' + os.environ['VICTIM'] + '/passwd'), s('etc/group', '../../../../../..' + os.environ['VICTIM'] + '/passwd')])], name='x', User='stolen')
write('victim/passwd', b'stolen:x:0:0::/root:/bin/sh\n')
PY
	img import l
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' > seccomp.json
	# The control: on the host the link leads to a file with this user.
	grep -q stolen "$(readlink "$(only_layer)/etc/passwd")"
	fails_with "user stolen: not in the image's /etc/passwd" img bundle x b --seccomp seccomp.json
}

@test "parents through a link of the layer below: the link hides, nobody's mode or time changes" {
	chmod 711 victim
	before=$(stat -c '%a %u %Y %Z' victim)
	mk << PY
low = layer([s('out', '$WORK/victim'), s('up', '../../../../../../../../$WORK'), d('real', mode=0o700, mtime=5)])
high = layer([f('out/new', ''), f('up/victim/new', ''), f('real/new', '')])
oci('l', [low, high], name='x')
PY
	for IMG_FORMAT in $IMG_FORMATS; do
		STORE=$WORK/store.$IMG_FORMAT img import l > /dev/null
		p=$(STORE=$WORK/store.$IMG_FORMAT img inspect x | jq -r .parents)
		[ "$(cd "$p" && find . -printf '%p %m,')" = '. 755,./real 700,' ] # the control: what is a directory is taken
	done
	[ "$(stat -c '%a %u %Y %Z' victim)" = "$before" ]
}
