#include "shim/cgkill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "shim/cgmount.h"

enum {
	ROUNDS = 50,	 /* of kill and rmdir; each waits for the dying */
	DEATH_MS = 2000, /* for one process */
	SETTLE_MS =
		20, /* a cgroup stays busy for a moment after its last process is gone, and says so nowhere */
	DEPTH_MAX = 8,
	PROCS_BYTES = 1 << 20,
};

static void kill_one(pid_t pid)
{
	auto_close int fd = (int) syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return;
	(void) syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	(void) poll(&p, 1, DEATH_MS);
}

/* Kills what is directly in this cgroup. A frozen one must thaw to die. */
static void kill_here(int dir_fd)
{
	auto_buf struct buf text = BUF_LIMIT(PROCS_BYTES);
	struct err e = ERR_NONE;
	const char *at;
	char *end;

	(void) fd_write_file(dir_fd, "cgroup.kill", "1", &e);
	(void) fd_write_file(dir_fd, "cgroup.freeze", "0", &e);
	(void) fd_write_file(dir_fd, "freezer.state", "THAWED", &e);
	if (fd_read_file(dir_fd, "cgroup.procs", PROCS_BYTES, &text, &e) < 0)
		return;
	for (at = buf_str(&text); *at; at = end + (*end == '\n')) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		if (pid > 1)
			kill_one((pid_t) pid);
	}
}

static int remove_below(int parent_fd, const char *name, int depth);

/* Removes the children; the first that cannot be removed ends it. */
static int remove_children(int dir_fd, int depth)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;

	if (!d) {
		fd_close(&fd);
		return -1;
	}
	while (r == 0 && (de = readdir(d)))
		if (de->d_type == DT_DIR && strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			r = remove_below(dir_fd, de->d_name, depth + 1);
	(void) closedir(d);
	return r;
}

static int remove_below(int parent_fd, const char *name, int depth)
{
	auto_close int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	kill_here(fd);
	if (remove_children(fd, depth) < 0)
		return -1;
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : 0;
}

static int remove_in(const struct cgmount *mount, const char *path, struct err *e)
{
	auto_free char *for_parent = xstrdup(path), *for_name = xstrdup(path);
	auto_close int parent = cgmounts_open_path(mount, dirname(for_parent));
	const char *name = basename(for_name);

	if (parent < 0 || strcmp(name, "/") == 0 || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return 0;
	for (int i = 0; i < ROUNDS; i++) {
		if (remove_below(parent, name, 0) == 0)
			return 0;
		if (errno != EBUSY && errno != ENOTEMPTY)
			break;
		(void) poll(NULL, 0, SETTLE_MS);
	}
	return err_sys(e, "remove cgroup %s%s", mount->point, path);
}

int cgkill_remove_all(const char *path, struct err *e)
{
	struct cgmounts mounts = { 0 };
	int r = 0;

	if (cgmounts_read(&mounts, e) < 0)
		return -1;
	for (size_t i = 0; i < mounts.n && r == 0; i++)
		r = remove_in(&mounts.v[i], path, e);
	cgmounts_fini(&mounts);
	return r;
}
