#include "base/prjquota.h"

#include <errno.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

/* Debian 12's musl does not name it; its number is the same on all machines. */
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

enum { UNIT = 1024 }; /* QIF_DQBLKSIZE: of limits, not of usage */

static int call(int fd, unsigned cmd, uint32_t id, void *arg)
{
	return (int) syscall(SYS_quotactl_fd, fd, QCMD(cmd, PRJQUOTA), id, arg);
}

int prjquota_check(int fd, struct err *e)
{
	struct fs_quota_statv state = { .qs_version = FS_QSTATV_VERSION1 };

	if (call(fd, Q_XGETQSTATV, 0, &state) == 0 && (state.qs_flags & FS_QUOTA_PDQ_ENFD))
		return 0;
	return err_set(
		e, ENOTSUP,
		"its file system does not enforce project quotas; make it with mkfs.ext4 -O "
		"quota,project and mount it with the option prjquota (XFS: pquota), or use a "
		"volume of the kind loop");
}

int prjquota_get(int fd, uint32_t project, struct prjquota *out, struct err *e)
{
	struct if_dqblk d = { 0 };

	/* XFS knows nothing of a project that has neither limit nor file. */
	if (call(fd, Q_GETQUOTA, project, &d) < 0 && errno != ENOENT)
		return err_sys(e, "project %u: quota", project);
	*out = (struct prjquota){ .bytes = d.dqb_bhardlimit * UNIT,
				  .inodes = d.dqb_ihardlimit,
				  .used_bytes = d.dqb_curspace,
				  .used_inodes = d.dqb_curinodes };
	return 0;
}

int prjquota_limit(int fd, uint32_t project, uint64_t bytes, uint64_t inodes, struct err *e)
{
	struct if_dqblk d = { .dqb_bhardlimit = bytes / UNIT,
			      .dqb_ihardlimit = inodes,
			      .dqb_valid = QIF_LIMITS };

	if (call(fd, Q_SETQUOTA, project, &d) < 0)
		return err_sys(e, "project %u: set its quota", project);
	return 0;
}

int prjquota_join(int dir_fd, uint32_t project, struct err *e)
{
	struct fsxattr x;

	if (ioctl(dir_fd, FS_IOC_FSGETXATTR, &x) < 0)
		return err_sys(e, "read the project");
	x.fsx_projid = project;
	x.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	if (ioctl(dir_fd, FS_IOC_FSSETXATTR, &x) < 0)
		return err_sys(e, "join project %u", project);
	return 0;
}

int prjquota_of(int fd, uint32_t *project, struct err *e)
{
	struct fsxattr x;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return err_sys(e, "read the project");
	*project = x.fsx_projid;
	return 0;
}
