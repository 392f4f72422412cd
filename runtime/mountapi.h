/*
 * The kernel's mount calls by descriptor, with errors that name the call and the kernel that first has it.
 *
 * Carrel mounts only through these: a tree is made detached, gets its attributes, and is attached to a
 * descriptor. No name inside a container is ever given to mount(2).
 */
#ifndef CARREL_RUNTIME_MOUNTAPI_H
#define CARREL_RUNTIME_MOUNTAPI_H

#include <stdbool.h>
#include <stdint.h>

struct err;

/* A detached clone of the mount at dirfd/path ("" with AT_EMPTY_PATH: of dirfd itself). flags: AT_RECURSIVE,
 * AT_SYMLINK_NOFOLLOW. Returns a descriptor that unmounts the tree when it is closed unattached. */
int mountapi_clone(int dirfd, const char *path, unsigned flags, struct err *e);

/* fsopen(type), with the error for a type that this kernel does not have. */
int mountapi_fsopen(const char *type, struct err *e);
/* A parameter with a value, or a flag (value NULL). The kernel's own message is appended to the error. */
int mountapi_param(int fs_fd, const char *key, const char *value, struct err *e);
/* Creates the superblock and a detached mount of it with MOUNT_ATTR_* bits. Returns its descriptor. */
int mountapi_create(int fs_fd, uint64_t attrs, struct err *e);
/* A detached mount of a filesystem that needs no source, in one call; options "k=v,flag" or NULL. */
int mountapi_new(const char *type, const char *options, uint64_t attrs, struct err *e);
/* Splits "k=v,flag,..." into parameters. */
int mountapi_params(int fs_fd, const char *options, struct err *e);

/* mount_setattr on the mount of fd. propagation: MS_PRIVATE, ... or 0; userns_fd with MOUNT_ATTR_IDMAP,
 * else -1. */
int mountapi_setattr(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation,
		     int userns_fd, struct err *e);

/* Attaches a detached tree (or moves an attached one) onto the file or directory behind target_fd; AT_FDCWD: onto
 * the working directory. */
int mountapi_attach(int tree_fd, int target_fd, struct err *e);

/* Whether this process may clone mounts at all: CAP_SYS_ADMIN in the user namespace of its mount namespace. */
bool mountapi_permitted(void);

#endif
