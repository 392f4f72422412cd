#include "images/workdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* Between mkdir and flock a sweeper may take the lock and remove the directory: then the name is gone
 * or the lock is busy, and the caller tries another name. Returns FD_NONE then, -2 with *e. */
static int try_make(int tmp_fd, char name[32], struct err *e)
{
	auto_close int fd = -1;
	struct stat here, named;

	random_id(name);
	if (mkdirat(tmp_fd, name, 0700) < 0) {
		(void) err_sys(e, "make tmp/%s", name);
		return -2;
	}
	fd = openat(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT) {
		(void) err_sys(e, "tmp/%s", name);
		return -2;
	}
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &here) == 0 &&
	    fstatat(tmp_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    here.st_ino == named.st_ino)
		return take_fd(&fd);
	return FD_NONE;
}

int workdir_make(int tmp_fd, char name[32], struct err *e)
{
	for (int tries = 0; tries < 16; tries++) {
		int fd = try_make(tmp_fd, name, e);

		if (fd >= 0)
			return fd;
		if (fd != FD_NONE)
			return -1;
	}
	return err_set(e, EBUSY, "tmp/ is swept all the time");
}

void workdir_discard(int tmp_fd, const char *name)
{
	struct err ignored = ERR_NONE;

	if (fd_remove_tree(tmp_fd, name, &ignored) < 0)
		log_debug("leftover %s stays: %s", name, ignored.msg);
}

/* A directory whose lock can be taken has no living owner: owners hold it for life. */
static void sweep_one(int tmp_fd, const char *name, workdir_discard_fn discard)
{
	auto_close int fd =
		openat(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOTDIR || errno == ELOOP)
			(void) unlinkat(tmp_fd, name, 0);
		return;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		discard(tmp_fd, name);
}

void workdir_sweep(int tmp_fd, workdir_discard_fn discard)
{
	auto_close int fd = openat(tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	if (!d)
		return;
	(void) take_fd(&fd);
	while ((ent = readdir(d))) {
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			sweep_one(tmp_fd, ent->d_name, discard);
	}
	closedir(d);
}
