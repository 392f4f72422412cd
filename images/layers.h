/*
 * All layers of an image, side by side: downloaded if need be, verified, unpacked.
 *
 *   carrel-registry ─pipe─► hash, count ─► file in work/blobs ─► pipe ─► unpacking job ─► work/layers
 *
 * A layer is unpacked while it is being downloaded: the file between the two lets either be ahead of the other. What
 * came out gets its name only after the blob was found to be the one that was promised.
 */
#ifndef CARREL_IMAGES_LAYERS_H
#define CARREL_IMAGES_LAYERS_H

#include <stddef.h>

#include "images/blob.h"
#include "images/inflate.h"

struct err;
struct import;
struct registry;

struct layer_wanted {
	struct blob blob;
	enum compression compression;
	struct digest diff_id;
};

/* r NULL: every blob is in the store or staged. */
int layers_bring(struct import *im, struct registry *r, const char *repo,
		 const struct layer_wanted *wanted, size_t n, struct err *e);

#endif
