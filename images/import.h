/*
 * From a source to an image in the store.
 *
 * All work happens in one private directory; the store changes at the end, in this order: contents are on
 * the disk, names in blobs/ and layers/ appear, the index names the image. A crash or an error before the
 * last step leaves the store as it was.
 */
#ifndef CARREL_IMAGES_IMPORT_H
#define CARREL_IMAGES_IMPORT_H

#include <stdbool.h>

#include "images/digest.h"
#include "images/layer.h"
#include "images/limits.h"
#include "images/platform.h"
#include "images/source.h"
#include "images/store.h"

struct err;
struct descriptor;
struct imageconfig;

struct import_options {
	const char *name;    /* NULL: what the source calls it, if anything */
	const char *ref;     /* which image of a source that has several; NULL: the only one */
	enum source_kind as; /* SOURCE_ANY: by content */
	bool all;	     /* every image that has a name, under all its names */
	bool skip_devices;
	struct platform platform; /* arch "": this machine's */
	enum layer_format format;
	struct image_limits limits;
};

/* out: the manifests' digests, n of them (more than one with `all` only), malloc'ed. */
int import_path(const struct store *s, const char *path, const struct import_options *o,
		struct digest **out, size_t *n, struct err *e);

/* The same for a root filesystem's tar that lies in the work directory under `file`, with its
 * configuration's "config" member given as JSON text (NULL: a shell as root). For builds. */
int import_built(struct store_work *w, const char *file, const char *config_json,
		 const struct import_options *o, struct digest *out, struct err *e);

#endif
