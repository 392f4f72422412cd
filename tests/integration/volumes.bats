#!/usr/bin/env bats
# carrel-image volume: directories with a hard limit of bytes and inodes, made, grown and removed by processes that may die.

bats_require_minimum_version 1.5.0
load images
load volumes

setup() {
	images_setup
	need mkfs.ext4
	VOLUMES=$WORK/volumes
	rounds=${VOLUME_ROUNDS:-1}
}

teardown() {
	umount "$WORK/small" 2> /dev/null || true
}

# What is in the directory but volumes.
residue() { find "$VOLUMES" -mindepth 1 \( -path '*/.tmp/*' -o -name '.tmp.*' \) -print; }

@test "made, listed, looked at, removed" {
	vol create --size 4Mi one
	vol create --size 8Mi --inodes 100 two
	[ "$(vol ls | awk 'NR > 1 { print $1, $2, $3 }' | tr '\n' ,)" = 'one loop 4.0,two loop 8.0,' ]
	[ "$(vol ls --format json | jq -c 'map([.name, .size, .in_use, .growing])')" = '[["one",4194304,false,false],["two",8388608,false,false]]' ]
	[ "$(vol_field two '"\(.used) \(.used_inodes)"')" = '0 0' ]
	[ "$(vol_field two .inodes)" -ge 100 ]
	[ "$(stat -c %a "$VOLUMES" "$VOLUMES/one" "$VOLUMES/one/disk.img" | tr '\n' ' ')" = '700 700 600 ' ]
	in_shell one '[ -z "$(ls -A "$M")" ] && echo kept > "$M/file"'
	[ "$(vol_field one '"\(.used) \(.used_inodes)"')" = '4096 1' ]
	vol rm one
	[ "$(vol ls --format json | jq -c 'map(.name)')" = '["two"]' ]
	[ -z "$(residue)" ]
	no_devices
}

@test "refused: a name, a size, a second of the name, a foreign directory; each says why" {
	local name
	vol create --size 4Mi a
	for name in .a ../a a/b '' -- "$(printf 'x%.0s' $(seq 65))"; do
		fails_with 'no name of a volume' vol create --size 4Mi -- "$name"
	done
	vol create --size 4Mi "$(printf 'x%.0s' $(seq 64))" # the control
	fails_with 'sizes are multiples of 4096 from 4Mi to 16Ti' vol create --size 4095Ki b
	fails_with 'sizes are multiples of 4096' vol create --size 4194305 b
	fails_with 'sizes are multiples of 4096' vol create --size 17Ti b
	fails_with '--size: missing; a volume without a limit is not to be had' vol create b
	fails_with 'inodes: 16 to one for each 1024 bytes' vol create --size 4Mi --inodes 15 b
	fails_with '"disk" is none of loop, quota' vol create --size 4Mi --kind disk b
	fails_with 'there is one of this name' vol create --size 4Mi a
	vol create --size 16Mi --if-missing a
	[ "$(vol_field a .size)" = 4194304 ]
	run vol rm nobody
	ends 3 'there is no such volume'
	fails_with '"mount" is none of create' vol mount a
	chmod 755 "$VOLUMES"
	fails_with 'it has to be the caller'"'"'s own with mode 0700' vol ls
	chmod 700 "$VOLUMES"
	[ "$(vol ls | wc -l)" = 3 ]
}

@test "loop: filled to the byte by a user, and to the last inode" {
	vol create --size 16Mi --inodes 64 v
	[ "$(in_shell v 'fill "$M"')" = 16777216 ]
	[ "$(vol_field v .used)" = 16777216 ]
	in_shell v 'rm "$M/full"'
	# The control: as the host's root more fits, so it is the limit and not the device that ends it.
	inside v bash -ec 'dd if=/dev/zero of="$M/full" bs=4k 2> /dev/null || true; [ "$(stat -c %s "$M/full")" -gt 16777216 ]; rm "$M/full"'
	inodes=$(vol_field v .inodes)
	[ "$inodes" -ge 64 ] && [ "$inodes" -le 96 ]
	[ "$(in_shell v 'as_user sh -c "i=0; while true > \$M/\$i; do i=\$((i + 1)); done 2> /dev/null; ls \$M | wc -l" || true')" = "$inodes" ]
	[ "$(vol_field v .used_inodes)" = "$inodes" ]
	no_devices
}

@test "loop: many files take blocks for their directories, and the sum is the limit" {
	vol create --size 4Mi v
	cat > many.py << 'PY'
import os, sys
os.mkdir(sys.argv[1] + "/d")
for i in range(100000):
    try:
        with open("%s/d/%d" % (sys.argv[1], i), "wb", 0) as f:
            f.write(bytes(4096))
    except OSError as e:
        sys.exit(e.errno != 28)
PY
	in_shell v 'as_user /usr/bin/python3 - "$M" < "$WORK/many.py"
		[ $(($(du -s --block-size=1 "$M" | cut -f 1) - 4096)) = 4194304 ]'
	[ "$(vol_field v .used)" = 4194304 ]
}

@test "grown: what is in it stays, the new limit is as exact; made smaller: refused" {
	vol create --size 4Mi v
	in_shell v 'echo kept > "$M/file"; fill "$M" > /dev/null; sha256sum "$M/full" > "$WORK/sum"'
	vol resize --size 20Mi v
	[ "$(vol_field v .size)" = 20971520 ]
	in_shell v 'sha256sum -c "$WORK/sum" > /dev/null; [ "$(cat "$M/file")" = kept ]; chown -R 1000 "$M/"*; rm "$M/full"; [ "$(fill "$M")" = $((20971520 - 4096)) ]'
	# Full, and grown over a group of blocks.
	vol resize --size 140Mi v
	[ "$(vol_field v .used)" = 20971520 ]
	[ "$(in_shell v 'stat -f -c "%a %S" "$M"')" = "$(((140 - 20) * 256)) 4096" ]
	fails_with 'volumes do not shrink' vol resize --size 100Mi v
	fails_with 'sizes are multiples of 4096' vol resize --size 209715201 v
	e2fsck -fn "$VOLUMES/v/disk.img" > /dev/null 2>&1
	no_devices
}

@test "in use: not removed, not grown, not measured, and said by whom" {
	vol create --size 4Mi v
	echo 'sandbox abc' > "$VOLUMES/v/user"
	flock --exclusive --no-fork "$VOLUMES/v/disk.img" sleep 100 3>&- &
	eventually eval '! flock --nonblock --exclusive "$VOLUMES/v/disk.img" true'
	for action in rm 'resize --size 8Mi'; do
		run vol $action v
		ends 4 'volume v: sandbox abc uses it, and one at a time may; end that first'
	done
	[ "$(vol_field v '"\(.in_use) \(.used)"')" = 'true null' ]
	vol ls | grep -q 'in use'
	kill %1
	wait || true
	eventually flock --nonblock --exclusive "$VOLUMES/v/disk.img" true
	[ "$(vol_field v '"\(.in_use) \(.used)"')" = 'false 0' ]
	vol rm v
}

@test "a full disk: an error with a remedy, and nothing is left; sparse is another matter" {
	mkdir small
	mount -t tmpfs -o size=12M tmpfs small
	VOLUMES=$WORK/small/v
	fails_with 'MiB of the disk aside: No space left on device; make room, make the volume smaller, or sparse' vol create --size 16Mi v
	[ -z "$(ls "$VOLUMES")" ] && [ -z "$(residue)" ]
	vol create --size 16Mi --sparse v
	[ "$(stat -c %b "$VOLUMES/v/disk.img")" -lt 8192 ]
	VOLUMES=$WORK/volumes
	vol create --size 16Mi v
	[ "$(($(stat -c %b "$VOLUMES/v/disk.img") * 512))" -ge 16777216 ]
}

@test "without mke2fs, tune2fs or loop devices: an error that names what is missing" {
	mkdir empty
	run unshare -m bash -ec 'mount --bind empty /usr/sbin; "$@"' - "$IMAGE" volume --volumes "$VOLUMES" create --size 4Mi v
	ends 1 'mke2fs: not installed; the package e2fsprogs has it'
	: > no-device
	run unshare -m bash -ec 'mount --bind no-device /dev/loop-control; "$@"' - "$IMAGE" volume --volumes "$VOLUMES" create --size 4Mi v
	ends 1 'loop'
	[ -z "$(ls "$VOLUMES")" ] && [ -z "$(residue)" ]
}

# Ends the command at its N-th system call, or makes that call fail.
step() { timeout 60 "$CARREL_BIN/../tests/crash/step" --report "$WORK/report" "$@"; }

# Whole or absent: what is listed can be looked at and removed, and nothing else is there.
valid() {
	[[ $(vol ls --format json | jq -c 'map(.name)') =~ ^(\[\]|\[\"v\"\])$ ]] || { vol ls; return 1; }
	[ -z "$(residue)" ] || { echo "left: $(residue)" && return 1; }
	if [ -d "$VOLUMES/v" ]; then whole v || return 1; fi
	[ "$(find "$VOLUMES" -mindepth 1 ! -name .tmp | wc -l)" = 0 ] || { find "$VOLUMES" && return 1; }
	no_devices
}

whole() {
	if [ "$(vol_field "$1" .growing)" = true ]; then vol resize --size 8Mi "$1" || return 1; fi
	e2fsck -fn "$VOLUMES/$1/disk.img" > e2fsck.log 2>&1 || { cat e2fsck.log && return 1; }
	same "$(in_shell "$1" 'fill "$M"')" "$(vol_field "$1" .size)" && vol rm "$1"
}

calls_of() { # ACTION...: how many system calls it makes
	step -- "$IMAGE" volume --volumes "$VOLUMES" "$@" > /dev/null
	sed -n 's/^end //p' "$WORK/report"
}

sweep() { # OPTION... : `create`, `resize` and `rm`, each broken at random calls
	local n i create=(create --size 4Mi v) resize=(resize --size 8Mi v) rm=(rm v)
	local calls_create calls_resize calls_rm
	calls_create=$(calls_of "${create[@]}")
	calls_resize=$(calls_of "${resize[@]}")
	calls_rm=$(calls_of "${rm[@]}")
	for ((i = 0; i < rounds; i++)); do
		n=$((RANDOM % calls_create + 1))
		step --at $n "$@" -- "$IMAGE" volume --volumes "$VOLUMES" "${create[@]}" > /dev/null 2>&1 || true
		valid || { echo "create, call $n of $calls_create: $(cat report)" && return 1; }
		n=$((RANDOM % calls_resize + 1))
		vol create --size 4Mi v
		step --at $n "$@" -- "$IMAGE" volume --volumes "$VOLUMES" "${resize[@]}" > /dev/null 2>&1 || true
		valid || { echo "resize, call $n of $calls_resize: $(cat report)" && return 1; }
		n=$((RANDOM % calls_rm + 1))
		vol create --size 4Mi v
		step --at $n "$@" -- "$IMAGE" volume --volumes "$VOLUMES" "${rm[@]}" > /dev/null 2>&1 || true
		valid || { echo "rm, call $n of $calls_rm: $(cat report)" && return 1; }
	done
}

@test "killed at random calls of create, resize and rm: whole or absent, and gc leaves nothing else" {
	sweep
}

@test "calls that fail: it worked or it did not, and nothing else" {
	[ -z "${CARREL_SAN:-}" ] || skip "the sanitizer's own calls would fail too, and it reports that"
	local errno errors=(ENOSPC EIO EPERM)
	for errno in ${VOLUME_ROUNDS:+"${errors[@]}"} "${errors[RANDOM % 3]}"; do sweep --errno $errno; done
}

@test "the control: residue is seen" {
	vol create --size 4Mi v
	mkdir "$VOLUMES/.tmp/left"
	[ -n "$(residue)" ]
	flock "$VOLUMES/.tmp/left" "$IMAGE" volume --volumes "$VOLUMES" gc
	[ -d "$VOLUMES/.tmp/left" ] # its owner lives
	vol gc
	[ -z "$(residue)" ]
	# What a killed writer leaves in a volume itself; not while somebody may be writing.
	: > "$VOLUMES/v/.tmp.0123456789abcdef"
	flock "$VOLUMES/v" "$IMAGE" volume --volumes "$VOLUMES" gc
	[ -n "$(residue)" ]
	vol gc
	[ -z "$(residue)" ]
	mkdir "$VOLUMES/stray"
	run ! valid
}

@test "a resize that was cut short: not to be used until it is done again" {
	vol create --size 4Mi v
	jq -c '.growing = true' "$VOLUMES/v/volume.json" > "$WORK/json"
	cp "$WORK/json" "$VOLUMES/v/volume.json"
	vol ls | grep -q growing
	[ "$(vol_field v .used)" = null ]
	vol resize --size 4Mi v
	[ "$(vol_field v '"\(.growing) \(.used)"')" = 'false 0' ]
	[ "$(in_shell v 'fill "$M"')" = 4194304 ]
}
