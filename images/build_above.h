/*
 * A root filesystem becomes one layer above an image that is part of it: what both have is shared.
 */
#ifndef CARREL_IMAGES_BUILD_ABOVE_H
#define CARREL_IMAGES_BUILD_ABOVE_H

struct digest;
struct err;
struct import_options;
struct store_work;

/* The tree of an image with one layer, as recipes without a base make them. It stays in the store as long as w. */
int build_above_open(struct store_work *w, const char *base, struct err *e);

/* file: the root's tar in the work directory; lower_fd: the base's tree. config_json: the new image's "config". */
int build_above(struct store_work *w, const char *file, const char *base, int lower_fd,
		const char *config_json, const struct import_options *o, struct digest *out,
		struct err *e);

#endif
