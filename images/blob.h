/*
 * Bytes on their way into the store: hashed and counted while they are copied, named by what they are.
 */
#ifndef CARREL_IMAGES_BLOB_H
#define CARREL_IMAGES_BLOB_H

#include <stdint.h>

#include "images/digest.h"

struct err;
struct buf;
struct store;
struct store_work;

struct blob {
	struct digest digest;
	uint64_t size;
};

/* Copies fd from its position to the end into the work directory. With `expect`, more bytes, fewer bytes
 * or another digest are errors and nothing is staged; without, at most `limit` bytes are taken and named
 * by their sha256, as all that is made here is. */
int blob_stage_fd(struct store_work *w, int fd, const struct blob *expect, uint64_t limit,
		  struct blob *out, struct err *e);
int blob_stage_mem(struct store_work *w, const void *p, size_t n, struct blob *out,
		   struct err *e);
/* The same without a copy for a file in the work directory that nobody else can write: it is hashed
 * where it is and linked. */
int blob_stage_own_file(struct store_work *w, int dir_fd, const char *name,
			const struct blob *expect, struct blob *out, struct err *e);

/* Whether it is what was promised; expect NULL: nothing was. */
int blob_matches(const struct blob *expect, const struct blob *got, struct err *e);

/* Opens a blob that is staged or in the store, for reading. w may be NULL. */
int blob_open(const struct store *s, const struct store_work *w, const struct digest *d,
	      struct err *e);
/* Reads all of it: is it in the store and what its name says? *out: what it is. EBADMSG: it is something else; with other errors
 * it is not known. */
int blob_check(const struct store *s, const struct digest *d, struct blob *out, struct err *e);
/* A small blob (manifest, config) into `out`; checks the digest again, which costs nothing at this size. */
int blob_read(const struct store *s, const struct store_work *w, const struct digest *d,
	      struct buf *out, struct err *e);

#endif
