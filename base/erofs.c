#include "base/erofs.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/fsmount.h"
#include "base/loopdev.h"

/* CARREL_TEST_NO_EROFS in the environment: as a kernel without. */
static bool forbidden(void)
{
	return getenv("CARREL_TEST_NO_EROFS") != NULL;
}

static int mount_source(const char *source, struct err *e)
{
	int fd = forbidden() ? -1 : fsmount_source("erofs", source, NULL, FSMOUNT_READ_ONLY, e);

	if (forbidden() || (fd < 0 && e->code == ENODEV))
		return err_set(
			e, ENODEV,
			"this kernel has no EROFS (CONFIG_EROFS_FS); import the image with "
			"--format dir");
	return fd;
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
	const int fs = forbidden() ? -1 : (int) syscall(SYS_fsopen, "erofs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return 0;
	(void) close(fs);
	return 1;
}
