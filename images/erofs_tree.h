/*
 * The names of a layer while its image is written: what stands where, and where an entry's name leads.
 *
 * Answers as base/path.c does for a directory: symlinks of the same archive are followed inside the root, ".." stops
 * at it, missing parents are made. Holds names, kinds and inode numbers, for directories also what their
 * inodes need; everything else is in the image already. Its memory has a limit: ENOBUFS beyond it.
 */
#ifndef CARREL_IMAGES_EROFS_TREE_H
#define CARREL_IMAGES_EROFS_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"

struct err;

enum { EROFS_ROOT = 0, EROFS_NOTHING = -1 };

enum node_kind {
	NODE_DIR,
	NODE_FILE,
	NODE_SYMLINK, /* its target is kept behind its name */
	NODE_FIFO,
	NODE_WHITEOUT,
};

struct erofs_node {
	uint32_t parent, name;
	uint64_t nid : 48; /* of a directory: its index in dirs */
	uint64_t kind : 8;
	uint64_t dead : 1;     /* replaced; what was below it is dead too */
	uint64_t linked : 1;   /* a file with more than one name */
	uint64_t extended : 1; /* its inode is */
};

struct erofs_dir {
	uint32_t node;
	uint16_t mode;
	bool opaque;
	bool described; /* an entry did, or it takes the place of what is below; else see implied.h */
	uint32_t uid, gid;
	struct timespec mtime;
	uint8_t *xattrs; /* as on the disk, with their head; owned */
	uint32_t n_xattrs;
	/* found at the end */
	uint32_t subdirs, first, n; /* its entries: order[first..first+n) */
	uint32_t block;
	uint64_t nid, size;
	bool inlined;
};

struct erofs_tree {
	struct buf nodes, dirs, names;
	uint32_t *slots; /* hash of (parent, name); node + 1, 0: none */
	size_t n_slots, used;
	size_t extra;	      /* bytes of attributes */
	struct timespec made; /* the time of directories that no entry describes */
};

int erofs_tree_init(struct erofs_tree *t, struct err *e);
void erofs_tree_fini(struct erofs_tree *t);

static inline struct erofs_node *erofs_node(const struct erofs_tree *t, int64_t i)
{
	return (struct erofs_node *) (void *) t->nodes.data + i;
}
static inline size_t erofs_nodes(const struct erofs_tree *t)
{
	return buf_len(&t->nodes) / sizeof(struct erofs_node);
}
static inline const char *erofs_name(const struct erofs_tree *t, const struct erofs_node *n)
{
	return (const char *) t->names.data + n->name;
}
/* Of a directory. Valid until the next one is made, as all pointers from here. */
struct erofs_dir *erofs_dir(const struct erofs_tree *t, int64_t node);
static inline size_t erofs_dirs(const struct erofs_tree *t)
{
	return buf_len(&t->dirs) / sizeof(struct erofs_dir);
}

int64_t erofs_find(const struct erofs_tree *t, int64_t parent, const char *name);
/* Puts a node there, in the place of whatever has the name. link: a symlink's target. */
int64_t erofs_put(struct erofs_tree *t, int64_t parent, const char *name, enum node_kind kind,
		  const char *link, struct err *e);
/* It has been replaced, or what it lies in. */
bool erofs_is_gone(const struct erofs_tree *t, int64_t node);
/* Attributes of a directory, instead of those it had; takes p over. */
int erofs_dir_xattrs(struct erofs_tree *t, int64_t node, uint8_t *p, uint32_t n, struct err *e);

/* The directory in which the last component of path lies; that component is copied to name. make: missing
 * parents are made. */
int64_t erofs_parent(struct erofs_tree *t, const char *path, bool make, char name[NAME_MAX + 1],
		     struct err *e);

#endif
