# make bench-images, in small: every part runs and prints its rows, whatever the figures are.
load images

@test "the benchmark of images runs, and measures what it says" {
	images_setup
	[ -z "${CARREL_SAN:-}" ] || skip "figures of sanitized programs say nothing"
	need docker-registry
	need skopeo
	need umoci
	programs=$CARREL_BIN/../tests/bench
	run timeout 300 python3 -B "$IMAGES_DIR/../bench/bench_images.py" --bin "$CARREL_BIN" --programs "$programs" --work "$WORK/bench" --quick
	ok
	for row in 'carrel-image import, dir' 'carrel-image import, erofs' 'umoci unpack' 'pull and a first sandbox, dir' 'pull and a first sandbox, erofs' \
		'dir: root mounted and looked at, the only one' 'erofs: the same, another sandbox has the image' directories 'EROFS, one loop device per layer'; do
		[[ $output == *"| $row | "* ]] || { echo "no row: $row" && echo "$output" && return 1; }
	done
	# The image stays for the next run; nothing else does.
	[ "$(ls "$WORK/bench")" = image.6 ]
	! grep "$WORK" /proc/self/mounts || return 1
	[ -z "$(ls -d /sys/fs/cgroup/carrel-bench-images /sys/fs/cgroup/*/carrel-bench-images 2> /dev/null)" ]
}
