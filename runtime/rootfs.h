/*
 * The container's root: bind of itself, devices, masked and read-only paths, and the pivot.
 */
#ifndef CARREL_RUNTIME_ROOTFS_H
#define CARREL_RUNTIME_ROOTFS_H

#include <stdbool.h>
#include <stddef.h>

struct err;

struct rootfs_spec {
	const char *path;	   /* root.path, resolved against the bundle by the parent */
	bool readonly;		   /* root.readonly */
	unsigned long propagation; /* linux.rootfsPropagation: MS_*; 0: private */
	bool no_pivot;		   /* --no-pivot: MS_MOVE + chroot */
	const char *const *masked; /* linux.maskedPaths, NULL-terminated */
	const char *const *ro;	   /* linux.readonlyPaths */
};

/* Clones the root onto itself in our mount namespace and makes that private; returns its descriptor. */
int rootfs_open(const struct rootfs_spec *s, struct err *e);
/* /dev/fd, stdin, stdout, stderr, core, ptmx links; only where /dev is a mount of ours. */
int rootfs_dev_links(int root_fd, struct err *e);
/* Masks directories with one shared read-only tmpfs and files with a verified /dev/null. */
int rootfs_mask(int root_fd, const char *const *paths, struct err *e);
int rootfs_readonly_paths(int root_fd, const char *const *paths, struct err *e);
/* pivot_root(".", ".") and detach the old root; afterwards "/" is root_fd. */
int rootfs_enter(int root_fd, const struct rootfs_spec *s, struct err *e);
/* Remounts "/" read-only (last, as targets were still made before). */
int rootfs_seal(const struct rootfs_spec *s, struct err *e);

#endif
