# GHSA-jq35-85cj-fj4p (powercap), GHSA-6fw5-f8r9-fgfm (thermal throttling, interrupts) and the other files that tell about the host or
# about a neighbour: all that a sandbox's configuration covers reads as nothing.
load ../integration/guest

setup() {
	guest_setup
	# The list of our own sandboxes, from where it is.
	mapfile -t MASKED < <(sed -n '/masked\[\]/,/};/p' "$BATS_TEST_DIRNAME/../../images/bundle_json.c" | grep -o '"/[^"]*"' | tr -d '"')
	for d in /sys/devices/system/cpu/cpu[0-9]*; do MASKED+=("$d/thermal_throttle"); done
}
teardown() { runtime_teardown; }

# What of PATH can be read: the bytes of a file, or of all files below a directory.
LOOK='for p; do if [ -d "$p" ]; then n=$(find "$p" -type f -exec head -c 64 {} + 2> /dev/null | wc -c); elif [ -e "$p" ]; then n=$(head -c 64 "$p" 2> /dev/null | wc -c); else n=absent; fi; echo "$p $n"; done'

@test "each of them is empty or absent" {
	[ "${#MASKED[@]}" -ge 15 ]
	config --argjson m "$(printf '%s\n' "${MASKED[@]}" | jq -R . | jq -s .)" '.linux.maskedPaths = $m'
	inside sh -c "$LOOK" - "${MASKED[@]}"
	ok
	[ "$(wc -l <<< "$output")" = "${#MASKED[@]}" ]
	[ -z "$(grep -vE ' (0|absent)$' <<< "$output")" ]
}

@test "control: without the list several of them tell something" {
	config 'del(.linux.maskedPaths)'
	inside sh -c "$LOOK" - "${MASKED[@]}"
	ok
	[ "$(grep -cvE ' (0|absent)$' <<< "$output")" -ge 3 ]
	says '/proc/interrupts 64'
}

@test "a user namespace, exec, and a second name for the same file change nothing" {
	userns
	args sleep 1000
	config --argjson m "$(printf '%s\n' "${MASKED[@]}" | jq -R . | jq -s .)" '.linux.maskedPaths = $m'
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	run rt exec "$ID" sh -c "$LOOK" - "${MASKED[@]}" "${MASKED[@]/#\/proc\///proc/../proc/./}"
	ok
	[ -z "$(grep -vE ' (0|absent)$' <<< "$output")" ]
}
