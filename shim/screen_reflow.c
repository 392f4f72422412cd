#include "shim/screen_model.h"

#include <stdlib.h>

#include "base/util.h"

/*
 * Long lines broken anew at another number of columns, as xterm.js does it with its normal buffer: lines that a wrap has
 * made one are one text, of which every line but the last counts to its last column, filled or not. The lines with the cursor
 * are left alone, since the program will draw them again. What is drawn wrong there is drawn wrong here.
 */

/* A cell that is there once something was printed, a space too. */
static int trimmed(const struct screen *s, const struct line *l)
{
	int x = l->rest.ch & CELL_CONTENT ? s->cols : MIN((int) l->n, s->cols);
	struct cell c;

	for (; x > 0; x--) {
		c = line_get(l, x - 1);
		if (c.ch & CELL_CONTENT)
			return x - 1 + (int) cell_width(&c);
	}
	return 0;
}

/* Lines that wraps have made one; v[0] is the first. */
struct text {
	const struct screen *s;
	struct line *v;
	int n, cols; /* as they are, before the change */
};

static unsigned width_at(const struct line *l, int x)
{
	struct cell c = line_get(l, x);

	return cell_width(&c);
}

/* A wide character that found one column left it empty: that column is none of the text. */
static int length(const struct text *t, int i)
{
	struct cell last;

	if (i == t->n - 1)
		return trimmed(t->s, &t->v[i]);
	last = line_get(&t->v[i], t->cols - 1);
	if (!(last.ch & CELL_CONTENT) && cell_width(&last) == 1 &&
	    width_at(&t->v[i + 1], 0) == 2)
		return t->cols - 1;
	return t->cols;
}

/* ---- fewer columns ---- */

/* Where the next line ends; begins zeroed, with the cells that there are in all. */
struct cut {
	int line, col, left;
};

/* The length of the next line; 0: there is none. */
static int next_line(const struct text *t, struct cut *c, int cols)
{
	int old, n = MIN(c->left, cols);

	if (n == cols) {
		old = length(t, c->line);
		c->col += cols;
		if (c->col > old && c->line < t->n - 1) {
			c->col -= old;
			c->line++;
		}
		if (width_at(&t->v[c->line], c->col - 1) == 2) {
			c->col--;
			n--;
		}
	}
	c->left -= n;
	return n;
}

static int all_cells(const struct text *t)
{
	int n = 0;

	for (int i = 0; i < t->n; i++)
		n += length(t, i);
	return n;
}

static int count_lines(const struct text *t, int cols)
{
	struct cut c = { .left = all_cells(t) };
	int n = 0;

	while (next_line(t, &c, cols) > 0)
		n++;
	return n;
}

/* The next n cells of a text, from (*line, *x) on. */
static void take_cells(struct screen *s, const struct text *t, int *line, int *x, int n,
		       struct line *to)
{
	for (int i = 0; i < n; i++) {
		struct cell c;

		while (*line < t->n - 1 && *x >= length(t, *line)) {
			++*line;
			*x = 0;
		}
		c = line_get(&t->v[*line], (*x)++);
		line_set(s, to, i, &c);
	}
}

/* A last line that has not moved keeps what was erased behind its text. */
static void keep_tail(struct screen *s, const struct line *old, int from, struct line *to)
{
	struct cell c;

	if (!line_room(s, to, from))
		return;
	to->rest = old->rest;
	for (int x = from; x < old->n; x++) {
		c = line_get(old, x);
		line_set(s, to, x, &c);
	}
}

/* The text in n lines of its own. */
static void break_text(struct screen *s, const struct text *t, struct line *to, int n, int cols)
{
	const struct cell blank = CELL_BLANK;
	struct cut c = { .left = all_cells(t) };
	int line = 0, x = 0;

	for (int i = 0; i < n; i++) {
		int len = next_line(t, &c, cols);

		to[i] = LINE_NONE;
		to[i].wrapped = i > 0 || t->v[0].wrapped;
		take_cells(s, t, &line, &x, len, &to[i]);
		if (i == n - 1 && n == t->n)
			keep_tail(s, &t->v[i], len, &to[i]);
		if (len < cols)
			line_set(s, &to[i], len, &blank);
	}
}

/* So many lines more above the screen's last one; where nothing has scrolled away yet, empty ones below the cursor go first. */
static void push_down(struct page *p, struct grid *g, int rows, int n)
{
	for (; n > 0; n--) {
		if (p->base > -p->lost || g->y >= rows - 1)
			p->base++;
		else {
			g->y++;
			p->n--;
		}
	}
}

static void narrow_text(struct screen *s, struct page *p, int first, int last, int cols,
			int rows)
{
	struct text t = { .s = s, .v = p->v + first, .n = last - first + 1, .cols = s->cols };
	int n = count_lines(&t, cols), more = n - t.n;
	struct line *v;

	if (more >= 0) {
		v = calloc((size_t) n, sizeof(*v));
		if (!v)
			abort();
		break_text(s, &t, v, n, cols);
		for (int i = 0; i < t.n; i++) {
			line_free(s, &t.v[i]);
			t.v[i] = v[i];
		}
		p->more[last] = (struct more){ .v = v, .from = t.n, .to = n };
		push_down(p, &s->main, rows, more);
	}
	p->saved_y = MIN(p->saved_y + more, p->base + rows - 1);
}

/* From the bottom up, since what grows pushes up what is above it. Lines that fall out below the cursor on the way are still broken. */
static void narrow(struct screen *s, struct page *p, int cols, int rows)
{
	for (int y = p->n - 1, first; y >= 0; y = first - 1) {
		int cursor = p->base + s->main.y;

		first = y;
		if (!p->v[y].wrapped && trimmed(s, &p->v[y]) <= cols)
			continue;
		while (p->v[first].wrapped && first > 0)
			first--;
		if (cursor < first || cursor > y)
			narrow_text(s, p, first, y, cols, rows);
	}
}

/* The lines that came about stand behind those that they came from. */
static void insert_more(struct screen *s, struct page *p, int n_before)
{
	struct page q = *p;

	q.v = NULL;
	q.n = q.cap = 0;
	for (int i = 0; i < n_before; i++) {
		struct more *m = &p->more[i];

		page_room(&q, 1 + m->to - m->from);
		if (i < p->n)
			q.v[q.n++] = p->v[i];
		else
			line_free(s, &p->v[i]);
		for (int k = m->from; k < m->to; k++)
			q.v[q.n++] = m->v[k];
		free(m->v);
	}
	free(p->v);
	*p = q;
}

/* ---- more columns ---- */

static void copy_cells(struct screen *s, const struct line *from, int x, struct line *to,
		       int to_x, int n)
{
	for (int i = 0; i < n; i++) {
		struct cell c = line_get(from, x + i);

		line_set(s, to, to_x + i, &c);
	}
}

/* Half of a wide character does not stand in the last column. */
static int move_wide(struct screen *s, struct line *above, struct line *to, int cols)
{
	const struct cell blank = CELL_BLANK;

	if (width_at(above, cols - 1) != 2)
		return 0;
	copy_cells(s, above, cols - 1, to, 0, 1);
	line_set(s, above, cols - 1, &blank);
	return 1;
}

/* Drawn together within its own lines. Returns how many of them it does not need any more. */
static int join_text(struct screen *s, const struct text *t, int cols)
{
	const struct cell blank = CELL_BLANK;
	int to = 0, to_x = length(t, 0), from = 1, x = 0, unused = 0;

	while (from < t->n) {
		int end = length(t, from), n = MIN(end - x, cols - to_x);

		copy_cells(s, &t->v[from], x, &t->v[to], to_x, n);
		to_x += n;
		if (to_x == cols) {
			to++;
			to_x = 0;
		}
		x += n;
		if (x == end) {
			from++;
			x = 0;
		}
		if (to_x == 0 && to > 0)
			to_x = move_wide(s, &t->v[to - 1], &t->v[to], cols);
	}
	line_replace(s, &t->v[to], to_x, cols, &blank, false);
	for (int i = t->n - 1; i > 0 && (i > to || trimmed(s, &t->v[i]) == 0); i--)
		unused++;
	return unused;
}

/* So many lines fewer: what has scrolled away comes back. */
static void pull_down(struct page *p, struct grid *g, int rows, int n)
{
	p->saved_y = MAX(p->saved_y - n, -p->lost);
	for (; n > 0; n--) {
		if (p->base > -p->lost) {
			p->base--;
			continue;
		}
		g->y = MAX(g->y - 1, 0);
		if (p->n < rows) {
			page_room(p, 1);
			p->v[p->n++] = LINE_NONE;
		}
	}
}

/* s->cols is the new number, from the old one. */
static void widen(struct screen *s, struct page *p, int from, int rows)
{
	int cursor = p->base + s->main.y, kept = 0, unused = 0, y = 0;

	while (y < p->n) {
		int end = y + 1, n = 0;

		while (end < p->n && p->v[end].wrapped)
			end++;
		struct text t = { .s = s, .v = p->v + y, .n = end - y, .cols = from };
		if (t.n > 1 && (cursor < y || cursor >= end))
			n = join_text(s, &t, s->cols);
		for (; y < end - n; y++)
			p->v[kept++] = p->v[y];
		for (; y < end; y++)
			line_free(s, &p->v[y]);
		unused += n;
	}
	p->n = kept;
	pull_down(p, &s->main, rows, unused);
}

void page_reflow(struct screen *s, struct page *p, int cols, int rows)
{
	int n = p->n, before = s->cols;

	if (cols > before) {
		s->cols = cols;
		widen(s, p, before, rows);
		s->cols = before;
	} else if (cols < before) {
		p->more = calloc((size_t) n, sizeof(*p->more));
		if (!p->more)
			abort();
		narrow(s, p, cols, rows);
		insert_more(s, p, n);
		free(p->more);
		p->more = NULL;
	}
}
