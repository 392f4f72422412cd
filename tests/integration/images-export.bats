# carrel-image export, and import --all of what several images were put into.
load images

setup() { images_setup; }

two_images() {
	mk << 'PY'
base = layer([d('./'), f('./a', 'x' * 5000)])
oci('one', [(base, 'gzip')], name='r.example/one:1')
oci('two', [(base, 'gzip'), (layer([f('b', 'y')]), 'zstd')], name='r.example/two:2')
PY
	img import one
	img import two
	img import --name r.example/alias:1 one
}

@test "the same images make the same bytes, and come back with digests, names and layers" {
	two_images
	for what in oci: oci:l/ docker:; do
		format=${what%%:*} to=${what#*:}
		img export -f "$format" r.example/one:1 r.example/alias:1 r.example/two:2 "first$format${to:-.tar}"
		sleep 1
		img export -f "$format" r.example/one:1 r.example/alias:1 r.example/two:2 "second$format${to:-.tar}"
		diff -r "first$format${to:-.tar}" "second$format${to:-.tar}"
		STORE=$WORK/back run img import --all "first$format${to:-.tar}"
		ok
		STORE=$WORK/back run img ls --format json
		ok
		jq -e 'map(.name) | sort == ["r.example/alias:1", "r.example/one:1", "r.example/two:2"]' <<< "$output"
		diff <(ls "$STORE/layers") <(ls "$WORK/back/layers")
		[ "$format" = docker ] || diff <(img ls --format json | jq -c 'map([.name, .digest]) | sort') <(jq -c 'map([.name, .digest]) | sort' <<< "$output")
		rm -rf "$WORK/back"
	done
	[ -z "$(find . -name '*.partial')" ]
}

@test "skopeo reads both formats; several images need --ref or --all" {
	need skopeo
	two_images
	img export r.example/one:1 r.example/two:2 o.tar
	img export -f docker r.example/one:1 r.example/alias:1 d.tar
	[ "$(skopeo inspect --raw oci-archive:o.tar:r.example/two:2 | sha256sum | cut -c1-64)" = "$(jq -r '.manifests[0].digest[7:]' two/index.json)" ]
	[ "$(skopeo inspect --raw docker-archive:d.tar:r.example/alias:1 | jq '.layers | length')" = 1 ]
	STORE=$WORK/back fails_with 'it holds several images' img import o.tar
	STORE=$WORK/back fails_with '--all takes all names as they are' img import --all --name x o.tar
	STORE=$WORK/back run img import --ref r.example/two:2 o.tar
	ok
}

@test "a docker-archive has tags that everybody takes" {
	two_images
	img tag r.example/one:1 plain
	img tag r.example/one:1 r.example:5000/plain
	img export -f docker plain r.example:5000/plain r.example/one:1 d.tar
	[ "$(tar -xOf d.tar manifest.json | jq -c 'map(.RepoTags)')" = '[["plain:latest","r.example:5000/plain:latest","r.example/one:1"]]' ]
	img tag r.example/one:1 Upper
	fails_with "'Upper' is no repository" img export -f docker Upper u.tar
	says 'a docker-archive cannot have this name'
	[ -z "$(find . -maxdepth 1 -name 'u.tar*')" ]
	img export Upper u.tar
	if command -v skopeo > /dev/null; then skopeo inspect --raw docker-archive:d.tar:r.example:5000/plain:latest > /dev/null; fi
}

@test "- is standard output and input, but no terminal" {
	two_images
	img export r.example/one:1 o.tar
	img export r.example/one:1 - > piped.tar
	cmp o.tar piped.tar
	[ ! -e - ]
	[ "$(img import --name again - < piped.tar)" = "$(img inspect again | jq -r .digest)" ]
	[ "$(cat piped.tar | img import --name again -)" = "$(img inspect r.example/one:1 | jq -r .digest)" ]
	run script -qec "'$IMAGE' --store '$STORE' export r.example/one:1 -" /dev/null
	says 'standard output is a terminal; name a file'
}

@test "nothing half-written stays, nothing that is there is mixed with it" {
	two_images
	mkdir full && touch full/x
	fails_with 'the directory is not empty' img export r.example/one:1 full
	fails_with 'not in the store' img export none x.tar
	fails_with 'Write error: No space left on device' img export r.example/two:2 /dev/full
	fails_with 'is none of oci, docker' img export -f zip r.example/one:1 x.tar
	blob=$(jq -r '.layers[0].digest[7:]' "one/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' one/index.json)")
	printf x | dd of="$STORE/blobs/sha256/$blob" conv=notrunc status=none
	echo before > x.tar
	fails_with 'the store is damaged' img export r.example/one:1 x.tar
	[ "$(cat x.tar)" = before ] && [ ! -e x.tar.partial ]
	mkdir empty
	for format in oci docker; do
		for to in empty made/; do
			fails_with 'the store is damaged' img export -f $format r.example/one:1 $to
			[ ! -e made ] && [ -z "$(ls -A empty)" ]
		done
	done
	img export r.example/two:2 /dev/stdout 2> /dev/null | head -c 10 > /dev/null || true
}
