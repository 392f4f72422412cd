#include "runtime/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "runtime/mountapi.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum { NULL_MAJOR = 1, NULL_MINOR = 3 };

/* The device that is attached is the one that was looked at: both through the same descriptor. */
static int open_null(struct err *e)
{
	auto_close int fd = mountapi_clone(AT_FDCWD, "/dev/null", AT_SYMLINK_NOFOLLOW, e);
	struct stat st;

	if (fd < 0)
		return err_wrap(e, "/dev/null");
	if (fstat(fd, &st) < 0)
		return err_sys(e, "/dev/null: stat");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(NULL_MAJOR, NULL_MINOR))
		return err_set(e, ENODEV, "/dev/null of the host is not the null device");
	if (mountapi_setattr(fd, false,
			     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0,
			     MS_PRIVATE, -1, e) < 0)
		return err_wrap(e, "/dev/null");
	return take_fd(&fd);
}

int mask_open(struct mask *out, struct err *e)
{
	auto_close int empty = mountapi_new("tmpfs", "size=0,nr_inodes=1,mode=0755",
					    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
						    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
					    e);
	auto_close int null = empty < 0 ? FD_NONE : open_null(e);

	if (empty < 0 || null < 0)
		return err_wrap(e, "masked paths");
	out->null_fd = take_fd(&null);
	out->empty_fd = take_fd(&empty);
	return 0;
}

void mask_close(struct mask *m)
{
	fd_close(&m->null_fd);
	fd_close(&m->empty_fd);
}

/* What cannot be there cannot be seen: a missing path, or one below a file. */
static bool is_absent(const struct err *e)
{
	return e->code == ENOENT || e->code == ENOTDIR;
}

/* The first use attaches the tree itself; from then on clones are taken from the attached one, because kernels
 * before 6.15 clone nothing that is detached. */
static int cover(int tree_fd, bool *attached, int target, struct err *e)
{
	auto_close int clone = FD_NONE;

	if (!*attached) {
		if (mountapi_attach(tree_fd, target, e) < 0)
			return -1;
		*attached = true;
		return 0;
	}
	clone = mountapi_clone(tree_fd, "", AT_EMPTY_PATH, e);
	return clone < 0 ? -1 : mountapi_attach(clone, target, e);
}

/* A path that is listed twice, or lies on a cover already, needs no second one. */
static bool is_covered(const struct mask *m, const struct stat *st)
{
	struct stat null, empty;

	if (fstat(m->null_fd, &null) < 0 || fstat(m->empty_fd, &empty) < 0)
		return false;
	return (st->st_dev == null.st_dev && st->st_ino == null.st_ino) ||
	       (st->st_dev == empty.st_dev && st->st_ino == empty.st_ino);
}

int mask_paths(struct mask *m, int root_fd, const char *const *paths, struct err *e)
{
	bool null_attached = false, empty_attached = false;

	for (; paths && *paths; paths++) {
		struct err absent = ERR_NONE;
		auto_close int target = path_open_in(root_fd, *paths, O_PATH, 0, &absent);
		struct stat st;
		int r;

		if (target < 0 && is_absent(&absent))
			continue;
		if (target < 0) {
			*e = absent;
			return err_wrap(e, "mask %s", *paths);
		}
		if (fstat(target, &st) < 0)
			return err_sys(e, "mask %s: stat", *paths);
		if (is_covered(m, &st))
			continue;
		r = S_ISDIR(st.st_mode) ? cover(m->empty_fd, &empty_attached, target, e)
					: cover(m->null_fd, &null_attached, target, e);
		if (r < 0)
			return err_wrap(e, "mask %s", *paths);
	}
	return 0;
}

int mask_readonly(int root_fd, const char *const *paths, struct err *e)
{
	for (; paths && *paths; paths++) {
		struct err absent = ERR_NONE;
		auto_close int target = path_open_in(root_fd, *paths, O_PATH, 0, &absent);
		auto_close int tree = FD_NONE;

		if (target < 0 && is_absent(&absent))
			continue;
		if (target < 0) {
			*e = absent;
			return err_wrap(e, "read-only %s", *paths);
		}
		tree = mountapi_clone(target, "", AT_EMPTY_PATH | AT_RECURSIVE, e);
		if (tree < 0 ||
		    mountapi_setattr(tree, true, MOUNT_ATTR_RDONLY, 0, 0, -1, e) < 0 ||
		    mountapi_attach(tree, target, e) < 0)
			return err_wrap(e, "read-only %s", *paths);
	}
	return 0;
}
