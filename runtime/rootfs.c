#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
static int open_tree_of(int dirfd, const struct rootfs_spec *s, struct err *e)
{
	const bool private = (s->propagation & (MS_PRIVATE | MS_UNBINDABLE)) != 0;
	auto_close int fd = mountapi_clone(dirfd, s->path, AT_RECURSIVE, e);

	if (fd < 0 || check_directory(fd, e) < 0 ||
	    mountapi_setattr(fd, true, 0, 0, private ? MS_PRIVATE : MS_SLAVE, -1, e) < 0)
		return -1;
	return take_fd(&fd);
}

int rootfs_open_source(int bundle_fd, const struct rootfs_spec *s, int *out, struct err *e)
{
	*out = FD_NONE;

	const int fd = open_tree_of(bundle_fd, s, e);
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

	if (host_root < 0)
		return err_sys(e, "open /");
	/* Before anything is mounted or unmounted: without it both would show on the host. */
	if (mountapi_setattr(host_root, true, 0, 0, MS_SLAVE, -1, e) < 0) {
		(void) err_wrap(e, "cut off the mount namespace");
		return err_hint(e, "is the runtime's own root the root of a mount?");
	}

	fd = src_fd >= 0 ? fd_dup(src_fd, e) : open_tree_of(AT_FDCWD, s, e);
	if (fd < 0)
		return err_wrap(e, "root.path %s", s->path);
	/* Any directory would do, and this one is always there, always reachable, and not in the image. */
	if (mountapi_attach(fd, host_root, e) < 0)
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

/* The mount points of the host's proc and sysfs, undoing the octal escapes of mountinfo. */
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

static int hide(const char *path, struct err *e)
{
	if (umount2(path, MNT_DETACH) == 0)
		return 0;
	/* Not a mount as seen from here: a line of the container's own tree. */
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	/* Locked together with the host's tree (user namespace): cover it. */
	auto_close int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int cover =
		mountapi_new("tmpfs", "size=0,nr_inodes=1", MOUNT_ATTR_RDONLY, e);
	if (target < 0)
		return err_sys(e, "open %s", path);
	return cover < 0 ? -1 : mountapi_attach(cover, target, e);
}

/* With a fully visible proc or sysfs left in its namespace, a container in a user namespace could mount fresh ones
 * without the covers that it was given. */
static int hide_host_filesystems(struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(MOUNTINFO_MAX);
	char *save = NULL;

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, e) < 0)
		return -1;
	auto_free char *lines = buf_take_str(&text);

	for (char *line = strtok_r(lines, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char point[PATH_MAX], type[64];
		const char *tail = strstr(line, " - ");

		if (!tail || sscanf(tail, " - %63s", type) != 1 ||
		    sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
			continue;
		if (strcmp(type, "proc") != 0 && strcmp(type, "sysfs") != 0)
			continue;
		unescape(point);
		if (hide(point, e) < 0)
			return err_wrap(e, "hide the host's %s", point);
	}
	return 0;
}

static int enter_by_chroot(struct err *e)
{
	if (chroot(".") < 0)
		return err_sys(e, "chroot");
	return 0;
}

int rootfs_enter(int root_fd, const struct rootfs_spec *s, struct err *e)
{
	if (s->no_pivot && hide_host_filesystems(e) < 0)
		return -1;
	if (fchdir(root_fd) < 0)
		return err_sys(e, "enter the root");
	if (s->no_pivot) {
		if (enter_by_chroot(e) < 0)
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
