#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/util.h"
#include "runtime/mountapi.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum { MOUNTINFO_MAX = 16 << 20 };

/* ---- the root as a tree ---- */

static int check_directory(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	return S_ISDIR(st.st_mode) ? 0 : err_set(e, ENOTDIR, "not a directory");
}

/* Mounts that the host makes below the root later may arrive (slave), none of ours may leave. */
static int open_tree_of(int dirfd, const char *path, const struct rootfs_spec *s, struct err *e)
{
	const unsigned flags = AT_RECURSIVE | (path[0] == '\0' ? AT_EMPTY_PATH : 0);
	const bool private = (s->propagation & (MS_PRIVATE | MS_UNBINDABLE)) != 0;
	auto_close int fd = mountapi_clone(dirfd, path, flags, e);

	if (fd < 0 || check_directory(fd, e) < 0 ||
	    mountapi_setattr(fd, true, 0, 0, private ? MS_PRIVATE : MS_SLAVE, -1, e) < 0)
		return -1;
	return take_fd(&fd);
}

int rootfs_open_source(int bundle_fd, const struct rootfs_spec *s, int *out, struct err *e)
{
	*out = FD_NONE;

	const int fd = open_tree_of(bundle_fd, s->path, s, e);
	if (fd < 0 && e->code == EPERM && !mountapi_permitted()) {
		*e = ERR_NONE;
		return 0;
	}
	if (fd < 0)
		return err_wrap(e, "root.path %s", s->path);
	*out = fd;
	return 0;
}

int rootfs_attach(int src_fd, const struct rootfs_spec *s, struct err *e)
{
	auto_close int host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = FD_NONE;

	if (s->detached)
		return src_fd >= 0 ? fd_dup(src_fd, e)
				   : err_set(e, EPERM,
					     "a container without a mount namespace of its own "
					     "needs CAP_SYS_ADMIN on the host");
	if (host_root < 0)
		return err_sys(e, "open /");
	/* Before anything is mounted or unmounted: without it both would show on the host. */
	if (mountapi_setattr(host_root, true, 0, 0, MS_SLAVE, -1, e) < 0) {
		(void) err_wrap(e, "cut off the mount namespace");
		return err_hint(e, "is the runtime's own root the root of a mount?");
	}

	fd = src_fd >= 0 ? fd_dup(src_fd, e) : open_tree_of(AT_FDCWD, "", s, e);
	if (fd < 0)
		return err_wrap(e, "root.path %s", s->path);
	if (mountapi_attach(fd, AT_FDCWD, e) < 0)
		return err_wrap(e, "attach the root");
	return take_fd(&fd);
}

/* ---- links in /dev ---- */

static const struct {
	const char *name, *target;
} dev_links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "core", "/proc/kcore" },
};

static int link_ptmx(int dev, bool own_dev, struct err *e)
{
	if (own_dev && unlinkat(dev, "ptmx", 0) < 0 && errno != ENOENT)
		return err_sys(e, "replace /dev/ptmx");
	if (symlinkat("pts/ptmx", dev, "ptmx") < 0 && errno != EEXIST)
		return err_sys(e, "link /dev/ptmx");
	return 0;
}

int rootfs_dev_links(int root_fd, bool own_dev, struct err *e)
{
	auto_close int dev =
		path_open_in(root_fd, "/dev", O_PATH | O_DIRECTORY, PATH_NO_SYMLINKS, e);

	if (dev < 0)
		return err_wrap(e, "/dev (must be an ordinary directory)");
	for (size_t i = 0; i < ARRAY_SIZE(dev_links); i++) {
		if (symlinkat(dev_links[i].target, dev, dev_links[i].name) < 0 &&
		    errno != EEXIST)
			return err_sys(e, "link /dev/%s", dev_links[i].name);
	}
	return link_ptmx(dev, own_dev, e);
}

/* ---- entering ---- */

/* Mount points in mountinfo have octal escapes. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*out++ = (char) ((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static bool shows_kernel(const char *path)
{
	struct statfs s;

	return statfs(path, &s) == 0 &&
	       (s.f_type == PROC_SUPER_MAGIC || s.f_type == SYSFS_MAGIC);
}

static int hide(const char *path, struct err *e)
{
	if (!shows_kernel(path))
		return 0; /* hidden with one that was mounted around it */
	if (umount2(path, MNT_DETACH) == 0)
		return 0;

	/* Locked together with the host's tree (user namespace): cover it. */
	auto_close int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int cover =
		mountapi_new("tmpfs", "size=0,nr_inodes=1", MOUNT_ATTR_RDONLY, e);
	if (target < 0)
		return err_sys(e, "open %s", path);
	return cover < 0 ? -1 : mountapi_attach(cover, target, e);
}

static bool is_below(const char *path, const char *dir)
{
	const size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* With a fully visible proc or sysfs left in its namespace, a container that makes user namespaces could mount
 * fresh ones without the covers that it was given. Those of the container itself are told apart by the path that
 * its root still has here. */
static int hide_host_filesystems(int root_fd, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(MOUNTINFO_MAX);
	char own[PATH_MAX], *save = NULL;
	const ssize_t n = readlink(fd_path(root_fd).s, own, sizeof(own) - 1);

	if (n < 0)
		return err_sys(e, "path of the root");
	own[n] = '\0';
	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, e) < 0)
		return -1;
	auto_free char *lines = buf_take_str(&text);

	for (char *line = strtok_r(lines, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char point[PATH_MAX];

		if ((!strstr(line, " - proc ") && !strstr(line, " - sysfs ")) ||
		    sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
			continue;
		unescape(point);
		if (!is_below(point, own) && hide(point, e) < 0)
			return err_wrap(e, "hide the host's %s", point);
	}
	return 0;
}

/* The root is moved over "/" first: so ".." of a process that leaves its chroot ends on it again. */
static int enter_by_chroot(int root_fd, struct err *e)
{
	auto_close int host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (host_root < 0)
		return err_sys(e, "open /");
	if (mountapi_attach(root_fd, host_root, e) < 0)
		return err_wrap(e, "move the root over /");
	if (chroot(".") < 0)
		return err_sys(e, "chroot");
	return 0;
}

int rootfs_enter(int root_fd, const struct rootfs_spec *s, struct err *e)
{
	if (s->no_pivot && !s->detached && hide_host_filesystems(root_fd, e) < 0)
		return -1;
	if (fchdir(root_fd) < 0)
		return err_sys(e, "enter the root");
	if (s->detached) {
		if (chroot(".") < 0)
			return err_sys(e, "chroot");
	} else if (s->no_pivot) {
		if (enter_by_chroot(root_fd, e) < 0)
			return -1;
	} else {
		/* The old root lands on top of the new one, where "." finds it to be detached; no directory of
		 * the image is needed for it. */
		if (syscall(SYS_pivot_root, ".", ".") < 0) {
			(void) err_sys(e, "pivot_root");
			return err_hint(e, "on an initramfs use --no-pivot");
		}
		if (umount2(".", MNT_DETACH) < 0)
			return err_sys(e, "detach the old root");
	}
	if (chdir("/") < 0)
		return err_sys(e, "chdir /");
	return 0;
}

int rootfs_seal(int root_fd, const struct rootfs_spec *s, struct err *e)
{
	const unsigned long type = s->propagation & ~(unsigned long) MS_REC;

	/* Slave and private it is since it was cloned. */
	if ((type == MS_SHARED || type == MS_UNBINDABLE) &&
	    mountapi_setattr(root_fd, s->propagation & MS_REC, 0, 0, type, -1, e) < 0)
		return err_wrap(e, "linux.rootfsPropagation");
	if (s->readonly && mountapi_setattr(root_fd, false, MOUNT_ATTR_RDONLY, 0, 0, -1, e) < 0)
		return err_wrap(e, "root.readonly");
	return 0;
}
