/*
 * carrel-runtime with a resctrl of its own: $CARREL_TEST_RESCTRL, a directory of any filesystem. Linked in place of
 * runtime/rdt_root.c, with mkdirat and unlinkat wrapped so that there, as in the kernel's own, a new directory has its
 * files and a directory can be removed with them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "runtime/rdt.h"

int __real_mkdirat(int fd, const char *name, mode_t mode);
int __wrap_mkdirat(int fd, const char *name, mode_t mode);
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);

static const char *fake_root(void)
{
	const char *root = getenv("CARREL_TEST_RESCTRL");

	return root ? root : "/nonexistent";
}

int rdt_root_open(struct err *e)
{
	const int fd = open(fake_root(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "%s", fake_root());
	return fd < 0 ? err_set(e, ENOENT, "this host has no resctrl") : fd;
}

static int is_fake(int fd)
{
	char path[PATH_MAX];
	const ssize_t n = readlink(fd_path(fd).s, path, sizeof(path) - 1);

	if (n < 0)
		return 0;
	path[n] = '\0';
	return strncmp(path, fake_root(), strlen(fake_root())) == 0;
}

static void make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	fd_close(&fd);
}

int __wrap_mkdirat(int fd, const char *name, mode_t mode)
{
	if (__real_mkdirat(fd, name, mode) < 0)
		return -1;
	if (fd < 0 || !is_fake(fd))
		return 0;

	int dir = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_file(dir, "schemata");
	make_file(dir, "tasks");
	(void) __real_mkdirat(dir, "mon_groups", 0755);
	fd_close(&dir);
	return 0;
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
	struct err ignored = ERR_NONE;

	if (flags == AT_REMOVEDIR && fd >= 0 && is_fake(fd)) {
		int dir = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0)
			return -1;
		(void) fd_remove_tree(dir, "mon_groups", &ignored);
		(void) fd_remove_tree(dir, "mon_data", &ignored);
		(void) __real_unlinkat(dir, "schemata", 0);
		(void) __real_unlinkat(dir, "tasks", 0);
		fd_close(&dir);
	}
	return __real_unlinkat(fd, name, flags);
}
