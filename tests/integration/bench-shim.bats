# The measurements of make bench-shim, at a size where they only show that they work.
load assert.bash

@test "bench-shim measures floods, echoes, a stalled client and idle sessions" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	[ -z "${CARREL_SAN:-}" ] || skip "sanitized programs are not measured"
	run timeout 300 python3 "$BATS_TEST_DIRNAME/../bench/bench_shim.py" --bin "${CARREL_BIN:-$BATS_TEST_DIRNAME/../../build/bin}" --ttyd '' \
		--pty "$BATS_TEST_DIRNAME/../../build/tests/bench/pty" \
		--rounds 1 --size 1 --keys 12 --stall 1 --sessions 1,2 --idle 1
	ok
	echo "$output"
	# Every cell has a figure, and every kind of row is there.
	[ "$(grep -cE '^\| carrel \|( [0-9.]+; [0-9.]+; [0-9.]+ \|){5}$' <<< "$output")" = 1 ]
	[ "$(grep -cE "^\| the kernel's terminal alone \|( [0-9.]+; 0.00; [0-9.]+ \|){5}$" <<< "$output")" = 1 ]
	[ "$(grep -cE '^\| carrel \|( [0-9.]+, [0-9.]+ \|){5}$' <<< "$output")" = 1 ]
	[ "$(grep -cE '^\| carrel \|( [0-9]+ \|){3} yes \|$' <<< "$output")" = 1 ]
	[ "$(grep -cE '^\| carrel \|( [0-9]+; [0-9.]+; [0-9]+ \|){2}$' <<< "$output")" = 1 ]
	[[ $output != *nan* ]]
}
