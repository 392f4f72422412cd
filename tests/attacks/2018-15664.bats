# CVE-2018-15664, CVE-2019-14271: what runs with the host's rights reads the image's files by name, or loads the image's libraries
# (name service modules) when it looks somebody up there. Of the runtime's part: users, groups and HOME come from the
# image's /etc/passwd and /etc/group, by a program that loads nothing.
load ../integration/guest

setup() {
	guest_setup
	config '.root.readonly = false'
}
teardown() { runtime_teardown; }

# An image whose name service module leaves a mark when a process loads it.
evil_modules() {
	local so=$WORK/evil.so lib
	printf '%s\n' '#include <sys/syscall.h>' 'static long call(long n, long a, long b, long c, long d) { long r; register long r10 __asm__("r10") = d;' \
		'__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory"); return r; }' \
		'__attribute__((constructor)) static void mark(void) { call(SYS_openat, -100, (long) "/loaded", 0101, 0600); }' |
		gcc -x c -shared -fPIC -nostdlib -o "$so" -
	for lib in /lib /lib64 /usr/lib "/lib/$(gcc -print-multiarch)" "/usr/lib/$(gcc -print-multiarch)"; do
		mkdir -p "$ROOTFS$lib"
		cp "$so" "$ROOTFS$lib/libnss_evil.so.2"
	done
	printf 'passwd: evil\ngroup: evil\ninitgroups: evil\n' > "$ROOTFS/etc/nsswitch.conf"
}

@test "control: a program that enters the image and looks somebody up loads the image's code" {
	evil_modules
	# Without site: where HOME is not set that looks somebody up before the root is changed.
	python3 -IS -c 'import os, pwd, sys; os.chroot(sys.argv[1]); os.chdir("/"); pwd.getpwall()' "$ROOTFS"
	[ -e "$ROOTFS/loaded" ]
}

@test "run and exec of users by name load nothing" {
	evil_modules
	start_sleeper
	for u in user user:extra root 1000 1000:extra; do
		run rt exec --user "$u" "$ID" /bin/guest ids
		ok
	done
	fails_with nobody-knows rt exec --user nobody-knows "$ID" /bin/true
	[ ! -e "$ROOTFS/loaded" ]
}

@test "a program that cannot load libraries: no interpreter, nothing needed" {
	[ -z "${CARREL_SAN:-}" ] || skip "sanitized programs are dynamic"
	run readelf -ld "$RUNTIME"
	ok
	[[ $output != *INTERP* && $output != *NEEDED* ]]
}

@test "while the image's files are exchanged for links to the host's, only the image is read" {
	local i out
	printf 'user:x:4242:4242::/host-home:/bin/sh\n' > "$WORK/host-passwd"
	mkdir -p "$WORK/evil"
	ln -s "$WORK/host-passwd" "$ROOTFS/etc/link"
	jq --arg r "$ROOTFS" '.root.path = $r | .process.args = ["/bin/guest", "swap", "/etc/passwd", "/etc/link"] | .linux.cgroupsPath += "-evil"' \
		"$BUNDLE/config.json" > "$WORK/evil/config.json"
	start_sleeper
	rt run -d -b "$WORK/evil" "$ID-evil" < /dev/null > "$WORK/evil.out" 2>&1
	wait_for 'grep -q swapping "$WORK/evil.out"'
	local good=0
	for i in $(seq 60); do
		out=$(rt exec --user user "$ID" /bin/guest ids 2>&1) && good=$((good + 1))
		[[ $out != *4242* ]] || { echo "$out" && return 1; }
	done
	rt delete --force "$ID-evil"
	[ "$good" -gt 0 ]
	# What the exchange is good for: by name the host's file is read.
	ln -sfn "$WORK/host-passwd" "$ROOTFS/etc/passwd"
	grep -q 4242 "$ROOTFS/etc/passwd"
}
