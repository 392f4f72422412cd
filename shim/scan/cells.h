/*
 * The bytes of a stream that have not gone out yet, and the text behind and among them: which character stands in which
 * bytes, and what is to become of it.
 *
 * Text has positions that count its bytes from the stream's beginning; a position comes again only for a character that
 * was taken back. The last `keep` bytes of text stay, for matches that began before.
 */
#ifndef CARREL_SHIM_SCAN_CELLS_H
#define CARREL_SHIM_SCAN_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct err;

enum cell_flag {
	CELL_MASKED = 1 << 0,
	CELL_DROPPED = 1 << 1,
	CELL_NOTICE = 1 << 2, /* in its place stands that it was blocked */
	CELL_GONE = 1 << 3,   /* taken back: in the text no more, and marked for good */
};

struct cell {
	uint64_t raw, text; /* offset of its first byte; its position */
	uint16_t rule;	    /* of a notice */
	uint8_t n_raw, n_text, width, flags;
};

/* From this position on a character stands so far behind its position. */
struct cells_turn {
	uint64_t text, ahead;
};

struct cells {
	struct buf raw; /* not gone out yet */
	uint64_t raw_from;
	struct cell *v; /* ring-less: v[first, n) are of these bytes */
	size_t first, n, cap;
	uint8_t *text; /* [from, end) */
	size_t cap_text, keep;
	uint64_t from, end;
	struct cells_turn *turns; /* of the text that is kept */
	size_t n_turns, cap_turns;
};

void cells_init(struct cells *c, size_t keep);
void cells_fini(struct cells *c);

int cells_append_raw(struct cells *c, const uint8_t *p, size_t n, struct err *e);
uint64_t cells_raw_end(const struct cells *c);
void cells_add(struct cells *c, const struct cell *cell, const uint8_t *text);
/* Takes the last character of the line back; false: the line is empty. Where it has not gone out it was held back, since it may
 * have been part of a match: it is masked, whatever comes in its place. */
bool cells_erase(struct cells *c);

const uint8_t *cells_text(const struct cells *c, uint64_t at);
/* Index of the first cell at or behind this position. */
size_t cells_find(const struct cells *c, uint64_t at);
/* Position of the first character that has not gone out; `end` when all have. */
uint64_t cells_unshown(const struct cells *c);
/* Offset of the first byte of the character at a position, gone out or not. */
uint64_t cells_offset(const struct cells *c, uint64_t at);
/* Characters in [from, to), but for line feeds and tabs. */
uint32_t cells_count(const struct cells *c, uint64_t from, uint64_t to);

/* Forgets the text, so that what comes next has nothing before it. Cells that have not gone out stay. */
void cells_forget(struct cells *c);

typedef int (*cells_notice_fn)(void *arg, uint16_t rule, struct buf *out, struct err *e);
/* Appends what stands before this offset, as it is marked in any of n; the bytes are the first one's. Where two have a byte the
 * later one in the list has its way. */
int cells_release(struct cells *const *all, size_t n, uint64_t raw_to, cells_notice_fn notice,
		  void *arg, struct buf *out, struct err *e);

#endif
