/*
 * The child that reads an upper directory and writes the layer's compressed tar: it sees that directory, read-only, as its
 * root, holds one file to write to, and has no other right but to read whatever the owner and mode (images/confine.h).
 *
 *   child ──PACK_ASK, a descriptor of an entry──► parent: which attributes has this? ──their names──► child
 *   child ──PACK_DONE, diff-id and counts, or PACK_FAILED──► parent
 *
 * Overlayfs' marks are trusted.* attributes, which nobody in a user namespace may see: hence the questions. The
 * parent believes nothing of what comes back: the layer is unpacked from the file like any other, and has to hash to
 * the diff-id.
 */
#ifndef CARREL_IMAGES_PACK_CHILD_H
#define CARREL_IMAGES_PACK_CHILD_H

#include <stdint.h>

#include "images/digest.h"
#include "images/inflate.h"
#include "images/upper.h"

struct err;
struct image_limits;

struct pack_spec {
	int upper_fd; /* the directory (borrowed) */
	int out_fd;   /* an empty file (borrowed) */
	enum compression compression;
	const struct upper_options *upper;
	const struct image_limits
		*limits; /* blob_bytes of the file; bytes of contents; seconds */
};

/* Blocks until the child has ended. */
int pack_upper(const struct pack_spec *spec, struct digest *diff_id, struct upper_stats *stats,
	       struct err *e);

#endif
