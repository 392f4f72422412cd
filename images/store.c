#include "images/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/index.h"
#include "images/store_layout.h"
#include "images/workdir.h"

static const char empty_index[] =
	"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
	"\"manifests\":[]}\n";

/* What every sandbox needs to mount over; their modes never show, except that of home. */
static const char *const mountpoints[] = {
	"mountpoints",		 "mountpoints/root",	       "mountpoints/root/dev",
	"mountpoints/root/proc", "mountpoints/root/sys",       "mountpoints/root/tmp",
	"mountpoints/root/run",	 "mountpoints/root/workspace",
};

static int subdir(int dir_fd, const char *name, mode_t mode, struct err *e)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return err_sys(e, "%s", name);
	if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", name);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", name);
	return fd;
}

static int make_mountpoints(int dir_fd, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(mountpoints); i++) {
		if (mkdirat(dir_fd, mountpoints[i], 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make %s", mountpoints[i]);
	}
	return 0;
}

static int ensure_file(int dir_fd, const char *name, const char *text, struct err *e)
{
	if (faccessat(dir_fd, name, F_OK, 0) == 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, "%s", name);
	return fd_write_atomic(dir_fd, name, text, strlen(text), 0644, true, e);
}

static int open_dirs(struct store *s, struct err *e)
{
	static const char *const algorithms[] = { "sha256", "sha512" };

	s->blobs_fd = subdir(s->dir_fd, "blobs", 0755, e);
	if (s->blobs_fd < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		auto_close int fd = subdir(s->blobs_fd, algorithms[i], 0755, e);

		if (fd < 0)
			return err_wrap(e, "blobs");
	}
	s->layers_fd = subdir(s->dir_fd, "layers", 0755, e);
	return s->layers_fd < 0 ? -1 : 0;
}

/* Runs with every open, so it costs a handful of calls when all is there: oci-layout comes last. */
static int ensure_layout(struct store *s, bool made, struct err *e)
{
	if (open_dirs(s, e) < 0)
		return -1;
	s->tmp_fd = subdir(s->dir_fd, "tmp", 0700, e);
	if (s->tmp_fd < 0)
		return -1;
	if (made)
		return 0;
	auto_close int lock = index_lock(s, e);
	if (lock < 0 || make_mountpoints(s->dir_fd, e) < 0)
		return -1;
	if (ensure_file(s->dir_fd, "index.json", empty_index, e) < 0)
		return -1;
	return ensure_file(s->dir_fd, "oci-layout", store_layout_text, e);
}

static int take_lock(struct store *s, enum store_lock lock, struct err *e)
{
	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_sys(e, "lock");
	s->unlocked = lock == STORE_WORK;
	while (!s->unlocked &&
	       flock(s->lock_fd, lock == STORE_EXCLUSIVE ? LOCK_EX : LOCK_SH) < 0) {
		if (errno != EINTR)
			return err_sys(e, "lock");
	}
	return 0;
}

void store_unlock(struct store *s)
{
	(void) flock(s->lock_fd, LOCK_UN);
	s->unlocked = true;
}

static int make_parents(const char *path, struct err *e)
{
	auto_free char *copy = xstrdup(path);

	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make %s", copy);
		*p = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", copy);
	return 0;
}

static int check_shared(int dir_fd, mode_t mode, struct err *e)
{
	struct statvfs fs;

	if ((mode & 0077) == 0)
		return 0;
	if (mode & 0022)
		return err_set(e, EPERM, "mode %04o lets others write to it; chmod go-w it",
			       mode & 07777);
	if (fstatvfs(dir_fd, &fs) < 0)
		return err_sys(e, "statvfs");
	if (!(fs.f_flag & ST_NOSUID))
		return err_set(
			e, EPERM,
			"others may read it (mode %04o) on a file system with setuid, and images "
			"bring setuid programs; mount it nosuid, or chmod 700 it",
			mode & 07777);
	return 0;
}

int store_share(const struct store *s, mode_t mode, gid_t gid, struct err *e)
{
	/* The group gets in last, and out first. */
	if (check_shared(s->dir_fd, mode, e) < 0)
		return err_wrap(e, "image store %s", s->path);
	if (fchmod(s->dir_fd, 0700) < 0 || fchown(s->dir_fd, (uid_t) -1, gid) < 0 ||
	    fchmod(s->dir_fd, mode) < 0)
		return err_sys(e, "image store %s: chmod", s->path);
	return 0;
}

/* For who may only read: nothing is made, nothing is swept. */
static int open_foreign(struct store *s, enum store_lock lock, uid_t owner, struct err *e)
{
	if (store_check_layout(s->dir_fd, e) < 0)
		return -1;
	if (lock != STORE_READ)
		return err_set(e, EPERM, "it belongs to user %u; others may read it only",
			       owner);
	s->unlocked = true;
	return open_dirs(s, e);
}

static int open_dir(struct store *s, const char *path, enum store_lock lock, struct err *e)
{
	struct stat st;
	int made;

	s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0 && errno == ENOENT) {
		if (make_parents(path, e) < 0)
			return -1;
		s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (s->dir_fd < 0 || fstat(s->dir_fd, &st) < 0)
		return err_sys(e, "open");
	s->path = realpath(path, NULL);
	if (!s->path)
		return err_sys(e, "its absolute path");
	if (st.st_uid != geteuid())
		return open_foreign(s, lock, st.st_uid, e);
	made = store_check_layout(s->dir_fd, e);
	if (made < 0 || (lock != STORE_READ && check_shared(s->dir_fd, st.st_mode, e) < 0) ||
	    take_lock(s, lock, e) < 0 || ensure_layout(s, made, e) < 0)
		return -1;
	workdir_sweep(s->tmp_fd, workdir_discard);
	return 0;
}

int store_open(const char *path, enum store_lock lock, struct store *out, struct err *e)
{
	struct store s = STORE_NONE;

	if (open_dir(&s, path, lock, e) < 0) {
		store_close(&s);
		return err_wrap(e, "image store %s", path);
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	fd_close(&s->layers_fd);
	fd_close(&s->blobs_fd);
	fd_close(&s->tmp_fd);
	fd_close(&s->dir_fd);
	fd_close(&s->lock_fd);
	free(s->path);
	s->path = NULL;
}

bool store_has_layer(const struct store *s, const struct digest *diff_id)
{
	return faccessat(s->layers_fd, diff_id->hex, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
