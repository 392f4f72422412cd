#include "shim/screen_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/*
 * The record's head stands before its text and after it, so that the ring can be read from both ends. Memory comes with
 * the first line and grows by doubling, up to the limit.
 */

enum { LEAST_BYTES = 1024, SCRATCH_KEPT = 4096 };

static void copy_in(struct scrollback *b, size_t at, const void *p, size_t n)
{
	size_t first;

	at %= b->size;
	first = MIN(n, b->size - at);
	if (n == 0) /* p may be nothing */
		return;
	memcpy(b->data + at, p, first);
	memcpy(b->data, (const uint8_t *) p + first, n - first);
}

static void copy_out(const struct scrollback *b, size_t at, void *p, size_t n)
{
	size_t first;

	at %= b->size;
	first = MIN(n, b->size - at);
	memcpy(p, b->data + at, first);
	memcpy((uint8_t *) p + first, b->data, n - first);
}

static size_t length(const struct record *r)
{
	return 2 * sizeof(*r) + r->n;
}

static void drop_oldest(struct scrollback *b)
{
	struct record r;

	copy_out(b, b->head, &r, sizeof(r));
	b->head = (b->head + length(&r)) % b->size;
	b->used -= length(&r);
}

static bool grow(struct screen *s, size_t need)
{
	struct scrollback *b = &s->scrollback;
	size_t size = MAX(b->size, (size_t) LEAST_BYTES);
	uint8_t *data;

	while (size < need && size < s->limits.scrollback_bytes)
		size *= 2;
	size = MIN(size, s->limits.scrollback_bytes);
	if (size <= b->size)
		return b->size > 0;
	data = malloc(size);
	if (!data)
		return b->size > 0;
	if (b->used > 0)
		copy_out(b, b->head, data, b->used);
	free(b->data);
	*b = (struct scrollback){ .data = data, .size = size, .used = b->used };
	return true;
}

struct buf *back_scratch(struct screen *s)
{
	if (s->scratch.cap > SCRATCH_KEPT)
		buf_fini(&s->scratch);
	s->scratch.limit = UINT16_MAX;
	buf_clear(&s->scratch);
	return &s->scratch;
}

void back_push(struct screen *s, const struct record *r, const void *text)
{
	struct scrollback *b = &s->scrollback;

	if (length(r) > s->limits.scrollback_bytes) {
		back_clear(
			s); /* what stood above it would seem to stand right above what follows */
		return;
	}
	if (b->used + length(r) > b->size && !grow(s, b->used + length(r)))
		return;
	if (length(r) > b->size)
		return;
	while (b->used + length(r) > b->size)
		drop_oldest(b);
	copy_in(b, b->head + b->used, r, sizeof(*r));
	copy_in(b, b->head + b->used + sizeof(*r), text, r->n);
	copy_in(b, b->head + b->used + sizeof(*r) + r->n, r, sizeof(*r));
	b->used += length(r);
}

bool back_next(const struct screen *s, size_t *at, struct record *r, const uint8_t *piece[2],
	       size_t n[2])
{
	const struct scrollback *b = &s->scrollback;
	size_t from;

	if (*at >= b->used)
		return false;
	copy_out(b, b->head + *at, r, sizeof(*r));
	from = (b->head + *at + sizeof(*r)) % b->size;
	n[0] = MIN((size_t) r->n, b->size - from);
	n[1] = r->n - n[0];
	piece[0] = b->data + from;
	piece[1] = b->data;
	*at += length(r);
	return true;
}

size_t back_newest(const struct screen *s, size_t n)
{
	const struct scrollback *b = &s->scrollback;
	size_t at = b->used;
	struct record r;

	for (; n > 0 && at > 0; n--) {
		copy_out(b, b->head + at - sizeof(r), &r, sizeof(r));
		at -= length(&r);
	}
	return at;
}

void back_cut(struct screen *s, size_t at)
{
	s->scrollback.used = at;
}

void back_clear(struct screen *s)
{
	s->scrollback.head = s->scrollback.used = 0;
}
