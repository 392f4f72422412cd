#!/usr/bin/env bats
# A sandbox's network comes and goes: many at once, and killed at every moment, with nothing left (docs/network.md).

load network.bash

setup() { network_setup; }
teardown() { network_teardown; }

@test "two creates race for the bridge, and two deletes" {
	local i a b
	args sleep 1000
	for i in 1 2 3 4 5; do
		sandbox_in "$ID-a" 10.88.0.5
		sandbox_in "$ID-b" 10.88.0.6
		rt create -b "$WORK/$ID-a" "$ID-a" < /dev/null > "$WORK/a" 2>&1 3>&- &
		a=$!
		rt create -b "$WORK/$ID-b" "$ID-b" < /dev/null > "$WORK/b" 2>&1 3>&- &
		b=$!
		wait $a || { cat "$WORK/a" && return 1; }
		wait $b || { cat "$WORK/b" && return 1; }
		[ "$(in_host ip -o link show master carrel0 | grep -c .)" -eq 2 ]
		rt delete --force "$ID-a" > "$WORK/a" 2>&1 3>&- &
		a=$!
		rt delete --force "$ID-b" > "$WORK/b" 2>&1 3>&- &
		b=$!
		wait $a || { cat "$WORK/a" && return 1; }
		wait $b || { cat "$WORK/b" && return 1; }
		clean
		rm -r "$WORK/$ID-a" "$WORK/$ID-b"
	done
}

@test "one leaves while the next one comes: the bridge stays or is made again" {
	local i
	args sleep 1000
	sandbox_in "$ID-a" 10.88.0.5
	sandbox_in "$ID-b" 10.88.0.6
	serve "$W"
	for i in 1 2 3 4 5; do
		rt create -b "$WORK/$ID-a" "$ID-a" < /dev/null > "$WORK/a" 2>&1 3>&-
		rt delete --force "$ID-a" > "$WORK/a" 2>&1 3>&- &
		rt create -b "$WORK/$ID-b" "$ID-b" < /dev/null > "$WORK/b" 2>&1 3>&-
		wait $! || { cat "$WORK/a" && return 1; }
		in_host ip -o link show master carrel0 | grep -q crl
		SANDBOX=$ID-b in_sandbox timeout 30 socat -u TCP:203.0.113.5:80 - | grep -q here
		rt delete --force "$ID-b"
		clean
	done
}

@test "fifty at once" {
	local i jobs=() RT_TIMEOUT=200
	serve "$W"
	args sh -c 'nc -w 60 203.0.113.5 80 < /dev/null'
	for i in $(seq 50); do
		sandbox_in "$ID-$i" "10.88.0.$((i + 10))"
	done
	for i in $(seq 50); do
		rt run -b "$WORK/$ID-$i" "$ID-$i" < /dev/null > "$WORK/out.$i" 2>&1 3>&- &
		jobs+=($!)
	done
	wait "${jobs[@]}"
	[ "$(cat "$WORK"/out.* | grep -c '^here$')" -eq 50 ] || { cat "$WORK"/out.* && return 1; }
	clean
}

# Every request to the kernel's network and every step between them is a moment to be killed at.
@test "kill -9 of create at every request leaves nothing that delete --force does not find" {
	local n killed=0
	args sleep 1000
	for n in $(seq 40); do
		in_host strace -o /dev/null -e trace=sendto,flock,setns -e inject=sendto,flock,setns:signal=SIGKILL:when="$n" \
			"$RUNTIME" --root "$ROOT" create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 && break
		killed=$n
		rt delete --force "$ID"
		clean
	done
	[ "$killed" -ge 12 ] && [ "$killed" -lt 40 ]
	rt delete --force "$ID"
	clean
}

@test "kill -9 of delete at every request, and the next one ends it" {
	local n killed=0
	args sleep 1000
	for n in $(seq 40); do
		rt create -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
		in_host strace -o /dev/null -e trace=sendto,flock -e inject=sendto,flock:signal=SIGKILL:when="$n" \
			"$RUNTIME" --root "$ROOT" delete --force "$ID" > "$WORK/out" 2>&1 && break
		killed=$n
		rt delete --force "$ID"
		clean
	done
	[ "$killed" -ge 6 ] && [ "$killed" -lt 40 ]
	clean
}

@test "kill -9 of a foreground run, of its sandbox, and of both" {
	args sleep 1000
	rt run -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1 3>&- &
	wait_for '[ "$(status_of)" = running ]'
	kill -9 "$(rt state "$ID" | jq .pid)"
	wait $! || true
	clean
	rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1
	kill -9 "$(rt state "$ID" | jq .pid)"
	wait_for '[ "$(status_of)" = stopped ]'
	rt delete "$ID"
	clean
}

@test "a create that fails later takes its network along" {
	config '.hooks.createRuntime = [{path: "/bin/false"}]'
	fails_with 'createRuntime' rt create -b "$BUNDLE" "$ID"
	clean
	config 'del(.hooks)'
	args /no/such
	fails_with '/no/such' rt create -b "$BUNDLE" "$ID"
	clean
}
