#!/usr/bin/env bats
# `make install`: what it puts where, and that the programs find each other and their data there, with the source and build
# directories out of sight.

load sessiond.bash

setup_file() {
	sessiond_store
	mkdir -p "$BATS_FILE_TMPDIR/dest"
	make_install "$BATS_FILE_TMPDIR/dest"
}
setup() {
	sessiond_setup
	DEST=$BATS_FILE_TMPDIR/dest PREFIX=$BATS_FILE_TMPDIR/dest/opt/carrel
	BUILD=$(cd "$CARREL_BIN/.." && pwd)
}
teardown() { sessiond_teardown; }

make_install() { # DESTDIR
	env -u MAKEFLAGS make -s --no-print-directory -C "$TOP" O="$(cd "$CARREL_BIN/.." && pwd)" \
		${CARREL_SAN:+SAN=address,undefined} DESTDIR="$1" PREFIX=/opt/carrel install
}

# As on a machine that has only what was installed: empty directories lie over the build's and the sources'.
elsewhere() { # COMMAND...; sets the array ELSEWHERE
	mkdir -p "$WORK/empty"
	ELSEWHERE=(unshare --mount --propagation private sh -euc '
		for d in "$2" "$3/config" "$3/sessiond"; do mount --bind "$1" "$d"; done
		shift 3
		cd / && exec "$@"' elsewhere "$WORK/empty" "$BUILD" "$TOP" "$@")
}

@test "programs, data and man pages, below DESTDIR and PREFIX and nowhere else" {
	(cd "$DEST" && find . -type f -printf '%m %P\n' | sort -k2) > "$WORK/list"
	cat "$WORK/list"
	[ -z "$(grep -v ' opt/carrel/' "$WORK/list")" ]
	for p in carrel carrel-dialer carrel-image carrel-init carrel-relay carrel-runtime carrel-scan carrel-sessiond carrel-shim; do
		grep -qx "755 opt/carrel/bin/$p" "$WORK/list"
		"$PREFIX/bin/$p" --version > /dev/null || [ $p = carrel-init ]
		[ $p = carrel-init ] || grep -qE "^644 opt/carrel/share/man/man[18]/$p\.[18]$" "$WORK/list"
	done
	for c in create exec kill list spec; do
		grep -qx "644 opt/carrel/share/man/man8/carrel-runtime-$c.8" "$WORK/list"
	done
	for f in tiers.yaml policies.yaml seccomp.json web/index.html web/app.js images/default/recipe.yaml; do
		grep -qx "644 opt/carrel/share/carrel/$f" "$WORK/list"
	done
	[ "$(grep -c ' opt/carrel/bin/' "$WORK/list")" = 9 ]
	for f in carrel-dialer carrel-relay; do
		grep -qx "644 opt/carrel/share/carrel/systemd/$f.service" "$WORK/list"
		# The program is where it was installed.
		grep -q "^ExecStart=/opt/carrel/bin/$f" "$PREFIX/share/carrel/systemd/$f.service"
	done
	grep -qx '755 opt/carrel/libexec/carrel/carrel-sdbus' "$WORK/list"
	"$PREFIX/libexec/carrel/carrel-sdbus" --version
	grep -qx '755 opt/carrel/libexec/carrel/carrel-registry' "$WORK/list"
	"$PREFIX/libexec/carrel/carrel-registry" --version
	grep -qx '644 opt/carrel/share/carrel/registries.yaml' "$WORK/list"
}

@test "installing again changes nothing" {
	(cd "$DEST" && find . -type f -exec sha256sum {} + | sort) > "$WORK/before"
	make_install "$DEST"
	(cd "$DEST" && find . -type f -exec sha256sum {} + | sort) | diff "$WORK/before" -
}

@test "an installed daemon serves the page and sandboxes" {
	where=(--state-dir "$STATE" --run-dir "$RUN" --store "$STORE")
	elsewhere "$PREFIX/bin/carrel-sessiond" "${where[@]}" key add --user me --tier free
	key=$("${ELSEWHERE[@]}")
	elsewhere "$PREFIX/bin/carrel-sessiond" "${where[@]}" --cgroup "$CGROUP" --ephemeral --listen 127.0.0.1:0
	"${ELSEWHERE[@]}" > "$WORK/out" 2> "$WORK/log" 3>&- &
	DAEMON=$!
	eventually test -s "$WORK/out"
	ADDR=$(sed -nE '1s|^http://([^/]*).*|\1|p' "$WORK/out")
	api - GET /
	expect 200 '<script'
	api - GET /app.js
	expect 200
	create "$key"
	found=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'echo a-$((6*7)); cat /proc/1/comm\n' 'carrel-init' | jq .found)
	[ "$found" = true ]
	daemon_stop
	[ "$DAEMON_STATUS" = 0 ]
	# The control: without the installed tiers it does not start.
	mv "$PREFIX/share/carrel/tiers.yaml" "$WORK/"
	elsewhere timeout 20 "$PREFIX/bin/carrel-sessiond" "${where[@]}" --listen 127.0.0.1:0
	run "${ELSEWHERE[@]}"
	mv "$WORK/tiers.yaml" "$PREFIX/share/carrel/"
	[ "$status" -ne 0 ]
	[[ $output == *tiers.yaml* ]]
}

@test "an installed carrel runs a sandbox" {
	elsewhere timeout 60 "$PREFIX/bin/carrel" --run-dir "$RUN" --store "$STORE" run --cgroup "$CGROUP" default -- \
		sh -c 'echo a-$((6*7)); cat /proc/1/comm'
	run "${ELSEWHERE[@]}"
	[ "$status" = 0 ]
	[[ $output == *a-42*carrel-init* ]]
	# Not even the parent of its control group is left.
	[ -z "$(find /sys/fs/cgroup -type d -path "*$CGROUP*")" ]
}
