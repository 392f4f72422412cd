#!/usr/bin/env bats
# The daemon's command line, configuration and tiers: one clear sentence for what is wrong.

load sessiond.bash

setup_file() { sessiond_store; }
setup() { sessiond_setup; }
teardown() { sessiond_teardown; }

refused() { # TEXT OPTION...: the daemon does not start, and says TEXT in one line
	local text=$1
	shift
	options
	run timeout 20 "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" --listen 127.0.0.1:0 "$@"
	[ "$status" != 0 ] && [ "$status" != 124 ] || { echo "it ran: $*" && return 1; }
	[[ "$output" == *"$text"* ]] || { echo "\"$text\" is not in: $output" && return 1; }
	[ "$(printf '%s\n' "$output" | grep -c '^carrel-sessiond:')" = 1 ]
}

@test "a mistake in the tiers is named by its place" {
	sed 's/memory: 512Mi/memory: 512 Megs/' "$TOP/config/tiers.yaml" > "$WORK/tiers.yaml"
	refused "tiers.free.memory" --tiers "$WORK/tiers.yaml"
	sed '0,/pids: 128/s/pids: 128/pids: -1/' "$TOP/config/tiers.yaml" > "$WORK/tiers.yaml"
	refused "tiers.free.pids" --tiers "$WORK/tiers.yaml"
	sed '0,/sandboxes: 5/s/sandboxes: 5/sandboxs: 5/' "$TOP/config/tiers.yaml" > "$WORK/tiers.yaml"
	refused "tiers.free.sandboxs" --tiers "$WORK/tiers.yaml"
	printf 'version: 1\ntiers: {free: [' > "$WORK/tiers.yaml"
	refused "line" --tiers "$WORK/tiers.yaml"
	refused "nosuch.yaml" --tiers "$WORK/nosuch.yaml"
}

@test "carrel.yaml is read, and options win over it" {
	options
	cat > "$WORK/carrel.yaml" << YAML
listen: ["127.0.0.1:0", "unix:$WORK/api"]
state_dir: $STATE
run_dir: $WORK/other
store: $STORE
tiers: $TIERS
origins: [https://ide.example]
cgroup: $CGROUP
bin_dir: $BIN_DIR
seccomp: $TOP/config/seccomp.json
keep_ended: 5m
YAML
	"$CARREL_BIN/carrel-sessiond" --config "$WORK/carrel.yaml" --run-dir "$RUN" --ephemeral > "$WORK/out" 2> "$WORK/log" 3>&- &
	DAEMON=$!
	listening() { [ "$(wc -l < "$WORK/out")" = 2 ]; }
	eventually listening
	ADDR=$(sed -n 's|^http://||p' "$WORK/out")
	grep -qx "unix:$WORK/api" "$WORK/out"
	[ -d "$RUN/sandboxes" ] && [ ! -e "$WORK/other" ]
	key=$(key_add ann free)
	create "$key"
	[ "$(curl -s --unix-socket "$WORK/api" -H "Authorization: Bearer $key" "http://x/v1/sandboxes/$box" | jq -r .state)" = running ]
	CURL=(-H "Origin: https://ide.example")
	api "$key" POST "/v1/sandboxes/$box/tickets"
	expect 201
}

@test "mistakes in carrel.yaml and on the command line are named" {
	echo 'listn: ["127.0.0.1:0"]' > "$WORK/carrel.yaml"
	refused "listn: unknown field" --config "$WORK/carrel.yaml"
	echo 'keep_ended: soon' > "$WORK/carrel.yaml"
	refused "keep_ended" --config "$WORK/carrel.yaml"
	refused "nosuch" --config "$WORK/nosuch"
	refused "localhost:80" --listen localhost:80
	refused "https://x/" --origin https://x/
	refused "uid_base" --uid-base 1000
	refused "log" --log-level loud
	refused "carrel-image" --bin-dir "$WORK"
	refused "page: " --web "$WORK/nosuch"
	refused "unknown option" --no-such-option
	daemon_start
	STATE=$WORK/second
	refused "${ADDR##*:}" --listen "$ADDR"
}

@test "keys by command: added, listed, removed; mistakes are named" {
	key=$(key_add ann free --admin)
	[[ $key =~ ^crl_[a-z2-7]{12}_[A-Za-z0-9_-]{43}$ ]]
	options
	run "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key ls
	[[ "$output" == *"${key:4:12}"*ann*free*admin* ]]
	[[ "$output" != *"${key:17}"* ]]
	[ "$("$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key ls --json | jq -r '.[0].user')" = ann ]
	run "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key add --user ann --tier gold
	[ "$status" = 1 ] && [[ "$output" == *"no tier gold"* ]]
	run "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key add --user 'a b' --tier free
	[ "$status" = 1 ] && [[ "$output" == *user:* ]]
	run "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key add
	[ "$status" = 1 ] && [[ "$output" == *--user* ]]
	run "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key rm "${key:4:12}"
	[ "$status" = 0 ]
	run "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key rm "${key:4:12}"
	[ "$status" = 1 ]
	run "$CARREL_BIN/carrel-sessiond" "${OPTIONS[@]}" key frob
	[ "$status" = 1 ] && [[ "$output" == *"add, ls and rm"* ]]
}

@test "help, version and man page come from the tables" {
	run "$CARREL_BIN/carrel-sessiond" --help
	[ "$status" = 0 ] && [[ "$output" == *--first-use-key* ]]
	run "$CARREL_BIN/carrel-sessiond" key --help
	[ "$status" = 0 ] && [[ "$output" == *--tier* ]]
	run "$CARREL_BIN/carrel-sessiond" --version
	[ "$status" = 0 ] && [[ "$output" == *"$(cat "$TOP/VERSION")"* ]]
	[ -x "$(command -v mandoc)" ] || skip "needs mandoc"
	"$CARREL_BIN/carrel-sessiond" --man | mandoc -T lint -W error
}

@test "a database of a newer version is refused" {
	key_add ann free
	sqlite3 "$STATE/carrel.db" 'PRAGMA user_version = 99'
	refused "version 99"
}

@test "a database of the version before is brought up to this one, with its rows" {
	key_add ann free
	sqlite3 "$STATE/carrel.db" "DROP TABLE volumes; DROP INDEX sandboxes_by_volume; ALTER TABLE sandboxes DROP COLUMN volume;
		ALTER TABLE sandboxes DROP COLUMN policy;
		ALTER TABLE sandboxes DROP COLUMN workspace; ALTER TABLE sandboxes DROP COLUMN network; PRAGMA user_version = 1;
		INSERT INTO sandboxes(id, user, tier, state, image, command, labels, idle_ms, lifetime_ms, created_ms, ended_ms, reason)
		VALUES('old', 'ann', 'free', 'ended', 'default', 'null', '{}', 1, 1, 1, $(date +%s)000, 'exited')"
	key=$(key_add ann free)
	[ "$(sqlite3 "$STATE/carrel.db" 'PRAGMA user_version; SELECT network FROM sandboxes')" = $'4\nnone' ]
	daemon_start
	api "$key" GET /v1/sandboxes/old
	[ "$(field '"\(.network) \(.workspace) \(.policy)"')" = 'none null null' ]
}

@test "administrators make, list and remove keys over the API; metrics count" {
	admin=$(key_add root pro --admin)
	daemon_start
	api "$admin" POST /v1/keys '{"user":"bob","tier":"free","expires_seconds":60}'
	expect 201
	bob=$(field .key) id=$(field .id)
	create "$bob"
	api "$admin" GET /v1/keys
	[ "$(field '.items | length')" = 2 ]
	[[ "$body" != *"${bob:17}"* ]]
	for bad in '{"user":"a b","tier":"free"}' '{"user":"x","tier":"gold"}' '{"tier":"free"}' '{"user":"x","tier":"free","expires_seconds":0}'; do
		api "$admin" POST /v1/keys "$bad"
		expect 400
	done
	api "$admin" DELETE "/v1/keys/$id"
	expect 204
	api "$bob" GET /v1/me
	expect 401
	api "$admin" GET /metrics
	expect 200 "carrel_sandboxes_live 1"
	[[ "$body" == *carrel_sandboxes_created_total\ 1* ]]
	[[ "$body" == *'carrel_start_seconds_bucket{le="+Inf"} 1'* ]]
	CURL=(-H "X-Request-Id: my-id.1")
	api "$admin" GET /v1/nothing
	expect 404 my-id.1
	[ "$(header x-request-id)" = my-id.1 ]
	CURL=(-H "X-Request-Id: bad id")
	api "$admin" GET /v1/me
	[[ "$(header x-request-id)" =~ ^[a-z2-7]{26}$ ]]
}
