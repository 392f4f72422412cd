#include "shim/screen_model.h"

#include <string.h>

#include "base/util.h"
#include "shim/width.h"

/* DEC's special graphics, from '`' on. */
static const uint16_t graphics[] = {
	0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2424, 0x240b, 0x2518,
	0x2510, 0x250c, 0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524,
	0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7,
};

uint32_t charset_map(enum charset set, uint32_t code)
{
	if (set == CHARSET_GRAPHICS && code >= '`' && code < '`' + ARRAY_SIZE(graphics))
		return graphics[code - '`'];
	if (set == CHARSET_UK && code == '#')
		return 0xa3;
	return code;
}

static struct cell pen_cell(const struct screen *s, uint32_t code, unsigned width)
{
	struct cell c = { .ch = code | CELL_WIDTH(width), .fg = s->pen.fg, .bg = s->pen.bg };

	if (c.bg & BG_EXTENDED) {
		c.ul = s->pen.ul;
		c.ch |= CELL_LINK(s->pen.link);
	}
	return c;
}

static void wrap(struct screen *s)
{
	struct grid *g = s->at;
	struct line *old = screen_row(s, g->y);
	struct cell blank = pen_cell(s, 0, 1);

	/* A wide character leaves the last column empty. */
	if (g->x < s->cols)
		line_set(s, old, g->x, &blank);
	g->x = 0;
	g->y++;
	if (g->y == g->bottom + 1) {
		g->y--;
		screen_scroll(s, true);
		return;
	}
	g->y = MIN(g->y, s->rows - 1);
	screen_row(s, g->y)->wrapped = true;
}

/* The halves of wide characters that are written over. */
static void break_left(struct screen *s)
{
	struct line *l = screen_row(s, s->at->y);
	struct cell left = line_get(l, s->at->x - 1);

	if (cell_width(&left) == 2) {
		left = pen_cell(s, 0, 1);
		line_set(s, l, s->at->x - 1, &left);
	}
}

static void break_right(struct screen *s)
{
	struct line *l = screen_row(s, s->at->y);
	struct cell right;

	if (s->at->x >= l->n)
		return;
	right = line_get(l, s->at->x);
	if (s->at->x < s->cols && cell_width(&right) == 0 && !(right.ch & CELL_CONTENT)) {
		right = pen_cell(s, 0, 1);
		line_set(s, l, s->at->x, &right);
	}
}

static void make_room(struct screen *s, unsigned width)
{
	struct line *l = screen_row(s, s->at->y);
	struct cell blank = pen_cell(s, 0, 1), last;

	line_insert(s, l, s->at->x, (int) width, &blank);
	last = line_get(l, s->cols - 1);
	if (cell_width(&last) == 2)
		line_set(s, l, s->cols - 1, &blank);
}

/* Joins the character before the cursor. */
static void combine(struct screen *s, uint32_t code)
{
	struct line *l = screen_row(s, s->at->y);
	int x = s->at->x - 1;
	struct cell before = line_get(l, x);

	if (cell_width(&before) == 0)
		x--;
	if (x < 0 || x >= l->n)
		return;
	cluster_add(s, &l->v[x], code);
	/* At the edge without wrapping that may be another character than the one which was printed. */
	l->v[x].ch = (l->v[x].ch & ~CELL_WIDTH(3)) | CELL_WIDTH(s->join);
}

static void put(struct screen *s, uint32_t code, unsigned width)
{
	struct grid *g = s->at;
	struct cell c;

	if (g->x + (int) width > s->cols) {
		if (s->modes & MODE_WRAP)
			wrap(s);
		else {
			g->x = s->cols - 1;
			if (width == 2)
				return;
		}
	}
	if (s->modes & MODE_INSERT)
		make_room(s, width);
	c = pen_cell(s, code, width);
	line_set(s, screen_row(s, g->y), g->x, &c);
	g->x++;
	if (width == 2) {
		c = pen_cell(s, 0, 0);
		line_set(s, screen_row(s, g->y), g->x++, &c);
	}
	g->x = MIN(g->x, s->cols);
}

void screen_glyph(void *arg, uint32_t code)
{
	struct screen *s = arg;
	unsigned width = code < 0xa0 ? 1 : width_of(code);

	if (s->at->x > 0 && !s->in_text)
		break_left(s);
	s->in_text = true;
	if (width == 0 && s->join > 0 && s->at->x > 0) {
		combine(s, code);
		return;
	}
	put(s, code, width);
	s->join = (uint8_t) width;
	break_right(s);
}

/* One line's worth of characters that are all one column wide and stand as they are. */
static size_t put_run(struct screen *s, const uint8_t *p, size_t n)
{
	struct grid *g = s->at;
	struct cell c = pen_cell(s, 0, 1), *to;
	struct line *l;

	if (g->x >= s->cols)
		wrap(s);
	l = screen_row(s, g->y);
	n = MIN(n, (size_t) (s->cols - g->x));
	if (line_room(s, l, g->x + (int) n)) {
		to = l->v + g->x;
		for (size_t i = 0; i < n; i++) {
			to[i] = c;
			to[i].ch |= p[i];
		}
	}
	g->x += (int) n;
	return n;
}

void screen_text(void *arg, const uint8_t *p, size_t n)
{
	struct screen *s = arg;

	if (s->charset != CHARSET_ASCII || (s->modes & MODE_INSERT) ||
	    !(s->modes & MODE_WRAP)) {
		for (size_t i = 0; i < n; i++)
			screen_glyph(s, charset_map(s->charset, p[i]));
		return;
	}
	if (s->at->x > 0 && !s->in_text)
		break_left(s);
	s->in_text = true;
	while (n > 0) {
		size_t done = put_run(s, p, n);

		p += done;
		n -= done;
	}
	s->join = 1;
	break_right(s);
}

/* Room for the cells [0, n), of which most are there: a line grows by what is printed. */
static bool reach(struct screen *s, struct line *l, int n)
{
	if (n > l->cap)
		return line_room(s, l, n);
	for (; l->n < n; l->n++)
		l->v[l->n] = l->rest;
	return true;
}

/* Characters that stand where they are put, on the cursor's line from there on; those that join others end the run. How many. */
static size_t put_glyphs(struct screen *s, const uint32_t *codes, size_t n)
{
	const struct cell c = pen_cell(s, 0, 1), half = pen_cell(s, 0, 0);
	struct line *l = screen_row(s, s->at->y);
	int x = s->at->x;
	size_t i = 0;

	for (; i < n; i++) {
		unsigned width = width_of(codes[i]);

		if (width == 0 || x + (int) width > s->cols || !reach(s, l, x + (int) width))
			break;
		l->v[x] = c;
		l->v[x++].ch |= codes[i];
		s->join = 1;
		if (width == 2) {
			l->v[x - 1].ch = codes[i] | (half.ch | CELL_WIDTH(2));
			l->v[x++] = half;
			s->join = 2;
		}
	}
	s->at->x = x;
	return i;
}

void screen_glyphs(void *arg, const uint32_t *codes, size_t n)
{
	struct screen *s = arg;
	bool plain = (s->modes & (MODE_INSERT | MODE_WRAP)) == MODE_WRAP;
	size_t i = 0;

	while (i < n) {
		size_t put = 0;

		/* The first, whatever it meets; then those that follow it. */
		screen_glyph(s, codes[i++]);
		if (plain && i < n)
			put = put_glyphs(s, codes + i, n - i);
		i += put;
		if (put > 0)
			break_right(s);
	}
}
