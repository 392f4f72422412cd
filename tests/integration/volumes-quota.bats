#!/usr/bin/env bats
# Volumes of the kind quota. The kernel has to have project quotas: where the host's has none, tests/vm/run cgroup2 runs this in a guest that does.

load images
load volumes

setup() {
	images_setup
	need mkfs.ext4
	VOLUMES=$WORK/volumes
}

@test "quota: filled to the byte, bounded in inodes, grown; no limit left behind" {
	project_quotas
	export -f vol vol_field fill as_user
	export CARREL_BIN WORK
	# A user reaches a volume where it is mounted, and only there.
	unshare -m --propagation private bash -ec '
		mount -o loop,prjquota "$1/quota.img" "$1/quota"
		VOLUMES=$1/quota/volumes
		vol create --size 4Mi --inodes 40 v
		[ "$(vol_field v .kind)" = quota ]
		data=$(vol_field v .content)
		mount --bind "$data" /mnt
		chmod 1777 /mnt
		[ "$(fill /mnt)" = 4194304 ]
		sync
		[ "$(vol_field v .used)" = 4194304 ]
		[ "$(du -s --block-size=1 "$data" | cut -f 1)" = $((4194304 + 4096)) ]
		rm "$data/full"
		as_user sh -c "i=0; while true > /mnt/\$i; do i=\$((i + 1)); done 2> /dev/null" || true
		[ "$(vol_field v .used_inodes)" = 40 ] # and the directory itself
		rm "$data"/*
		# Nobody gets a file out of its project by renaming: into another one it is copied or it stays.
		vol create --size 4Mi w
		as_user sh -c "echo x > /mnt/file"
		moved() { python3 -c "import os, sys; os.rename(*sys.argv[1:])" "$@"; }
		if moved "$data/file" "$(vol_field w .content)/file" 2> why; then exit 1; fi
		grep -q "cross-device" why
		moved "$data/file" "$data/file2" && moved "$data/file2" "$data/file" # the control
		rm "$data/file"
		umount /mnt
		vol resize --size 8Mi v
		mount --bind "$data" /mnt
		[ "$(fill /mnt)" = 8388608 ]
		sync
		[ "$(vol_field v .used)" = 8388608 ]
		umount /mnt
		vol rm v
		vol rm w
		[ -z "$(ls "$VOLUMES")" ]
	' - "$WORK"
}
