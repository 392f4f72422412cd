#include "base/fsmount.h"

#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

static int config(int fs, unsigned cmd, const char *key, const char *value)
{
	return (int) syscall(SYS_fsconfig, fs, cmd, key, value, 0);
}

int fsmount_source(const char *type, const char *source, const char *const (*options)[2],
		   unsigned flags, struct err *e)
{
	const unsigned ro = flags & FSMOUNT_READ_ONLY ? MOUNT_ATTR_RDONLY : 0;
	auto_close int fs = (int) syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return err_sys(e, "%s", type);
	for (; options && (*options)[0]; options++)
		if (config(fs, FSCONFIG_SET_STRING, (*options)[0], (*options)[1]) < 0)
			return err_sys(e, "%s: %s=%s", type, (*options)[0], (*options)[1]);
	if (config(fs, FSCONFIG_SET_STRING, "source", source) < 0 ||
	    (ro && config(fs, FSCONFIG_SET_FLAG, "ro", NULL) < 0) ||
	    config(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return err_sys(e, "%s: mount", type);
	fd = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			   ro | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	return fd < 0 ? err_sys(e, "%s: fsmount", type) : fd;
}
