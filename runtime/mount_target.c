#include "runtime/mount_target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/mount.h"

/* What lxcfs and the like put into a container's /proc: figures, no controls. */
static const char *const proc_allowed[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/meminfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/uptime",
	"/proc/loadavg",
	"/proc/slabinfo",
	"/proc/net/dev",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/sys/crypto/fips_enabled",
};

/* Directories that every program takes for what their name says. */
static const char *const ordinary[] = { "/dev", "/proc", "/sys" };

static bool listed(const char *const *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], path) == 0)
			return true;
	}
	return false;
}

static bool is_procfs(int fd)
{
	struct statfs sfs;

	return fstatfs(fd, &sfs) == 0 && sfs.f_type == PROC_SUPER_MAGIC;
}

/* A directory that is reached without any symlink. */
static int open_ordinary(const struct mount_spec *m, const char *path, int root_fd,
			 struct err *e)
{
	auto_close int fd =
		path_open_in(root_fd, path, O_PATH | O_DIRECTORY, PATH_NO_SYMLINKS, e);

	if (fd < 0 && e->code == ENOENT) {
		*e = ERR_NONE;
		fd = path_mkdirs_in(root_fd, path, 0755, e);
		if (fd < 0)
			return -1;
		/* What was made may have been reached over a link. */
		fd_close(&fd);
		fd = path_open_in(root_fd, path, O_PATH | O_DIRECTORY, PATH_NO_SYMLINKS, e);
	}
	if (fd < 0 && (e->code == ELOOP || e->code == ENOTDIR))
		return err_set(
			e, e->code,
			"filesystem \"%s\" must be mounted on ordinary directory, %s is a link or a file",
			m->type ? m->type : "bind", path);
	return take_fd(&fd);
}

static int check_not_root(int fd, int root_fd, struct err *e)
{
	struct stat a, b;
	uint64_t id_a, id_b;

	if (fstat(fd, &a) < 0 || fstat(root_fd, &b) < 0)
		return err_sys(e, "stat");
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return 0;
	if (fd_mount_id(fd, &id_a, e) < 0 || fd_mount_id(root_fd, &id_b, e) < 0)
		return -1;
	return id_a == id_b
		       ? err_set(e, EINVAL, "the root itself cannot be the target of a mount")
		       : 0;
}

/* proc_source: what is mounted is itself (of) a procfs. */
static int check_proc(const char *path, int fd, bool proc_source, struct err *e)
{
	if (strcmp(path, "/proc") == 0 && !proc_source)
		return err_set(e, EPERM,
			       "\"/proc\" cannot be mounted because it is not of type proc");
	if (is_procfs(fd) && strcmp(path, "/proc") != 0 &&
	    !listed(proc_allowed, ARRAY_SIZE(proc_allowed), path))
		return err_set(e, EPERM, "\"%s\" cannot be mounted because it is inside /proc",
			       path);
	return 0;
}

int mount_target_open(const struct mount_spec *m, int root_fd, bool directory, int src_fd,
		      struct err *e)
{
	auto_free char *path = path_clean(m->target);
	const char *type = m->type ? m->type : "";
	const bool proc_source = src_fd >= 0 ? is_procfs(src_fd) : strcmp(type, "proc") == 0;
	const bool strict = (src_fd < 0 && (proc_source || strcmp(type, "sysfs") == 0)) ||
			    listed(ordinary, ARRAY_SIZE(ordinary), path);
	auto_close int fd = FD_NONE;

	if (strict && directory)
		fd = open_ordinary(m, path, root_fd, e);
	else if (str_has_prefix(path, "/proc/"))
		/* Of what is allowed there nothing is a link and nothing has to be made. */
		fd = path_open_in(root_fd, path, O_PATH, PATH_NO_SYMLINKS, e);
	else if (directory)
		fd = path_mkdirs_in(root_fd, m->target, 0755, e);
	else
		fd = path_touch_in(root_fd, m->target, 0644, e);
	if (fd < 0 || check_not_root(fd, root_fd, e) < 0 ||
	    check_proc(path, fd, proc_source, e) < 0)
		return -1;
	return take_fd(&fd);
}
