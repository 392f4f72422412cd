# Recordings of terminals: made by the shim where the tier says so, kept and given by the daemon, played by `carrel play`.
load sessiond.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	sed 's/^    creations_per_hour: .*/&\n    recording: 1Mi/' "$TOP/config/tiers.yaml" > "$WORK/tiers.yaml"
	TIERS=$WORK/tiers.yaml
	key=$(key_add ann free)
}
teardown() { sessiond_teardown; }

box_of() { # COMMAND: a sandbox that runs it; sets $box
	api "$key" POST /v1/sandboxes "$(jq -nc --arg c "$1" '{command: ["sh", "-c", $c], cols: 90, rows: 30}')"
	[ "$code" = 201 ] || { echo "$code $body" && return 1; }
	box=$(field .id)
}
ended() {
	api "$key" GET "/v1/sandboxes/$box"
	[ "$(field .state)" = ended ]
}
play() { "$CARREL_BIN/carrel" --url "http://$ADDR" --key "$key" play "$@"; }

@test "a recording: size, output, bytes that are no text, exit; by the API, played, as bytes, as v2" {
	daemon_start
	box_of 'printf "caf\303\251 \377|\r\n"; stty size; exit 3'
	eventually ended
	[ "$(field .recording)" = "/v1/sandboxes/$box/recording" ]
	api "$key" GET "/v1/sandboxes/$box/recording"
	[ "$code" = 200 ] && [ "$(header Content-Type)" = application/x-asciicast ]
	printf '%s\n' "$body" > "$WORK/cast"
	[ "$(head -n 1 "$WORK/cast" | jq -c '[.version, .term.cols, .term.rows]')" = '[3,90,30]' ]
	grep -v '^#' "$WORK/cast" | tail -n +2 | jq -s -e 'all(.[]; length == 3 and .[0] >= 0)' > /dev/null
	[ "$(grep -v '^#' "$WORK/cast" | tail -n 1 | jq -r '.[1] + .[2]')" = x3 ]
	grep -q '^# raw 6:ff$' "$WORK/cast"
	play --raw "$box" > "$WORK/raw"
	printf 'caf\303\251 \377|\r\r\n30 90\r\n' | cmp - "$WORK/raw"
	[ "$(play --speed 1000 "$box" | head -n 1)" = $'caf\303\251 \357\277\275|\r\r' ]
	play --v2 "$box" > "$WORK/v2"
	[ "$(head -n 1 "$WORK/v2" | jq -c '[.version, .width, .height]')" = '[2,90,30]' ]
	tail -n +2 "$WORK/v2" | jq -s -e 'all(.[]; .[1] == "o") and (map(.[0]) | . == sort)' > /dev/null
	# A file as well; what is none is told.
	[ "$("$CARREL_BIN/carrel" play --raw "$WORK/v2" | tail -n 1)" = $'30 90\r' ]
	echo '{"version":7}' > "$WORK/odd"
	fails_with 'it is no asciicast of version 2 or 3' "$CARREL_BIN/carrel" play "$WORK/odd"
	fails_with 'line 2' "$CARREL_BIN/carrel" play <(printf '{"version":3}\n[1,2]\n')
}

@test "play --follow: what was recorded, then what comes, up to the end; also of a file" {
	daemon_start
	box_of 'echo first; read x; echo second-$x; exit 4'
	play --follow "$box" > "$WORK/followed" 3>&- &
	follower=$!
	eventually grep -q first "$WORK/followed"
	api "$key" POST "/v1/sandboxes/$box/exec" '{"command":["true"]}'
	expect 200
	client talk "$ADDR" "$(terminal "$box")" "$key" 'now\n' EOF > /dev/null
	wait $follower
	play --idle-limit 1ms "$box" > "$WORK/whole"
	cmp "$WORK/whole" "$WORK/followed"
	grep -q second-now "$WORK/followed"
	# From an offset on, and beyond the end.
	api "$key" GET "/v1/sandboxes/$box/recording"
	printf '%s\n' "$body" > "$WORK/cast"
	api "$key" GET "/v1/sandboxes/$box/recording?from=10"
	[ "$body" = "$(tail -c +11 "$WORK/cast")" ]
	api "$key" GET "/v1/sandboxes/$box/recording?from=99999999"
	[ "$code" = 200 ] && [ -z "$body" ]
	api "$key" GET "/v1/sandboxes/$box/recording?from=x"
	[ "$code" = 422 ] || [ "$code" = 400 ]
	# A file that grows, with a line in two parts.
	head -n 1 "$WORK/cast" > "$WORK/grows"
	"$CARREL_BIN/carrel" play --follow "$WORK/grows" > "$WORK/grown" 3>&- &
	follower=$!
	printf '[0, "o", "one' >> "$WORK/grows"
	printf '"]\n[1, "o", "two"]\n' >> "$WORK/grows"
	eventually grep -q onetwo "$WORK/grown"
	printf '[9, "x", "0"]\n' >> "$WORK/grows"
	wait $follower
}

@test "a recording is its owner's, goes with the sandbox's row, and is not made where the tier does not say so" {
	daemon_start
	bob=$(key_add bob free)
	box_of 'echo hello'
	eventually ended
	api "$bob" GET "/v1/sandboxes/$box/recording"
	[ "$code" = 404 ] && [ "$(field .detail)" = 'no such sandbox' ]
	api - GET "/v1/sandboxes/$box/recording"
	[ "$code" = 401 ]
	# The control.
	api "$key" GET "/v1/sandboxes/$box/recording"
	[ "$code" = 200 ]
	[ "$(stat -c '%a %u' "$STATE/recordings/$box.cast")" = '600 0' ]
	api "$key" DELETE "/v1/sandboxes/$box"
	[ "$code" = 204 ] && [ ! -e "$STATE/recordings/$box.cast" ]
	daemon_stop
	TIERS=$TOP/config/tiers.yaml
	daemon_start
	box_of 'echo hello'
	eventually ended
	[ "$(field .recording)" = null ]
	api "$key" GET "/v1/sandboxes/$box/recording"
	[ "$code" = 404 ] && [ "$(field .detail)" = 'this sandbox is not recorded' ]
	[ -z "$(ls "$STATE/recordings")" ]
}

@test "a recording ends at its limit and says so; the terminal goes on; a row that is forgotten takes its recording along" {
	daemon_start
	box_of 'head -c 3000000 /dev/zero | tr "\0" x; echo; exit 4'
	eventually ended 60
	[ "$(field .exit.code)" = 4 ]
	size=$(stat -c %s "$STATE/recordings/$box.cast")
	[ "$size" -le 1048576 ] && [ "$size" -gt 1000000 ]
	[ "$(tail -n 1 "$STATE/recordings/$box.cast" | jq -r '.[1]')" = m ]
	: > "$STATE/recordings/aaaaaaaaaaaaaaaaaaaaaaaaaa.cast"
	: > "$STATE/recordings/notes.txt"
	daemon_stop
	daemon_start
	eventually test ! -e "$STATE/recordings/aaaaaaaaaaaaaaaaaaaaaaaaaa.cast"
	[ -e "$STATE/recordings/notes.txt" ] && [ -e "$STATE/recordings/$box.cast" ]
}
