/*
 * A byte buffer with a hard limit: it grows by need, never beyond `limit`, and says so by an error.
 *
 * Invariants: data[head..tail) is the content; cap >= tail; tail - head <= limit. When cap > 0,
 * data[tail] may be set to NUL by buf_str. Do not add knowledge about what the bytes mean.
 */
#ifndef CARREL_BASE_BUF_H
#define CARREL_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

struct err;

struct buf {
	uint8_t *data;
	size_t head, tail, cap;
	size_t limit;
};

#define BUF_LIMIT(n) ((struct buf){ .limit = (n) })
#define auto_buf     auto_cleanup(buf_fini)

void buf_fini(struct buf *b);  /* leaves an empty buffer with the same limit */
void buf_clear(struct buf *b); /* keeps the memory */

static inline size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}
static inline const uint8_t *buf_bytes(const struct buf *b)
{
	return b->data ? b->data + b->head : NULL;
}

/* Room for n more bytes at the end; the only place that allocates. ENOBUFS beyond the limit. */
int buf_reserve(struct buf *b, size_t n, struct err *e);

int buf_append(struct buf *b, const void *p, size_t n, struct err *e);
int buf_puts(struct buf *b, const char *s, struct err *e);
int buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void buf_consume(struct buf *b, size_t n); /* n <= buf_len */

/* The content as a C string (NUL after the last byte, not counted); "" when nothing was ever written. */
const char *buf_str(struct buf *b);

/* The content as a malloc'ed C string; the buffer is empty afterwards. */
char *buf_take_str(struct buf *b);

#endif
