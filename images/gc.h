/*
 * Removing what no image of the index and no import under way needs.
 */
#ifndef CARREL_IMAGES_GC_H
#define CARREL_IMAGES_GC_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

struct gc_result {
	uint64_t blobs, layers; /* removed; or with dry_run: that would be */
	uint64_t bytes;		/* that these blobs have */
	uint64_t busy; /* layers that stay because somebody holds a lock on their root */
};

/* The store has to be open STORE_EXCLUSIVE, which lasts until everything has lost its name; it is unlocked
 * when gc_run returns, and trees are removed after that. For dry_run STORE_SHARED is enough. A layer whose
 * root/ directory somebody has flocked (a sandbox that runs on it) stays. An image that cannot be read is an
 * error, and nothing is removed. */
int gc_run(struct store *s, bool dry_run, struct gc_result *out, struct err *e);

#endif
