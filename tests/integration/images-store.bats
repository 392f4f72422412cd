# carrel-image: a store that many use at once, and that others than its owner may read.
load images

setup() {
	images_setup
	pid=
}

teardown() {
	[ -z "$pid" ] || kill -9 "$pid" 2> /dev/null || true
	[ -z "${shared:-}" ] || rm -rf "$shared"
}

@test "gc beside an import that uses what no image names: it stays" {
	mk << 'PY'
base = layer([f('base', 'x' * 1000)])
oci('one', [(base, 'gzip')], name='one')
oci('two', [(base, 'gzip'), layer([f(f'd{i % 50}/f{i}', 'x' * 2000) for i in range(8000)])], name='two')
PY
	img import one
	img rm one
	layer=$(basename "$(dirname "$(only_layer)")")
	caught '[ -d "$STORE"/tmp/*/layers/partial.*/root/d1 ]' 'kill -STOP $pid' "$IMAGE" --store "$STORE" import two
	run img gc --dry-run
	ok
	jq -e '.layers == 0 and .blobs == 2' <<< "$output" # the manifest and the configuration of one
	[ "$(find "$STORE/blobs" -type f | wc -l)" = 3 ]
	run img gc
	ok
	jq -e '.layers == 0 and .blobs == 2' <<< "$output"
	[ -e "$STORE/layers/$layer/root/base" ]
	[ "$(find "$STORE/tmp" -name d1 | wc -l)" = 1 ]
	kill -CONT $pid
	wait $pid || { cat out; return 1; }
	pid=
	[ -e "$STORE/layers/$layer/root/base" ]
	[ "$(img gc | jq -c '[.blobs, .layers]')" = '[0,0]' ]
	[ "$(img ls --format json | jq -c 'map(.name)')" = '["two"]' ]
}

@test "Ctrl-C, and being asked to end: nothing of an import or an export stays, at once" {
	mk << 'PY'
oci('l', [(layer([f(f'd{i % 50}/f{i}', os.urandom(1000)) for i in range(8000)]), 'gzip')], name='x')
PY
	local sig code
	ended() {
		kill -$1 $pid
		kill -CONT $pid
		code=0
		wait $pid || code=$?
		pid=
		[ $code = $((128 + $(kill -l $1))) ]
		[ -z "$(ls -A "$STORE/tmp")" ]
	}
	img ls > /dev/null
	for sig in INT TERM HUP; do
		caught '[ -d "$STORE"/tmp/*/layers/partial.*/root/d1 ]' 'kill -STOP $pid' env --default-signal "$IMAGE" --store "$STORE" import l
		ended $sig
		[ "$(img ls --format json)" = '[]' ]
		free_of "^$IMAGE --store $STORE"
	done
	# Who is told to ignore hang-ups does.
	caught '[ -d "$STORE"/tmp/*/layers/partial.*/root/d1 ]' 'kill -STOP $pid' nohup "$IMAGE" --store "$STORE" import l
	kill -HUP $pid
	kill -CONT $pid
	wait $pid
	[ "$(img ls --format json | jq length)" = 1 ]
	# A try that was quicker leaves its archive.
	stopped() {
		kill -STOP $pid || return 1
		until grep -q '^State:.T' /proc/$pid/status; do
			! gone $pid || return 1
			sleep 0.01
		done
		rm -f out.tar
	}
	caught '[ -s out.tar.partial ]' stopped env --default-signal "$IMAGE" --store "$STORE" export x out.tar
	ended INT
	[ -z "$(find . -name 'out.tar*')" ]
}

@test "what a killed writer of the index has left goes with the next change" {
	mk <<< "oci('one', [layer([f('a', '')])], name='one')"
	img ls > /dev/null
	echo '{' > "$STORE/.tmp.0123456789abcdef"
	img import one
	[ "$(find "$STORE" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)" = 'blobs index.json index.lock layers lock mountpoints oci-layout tmp' ]
}

@test "a damaged index.json: every command says so, and nothing goes" {
	mk <<< "oci('one', [layer([f('a', '')])], name='one')"
	img import one
	cp "$STORE/index.json" copy
	for text in '' '{"schemaVersion":2,"manifests":[' '{"schemaVersion":2,"manifests":[{"mediaType":"x/y","digest":"sha256:'"$(printf %064d 0)"'","size":1}]}'; do
		printf %s "$text" > "$STORE/index.json"
		find "$STORE" | sort > before
		for command in ls gc verify du 'import one' 'rm one' 'tag one two' 'inspect one'; do
			fails_with "image store $STORE: index.json: " img $command
			[[ $output != *'image store '*'image store '* ]] || { echo "$output" && return 1; }
		done
		find "$STORE" | sort | diff before -
	done
	rm "$STORE/index.json"
	fails_with "image store $STORE: index.json: No such file or directory; nothing is removed while it is so" img gc
	mv copy "$STORE/index.json"
	[ "$(img verify | grep -c ': 0 broken')" = 1 ]
}

@test "a store of another version, and a directory that is none, are left alone" {
	mk <<< "oci('one', [layer([f('a', '')])], name='one')"
	img import one
	for text in '{"imageLayoutVersion":"2.0.0"}' nonsense ''; do
		cp -a "$STORE" other
		echo "$text" > other/oci-layout
		find other | sort > before
		for command in ls 'import one' gc 'rm one'; do
			STORE=other fails_with 'image store other: oci-layout: ' img $command
		done
		find other | sort | diff before -
		rm -rf other
	done
	# Another writer's way to say 1.0.0 is as good.
	echo '{ "imageLayoutVersion": "1.0.0" }' > "$STORE/oci-layout"
	[ "$(img ls --quiet | wc -l)" = 1 ]
	mkdir -m 700 mine empty
	touch mine/file
	STORE=mine fails_with 'image store mine: it is no image store, and not empty (it holds file)' img ls
	STORE=mine fails_with 'it is no image store' img import one
	[ "$(ls -A mine)" = file ]
	STORE=empty run img ls
	ok
	# What a killed maker has left is finished.
	rm empty/oci-layout empty/index.json
	touch empty/.tmp.0123456789abcdef
	STORE=empty run img import one
	ok
}

as_other() {
	setpriv --reuid 65534 --regid 65534 --clear-groups env --chdir=/ "$@"
}

@test "a shared store: others list, inspect and bundle, and change nothing; never with setuid" {
	mk <<< "oci('one', [layer([f('bin/su', 'x', mode=0o4755), f('etc/passwd', 'me:x:7:7::/home/me:/bin/sh')])], name='one')"
	shared=$(mktemp -d)
	chmod 755 "$shared"
	cp "$IMAGE" "$shared/image"
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' > "$shared/seccomp.json"
	chmod 644 "$shared/seccomp.json"
	cat > run.sh << 'SH'
set -eux
mkdir "$1/m"
mount -t tmpfs -o nosuid,mode=700 none "$1/m"
image="$1/image --store $1/m/s"
$image import one
chmod 755 "$1/m"
other() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
! other $image ls
$image share --group "$(stat -c %G /etc/passwd)"
[ "$(stat -c %a "$1/m/s")" = 750 ]
! other $image ls
setpriv --reuid 65534 --regid 0 --clear-groups $image ls
$image share --all
other $image ls --format json | jq -e '.[0].name == "one"'
other $image inspect one > /dev/null
mkdir -m 777 "$1/out"
other $image bundle one "$1/out/b" --seccomp "$1/seccomp.json" --user me
jq -e '.process.user.uid == 7' "$1/out/b/config.json"
other test -r "$(jq -r '.layers[0]' "$1/out/b/rootfs.json")/etc/passwd"
for change in 'rm one' gc 'import one' 'share --off'; do
	! other $image $change 2> "$1/said"
	grep -q 'belongs to user 0; others may read it only' "$1/said"
done
! other ls "$1/m/s/tmp"
! other cat "$1/m/s/lock"
! other cat "$1/m/s/index.lock"
# What comes later can be read as well.
$image import --name two one
other $image inspect two > /dev/null
$image share --off
! other $image ls
# Neither writers nor setuid.
chmod 770 "$1/m/s"
! $image rm two 2> "$1/said"
grep -q 'chmod go-w' "$1/said"
chmod 700 "$1/m/s"
mount -o remount,suid "$1/m"
! $image share --all 2> "$1/said"
grep -q 'mount it nosuid' "$1/said"
[ "$(stat -c %a "$1/m/s")" = 700 ]
chmod 755 "$1/m/s"
! $image rm two 2> "$1/said"
grep -q 'mount it nosuid' "$1/said"
SH
	# set -e does not see what "!" turns round: such a line has to be the last word.
	sed -i 's/^\(\t*\)! \(.*\)$/\1if \2; then exit 9; fi/' run.sh
	run timeout 60 unshare -m bash run.sh "$shared"
	ok
	run img share
	fails_with 'one of --group' img share
	fails_with 'not in /etc/group' img share --group nosuchgroup
}
