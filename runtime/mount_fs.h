/*
 * Filesystems made for a container: their parameters, and the kinds that need more than one attempt.
 */
#ifndef CARREL_RUNTIME_MOUNT_FS_H
#define CARREL_RUNTIME_MOUNT_FS_H

struct err;
struct mount_spec;
struct mount_place;

/* A detached mount of m->type with its data, superblock flags and `more` ("k=v", may be NULL or ""). Of its attributes it
 * has those of MOUNT_FS_ATTRS. */
#define MOUNT_FS_ATTRS                                                                         \
	((uint64_t) MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |                 \
	 MOUNT_ATTR__ATIME)
int mount_fs_new(const struct mount_spec *m, const struct mount_place *where, const char *more,
		 struct err *e);
/* Superblock flags and data of what is mounted at target. */
int mount_fs_reconfigure(const struct mount_spec *m, int target, struct err *e);

/* cgroup2, or where a user namespace without a cgroup namespace of its own may not mount it, a read-only
 * clone of the host's. */
int mount_fs_cgroup_v2(const struct mount_spec *m, const struct mount_place *where,
		       struct err *e);
/* A tmpfs on target with one bind of the container's own directory per hierarchy. */
int mount_fs_cgroup_v1(const struct mount_spec *m, int target, const struct mount_place *where,
		       struct err *e);

#endif
