/*
 * A sandbox's root filesystem: its image's layers, read-only, with their owners shifted into the
 * sandbox's range of ids, at bundle/rootfs in this process's own mount namespace.
 */
#ifndef CARREL_SHIM_ROOTFS_H
#define CARREL_SHIM_ROOTFS_H

#include <stddef.h>

struct err;
struct orders;

/* The layers' directories and images, open with a shared flock each: the store's garbage collection leaves alone what is locked,
 * so a running sandbox keeps its root even when its image is removed. */
struct rootfs {
	int *layers;
	size_t n;
};

/* This process and its children leave the host's mount namespace; nothing mounted here shows there. */
int rootfs_own_namespace(struct err *e);

/* bundle_fd: the directory that holds `rootfs`. Nothing stays mounted after an error. *out is held until the
 * sandbox has ended; may block while the store removes one of the layers, which then is an error. */
int rootfs_mount(const struct orders *o, int bundle_fd, struct rootfs *out, struct err *e);
void rootfs_fini(struct rootfs *r);

/* Takes the mount away again; success when there is none. */
int rootfs_unmount(int bundle_fd, struct err *e);

#endif
