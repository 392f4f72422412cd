/*
 * One mount of the container, made with the new mount API and attached to a descriptor of its target.
 *
 * Options are sorted when the spec is parsed (mount_parse_options); this module acts. The source of a bind is
 * opened as a detached tree with the host's rights and before any name of the container exists
 * (mount_open_source); inside, init only attaches (mount_attach). Nothing here resolves a container path by
 * name: targets come from base/path.h, and what is attached to them is a descriptor as well.
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
	MOUNT_IDMAP = 1 << 3, /* with `idmap` below, or the container's own maps when empty */
	MOUNT_IDMAP_RECURSIVE = 1 << 4,
	MOUNT_SRC_NOFOLLOW = 1 << 5, /* a source that is a symlink is itself bound */
	MOUNT_REMOUNT = 1 << 6,	     /* change what is mounted at the target already */
	MOUNT_FROM_INSIDE = 1 << 7,  /* the source is the container's own: mount_settle */
	MOUNT_COPY_SYMLINK =
		1 << 8,	      /* a source that is a symlink is made again at the target */
	MOUNT_ATIME = 1 << 9, /* an option chose when access times are written */
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
	uint32_t propagation[4];   /* MS_PRIVATE, ... | MS_REC, in order; ends with 0 */
	/* MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK, MS_LAZYTIME, MS_I_VERSION, MS_SILENT, MS_POSIXACL: of the
	 * superblock, set and cleared. */
	uint32_t sb_flags, sb_clear;
	char *data; /* what is left for the filesystem, "size=64m,mode=1777"; owned, may be NULL */
	struct idmap_spec idmap; /* mounts[].uidMappings / gidMappings */
};
void mount_spec_fini(struct mount_spec *m);

/* Sorts every option string into *m, whose type, source and idmap are set already; one that contradicts or cannot
 * be used with the type is an error. */
int mount_parse_options(const char *const *options, struct mount_spec *m, struct err *e);
/* Names of all options known, NULL-terminated (for `features`). */
const char *const *mount_option_names(void);
/* "rshared" -> MS_SHARED | MS_REC, for linux.rootfsPropagation; an unknown name is an error. */
int mount_propagation_parse(const char *name, unsigned long *out, struct err *e);
/* The text after `key=` in the data, "" for a flag, NULL when it is not there. Ends at ',' or NUL. */
const char *mount_data_get(const struct mount_spec *m, const char *key);

/* What depends on where the root is: a target below the root's own path means the same place in the container, and so
 * does the source of a bind, which then may show what an earlier mount has put there. */
void mount_settle(struct mount_spec *m, const char *bundle, const char *rootfs);

/* Where sources come from. */
struct mount_origin {
	int bundle_fd; /* relative sources start here; AT_FDCWD in init */
	const struct idmap_spec *container_idmap; /* NULL without a user namespace */
	int container_userns; /* one that is joined by path: its own maps are the container's; or FD_NONE */
	bool keep_shared; /* linux.rootfsPropagation is shared: rshared binds reach the host */
};

/* For a bind: the detached clone of its source with idmap, attributes and propagation applied; *out is FD_NONE
 * for others, and where the process may not clone mounts (rootless: init does it then). With MOUNT_FROM_INSIDE: the
 * user namespace of its maps, if it is to be idmapped, and nothing else. With MOUNT_COPY_SYMLINK: a link itself. */
int mount_open_source(const struct mount_spec *m, const struct mount_origin *from, int *out,
		      struct err *e);

/* MOUNT_FROM_INSIDE, in init: the clone as it is. Then idmapped, by whoever has the rights over its filesystem, and
 * last attributes and propagation. */
int mount_clone_inside(const struct mount_spec *m, int root_fd, struct err *e);
int mount_idmap_tree(const struct mount_spec *m, int tree_fd, int userns_fd, struct err *e);
int mount_dress_tree(const struct mount_spec *m, bool user_ns, int tree_fd, struct err *e);

/* What mount_attach needs to know of its surroundings. */
struct mount_place {
	int root_fd;	/* the container's root, attached in our mount namespace */
	bool cgroup_ns; /* the container has its own cgroup namespace */
	bool user_ns;	/* and its own user namespace, with these maps */
	const struct idmap_spec *idmap;
	const char *label;    /* linux.mountLabel, may be NULL */
	const char *label_as; /* the option that takes it; NULL: context */
	const char
		*cgroup_binds; /* on a cgroup v1 host: the text of cgroup_v1_binds, else NULL */
	bool cgroup_v1;
	bool detached; /* the root is attached nowhere: only what is not attached yet takes attributes */
};

/* Makes the target (directory, or file for a file bind) inside the root and mounts on it. src_fd: from
 * mount_open_source or FD_NONE (borrowed). A tmpfs that is to be read-only stays writable as long as targets of other
 * mounts may have to be made in it: then *late is its descriptor, for mount_seal, else FD_NONE. */
int mount_attach(const struct mount_spec *m, int src_fd, const struct mount_place *where,
		 int *late, struct err *e);
int mount_seal(int late_fd, struct err *e);

#endif
