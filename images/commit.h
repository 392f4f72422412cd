/*
 * One more layer: an image of the store and what was changed above it become a new image.
 */
#ifndef CARREL_IMAGES_COMMIT_H
#define CARREL_IMAGES_COMMIT_H

#include "images/digest.h"
#include "images/inflate.h"
#include "images/layer.h"
#include "images/upper.h"

struct err;
struct store;

struct commit_options {
	const char *base;	      /* an image of the store */
	const char *name;	      /* of the new one */
	const char *by;		      /* for its history */
	const char *comment;	      /* the same; may be NULL */
	const char *config_json;      /* instead of the base's "config"; NULL: that stays */
	enum compression compression; /* of the new layer */
	enum layer_format format;     /* of it, in the store */
	struct upper_options upper;
};

/* upper_fd: an overlay's upper directory (borrowed; nobody may write to it meanwhile). out: the new
 * manifest's digest. The store is open STORE_WORK. The layer is unpacked from its blob like any other: what a
 * sandbox of the new image sees is what others who pull it see. */
int commit_upper(const struct store *s, int upper_fd, const struct commit_options *o,
		 struct digest *out, struct upper_stats *stats, struct err *e);

#endif
