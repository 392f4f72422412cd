#include "runtime/label.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/util.h"
#include "runtime/procfs.h"

static bool module_active(const char *module)
{
	auto_buf struct buf list = BUF_LIMIT(4096);
	struct err ignored = ERR_NONE;
	char *save = NULL;

	if (strcmp(module, "apparmor") == 0) {
		/* In the list it may stand although it was switched off by its own parameter. */
		if (fd_read_file(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &list,
				 &ignored) < 0)
			return false;
		return buf_str(&list)[0] == 'Y';
	}
	if (fd_read_file(AT_FDCWD, "/sys/kernel/security/lsm", 4000, &list, &ignored) < 0) {
		/* securityfs is not mounted; SELinux has its own file. */
		return strcmp(module, "selinux") == 0 &&
		       access("/sys/fs/selinux/enforce", F_OK) == 0;
	}

	auto_free char *text = buf_take_str(&list);
	for (char *m = strtok_r(text, ",\n", &save); m; m = strtok_r(NULL, ",\n", &save)) {
		if (strcmp(m, module) == 0)
			return true;
	}
	return false;
}

int label_check(const char *apparmor, const char *selinux, struct err *e)
{
	if (apparmor && apparmor[0] != '\0' && !module_active("apparmor"))
		return err_set(
			e, ENOTSUP,
			"process.apparmorProfile is set, but AppArmor is not active on this host");
	if (selinux && selinux[0] != '\0' && !module_active("selinux"))
		return err_set(
			e, ENOTSUP,
			"process.selinuxLabel is set, but SELinux is not active on this host");
	return 0;
}

/* Kernels with several modules have a directory of its own for AppArmor; attr/exec may belong to another. */
static int set_apparmor(int proc_fd, const char *profile, struct err *e)
{
	auto_free char *text = xasprintf("exec %s", profile);
	struct err first = ERR_NONE;

	if (procfs_write(proc_fd, "thread-self/attr/apparmor/exec", text, &first) == 0)
		return 0;
	if (first.code == ENOENT)
		return procfs_write(proc_fd, "thread-self/attr/exec", text, e);
	*e = first;
	return -1;
}

int label_set_exec(int proc_fd, const char *apparmor, const char *selinux, struct err *e)
{
	if (apparmor && apparmor[0] != '\0' && set_apparmor(proc_fd, apparmor, e) < 0)
		return err_wrap(e, "apparmor profile %s", apparmor);
	if (selinux && selinux[0] != '\0' &&
	    procfs_write(proc_fd, "thread-self/attr/exec", selinux, e) < 0)
		return err_wrap(e, "selinux label %s", selinux);
	return 0;
}
