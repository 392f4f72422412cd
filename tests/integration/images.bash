# What the tests of carrel-image share: a store and a scratch directory each, archives made by mkimage.py.
#
#   img COMMAND...       carrel-image with this test's store
#   mk << 'PY' ... PY    Python in $WORK with everything of mkimage.py
#   victim_setup         images_setup, a directory outside the store to attack, and control/ for a careless program
#   only_layer           the root directory of the store's only layer
#   unchanged TEXT COMMAND...  refused with this text, the store is as before; in every format of $IMG_FORMATS
#   both import ARGS...        succeeds with directories in $STORE and with EROFS images in $STORE.erofs, and both hold the same
#   caught CONDITION HOLD COMMAND...   the command in the background, $pid, held by HOLD while CONDITION was true; output in ./out
#   with_mounts STORE COMMAND...   runs it where each EROFS layer of this store is mounted at HEX/root beside it

load "${BASH_SOURCE[0]%/*}/assert.bash"

IMAGES_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CARREL_BIN=${CARREL_BIN:-$(cd "$IMAGES_DIR/../.." && pwd)/build/bin}
IMAGE=$CARREL_BIN/carrel-image

images_setup() {
	[ -x "$IMAGE" ] || { echo "no $IMAGE: build it first, or set CARREL_BIN" && return 1; }
	[ "$(id -u)" = 0 ] || skip "needs root"
	WORK=$BATS_TEST_TMPDIR
	STORE=$WORK/store
	cd "$WORK" || return 1
}

# Attacks on the unpacker are carried out on both of its ways to write a layer.
both_formats() {
	IMG_FORMATS='dir erofs'
}

victim_setup() {
	images_setup
	both_formats
	mkdir victim control
	echo secret > victim/secret
	export VICTIM=$WORK/victim
}

need() {
	command -v "$1" > /dev/null || skip "needs $1"
}

# IMG_FORMAT: how layers are made by it, where the command does not say so.
img() {
	local format=()
	case $1 in import | pull) [ -z "${IMG_FORMAT:-}" ] || format=(--format "$IMG_FORMAT") ;; esac
	timeout "${IMG_TIMEOUT:-120}" "$IMAGE" --store "$STORE" "$1" "${format[@]}" "${@:2}"
}

mk() {
	{ printf 'from mkimage import *\n' && cat; } | (cd "$WORK" && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$IMAGES_DIR python3 -)
}

only_layer() {
	local all=("$STORE"/layers/*/root)
	[ ${#all[@]} = 1 ] || { echo "${#all[@]} layers" && return 1; }
	echo "${all[0]}"
}

contents() {
	find "$STORE" -mindepth 1 ! -name lock ! -name index.lock -printf '%P %y %s\n' | sort
	cat "$STORE/index.json"
}

# One that got away, for this machine was busy elsewhere, is done again with the store as it was.
caught() {
	local condition=$1 hold=$2 before=$WORK/store.caught
	shift 2
	rm -rf "$before" && cp -a "$STORE" "$before"
	for _ in $(seq 50); do
		"$@" > out 2>&1 3>&- &
		pid=$!
		until eval "$condition" || gone "$pid"; do sleep 0.01; done
		if eval "$hold" && eval "$condition"; then return 0; fi
		kill -9 "$pid" || :
		wait "$pid" || :
		wait_for 'img ls > /dev/null; [ -z "$(ls -A "$STORE/tmp")" ]'
		rm -rf "$STORE" && cp -a "$before" "$STORE"
	done 2> /dev/null
	echo "50 times it was quicker than this test: $*" && return 1
}

unchanged() {
	local text=$1 before IMG_FORMAT
	shift
	img ls > /dev/null
	before=$(contents)
	for IMG_FORMAT in ${IMG_FORMATS:-''}; do fails_with "$text" "$@" || return 1; done
	[ "$(contents)" = "$before" ] || { echo "the store has changed:" && diff <(echo "$before") <(contents) && return 1; }
}

with_mounts() {
	local images=$1 layer
	shift
	for layer in "$images"/layers/*; do mkdir -p "$layer/root"; done
	images=$images unshare -m bash -ec '
		for layer in "$images"/layers/*; do mount -t erofs -o ro,loop "$layer/layer.erofs" "$layer/root"; done
		"$@"' - "$@"
	local status=$?
	rmdir "$images"/layers/*/root
	return $status
}

# Every layer of both stores, entry by entry. Times of what no entry describes are those of its making.
same_layers() {
	local layer
	for layer in "$STORE.erofs"/layers/*; do
		python3 "$IMAGES_DIR/treecmp.py" "$STORE/layers/${layer##*/}/root" "$layer/root" --no-dir-times --empty || return 1
	done
}

both() {
	rm -rf "$STORE.erofs"
	IMG_FORMAT=erofs STORE=$STORE.erofs run img "$@"
	ok || return 1
	IMG_FORMAT=dir run img "$@"
	ok || return 1
	export -f same_layers
	export STORE IMAGES_DIR
	with_mounts "$STORE.erofs" same_layers > same.log 2>&1 || { echo 'the formats differ:' && cat same.log && return 1; }
}
