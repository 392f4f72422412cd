/*
 * What the importers of the kinds of source share.
 */
#ifndef CARREL_IMAGES_IMPORT_INTERNAL_H
#define CARREL_IMAGES_IMPORT_INTERNAL_H

#include "images/import.h"

struct buf;
struct layer_wanted;
struct registry;

/* One image that has been staged, and what it is to be called. */
struct import_result {
	struct blob manifest;
	const char *type;
	char **names; /* owned, as are the strings; may be NULL: without a name */
};

struct import {
	const struct store *store;
	struct store_work *work;
	const struct import_options *options;
	/* where content comes from: one of the two */
	struct source *source;
	struct registry *registry;
	const char *repo; /* of the registry */
	/* the image that is worked on */
	struct blob manifest;
	const char *manifest_type;
	char *name; /* what the source calls it; owned; NULL: nothing */
	/* those that are staged */
	struct import_result *results;
	size_t n_results;
};
void import_fini(struct import *im);

/* Each stages blobs and layers and adds its results. */
int import_oci(struct import *im, struct err *e);
int import_docker(struct import *im, struct err *e);
int import_rootfs(struct import *im, struct err *e);

/* The image that is worked on is a result, under these names, or its source's if NULL. */
void import_add_result(struct import *im, char *const *names);

/* 1 when the blob is in the store or staged, 0 when not. */
int import_has_blob(struct import *im, const struct blob *blob, struct err *e);
/* 1 when the store has the layer and knows that this very blob unpacks to it. */
int import_knows_layer(struct import *im, const struct blob *blob, const struct digest *diff_id,
		       struct err *e);

/* Unpacks a staged layer unless the store or this import has it. diff_id: what its content has to hash to,
 * NULL: anything; *found is what it hashed to. */
int import_layer(struct import *im, const struct blob *blob, enum compression c,
		 const struct digest *diff_id, struct digest *found, struct err *e);

/* import_walk.c: from an index or a manifest to all that it leads to, staged, and a result. media_type NULL: an
 * index.json, where any name may be chosen and nothing is guessed. */
int import_index(struct import *im, const struct buf *text, const char *media_type,
		 struct err *e);
int import_manifest(struct import *im, const struct descriptor *d, struct err *e);

struct import_layer_ref {
	struct blob blob;
	enum compression compression;
};
/* Writes an OCI manifest for sources that have none. */
int import_write_manifest(struct import *im, const struct blob *config,
			  const struct import_layer_ref *layers, size_t n, struct err *e);

struct platform import_platform(const struct import *im);
int import_check_platform(const struct import *im, const struct imageconfig *c, struct err *e);

/* Stages the root filesystem blob given, its configuration and manifest. */
int import_rootfs_blob(struct import *im, const struct blob *blob, const char *config_json,
		       struct err *e);
/* Makes everything visible; there are results. out: the digest of the last one. */
int import_finish(struct import *im, struct digest *out, struct err *e);

#endif
