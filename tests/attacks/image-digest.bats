# Content that is not what its digest, its size or its type says. The control is the untouched image.
load ../integration/images

setup() { images_setup; }

# lying NAME PY: an image whose parts are changed by PY (body of a function of step and parts).
lying() {
	{
		printf "t = layer([f('a', '1' * 1000)])\ndef lie(step, parts):\n"
		printf '%s\n' "$2" | sed 's/^/    /'
		printf "oci('%s', [(t, 'gzip')], lie=lie)\n" "$1"
	} | mk
}

@test "the untouched image is accepted" {
	lying good pass
	run img import good
	ok
}

@test "one bit of the layer" {
	lying l 'if step == "index":
    name = parts["where"] + "/blobs/sha256/" + sha(parts["blobs"][0])[7:]
    data = bytearray(parts["blobs"][0])
    data[-20] ^= 1
    write(name, bytes(data))'
	unchanged 'its content has the digest' img import l
	tar -C l -cf l.tar .
	unchanged 'its content has the digest' img import l.tar
}

@test "one bit of the configuration, of the manifest" {
	lying l 'if step == "index":
    name = parts["where"] + "/blobs/sha256/" + parts["manifest"]["config"]["digest"][7:]
    write(name, dump(parts["config"]).replace(b"/bin/sh", b"/bin/sx"))'
	unchanged 'its content has the digest' img import l
	lying m 'if step == "index":
    name = parts["where"] + "/blobs/sha256/" + parts["index"]["manifests"][0]["digest"][7:]
    write(name, dump(parts["manifest"]).replace(b"gzip", b"zstd"))'
	unchanged 'its content has the digest' img import m
}

@test "a size that is too small, too large, negative, enormous" {
	for change in '-= 1' '+= 1'; do
		rm -rf l
		lying l "if step == 'manifest': parts['manifest']['layers'][0]['size'] $change"
		unchanged 'bytes' img import l
	done
	rm -rf l
	lying l "if step == 'manifest': parts['manifest']['layers'][0]['size'] = -5"
	unchanged 'layers[0].size' img import l
	rm -rf l
	lying l "if step == 'manifest': parts['manifest']['layers'][0]['size'] = 2 ** 63"
	unchanged 'more than' img import l
	rm -rf l
	lying l "if step == 'index': parts['index']['manifests'][0]['size'] = 1 << 30"
	unchanged 'too many' img import l
}

@test "an endless blob ends at the size it promised" {
	lying l 'if step == "index":
    name = parts["where"] + "/blobs/sha256/" + sha(parts["blobs"][0])[7:]
    with open(name, "ab") as out:
        out.truncate(1 << 40)'
	IMG_TIMEOUT=20 unchanged 'more than' img import l
}

@test "a configuration that promises another layer content" {
	lying l "if step == 'config': parts['config']['rootfs']['diff_ids'] = ['sha256:' + 'a' * 64]"
	unchanged "the image's configuration says sha256:aaaa" img import l
}

@test "a diff-id of somebody else's layer does not give that layer away" {
	mk << 'PY'
secret = layer([f('secret', 'x' * 1000)])
oci('theirs', [(secret, 'gzip')], name='theirs')
def lie(step, parts):
    if step == 'config':
        parts['config']['rootfs']['diff_ids'] = [sha(secret)]
oci('mine', [(layer([f('decoy', '')]), 'gzip')], name='mine', lie=lie)
PY
	img import theirs
	unchanged "the image's configuration says" img import mine
}

@test "a digest that is a path, of another kind, of the wrong length" {
	for d in sha256:../../../../etc/passwd sha512:00 sha256:abc 'sha256:AAAA' ''; do
		rm -rf l
		lying l "if step == 'manifest': parts['manifest']['layers'][0]['digest'] = '$d'"
		unchanged 'layers[0].digest' img import l
	done
}

@test "a document that is manifest and index at once (CVE-2021-41190)" {
	lying l "if step == 'manifest': parts['manifest']['manifests'] = []"
	unchanged 'at once' img import l
	rm -rf l
	lying l "if step == 'index': parts['index']['layers'] = []"
	unchanged 'at once' img import l
	rm -rf l
	lying l "if step == 'manifest': parts['manifest']['mediaType'] = OCI + 'index.v1+json'"
	unchanged 'calls itself' img import l
	rm -rf l
	lying l "if step == 'index': parts['index']['manifests'][0]['mediaType'] = OCI + 'index.v1+json'"
	unchanged 'calls itself' img import l
}

@test "media types that are unknown, swapped, or not what the bytes are" {
	lying l "if step == 'manifest': parts['manifest']['layers'][0]['mediaType'] = 'application/x-tar'"
	unchanged 'layers[0].mediaType: application/x-tar is not supported' img import l
	rm -rf l
	lying l "if step == 'manifest': parts['manifest']['layers'][0]['mediaType'] = OCI + 'config.v1+json'"
	unchanged 'layers[0].mediaType' img import l
	rm -rf l
	lying l "if step == 'manifest': parts['manifest']['layers'][0]['mediaType'] = OCI + 'layer.v1.tar'"
	unchanged 'its media type says no compression, its content gzip' img import l
	rm -rf l
	lying l "if step == 'manifest': parts['manifest']['layers'][0]['mediaType'] = OCI + 'layer.v1.tar+zstd'"
	unchanged 'its media type says zstd, its content gzip' img import l
	rm -rf l
	lying l "if step == 'manifest': parts['manifest']['config']['mediaType'] = 'application/vnd.wasm.config.v1+json'"
	unchanged 'no image configuration' img import l
	rm -rf l
	lying l "if step == 'manifest': parts['manifest']['schemaVersion'] = 1"
	unchanged 'schemaVersion' img import l
}

@test "layers and diff-ids that do not pair" {
	lying l "if step == 'config': parts['config']['rootfs']['diff_ids'] *= 2"
	unchanged '1 layers, the configuration 2 diff_ids' img import l
}

@test "a compressed stream that is cut, or followed by other bytes" {
	mk << 'PY'
t = layer([f('a', os.urandom(300000))])
for how in ('gzip', 'zstd'):
    blob = pack(t, how)
    write(f'{how}.cut', blob[:-1000])
    write(f'{how}.good', blob)
    write(f'{how}.twice', blob + pack(layer([f('hidden', 'x')]), how))
PY
	for how in gzip zstd; do
		unchanged "$how.cut" img import --as rootfs $how.cut
		run img import --as rootfs $how.good
		ok
		# A second archive in the same stream lies behind the first one's end, where no reader looks.
		run img import --as rootfs $how.twice
		[ -z "$(find "$STORE/layers" -name hidden)" ]
	done
}

@test "a blob that was changed in the store is noticed, and the image is not used" {
	lying good pass
	img import --name x good
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' > seccomp.json
	run img bundle x b --seccomp seccomp.json
	ok
	config="$STORE/blobs/sha256/$(jq -r .config.digest[7:] "$STORE/blobs/sha256/$(img inspect x | jq -r .digest[7:])")"
	sed -i 's|/bin/sh|/bin/sx|' "$config"
	fails_with 'damaged in the store' img bundle x b --seccomp seccomp.json
	fails_with 'damaged in the store' img gc
}
