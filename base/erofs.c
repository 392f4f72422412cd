#include "base/erofs.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/loopdev.h"
#include "base/util.h"

static int config(int fs, unsigned cmd, const char *key, const char *value)
{
	return (int) syscall(SYS_fsconfig, fs, cmd, key, value, 0);
}

/* CARREL_TEST_NO_EROFS in the environment: as a kernel without. */
static int open_fs(void)
{
	if (!getenv("CARREL_TEST_NO_EROFS"))
		return (int) syscall(SYS_fsopen, "erofs", FSOPEN_CLOEXEC);
	errno = ENODEV;
	return -1;
}

static int mount_source(const char *source, struct err *e)
{
	auto_close int fs = open_fs();
	int fd;

	if (fs < 0 && errno == ENODEV)
		return err_set(
			e, ENODEV,
			"this kernel has no EROFS (CONFIG_EROFS_FS); import the image with "
			"--format dir");
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

static int mount_loop(int image_fd, struct err *e)
{
	struct loopdev_path path;
	auto_close int loop = loopdev_open(image_fd, &path, e);

	return loop < 0 ? -1 : mount_source(path.s, e);
}

static int mount_file(int image_fd, struct err *e)
{
	return mount_source(fd_path(image_fd).s, e);
}

int erofs_mount(int image_fd, struct err *e)
{
	struct err why = ERR_NONE;
	int fd = mount_loop(image_fd, &why);

	if (fd < 0)
		fd = mount_file(image_fd, e);
	return fd < 0 && why.code && why.code != e->code ? err_hint(e, "%s", why.msg) : fd;
}

int erofs_look(int image_fd, struct err *e)
{
	int fd = -1;

	if (!getenv("CARREL_TEST_LOOP")) {
		fd = mount_file(image_fd, e);
		if (fd >= 0 || (e->code != ENOTBLK && e->code != EINVAL))
			return fd;
		*e = ERR_NONE;
	}
	return mount_loop(image_fd, e);
}

int erofs_known(void)
{
	const int fs = open_fs();

	if (fs < 0)
		return 0;
	(void) close(fs);
	return 1;
}
