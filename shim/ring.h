/*
 * The output history: a bounded ring of bytes, each with a 64-bit offset that never comes again.
 *
 * Bytes [oldest, next) are held; next - oldest <= size. Bytes are read from the terminal straight
 * into the ring and written to sockets straight from it: this is their only copy. A reader keeps an
 * offset of its own; when that has fallen below `oldest`, the bytes are lost to it and ring_cut says
 * where to go on. Do not add knowledge about readers.
 */
#ifndef CARREL_SHIM_RING_H
#define CARREL_SHIM_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct err;

/* Where bytes come from. A history has one offset for all of them; turns say which are whose. */
enum ring_stream { RING_OUTPUT = 1, RING_ERRORS };

enum {
	RING_TURNS = 2048, /* are remembered; the bytes before the oldest go with it */
	RING_TURNS_HELD =
		RING_TURNS - 16, /* a reader to be waited for is not to be further behind */
};

struct ring_turn {
	uint64_t from;
	enum ring_stream stream;
};

struct ring {
	uint8_t *data;
	size_t size;
	uint64_t oldest, next;
	bool more; /* comes within milliseconds: ring_whole may keep a character that has begun */
	struct ring_turn *turns; /* NULL: all is RING_OUTPUT */
	size_t first_turn, n_turns;
};

/* Memory comes page by page as it is first filled. */
int ring_init(struct ring *r, size_t size, struct err *e);
void ring_fini(struct ring *r);

/* Room for at most `want` bytes in one piece at *p (never 0 for want > 0): the oldest bytes in its way
 * are given up now. ring_commit then says how many were really written there. */
size_t ring_reserve(struct ring *r, size_t want, uint8_t **p);
void ring_commit(struct ring *r, size_t n);

/* What is committed from here on is of this stream. */
void ring_turn(struct ring *r, enum ring_stream stream);
/* How many of the n bytes from `from` on are of one stream, and of which. */
size_t ring_run(const struct ring *r, uint64_t from, size_t n, enum ring_stream *stream);
/* How often the stream changes behind `from`. */
size_t ring_turns(const struct ring *r, uint64_t from);

/* All of it, for another program (shim/handover.h). Restoring is ring_init with what was saved; size: what it must be. */
struct pack;
struct unpack;
void ring_save(const struct ring *r, struct pack *p);
int ring_restore(struct ring *r, size_t size, struct unpack *u);

/* Copies n bytes in, for tests and for what does not come from a descriptor. */
void ring_put(struct ring *r, const void *p, size_t n);

/* The n bytes from `from` on, oldest <= from and from + n <= next, in one or two pieces. Returns how
 * many. They are valid until the next ring_reserve. */
int ring_peek(const struct ring *r, uint64_t from, size_t n, struct iovec out[2]);

/* n, or up to 3 fewer where the last character goes on: in what is held, or in what comes soon (`more`). Never 0 for what is held whole.
 * xterm.js loses some characters that two messages share. */
size_t ring_whole(const struct ring *r, uint64_t from, size_t n);

/* The first offset >= from (and >= oldest) where a terminal can begin to read: after a line feed or at
 * an escape, so that no sequence is entered in its middle; where neither is near, at least not inside
 * a UTF-8 character. Offset 0 and `next` are such places. */
uint64_t ring_cut(const struct ring *r, uint64_t from);

#endif
