#!/usr/bin/env bats
# Policies: what a scanner does to the bytes of a sandbox, from config to client, recording and audit log.

load sessiond.bash

SECRET=AKIAIOSFODNN7EXAMPLE
STARS='********************'

setup_file() {
	[ -x "${CARREL_BIN:-$BATS_TEST_DIRNAME/../../build/bin}/carrel-scan" ] || skip "built without Vectorscan: no carrel-scan"
	sessiond_store
}
setup() {
	sessiond_setup
	sed 's/^    creations_per_hour: .*/&\n    recording: 1Mi\n    policy: test/' "$TOP/config/tiers.yaml" > "$WORK/tiers.yaml"
	TIERS=$WORK/tiers.yaml
	cat > "$WORK/policies.yaml" <<- 'EOF'
		version: 1
		policies:
		  test:
		    - { id: aws, pattern: 'AKIA[A-Z2-7]{16}', direction: out, action: mask, hold_ms: 2000 }
		    - { id: tok, pattern: 'tok[0-9]{3}', direction: [in, upload], action: block }
		    - { id: codename, pattern: 'thunderbolt', direction: out, action: alert }
		    - { id: nuke, pattern: 'kill-this-now', direction: out, action: kill }
	EOF
	key=$(key_add ann free)
}
teardown() {
	TIERS=$TOP/config/tiers.yaml # of the daemon that sweeps: it needs no scanner
	sessiond_teardown
}

policy_daemon() { daemon_start "$@" --policies "$WORK/policies.yaml"; }
shown() { # COMMAND: sets $box, and $out to what a client saw that was there from the start to the end
	create "$key" "$(jq -nc --arg c "read x; $1" '{command: ["sh", "-c", $c], cols: 20}')"
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'go\n' EOF)
}
ended() {
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .state)" = ended ]
}
audited() { # WORD NUMBER: as many lines have it
	[ "$(grep -c "$1" "$STATE/audit.jsonl")" = "$2" ]
}

# The scanner of the one sandbox: a child of a shim, which has no name of its own but this.
scanner() {
	local p
	for p in /proc/[0-9]*; do
		if tr '\0' ' ' < "$p/cmdline" 2> /dev/null | grep -q "carrel-scan --serve $RUN/policies/test"; then
			printf '%s\n' "${p#/proc/}" && return 0
		fi
	done 2> /dev/null
	return 1
}

# Where control groups of this name count time, whichever version they are.
time_groups() { # NAME
	find /sys/fs/cgroup -type d -path "*$CGROUP/$1" | while read -r d; do
		[ ! -e "$d/cpu.max" ] && [ ! -e "$d/cpu.cfs_quota_us" ] && [ ! -e "$d/cpuacct.usage" ] || printf '%s\n' "$d"
	done
}
used_ns() { # NAME
	time_groups "$1" | while read -r d; do
		cat "$d/cpuacct.usage" 2> /dev/null || awk '$1 == "usage_usec" { print $2 * 1000 }' "$d/cpu.stat" 2> /dev/null
	done | head -n 1
}

@test "a secret in pieces, coloured, wrapped: no client sees it, nor the recording; without a policy they do" {
	local print='printf "k AKIA"; printf "\033[31mIOSFO\033[0mDNN7EX"; printf "AMPLE\r\n%s\r\n" 1234567890AKIAIOSFOD; printf "NN7EXAMPLE.\r\n"'
	policy_daemon
	shown "$print; exit 3"
	[ "$(jq -r .exit.code <<< "$out")" = 3 ]
	[ "$(jq -r .hello.policy <<< "$out")" = test ]
	[[ $(jq -r .output <<< "$out") == *$'k ****\e[31m*****\e[0m***********'* ]]
	[[ $(jq -r .output <<< "$out") != *OSFO* ]]
	eventually ended
	"$CARREL_BIN/carrel" --url "http://$ADDR" --key "$key" play --raw "$box" > "$WORK/raw"
	grep -q '\*\*\*\*\*' "$WORK/raw"
	! grep -q OSFO "$WORK/raw" || return 1
	# Every finding is in the log, and the secret nowhere.
	eventually audited '"rule":"aws"' 2
	jq -se '.[0] | .event == "policy" and .user == "ann" and .action == "mask" and .direction == "out" and .process == 1 and
		.characters == 20 and .shown == 0 and (.time | test("^20.*Z$"))' "$STATE/audit.jsonl"
	# Both have one fingerprint, which only who has the key can find again.
	[ "$(jq -r 'select(.rule == "aws") | .fingerprint' "$STATE/audit.jsonl" | sort | uniq -c | awk '{ print $1, length($2) }')" = '2 16' ]
	[ "$(stat -c '%a %u %s' "$STATE/policy.key")" = '600 0 32' ]
	run "$CARREL_BIN/carrel-scan" --check "$WORK/policies.yaml" --policy test --key "$STATE/policy.key" <<< $SECRET
	ends 3
	grep -q "\"fingerprint\":\"${output##* }\"" "$STATE/audit.jsonl"
	! grep -rq "OSFO" "$STATE/audit.jsonl" "$STATE/carrel.db" "$WORK/log" || return 1
	[ "$(stat -c '%a %u' "$STATE/audit.jsonl")" = '600 0' ]
	api "$key" GET "/v1/sandboxes"
	[ "$(field '.items[0].policy')" = test ]
	api "$key" GET /v1/me
	[ "$(field .limits.policy)" = test ]
	[ "$("$CARREL_BIN/carrel" --url "http://$ADDR" --key "$key" ps | awk -v id="$box" '$1 == id { print $5 }')" = test ]
	api "$(key_add root free --admin)" GET /metrics
	[[ $body == *'carrel_policy_findings_total{action="mask"} 2'* ]]
	daemon_stop
	# A tier without one: a caller may ask for one, where the operator has named a file.
	TIERS=$TOP/config/tiers.yaml
	before=$(jq -r .fingerprint "$STATE/audit.jsonl" | head -n 1)
	rm "$STATE/policy.key" # and so the next sandbox's is another one
	policy_daemon
	api "$key" POST /v1/sandboxes '{"policy":"none-such"}'
	expect 400 'policy: there is no policy none-such'
	create "$key" '{"policy":"test","command":["sh","-c","read x; echo AKIAIOSFOD''NN7EXAMPLE; read x"]}'
	[ "$(field .policy)" = test ]
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'go\n' "$STARS")
	[ "$(jq -r .hello.policy <<< "$out")" = test ]
	eventually audited '"rule":"aws"' 3
	grep -q "\"fingerprint\":\"$before\"" "$STATE/audit.jsonl"
	[ "$(tail -n 1 "$STATE/audit.jsonl" | jq -r '.fingerprint | length')" = 16 ]
	[ "$(tail -n 1 "$STATE/audit.jsonl" | jq -r .fingerprint)" != "$before" ]
	daemon_stop
	# The control.
	daemon_start
	api "$key" POST /v1/sandboxes '{"policy":"test"}'
	expect 400 'policy: this server has none'
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .policy)" = test ] # still
	api "$key" GET /v1/me
	[ "$(field .limits.policy)" = null ]
	shown "$print"
	[ "$(jq -r .hello.policy <<< "$out")" = null ]
	[ "$("$CARREL_BIN/carrel" --url "http://$ADDR" --key "$key" --format json ps | jq -c '.[-1] | has("policy"), .policy' | paste -sd' ')" = 'true null' ]
	[[ $(jq -r .output <<< "$out") == *$'k AKIA\e[31mIOSFO'* ]]
}

@test "a process without a terminal; what is typed and what is uploaded is blocked, and the client told" {
	policy_daemon
	# The tier's policy is nobody else's to change.
	api "$key" POST /v1/sandboxes '{"policy":"other"}'
	expect 403 'policy: tier free puts its sandboxes under test; other cannot take its place'
	create "$key" '{"policy":"test"}'
	[ "$(field .policy)" = test ]
	[ "$("$CARREL_BIN/carrel" --run-dir "$RUN" --format json ps | jq -r '.[0].policy')" = test ]
	api "$key" POST "/v1/sandboxes/$box/exec" '{"command":["sh","-c","cat; echo AKIAIOSFODNN7EXAMPLE >&2"],"input":"a tok123 b\n"}'
	[ "$code" = 200 ]
	[ "$(field .output)" = $'a  b' ] || [ "$(field .output)" = $'a  b\n' ]
	[[ $(field .error) == "$STARS"* ]]
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'echo got-tok456-$((40+2))\n' 'got--42')
	[ "$(jq -r .found <<< "$out")" = true ]
	[ "$(jq -c '.notices[0] | [.kind, .rule]' <<< "$out")" = '["policy","tok"]' ]
	eventually audited '"rule":"tok"' 2
	audited '"direction":"upload"' 1
	! grep -q 'tok[0-9]' "$STATE/audit.jsonl"
}

@test "titles and the clipboard; kill ends the sandbox with the reason policy and 4012; an alert only tells" {
	policy_daemon
	# A title has stars of the same width, the clipboard nothing; what is harmless stays.
	shown 'printf "\033]2;a AKIAIOSFODNN7EXAMPLE\007\033]52;c;QUtJQUlPU0ZPRE5ON0VYQU1QTEU=\007\033]52;c;aGVsbG8=\007"; exit 3'
	[[ $(jq -r .output <<< "$out") == *$'\e]2;a '"$STARS"$'\a\e]52;c;\a\e]52;c;aGVsbG8=\a'* ]]
	[[ $(jq -r .output <<< "$out") != *QUtJ* ]]
	eventually audited '"rule":"aws"' 2
	shown 'echo project thunderbolt; echo kill-this-now; sleep 1000'
	[ "$(jq -r .exit.reason <<< "$out")" = policy ]
	[ "$(jq -r .close <<< "$out")" = 4012 ]
	[[ $(jq -r .output <<< "$out") == *"project thunderbolt"* ]]
	eventually ended
	[ "$(field .exit.reason)" = policy ]
	eventually audited '"rule":"nuke"' 1
	audited '"action":"alert"' 1
}

@test "the scanner holds nothing and may nothing; when it dies nothing more is shown and the sandbox ends" {
	policy_daemon
	create "$key" '{"command":["sh","-c","echo ready; read x; echo after; sleep 1000"]}'
	client talk "$ADDR" "$(terminal "$box")" "$key" '' ready > /dev/null
	pid=$(scanner)
	status=$(cat "/proc/$pid/status")
	grep -qx $'CapEff:\t0000000000000000' <<< "$status"
	grep -qx $'CapBnd:\t0000000000000000' <<< "$status"
	grep -qx $'NoNewPrivs:\t1' <<< "$status"
	grep -qx $'Seccomp:\t2' <<< "$status"
	[ "$(ls "/proc/$pid/fd")" = 3 ]
	! tr '\0' '\n' < "/proc/$pid/cmdline" | grep -q policy.key || return 1
	[ ! -s "/proc/$pid/environ" ]
	grep -q '^Max open files  *1  *1 ' "/proc/$pid/limits"
	grep -q '^Max file size  *0  *0 ' "/proc/$pid/limits"
	# Its time is the sandbox's: beside it, with its limit.
	[ -n "$(time_groups "$box.scanner")" ]
	for d in $(time_groups "$box.scanner"); do
		grep -qx "$pid" "$d/cgroup.procs"
		for file in cpu.max cpu.cfs_quota_us cpu.cfs_period_us; do
			[ ! -e "$d/$file" ] || [ "$(cat "$d/$file")" = "$(cat "${d%.scanner}/$file")" ]
		done
	done
	! grep -qx "$pid" $(time_groups "$box" | sed 's|$|/cgroup.procs|') || return 1
	scanner_ns=$(used_ns "$box.scanner") box_ns=$(used_ns "$box")
	[ "$scanner_ns" -gt 0 ] && [ "$box_ns" -gt 0 ]
	kill -KILL "$pid"
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'go\n' EOF)
	[[ $(jq -r .output <<< "$out") != *after* ]]
	eventually ended
	[ "$(field .exit.reason)" = error ]
	[[ $(field .exit.error) == *'the policy scanner ended; without it nothing may be shown'* ]]
	[ "$(field .exit.usage.cpu_ns)" -ge $((scanner_ns + box_ns)) ]
	[ -z "$(time_groups "$box.scanner")" ]
}

@test "findings made while no daemon runs are taken over by the next one, each once; what a killed shim leaves" {
	policy_daemon --lasting
	create "$key" "$(jq -nc '{command: ["sh", "-c", "while read x; do echo $x IOSFODNN7EXAMPLE | tr -d \" \"; done"]}')"
	client talk "$ADDR" "$(terminal "$box")" "$key" 'AKIA\n' "$STARS" > /dev/null
	eventually audited '"rule":"aws"' 1
	[ -n "$(time_groups "$box.scanner")" ]
	wait_for '[ -s "$RUN/sandboxes/$box/policy.taken" ]' # written behind it
	daemon_stop KILL
	"$PYTHON" - "$RUN/sandboxes/$box/shim.sock" <<- 'EOF'
		import socket, struct, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect(sys.argv[1])
		order = b'{"op":"input","process":1}'
		s.send(struct.pack("<I", len(order)) + order + b"AKIA\n")
		assert b'"ok":true' in s.recv(4096)
	EOF
	eventually grep -c . "$RUN/sandboxes/$box/policy.jsonl"
	wait_for '[ "$(grep -c aws "$RUN/sandboxes/$box/policy.jsonl")" = 2 ]'
	# Also by one that has no policies any more.
	shipped=$TOP/config/tiers.yaml own=$TIERS
	TIERS=$shipped
	daemon_start --lasting
	eventually audited '"rule":"aws"' 2
	api "$key" DELETE "/v1/sandboxes/$box"
	audited '"rule":"aws"' 2
	[ -z "$(time_groups "$box.scanner")" ]
	daemon_stop
	TIERS=$own
	policy_daemon --lasting
	# Nor does a shim that is killed leave its scanner, or the scanner's group.
	create "$key"
	pid=$(scanner)
	[ -n "$(time_groups "$box.scanner")" ]
	kill -KILL "$(awk '{ print $4 }' "/proc/$pid/stat")"
	eventually ended
	gone "$pid"
	[ -z "$(time_groups "$box.scanner")" ]
}

@test "carrel run: the policy that is asked for, and the tier's, which nothing else replaces; what it found is said at the end" {
	boxed() { timeout 60 "$CARREL_BIN/carrel" --run-dir "$RUN" --store "$STORE" run --seccomp "$TOP/config/seccomp.json" --cgroup "$CGROUP" --policies "$WORK/policies.yaml" "$@"; }
	local print='echo k $(echo AKIA)IOSFODNN7EXAMPLE'
	run boxed --policy test default -- sh -c "$print; exit 3" < /dev/null
	ends 3
	says "k $STARS"
	says 'carrel: policy: aws: mask, out at byte 2, 20 characters, 0 of them shown, fingerprint '
	[[ $output != *OSFODNN* ]]
	# The tier's, which is not asked for.
	run boxed --tiers "$TIERS" --tier free default -- sh -c "$print" < /dev/null
	ends 0
	says "k $STARS"
	fails_with '--policy: tier free puts its sandboxes under test; watch cannot take its place' \
		boxed --tiers "$TIERS" --tier free --policy watch default -- true
	fails_with 'there is no policy none in ' boxed --policy none default -- true
	fails_with '--policies: --policy says which' boxed default -- true
	[ -z "$(ls "$RUN/sandboxes" "$RUN/templates" | grep -v ':$')" ]
	# The control.
	run "$CARREL_BIN/carrel" --run-dir "$RUN" --store "$STORE" run --seccomp "$TOP/config/seccomp.json" --cgroup "$CGROUP" \
		--tiers "$TOP/config/tiers.yaml" --tier free default -- sh -c "$print" < /dev/null
	says 'k AKIAIOSFODNN7EXAMPLE'
}

@test "mistakes keep the daemon from starting, and say where they are" {
	refused() { ! policy_daemon > "$WORK/said" 2>&1 && grep -q "$1" "$WORK/log" || { cat "$WORK/log" && return 1; }; }
	sed -i "s/tok\[0-9\]{3}/tok[0-9]+(/" "$WORK/policies.yaml"
	refused 'policies.yaml: policies.test.tok.pattern: '
	sed -i "s/tok\[0-9\]+(/tok[0-9]+/" "$WORK/policies.yaml"
	refused 'policies.test.tok.pattern: a match has no greatest length'
	sed -i "s/tok\[0-9\]+/tok/; s/action: kill/action: hide/" "$WORK/policies.yaml"
	refused 'policies.test.nuke.action: is "hide", where alert, mask, block or kill belongs'
	sed -i "s/action: hide/action: kill/; s/^  test:/  other:/" "$WORK/policies.yaml"
	refused 'tiers.free.policy: there is no policy test in '
	sed -i "s/^  other:/  test:/" "$WORK/policies.yaml"
	mkdir "$WORK/less" && ln -s "$BIN_DIR"/carrel-{shim,runtime,image,init} "$WORK/less/"
	if [ ! -x /usr/local/libexec/carrel/carrel-scan ]; then
		BIN_DIR=$WORK/less
		refused 'tiers.free.policy: there is no carrel-scan'
	fi
}

@test "the file that comes with Carrel is good, and finds what it says" {
	cd "$TOP"
	run "$CARREL_BIN/carrel-scan" --check config/policies.yaml
	ok && says 'secrets: 12 rules'
	while read -r rule text; do
		run "$CARREL_BIN/carrel-scan" --check config/policies.yaml --policy secrets <<< "see $text ."
		ends 3 && same "${output%% *}" "$rule"
	done < tests/integration/policies.samples
	run "$CARREL_BIN/carrel-scan" --check config/policies.yaml --policy secrets --masked < README.md
	ends 0 && same "$output" "$(cat README.md)"
	fails_with 'there is no policy none' "$CARREL_BIN/carrel-scan" --check config/policies.yaml --policy none
	fails_with 'one of --check FILE' "$CARREL_BIN/carrel-scan"
}
