/*
 * Project quotas: a limit of bytes and inodes for a directory tree, where its file system has them (ext4, XFS, f2fs).
 *
 * A project is a number that every inode below the tree carries. The kernel counts whole blocks, directories included,
 * and refuses with EDQUOT what would exceed the limit, to everybody but CAP_SYS_RESOURCE in the initial user namespace.
 * Nobody in another user namespace can give a file a different project. Needs Linux 5.14 (quotactl_fd).
 * Sources: quotactl(2), ioctl_xfs_fsgetxattr(2).
 */
#ifndef CARREL_BASE_PRJQUOTA_H
#define CARREL_BASE_PRJQUOTA_H

#include <stdint.h>

struct err;

struct prjquota {
	uint64_t bytes, inodes;		  /* the hard limits; 0: none */
	uint64_t used_bytes, used_inodes; /* as of now */
};

/* 0: the file system of fd refuses what exceeds a project's limit. Else ENOTSUP, with the remedy. */
int prjquota_check(int fd, struct err *e);
int prjquota_get(int fd, uint32_t project, struct prjquota *out, struct err *e);
/* bytes in units of 1024; 0 and 0 take the limits away. */
int prjquota_limit(int fd, uint32_t project, uint64_t bytes, uint64_t inodes, struct err *e);
/* The directory and all that will be made in it belong to the project. */
int prjquota_join(int dir_fd, uint32_t project, struct err *e);
/* The project that it belongs to. */
int prjquota_of(int fd, uint32_t *project, struct err *e);

#endif
