#include "runtime/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "runtime/mountapi.h"

enum { PROC_ROOT_INO = 1 };

static int verify_magic(int fd, struct err *e)
{
	struct statfs sfs;

	if (fstatfs(fd, &sfs) < 0)
		return err_sys(e, "statfs");
	if (sfs.f_type != PROC_SUPER_MAGIC)
		return err_set(e, EXDEV,
			       "not a file of procfs (a mount or link has been put there)");
	return 0;
}

static int verify_root(int fd, struct err *e)
{
	struct stat st;

	if (verify_magic(fd, e) < 0)
		return err_wrap(e, "/proc");
	if (fstat(fd, &st) < 0)
		return err_sys(e, "/proc: stat");
	if (st.st_ino != PROC_ROOT_INO)
		return err_set(e, EXDEV, "/proc: not the root directory of a procfs");
	return 0;
}

int procfs_open(struct err *e)
{
	auto_close int fd =
		mountapi_new("proc", NULL,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, e);

	if (fd < 0 && (e->code == EPERM || e->code == EACCES)) {
		log_debug("a procfs of our own is refused (%s), using the mounted one", e->msg);
		*e = ERR_NONE;
		fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "open /proc");
	}
	if (fd < 0 || verify_root(fd, e) < 0)
		return -1;
	return take_fd(&fd);
}

int procfs_open_file(int proc_fd, const char *path, int oflags, struct err *e)
{
	auto_close int fd = path_open_in(proc_fd, path, oflags, PATH_NO_XDEV, e);

	if (fd < 0 || verify_magic(fd, e) < 0)
		return err_wrap(e, "/proc/%s", path);
	return take_fd(&fd);
}

int procfs_write(int proc_fd, const char *path, const char *text, struct err *e)
{
	const size_t n = strlen(text);
	auto_close int fd = procfs_open_file(proc_fd, path, O_WRONLY, e);

	if (fd < 0)
		return -1;

	const ssize_t w = write(fd, text, n);
	if (w < 0)
		return err_sys(e, "write %s to /proc/%s", text, path);
	if ((size_t) w != n)
		return err_set(e, EIO, "write to /proc/%s: only %zd of %zu bytes", path, w, n);
	return 0;
}
