/*
 * What a terminal shows after the output so far, and the bytes that bring another terminal to the same.
 *
 * A model of the client: it does what xterm.js does with the same bytes, as far as that can be seen later: both screens
 * with every cell's character, width, colours and attributes, wrapped lines, cursor and saved cursors, scroll regions, tab stops,
 * character sets, modes, title, palette, links, and what has scrolled away up to a limit. It answers nothing. It has no
 * descriptor and knows no offsets.
 *
 * Memory is bounded by struct screen_limits, whatever the output: characters for which there is no room any more are
 * left out (blank), the oldest lines are forgotten first.
 */
#ifndef CARREL_SHIM_SCREEN_H
#define CARREL_SHIM_SCREEN_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct screen;

struct screen_limits {
	size_t cell_bytes;	 /* of both screens; a full 80 by 24 screen takes 30 KiB */
	size_t scrollback_bytes; /* of lines that have scrolled away, as text */
};

/* The defaults of a shim. */
#define SCREEN_LIMITS                                                                          \
	((struct screen_limits){ .cell_bytes = 4 << 20, .scrollback_bytes = 16384 })

/* NULL only when memory is gone. */
struct screen *screen_new(unsigned cols, unsigned rows, const struct screen_limits *limits);
void screen_free(struct screen *s);

/* However the output is cut into calls, the result is the same. */
void screen_feed(struct screen *s, const void *p, size_t n);

/* The same result, quicker for long plain text (lines of a log): what scrolls away is not drawn first. */
void screen_feed_bulk(struct screen *s, const void *p, size_t n);

void screen_resize(struct screen *s, unsigned cols, unsigned rows);

/* How many bytes of an unfinished UTF-8 character were fed last (0 to 3). The snapshot is of the moment before them. */
size_t screen_partial(const struct screen *s);

/* Appends the bytes that make a terminal of this size, whatever it is in the middle of, show this screen, and go on as
 * this one does. ENOBUFS when out's limit is too small; then out holds what it held. */
int screen_snapshot(const struct screen *s, struct buf *out, struct err *e);

/* For another program (shim/handover.h), each state of it. NULL: no memory, or *u says why. */
struct pack;
struct unpack;
void screen_save(const struct screen *s, struct pack *p);
struct screen *screen_restore(const struct screen_limits *limits, struct unpack *u);

/* Bytes of memory that the model holds now. */
size_t screen_memory(const struct screen *s);

#endif
