/*
 * Manifests and indexes, OCI's and Docker's, as validated structs. Pure functions over memory.
 */
#ifndef CARREL_IMAGES_MANIFEST_H
#define CARREL_IMAGES_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"

struct err;
struct json;
struct json_doc;

/* Overlayfs takes 500, and two more may come on top: mount points, and parents that the layers do not describe. */
enum { MANIFEST_LAYERS = 498 };

/* Strings are borrowed from the document. */
struct descriptor {
	const char *media_type;
	struct digest digest;
	uint64_t size;
	const char *os, *arch, *variant; /* of "platform"; NULL when absent */
	const char *name; /* containerd's, which is a whole one, or else ref; may be NULL */
	const char *
		ref; /* org.opencontainers.image.ref.name, by Docker only the tag; may be NULL */
};

struct manifest {
	struct descriptor config;
	struct descriptor *layers;
	size_t n_layers;
	struct json_doc *doc;
};
#define auto_manifest auto_cleanup(manifest_fini)

struct manifest_index {
	struct descriptor *manifests; /* manifests and indexes */
	size_t n;
	size_t n_others; /* how many other things it lists, which are left out here */
	struct json_doc *doc;
};
#define auto_manifest_index auto_cleanup(manifest_index_fini)

/* media_type: what the descriptor that led here says. A document that says another type about itself, or
 * that is manifest and index at once, is refused: two readers must not see two images. */
int manifest_parse(const char *text, size_t n, const char *media_type, struct manifest *out,
		   struct err *e);
void manifest_fini(struct manifest *m);

/* media_type NULL: an index.json, which may lack one. */
int manifest_index_parse(const char *text, size_t n, const char *media_type,
			 struct manifest_index *out, struct err *e);
void manifest_index_fini(struct manifest_index *ix);

#endif
