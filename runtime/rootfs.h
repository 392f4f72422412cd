/*
 * The container's root: a tree of our own mount namespace, entered by pivot, sealed at the end.
 */
#ifndef CARREL_RUNTIME_ROOTFS_H
#define CARREL_RUNTIME_ROOTFS_H

#include <stdbool.h>
#include <stddef.h>

struct err;

struct rootfs_spec {
	const char *path;	   /* root.path, relative to the bundle */
	bool readonly;		   /* root.readonly */
	unsigned long propagation; /* linux.rootfsPropagation: MS_*; 0: as rslave */
	bool no_pivot;		   /* --no-pivot: chroot over the host's root */
	bool detached; /* no mount namespace of its own: the tree is attached nowhere, and goes with its last process */
	const char *const *masked; /* linux.maskedPaths, NULL-terminated */
	const char *const *ro;	   /* linux.readonlyPaths */
};

/* With the host's rights, before the clone: the detached clone of the root and of all that is mounted below it.
 * *out is FD_NONE where the process may not clone mounts (rootless): init does it then. */
int rootfs_open_source(int bundle_fd, const struct rootfs_spec *s, int *out, struct err *e);

/* In init, whose working directory is the root's directory (ns_clone_at): cuts our mount namespace off from the
 * host's and attaches the root over that directory, where hooks look for it. src_fd: the former, or FD_NONE to
 * clone the working directory here. Returns the root's descriptor. detached: neither, and the host never sees a mount
 * of the container. */
int rootfs_attach(int src_fd, const struct rootfs_spec *s, struct err *e);

/* /dev/fd, stdin, stdout, stderr, core, ptmx. What is there already stays, except a ptmx on a /dev that is a mount
 * of ours (own_dev). */
int rootfs_dev_links(int root_fd, bool own_dev, struct err *e);

/* pivot_root(".", ".") and detach the old root; afterwards "/" is root_fd. With no_pivot: chroot, after every proc
 * and sysfs of the host has been unmounted or covered. */
int rootfs_enter(int root_fd, const struct rootfs_spec *s, struct err *e);
/* Propagation of "/", then read-only (last, as targets were still made before). */
int rootfs_seal(int root_fd, const struct rootfs_spec *s, struct err *e);

#endif
