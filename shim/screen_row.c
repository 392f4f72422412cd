#include "shim/screen_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "shim/width.h"

/* Cells as the bytes that make them. */

void out_put(struct out *o, const void *p, size_t n)
{
	struct err e = ERR_NONE;

	if (!o->failed && buf_append(o->b, p, n, &e) < 0)
		o->failed = true;
}

void out_text(struct out *o, const char *text)
{
	out_put(o, text, strlen(text));
}

void out_printf(struct out *o, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_text(o, text);
}

struct pen cell_pen(const struct cell *c)
{
	return (struct pen){
		.fg = c->fg, .bg = c->bg, .ul = c->ul, .link = (uint8_t) cell_link(c)
	};
}

enum { SGR_BYTES = 192 }; /* all attributes and three colours in full are 110 */

static void add_text(char *to, size_t *n, const char *text)
{
	while (*text && *n < SGR_BYTES)
		to[(*n)++] = *text++;
}

/* What stands before a number, and the number: every line of a log has some of these, and printf is slow. */
static void add(char *to, size_t *n, const char *before, uint32_t number)
{
	char digits[12];
	size_t at = sizeof(digits);

	add_text(to, n, before);
	digits[--at] = '\0';
	do
		digits[--at] = (char) ('0' + number % 10);
	while ((number /= 10) > 0);
	add_text(to, n, digits + at);
}

static void add_rgb(char *to, size_t *n, const char *between, uint32_t v)
{
	add(to, n, between, v >> 16);
	add(to, n, between, v >> 8 & 255);
	add(to, n, between, v & 255);
}

static void add_colour(char *to, size_t *n, uint32_t colour, unsigned base)
{
	uint32_t v = colour & COLOUR_VALUE;

	switch (colour & COLOUR_KIND) {
	case COLOUR_16:
		v &= 15;
		add(to, n, ";", base - 8 + (v & 7) + (v > 7 ? 60 : 0));
		break;
	case COLOUR_256:
		add(to, n, ";", base);
		add(to, n, ";5;", v & 255);
		break;
	case COLOUR_RGB:
		add(to, n, ";", base);
		add_text(to, n, ";2");
		add_rgb(to, n, ";", v);
		break;
	}
}

static void add_underline(char *to, size_t *n, const struct pen *pen)
{
	uint32_t style = pen->bg & BG_EXTENDED ? (pen->ul & UL_STYLE_MASK) >> 26 : 1;
	uint32_t v = pen->ul & COLOUR_VALUE;

	if (pen->fg & FG_UNDERLINE && style > 1)
		add(to, n, ";4:", style);
	else if (pen->fg & FG_UNDERLINE && style == 1)
		add_text(to, n, ";4");
	if ((pen->ul & COLOUR_KIND) == COLOUR_RGB) {
		add_text(to, n, ";58:2:");
		add_rgb(to, n, ":", v);
	} else if ((pen->ul & COLOUR_KIND) == COLOUR_256)
		add(to, n, ";58:5:", v & 255);
}

/* The whole pen, whatever it was before. */
static void put_sgr(struct out *o, const struct pen *pen)
{
	static const struct {
		uint32_t fg, bg;
		char text[4];
	} flags[] = {
		{ FG_BOLD, 0, ";1" },	{ 0, BG_DIM, ";2" },	   { 0, BG_ITALIC, ";3" },
		{ FG_BLINK, 0, ";5" },	{ FG_INVERSE, 0, ";7" },   { FG_INVISIBLE, 0, ";8" },
		{ FG_STRIKE, 0, ";9" }, { 0, BG_OVERLINE, ";53" },
	};
	char text[SGR_BYTES];
	size_t n = 0;

	add_text(text, &n, "\033[");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (pen->fg & flags[i].fg || pen->bg & flags[i].bg)
			add_text(text, &n, flags[i].text);
	add_underline(text, &n, pen);
	add_colour(text, &n, pen->fg, 38);
	add_colour(text, &n, pen->bg, 48);
	add_text(text, &n, "m");
	out_put(o, text, n);
	if (pen->bg & BG_PROTECTED)
		out_text(o, "\033[1\"q");
}

void out_pen(struct out *o, const struct screen *s, const struct pen *wanted)
{
	struct pen visible = *wanted, *pen = &visible;

	/* A cursor that was restored can hide the rarer half of the pen. */
	if (!(pen->bg & BG_EXTENDED)) {
		pen->ul = pen->fg & FG_UNDERLINE ? UL_STYLE(1) : pen->ul & ~UL_STYLE_MASK;
		pen->link = 0;
	}
	if (pen->link != o->pen.link) {
		out_text(o, "\033]8;");
		out_text(o, pen->link && s->links[pen->link] ? s->links[pen->link] : ";");
		out_text(o, "\033\\");
	}
	/* The extended bit says nothing of its own. */
	if (pen->fg != o->pen.fg || (pen->bg ^ o->pen.bg) & ~BG_EXTENDED ||
	    pen->ul != o->pen.ul)
		put_sgr(o, pen);
	o->pen = *pen;
}

/* Enough of the character to know its width by. */
static uint32_t first_code(const struct screen *s, const struct cell *c)
{
	const struct cluster *cl = &s->clusters[c->ch & CELL_CODE];
	uint32_t code = 0;

	if (!(c->ch & CELL_CLUSTER))
		return c->ch & CELL_CODE;
	if (cl->text[0] < 0x80)
		return cl->text[0];
	code = cl->text[0] & (cl->text[0] >= 0xf0   ? 0x07U
			      : cl->text[0] >= 0xe0 ? 0x0fU
						    : 0x1fU);
	for (size_t i = 1; i < cl->n && (cl->text[i] & 0xc0) == 0x80; i++)
		code = code << 6 | (cl->text[i] & 0x3fU);
	return code;
}

static void put_content(struct out *o, const struct screen *s, const struct cell *c)
{
	uint8_t text[4];

	if (c->ch & CELL_CLUSTER) {
		const struct cluster *cl = &s->clusters[c->ch & CELL_CODE];

		out_put(o, cl->text, cl->n);
	} else if (c->ch & CELL_CONTENT)
		out_put(o, text, vt_utf8(c->ch & CELL_CODE, text));
	else
		out_text(o, " ");
}

void out_cell(struct out *o, const struct screen *s, const struct cell *c)
{
	struct pen pen = cell_pen(c);

	out_pen(o, s, &pen);
	/* A combining character that stands alone must not join what was put before: any sequence between them will do. */
	if (cell_width(c) == 0)
		put_sgr(o, &pen);
	put_content(o, s, c);
}

/* An empty cell of which nothing shows but its background. */
static bool is_erased(const struct cell *c)
{
	return !(c->ch & CELL_CONTENT) && cell_link(c) == 0 &&
	       !(c->fg & (FG_INVERSE | FG_UNDERLINE | FG_STRIKE)) &&
	       !(c->bg & (BG_PROTECTED | BG_OVERLINE));
}

/* How many cells from x on were erased in the same colour. */
static int erased_run(const struct line *l, int x, int end)
{
	struct cell first = line_get(l, x), c;
	int n = 0;

	for (; x + n < end; n++) {
		c = line_get(l, x + n);
		if (!is_erased(&c) || (c.bg ^ first.bg) & COLOUR_ANY)
			break;
	}
	return n;
}

static void put_erased(struct out *o, const struct screen *s, int n, uint32_t bg, bool last)
{
	struct pen pen = { .bg = bg };

	if (bg) {
		out_pen(o, s, &pen);
		out_printf(o, "\033[%dX", n);
	}
	if (!last)
		out_printf(o, "\033[%dC", n);
}

static bool begins_wide(const struct line *l)
{
	struct cell first = line_get(l, 0);

	return cell_width(&first) == 2;
}

bool line_joins(enum line_end above, const struct line *l)
{
	return l->wrapped &&
	       (above == LINE_FULL || (above == LINE_FULL_BUT_ONE && begins_wide(l)));
}

/* A line that goes on from the one above but begins with nothing, or nothing wide: it takes a character to wrap, which then is erased. */
static void wrap_into(struct out *o, const struct screen *s)
{
	struct pen none = { 0 };

	out_pen(o, s, &none);
	out_text(o, " \b\033[X");
}

/* The wrap may have made a new line in the background of its first character; what was erased since shows otherwise. */
static void clear_rest(struct out *o, const struct screen *s)
{
	struct pen none = { 0 };

	if (!(o->pen.bg & COLOUR_ANY))
		return;
	out_pen(o, s, &none);
	out_text(o, "\033[K");
}

/* A wide character that found one column free left it empty in its own colours and went on below: it will do so again. */
static bool leaves_column(const struct screen *s, const struct line *l, const struct line *next)
{
	struct cell last = line_get(l, s->cols - 1), first;

	if (!next || !line_joins(LINE_FULL_BUT_ONE, next) || last.ch & CELL_CONTENT ||
	    cell_width(&last) != 1)
		return false;
	first = line_get(next, 0);
	return first.fg == last.fg && first.bg == last.bg && first.ul == last.ul &&
	       cell_link(&first) == cell_link(&last);
}

bool cell_is_remnant(const struct cell *c)
{
	return !(c->ch & CELL_CONTENT) && cell_width(c) == 1 && !is_erased(c);
}

/* Cell x in column `at`, as it came about, which takes the column behind it; in the last one it is a space. */
static void put_remnant(struct out *o, const struct screen *s, const struct line *l, int x,
			int at)
{
	struct cell c = line_get(l, x), next = line_get(l, x + 1);
	const char *back = at + 2 < s->cols ? "\b" : "\b\033[C";
	struct pen pen = cell_pen(&c), none = { 0 };

	out_pen(o, s, &pen);
	if (at + 1 == s->cols) {
		out_text(o, " ");
		return;
	}
	out_printf(o, "漢%s %s", back, back);
	if (x + 1 < s->cols && cell_is_remnant(&next))
		return;
	out_pen(o, s, &none);
	out_text(o, "\033[X");
}

/* One cell, or the two of a wide character; how many. Half of one, which only the edge of a screen that does not wrap can make,
 * is put as an empty cell. */
static int put_cell(struct out *o, const struct screen *s, const struct line *l, int x)
{
	struct cell c = line_get(l, x), next = line_get(l, x + 1);
	bool whole = x + 1 < s->cols && cell_width(&next) == 0 && !(next.ch & CELL_CONTENT);

	if (cell_is_remnant(&c)) {
		put_remnant(o, s, l, x, x);
		return 1;
	}
	if (cell_width(&c) != 2 || whole) {
		out_cell(o, s, &c);
		return cell_width(&c) == 2 ? 2 : 1;
	}
	if (width_of(first_code(s, &c)) == 2)
		c.ch = CELL_WIDTH(1) | CELL_LINK(cell_link(&c));
	out_cell(o, s, &c);
	return 1;
}

/* Those that the line ends with are put first, in its first columns, and pushed to their place. Where they begin. */
static int put_last_remnants(struct out *o, const struct screen *s, const struct line *l)
{
	struct pen none = { 0 };
	int from = s->cols;
	struct cell c;

	for (; from > 0; from--) {
		c = line_get(l, from - 1);
		if (!cell_is_remnant(&c))
			break;
	}
	if (from == s->cols || from == 0)
		return s->cols;
	if (l->wrapped && begins_wide(l)) {
		put_cell(o, s, l, 0);
		clear_rest(o, s);
		out_text(o, "\r");
	} else if (l->wrapped)
		wrap_into(o, s);
	for (int x = from; x < s->cols; x++)
		put_remnant(o, s, l, x, x - from);
	out_pen(o, s, &none);
	out_printf(o, "\r\033[%d@", from);
	return from;
}

/* What a cell of the usual kind holds, a character with its own width; 0: it is of another kind. text has room for a cluster. */
static size_t usual_content(const struct screen *s, const struct cell *c, uint8_t *text)
{
	uint32_t content = c->ch & CELL_CONTENT;

	if (content - 1 < 0x7f - 1) {
		*text = (uint8_t) content;
		return 1;
	}
	if (content & CELL_CLUSTER) {
		const struct cluster *cl = &s->clusters[content & CELL_CODE];

		memcpy(text, cl->text, sizeof(cl->text));
		return cl->n;
	}
	return content ? vt_utf8(content, text) : 0;
}

/* The usual case: characters in the pen that is there already. Returns how many cells. */
static int put_run(struct out *o, const struct screen *s, const struct line *l, int x, int end)
{
	uint8_t text[256];
	int begin = x;
	size_t n = 0, k;

	if (o->pen.link ||
	    (x == 0 && l->wrapped && o->pen.bg & COLOUR_ANY)) /* see clear_rest */
		return 0;
	end = MIN(end, (int) l->n);
	for (; x < end && n <= sizeof(text) - SCREEN_CLUSTER_BYTES; n += k) {
		const struct cell *c = &l->v[x];
		unsigned width = c->ch >> 22; /* and link, none */

		if (c->fg != o->pen.fg || c->bg != o->pen.bg || c->ul != o->pen.ul ||
		    width - 1 > 1)
			break;
		if (width == 2 &&
		    (x + 1 >= end || cell_width(c + 1) != 0 || c[1].ch & CELL_CONTENT))
			break;
		k = usual_content(s, c, text + n);
		if (k == 0)
			break;
		x += (int) width;
	}
	if (n > 0)
		out_put(o, text, n);
	return x - begin;
}

/* To the last column, where the wide character that comes next does not fit. Should another line have come by then, it shows the background
 * that it had, and is none of the text still. */
static enum line_end leave_column(struct out *o, const struct screen *s, const struct line *l,
				  int x)
{
	struct cell last = line_get(l, s->cols - 1);

	if (x < s->cols - 1)
		out_printf(o, "\033[%dC", s->cols - 1 - x);
	if (is_erased(&last))
		put_erased(o, s, 1, last.bg & COLOUR_ANY, true);
	return LINE_FULL_BUT_ONE;
}

enum line_end out_line(struct out *o, const struct screen *s, const struct line *l,
		       const struct line *next)
{
	const struct cell blank = CELL_BLANK, first = line_get(l, 0);
	bool short_line = memcmp(&l->rest, &blank, sizeof(blank)) == 0;
	bool leaves = leaves_column(s, l, next);
	int cols = leaves ? s->cols - 1 : s->cols;
	int end = short_line ? MIN((int) l->n, cols) : cols, x = 0;
	int last = put_last_remnants(o, s, l);

	end = MIN(end, last);
	if (l->wrapped && last == s->cols &&
	    (!(first.ch & CELL_CONTENT) || cell_width(&first) == 0))
		wrap_into(o, s);
	while (x < end) {
		struct cell c = line_get(l, x);
		int n = put_run(o, s, l, x, end);

		x += n;
		if (n > 0)
			continue;
		n = erased_run(l, x, end);
		if (n > 0) {
			put_erased(o, s, n, c.bg & COLOUR_ANY, x + n == end);
			if (x + n == end)
				break;
			x += n;
			continue;
		}
		x += put_cell(o, s, l, x);
		if (l->wrapped && x <= 2 && last == s->cols)
			clear_rest(o, s);
	}
	if (leaves)
		return leave_column(o, s, l, x);
	return x >= cols ? LINE_FULL : LINE_SHORT;
}

void back_push_line(struct screen *s, const struct line *l, const struct line *next)
{
	struct buf *text = back_scratch(s);
	struct out o = { .b = text };
	struct pen none = { 0 };
	struct record r = { .cols = (uint16_t) s->cols };

	struct err e = ERR_NONE;

	if (s->limits.scrollback_bytes == 0)
		return;
	o.failed = buf_reserve(text, (size_t) l->n + 32, &e) < 0;
	if (l->wrapped)
		r.flags |= RECORD_WRAPPED;
	if (begins_wide(l))
		r.flags |= RECORD_WIDE;
	r.end = (uint8_t) out_line(&o, s, l, next);
	out_pen(&o, s, &none);
	if (o.failed) /* more than 64 KiB of colours in one line */
		buf_clear(text);
	r.n = (uint16_t) buf_len(text);
	back_push(s, &r, buf_bytes(text));
}
