#!/usr/bin/env bats
# Somebody else's objects, on every route that has an id in it; the routes come from the daemon's own table.

load ../integration/sessiond.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	# Recorded, so that there is a recording to ask for.
	sed 's/^    creations_per_hour: .*/&\n    recording: 1Mi/' "$TOP/config/tiers.yaml" > "$WORK/recorded.yaml"
	TIERS=$WORK/recorded.yaml
	ann=$(key_add ann free) bob=$(key_add bob free) admin=$(key_add root pro --admin)
	daemon_start
}
teardown() { sessiond_teardown; }

sandbox_routes() { sed -nE 's|.*\{ "([A-Z]+)", *"(/v1/sandboxes/\{id\}[^"]*)".*|\1 \2|p' "$TOP/sessiond/routes.c"; }

# Some are an administrator's: they refuse everybody else before they look for the sandbox.
takes_admin() { # METHOD PATH
	grep -qE "\"$1\", *\"$(sed 's/[{}]/\\&/g' <<< "$2")\", *ROUTE_ADMIN," "$TOP/sessiond/routes.c"
}

body_of() { # "METHOD PATH": a body that is good for its owner
	case $1 in
	POST*/resize) echo '{"cols":80,"rows":24}' ;;
	POST*/exec | POST*/terminals) echo '{"command":["true"]}' ;;
	esac
}

@test "every route answers for a stranger's sandbox as for one that never was" {
	create "$ann"
	[ "$(sandbox_routes | wc -l)" -ge 5 ]
	while read -r method path; do
		if [[ $path == */terminal ]]; then continue; fi
		refused=404
		! takes_admin "$method" "$path" || refused=403
		path=${path/\{n\}/1}
		theirs=${path/\{id\}/$box} none=${path/\{id\}/aaaaaaaaaaaaaaaaaaaaaaaaaa}
		api "$bob" "$method" "$theirs" "$(body_of "$method $path")"
		expect $refused || { echo "$method $path" && return 1; }
		stranger=$(jq -c 'del(.request_id)' <<< "$body")
		api "$bob" "$method" "$none" "$(body_of "$method $path")"
		expect $refused
		[ "$stranger" = "$(jq -c 'del(.request_id)' <<< "$body")" ]
		api - "$method" "$theirs" "$(body_of "$method $path")"
		expect 401
	done < <(sandbox_routes)
	# Positive control: it is there, untouched, and its owner (or an administrator) may do all of this.
	while read -r method path; do
		if [[ $path == */terminal || $method == DELETE ]]; then continue; fi
		who=$ann
		! takes_admin "$method" "$path" || who=$admin
		path=${path/\{n\}/1}
		api "$who" "$method" "${path/\{id\}/$box}" "$(body_of "$method $path")"
		[[ $code == 20* ]] || { echo "$method $path: $code $body" && return 1; }
	done < <(sandbox_routes)
	takes_admin POST '/v1/sandboxes/{id}/upgrade'
	api "$ann" DELETE "/v1/sandboxes/$box"
	expect 204
}

@test "the WebSocket of a stranger's sandbox does not open" {
	create "$ann"
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $bob")
	[ "$(jq -r .status <<< "$out")" = 404 ]
	out=$(client shake "$ADDR" "$(terminal aaaaaaaaaaaaaaaaaaaaaaaaaa)" "Authorization:Bearer $bob")
	[ "$(jq -r .status <<< "$out")" = 404 ]
	# Ended ones are the owner's as well.
	api "$ann" DELETE "/v1/sandboxes/$box"
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $bob")
	[ "$(jq -r .status <<< "$out")" = 404 ]
	out=$(client shake "$ADDR" "$(terminal "$box")" "Authorization:Bearer $ann")
	[ "$(jq -r .close <<< "$out")" = 4410 ]
}

@test "a list shows the own sandboxes only, also behind a stranger's id" {
	create "$ann"
	theirs=$box
	create "$bob"
	api "$bob" GET /v1/sandboxes
	[ "$(field '[.items[].user] | unique | join(",")')" = bob ]
	api "$bob" GET "/v1/sandboxes?after=$theirs"
	expect 400 after
	api "$bob" GET "/v1/sandboxes?after=$box"
	[ "$(field '.items | length')" = 0 ]
	api "$admin" GET /v1/sandboxes
	[ "$(field '.items | length')" = 2 ]
}

@test "somebody else's volume is as one that never was, by its name and by its id" {
	sed 's/^tiers:/&\n  keep: { cpu: 1, memory: 512Mi, pids: 64, disk: 16Mi, idle: 15m, lifetime: 2h, sandboxes: 5, creations_per_hour: 99, workspace: { kind: persistent, size: 4Mi } }/' \
		"$TIERS" > "$WORK/tiers.yaml"
	daemon_stop
	TIERS=$WORK/tiers.yaml ADDR=
	ann=$(key_add ann keep) bob=$(key_add bob keep)
	daemon_start
	create "$ann" '{"command": ["true"], "workspace": "secret"}'
	api "$ann" GET /v1/volumes/secret
	expect 200
	id=$(field .id)
	for method in GET DELETE; do
		for name in secret "$id"; do
			api "$bob" $method "/v1/volumes/$name"
			expect 404
			stranger=$(jq -c 'del(.request_id)' <<< "$body")
			api "$bob" $method /v1/volumes/aaaaaaaaaaaaaaaaaaaaaaaaaa
			[ "$stranger" = "$(jq -c 'del(.request_id)' <<< "$body")" ]
			api - $method "/v1/volumes/$name"
			expect 401
		done
	done
	api "$bob" GET /v1/volumes
	[ "$(field '.items | length')" = 0 ]
	api "$bob" GET "/v1/volumes?after=$id"
	expect 400 after
	# The same name is bob's own volume for bob, and an id is a name like any other.
	create "$bob" "{\"command\": [\"true\"], \"workspace\": \"$id\"}"
	api "$bob" GET "/v1/volumes/$id"
	expect 200
	[ "$(field .user)" = bob ] && [ "$(field .id)" != "$id" ]
	# Positive control: it is there, untouched, and its owner and an administrator see it.
	api "$admin" GET "/v1/volumes/$id"
	expect 200
	[ "$(field .user)" = ann ]
	eventually eval 'api "$ann" DELETE /v1/volumes/secret && [ $code = 204 ]'
}

@test "keys are for administrators" {
	for route in "GET /v1/keys" "POST /v1/keys" "DELETE /v1/keys/${ann:4:12}" "GET /metrics"; do
		read -r method path <<< "$route"
		api "$bob" "$method" "$path" "$([ "$method" != POST ] || echo '{"user":"bob","tier":"enterprise","admin":true}')"
		expect 403 || { echo "$route" && return 1; }
		api - "$method" "$path"
		expect 401
		# Positive control.
		api "$admin" "$method" "$path" "$([ "$method" != POST ] || echo '{"user":"x","tier":"free"}')"
		[[ $code == 20* ]]
	done
}

@test "ids are not guessable and odd ones do no harm" {
	create "$ann"
	first=$box
	create "$ann"
	[ ${#first} = 26 ] && [ "$first" != "$box" ]
	for id in .. . %2e%2e 'a%00b' "$(printf 'a%.0s' {1..300})" "x'--" '*' '-' "$box%0a" "${box^^}" "$box."; do
		CURL=(--path-as-is -g)
		api "$ann" GET "/v1/sandboxes/$id"
		[ "$code" = 400 ] || [ "$code" = 404 ] || { echo "id $id: $code" && return 1; }
	done
	CURL=()
	api "$ann" GET "/v1/sandboxes/$first"
	expect 200
}
