/*
 * One archive becomes a tree: decompressed, hashed, unpacked, all at once and none of it in this process.
 *
 *   blob ──► inflate child ──► this process ──► tree child ──► files below tree_fd
 *            (CONFINE_STREAM)   hashes, counts    (CONFINE_TREE)
 *
 * The parent sees opaque bytes only. The digest is computed here, over the bytes that the tree child gets,
 * so a child that was taken over can neither lie about a diff-id nor change what another layer's holds.
 */
#ifndef CARREL_IMAGES_UNPACK_H
#define CARREL_IMAGES_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "images/digest.h"
#include "images/extract.h"
#include "images/inflate.h"
#include "images/limits.h"

struct err;

enum unpack_kind {
	UNPACK_LAYER,
	UNPACK_SOURCE, /* an archive of images; a foreign name ends it, see unpack_archive */
};

struct unpack_spec {
	enum unpack_kind kind;
	int in_fd; /* at its beginning (borrowed) */
	enum compression compression;
	uint64_t in_bytes; /* its size, for the ratio */
	int tree_fd;	   /* an empty directory (borrowed) */
	bool skip_devices;
	const struct digest *expect; /* of the uncompressed stream; NULL: any */
	struct image_limits limits;
};

struct unpack_result {
	struct digest digest; /* of the uncompressed stream */
	uint64_t bytes;	      /* of it */
	uint64_t entries;
	struct extract_stats stats;
};

enum { UNPACK_DONE = 0, UNPACK_FOREIGN = 1 };

/* Returns UNPACK_DONE, or for UNPACK_SOURCE also UNPACK_FOREIGN: the archive holds a name that no
 * archive of images has, so it is something else; what was unpacked until then is in the tree. */
int unpack_archive(const struct unpack_spec *spec, struct unpack_result *out, struct err *e);

#endif
