#include "shim/scan/cells.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"

enum { RAW_LIMIT = 1 << 20, FIRST_CELLS = 512, FIRST_TURNS = 64 };

void cells_init(struct cells *c, size_t keep)
{
	*c = (struct cells){ .raw = BUF_LIMIT(RAW_LIMIT), .keep = keep };
}

void cells_fini(struct cells *c)
{
	buf_fini(&c->raw);
	free(c->v);
	free(c->text);
	free(c->turns);
	*c = (struct cells){ 0 };
}

static void *grow(void *old, size_t used, size_t size)
{
	void *p = xalloc(size);

	if (used)
		memcpy(p, old, used);
	free(old);
	return p;
}

int cells_append_raw(struct cells *c, const uint8_t *p, size_t n, struct err *e)
{
	return buf_append(&c->raw, p, n, e);
}

uint64_t cells_raw_end(const struct cells *c)
{
	return c->raw_from + buf_len(&c->raw);
}

static void room_for_cell(struct cells *c)
{
	if (c->n < c->cap)
		return;
	if (c->first >= c->cap / 2 && c->first > 0) {
		memmove(c->v, c->v + c->first, (c->n - c->first) * sizeof(*c->v));
		c->n -= c->first;
		c->first = 0;
		return;
	}
	c->cap = c->cap ? 2 * c->cap : FIRST_CELLS;
	c->v = grow(c->v, c->n * sizeof(*c->v), c->cap * sizeof(*c->v));
}

static size_t find_turn(const struct cells *c, uint64_t at)
{
	size_t low = 0, high = c->n_turns;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->turns[mid].text <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? low - 1 : 0;
}

static void add_turn(struct cells *c, uint64_t ahead)
{
	if (c->n_turns > 0 && c->turns[c->n_turns - 1].ahead == ahead)
		return;
	if (c->n_turns == c->cap_turns) {
		c->cap_turns = c->cap_turns ? 2 * c->cap_turns : FIRST_TURNS;
		c->turns = grow(c->turns, c->n_turns * sizeof(*c->turns),
				c->cap_turns * sizeof(*c->turns));
	}
	c->turns[c->n_turns++] = (struct cells_turn){ .text = c->end, .ahead = ahead };
}

uint64_t cells_offset(const struct cells *c, uint64_t at)
{
	return c->n_turns ? at + c->turns[find_turn(c, at)].ahead : at;
}

static void forget_turns(struct cells *c)
{
	size_t n = find_turn(c, c->from);

	if (n == 0)
		return;
	memmove(c->turns, c->turns + n, (c->n_turns - n) * sizeof(*c->turns));
	c->n_turns -= n;
}

/* The text's memory holds twice what is kept, so that it is moved rarely. */
static void room_for_text(struct cells *c, size_t n)
{
	size_t used = (size_t) (c->end - c->from), keep;

	if (used + n <= c->cap_text)
		return;
	keep = (size_t) (c->end - MIN(c->end, cells_unshown(c)));
	keep = MIN(MAX(keep, c->keep), used);
	if (keep)
		memmove(c->text, c->text + used - keep, keep);
	c->from = c->end - keep;
	forget_turns(c);
	if (keep + n > c->cap_text / 2) {
		c->cap_text = 2 * MAX(keep + n, c->keep);
		c->text = grow(c->text, keep, c->cap_text);
	}
}

void cells_add(struct cells *c, const struct cell *cell, const uint8_t *text)
{
	room_for_cell(c);
	room_for_text(c, cell->n_text);
	add_turn(c, cell->raw - c->end);
	c->v[c->n] = *cell;
	c->v[c->n++].text = c->end;
	if (cell->n_text) /* else there may be no memory for text yet */
		memcpy(c->text + (c->end - c->from), text, cell->n_text);
	c->end += cell->n_text;
}

bool cells_erase(struct cells *c)
{
	size_t n = 1;

	if (c->end == c->from)
		return false;
	while (c->end - n > c->from && (*cells_text(c, c->end - n) & 0xc0) == 0x80)
		n++;
	if (*cells_text(c, c->end - n) == '\n')
		return false;
	c->end -= n;
	while (c->n_turns > 0 && c->turns[c->n_turns - 1].text >= c->end)
		c->n_turns--;
	for (size_t i = c->n; i > c->first && c->v[i - 1].text >= c->end; i--) {
		c->v[i - 1].flags |= CELL_GONE | CELL_MASKED;
		c->v[i - 1].text = c->end;
		c->v[i - 1].n_text = 0;
	}
	return true;
}

const uint8_t *cells_text(const struct cells *c, uint64_t at)
{
	return c->text + (at - c->from);
}

size_t cells_find(const struct cells *c, uint64_t at)
{
	size_t low = c->first, high = c->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->v[mid].text < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint64_t cells_unshown(const struct cells *c)
{
	return c->first < c->n ? c->v[c->first].text : c->end;
}

uint32_t cells_count(const struct cells *c, uint64_t from, uint64_t to)
{
	uint32_t n = 0;

	for (uint64_t at = MAX(from, c->from); at < to; at++) {
		uint8_t b = *cells_text(c, at);

		n += (b & 0xc0) != 0x80 && b != '\n' && b != '\t';
	}
	return n;
}

static int put_raw(struct cells *c, uint64_t to, struct buf *out, struct err *e)
{
	size_t n = to > c->raw_from ? (size_t) (to - c->raw_from) : 0;

	if (n == 0)
		return 0;
	if (buf_append(out, buf_bytes(&c->raw), n, e) < 0)
		return -1;
	buf_consume(&c->raw, n);
	c->raw_from = to;
	return 0;
}

/* What stands in the place of a marked character. */
static int put_marked(const struct cell *cell, cells_notice_fn notice, void *arg,
		      struct buf *out, struct err *e)
{
	if (cell->flags & CELL_NOTICE && notice(arg, cell->rule, out, e) < 0)
		return -1;
	return cell->flags & CELL_DROPPED ? 0 : buf_append(out, "**", cell->width, e);
}

void cells_forget(struct cells *c)
{
	c->from = c->end;
	forget_turns(c);
}

/* Which has the first cell that has not gone out and begins before `to`; n: none has. */
static size_t next_of(struct cells *const *all, size_t n, uint64_t to)
{
	size_t found = n;

	for (size_t i = 0; i < n; i++) {
		const struct cells *c = all[i];

		if (c->first == c->n || c->v[c->first].raw >= to)
			continue;
		if (found == n || c->v[c->first].raw <= all[found]->v[all[found]->first].raw)
			found = i;
	}
	return found;
}

int cells_release(struct cells *const *all, size_t n, uint64_t raw_to, cells_notice_fn notice,
		  void *arg, struct buf *out, struct err *e)
{
	struct cells *bytes = all[0];
	size_t i;

	while ((i = next_of(all, n, raw_to)) < n) {
		const struct cell *cell = &all[i]->v[all[i]->first++];
		uint64_t end = cell->raw + cell->n_raw;

		/* Its bytes may have gone with a cell of another one, or some of them before it was whole. */
		if (!(cell->flags & (CELL_MASKED | CELL_DROPPED)) || end <= bytes->raw_from)
			continue;
		if (cell->raw >= bytes->raw_from && (put_raw(bytes, cell->raw, out, e) < 0 ||
						     put_marked(cell, notice, arg, out, e) < 0))
			return -1;
		buf_consume(&bytes->raw, (size_t) (end - bytes->raw_from));
		bytes->raw_from = end;
	}
	for (i = 0; i < n; i++)
		if (all[i]->first == all[i]->n)
			all[i]->first = all[i]->n = 0;
	return put_raw(bytes, raw_to, out, e);
}
