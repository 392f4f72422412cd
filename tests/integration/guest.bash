# For tests that look at a container from inside with the program of tests/guest.
#
#   guest PROBE [ARG...] [-- PROBE...]   a foreground container that runs the probes; must succeed
#   mount_at DEST TYPE SOURCE OPTION...  appends a mount ("" for none)
#   userns [BASE]                        a user namespace of 65536 ids; the rootfs' directories are given to it
#   fact NAME VALUE                      a line of the last output

load "${BASH_SOURCE[0]%/*}/lib.bash"

GUEST=${CARREL_GUEST:-$CARREL_BIN/../tests/guest}

guest_setup() {
	runtime_setup
	cp "$GUEST" "$ROOTFS/bin/guest"
}

guest() {
	inside /bin/guest "$@"
	ok
}

edit() { config "$@"; }

mount_at() {
	local dest=$1 type=$2 source=$3
	shift 3
	config --arg d "$dest" --arg t "$type" --arg s "$source" \
		'.mounts += [{destination: $d, options: $ARGS.positional}
			+ (if $t != "" then {type: $t} else {} end) + (if $s != "" then {source: $s} else {} end)]' --args -- "$@"
}

userns() {
	config --argjson b "${1:-100000}" '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: $b, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	find "$ROOTFS" -type d -exec chown "${1:-100000}:${1:-100000}" {} +
}

# All capabilities that the host gives.
all_caps() {
	config '.process.capabilities |= with_entries(.value = ["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE",
		"CAP_CHOWN", "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_NET_ADMIN", "CAP_SYS_CHROOT"])'
}

fact() {
	grep -qE "^$1 $2\$" <<< "$output" || { printf 'no "%s %s" in:\n%s\n' "$1" "$2" "$output" && return 1; }
}

no_fact() {
	! grep -qE "^$1 $2\$" <<< "$output" || { printf 'unwanted "%s %s" in:\n%s\n' "$1" "$2" "$output" && return 1; }
}
