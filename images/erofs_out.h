/*
 * The image file: blocks are given out in order and written roughly in order, with what is written lately kept together.
 */
#ifndef CARREL_IMAGES_EROFS_OUT_H
#define CARREL_IMAGES_EROFS_OUT_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum { EROFS_OUT_CHUNK = 256 * 1024 };

struct erofs_out {
	int fd;		/* borrowed; takes pwrite */
	uint32_t next;	/* the first block that nobody has */
	uint64_t at;	/* where chunk belongs */
	uint64_t top;	/* nothing was written behind it */
	uint64_t begun; /* the disk has begun with what lies before */
	size_t n;
	uint8_t chunk[EROFS_OUT_CHUNK];
};

/* n blocks in a row; EFBIG when an image has no more. */
int erofs_out_alloc(struct erofs_out *o, uint64_t n, uint32_t *first, struct err *e);
/* What was never written reads as zeros. */
int erofs_out_write(struct erofs_out *o, uint64_t at, const void *p, size_t n, struct err *e);
int erofs_out_flush(struct erofs_out *o, struct err *e);

#endif
