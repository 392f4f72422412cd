/*
 * What the importers of the three kinds of source share.
 */
#ifndef CARREL_IMAGES_IMPORT_INTERNAL_H
#define CARREL_IMAGES_IMPORT_INTERNAL_H

#include "images/import.h"

struct import {
	const struct store *store;
	struct store_work *work;
	const struct import_options *options;
	struct source *source;
	/* what is known at the end */
	struct blob manifest;
	const char *manifest_type;
	char *name; /* what the source calls the image; owned; NULL: nothing */
};

/* Each stages blobs and layers and sets the last three members. */
int import_oci(struct import *im, struct err *e);
int import_docker(struct import *im, struct err *e);
int import_rootfs(struct import *im, struct err *e);

/* Unpacks a staged layer unless the store or this import has it. diff_id: what its content has to hash to,
 * NULL: anything; *found is what it hashed to. */
int import_layer(struct import *im, const struct blob *blob, enum compression c,
		 const struct digest *diff_id, struct digest *found, struct err *e);

struct import_layer_ref {
	struct blob blob;
	enum compression compression;
};
/* Writes an OCI manifest for sources that have none. */
int import_write_manifest(struct import *im, const struct blob *config,
			  const struct import_layer_ref *layers, size_t n, struct err *e);

int import_check_platform(const struct imageconfig *c, struct err *e);

/* Stages the root filesystem blob given, its configuration and manifest. */
int import_rootfs_blob(struct import *im, const struct blob *blob, const char *config_json,
		       struct err *e);
int import_finish(struct import *im, struct digest *out, struct err *e);

#endif
