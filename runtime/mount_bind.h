/*
 * The parts of mount.h that concern binds, and what is done to every tree before it is attached.
 */
#ifndef CARREL_RUNTIME_MOUNT_BIND_H
#define CARREL_RUNTIME_MOUNT_BIND_H

struct err;
struct mount_spec;
struct mount_place;

/* Attributes and propagation. */
int mount_apply(const struct mount_spec *m, int tree_fd, struct err *e);
/* mount_attach of a bind: makes the target, of the source's kind, or the link of copy-symlink. */
int mount_attach_bind(const struct mount_spec *m, int src_fd, const struct mount_place *where,
		      struct err *e);

#endif
