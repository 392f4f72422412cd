# For tests that look at control groups, on whichever version the host has ($VERSION). Controllers have a directory each on v1.
#
#   only_v 2                          skips on the other version
#   needs CONTROLLER                  skips where the host has no such controller
#   dir CONTROLLER [PATH]             the directory of the test's container
#   file CONTROLLER V1NAME V2NAME     a file there, by its name on this version
#   value CONTROLLER V1NAME V2NAME    its content

load "${BASH_SOURCE[0]%/*}/lib.bash"

case $(stat -f -c %T /sys/fs/cgroup) in
cgroup2fs) VERSION=2 ;;
*) VERSION=1 ;;
esac

v2() { [ "$VERSION" = 2 ]; }

only_v() {
	[ "$VERSION" = "$1" ] || skip "is about cgroup v$1, this host has v$VERSION"
}

needs() {
	if v2; then
		grep -qw "$1" /sys/fs/cgroup/cgroup.controllers || skip "no $1 controller on this host"
	else
		mountpoint -q "/sys/fs/cgroup/$1" || skip "no $1 controller on this host"
	fi
}

dir() {
	if v2; then echo "/sys/fs/cgroup${2:-$CGROUP}"; else echo "/sys/fs/cgroup/$1${2:-$CGROUP}"; fi
}

file() {
	if v2; then echo "$(dir "$1")/$3"; else echo "$(dir "$1")/$2"; fi
}

value() {
	cat "$(file "$@")"
}
