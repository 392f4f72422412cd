# What the tests of carrel-image share: a store and a scratch directory each, archives made by mkimage.py.
#
#   img COMMAND...       carrel-image with this test's store
#   mk << 'PY' ... PY    Python in $WORK with everything of mkimage.py
#   victim_setup         images_setup, a directory outside the store to attack, and control/ for a careless program
#   only_layer           the root directory of the store's only layer
#   unchanged COMMAND... fails, and leaves no blob, layer, name or temporary file

load "${BASH_SOURCE[0]%/*}/assert.bash"

IMAGES_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CARREL_BIN=${CARREL_BIN:-$IMAGES_DIR/../../build/bin}
IMAGE=$CARREL_BIN/carrel-image

images_setup() {
	[ -x "$IMAGE" ] || { echo "no $IMAGE: build it first, or set CARREL_BIN" && return 1; }
	[ "$(id -u)" = 0 ] || skip "needs root"
	WORK=$BATS_TEST_TMPDIR
	STORE=$WORK/store
	cd "$WORK" || return 1
}

victim_setup() {
	images_setup
	mkdir victim control
	echo secret > victim/secret
	export VICTIM=$WORK/victim
}

need() {
	command -v "$1" > /dev/null || skip "needs $1"
}

img() {
	timeout "${IMG_TIMEOUT:-120}" "$IMAGE" --store "$STORE" "$@"
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

# unchanged TEXT COMMAND...: refused with this text, and the store is as before.
unchanged() {
	local text=$1 before
	shift
	img ls > /dev/null
	before=$(contents)
	fails_with "$text" "$@"
	[ "$(contents)" = "$before" ] || { echo "the store has changed:" && diff <(echo "$before") <(contents) && return 1; }
}
