/*
 * Who looks for a device holds a lock on /dev/loop-control until it has one, so two that come at once share it too. A device that
 * is open stays what it is: the kernel takes its file away with the last user only.
 */
#include "base/loopdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

/* Read past the page cache where the file's file system can: it is in that of the device's file system already. */
enum {
	TRIES = 64,
	FLAGS = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
	READ_FLAGS = FLAGS | LO_FLAGS_DIRECT_IO,
	WRITE_FLAGS = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
};

static struct loopdev_path path_of(int n)
{
	struct loopdev_path p;

	(void) snprintf(p.s, sizeof(p.s), "/dev/loop%d", n);
	return p;
}

static int lock_control(struct err *e)
{
	auto_close int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(e, "/dev/loop-control");
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_sys(e, "/dev/loop-control: lock") : take_fd(&fd);
}

/* ---- one that is there ---- */

/* The whole file as it is, by a device that will free itself. */
static bool is_of(int loop_fd, const struct stat *file)
{
	struct loop_info64 i;

	return ioctl(loop_fd, LOOP_GET_STATUS64, &i) == 0 && i.lo_device == file->st_dev &&
	       i.lo_inode == file->st_ino && i.lo_offset == 0 && i.lo_sizelimit == 0 &&
	       (i.lo_flags & FLAGS) == FLAGS;
}

/* Which devices are worth being opened. Opened by us, somebody else's could not be freed meanwhile. */
static bool same_name(int n, const char *name)
{
	char path[64], text[4096];
	const char *slash;
	ssize_t len;

	(void) snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", n);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len - (text[len - 1] == '\n')] = '\0';
	slash = strrchr(text, '/');
	return slash && strcmp(slash + 1, name) == 0;
}

/* -1: there is none. */
static int find(const struct stat *file, const char *name, struct loopdev_path *path)
{
	for (int n = 0;; n++) {
		*path = path_of(n);
		if (access(path->s, F_OK) < 0)
			return -1;
		if (!same_name(n, name))
			continue;
		auto_close int fd = open(path->s, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && is_of(fd, file))
			return take_fd(&fd);
	}
}

/* ---- a new one ---- */

/* 1: somebody else was faster with this one. */
static int configure(int loop_fd, int file_fd, uint32_t flags, struct err *e)
{
	const struct loop_config c = { .fd = (uint32_t) file_fd, .info.lo_flags = flags };

	if (ioctl(loop_fd, LOOP_CONFIGURE, &c) == 0)
		return 0;
	return errno == EBUSY ? 1 : err_sys(e, "loop device");
}

static int make(int control_fd, int file_fd, uint32_t flags, struct loopdev_path *path,
		struct err *e)
{
	const int mode = flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR;

	for (int i = 0; i < TRIES; i++) {
		int n = ioctl(control_fd, LOOP_CTL_GET_FREE), r;

		if (n < 0)
			return err_sys(e, "a free loop device");
		*path = path_of(n);
		auto_close int fd = open(path->s, mode | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "%s", path->s);
		r = configure(fd, file_fd, flags, e);
		if (r <= 0)
			return r < 0 ? -1 : take_fd(&fd);
	}
	return err_set(e, EBUSY, "no free loop device after %d tries", TRIES);
}

int loopdev_open(int file_fd, struct loopdev_path *path, struct err *e)
{
	auto_close int control = lock_control(e);
	char target[4096];
	const char *slash;
	struct stat st;
	ssize_t n;
	int fd = -1;

	if (control < 0)
		return -1;
	n = readlink(fd_path(file_fd).s, target, sizeof(target) - 1);
	if (n < 0 || fstat(file_fd, &st) < 0)
		return err_sys(e, "the file of a loop device");
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (slash)
		fd = find(&st, slash + 1, path);
	return fd >= 0 ? fd : make(control, file_fd, READ_FLAGS, path, e);
}

int loopdev_new(int file_fd, struct loopdev_path *path, struct err *e)
{
	auto_close int control = lock_control(e);

	return control < 0 ? -1 : make(control, file_fd, WRITE_FLAGS, path, e);
}
