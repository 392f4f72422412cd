/*
 * Removing what no image of the index needs.
 */
#ifndef CARREL_IMAGES_GC_H
#define CARREL_IMAGES_GC_H

#include <stdint.h>

struct err;
struct store;

struct gc_result {
	uint64_t blobs, layers; /* removed */
	uint64_t bytes;		/* that the removed blobs had */
	uint64_t busy; /* layers that stay because somebody holds a lock on their root */
};

/* The store has to be open STORE_EXCLUSIVE. A layer whose root/ directory somebody has flocked (a sandbox
 * that runs on it) stays. An image that cannot be read is an error, and nothing is removed. */
int gc_run(const struct store *s, struct gc_result *out, struct err *e);

#endif
