# CVE-2024-21626 (Leaky Vessels): a descriptor of the host stays open in the container's first process, and process.cwd, or
# exec's --cwd, names it: /proc/self/fd/7.
load ../integration/guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

# Any of these in the output means that the host was seen.
no_host() {
	[[ $output != *"$BUNDLE"* && $output != *vmlinuz* && $output != *cgroup.procs* && $output != *HOST* ]] ||
		{ printf 'the host is visible:\n%s\n' "$output" && return 1; }
}

@test "no descriptor number works as run's working directory" {
	for n in $(seq 3 24); do
		config --arg d "/proc/self/fd/$n" '.process.cwd = $d'
		inside sh -c 'echo started; pwd; ls ../../..'
		[ "$status" -ne 0 ] || { echo "fd $n" && return 1; }
		[[ $output != *started* ]]
	done
}

@test "nor as exec's, nor by way of a link of the image" {
	for n in $(seq 3 24); do ln -sf "/proc/self/fd/$n" "$ROOTFS/home/l$n"; done
	start_sleeper
	for n in $(seq 3 24); do
		for d in "/proc/self/fd/$n" "/home/l$n" "/proc/1/fd/$n" "/proc/self/fd/$n/../../.."; do
			run rt exec --cwd "$d" "$ID" sh -c 'echo started; pwd; ls ../../..'
			[ "$status" -ne 0 ] || { echo "$d: $output" && return 1; }
			[[ $output != *started* ]]
		done
	done
	for n in $(seq 3 12); do
		config --arg d "/home/l$n" '.process.cwd = $d'
		run rt run -b "$BUNDLE" "$ID-$n"
		[ "$status" -ne 0 ]
	done
}

@test "the program has no descriptor but its own three, in run, create and exec" {
	inside sh -c 'ls -l /proc/self/fd; exec 9< /dev/null; :'
	ok
	# The fourth is ls' own of the directory.
	[ "$(grep -c ' -> ' <<< "$output")" -le 4 ]
	no_host
	start_sleeper
	run rt exec "$ID" ls -l /proc/1/fd /proc/self/fd
	ok
	[ "$(grep -c ' -> ' <<< "$output")" -le 7 ]
	no_host
}

# Number 3 is bats' own: only the runtime gets the directory under it.
with_host_dir() {
	run bash -c '"$@" 3< /' - timeout 60 "$RUNTIME" --root "$ROOT" run --preserve-fds 1 -b "$BUNDLE" "$ID"
}

# The second line of defence, where the first was opened on purpose.
@test "a host directory that was handed over on purpose is still no working directory" {
	config '.process.cwd = "/proc/self/fd/3"'
	args sh -c 'echo started; pwd'
	with_host_dir
	[ "$status" -ne 0 ]
	[[ $output != *started* ]]
}

@test "control: such a descriptor inside would be the whole host" {
	touch "$WORK/HOST"
	args sh -c "ls -a /proc/self/fd/3$WORK"
	with_host_dir
	ok
	says HOST
}
