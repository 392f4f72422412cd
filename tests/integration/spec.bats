# config.json: what is refused, and that the refusal names the field.
load lib

setup() { runtime_setup; }
teardown() { runtime_teardown; }

@test "every bad config.json is refused with the sentence that names the field, and makes nothing" {
	local bad=$BATS_TEST_DIRNAME/../bad/spec failed=0 n=0
	while IFS=$'\t' read -r name want; do
		cp "$bad/$name.json" "$BUNDLE/config.json"
		run rt create -b "$BUNDLE" "$ID"
		n=$((n + 1))
		if [ "$status" -ne 1 ] || [[ ${output//\\\"/\"} != *"$want"* ]]; then
			echo "$name: status $status, wanted \"$want\", got: $output"
			failed=1
		fi
		[ ! -e "$ROOT/$ID" ] || { echo "$name: left its state" && failed=1; }
	done < "$bad/expected.tsv"
	[ "$n" -eq "$(find "$bad" -name '*.json' | wc -l)" ]
	[ $failed -eq 0 ]
}

@test "the positive control of the bad ones runs" {
	echo '{"ociVersion":"1.3.0","process":{"args":["/bin/true"],"cwd":"/"},"root":{"path":"rootfs"},
		"linux":{"namespaces":[{"type":"mount"},{"type":"uts"},{"type":"pid"}]}}' > "$BUNDLE/config.json"
	config --arg g "$CGROUP" '.linux.cgroupsPath = $g'
	run rt run -b "$BUNDLE" "$ID"
	ok
}

@test "unknown fields are ignored, nulls and empty objects ask for nothing" {
	config '.nosuch = {"a": 1} | .process.nosuch = 1 | .linux.nosuch = [] | .process.rlimits = null | .hooks = null
		| .linux.intelRdt = null | .linux.netDevices = {} | .linux.resources.network = {} | .linux.resources.rdma = null
		| .linux.resources.blockIO = {weight: 0, throttleReadBpsDevice: []} | .linux.resources.cpu = {shares: 0, quota: 0, period: 0, cpus: ""}
		| .linux.resources.memory = {limit: 0, swap: 0} | .process.apparmorProfile = "" | .process.selinuxLabel = "" | .linux.mountLabel = ""'
	args true
	run rt run -b "$BUNDLE" "$ID"
	ok
	[ -z "$output" ]
}

@test "any version 1.x of the specification is accepted" {
	args true
	for v in 1.0.0 1.0.2-dev 1.1.0+dev 1.2.0 1.3.0 1.99.0; do
		config --arg v $v '.ociVersion = $v'
		run rt run -b "$BUNDLE" "$ID"
		ok
	done
}

@test "an unknown capability is a warning" {
	config '.process.capabilities.bounding += ["CAP_OF_THE_FUTURE"]'
	args true
	run rt run -b "$BUNDLE" "$ID"
	ok
	says level=warning
	says CAP_OF_THE_FUTURE
}

@test "annotations reach the state" {
	config '.annotations = {"a.b/c": "d \"e\" \u00fc"}'
	start_sleeper
	[ "$(rt state "$ID" | jq -r '.annotations["a.b/c"]')" = 'd "e" ü' ]
}
