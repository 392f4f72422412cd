# Upper directories that somebody filled who wants the host's files, or the process that reads them. The control is a careless
# program that reads the same directory.
load ../integration/images

setup() {
	victim_setup
	mk << 'PY'
oci('base', [layer([d('etc'), f('etc/passwd', 'root:x:0:0::/root:/bin/sh\n')])])
PY
	img import --name base base > /dev/null
	mkdir upper
}

teardown() {
	[ -z "${ACCOMPLICE:-}" ] || kill "$ACCOMPLICE" 2> /dev/null || true
}

commit() { img commit --upper upper --base base "$@"; }
# Of the image x, whose layer on top it is.
top() { img inspect x | jq -r '.layers[-1].root'; }

@test "links that lead out are links, and nothing in the directory is opened that could wait or answer" {
	ln -s "$VICTIM" upper/dir
	ln -s "$VICTIM/secret" upper/file
	ln -s ../../victim/secret upper/up
	ln -s /proc/self/root upper/self
	mkfifo upper/fifo
	mknod upper/zero c 1 5
	mknod upper/disk b 7 200
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('upper/sock')"
	mkdir -p upper/usr/lib/ssl upper/usr/lib/x86_64-linux-gnu/gconv upper/etc
	cp /bin/busybox upper/usr/lib/x86_64-linux-gnu/gconv/ANSI_X3.4-1968.so
	echo 'openssl_conf = nothing' > upper/usr/lib/ssl/openssl.cnf
	printf 'module ANSI_X3.4-1968// INTERNAL /usr/lib/x86_64-linux-gnu/gconv/ANSI_X3.4-1968 1\n' > upper/usr/lib/x86_64-linux-gnu/gconv/gconv-modules
	IMG_TIMEOUT=30 run commit x
	ok
	says '1 sockets' && says '2 device nodes'
	[ "$(readlink "$(top)/dir" "$(top)/file" "$(top)/up" "$(top)/self" | tr '\n' ' ')" = "$VICTIM $VICTIM/secret ../../victim/secret /proc/self/root " ]
	[ -p "$(top)/fifo" ] && [ ! -e "$(top)/zero" ] && [ ! -e "$(top)/disk" ]
	[ -z "$(find "$STORE/layers" -type f -exec grep -lx secret {} +)" ]
	# The control: who follows what is there has the file.
	[ "$(cat upper/file upper/dir/secret)" = $'secret\nsecret' ]
}

@test "a file of a tebibyte is refused before it is read, many of them together too" {
	truncate -s 1T upper/huge
	IMG_TIMEOUT=20 unchanged 'huge: the files have more than the 17179869184 bytes' commit x
	rm upper/huge
	for i in 1 2 3 4 5; do truncate -s 4G upper/$i; done
	IMG_TIMEOUT=30 unchanged '5: the files have more than the 17179869184 bytes' commit x
	rm upper/[2-5]
	truncate -s 8M upper/1
	run commit x
	ok
	[ "$(stat -c '%s' "$(top)/1")" = 8388608 ]
}

@test "attributes: overlayfs' own and the host's do not come along, and the child sees none that it should not" {
	: > upper/file
	mkdir upper/dir
	python3 - << 'PY'
import os
for name in ('trusted.overlay.origin', 'trusted.overlay.impure', 'trusted.md5', 'security.selinux', 'user.overlay.opaque', 'user.note'):
    for p in ('upper/file', 'upper/dir'):
        os.setxattr(p, name, b'y')
for i in range(40):
    os.setxattr('upper/dir', 'user.%d' % i, b'v' * 20)
PY
	run commit x
	ok
	says '6 extended attributes left out'
	python3 - "$(top)" << 'PY'
import os, sys
os.chdir(sys.argv[1])
assert os.listxattr('file') == ['user.note'], os.listxattr('file')
assert len(os.listxattr('dir')) == 41, os.listxattr('dir')
PY
	# The control: they are there to be taken.
	python3 -c "import os; assert os.getxattr('upper/file', 'trusted.md5') == b'y'"
}

@test "exchanged for links while it is read: never the file that they lead to" {
	mkdir upper/a upper/a/sub
	echo mine > upper/a/sub/f
	echo mine > upper/f
	ln -s "$VICTIM" b
	ln -s "$VICTIM/secret" g
	mkdir victim/sub && echo secret > victim/sub/f
	cat > swap.py << 'PY'
import ctypes, os
libc = ctypes.CDLL(None)
print('swapping', flush=True)
while True:
    for x, y in ((b'upper/a', b'b'), (b'upper/f', b'g')):
        libc.renameat2(-100, x, -100, y, 2)
PY
	python3 swap.py > swap.out 3>&- &
	ACCOMPLICE=$!
	wait_for 'grep -q swapping swap.out'
	# The control: reading by name finds the secret soon.
	seen=
	for i in $(seq 2000); do [ "$(cat upper/f 2> /dev/null)" = secret ] && seen=1 && break; done
	[ -n "$seen" ]
	good=0
	for i in $(seq "${ATTACK_ROUNDS:-25}"); do
		run commit x
		[ "$status" = 0 ] && good=$((good + 1)) || says "carrel-image commit: upper directory"
	done
	kill $ACCOMPLICE
	echo "$good commits"
	[ -z "$(find "$STORE/layers" -type f -exec grep -lx secret {} +)" ]
	[ "$good" -gt 0 ]
	[[ $(img verify) == *': 0 broken'* ]]
	[ -z "$(ls -A "$STORE/tmp")" ]
}

status_of() { awk -v k="$2:" '$1 == k {print $2}' "/proc/$1/status"; }

@test "the child that reads it is sealed" {
	head -c 60000000 /dev/urandom > upper/big
	mkdir upper/mark
	held() { kill -STOP "$pid" && c=$(cat "/proc/$pid/task/$pid/children") && c=${c% } && [ -n "$c" ]; }
	caught '[ -s "$STORE"/tmp/*/layer.packed ]' held "$IMAGE" --store "$STORE" commit --upper upper --base base x
	# One right: to read whatever the owner and the mode.
	for set in CapEff CapPrm; do [ "$(status_of "$c" $set)" = 0000000000000004 ]; done
	[ "$(status_of "$c" Seccomp)" = 2 ] && [ "$(status_of "$c" NoNewPrivs)" = 1 ]
	for ns in user mnt net ipc uts pid cgroup; do
		[ "$(readlink "/proc/$c/ns/$ns")" != "$(readlink "/proc/$pid/ns/$ns")" ]
	done
	[ "$(wc -l < "/proc/$c/mountinfo")" = 1 ]
	for option in ro nosuid nodev noexec; do grep -qE "[ ,]$option[, ]" "/proc/$c/mountinfo"; done
	[ -d "/proc/$c/root/mark" ] && [ ! -e "/proc/$c/root/etc" ]
	# Its descriptors: the file it writes, the socket, what of the tree it is reading.
	[ "$(ls -l "/proc/$c/fd" | grep -c "$STORE")" = 1 ]
	[ "$(awk '/^Max core file size/ {print $5}' "/proc/$c/limits")" = 0 ]
	[ "$(status_of "$pid" Seccomp)" = 0 ] && [ -e "/proc/$pid/root/etc" ] # the control
	kill -CONT "$pid"
	wait $pid
}
