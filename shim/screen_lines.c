#include "shim/screen_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/*
 * Lines hold no more cells than were ever written in them; most are short, and to erase one costs nothing, which bounds what
 * a program can make the model do with few bytes. What a wide character leaves when one of its two
 * cells goes is a blank, as in xterm.js: never half a character.
 */

enum { CELLS_STEP = 16 };

struct cell line_get(const struct line *l, int x)
{
	return x < l->n ? l->v[x] : l->rest;
}

bool line_room(struct screen *s, struct line *l, int n)
{
	size_t cap = (size_t) (n + CELLS_STEP - 1) / CELLS_STEP * CELLS_STEP;
	size_t more;
	struct cell *v;

	if (n <= l->n)
		return true;
	if (n > l->cap) {
		cap = MIN(MAX(cap, 2 * (size_t) l->cap), MAX(cap, (size_t) s->cols));
		more = (cap - l->cap) * sizeof(*v);
		if (s->cell_bytes + more > s->limits.cell_bytes)
			return false;
		v = realloc(l->v, cap * sizeof(*v));
		if (!v)
			return false;
		s->cell_bytes += more;
		l->v = v;
		l->cap = (uint16_t) cap;
	}
	for (int i = l->n; i < n; i++)
		l->v[i] = l->rest;
	l->n = (uint16_t) n;
	return true;
}

static bool same(const struct cell *a, const struct cell *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

void line_set(struct screen *s, struct line *l, int x, const struct cell *c)
{
	if (x < 0 || x >= s->cols || (x >= l->n && same(c, &l->rest)))
		return;
	if (line_room(s, l, x + 1))
		l->v[x] = *c;
}

void line_fill(struct screen *s, struct line *l, const struct cell *c, bool keep_protected)
{
	if (!keep_protected) {
		l->n = 0;
		l->rest = *c;
		return;
	}
	for (int x = s->cols - 1; x >= 0; x--)
		if (!(line_get(l, x).bg & BG_PROTECTED))
			line_set(s, l, x, c);
}

/* From x on to the end. */
static void erase_end(struct screen *s, struct line *l, int x, const struct cell *c)
{
	if (!same(c, &l->rest) && !line_room(s, l, x))
		return;
	l->n = (uint16_t) MIN((int) l->n, x);
	l->rest = *c;
}

static unsigned width_at(const struct line *l, int x)
{
	struct cell c = line_get(l, x);

	return cell_width(&c);
}

static void break_wide(struct screen *s, struct line *l, int x, const struct cell *c)
{
	struct cell half = *c;

	half.ch = CELL_WIDTH(1) | CELL_LINK(cell_link(c));
	line_set(s, l, x, &half);
}

void line_replace(struct screen *s, struct line *l, int from, int to, const struct cell *c,
		  bool keep_protected)
{
	if (from > 0 && width_at(l, from - 1) == 2 &&
	    !(keep_protected && line_get(l, from - 1).bg & BG_PROTECTED))
		break_wide(s, l, from - 1, c);
	if (to < s->cols && to > 0 && width_at(l, to - 1) == 2 &&
	    !(keep_protected && line_get(l, to).bg & BG_PROTECTED))
		break_wide(s, l, to, c);
	to = MIN(to, s->cols);
	if (!keep_protected && to == s->cols && from < to) {
		erase_end(s, l, from, c);
		return;
	}
	for (int x = to - 1; x >= from; x--)
		if (!keep_protected || !(line_get(l, x).bg & BG_PROTECTED))
			line_set(s, l, x, c);
}

void line_insert(struct screen *s, struct line *l, int x, int n, const struct cell *c)
{
	x %= s->cols;
	if (x > 0 && width_at(l, x - 1) == 2)
		break_wide(s, l, x - 1, c);
	n = MIN(n, s->cols - x);
	for (int i = MIN(s->cols, l->n + n) - 1; i >= x + n; i--) {
		struct cell moved = line_get(l, i - n);

		line_set(s, l, i, &moved);
	}
	for (int i = x; i < x + n; i++)
		line_set(s, l, i, c);
	if (width_at(l, s->cols - 1) == 2)
		break_wide(s, l, s->cols - 1, c);
}

void line_delete(struct screen *s, struct line *l, int x, int n, const struct cell *c)
{
	x %= s->cols;
	n = MIN(n, s->cols - x);
	for (int i = x; i < s->cols - n; i++) {
		struct cell moved = line_get(l, i + n);

		if (i >= l->n && same(&moved, &l->rest))
			break;
		line_set(s, l, i, &moved);
	}
	for (int i = s->cols - 1; i >= s->cols - n; i--)
		line_set(s, l, i, c);
	if (x > 0 && width_at(l, x - 1) == 2)
		break_wide(s, l, x - 1, c);
	if (width_at(l, x) == 0 && !(line_get(l, x).ch & CELL_CONTENT))
		break_wide(s, l, x, c);
}

void line_free(struct screen *s, struct line *l)
{
	s->cell_bytes -= l->cap * sizeof(*l->v);
	free(l->v);
	*l = LINE_NONE;
}

void line_width(struct screen *s, struct line *l, int cols)
{
	const struct cell blank = CELL_BLANK;
	struct cell *v;

	if (cols > s->cols && !same(&l->rest, &blank)) {
		(void) line_room(s, l, s->cols); /* else the colour is lost */
		l->rest = blank;
	}
	l->n = (uint16_t) MIN((int) l->n, cols);
	if (l->cap <= cols + CELLS_STEP)
		return;
	v = realloc(l->v, (size_t) cols * sizeof(*v));
	if (!v)
		return;
	s->cell_bytes -= (size_t) (l->cap - cols) * sizeof(*v);
	l->v = v;
	l->cap = (uint16_t) cols;
}

void grid_rotate_up(struct grid *g, int from, int to)
{
	struct line out = g->rows[from];

	memmove(g->rows + from, g->rows + from + 1, (size_t) (to - from) * sizeof(out));
	out.n = 0;
	out.wrapped = false;
	out.rest = CELL_BLANK;
	g->rows[to] = out;
}

void grid_rotate_down(struct grid *g, int from, int to)
{
	struct line out = g->rows[to];

	memmove(g->rows + from + 1, g->rows + from, (size_t) (to - from) * sizeof(out));
	out.n = 0;
	out.wrapped = false;
	out.rest = CELL_BLANK;
	g->rows[from] = out;
}

bool grid_open(struct screen *s, struct grid *g)
{
	if (g->rows)
		return true;
	g->rows = calloc((size_t) s->rows, sizeof(*g->rows));
	for (int y = 0; g->rows && y < s->rows; y++)
		g->rows[y].rest = CELL_BLANK;
	return g->rows != NULL;
}

void grid_close(struct screen *s, struct grid *g)
{
	for (int y = 0; g->rows && y < s->rows; y++)
		line_free(s, &g->rows[y]);
	free(g->rows);
	g->rows = NULL;
}

void grid_reset(struct screen *s, struct grid *g)
{
	g->x = g->y = g->top = 0;
	g->bottom = s->rows - 1;
	memset(g->tabs, 0, sizeof(g->tabs));
	tabs_default(s, g, 0);
}

bool tabs_get(const struct grid *g, int x)
{
	return x >= 0 && x < (int) sizeof(g->tabs) * 8 && g->tabs[x / 8] >> (x % 8) & 1;
}

void tabs_set(struct grid *g, int x, bool on)
{
	if (x < 0 || x >= (int) sizeof(g->tabs) * 8)
		return;
	g->tabs[x / 8] &= (uint8_t) ~(1U << (x % 8));
	g->tabs[x / 8] |= (uint8_t) (on << (x % 8));
}

void tabs_default(struct screen *s, struct grid *g, int from)
{
	int x = from;

	if (from > 0 && !tabs_get(g, from)) {
		do
			x--;
		while (x > 0 && !tabs_get(g, x));
		x = MIN(x, s->cols - 1);
	}
	for (; x < s->cols; x += 8)
		tabs_set(g, x, true);
}

int tabs_next(const struct screen *s, int x)
{
	do
		x++;
	while (x < s->cols && !tabs_get(s->at, x));
	return MIN(x, s->cols - 1);
}

int tabs_previous(const struct screen *s, int x)
{
	do
		x--;
	while (x > 0 && !tabs_get(s->at, x));
	return MAX(MIN(x, s->cols - 1), 0);
}
