#!/usr/bin/env bats
# Persistent workspaces: a user's volumes, made by the daemon, outliving sandboxes and daemons, deleted by their owner alone.

bats_require_minimum_version 1.5.0
load sessiond.bash
load volumes.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	VOLUMES=$STATE/volumes
	TIERS=$WORK/tiers.yaml
	cat "$TOP/config/tiers.yaml" - > "$TIERS" << 'YAML'
  keep:
    cpu: 2
    memory: 512Mi
    pids: 128
    disk: 16Mi
    idle: 15m
    lifetime: 2h
    sandboxes: 5
    creations_per_hour: 1000
    workspace:
      kind: persistent
      size: 8Mi
      volumes: 2
      volume: loop
  sized:
    cpu: 2
    memory: 512Mi
    pids: 128
    disk: 16Mi
    idle: 15m
    lifetime: 2h
    sandboxes: 5
    creations_per_hour: 1000
    workspace:
      kind: tmpfs
      size: 5Mi
YAML
	ann=$(key_add ann keep)
}
teardown() { sessiond_teardown; }

# runs KEY SCRIPT [MORE JSON]: it succeeds in a sandbox of its own, whose state when it ran is in $ran. One that ended by itself would
# wait two seconds for a client.
runs() {
	local script="( $2 ); echo \$? > /tmp/verdict; exec sleep 100"
	create "$1" "$(jq -nc --arg s "$script" --argjson more "${3:-{\}}" '{command: ["/bin/sh", "-c", $s]} + $more')"
	ran=$body
	wait_for '[ -s "$(box_file "$box" tmp/verdict)" ]'
	same "$(cat "$(box_file "$box" tmp/verdict)")" 0 && ends_box "$1" "$box"
}
box_file() { # ID FILE: as the host sees it
	local procs
	procs=$(find /sys/fs/cgroup -path "*$CGROUP/$1/cgroup.procs" | head -n 1)
	echo "/proc/$(head -n 1 "$procs")/root/$2"
}
# Used and given back.
visit() { sleeper "$@" && ends_box "$1" "$box"; }
sleeper() { create "$1" "$(jq -nc --argjson more "${2:-{\}}" '{command: ["sleep", "100"]} + $more')"; }
ends_box() { api "$1" DELETE "/v1/sandboxes/$2" && expect 204; }

@test "what is in the workspace is there for the next sandbox, and after the daemon was killed" {
	daemon_start --lasting
	runs "$ann" 'echo mine > /workspace/file; echo other > /tmp/file'
	[ "$(jq -r .workspace <<< "$ran")" = default ]
	daemon_stop KILL
	daemon_start --lasting
	runs "$ann" '[ "$(cat /workspace/file)" = mine ] && [ ! -e /tmp/file ]'
	# Another name is another volume, null is memory.
	visit "$ann" '{"workspace": "second"}'
	runs "$ann" '[ ! -e /workspace/file ] && df /workspace | grep -q tmpfs' '{"workspace": null}'
	[ "$(jq -r .workspace <<< "$ran")" = null ]
	api "$ann" GET /v1/volumes
	[ "$(field '[.items[] | [.name, .kind, .size, .sandbox]] | tostring')" = '[["default","loop",8388608,null],["second","loop",8388608,null]]' ]
	[ "$(ls "$VOLUMES" | wc -l)" = 2 ]
	no_devices
}

@test "the limit is the tier's: a volume's bytes, a sized tmpfs's bytes" {
	sized=$(key_add sue sized)
	daemon_start
	fill='dd if=/dev/zero of=/workspace/full bs=4096 2> /dev/null; printf x 2> /dev/null >> /workspace/full && exit 1; [ "$(stat -c %s /workspace/full)" = '
	runs "$ann" "$fill 8388608 ]"
	runs "$sized" "$fill 5242880 ]"
	api "$ann" GET /v1/me
	[ "$(field '[.limits.volumes.count, .limits.volumes.size, .limits.volumes.path, .use.volumes] | tostring')" = '[2,8388608,"/workspace",1]' ]
	api "$sized" GET /v1/me
	[ "$(field .limits.volumes)" = null ]
}

@test "one sandbox at a time, so many volumes per user, and none where the tier has none" {
	free=$(key_add fred free)
	daemon_start
	sleeper "$ann"
	first=$box
	api "$ann" POST /v1/sandboxes '{}'
	expect 409 "workspace: sandbox $first uses this volume"
	sleeper "$ann" '{"workspace": null}'
	sleeper "$ann" '{"workspace": "second"}'
	api "$ann" POST /v1/sandboxes '{"workspace": "third"}'
	expect 429 'workspace: tier keep allows 2 volumes, and 2 exist'
	# What was refused counts nothing and left nothing.
	api "$ann" GET /v1/me
	[ "$(field '"\(.use.sandboxes) \(.use.volumes)"')" = '3 2' ]
	ends_box "$ann" "$first"
	sleeper "$ann"
	api "$free" POST /v1/sandboxes '{"workspace": "default"}'
	expect 400 'workspace: tier free has none that lasts'
	for name in '""' '"../x"' '"a/b"' 7 '".x"'; do
		api "$ann" POST /v1/sandboxes "{\"workspace\": $name}"
		expect 400 workspace
	done
	create "$free" '{"workspace": null}'
	[ "$(field .workspace)" = null ]
}

@test "twenty sandboxes at once want the same new volume: one gets it" {
	daemon_start
	out=$(client race "$ADDR" "$ann" 20 '{"command":["sleep","100"]}')
	[ "$(jq -c 'to_entries | map("\(.key):\(.value)") | sort' <<< "$out")" = '["201:1","409:19"]' ]
	[ "$(ls "$VOLUMES" | wc -l)" = 1 ]
}

@test "deleted by its owner, when nobody uses it; the name is free at once" {
	daemon_start
	sleeper "$ann"
	api "$ann" GET /v1/volumes/default
	expect 200
	[ "$(field .sandbox)" = "$box" ]
	id=$(field .id)
	[ -d "$VOLUMES/$id" ]
	api "$ann" DELETE /v1/volumes/default
	expect 409 "sandbox $box uses it"
	ends_box "$ann" "$box"
	runs "$ann" 'echo old > /workspace/file'
	# A program of the host's that uses it, which no row knows.
	flock --exclusive --no-fork "$VOLUMES/$id/disk.img" sleep 100 3>&- &
	eventually eval '! flock --nonblock --exclusive "$VOLUMES/$id/disk.img" true'
	api "$ann" DELETE /v1/volumes/default
	expect 409 'somebody uses it'
	api "$ann" POST /v1/sandboxes '{}'
	expect 409 'workspace: volume'
	kill %%
	eventually flock --nonblock --exclusive "$VOLUMES/$id/disk.img" true
	api "$ann" DELETE "/v1/volumes/$id"
	expect 204
	[ -z "$(ls "$VOLUMES")" ]
	api "$ann" GET /v1/volumes/default
	expect 404
	api "$ann" DELETE /v1/volumes/default
	expect 404
	runs "$ann" '[ ! -e /workspace/file ]'
}

@test "a removal that was cut short is finished by the next daemon; a volume that no row knows is left alone" {
	daemon_start
	visit "$ann"
	api "$ann" GET /v1/volumes/default
	id=$(field .id)
	daemon_stop
	vol create --size 4Mi operators
	"$PYTHON" -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute("UPDATE volumes SET condemned = 1"); d.commit()' "$STATE/carrel.db"
	daemon_start
	wait_for '[ ! -e "$VOLUMES/$id" ]'
	api "$ann" GET /v1/volumes
	[ "$(field '.items | length')" = 0 ]
	[ "$(ls "$VOLUMES")" = operators ]
	[ "$("$PYTHON" -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM volumes").fetchone()[0])' "$STATE/carrel.db")" = 0 ]
}

@test "lists come in pages" {
	daemon_start
	for name in one two; do visit "$ann" "{\"workspace\": \"$name\"}"; done
	api "$ann" GET '/v1/volumes?limit=1'
	[ "$(field '.items[0].name')" = one ]
	api "$ann" GET "/v1/volumes?limit=1&after=$(field .next)"
	[ "$(field '"\(.items[0].name) \(.next)"')" = 'two null' ]
	api "$ann" GET '/v1/volumes?after=none'
	expect 400 after
}
