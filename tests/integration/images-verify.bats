# carrel-image: what is in the store, and whether it still is what it was.
load images

setup() {
	images_setup
	mk << 'PY'
base = layer([d('./'), d('./etc'), f('./etc/passwd', 'root:x:0:0::/root:/bin/sh\n', mtime=7), h('etc/link', 'etc/passwd'), d('gone'),
              f('big', 'z' * 300000, xattrs={'user.note': 'kept'}), s('to', 'etc/passwd')])
top = layer([f('.wh.gone', ''), d('etc'), f('etc/.wh..wh..opq', ''), f('etc/new', '4')])
history = [{'created': '2026-01-01T00:00:00Z', 'created_by': 'ADD base'}, {'created_by': 'ENV a=b', 'empty_layer': True},
           {'created_by': 'RUN \x1b[31mtop', 'comment': 'last'}]
def lie(step, parts):
    if step == 'config':
        parts['config']['history'] = history
oci('two', [(base, 'gzip'), (top, 'zstd')], name='two', lie=lie)
oci('one', [(base, 'gzip')], name='one')
PY
	img import two > two.digest
	img import one > one.digest
}

layer_with() {
	local all=("$STORE"/layers/*/root/"$1")
	echo "${all[0]%/root/"$1"}"
}

# broken OBJECT TEXT: verify finds this and nothing else.
broken() {
	run img verify --format json
	[ "$status" -eq 2 ] || { printf 'status %s:\n%s\n' "$status" "$output" && return 1; }
	jq -se --arg o "$1" --arg w "$2" '.[0] | (.object | startswith($o)) and (.broken | contains($w)) and .repair == null' <<< "$output" || { echo "$output" && return 1; }
	jq -se 'length == 2 and .[-1].broken == 1' <<< "$output" || { echo "$output" && return 1; }
}

repaired() {
	run img verify --repair
	ok
	says '(unpacked again)'
	[[ $(img verify) == *': 0 broken, 0 of them repaired' ]]
}

@test "a sound store is sound, and looking at it changes nothing" {
	before=$(contents)
	run img verify
	ok
	[[ $output == '6 blobs ('*' KiB), 2 layers, 2 images: 0 broken, 0 of them repaired' ]]
	[ "$(contents)" = "$before" ]
}

@test "verify sees every kind of damage to a layer, and repairs it" {
	base=$(layer_with big) top=$(layer_with etc/new)
	printf x | dd of="$base/root/big" bs=1 seek=200000 conv=notrunc status=none
	touch -d @0 "$base/root/big"
	broken layer 'big: '
	repaired
	# The same time and size: only the content tells.
	cp --preserve=timestamps "$base/root/big" ref
	printf x | dd of="$base/root/big" bs=1 seek=200000 conv=notrunc status=none
	touch -r ref "$base/root/big"
	broken layer 'big: another content'
	repaired
	chmod 4755 "$base/root/big"
	broken layer 'big: another mode'
	repaired
	chown 7 "$base/root/etc"
	broken layer 'etc: another owner'
	repaired
	: > "$base/root/etc/more"
	broken layer 'etc/more: one too many'
	repaired
	rm "$base/root/etc/passwd"
	broken layer 'etc/link: another number of links'
	repaired
	rm "$base/root/etc/link" && cp -p "$base/root/etc/passwd" "$base/root/etc/link" && ln "$base/root/etc/link" ref2 && ln "$base/root/etc/passwd" ref3
	broken layer 'etc/passwd: a link to another file'
	repaired
	ln -sfn elsewhere "$base/root/to"
	touch -hd @0 "$base/root/to"
	broken layer 'to: another '
	repaired
	python3 -c "import os, sys; os.setxattr(sys.argv[1], 'user.note', b'other')" "$base/root/big"
	broken layer 'big: user.note'
	repaired
	python3 -c "import os, sys; os.removexattr(sys.argv[1], 'trusted.overlay.opaque')" "$top/root/etc"
	broken layer 'etc: extended attributes'
	repaired
	rm "$top/root/gone"
	broken layer 'gone: missing'
	repaired
	echo '{}' > "$top/layer.json"
	broken layer 'layer.json: blob'
	run img verify --repair
	[ "$status" -eq 2 ] # nothing says what it came from
	rm -rf "$top"
	broken 'image two' 'not there'
	repaired
	[ -e "$(layer_with etc/new)" ] && [ -z "$(ls -A "$STORE/tmp")" ]
}

@test "a layer that a sandbox runs on is not exchanged" {
	base=$(layer_with big)
	exec 9< "$base/root"
	flock -s 9
	chmod 777 "$base/root/big"
	run img verify --repair
	[ "$status" -eq 2 ]
	says 'a sandbox runs on it'
	exec 9<&-
	repaired
}

@test "an EROFS layer that a sandbox runs on is not exchanged either" {
	STORE=$WORK/images
	img import --format erofs one > one.digest
	layer=$(echo "$STORE"/layers/*/layer.erofs)
	exec 9< "$layer"
	flock -s 9
	printf x | dd of="$layer" bs=1 seek=9000 conv=notrunc status=none
	run img verify --repair
	[ "$status" -eq 2 ]
	says 'the EROFS image has changed'
	says 'a sandbox runs on it'
	exec 9<&-
	repaired
}

@test "a broken blob is found, removed by repair, and comes back with an import" {
	blob=$(img inspect one | jq -r '.layers[0].blob')
	printf x | dd of="$blob" bs=1 seek=100 conv=notrunc status=none
	run img verify
	[ "$status" -eq 2 ]
	says "blob sha256:$(basename "$blob"): its content has the digest sha256:"
	says 'cannot be unpacked again'
	run img verify --repair
	[ "$status" -eq 2 ]
	[ ! -e "$blob" ]
	says 'import the image again to have it back'
	says 'image one: blob'
	img import one
	[[ $(img verify) == *': 0 broken'* ]]
	manifest=$STORE/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' two/index.json)
	echo >> "$manifest"
	run img ls
	[ "$status" -eq 1 ]
	says damaged && says one
	run img verify
	[ "$status" -eq 2 ]
	says 'image two: '
	img rm two && img gc > /dev/null && img import two
	[[ $(img verify) == *': 0 broken'* ]]
}

@test "tag, rm of several, ls --quiet" {
	img tag two other:1
	img tag "$(cat one.digest)" moved
	[ "$(img ls --quiet | sort)" = "$(sort one.digest two.digest)" ]
	img tag two moved
	[ "$(img inspect moved | jq -r .digest)" = "$(cat two.digest)" ]
	img rm other:1 moved one
	[ "$(img ls --format json | jq -c 'map(.name)')" = '["two"]' ]
	unchanged 'not in the store' img rm nosuch
	unchanged 'not in the store' img tag nosuch x
	unchanged 'image name' img tag two 'a b'
}

@test "inspect says where everything lies" {
	run img inspect two
	ok
	for path in $(jq -r '.layers[] | .blob, .root' <<< "$output"); do [ -e "$path" ]; done
	jq -e '.manifest.layers[1].mediaType | endswith("zstd")' <<< "$output"
	jq -e '.configuration.rootfs.diff_ids == (.layers | map(.diff_id))' <<< "$output"
	[ "$(jq '.layers[0].unpacked' <<< "$output")" = "$(zcat "$(jq -r '.layers[0].blob' <<< "$output")" | wc -c)" ]
}

@test "history puts steps and layers together, without a terminal's control characters" {
	run img history two --format json
	ok
	jq -e 'length == 3 and .[1].created_by == "ENV a=b" and .[1].size == null and .[2].created_by == "ADD base" and .[0].comment == "last"' <<< "$output"
	[ "$(jq -r '.[0].diff_id' <<< "$output")" = "$(img inspect two | jq -r '.layers[1].diff_id')" ]
	run img history two
	ok
	says 'RUN  [31mtop: last'
	[[ $output != *$'\e'* ]]
	run img history one
	ok
	[ "${#lines[@]}" = 2 ]
}

@test "du: what is shared, what is an image's own, what gc would free" {
	run img du --format json
	ok
	jq -e '.unused == 0 and (.images | length == 2 and all(.total == .own + .shared) and .[0].shared == .[1].shared)' <<< "$output"
	shared=$(jq '.images[0].shared' <<< "$output") total=$(jq .total <<< "$output")
	[ "$shared" -gt 300000 ]
	[ "$total" = "$(jq '.images[0].shared + (.images | map(.own) | add)' <<< "$output")" ]
	[ "$total" = "$(find "$STORE/blobs" "$STORE/layers" -mindepth 1 ! -name sha256 ! -name sha512 -printf '%i %b\n' | sort -u | awk '{ n += $2 * 512 } END { print n }')" ]
	img tag two again
	[ "$(img du --format json | jq -c '[.images[] | [.own, .shared]] | unique | length')" = 2 ]
	img rm two again
	run img du
	ok
	[[ ${lines[1]} == one* && ${lines[1]} == *' 0.0 KiB '* ]]
	# Small images have sizes, too.
	[[ ! ${lines[1]} =~ \ 0\.0\ KiB$ && ${lines[1]} =~ \ [0-9.]+\ KiB$ ]]
	[[ $(img ls) =~ one\ +[0-9a-f]{12}\ +[1-9][0-9.]*\ KiB ]]
	[ "$(img du --format json | jq '.unused > 0 and .images[0].shared == 0')" = true ]
	img gc > /dev/null
	[ "$(img du --format json | jq .unused)" = 0 ]
}

@test "repair: a blob that cannot be read is told of and stays" {
	mk <<< "oci('l', [layer([f('a', '1')])], name='x')"
	img import --name x l
	blob=$(img inspect x | jq -r '.layers[0].blob')
	# A read fails, the open does not.
	mv "$blob" kept
	mkdir "$blob"
	run img verify --repair
	[ "$status" = 2 ]
	[[ $output = *'left alone, as it cannot be read; mend the disk'* ]]
	[ -d "$blob" ]
	rmdir "$blob"
	mv kept "$blob"
	img verify
	# The control: one that reads as something else goes.
	printf x >> "$blob"
	run img verify --repair
	[[ $output = *'removed; import the image again'* ]]
	[ ! -e "$blob" ]
}
