#!/usr/bin/env bats
# The model of a terminal beside xterm.js: a client that is given a snapshot shows what one shows that never left.
bats_require_minimum_version 1.5.0
load lib

TOP=$BATS_TEST_DIRNAME/../..

judge() {
	SCREEN_MODULES=$(cd "$CARREL_BIN/../tests/screen" && pwd) timeout 300 node "$TOP/tests/screen/judge.mjs" \
		"$CARREL_BIN/../tests/screen-probe" "$@"
}

record() { # NAME SIZE STEPS... -- COMMAND...
	local name=$1
	shift
	timeout 200 python3 "$TOP/tests/screen/record.py" "$BATS_TEST_TMPDIR/$name.json" "$@"
}

@test "screen: programs of a fuzzer, cut anywhere, show the same after a snapshot and the rest" {
	run -0 judge fuzz 1 150
	echo "$output"
	[[ $output == '150 programs from seed 1: the same' ]]
}

@test "screen: the same with changes of size, which break long lines anew" {
	run -0 judge sizes 499 150
	echo "$output"
	[[ $output == '150 programs from seed 499: the same' ]]
}

@test "screen: vim, less, top and tmux with resizes, cut anywhere, show the same" {
	local program dir=$BATS_TEST_TMPDIR
	for program in vim less top tmux node; do
		command -v "$program" > /dev/null || skip "no $program here"
	done
	seq 1 3000 > "$dir/numbers"
	record vim 80x24 ':set nu\r' 'ggdd5p' 'ihello w\xc3\xb6rld\x1b' '\x06\x06\x02' ':split\r' 'G' resize:100x30 ':q\r' resize:60x20 -- \
		vim -u NONE -N -n "$TOP/shim/screen.c"
	record less 80x24 ' ' ' ' 'G' 'g' '/static\r' 'n' resize:70x18 ' ' 'q' -- less -R "$TOP/shim/screen_row.c"
	record top 80x24 'c' resize:120x40 'q' -- top -d 1
	record tmux 80x24 'ls -la --color /usr/bin | head -60\r' '\x02%' "less $dir/numbers\r" '\x02\x22' resize:110x35 'seq 1 200\r' -- \
		tmux -S "$dir/tmux.sock" -f /dev/null new bash --norc
	tmux -S "$dir/tmux.sock" kill-server
	run -0 judge recording 4 "$dir/vim.json" "$dir/less.json" "$dir/top.json" "$dir/tmux.json"
	echo "$output"
	[ "$(grep -c 'the same$' <<< "$output")" = 4 ]
}

@test "screen: the judge sees a difference (control)" {
	# A model that loses every other byte of what it is fed.
	cat > "$BATS_TEST_TMPDIR/bad" <<-EOF
	#!/usr/bin/env python3
	import struct, subprocess, sys
	p = subprocess.Popen(["$CARREL_BIN/../tests/screen-probe"], stdin=subprocess.PIPE)
	while c := sys.stdin.buffer.read(1):
	    if c in b"FB":
	        n, = struct.unpack("<I", sys.stdin.buffer.read(4))
	        data = sys.stdin.buffer.read(n)[::2]
	        p.stdin.write(c + struct.pack("<I", len(data)) + data)
	    else:
	        p.stdin.write(c + (sys.stdin.buffer.read(4) if c in b"NR" else b""))
	    p.stdin.flush()
	EOF
	chmod +x "$BATS_TEST_TMPDIR/bad"
	SCREEN_MODULES=$(cd "$CARREL_BIN/../tests/screen" && pwd) run -1 timeout 200 node "$TOP/tests/screen/judge.mjs" \
		"$BATS_TEST_TMPDIR/bad" fuzz 1 5
	[[ $output == *'after the '* ]]
}
