#include "runtime/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

static bool is_sealed_memory(void)
{
	auto_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

/* On a read-only mount, or in memory: only what is on a tmpfs has seals. */
static int is_sealed(struct err *e)
{
	struct statfs fs;

	if (statfs("/proc/self/exe", &fs) < 0)
		return err_sys(e, "seal this program: /proc/self/exe");
	if (fs.f_flags & ST_RDONLY)
		return 1;
	return (uint32_t) fs.f_type == TMPFS_MAGIC && is_sealed_memory();
}

static int mount_read_only(struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV };
	auto_close int fd = (int) syscall(SYS_open_tree, AT_FDCWD, "/proc/self/exe",
					  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open_tree");
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(e, "mount_setattr");
	return take_fd(&fd);
}

static int copy_to_memory(struct err *e)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	auto_close int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	auto_close int fd = memfd_create("carrel-runtime", flags | MFD_EXEC);
	struct stat st;

	if (fd < 0 && errno == EINVAL) /* MFD_EXEC: Linux 6.3 */
		fd = memfd_create("carrel-runtime", flags);
	if (fd < 0)
		return err_sys(e, "memfd_create");
	if (exe < 0 || fstat(exe, &st) < 0)
		return err_sys(e, "/proc/self/exe");
	for (off_t left = st.st_size; left > 0;) {
		const ssize_t n = sendfile(fd, exe, NULL, (size_t) left);

		if (n <= 0)
			return err_sys(e, "copy to memory");
		left -= n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return err_sys(e, "seal");
	return take_fd(&fd);
}

/* True in the second life, whose AT_EXECFN the kernel makes from the descriptor. */
static bool executed_again(void)
{
	const char *name = (const char *) getauxval(AT_EXECFN);

	return name && str_has_prefix(name, "/dev/fd/");
}

int seal_self(char *const *argv, struct err *e)
{
	struct err why = ERR_NONE;
	const int sealed = is_sealed(e);

	if (sealed != 0)
		return sealed < 0 ? -1 : 0;
	if (executed_again())
		return err_set(e, EPERM, "seal this program: its copy is not sealed");
	auto_close int fd = mount_read_only(&why);
	if (fd < 0)
		fd = copy_to_memory(&why);
	if (fd < 0) {
		*e = why;
		return err_wrap(e, "seal this program");
	}
	(void) syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(e, "seal this program: execveat");
}
