#!/usr/bin/env bats
# Every program prints its man page, and mandoc has nothing to say about it.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CARREL_BIN=${CARREL_BIN:-$TOP/build/bin}

page() {
	command -v mandoc > /dev/null || skip "mandoc is not installed"
	local page section
	page=$("$CARREL_BIN/$1" --man)
	section=$(sed -n '1s/^\.TH [^ ]* "*\([18]\)"* .*/\1/p' <<< "$page")
	[ -n "$section" ]
	printf '%s\n' "$page" > "$BATS_TEST_TMPDIR/$1.$section"
	# No date: two builds of the same source are the same.
	run bash -c "mandoc -Tlint -W warning '$BATS_TEST_TMPDIR/$1.$section' | grep -v 'missing date'"
	[ -z "$output" ] || { echo "$output" && return 1; }
	run mandoc -Tutf8 "$BATS_TEST_TMPDIR/$1.$section"
	[[ $output == *"$1"* ]]
	# Every command of --help has its place in it.
	for c in $("$CARREL_BIN/$1" --help | sed -n '/^COMMANDS:/,$s/^  \([a-z][a-z-]*\).*/\1/p'); do
		[[ $(col -b <<< "$output") == *"$c"* ]] || { echo "$c is missing" && return 1; }
	done
}

@test "carrel" { page carrel; }
@test "carrel-dialer" { page carrel-dialer; }
@test "carrel-image" { page carrel-image; }
@test "carrel-relay" { page carrel-relay; }
@test "carrel-runtime" { page carrel-runtime; }
@test "carrel-sessiond" { page carrel-sessiond; }
@test "carrel-shim" { page carrel-shim; }
@test "carrel-scan" {
	[ -x "$CARREL_BIN/carrel-scan" ] || skip "built without Vectorscan: no carrel-scan"
	page carrel-scan
}

@test "the pages of carrel-runtime's commands" {
	command -v mandoc > /dev/null || skip "mandoc is not installed"
	commands=$("$CARREL_BIN/carrel-runtime" --help | sed -n '/^COMMANDS:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<< "$commands")" -ge 15 ]
	for c in $commands; do
		"$CARREL_BIN/carrel-runtime" --man "$c" > "$BATS_TEST_TMPDIR/carrel-runtime-$c.8"
		run bash -c "mandoc -Tlint -W warning '$BATS_TEST_TMPDIR/carrel-runtime-$c.8' | grep -v 'missing date'"
		[ -z "$output" ] || { echo "$output" && return 1; }
		run mandoc -Tutf8 "$BATS_TEST_TMPDIR/carrel-runtime-$c.8"
		[[ $(col -b <<< "$output") == *"carrel-runtime-$c - "* ]]
	done
}

@test "a page with a mistake is seen" {
	command -v mandoc > /dev/null || skip "mandoc is not installed"
	printf '.TH x 1\n.SH NAME\n.XX\n' > "$BATS_TEST_TMPDIR/bad.1"
	run mandoc -Tlint -W warning "$BATS_TEST_TMPDIR/bad.1"
	[ "$status" != 0 ]
}
