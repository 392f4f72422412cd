/*
 * What images take on the disk: each alone, and what they share.
 */
#ifndef CARREL_IMAGES_USAGE_H
#define CARREL_IMAGES_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "images/digest.h"

struct err;
struct store;

/* Bytes as the file system counts them, of blobs and unpacked layers. */
struct usage_image {
	char *name; /* NULL: none. An image of several names has as many rows */
	struct digest digest;
	uint64_t own, shared; /* with an image of another digest */
};

struct usage {
	struct usage_image *v; /* in the index's order */
	size_t n;
	uint64_t total;	 /* of the whole store, everything once */
	uint64_t unused; /* of it: what no image needs */
};
#define auto_usage auto_cleanup(usage_fini)

int usage_measure(const struct store *s, struct usage *out, struct err *e);
void usage_fini(struct usage *u);

#endif
