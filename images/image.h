/*
 * An image of the store with its manifest and configuration read.
 */
#ifndef CARREL_IMAGES_IMAGE_H
#define CARREL_IMAGES_IMAGE_H

#include <stdint.h>

#include "images/imageconfig.h"
#include "images/manifest.h"

struct err;
struct index_entry;
struct store;

struct image {
	struct digest digest; /* of the manifest */
	char *name;	      /* under which it was found; may be NULL */
	struct manifest manifest;
	struct imageconfig config;
	uint64_t size; /* of manifest, configuration and layers as they came */
};
#define auto_image auto_cleanup(image_fini)

/* By name or digest, see index_find. */
int image_open(const struct store *s, const char *image, struct image *out, struct err *e);
int image_load(const struct store *s, const struct index_entry *en, struct image *out,
	       struct err *e);
void image_fini(struct image *im);

#endif
