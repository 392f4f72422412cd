# What lies in a volume was written by a stranger, and by one with root's rights at worst: links, devices, setuid programs, names. None of
# it leads out of the sandbox that gets the volume, or makes a process there more than it is. Controls: the same content, mounted carelessly,
# does.
load ../integration/carrel
load ../integration/volumes

setup_file() { sessiond_store; }
setup() {
	sessiond_setup
	VOLUMES=$WORK/volumes
	vol create --size 8Mi v
}
teardown() { carrel_teardown; }

sh_in() { boxed --volumes "$VOLUMES" --volume v --user "$1" default -- /bin/sh -c "$2" < /dev/null; }

# As whoever owns the host would plant it: no sandbox can make these.
plant() { in_shell v "$1"; }

@test "device nodes of the host open nothing, for nobody inside" {
	plant 'mknod -m 666 "$M/zero" c 1 5; mknod -m 666 "$M/disk" b 7 0; mknod -m 666 "$M/mem" c 1 1
		[ "$(head -c 4 "$M/zero" | od -An -tx1 | tr -d " ")" = 00000000 ]' # the control: mounted by mount(8) they work
	for user in 0 user; do
		run sh_in $user 'ls /workspace; for f in zero disk mem; do head -c 1 /workspace/$f && echo opened $f; done'
		says zero
		[[ $output != *opened* ]] || { echo "$output" && return 1; }
		says 'Permission denied'
	done
	run sh_in 0 'mknod /workspace/own c 1 5 && echo made'
	[[ $output != *made* ]] || return 1
}

@test "a setuid program gives nothing" {
	export GUEST=$CARREL_BIN/../tests/guest
	plant 'cp "$GUEST" "$M/guest"; chmod 6755 "$M/guest"
		as_user "$M/guest" ids | grep -qx "uid 1000 0 0"' # the control
	sh_in user '/workspace/guest ids' > "$WORK/ids"
	grep -qx 'uid 1000 1000 1000' "$WORK/ids" && grep -qx 'gid 1000 1000 1000' "$WORK/ids"
	# And one with capabilities.
	plant 'cp "$GUEST" "$M/cap"; setcap cap_dac_override+ep "$M/cap"
		setpriv --reuid 1000 --regid 1000 --clear-groups "$M/cap" caps | grep -q "^effective .*2$"' # the control
	sh_in user '/workspace/cap caps' > "$WORK/caps"
	grep -qx 'effective 0*' "$WORK/caps"
}

@test "links lead to the sandbox's own files, and the volume's root is no way up" {
	echo "the host's" > "$WORK/secret"
	ln -s "$WORK/secret" "$WORK/link"
	[ "$(cat "$WORK/link")" = "the host's" ] # the control
	plant 'ln -s "$WORK/secret" "$M/absolute"; ln -s ../../../../../../../../../..$WORK/secret "$M/relative"; ln -s /etc/passwd "$M/passwd"
		ln -s /proc/1/root "$M/proc"'
	run sh_in user 'cat /workspace/absolute; cat /workspace/relative; cat /workspace/proc'"$WORK"'/secret; cat /workspace/passwd; ls -a /workspace/..'
	[[ $output != *"the host's"* ]] || { echo "$output" && return 1; }
	says 'root:x:0:0:root:/root:/bin/sh'
	says busybox || says bin
	# Nor does the shim follow one when it gives the volume's root to its user.
	plant 'rm -rf "$M"/*; chown 0:0 "$M"'
	sh_in user 'ln -s /etc /workspace/x'
	[ "$(stat -c %u "$WORK/secret")" = 0 ]
}

@test "links in the place of a volume's own files are refused, not followed" {
	echo victim > "$WORK/victim"
	cp "$VOLUMES/v/disk.img" "$WORK/disk.img"
	mv "$VOLUMES/v/disk.img" "$VOLUMES/v/real"
	ln -s "$WORK/disk.img" "$VOLUMES/v/disk.img"
	run sh_in user true
	[ "$status" != 0 ]
	says 'volume v: its content: Too many levels of symbolic links'
	mv "$VOLUMES/v/real" "$VOLUMES/v/disk.img"
	sh_in user true # the control
	ln -s "$VOLUMES/v" "$VOLUMES/w"
	run boxed --volumes "$VOLUMES" --volume w default -- true < /dev/null
	[ "$status" != 0 ]
	run vol rm w
	[ "$status" != 0 ]
	[ -e "$VOLUMES/v/disk.img" ]
	rm "$VOLUMES/w"
	# What the last user wrote of himself is text and is not followed either.
	ln -sf "$WORK/victim" "$VOLUMES/v/user"
	sh_in user true
	[ "$(cat "$WORK/victim")" = victim ]
}

@test "the file system is not the sandbox's to command" {
	# fstrim would give the space back that is set aside for it; nothing of a loop device is to be seen.
	before=$(stat -c %b "$VOLUMES/v/disk.img")
	run sh_in 0 'fstrim /workspace && echo trimmed; ls /dev/loop* && echo seen; mount -o remount,dev,suid /workspace && echo remounted; umount /workspace && echo unmounted'
	[[ $output != *trimmed* && $output != *seen* && $output != *mounted* ]] || { echo "$output" && return 1; }
	[ "$(stat -c %b "$VOLUMES/v/disk.img")" = "$before" ]
	plant 'fstrim "$M"' # the control
	[ "$(stat -c %b "$VOLUMES/v/disk.img")" -lt "$before" ]
}

@test "a file that is all holes, and one that is everybody's, cost what they cost" {
	[ "$(sh_in user 'truncate -s 1G /workspace/holes; dd if=/dev/zero of=/workspace/full bs=4096 2> /dev/null; stat -c %s /workspace/full')" -le 8388608 ]
	run sh_in user 'dd if=/dev/zero of=/workspace/holes bs=4096 count=1 conv=notrunc'
	says 'No space left on device'
}
