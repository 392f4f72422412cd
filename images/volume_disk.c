/*
 * The ext4 file system in a file.
 *
 * How the limit becomes exact: the image is made larger than the volume's size by what ext4 will need for itself, at a guess.
 * What the guess was too generous by is declared reserved for root (tune2fs -r), who no sandbox ever is: a sandbox's root is
 * another user to the kernel. What is left to others is then the volume's size to the block, and is checked to be.
 *
 *   blocks of the device = overhead (tables, journal) + 2 in use when empty + the kernel's own reserve
 *                          + reserved for root + size
 *
 * The programs of e2fsprogs only ever see images that the kernel and they have written: nobody else reaches disk.img. Making and
 * adjusting reads nothing of what users store; growing (resize2fs) moves the file system's own tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "images/volume_internal.h"

enum {
	GROUP_BLOCKS = 32768, /* of 4096 bytes: 128 MiB */
	INODE_SIZE = 256,
	INODES_RESERVED = 10, /* ext4's own, the root directory among them */
	EMPTY_BLOCKS = 2,     /* the root directory, and the map of the blocks to grow into */
	KERNEL_PART = 50,     /* the kernel keeps 1/50 for itself, at most ... */
	KERNEL_MAX =
		4096, /* ... so many blocks (fs/ext4/super.c, ext4_calculate_resv_clusters) */
	TOOL_MS = 120000,
	TEXT_MAX = 4096,
};

static uint64_t blocks(uint64_t bytes)
{
	return (bytes + VOLUME_BLOCK - 1) / VOLUME_BLOCK;
}

static uint64_t groups(uint64_t n_blocks)
{
	return (n_blocks + GROUP_BLOCKS - 1) / GROUP_BLOCKS;
}

static unsigned journal_mib(uint64_t size)
{
	return size < (256ULL << 20) ? 4 : size < (4ULL << 30) ? 16 : 64;
}

/* Blocks of the image: never too few, what is too much costs disk. */
static uint64_t image_blocks(uint64_t size, uint64_t inodes)
{
	const uint64_t own = inodes * INODE_SIZE + ((uint64_t) journal_mib(size) << 20) +
			     size / KERNEL_PART + size / 64 + (2 << 20);

	return blocks(size) + blocks(own);
}

/* ---- the programs ---- */

static const char *find_tool(const char *name, char path[64], struct err *e)
{
	static const char *const dirs[] = { "/usr/sbin", "/sbin", "/usr/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		(void) snprintf(path, 64, "%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return path;
	}
	(void) err_set(e, ENOTSUP, "%s: not installed; the package e2fsprogs has it", name);
	return NULL;
}

/* argv[0] is the program's name; it works in the volume's directory. */
static int run_tool(int dir_fd, char *const argv[], struct err *e)
{
	static char *const environment[] = {
		(char *) "PATH=/usr/sbin:/sbin:/usr/bin:/bin",
		(char *) "LANG=C",
		/* What is made must not depend on this machine's /etc/mke2fs.conf. */
		(char *) "MKE2FS_CONFIG=/dev/null",
		NULL,
	};
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child_status st;
	char path[64];

	spec.path = find_tool(argv[0], path, e);
	if (!spec.path)
		return -1;
	spec.argv = argv;
	spec.envp = environment;
	spec.cwd_fd = dir_fd;
	spec.parent_death_signal = SIGKILL;
	if (child_run(&spec, NULL, 0, &text, &text, TOOL_MS, &st, e) < 0)
		return err_wrap(e, "%s", argv[0]);
	if (!st.signalled && st.code == 0)
		return 0;
	return err_set(e, EIO, "%s: %s %d: %.200s", argv[0],
		       st.signalled ? "signal" : "exit code", st.code, buf_str(&text));
}

static int make_fs(int dir_fd, const struct volume_info *v, struct err *e)
{
	auto_free char *inodes = xasprintf("%" PRIu64, v->inodes + INODES_RESERVED);
	auto_free char *journal = xasprintf("size=%u", journal_mib(v->size));
	char *const argv[] = {
		(char *) "mke2fs",
		(char *) "-q",
		(char *) "-F",
		(char *) "-t",
		(char *) "ext4",
		(char *) "-b",
		(char *) "4096",
		(char *) "-I",
		(char *) "256",
		(char *) "-m",
		(char *) "0",
		(char *) "-N",
		inodes,
		(char *) "-J",
		journal,
		(char *) "-O",
		(char *) "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,"
			 "sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum",
		/* The file is new: all zeros, and to be left allocated. */
		(char *) "-E",
		(char *) "nodiscard,assume_storage_prezeroed=1,root_owner=0:0",
		(char *) VOLUME_DISK,
		NULL,
	};

	return run_tool(dir_fd, argv, e);
}

static int reserve(int dir_fd, uint64_t n, struct err *e)
{
	auto_free char *count = xasprintf("%" PRIu64, n);
	char *const argv[] = { (char *) "tune2fs", (char *) "-r", count, (char *) VOLUME_DISK,
			       NULL };

	return run_tool(dir_fd, argv, e);
}

/* ---- the image ---- */

static int allocate(int fd, uint64_t bytes, bool sparse, struct err *e)
{
	if (ftruncate(fd, (off_t) bytes) < 0)
		return err_sys(e, "%s: %" PRIu64 " bytes", VOLUME_DISK, bytes);
	if (sparse || fallocate(fd, 0, 0, (off_t) bytes) == 0)
		return 0;
	(void) err_sys(e, "set %" PRIu64 " MiB of the disk aside", bytes >> 20);
	return err_hint(e, "make room, make the volume smaller, or sparse");
}

/* Mounted for a moment. A descriptor of its own: the loop device may outlive our mount by a moment, and must not hold
 * the claim on the volume meanwhile. */
static int mount_disk(int dir_fd, struct err *e)
{
	auto_close int image = openat(dir_fd, VOLUME_DISK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	auto_close int mount = -1;
	int root;

	if (image < 0)
		return err_sys(e, "%s", VOLUME_DISK);
	mount = volume_mount_image(image, e);
	if (mount < 0)
		return -1;
	root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? err_sys(e, "%s: its root", VOLUME_DISK) : root;
}

static int stat_fs(int dir_fd, struct statfs *fs, struct err *e)
{
	auto_close int root = mount_disk(dir_fd, e);

	if (root < 0)
		return -1;
	return fstatfs(root, fs) < 0 ? err_sys(e, "statfs") : 0;
}

static uint64_t used_blocks(const struct statfs *fs)
{
	return (uint64_t) (fs->f_blocks - fs->f_bfree) - EMPTY_BLOCKS;
}

static int adjust(int dir_fd, const struct statfs *fs, const struct volume_info *v,
		  uint64_t image_bytes, struct err *e)
{
	const uint64_t kernel = MIN(image_bytes / VOLUME_BLOCK / KERNEL_PART, KERNEL_MAX);
	const uint64_t need = blocks(v->size) + kernel + EMPTY_BLOCKS;

	if (fs->f_blocks < need)
		return err_set(e, ENOSPC,
			       "%s: ext4 takes more for itself than was expected; %" PRIu64
			       " blocks are missing",
			       VOLUME_DISK, need - fs->f_blocks);
	return reserve(dir_fd, fs->f_blocks - need, e);
}

/* Of a full volume nothing is free, whatever the limit: then there is nothing to compare. */
static int check(int dir_fd, struct volume_info *v, struct err *e)
{
	struct statfs fs;

	if (stat_fs(dir_fd, &fs, e) < 0)
		return -1;
	if (fs.f_bavail && used_blocks(&fs) + fs.f_bavail != blocks(v->size))
		return err_set(e, EPROTO,
			       "%s: holds %" PRIu64 " blocks of 4096 where %" PRIu64
			       " were to be; this kernel's ext4 counts in another way",
			       VOLUME_DISK, used_blocks(&fs) + (uint64_t) fs.f_bavail,
			       blocks(v->size));
	v->inodes = fs.f_files - INODES_RESERVED;
	return 0;
}

/* Only e2fsck needs it, and would make it again; users are to see an empty directory of theirs. */
static int first_mount(int dir_fd, struct statfs *fs, struct err *e)
{
	auto_close int root = mount_disk(dir_fd, e);

	if (root < 0)
		return -1;
	if (unlinkat(root, "lost+found", AT_REMOVEDIR) < 0 || syncfs(root) < 0 ||
	    fstatfs(root, fs) < 0)
		return err_sys(e, "%s: its root", VOLUME_DISK);
	return 0;
}

int volume_disk_make(int dir_fd, struct volume_info *v, bool sparse, struct err *e)
{
	const uint64_t bytes = image_blocks(v->size, v->inodes) * VOLUME_BLOCK;
	auto_close int fd = openat(dir_fd, VOLUME_DISK,
				   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct statfs fs;

	if (fd < 0)
		return err_sys(e, "make %s", VOLUME_DISK);
	if (allocate(fd, bytes, sparse, e) < 0 || make_fs(dir_fd, v, e) < 0 ||
	    first_mount(dir_fd, &fs, e) < 0 || adjust(dir_fd, &fs, v, bytes, e) < 0)
		return -1;
	return check(dir_fd, v, e);
}

/* ---- growing ---- */

/* Mounted first: what its last user left in the journal is put in its place by the kernel. */
static int resize(int dir_fd, uint64_t n_blocks, struct statfs *fs, struct err *e)
{
	auto_free char *count = xasprintf("%" PRIu64, n_blocks);
	char *const argv[] = { (char *) "resize2fs", (char *) "-f", (char *) VOLUME_DISK, count,
			       NULL };

	if (stat_fs(dir_fd, fs, e) < 0 || run_tool(dir_fd, argv, e) < 0)
		return -1;
	return stat_fs(dir_fd, fs, e);
}

int volume_disk_grow(int dir_fd, struct volume_info *v, struct err *e)
{
	auto_close int fd = openat(dir_fd, VOLUME_DISK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	uint64_t old, wanted, per_group, bytes;
	struct statfs fs;
	struct stat st;
	bool sparse;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", VOLUME_DISK);
	old = blocks((uint64_t) st.st_size);
	per_group = v->inodes / groups(old) + 1;
	/* New groups bring as many inodes as the old ones have. */
	wanted = image_blocks(v->size, per_group * (groups(blocks(v->size)) + 1));
	bytes = MAX(wanted, old) * VOLUME_BLOCK;
	sparse = (uint64_t) st.st_blocks * 512 < (uint64_t) st.st_size;
	if (allocate(fd, bytes, sparse, e) < 0 ||
	    resize(dir_fd, bytes / VOLUME_BLOCK, &fs, e) < 0 ||
	    adjust(dir_fd, &fs, v, bytes, e) < 0 ||
	    /* Where zeros were written a hole may have come of it. */
	    allocate(fd, bytes, sparse, e) < 0)
		return -1;
	if (fsync(fd) < 0)
		return err_sys(e, "%s: fsync", VOLUME_DISK);
	return check(dir_fd, v, e);
}

int volume_disk_measure(int dir_fd, uint64_t *bytes, uint64_t *inodes, struct err *e)
{
	struct statfs fs;

	if (stat_fs(dir_fd, &fs, e) < 0)
		return -1;
	*bytes = used_blocks(&fs) * VOLUME_BLOCK;
	*inodes = (uint64_t) (fs.f_files - fs.f_ffree) - INODES_RESERVED;
	return 0;
}
