# What a taken-over unpacker could do: nothing. Looked at from outside while it works; the control is its parent,
# which has what the child lacks.
load ../integration/images

setup() { images_setup; }

# Of the jobs of the process: each has an inflating child, if need be, and an unpacking one.
children() {
	local job
	for job in $(cat "/proc/$1/task/$1/children"); do cat "/proc/$job/task/$job/children"; done 2> /dev/null
}

status_of() { awk -v k="$2:" '$1 == k {print $2}' "/proc/$1/status"; }

@test "both children are sealed" {
	mk << 'PY'
import random
write('r.tar.gz', pack(layer([f(f'd{i % 50}/f{i}', random.randbytes(3000)) for i in range(8000)], tarfile.USTAR_FORMAT), 'gzip'))
PY
	img ls > /dev/null
	# The job first: it moves the bytes.
	held() { kill -STOP $(cat "/proc/$pid/task/$pid/children") $pid && [ "$(children $pid | wc -w)" = 2 ]; }
	caught '[ -d "$STORE"/tmp/*/layers/partial.1/root/d1 ]' held "$IMAGE" --store "$STORE" import --as rootfs r.tar.gz
	tree= inflate=
	for c in $(children $pid); do
		[ "$(status_of "$c" CapEff)" = 0000000000000000 ] && inflate=$c || tree=$c
	done
	[ -n "$tree" ] && [ -n "$inflate" ]
	own=$(readlink /proc/self/ns/net)
	# Setters of owners and modes, nothing else: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP.
	[ "$(status_of "$tree" CapEff)" = 000000008000001b ]
	for c in $tree $inflate; do
		[ "$(status_of "$c" Seccomp)" = 2 ]
		[ "$(status_of "$c" NoNewPrivs)" = 1 ]
		for ns in user mnt net ipc uts pid cgroup; do
			[ "$(readlink "/proc/$c/ns/$ns")" != "$(readlink "/proc/$pid/ns/$ns")" ]
		done
		# No descriptor of the host: pipes, a socket, at most the blob or the tree.
		n=$(ls "/proc/$c/fd" | wc -l)
		[ "$n" -le 6 ]
		[ -z "$(ls -l "/proc/$c/fd" | grep -E '/lock|/dev/|index')" ]
		[ "$(awk '/^Max core file size/ {print $5}' "/proc/$c/limits")" = 0 ]
	done
	# The tree child's root is the layer, and nothing else is mounted.
	[ "$(wc -l < "/proc/$tree/mountinfo")" = 1 ]
	[ -d "/proc/$tree/root/d1" ] && [ ! -e "/proc/$tree/root/etc" ]
	# The control: the parent has all that.
	[ "$(status_of $pid Seccomp)" = 0 ]
	[ "$(readlink /proc/$pid/ns/net)" = "$own" ]
	[ -e /proc/$pid/root/etc ]
	kill -CONT $(cat "/proc/$pid/task/$pid/children") $pid
	wait $pid
}

@test "the child that writes an EROFS image has no rights, no file system and one file" {
	mk << 'PY'
write('r.tar', layer([f(f'd{i % 50}/f{i}', 'x' * 3000) for i in range(8000)], tarfile.USTAR_FORMAT))
PY
	img ls > /dev/null
	held() { kill -STOP $(cat "/proc/$pid/task/$pid/children") $pid && [ "$(children $pid | wc -w)" = 1 ]; }
	caught '[ -s "$STORE"/tmp/*/layers/partial.1/layer.erofs ]' held "$IMAGE" --store "$STORE" import --format erofs --as rootfs r.tar
	c=$(children $pid)
	c=${c% }
	for set in CapEff CapPrm CapInh; do [ "$(status_of "$c" $set)" = 0000000000000000 ]; done
	[ "$(status_of "$c" Seccomp)" = 2 ] && [ "$(status_of "$c" NoNewPrivs)" = 1 ]
	for ns in user mnt net ipc uts pid cgroup; do
		[ "$(readlink "/proc/$c/ns/$ns")" != "$(readlink "/proc/$pid/ns/$ns")" ]
	done
	# No id of the host stands for it, and the only file that it holds is the image.
	[ -z "$(cat "/proc/$c/uid_map")" ]
	[ "$(ls -l "/proc/$c/fd" | grep -c "$STORE")" = 1 ]
	ls -l "/proc/$c/fd" | grep "$STORE" | grep -q '/layer.erofs$'
	[ "$(status_of $pid Seccomp)" = 0 ] && [ -n "$(cat /proc/$pid/uid_map)" ] # the control
	kill -CONT $(cat "/proc/$pid/task/$pid/children") $pid
	wait $pid
}

@test "the children die with their parent" {
	mk << 'PY'
write('r.tar', layer([f(f'd{i % 50}/f{i}', 'x' * 3000) for i in range(8000)], tarfile.USTAR_FORMAT))
PY
	img ls > /dev/null
	held() { child=$(children $pid) && [ -n "$child" ] && kill -9 $pid; }
	caught '[ -d "$STORE"/tmp/*/layers/partial.1/root/d1 ]' held "$IMAGE" --store "$STORE" import --as rootfs r.tar
	wait $pid || true
	for c in $child; do wait_for "gone $c"; done
}

@test "without user namespaces it refuses to unpack" {
	mk <<< "write('r.tar', layer([f('a', '1')]))"
	# A user namespace of the test's own, which may have no further ones.
	run unshare -Urm sh -c "echo 0 > /proc/sys/user/max_user_namespaces && exec '$IMAGE' --store '$STORE' import --as rootfs r.tar"
	[ "$status" -eq 1 ]
	says 'user namespaces'
	run img import --as rootfs r.tar
	ok
}

@test "without openat2 the archives stay inside all the same" {
	mkdir victim control
	VICTIM=$WORK/victim mk << 'PY'
V = os.environ['VICTIM']
t = layer([s('link', V), f('link/pwned', 'x'), d('a'), s('a/up', '../../../../../../..' + V), f('a/up/pwned2', 'y')])
write('a.tar', t)
naive(t, 'control')
PY
	[ -e victim/pwned ] && rm victim/pwned*
	CARREL_TEST_NO_OPENAT2=1 run img import --as rootfs a.tar
	ok
	[ -z "$(ls -A victim)" ]
	[ -e "$(only_layer)$WORK/victim/pwned" ] && [ -e "$(only_layer)$WORK/victim/pwned2" ]
}
