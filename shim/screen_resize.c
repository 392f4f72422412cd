#include "shim/screen_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/*
 * As xterm.js does it: fewer rows take empty ones below the cursor first, then push the top away; more rows bring lines
 * back from above when the cursor stands at the bottom. On the main screen, with what has scrolled away, long lines are
 * broken anew when the number of columns changes (screen_reflow.c); on the alternate one columns are cut off or added. For that
 * time a screen and what is above it are one list.
 */

void page_room(struct page *p, int n)
{
	int cap = MAX(p->n + n, 2 * p->cap);
	struct line *v;

	if (p->n + n <= p->cap)
		return;
	v = realloc(p->v, (size_t) cap * sizeof(*v));
	if (!v) /* nothing good can come */
		abort();
	for (int i = p->n; i < cap; i++)
		v[i] = LINE_NONE;
	p->v = v;
	p->cap = cap;
}

/* ---- what has scrolled away, as lines ---- */

/* What printing is done with. */
struct place {
	struct grid *at;
	int rows;
	uint32_t modes;
	struct pen pen;
	enum charset charset;
	uint8_t join;
	bool in_text, keep_words;
};

static struct place place_of(const struct screen *s)
{
	return (struct place){ .at = s->at,
			       .rows = s->rows,
			       .modes = s->modes,
			       .pen = s->pen,
			       .charset = s->charset,
			       .join = s->join,
			       .in_text = s->in_text };
}

static void go_to(struct screen *s, const struct place *p)
{
	s->at = p->at;
	s->rows = p->rows;
	s->modes = p->modes;
	s->pen = p->pen;
	s->charset = p->charset;
	s->join = p->join;
	s->in_text = p->in_text;
	s->keep_words = p->keep_words;
}

/* Draws a record into blank rows by the same calls that made it. Returns how many it took. */
static int draw_record(struct screen *s, struct line *rows, int n_rows,
		       const uint8_t *const piece[2], const size_t n[2])
{
	struct grid g = { .rows = rows, .bottom = n_rows - 1 };
	/* A walk over the cells does not see these. */
	const struct place there = {
		.at = &g, .rows = n_rows, .modes = MODE_WRAP, .keep_words = true
	};
	struct place here = place_of(s);
	struct vt plain = { 0 };

	go_to(s, &there);
	tabs_default(s, &g, 0);
	for (int i = 0; i < 2; i++)
		vt_feed(&plain, piece[i], n[i], &screen_calls, s);
	go_to(s, &here);
	return g.y + 1;
}

/* What a wide character left empty at the end of the line above has its colours; the record says only that it did. */
static void fill_column(struct screen *s, struct line *above, const struct line *l)
{
	struct cell c = line_get(l, 0);

	c.ch = CELL_WIDTH(1) | CELL_LINK(cell_link(&c));
	line_set(s, above, s->cols - 1, &c);
}

/* The newest records, at least `most` lines where there are so many, taken out. */
static void unroll(struct screen *s, struct page *p, size_t most)
{
	size_t from = back_newest(s, most), at = from, n[2];
	enum line_end end = LINE_SHORT;
	const uint8_t *piece[2];
	struct record r;

	clusters_collect(s);
	while (back_next(s, &at, &r, piece, n)) {
		/* A row holds all columns but one at least, a column takes a byte at least. */
		int room = r.n / (s->cols - 1) + 2;

		page_room(p, room + 1);
		room = draw_record(s, p->v + p->n, room, piece, n);
		p->v[p->n].wrapped = r.flags & RECORD_WRAPPED;
		if (p->n > 0 && line_joins(end, &p->v[p->n]) && end == LINE_FULL_BUT_ONE)
			fill_column(s, &p->v[p->n - 1], &p->v[p->n]);
		p->n += room;
		end = r.end;
	}
	if (p->n > 0 && end == LINE_FULL_BUT_ONE && line_joins(end, &s->main.rows[0]))
		fill_column(s, &p->v[p->n - 1], &s->main.rows[0]);
	back_cut(s, from);
}

static void page_open(struct screen *s, struct page *p, struct grid *g, size_t most)
{
	*p = (struct page){ 0 };
	if (g == &s->main)
		unroll(s, p, most);
	p->base = p->n;
	p->saved_y = p->base + g->saved.y;
	if (g == &s->main)
		p->lost = (int) MIN(MAX(s->scrolled - p->base, 0), INT32_MAX / 4);
	page_room(p, s->rows);
	memcpy(p->v + p->n, g->rows, (size_t) s->rows * sizeof(*p->v));
	p->n += s->rows;
	free(g->rows);
	g->rows = NULL;
}

/* Back to a screen of so many rows; s->cols and s->rows are the old ones. */
static void page_close(struct screen *s, struct page *p, struct grid *g, int cols, int rows)
{
	int was = s->cols;

	g->rows = calloc((size_t) rows, sizeof(*g->rows));
	if (!g->rows)
		abort();
	for (int i = 0; i < p->n; i++)
		line_width(s, &p->v[i], cols);
	s->cols = cols;
	for (int i = 0; i < MIN(p->base, p->n) && g == &s->main; i++)
		back_push_line(s, &p->v[i], i + 1 < p->n ? &p->v[i + 1] : NULL);
	s->cols = was;
	for (int y = 0; y < rows; y++) {
		int i = p->base + y;

		g->rows[y] = LINE_NONE;
		if (i < 0 || i >= p->n)
			continue;
		g->rows[y] = p->v[i];
		p->v[i] = LINE_NONE;
	}
	for (int i = 0; i < p->n; i++)
		line_free(s, &p->v[i]);
	free(p->v);
	g->saved.y = p->saved_y - p->base;
	if (g == &s->main)
		s->scrolled = (int64_t) p->lost + p->base;
	else
		g->saved.y = MAX(g->saved.y, 0);
}

/* ---- the size ---- */

/* Returns how many lines came back from above. */
static int more_rows(const struct screen *s, struct page *p, const struct grid *g, int rows)
{
	int down = 0;

	for (int y = s->rows; y < rows; y++) {
		if (p->n >= rows + p->base)
			continue;
		if (p->base > -p->lost && p->n <= p->base + g->y + down + 1) {
			p->base--;
			down++;
		} else {
			page_room(p, 1);
			p->v[p->n++] = LINE_NONE;
		}
	}
	return down;
}

static void fewer_rows(struct screen *s, struct page *p, const struct grid *g, int rows)
{
	for (int y = s->rows; y > rows; y--) {
		if (p->n <= rows + p->base)
			continue;
		if (p->n > p->base + g->y + 1)
			line_free(s, &p->v[--p->n]);
		else
			p->base++;
	}
}

static void resize_grid(struct screen *s, struct grid *g, int cols, int rows)
{
	struct page p;
	int down;

	g->bottom = rows - 1;
	if (!g->rows)
		return;
	page_open(s, &p, g, cols != s->cols ? SIZE_MAX : (size_t) MAX(rows - s->rows, 0));
	if (cols > s->cols)
		for (int i = 0; i < p.n; i++)
			line_width(s, &p.v[i], cols);
	down = more_rows(s, &p, g, rows);
	fewer_rows(s, &p, g, rows);
	g->x = MIN(g->x, cols - 1);
	g->y = MIN(g->y, rows - 1) + down;
	g->saved.x = MIN(g->saved.x, cols - 1);
	g->top = 0;
	if (g == &s->main)
		page_reflow(s, &p, cols, rows);
	page_close(s, &p, g, cols, rows);
}

void screen_resize(struct screen *s, unsigned cols, unsigned rows)
{
	int c = (int) MIN(MAX(cols, 2U), (unsigned) SCREEN_MAX_SIZE);
	int r = (int) MIN(MAX(rows, 1U), (unsigned) SCREEN_MAX_SIZE);

	if (c == s->cols && r == s->rows)
		return;
	s->in_text = false; /* another character may stand before the cursor now */
	resize_grid(s, &s->main, c, r);
	resize_grid(s, &s->alt, c, r);
	s->cols = c;
	s->rows = r;
	tabs_default(s, &s->main, c);
	tabs_default(s, &s->alt, c);
}
