/*
 * An image of the store goes to a registry as it is: the manifest's bytes, and so its digest, are kept.
 */
#ifndef CARREL_IMAGES_PUSH_H
#define CARREL_IMAGES_PUSH_H

#include "images/registry.h"

struct err;
struct store;

/* reference NULL: the image's name. chunk: bytes of a request that carries a part of a blob; 0: blobs in one. Blobs that
 * the registry has are not sent; those that it has in a repository that other names of the store lead to are
 * mounted from there. out: the manifest's digest. */
int push_image(const struct store *s, const char *image, const char *reference, uint64_t chunk,
	       const struct registry_options *o, struct digest *out, struct err *e);

#endif
