/*
 * One unpacked layer against what its blob unpacks to.
 */
#ifndef CARREL_IMAGES_VERIFY_LAYER_H
#define CARREL_IMAGES_VERIFY_LAYER_H

#include <stdbool.h>

struct digest;
struct err;
struct store;
struct image;

enum {
	VERIFY_LAYER_SOUND = 0,
	VERIFY_LAYER_BROKEN,   /* *why; with repair also why it could not be, in *failed */
	VERIFY_LAYER_REPAIRED, /* *why it was broken */
};

int verify_layer(const struct store *s, const struct digest *diff_id, bool repair,
		 struct err *why, struct err *failed, struct err *e);

/* Makes a layer that is not there out of a blob that is. */
int verify_restore_layer(const struct store *s, const struct digest *blob,
			 const struct digest *diff_id, struct err *e);

/* An image's layer of parents (images/parents.h) against what its layers say: 0, or -1 with *why. repair: *failed is empty when
 * the store has the right one now. */
int verify_parents(const struct store *s, const struct image *im, bool repair, struct err *why,
		   struct err *failed);

#endif
