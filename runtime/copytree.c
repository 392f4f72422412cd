#include "runtime/copytree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"

enum { DEPTH_MAX = 64, ENTRIES_MAX = 1000000 };

struct walk {
	dev_t dev;
	unsigned depth, entries;
};

static int copy_dir(struct walk *w, int from, int to, struct err *e);

static int set_meta(int dir, const char *name, const struct stat *st, struct err *e)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "chown");
	/* The new filesystem is ours alone until it is attached: names in it are what we made. */
	if (!S_ISLNK(st->st_mode) && fchmodat(dir, name, st->st_mode & 07777, 0) < 0)
		return err_sys(e, "chmod");
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "set times");
	return 0;
}

static int copy_file(int from, const char *name, int to, struct err *e)
{
	auto_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_close int out =
		openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;
	ssize_t n;

	if (in < 0 || out < 0)
		return err_sys(e, "open");
	if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, EAGAIN, "changed while it was copied");
	do
		n = sendfile(out, in, NULL, 1 << 20);
	while (n > 0);
	return n < 0 ? err_sys(e, "copy") : 0;
}

static int copy_link(int from, const char *name, int to, struct err *e)
{
	char target[PATH_MAX];
	const ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(e, "readlink");
	target[n] = '\0';
	return symlinkat(target, to, name) < 0 ? err_sys(e, "symlink") : 0;
}

static int copy_subdir(struct walk *w, int from, const char *name, int to, struct err *e)
{
	auto_close int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (in < 0)
		return err_sys(e, "open");
	if (mkdirat(to, name, 0700) < 0)
		return err_sys(e, "mkdir");

	auto_close int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return err_sys(e, "open the copy");
	return copy_dir(w, in, out, e);
}

static int copy_entry(struct walk *w, int from, const char *name, int to, struct err *e)
{
	struct stat st;
	int r;

	if (++w->entries > ENTRIES_MAX)
		return err_set(e, E2BIG, "more than %d entries", ENTRIES_MAX);
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "stat");
	if (st.st_dev != w->dev)
		return 0;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		r = copy_file(from, name, to, e);
		break;
	case S_IFDIR:
		r = copy_subdir(w, from, name, to, e);
		break;
	case S_IFLNK:
		r = copy_link(from, name, to, e);
		break;
	case S_IFSOCK:
		return 0;
	default:
		r = mknodat(to, name, st.st_mode & (S_IFMT | 07777), st.st_rdev);
		if (r < 0 && errno == EPERM) {
			log_debug("tmpcopyup: device %s left out", name);
			return 0;
		}
		r = r < 0 ? err_sys(e, "mknod") : 0;
	}
	return r < 0 ? -1 : set_meta(to, name, &st, e);
}

static int copy_entries(struct walk *w, DIR *d, int to, struct err *e)
{
	for (;;) {
		errno = 0;
		const struct dirent *ent = readdir(d);

		if (!ent)
			return errno ? err_sys(e, "read directory") : 0;
		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		if (copy_entry(w, dirfd(d), ent->d_name, to, e) < 0)
			return err_wrap(e, "%s", ent->d_name);
	}
}

/* from stays the caller's: the stream works on a duplicate. */
static int copy_dir(struct walk *w, int from, int to, struct err *e)
{
	auto_close int own = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (w->depth == DEPTH_MAX)
		return err_set(e, ELOOP, "deeper than %d levels", DEPTH_MAX);
	if (own < 0)
		return err_sys(e, "open");

	DIR *d = fdopendir(own);
	if (!d)
		return err_sys(e, "open directory");
	(void) take_fd(&own);
	w->depth++;
	const int r = copy_entries(w, d, to, e);
	w->depth--;
	(void) closedir(d);
	return r;
}

int copytree(int from, int to, struct err *e)
{
	struct walk w = { 0 };
	struct stat st;

	if (fstat(from, &st) < 0)
		return err_sys(e, "stat");
	w.dev = st.st_dev;
	return copy_dir(&w, from, to, e);
}
