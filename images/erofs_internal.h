/*
 * What the writer's files share: its state, and how inodes get their place (erofs_inode.c).
 */
#ifndef CARREL_IMAGES_EROFS_INTERNAL_H
#define CARREL_IMAGES_EROFS_INTERNAL_H

#include <sys/types.h>

#include "images/erofs.h"
#include "images/erofs_format.h"
#include "images/erofs_out.h"
#include "images/erofs_tree.h"
#include "images/extract.h"

struct erofs {
	struct erofs_tree tree;
	bool skip_devices, begun;
	struct extract_stats stats;
	uint64_t inodes;
	/* The last entry's parent, as in extract.c. */
	char *parent_path;
	int64_t parent;
	/* The block that inodes go to at present; 0: none. It is written when it is full. */
	uint32_t meta_block;
	size_t meta_used;
	uint8_t meta[EROFS_BLOCK];
	struct erofs_out out;
};

struct inode {
	uint16_t mode; /* with the type */
	uint32_t uid, gid, links, place;
	uint64_t size;
	struct timespec mtime;
	const uint8_t *xattrs;
	uint32_t n_xattrs;
	bool inlined; /* size % EROFS_BLOCK bytes follow it */
};

bool inode_extended(const struct erofs *w, const struct inode *i);
/* Bytes with attributes and the inlined end of the content. */
size_t inode_bytes(const struct erofs *w, const struct inode *i);
/* Writes the inode's own bytes to p. */
void inode_encode(const struct erofs *w, const struct inode *i, uint8_t *p);

/* Room for n bytes, at most a block, at a multiple of EROFS_SLOT; *p is there until the next call. Returns
 * the inode's number, or 0 with *e. */
uint64_t inode_room(struct erofs *w, size_t n, uint8_t **p, struct err *e);
/* An inode whose content is in memory (or that has none, content NULL): everything is written. 0 with *e. */
uint64_t inode_add(struct erofs *w, struct inode *i, const void *content, struct err *e);
int inode_close_block(struct erofs *w, struct err *e);

/* What an inode may have of what is kept; the rest is counted as dropped, as a kernel has it for directories. */
enum erofs_has { EROFS_HAS_ALL, EROFS_HAS_ACLS, EROFS_HAS_NONE };

/* The current entry's attributes as they stand on the disk; *out is malloc'ed, NULL for none. */
int erofs_xattrs(struct erofs *w, struct tar *t, enum erofs_has has, uint8_t **out, uint32_t *n,
		 struct err *e);
/* The opaque mark is added to what p has. */
int erofs_mark_opaque(uint8_t **p, uint32_t *n, struct err *e);

#endif
