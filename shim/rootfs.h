/*
 * A sandbox's root filesystem: its image's layers, read-only, with their owners shifted into the
 * sandbox's range of ids, at bundle/rootfs in this process's own mount namespace.
 */
#ifndef CARREL_SHIM_ROOTFS_H
#define CARREL_SHIM_ROOTFS_H

struct err;
struct orders;

/* This process and its children leave the host's mount namespace; nothing mounted here shows there. */
int rootfs_own_namespace(struct err *e);

/* bundle_fd: the directory that holds `rootfs`. Nothing stays mounted after an error. */
int rootfs_mount(const struct orders *o, int bundle_fd, struct err *e);

/* Takes the mount away again; success when there is none. */
int rootfs_unmount(int bundle_fd, struct err *e);

#endif
