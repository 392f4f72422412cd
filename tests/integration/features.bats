# features: the document's form, and that what it offers is accepted.
load guest

setup() { guest_setup; }
teardown() { runtime_teardown; }

list() {
	rt features | jq -r "$1 | .[]"
}

@test "features has the form that the specification gives it" {
	python3 -c 'import jsonschema' || skip "needs python3-jsonschema"
	valid() {
		python3 -c 'import json, sys, jsonschema
jsonschema.Draft4Validator(json.load(open(sys.argv[1]))).validate(json.load(sys.stdin))' "$BATS_TEST_DIRNAME/features.schema.json"
	}
	rt features | valid
	# The control: it notices.
	if rt features | jq '.linux.seccomp.actions += ["SCMP_ACT_X"]' | valid 2> /dev/null; then false; fi
	if rt features | jq 'del(.linux.mountExtensions)' | valid 2> /dev/null; then false; fi
}

@test "every mount option that is offered is understood" {
	local o
	mkdir -p "$WORK/src"
	for o in $(list .mountOptions); do
		case $o in
		bind | rbind | src-nofollow | copy-symlink) mount_at "/mnt/$o" '' "$WORK/src" bind "$o" ;;
		# Of these kinds a bind can have one, with what it needs beside it.
		idmap | ridmap | remount) continue ;;
		# Of a superblock, not of every filesystem.
		mand | acl | iversion) continue ;;
		*) mount_at "/mnt/$o" tmpfs tmpfs "$o" ;;
		esac
	done
	inside true
	ok
}

@test "every capability, hook, namespace and memory policy that is offered is understood" {
	rt features > "$WORK/f.json"
	edit --slurpfile f "$WORK/f.json" '.process.capabilities.bounding = $f[0].linux.capabilities
		| .hooks = ($f[0].hooks | map({key: ., value: [{path: "/bin/true"}]}) | from_entries)
		| .linux.namespaces += [{type: "time"}]'
	inside true
	ok
	[[ $output != *'unknown capability'* ]]
	[ "$(jq '.linux.namespaces | length' "$WORK/f.json")" = 8 ]
	local m
	for m in $(jq -r '.linux.memoryPolicy.modes[]' "$WORK/f.json"); do
		edit --arg m "$m" '.linux.memoryPolicy = {mode: $m, nodes: "1000"}'
		fails_with memoryPolicy rt run -b "$BUNDLE" "$ID"
		[[ $output != *'invalid memory policy mode'* ]]
	done
}

@test "every word of seccomp that is offered is understood" {
	rt features > "$WORK/f.json"
	edit --slurpfile f "$WORK/f.json" '$f[0].linux.seccomp as $s | .linux.seccomp = {
		defaultAction: "SCMP_ACT_ALLOW", flags: $s.supportedFlags,
		syscalls: [($s.actions - ["SCMP_ACT_NOTIFY"])[] as $a | $s.operators[] as $o
			| {names: ["swapon"], action: $a, args: [{index: 0, value: 77, valueTwo: 77, op: $o}]}]}'
	inside true
	ok
	# Names of architectures are checked where the profile is read: an unknown one is refused there.
	local a
	for a in $(jq -r '.linux.seccomp.archs[]' "$WORK/f.json"); do
		edit --arg a "$a" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: [$a]}'
		inside true
		[[ $output != *'is no architecture'* ]] || { echo "$a: $output" && false; }
	done
}
