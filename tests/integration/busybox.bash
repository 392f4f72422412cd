# busybox_root DIR [NAME...]: a root filesystem of busybox with root and one user, and empty directories of these names.
busybox_root() {
	local root=$1
	shift
	mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,root,home,var,run,mnt} "${@/#/$root/}"
	cp "$(command -v busybox)" "$root/bin/busybox"
	# One process for all links: a guest pays dearly for each.
	"$root/bin/busybox" --list | perl -ne 'BEGIN { $dir = shift } chomp; symlink "busybox", "$dir/$_" if $_ ne "busybox"' "$root/bin"
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:a user:/home/user:/bin/sh\n' > "$root/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\n' > "$root/etc/group"
	chmod 1777 "$root/tmp"
}
