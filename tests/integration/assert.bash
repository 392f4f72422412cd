# How tests say what must be; what is not as it must be is printed.
#
#   ok; ends CODE [TEXT...]; says TEXT      about the last `run`
#   fails_with TEXT COMMAND...              it fails by itself, and says this
#   same IS EXPECTED                        two texts
#   wait_for 'COMMAND' [SECONDS]            until it succeeds; a machine under load is given time
#   eventually COMMAND...                   the same for a command as words
#   gone PID                                the process has ended
#   runs PID PROGRAM [ARG...]               the process has become this program, or does within 30 seconds: whoever waits for an exec
#                                           hears of it before the kernel has put the command line in place
#   listening SOCKET                        somebody listens at this path; a file alone does not say so
#   host_mounts                             what is mounted here, without what tests beside this one mount and unmount
#   free_of PATTERN                         no process has it in its command line, now or within 30 seconds

# What tests make has the modes that it shows, wherever they run.
umask 022

ok() { ends 0; }

ends() {
	local text
	[ "$status" -eq "$1" ] || { printf 'status %s, not %s:\n%s\n' "$status" "$1" "$output" && return 1; }
	shift
	for text; do says "$text" || return 1; done
}

says() {
	[[ $output == *"$1"* ]] || { printf 'status %s, no "%s" in:\n%s\n' "$status" "$1" "$output" && return 1; }
}

fails_with() {
	local text=$1
	shift
	run "$@"
	case $status in
	0) echo "succeeded: $*" && return 1 ;;
	124 | 129 | 1[3-9]?) printf 'killed, status %s: %s\n%s\n' "$status" "$*" "$output" && return 1 ;;
	esac
	output=${output//\\\"/\"}
	says "$text"
}

same() {
	[ "$1" = "$2" ] || { printf 'is "%s", expected "%s"\n' "$1" "$2" && return 1; }
}

wait_for() {
	local end=$((SECONDS + ${2:-30}))
	until eval "$1"; do
		[ $SECONDS -lt $end ] || { echo "gave up waiting for: $1" && return 1; }
		sleep 0.05
	done
}

eventually() {
	wait_for "$(printf '%q ' "$@") > /dev/null 2>&1"
}

# Whoever inherited it may not have reaped it yet. One reading: it may go while we look.
gone() {
	local state
	state=$(grep -s '^State:' "/proc/$1/status") || return 0
	[[ $state == *[ZX]\ \(* ]]
}

runs() {
	local pid=$1 want
	shift
	want="$* "
	wait_for "[ \"\$(tr '\\0' ' ' 2> /dev/null < /proc/$pid/cmdline)\" = $(printf '%q' "$want") ]"
}

listening() {
	wait_for "awk -v p=$(printf '%q' "$1") '\$4 == \"00010000\" && \$8 == p {n = 1} END {exit !n}' /proc/net/unix"
}

host_mounts() {
	awk -v own="$BATS_TEST_TMPDIR" 'index($0, own) || !/\/bats-run-/ {$1 = $2 = ""; print}' /proc/self/mountinfo
}

free_of() {
	wait_for "! pgrep -f -- $(printf '%q' "$1") > /dev/null"
}
