/*
 * One mount of the container, made with the new mount API and attached to a descriptor of its target.
 *
 * Options are resolved when the spec is parsed (mount_parse_options); this module acts. A source is opened
 * by the parent before user namespaces are entered (mount_open_source), as a detached tree: the child only
 * attaches. Nothing here resolves a container path by name: targets come from base/path.h.
 */
#ifndef CARREL_RUNTIME_MOUNT_H
#define CARREL_RUNTIME_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/idmap.h"

struct err;

enum mount_extra {
	MOUNT_BIND = 1 << 0,
	MOUNT_RECURSIVE = 1 << 1, /* rbind */
	MOUNT_TMPCOPYUP = 1 << 2, /* a new tmpfs starts with what the image has there */
	MOUNT_IDMAP =
		1 << 3, /* idmap: with `idmap` below, or the container's own maps when empty */
	MOUNT_IDMAP_RECURSIVE = 1 << 4,
	MOUNT_SRC_NOFOLLOW = 1 << 5,
	MOUNT_REMOUNT = 1 << 6,
};

/* Attributes in mount_setattr(2)'s terms (MOUNT_ATTR_*), with a separate set for the r* options. */
struct mount_attrs {
	uint64_t set, clear;
};

struct mount_spec {
	const char *target;	   /* mounts[].destination, as given */
	const char *source;	   /* may be NULL */
	const char *type;	   /* may be NULL for binds */
	unsigned extra;		   /* enum mount_extra */
	struct mount_attrs attrs;  /* this mount */
	struct mount_attrs rattrs; /* recursively */
	unsigned long propagation; /* MS_PRIVATE, ... | MS_REC; 0: leave */
	unsigned long
		sb_flags; /* MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK, MS_LAZYTIME, MS_RDONLY */
	char *data; /* what is left for the filesystem, "size=64m,mode=1777"; owned, may be NULL */
	struct idmap_spec idmap; /* mounts[].uidMappings / gidMappings */
};
void mount_spec_fini(struct mount_spec *m);

/* Sorts every option string into *m; one that contradicts or cannot be used with the type is an error. */
int mount_parse_options(const char *const *options, struct mount_spec *m, struct err *e);
/* Names of all options known, NULL-terminated (for `features`). */
const char *const *mount_option_names(void);

/* For a bind: the detached clone of its source with attributes and idmap applied (open_tree, mount_setattr),
 * relative sources resolve against bundle_fd. For others FD_NONE. Runs in the parent. container_idmap may
 * be NULL. Returns a descriptor, FD_NONE via *out. */
int mount_open_source(const struct mount_spec *m, int bundle_fd,
		      const struct idmap_spec *container_idmap, int *out, struct err *e);

/* What mount_attach needs to know of its surroundings. */
struct mount_place {
	int root_fd;	   /* the container's root, in the child's mount namespace */
	int cgroup_ns;	   /* 1 when the container has its own cgroup namespace */
	const char *label; /* linux.mountLabel, may be NULL */
	const char *const
		*cgroup_binds; /* cgroup v1 hosts: "name\0..." see cgroup.h; may be NULL */
};

/* Makes the target (directory, or file for a file bind) inside the root and mounts on it. src_fd: from
 * mount_open_source or FD_NONE. Runs in the child. */
int mount_attach(const struct mount_spec *m, int src_fd, const struct mount_place *where,
		 struct err *e);

#endif
