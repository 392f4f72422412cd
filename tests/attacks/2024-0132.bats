# CVE-2024-0132, CVE-2024-0133 and their relatives: a hook, or whoever prepares a container, follows a link of the image on the
# host, or runs the image's program in place of its own. Also CVE-2026-41567: a program of the host is looked for by name and found
# in the image.
load ../integration/guest

setup() {
	guest_setup
	config '.root.readonly = false'
	VICTIM=$WORK/victim
	mkdir -p "$VICTIM"
	printf '#!/bin/sh\ncat > /dev/null\necho host >> %s/ran\n' "$VICTIM" > "$WORK/hook"
	chmod 755 "$WORK/hook"
}
teardown() { runtime_teardown; }

# The image has a program at the same path, and it reaches the same mark where it is run on the host.
evil_twin() { # PATH
	mkdir -p "$ROOTFS$(dirname "$1")"
	printf '#!/bin/sh\ncat > /dev/null\necho image >> %s/ran\n' "$VICTIM" > "$ROOTFS$1"
	chmod 755 "$ROOTFS$1"
}

@test "control: the image's twin, run by the host, leaves its mark" {
	evil_twin "$WORK/hook"
	"$ROOTFS$WORK/hook" < /dev/null
	grep -qx image "$VICTIM/ran"
}

@test "hooks before the root is entered are the host's programs, and a link of the image does not redirect them" {
	local kind
	evil_twin "$WORK/hook"
	for kind in prestart createRuntime createContainer poststart poststop; do
		rm -f "$VICTIM/ran"
		edit --arg k "$kind" --arg p "$WORK/hook" '.hooks = {($k): [{path: $p}]}'
		inside true
		ok
		[ "$(cat "$VICTIM/ran")" = host ] || { echo "$kind: $(cat "$VICTIM/ran")" && return 1; }
	done
}

@test "a startContainer hook is the image's own, with nothing of the host in reach" {
	evil_twin /bin/hook
	edit '.hooks = {startContainer: [{path: "/bin/hook"}]}'
	inside true
	[ ! -e "$VICTIM/ran" ]
	edit --arg p "$WORK/hook" '.hooks = {startContainer: [{path: $p}]}'
	run rt run -b "$BUNDLE" "$ID"
	[ "$status" -ne 0 ]
	[ ! -e "$VICTIM/ran" ]
}

@test "files and directories that an engine mounts (secrets, hosts, resolv.conf) stay inside, whatever the image has there" {
	local at
	echo host > "$VICTIM/file"
	echo new > "$WORK/secret"
	for at in /etc/hosts /etc/resolv.conf /etc/hostname /run/secrets/key /run/.containerenv /etc/mtab; do
		mkdir -p "$ROOTFS$(dirname "$at")"
		ln -sfn "$VICTIM/file" "$ROOTFS$at"
		mount_at "$at" bind "$WORK/secret" bind ro
	done
	inside sh -c 'cat /etc/hosts /run/secrets/key'
	ok
	[ "$output" = $'new\nnew' ]
	[ "$(cat "$VICTIM/file")" = host ]
	! grep -q " $VICTIM" /proc/self/mountinfo
}

@test "no program of the image is run by the runtime, whatever its name and the PATH of the process" {
	local p
	for p in newuidmap newgidmap criu ip nft tar xz modprobe systemd-run sh true mount umount fusermount3 apparmor_parser; do
		evil_twin "/evil/$p"
	done
	edit '.process.env = ["PATH=/evil:/bin"]'
	args /bin/true
	# From a directory of the image, with all that the runtime does for a container of its own.
	userns
	(cd "$ROOTFS/evil" && rt run -b "$BUNDLE" "$ID")
	(cd "$ROOTFS/evil" && rt run -d -b "$BUNDLE" "$ID" < /dev/null > "$WORK/out" 2>&1)
	(cd "$ROOTFS/evil" && rt delete --force "$ID")
	[ ! -e "$VICTIM/ran" ] || { cat "$VICTIM/ran" && return 1; }
}
