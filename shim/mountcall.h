/*
 * The mount system calls that Debian 12's libc has no or only partial wrappers for.
 *
 * Raw: they return what the kernel returns and set errno. <sys/mount.h> and <linux/mount.h> clash in this
 * libc, so users of this header include the latter only.
 */
#ifndef CARREL_SHIM_MOUNTCALL_H
#define CARREL_SHIM_MOUNTCALL_H

struct mount_attr;

int mountcall_propagation_slave(const char *path); /* recursive */
int mountcall_mount(const char *source, const char *target, const char *type,
		    unsigned long flags, const char *options);
int mountcall_open_tree(int dirfd, const char *path, unsigned flags);
int mountcall_setattr(int dirfd, const char *path, unsigned flags,
		      const struct mount_attr *attr);
int mountcall_move(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int mountcall_fsopen(const char *type, unsigned flags);
int mountcall_fsconfig(int fs_fd, unsigned command, const char *key, const void *value,
		       int aux);
int mountcall_fsmount(int fs_fd, unsigned flags, unsigned attr);

/* Lazily unmounts dirfd/name, which must be a mount point; never follows a symlink. */
int mountcall_detach(int dirfd, const char *name);

#endif
