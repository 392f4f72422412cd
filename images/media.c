#include "images/media.h"

#include <string.h>

#include "base/str.h"
#include "base/util.h"

static const struct {
	const char *type;
	enum media_kind kind;
	enum compression compression;
} types[] = {
	{ MEDIA_OCI_INDEX, MEDIA_INDEX, 0 },
	{ MEDIA_OCI_MANIFEST, MEDIA_MANIFEST, 0 },
	{ MEDIA_OCI_CONFIG, MEDIA_CONFIG, 0 },
	{ "application/vnd.oci.image.layer.v1.tar", MEDIA_LAYER, COMPRESSION_NONE },
	{ "application/vnd.oci.image.layer.v1.tar+gzip", MEDIA_LAYER, COMPRESSION_GZIP },
	{ "application/vnd.oci.image.layer.v1.tar+zstd", MEDIA_LAYER, COMPRESSION_ZSTD },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", MEDIA_INDEX, 0 },
	{ MEDIA_DOCKER_MANIFEST, MEDIA_MANIFEST, 0 },
	{ "application/vnd.docker.container.image.v1+json", MEDIA_CONFIG, 0 },
	{ "application/vnd.docker.image.rootfs.diff.tar", MEDIA_LAYER, COMPRESSION_NONE },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip", MEDIA_LAYER, COMPRESSION_GZIP },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd", MEDIA_LAYER, COMPRESSION_ZSTD },
};

enum media_kind media_kind(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].type, type) == 0)
			return types[i].kind;
	}
	return MEDIA_UNKNOWN;
}

enum compression media_compression(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].type, type) == 0)
			return types[i].compression;
	}
	return COMPRESSION_NONE;
}

bool media_is_elsewhere(const char *type)
{
	static const char *const prefixes[] = {
		"application/vnd.oci.image.layer.nondistributable.",
		"application/vnd.docker.image.rootfs.foreign.",
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (str_has_prefix(type, prefixes[i]))
			return true;
	}
	return false;
}

const char *media_layer(enum compression c)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i].kind == MEDIA_LAYER && types[i].compression == c)
			return types[i].type;
	}
	return NULL;
}
