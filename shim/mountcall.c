#include "shim/mountcall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

enum { DETACH = 2, NOFOLLOW = 8 }; /* MNT_DETACH, UMOUNT_NOFOLLOW of <sys/mount.h> */

int mountcall_propagation_slave(const char *path)
{
	return (int) syscall(SYS_mount, NULL, path, NULL, MS_REC | MS_SLAVE, NULL);
}

int mountcall_mount(const char *source, const char *target, const char *type,
		    unsigned long flags, const char *options)
{
	return (int) syscall(SYS_mount, source, target, type, flags, options);
}

int mountcall_open_tree(int dirfd, const char *path, unsigned flags)
{
	return (int) syscall(SYS_open_tree, dirfd, path, flags);
}

int mountcall_setattr(int dirfd, const char *path, unsigned flags,
		      const struct mount_attr *attr)
{
	return (int) syscall(SYS_mount_setattr, dirfd, path, flags, attr, sizeof(*attr));
}

int mountcall_move(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	return (int) syscall(SYS_move_mount, from_fd, from, to_fd, to, flags);
}

int mountcall_fsopen(const char *type, unsigned flags)
{
	return (int) syscall(SYS_fsopen, type, flags);
}

int mountcall_fsconfig(int fs_fd, unsigned command, const char *key, const void *value, int aux)
{
	return (int) syscall(SYS_fsconfig, fs_fd, command, key, value, aux);
}

int mountcall_fsmount(int fs_fd, unsigned flags, unsigned attr)
{
	return (int) syscall(SYS_fsmount, fs_fd, flags, attr);
}

int mountcall_detach(int dirfd, const char *name)
{
	char path[320];

	/* umount2 takes no descriptor; the magic link leads to the directory itself. */
	if (snprintf(path, sizeof(path), "%s/%s", fd_path(dirfd).s, name) >=
	    (int) sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return (int) syscall(SYS_umount2, path, DETACH | NOFOLLOW);
}
