/*
 * From a registry to an image in the store: import's steps, with content that comes over the network.
 */
#ifndef CARREL_IMAGES_PULL_H
#define CARREL_IMAGES_PULL_H

#include "images/import.h"
#include "images/registry.h"

struct err;

/* import.name NULL: the reference itself, in full; import.ref, as and all mean nothing here. out: the manifest's digest. */
int pull_image(const struct store *s, const char *reference,
	       const struct import_options *import, const struct registry_options *registry,
	       struct digest *out, struct err *e);

#endif
