/*
 * The bodies of the two unpacking children and what they say to their parent.
 */
#ifndef CARREL_IMAGES_UNPACK_CHILD_H
#define CARREL_IMAGES_UNPACK_CHILD_H

#include "base/err.h"
#include "images/extract.h"
#include "images/unpack.h"

enum unpack_say {
	SAY_OPAQUE, /* with a directory's descriptor: mark it; answered by one byte */
	SAY_DONE,
	SAY_FOREIGN, /* not an archive of images */
	SAY_FAILED,
};

/* A message. The confinement itself fails with a bare struct err, told apart by its length. */
struct unpack_message {
	enum unpack_say say;
	struct err err;
	uint64_t entries;
	struct extract_stats stats;
};

struct unpack_child {
	const struct unpack_spec *spec;
	int in_fd, out_fd; /* out_fd: the inflating child's */
};

/* confine_fn; arg is a struct unpack_child. */
int unpack_child_inflate(void *arg, int sock);
int unpack_child_tree(void *arg, int sock);

#endif
