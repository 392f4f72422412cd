/*
 * Media types: a closed list. What is not on it is refused by name.
 */
#ifndef CARREL_IMAGES_MEDIA_H
#define CARREL_IMAGES_MEDIA_H

#include <stdbool.h>

#include "images/inflate.h"

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_INDEX,
	MEDIA_MANIFEST,
	MEDIA_CONFIG,
	MEDIA_LAYER,
};

#define MEDIA_OCI_INDEX	   "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG   "application/vnd.oci.image.config.v1+json"

#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"

enum media_kind media_kind(const char *type);
/* A layer that registries may not hand out, and archives do not hold. */
bool media_is_elsewhere(const char *type);
/* How a layer of this type is compressed. */
enum compression media_compression(const char *type);
/* The OCI layer type for a compression (not COMPRESSION_FOREIGN). */
const char *media_layer(enum compression c);

#endif
