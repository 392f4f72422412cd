/*
 * A blob that comes in pieces: each is hashed, counted and written; at the end the blob is staged, or it was not what
 * it should have been. Its file can be read meanwhile.
 */
#ifndef CARREL_IMAGES_BLOB_SINK_H
#define CARREL_IMAGES_BLOB_SINK_H

#include "images/blob.h"

struct hash;

struct blob_sink {
	struct store_work *work;
	char name[32]; /* in work/blobs */
	int fd;
	struct hash *hash;
	bool bounded; /* expect is known; else at most limit bytes */
	struct blob expect;
	uint64_t size, limit;
	uint64_t begun; /* the disk has begun with so much */
};
#define BLOB_SINK_NONE ((struct blob_sink){ .fd = -1 })

/* expect, limit: as in blob_stage_fd. */
int blob_sink_begin(struct store_work *w, const struct blob *expect, uint64_t limit,
		    struct blob_sink *out, struct err *e);
int blob_sink_put(struct blob_sink *s, const void *p, size_t n, struct err *e);
/* Its size and digest are right, and it is staged. */
int blob_sink_finish(struct blob_sink *s, struct blob *out, struct err *e);
/* Removes what was not finished; accepts BLOB_SINK_NONE. */
void blob_sink_fini(struct blob_sink *s);

#endif
