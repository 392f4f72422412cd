#include "base/erofs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

enum { TRIES = 64 };

static int config(int fs, unsigned cmd, const char *key, const char *value)
{
	return (int) syscall(SYS_fsconfig, fs, cmd, key, value, 0);
}

static int mount_source(const char *source, struct err *e)
{
	auto_close int fs = (int) syscall(SYS_fsopen, "erofs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return err_sys(e, "erofs");
	if (config(fs, FSCONFIG_SET_STRING, "source", source) < 0 ||
	    config(fs, FSCONFIG_SET_FLAG, "ro", NULL) < 0 ||
	    config(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return err_sys(e, "erofs: mount");
	fd = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	return fd < 0 ? err_sys(e, "erofs: fsmount") : fd;
}

/* 1: somebody else was faster with this one. */
static int configure(int loop_fd, int image_fd, struct err *e)
{
	struct loop_config c = { .fd = (uint32_t) image_fd,
				 .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR };

	if (ioctl(loop_fd, LOOP_CONFIGURE, &c) == 0)
		return 0;
	return errno == EBUSY ? 1 : err_sys(e, "loop device");
}

/* The device frees itself when the mount is gone: it has no other user then. */
static int mount_loop(int image_fd, struct err *e)
{
	auto_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return err_sys(e, "/dev/loop-control");
	for (int i = 0; i < TRIES; i++) {
		char path[32];
		int n = ioctl(control, LOOP_CTL_GET_FREE), r;

		if (n < 0)
			return err_sys(e, "a free loop device");
		(void) snprintf(path, sizeof(path), "/dev/loop%d", n);
		auto_close int loop = open(path, O_RDONLY | O_CLOEXEC);
		if (loop < 0)
			return err_sys(e, "%s", path);
		r = configure(loop, image_fd, e);
		if (r == 0)
			return mount_source(path, e);
		if (r < 0)
			return -1;
	}
	return err_set(e, EBUSY, "no free loop device after %d tries", TRIES);
}

int erofs_mount(int image_fd, struct err *e)
{
	int fd = -1;

	if (!getenv("CARREL_TEST_LOOP")) {
		fd = mount_source(fd_path(image_fd).s, e);
		if (fd >= 0 || (e->code != ENOTBLK && e->code != EINVAL))
			return fd;
		*e = ERR_NONE;
	}
	return mount_loop(image_fd, e);
}

int erofs_known(void)
{
	const int fs = (int) syscall(SYS_fsopen, "erofs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return 0;
	(void) close(fs);
	return 1;
}
