/*
 * Bytes from one process to another through memory that both see: a few slots, filled and emptied in turn.
 *
 * The writer maps the memory to write, the reader maps it to read only. Which slots are full and which are empty
 * is said over a socket pair, four bytes a slot, so either side can be waited for by poll, and either
 * side's death is seen. The reader believes no length that is longer than a slot.
 *
 * What stands in a slot may change while it is read if the writer is hostile: a reader that checks something copies first.
 */
#ifndef CARREL_IMAGES_RING_H
#define CARREL_IMAGES_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

struct err;

enum { RING_SLOT = 256 * 1024, RING_SLOTS = 4 };

/* What both sides are made from: each takes its socket, and the memory by either descriptor. */
struct ring_parts {
	int write_fd, read_fd; /* the memory; read_fd cannot be mapped writable */
	int writer_sock, reader_sock;
};
#define RING_PARTS_NONE                                                                        \
	((struct ring_parts){                                                                  \
		.write_fd = -1, .read_fd = -1, .writer_sock = -1, .reader_sock = -1 })
#define auto_ring_parts auto_cleanup(ring_parts_fini)

int ring_make(struct ring_parts *out, struct err *e);
void ring_parts_fini(struct ring_parts *p);

/* One side. */
struct ring {
	uint8_t *mem;
	int sock; /* borrowed */
	bool writer;
	unsigned at;	/* the slot that is next */
	unsigned empty; /* writer: slots that may be filled */
	size_t taken;	/* reader: bytes of the slot it looks at; 0: none */
};
#define RING_NONE ((struct ring){ .sock = -1 })

/* The memory is not inherited by children: each maps it for itself. */
int ring_open(struct ring *r, bool writer, int mem_fd, int sock, struct err *e);
void ring_fini(struct ring *r);

/* The next empty slot, RING_SLOT bytes. Blocks for one if there is none; EPIPE when the reader is gone. */
uint8_t *ring_room(struct ring *r, struct err *e);
/* That slot has n bytes now, 1 to RING_SLOT. */
int ring_post(struct ring *r, size_t n, struct err *e);
/* The reader has given a slot back: its socket is readable. 0, or EPIPE when it is gone. */
int ring_credit(struct ring *r, struct err *e);

/* The next full slot: its bytes, 0 when the writer has closed. Blocks. It stays until ring_release. */
ssize_t ring_take(struct ring *r, const uint8_t **p, struct err *e);
int ring_release(struct ring *r, struct err *e);

#endif
