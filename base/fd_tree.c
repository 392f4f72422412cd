/*
 * fd_remove_tree: as deep as the disk allows, with two descriptors.
 *
 * The way back up is "..", believed only when it is the very directory that we came from (device and
 * inode are remembered per level): a tree that somebody moves while it is being removed ends the
 * removal, it never redirects it. No names are remembered either; the parent is read again from its
 * start, where the emptied directory is among the few entries left.
 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	MAX_DEPTH = 1 << 20,
	MAX_REFILLS = 64, /* a directory that somebody else keeps filling is given up */
};

struct level {
	dev_t dev;
	ino_t ino;
};

struct removal {
	int fd; /* the directory being emptied */
	uint64_t mount_id;
	struct level here;
	struct buf above;     /* of struct level: the directories between the top and here */
	struct level emptied; /* the one we came up from last */
	unsigned refills;
};

enum removal_step { STEP_EMPTY, STEP_DESCENDED };

static bool same_level(const struct level *a, const struct level *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

static int level_of(int fd, struct level *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "fstat");
	*out = (struct level){ .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

static int open_dir(int dirfd, const char *name, struct err *e)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "%s", name);
	return fd;
}

/* 0: gone, 1: a directory that is not empty. */
static int remove_entry(int dirfd, const char *name, bool is_dir, struct err *e)
{
	if (!is_dir) {
		if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return err_sys(e, "remove %s", name);
	}
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return 1;
	if (errno == ENOTDIR && is_dir) /* replaced since it was listed */
		return remove_entry(dirfd, name, false, e);
	return err_sys(e, "remove %s", name);
}

static int descend(struct removal *r, const char *name, struct err *e)
{
	auto_close int fd = open_dir(r->fd, name, e);
	struct level next;
	uint64_t mount_id;

	if (fd < 0)
		return -1;
	if (level_of(fd, &next, e) < 0 || fd_mount_id(fd, &mount_id, e) < 0)
		return err_wrap(e, "%s", name);
	if (mount_id != r->mount_id)
		return err_set(e, EXDEV, "%s: a mount point", name);
	if (!same_level(&next, &r->emptied))
		r->refills = 0;
	else if (++r->refills > MAX_REFILLS)
		return err_set(e, ENOTEMPTY, "%s: another process keeps filling it", name);
	if (buf_append(&r->above, &r->here, sizeof(r->here), e) < 0)
		return err_wrap(e, "%s: nested too deep", name);
	fd_close(&r->fd);
	r->fd = take_fd(&fd);
	r->here = next;
	return 0;
}

static int ascend(struct removal *r, struct err *e)
{
	auto_close int fd = open_dir(r->fd, "..", e);
	struct level expected, found;

	if (fd < 0 || level_of(fd, &found, e) < 0)
		return -1;
	memcpy(&expected, buf_bytes(&r->above) + buf_len(&r->above) - sizeof(expected),
	       sizeof(expected));
	r->above.tail -= sizeof(expected);
	if (!same_level(&expected, &found))
		return err_set(e, ESTALE, "moved by another process while being removed");
	fd_close(&r->fd);
	r->fd = take_fd(&fd);
	r->emptied = r->here;
	r->here = found;
	return 0;
}

/* Removes entries until none is left or one has to be entered. */
static int empty_directory(struct removal *r, struct err *e)
{
	_Alignas(struct dirent64) char names[16384];

	for (;;) {
		long n = syscall(SYS_getdents64, r->fd, names, sizeof(names));
		const struct dirent64 *d;

		if (n < 0)
			return err_sys(e, "read a directory");
		if (n == 0)
			return STEP_EMPTY;
		for (long at = 0; at < n; at += d->d_reclen) {
			d = (const void *) (names + at);
			if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
				continue;
			int left = remove_entry(r->fd, d->d_name, d->d_type == DT_DIR, e);

			if (left < 0)
				return -1;
			if (left)
				return descend(r, d->d_name, e) < 0 ? -1 : STEP_DESCENDED;
		}
	}
}

static int empty_tree(struct removal *r, struct err *e)
{
	for (;;) {
		int step = empty_directory(r, e);

		if (step < 0)
			return -1;
		if (step == STEP_DESCENDED)
			continue;
		if (buf_len(&r->above) == 0)
			return 0;
		if (ascend(r, e) < 0)
			return -1;
	}
}

int fd_remove_tree(int dirfd, const char *name, struct err *e)
{
	struct removal r = { .fd = FD_NONE,
			     .above = BUF_LIMIT(MAX_DEPTH * sizeof(struct level)) };
	uint64_t outer;
	int ret;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_set(e, EINVAL, "\"%s\" is no file name", name);
	for (unsigned tries = 0;; tries++) {
		ret = remove_entry(dirfd, name, false, e);
		if (ret <= 0)
			return ret;
		if (tries > MAX_REFILLS)
			return err_set(e, ENOTEMPTY, "%s: another process keeps filling it",
				       name);
		auto_close int parent = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

		r.fd = open_dir(dirfd, name, e);
		if (r.fd < 0)
			return -1;
		if (parent < 0)
			ret = err_sys(e, "the parent");
		else if (fd_mount_id(parent, &outer, e) < 0 ||
			 fd_mount_id(r.fd, &r.mount_id, e) < 0 ||
			 level_of(r.fd, &r.here, e) < 0)
			ret = -1;
		else if (outer != r.mount_id)
			ret = err_set(e, EXDEV, "a mount point");
		else
			ret = empty_tree(&r, e);
		fd_close(&r.fd);
		buf_fini(&r.above);
		if (ret < 0)
			return err_wrap(e, "%s", name);
	}
}
