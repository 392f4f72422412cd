#!/usr/bin/env bats
# Volumes in sandboxes: mounted where they are asked for, with the sandbox's own ids, one sandbox at a time, nothing left behind.

bats_require_minimum_version 1.5.0
load carrel.bash
load volumes.bash

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	VOLUMES=$WORK/volumes
	nap=1000$$ # which nobody else sleeps
}
teardown() { carrel_teardown; }

with() { # VOLUME[:DIR] OPTIONS... -- COMMAND...
	local volume=$1
	shift
	boxed --volumes "$VOLUMES" --volume "$volume" "$@" < /dev/null
}
sh_in() { with "$1" "${@:3}" default -- /bin/sh -c "$2"; } # VOLUME SCRIPT OPTIONS...
left_nothing() {
	clean
	no_devices
	! grep -q ' /workspace ' /proc/self/mounts
}

@test "what one sandbox writes the next one reads, in ids of its own; outside they are the sandbox's" {
	vol create --size 8Mi v
	sh_in v 'id -u > /workspace/by-user; touch /workspace/mine; mkdir /workspace/dir; chmod 700 /workspace/dir' --user user
	sh_in v 'id -u >> /workspace/by-root; stat -c "%n %u:%g" /workspace/*' --user 0 > "$WORK/out"
	[ "$(sort "$WORK/out" | tr '\n' ,)" = '/workspace/by-root 0:0,/workspace/by-user 1000:1000,/workspace/dir 1000:1000,/workspace/mine 1000:1000,' ]
	[ "$(sh_in v 'cat /workspace/by-user; stat -c %u:%g /workspace' --user user)" = "$(printf '1000\n1000:1000')" ]
	# On the disk it has the sandbox's ids, none of the host's ranges.
	[ "$(inside v sh -c 'stat -c %u "$M"/mine "$M"/by-root' | tr '\n' ' ')" = '1000 0 ' ]
	left_nothing
}

@test "the ids that a host's process sees are the sandbox's range" {
	vol create --size 8Mi v
	with v --detach --name box --user user default -- /bin/sh -c "touch /workspace/mine && sleep $nap"
	eventually pgrep -f "^sleep $nap"
	pid=$(pgrep -f "^sleep $nap")
	wait_for '[ -e /proc/$pid/root/workspace/mine ]'
	base=$(awk '{ print $2 }' "/proc/$pid/uid_map")
	[ "$base" -ge 524288 ]
	[ "$(stat -c %u "/proc/$pid/root/workspace/mine")" = $((base + 1000)) ]
	grep ' /workspace ' "/proc/$pid/mountinfo" | grep -q 'nosuid,nodev.* - ext4 '
	# Only sandbox and shim have it.
	! grep -q /workspace /proc/self/mountinfo || return 1
	car rm box
	left_nothing
}

@test "filled to the byte from inside, bytes and inodes; root inside is no exception" {
	local user script='dd if=/dev/zero of=/workspace/full bs=4096 2> /dev/null; printf x 2> /dev/null >> /workspace/full && echo more; stat -c %s /workspace/full; rm /workspace/full'
	vol create --size 8Mi --inodes 50 v
	for user in user 0; do
		[ "$(sh_in v "$script" --user $user)" = 8388608 ]
	done
	[ "$(sh_in v 'i=0; while true > /workspace/$i; do i=$((i + 1)); done 2> /dev/null; echo $i; rm /workspace/*' --user user)" = "$(vol_field v .inodes)" ]
	# The tmpfs that is there without a volume: to the page, and bounded in inodes.
	script='size=$(df -k /workspace | awk "END { print \$2 }"); dd if=/dev/zero of=/workspace/full bs=4096 2> /dev/null; printf x 2> /dev/null >> /workspace/full && echo more
		[ $(($(stat -c %s /workspace/full) - size * 1024)) = 0 ] && echo exact; rm /workspace/full
		i=0; while true > /workspace/$i; do i=$((i + 1)); done 2> /dev/null; [ $i -le $((size / 4)) ] && echo bounded'
	[ "$(boxed --user user default -- /bin/sh -c "$script" < /dev/null | tr '\n' ' ')" = 'exact bounded ' ]
	left_nothing
}

@test "one sandbox at a time: a second one is refused by name, and may when the first has ended" {
	vol create --size 4Mi v
	with v --detach --name first default -- sleep 100
	run sh_in v true
	[ "$status" != 0 ]
	says 'volume v: sandbox first uses it, and one at a time may; end that first'
	run vol rm v
	ends 4 'sandbox first uses it'
	run vol resize --size 8Mi v
	ends 4 'sandbox first uses it'
	[ "$(vol_field v .in_use)" = true ]
	car rm first
	sh_in v 'echo there > /workspace/x'
	vol resize --size 8Mi v
	[ "$(sh_in v 'cat /workspace/x')" = there ]
	vol rm v
	run sh_in v true
	says 'volume v: there is no such volume'
	left_nothing
}

@test "killed shims keep the lock as long as anything of the sandbox lives, and then leave nothing" {
	vol create --size 4Mi v
	with v --detach --name box default -- /bin/sh -c "trap '' HUP; echo before > /workspace/x; sleep $nap"
	eventually pgrep -f "^sleep $nap"
	pid=$(pgrep -f "^sleep $nap")
	# Both halves, at once: the sandbox's processes live on, until somebody sweeps.
	wait_for '[ -s /proc/$pid/root/workspace/x ]'
	shims=$(pgrep -f "carrel-shim --dir $RUN/sandboxes/box")
	kill -9 $shims
	eventually eval '! pgrep -f "carrel-shim --dir $RUN/sandboxes/box"'
	! gone "$pid" || return 1
	run sh_in v true
	[ "$status" != 0 ]
	says 'sandbox box uses it'
	"$CARREL_BIN/carrel-shim" --dir "$RUN/sandboxes/box" --sweep
	rm -rf "$RUN/sandboxes/box"
	eventually gone "$pid"
	[ "$(sh_in v 'cat /workspace/x')" = before ]
	left_nothing
}

@test "at another place: over the home directory, below it, and not where there is none" {
	vol create --size 4Mi v
	[ "$(sh_in v:/home/user 'echo x > ~/file; pwd; df -k ~ | awk "END { print \$2 }"' --user user | head -n 1)" = /home/user ]
	[ "$(sh_in v:/home/user/deep/place 'cat /home/user/deep/place/file; ls /workspace' --user user)" = x ]
	run sh_in v:/absent/place true
	[ "$status" != 0 ]
	fails_with 'NAME[:DIR] is wanted' sh_in v:relative true
	fails_with 'NAME[:DIR] is wanted' sh_in ../v true
	left_nothing
}

@test "a volume between two sizes, or damaged, is refused with the remedy" {
	vol create --size 4Mi v
	jq -c '.growing = true' "$VOLUMES/v/volume.json" > "$WORK/json" && cp "$WORK/json" "$VOLUMES/v/volume.json"
	run sh_in v true
	[ "$status" != 0 ]
	says 'its resize was cut short; do it again with carrel-image volume resize'
	vol resize --size 4Mi v
	sh_in v true # the control
	dd if=/dev/zero of="$VOLUMES/v/disk.img" bs=4k count=2 conv=notrunc 2> /dev/null
	run sh_in v true
	[ "$status" != 0 ]
	says 'volume v: ext4: mount'
	left_nothing
}
