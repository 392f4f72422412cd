# carrel-image: import from every kind of source, what reaches the store, ls, inspect, rm, gc.
load images

setup() { images_setup; }

two_layers() {
	mk << 'PY'
base = layer([d('./'), d('./etc'), f('./etc/passwd', 'root:x:0:0::/root:/bin/sh\n'), d('./gone'), f('./gone/x', '1'), d('./full'), f('./full/old', '2'), f('./file', '3')])
top = layer([f('.wh.gone', ''), d('full'), f('full/.wh..wh..opq', ''), f('full/new', '4'), f('file', '5')])
oci('layout', [(base, 'gzip'), (top, 'zstd')], name='two')
docker('archive.tar', [base, top])
PY
}

@test "an OCI layout as directory, tar, gzip and zstd is one and the same image" {
	two_layers
	tar -C layout -cf l.tar .
	gzip -k l.tar
	zstd -q l.tar -o l.tzst
	want=sha256:$(jq -r '.manifests[0].digest[7:]' layout/index.json)
	for source in layout l.tar l.tar.gz l.tzst; do
		rm -rf "$STORE"
		run img import "$source"
		ok
		[ "$output" = "$want" ]
		[ "$(find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]
		[ -z "$(ls -A "$STORE/tmp")" ]
	done
	run img ls --format json
	ok
	jq -e '.[0].name == "two" and .[0].layers == 2 and length == 1' <<< "$output"
}

@test "a docker-archive, new and legacy, plain and compressed" {
	two_layers
	mk << 'PY'
t = layer([f('a', 'x')])
docker('legacy.tar', [t, layer([f('b', 'y')]), t], legacy=True, tags=['old:1', 'old:2'])
PY
	run img import archive.tar
	ok
	gzip legacy.tar
	run img import legacy.tar.gz
	ok
	run img inspect old:1
	ok
	jq -e '.layers | length == 3 and .[0].diff_id == .[2].diff_id' <<< "$output"
	run img inspect test:1
	ok
	run img import --ref old:2 legacy.tar.gz
	ok
	run img inspect old:2
	ok
}

@test "sha512 names manifest, configuration, blobs and layers, and is checked like sha256" {
	mk << 'PY'
algorithm('sha512')
oci('l', [(layer([f('a', '1')]), 'gzip'), layer([f('b', '2')])], name='x')
oci('bad', [layer([f('c', '3')])], name='y', lie=lambda step, parts: step == 'config' and parts['config']['rootfs'].update(diff_ids=[sha(b'else')]))
algorithm('sha256')
PY
	run img import l
	ok
	[[ $output =~ ^sha512:[0-9a-f]{128}$ ]]
	[ "$output" = "$(jq -r '.manifests[0].digest' l/index.json)" ]
	[ "$(ls "$STORE/blobs/sha512" | wc -l)" = 4 ] && [ -z "$(ls -A "$STORE/blobs/sha256")" ]
	[ "$(ls "$STORE/layers" | awk '{ print length }' | sort -u)" = 128 ]
	jq -e '(.diff_id | startswith("sha512:")) and (.blob | startswith("sha512:"))' "$STORE"/layers/*/layer.json
	run img inspect "${output:0:20}"
	ok
	unchanged 'configuration says sha512:' img import bad
	blob=$(jq -r '.layers[1].digest[7:]' "l/blobs/sha512/$(jq -r '.manifests[0].digest[7:]' l/index.json)")
	printf x | dd of="l/blobs/sha512/$blob" conv=notrunc status=none
	img rm x && img gc > /dev/null
	[ -z "$(ls -A "$STORE/blobs/sha512")" ] && [ -z "$(ls -A "$STORE/layers")" ]
	unchanged 'its content has the digest sha512:' img import l
}

@test "what docker save writes now, a layout with whole names beside tags: by its name, and by --ref either way" {
	mk << 'PY'
for tag, text in ('1.2', 'a'), ('1.3', 'b'):
    oci('l', [layer([f(text, text)])])
index = json.load(open('l/index.json'))
for m, tag in zip(index['manifests'], ('1.2', '1.3')):
    m['annotations'] = {'io.containerd.image.name': f'docker.io/library/foo:{tag}', 'org.opencontainers.image.ref.name': tag}
write('l/index.json', index)
write('l/manifest.json', [{'Config': 'x', 'RepoTags': ['foo:1.2'], 'Layers': []}])
PY
	tar -C l -cf l.tar .
	unchanged 'it holds several images (docker.io/library/foo:1.2, docker.io/library/foo:1.3)' img import l.tar
	for ref in 1.3 docker.io/library/foo:1.3; do
		run img import --ref "$ref" l.tar
		ok
		[ "$output" = "$(jq -r '.manifests[1].digest' l/index.json)" ]
	done
	[ "$(img ls --format json | jq -c 'map(.name)')" = '["docker.io/library/foo:1.3"]' ]
	img import --all l.tar
	[ "$(img ls --format json | jq -c 'map(.name) | sort')" = '["docker.io/library/foo:1.2","docker.io/library/foo:1.3"]' ]
}

@test "a root filesystem's tar gets a configuration of its own" {
	mk << 'PY'
write('r.tar', layer([d('./'), d('./bin'), f('./bin/sh', 'x', mode=0o755)]))
PY
	run img import --name base:1 r.tar
	ok
	run img inspect base:1
	jq -e '.config.cmd == ["/bin/sh"] and (.layers | length) == 1' <<< "$output"
	# From a pipe as well.
	run bash -c "cat r.tar | timeout 60 $IMAGE --store $STORE import --name base:2 /dev/stdin"
	ok
	run img inspect base:2
	ok
}

@test "owners, modes, times, links, setuid bits, capabilities and user attributes arrive" {
	mk << 'PY'
cap = bytes([1, 0, 0, 2, 0, 4, 0, 0] + [0] * 12).decode('latin-1')
write('r.tar', layer([
    d('./', mode=0o711), d('bin', mode=0o1755, uid=7, gid=8, mtime=1000),
    f('bin/su', 'data', mode=0o4711, uid=3, gid=4, mtime=1234567890), h('bin/su2', 'bin/su'),
    s('link', '../../outside', uid=5, gid=6, mtime=99), p('fifo', mode=0o622),
    f('attrs', '', xattrs={'user.note': 'kept', 'security.selinux': 'dropped', 'trusted.x': 'dropped'}),
    f('e\u0301', ''), f('big', 'z' * 3000000, uid=70000)]))
PY
	run img import --name x r.tar
	ok
	root=$(only_layer)
	[ "$(stat -c '%a' "$root")" = 711 ]
	[ "$(stat -c '%a %u %g %Y' "$root/bin")" = '1755 7 8 1000' ]
	[ "$(stat -c '%a %u %g %Y %h' "$root/bin/su")" = '4711 3 4 1234567890 2' ]
	[ "$root/bin/su" -ef "$root/bin/su2" ]
	[ "$(stat -c '%u %g %Y %N' "$root/link")" = "5 6 99 '$root/link' -> '../../outside'" ]
	[ "$(stat -c '%F %a' "$root/fifo")" = 'fifo 622' ]
	[ "$(stat -c '%s %u' "$root/big")" = '3000000 70000' ]
	[ "$(ls "$root" | grep -c $'^e\xcc\x81$')" = 1 ]
	python3 -c "import os, sys; a = os.listxattr(sys.argv[1]); assert a == ['user.note'], a" "$root/attrs"
	jq -e '.dropped_xattrs == 2 and .confinement.seccomp' "$root/../layer.json"
}

@test "file capabilities are kept" {
	need setcap
	mkdir r && cp /bin/true r/ping
	setcap cap_net_raw=ep r/ping
	tar -C r --xattrs --xattrs-include='security.*' -cf r.tar ping
	img import --name x r.tar
	run getcap "$(only_layer)/ping"
	says cap_net_raw=ep
}

@test "the tree is the one that umoci unpacks" {
	need umoci
	mk << 'PY'
import random
r = random.Random(7)
entries, dirs = [d('./')], ['']
for i in range(300):
    parent = r.choice(dirs)
    name = f'{parent}n{i}'
    kind = r.randrange(5)
    attrs = {'uid': r.randrange(3000), 'gid': r.randrange(3000), 'mtime': r.randrange(2 ** 31)}
    if kind == 0:
        entries.append(d(name, mode=r.randrange(0o1000) | 0o700, **attrs))
        dirs.append(name + '/')
    elif kind == 1:
        entries.append(s(name, f'n{r.randrange(300)}', **attrs))
    elif kind == 2 and i > 20:
        files = [e[0].name for e in entries if e[0].isreg()]
        entries.append(h(name, r.choice(files)) if files else f(name, '', **attrs))
    else:
        entries.append(f(name, 'x' * r.randrange(5000), mode=r.randrange(0o10000), **attrs))
oci('layout', [(layer(entries), 'gzip')], name='x')
PY
	img import layout
	umoci unpack --image layout:x bundle > /dev/null
	listing() { (cd "$1" && find . -mindepth 1 -printf '%P %y %m %U %G %s %T@ %l %n\n' | sed -E 's/^([^ ]+ d [0-9]+ [0-9]+ [0-9]+) [0-9]+/\1/' | sort); }
	diff <(listing bundle/rootfs) <(listing "$(only_layer)")
	(cd bundle/rootfs && find . -type f -print0 | sort -z | xargs -0 sha256sum) > a
	(cd "$(only_layer)" && find . -type f -print0 | sort -z | xargs -0 sha256sum) > b
	cmp a b
}

@test "overlayfs shows whiteouts and opaque directories as they are meant" {
	two_layers
	img import layout
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' > seccomp.json
	img bundle two b --seccomp seccomp.json
	lower=$(jq -r '.layers | reverse | join(":")' b/rootfs.json)
	mkdir m
	run unshare -m sh -c "mount -t overlay -o lowerdir=$lower none m && ls m m/full && cat m/file m/full/new && ls -d m/workspace m/dev"
	ok
	[ "$output" = $'m:\ndev\netc\nfile\nfull\nproc\nrun\nsys\ntmp\nworkspace\n\nm/full:\nnew\n54m/dev\nm/workspace' ]
}

@test "a layer that two images share is unpacked once" {
	mk << 'PY'
base = layer([f('base', 'x' * 1000)])
oci('one', [(base, 'gzip'), layer([f('a', '1')])], name='one')
oci('two', [(base, 'gzip'), layer([f('b', '2')])], name='two')
PY
	img import one
	before=$(stat -c '%i %Z' "$STORE"/layers/*/root/base)
	img import two
	[ "$(stat -c '%i %Z' "$STORE"/layers/*/root/base)" = "$before" ]
	[ "$(ls "$STORE/layers" | wc -l)" = 3 ]
}

@test "what an index lists beside images is passed over; names of environment variables may be what shells do not know" {
	mk << 'PY'
p = oci('l', [layer([f('a', '1')])], Env=['xpack.security.enabled=false', 'A-B=1'])
image = {**p['index']['manifests'][0], 'platform': {'os': 'linux', 'architecture': ARCH}}
bill = {**descriptor(b'{}', 'application/vnd.example.sbom+json'), 'platform': {'os': 'linux', 'architecture': ARCH}}
proof = {**image, 'digest': sha(b'{}'), 'platform': {'os': 'unknown', 'architecture': 'unknown'}}
inner = dump({'schemaVersion': 2, 'mediaType': OCI + 'index.v1+json', 'manifests': [bill, proof, image]})
write('l/blobs/sha256/' + sha(inner)[7:], inner)
write('l/index.json', {'schemaVersion': 2, 'manifests': [bill, descriptor(inner, OCI + 'index.v1+json')]})
only = dump({'schemaVersion': 2, 'mediaType': OCI + 'index.v1+json', 'manifests': [bill]})
write('l2/blobs/sha256/' + sha(only)[7:], only)
write('l2/index.json', {'schemaVersion': 2, 'manifests': [descriptor(only, OCI + 'index.v1+json')]})
write('l2/oci-layout', {'imageLayoutVersion': '1.0.0'})
PY
	run img import --name x l
	ok
	img inspect x | jq -e '.config.env == ["xpack.security.enabled=false", "A-B=1"]'
	unchanged 'none of its images () is for linux/' img import l2
}

@test "a digest is no name, and means what has it whatever is called like it" {
	mk << 'PY'
a = oci('a', [layer([f('a', '1')])], name='good')['index']['manifests'][0]['digest']
oci('evil', [layer([f('b', '2')])], name=a)
oci('hex', [layer([f('b', '2')])], name=a[7:])
PY
	a=$(img import a)
	unchanged 'a digest is no name; give one with --name' img import evil
	unchanged 'a digest is no name; give one with --name' img import hex
	unchanged 'a digest is no name' img tag good "$a"
	b=$(img import --name evil evil)
	# Somebody wrote it all the same.
	sed -i "s/\"evil\"/\"$a\"/" "$STORE/index.json"
	[ "$(img ls --format json | jq -r '.[1].name')" = "$a" ]
	[ "$(img inspect "$a" | jq -r .name)" = good ]
	[ "$(img inspect "$b" | jq -r .digest)" = "$b" ]
}

@test "rm goes on after what is not there" {
	mk <<< "oci('a', [layer([f('a', '1')])], name='x')"
	img import a
	img tag x y
	fails_with 'image nosuch: not in the store' img rm x nosuch y
	[ "$(img ls --format json)" = '[]' ]
}

@test "names move, rm takes a name or a digest, gc takes what nothing needs" {
	mk << 'PY'
oci('a', [layer([f('a', '1')])], name='x')
oci('b', [layer([f('b', '2')])], name='x')
PY
	a=$(img import a)
	img import --name keep a
	b=$(img import b)
	[ "$(img inspect x | jq -r .digest)" = "$b" ]
	[ "$(img inspect keep | jq -r .digest)" = "$a" ]
	[ "$(img inspect "${a:7:12}" | jq -r .digest)" = "$a" ]
	run img gc
	jq -e '.blobs == 0 and .layers == 0' <<< "$output"
	img rm x
	run img gc
	jq -e '.blobs == 3 and .layers == 1 and .bytes > 0' <<< "$output"
	fails_with 'not in the store' img inspect x
	img import --name other a
	img rm "$a"
	[ "$(img ls --format json)" = '[]' ]
	img gc
	[ -z "$(ls -A "$STORE/layers")" ] && [ -z "$(ls -A "$STORE/blobs/sha256")" ]
}

@test "gc leaves a layer alone that a sandbox holds" {
	mk << 'PY'
oci('a', [layer([f('a', '1')])], name='x')
PY
	img import a
	root=$(only_layer)
	img rm x
	exec 9< "$root"
	flock -s 9
	run img gc
	jq -e '.busy == 1 and .layers == 0' <<< "$output"
	[ -e "$root/a" ]
	exec 9<&-
	run img gc
	jq -e '.busy == 0 and .layers == 1' <<< "$output"
	[ ! -e "$root" ]
}

@test "eight importers and a collector at once" {
	mk << 'PY'
base = layer([f(f'f{i}', 'x' * 100) for i in range(200)])
for i in range(4):
    oci(f'l{i}', [(base, 'gzip'), layer([f('own', str(i))])], name=f'i{i}')
PY
	pids=
	for round in 1 2; do
		for i in 0 1 2 3; do
			img import --name "i$i-$round" "l$i" > "out$i$round" 2>&1 &
			pids="$pids $!"
		done
		img gc > "gc$round" 2>&1 &
		pids="$pids $!"
	done
	for p in $pids; do wait "$p" || { cat out* gc*; return 1; }; done
	[ "$(img ls --format json | jq length)" = 8 ]
	[ "$(ls "$STORE/layers" | wc -l)" = 5 ]
	[ -z "$(ls -A "$STORE/tmp")" ]
	run img gc
	jq -e '.blobs == 0 and .layers == 0' <<< "$output"
}

@test "an importer that is killed leaves nothing to see, and the next one sweeps" {
	mk << 'PY'
write('r.tar', layer([f(f'd{i % 50}/f{i}', 'x' * 2000) for i in range(8000)], tarfile.USTAR_FORMAT))
PY
	img ls > /dev/null
	for n in 1 2 3; do
		caught '[ -d "$STORE"/tmp/*/layers/partial.1/root/d1 ]' 'kill -9 $pid' "$IMAGE" --store "$STORE" import --name x r.tar
		wait $pid || true
		[ -n "$(ls -A "$STORE/tmp")" ]
		[ -z "$(ls -A "$STORE/layers")" ] && [ -z "$(ls -A "$STORE/blobs/sha256")" ]
		[ "$(img ls --format json)" = '[]' ]
		wait_for "img ls > /dev/null; [ -z \"\$(ls -A '$STORE/tmp')\" ]"
	done
	# Its children have gone with it.
	free_of "^$IMAGE --store $STORE import"
}

@test "a source with several images asks which" {
	mk << 'PY'
oci('l', [layer([f('a', '1')])], name='one')
oci('l', [layer([f('b', '2')])], name='two')
PY
	unchanged 'several images (one, two); choose one with --ref' img import l
	run img import --ref two l
	ok
	[ -e "$(only_layer)/b" ]
	fails_with 'called three' img import --ref three l
}

@test "of an index with platforms the host's is taken, and an image for another machine is refused" {
	mk << 'PY'
import json
def index(where, arches):
    entries = []
    for a in arches:
        def lie(step, parts, a=a):
            if step == 'config':
                parts['config']['architecture'] = a
            if step == 'index':
                entries.append({**parts['index']['manifests'][0], 'platform': {'os': 'linux', 'architecture': a}})
        oci(where, [layer([f(a, '')])], lie=lie)
        os.unlink(f'{where}/index.json')
    inner = dump({'schemaVersion': 2, 'mediaType': OCI + 'index.v1+json', 'manifests': entries})
    write(f'{where}/blobs/sha256/{sha(inner)[7:]}', inner)
    write(f'{where}/index.json', {'schemaVersion': 2, 'manifests': [descriptor(inner, OCI + 'index.v1+json')]})
index('multi', ['mips64', ARCH, 'sparc'])
index('other', ['mips64'])
def lie(step, parts):
    if step == 'config':
        parts['config']['architecture'] = 'mips64'
oci('bare', [layer([f('x', '')])], lie=lie)
PY
	run img import multi
	ok
	[ "$(ls "$(only_layer)")" = "$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')" ]
	unchanged 'mips64) is for linux/' img import other
	unchanged 'the image is for linux/mips64' img import bare
}

@test "a skopeo copy of the store's image is the image" {
	need skopeo
	mk << 'PY'
oci('layout', [(layer([f('a', '1')]), 'gzip'), (layer([f('b', '2')]), 'gzip')], name='two')
PY
	want=$(img import layout)
	skopeo copy -q "oci:$STORE:two" oci:copy:two
	[ "$(jq -r '.manifests[0].digest' copy/index.json)" = "$want" ]
	skopeo copy -q "oci:$STORE:two" docker-archive:d.tar:again:1
	run img import d.tar
	ok
}

@test "what is no image is refused with a sentence" {
	two_layers
	mkdir empty
	unchanged 'neither an OCI layout' img import empty
	unchanged 'No such file' img import nothing
	head -c 5000 /dev/urandom > noise
	unchanged 'tar' img import noise
	: > nil
	unchanged 'tar' img import nil
	tar -C layout -c . | xz > l.tar.xz
	unchanged 'none of gzip and zstd' img import l.tar.xz
	unchanged 'is no kind of source' img import --as zip layout
	unchanged 'a root filesystem' img import --as oci <(mk <<< "import sys; sys.stdout.buffer.write(layer([f('etc/x')]))")
	unchanged 'image name' img import --name 'a b' layout
	head -c 3000 archive.tar > cut.tar
	unchanged 'cut.tar' img import cut.tar
}

@test "unpacking needs root and says so" {
	mk << 'PY'
write('r.tar', layer([f('a', '1')]))
PY
	free=$(mktemp -d) # a place that everybody reaches
	cp "$IMAGE" r.tar "$free/"
	chown -R 65534:65534 "$free"
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$free/carrel-image" --store "$free/store" import "$free/r.tar"
	rm -rf "$free"
	[ "$status" -eq 1 ]
	says 'needs root'
}

@test "the caller's umask does not reach the store" {
	mk <<< "write('r.tar', layer([f('a/b', '1')]))"
	run bash -c "umask 077 && timeout 60 $IMAGE --store $STORE import --name x r.tar"
	ok
	[ "$(stat -c %a "$(only_layer)" "$(only_layer)/a" "$STORE/mountpoints/root" "$STORE/mountpoints/root/tmp" | sort -u)" = 755 ]
	[ "$(stat -c %a "$STORE")" = 700 ]
}

@test "a recipe that cannot be is refused by field, before anything runs" {
	mkdir r
	fails_with 'recipe.yaml' img build r
	printf 'name: n\nsuite: bookworm\nvariant: minbase\ncomponents: [main]\npackages: [bash]\n' > base
	{ cat base; echo 'cmd: [sh]'; echo 'user: {name: "x; reboot", uid: 1, home: /h, shell: /s}'; } > r/recipe.yaml
	fails_with 'recipe.yaml: user.name' img build r
	{ cat base; echo 'cmd: [sh]'; echo 'sweet: x'; } > r/recipe.yaml
	fails_with 'sweet' img build r
	cat base > r/recipe.yaml
	fails_with 'cmd' img build r
	need apt-get
	{ sed 's/bookworm/nosuchsuite/' base; echo 'cmd: [sh]'; } > r/recipe.yaml
	fails_with 'apt has no source for nosuchsuite' img build r
	[ -z "$(ls -A "$STORE/tmp")" ] && [ "$(img ls --format json)" = '[]' ]
}

@test "help, version and errors" {
	run img --help
	ok
	for c in import build ls inspect rm gc bundle; do
		says "$c"
		run img "$c" --help
		ok
		run img --help
	done
	run img --version
	[[ $output =~ ^carrel-image\ version\ [0-9] ]]
	fails_with nosuch img nosuch
	run img --log-format json inspect nosuch
	jq -e '.level == "error" and (.msg | contains("nosuch"))' <<< "$output"
}

@test "ACLs in text: by number they are kept, by name only they are counted, the mode is right in both cases" {
	mk << 'PY'
text = 'user::rw-,user:joe:r--:1000,user:2000:rwx,group::---,group:staff:rwx:50,mask::rw-,other::---'
write('r.tar', layer([
    f('kept', '', mode=0o660, pax={'SCHILY.acl.access': text}),
    d('dir', mode=0o750, pax={'SCHILY.acl.default': 'user::rwx,group::r-x,other::---'}), f('dir/in', '', mode=0o666),
    f('names', '', mode=0o660, pax={'SCHILY.acl.access': 'user::rw-,user:joe:rwx,group::---,mask::rw-,other::---'}),
    f('file-default', '', pax={'SCHILY.acl.default': 'user::rwx,group::r-x,other::---'}),
    f('trivial', '', mode=0o600, pax={'SCHILY.acl.access': 'user::rwx,group::r-x,other::--x'}),
    s('link', 'kept', pax={'SCHILY.acl.access': text})]))
write('want', acl(('owner', 6), ('user', 4, 1000), ('user', 7, 2000), ('group_owner', 0), ('group', 7, 50), ('mask', 6), ('other', 0)).encode('utf-8', 'surrogateescape'))
PY
	both import --as rootfs r.tar
	root=$(only_layer)
	[ "$(stat -c %a "$root"/{kept,names,trivial,dir/in} | tr '\n' ' ')" = '660 600 751 666 ' ]
	python3 - "$root" << 'PY'
import os, sys
want = open('want', 'rb').read()
os.chdir(sys.argv[1])
assert os.getxattr('kept', 'system.posix_acl_access') == want
assert os.listxattr('dir') == ['system.posix_acl_default'] and os.listxattr('dir/in') == []
for name in 'names', 'file-default', 'trivial', 'link':
    assert os.listxattr(name, follow_symlinks=False) == [], name
PY
	for s in "$STORE" "$STORE.erofs"; do [ "$(jq .dropped_xattrs "$s"/layers/*/layer.json)" = 3 ]; done
}
