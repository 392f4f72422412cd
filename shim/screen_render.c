#include "shim/screen_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"

/*
 * The order of a snapshot. Whatever the terminal is in the middle of is broken off (CAN, ST) and everything reset (RIS, and what RIS
 * leaves). Then, with the modes of a reset terminal: title and palette; what has scrolled away and the main
 * screen, printed line by line so that it scrolls away again; scroll region, tab stops, saved cursor; the same for
 * the alternate screen when it is shown. Then the modes, of which some move the cursor, then the cursor. The last character is
 * printed once more when a wrap is pending behind it or a combining character could still join it. At the very end
 * stands the sequence that the output was cut in.
 */

static const char breaks_off[] =
	"\030\033\\\033c\033[20l\033[?25h\033]104\033\\\033]110\033\\\033]111\033\\"
	"\033]112\033\\";

static void new_line(struct out *o, const struct screen *s)
{
	struct pen none = { 0 };

	out_pen(o, s, &none); /* a new line takes on the pen's background */
	out_text(o, "\r\n");
}

static void put_osc(struct out *o, const char *head, const char *text)
{
	if (!text || !*text)
		return;
	out_text(o, head);
	out_text(o, text);
	out_text(o, "\033\\");
}

static void put_strings(struct out *o, const struct screen *s)
{
	char head[24];

	put_osc(o, "\033]2;", s->title);
	put_osc(o, "\033]1;", s->icon);
	for (int i = 0; s->palette && i < 256; i++) {
		(void) snprintf(head, sizeof(head), "\033]4;%d;", i);
		put_osc(o, head, s->palette[i]);
	}
	for (int i = 0; i < 3; i++) {
		(void) snprintf(head, sizeof(head), "\033]%d;", 10 + i);
		put_osc(o, head, s->special[i]);
	}
}

static const char *charset_name(enum charset set)
{
	return set == CHARSET_GRAPHICS ? "0" : set == CHARSET_UK ? "A" : "B";
}

/* Saves the cursor in row y; -1: in this one. */
static void put_saved(struct out *o, const struct screen *s, const struct saved *saved, int y)
{
	int x = MIN(saved->x, s->cols - 1);
	struct pen pen = { .fg = saved->fg, .bg = saved->bg };

	if (pen.fg & FG_UNDERLINE && pen.bg & BG_EXTENDED)
		pen.ul = UL_STYLE(1);
	if (y < 0)
		out_printf(o, "\033[%dG", x + 1);
	else
		out_printf(o, "\033[%d;%dH", y + 1, x + 1);
	out_pen(o, s, &pen);
	if (saved->charset)
		out_printf(o, "\033(%s", charset_name(saved->charset));
	out_text(o, "\0337");
	if (saved->charset)
		out_text(o, "\033(B");
}

/* The line that was put last: one of a screen, or what is kept of one that has scrolled away. */
struct above {
	bool any;
	int line;  /* its number, from the first that is kept */
	int saved; /* of the line with the saved cursor, which is put as soon as that can be; -1: it does not scroll away, or is put */
	enum line_end end;
	const struct line *row; /* or NULL */
	const uint8_t *piece[2];
	size_t n[2];
};

/* A line that goes on from one that is not full, since it was erased or moved: it is for a while. Two spaces wrap; the first is taken away
 * again, the other stands where the line begins. */
static void wrap_below(struct out *o, const struct screen *s, const struct above *above)
{
	const struct cell last = above->row ? line_get(above->row, s->cols - 1) : CELL_BLANK;
	struct pen none = { 0 }, pen = none;

	if (cell_is_remnant(&last)) { /* a wide character leaves that */
		pen = cell_pen(&last);
		out_pen(o, s, &pen);
		out_printf(o, "\033[%dG漢", s->cols);
		out_pen(o, s, &none);
		out_text(o, "\033[1K\033[K\r");
		return;
	}
	out_pen(o, s, &none);
	out_printf(o, "\033[%dG  \033[A\033[%dG", s->cols, s->cols);
	pen.bg = last.bg & COLOUR_ANY;
	out_pen(o, s, &pen);
	out_text(o, "\033[X");
	if (!above->row) { /* what else was in the last column is known to the record alone */
		out_text(o, "\r");
		out_put(o, above->piece[0], above->n[0]);
		out_put(o, above->piece[1], above->n[1]);
	}
	out_pen(o, s, &none);
	out_text(o, "\033[B\r\033[X");
}

/* To a line that does not come by itself when the one above is full. */
static void next_line(struct out *o, const struct screen *s, struct above *above, bool wrapped)
{
	int up = above->line - above->saved;

	if (above->saved >= 0 && up >= 0 && up < s->rows) {
		if (up > 0)
			out_printf(o, "\033[%dA", up);
		put_saved(o, s, &s->main.saved, -1);
		if (up > 0)
			out_printf(o, "\033[%dB", up);
		above->saved = -1;
	}
	if (wrapped && s->rows > 1)
		wrap_below(o, s, above);
	else
		new_line(o, s);
}

static bool record_joins(enum line_end above, const struct record *r)
{
	return r->flags & RECORD_WRAPPED &&
	       (above == LINE_FULL || (above == LINE_FULL_BUT_ONE && r->flags & RECORD_WIDE));
}

/* As in a terminal that never saved one: its place is the first line. */
static bool is_unsaved(const struct saved *saved, int line)
{
	return saved->x == 0 && line == 0 && !saved->fg && !saved->bg && !saved->charset;
}

/* The number of the line with the saved cursor among those that scroll away. */
static int saved_line(const struct screen *s)
{
	const uint8_t *piece[2];
	struct record r;
	size_t n[2];
	int line = s->main.saved.y;

	if (line >= 0)
		return -1;
	for (size_t at = 0; back_next(s, &at, &r, piece, n);)
		line++;
	line = MAX(line, 0);
	return is_unsaved(&s->main.saved, line) ? -1 : line;
}

static struct above put_scrollback(struct out *o, const struct screen *s)
{
	struct above above = { .line = -1, .saved = saved_line(s) };
	const uint8_t *piece[2];
	struct record r;
	size_t n[2];

	for (size_t at = 0; back_next(s, &at, &r, piece, n);) {
		if (above.any && !record_joins(above.end, &r))
			next_line(o, s, &above, r.flags & RECORD_WRAPPED);
		above = (struct above){ .any = true,
					.line = above.line + 1,
					.saved = above.saved,
					.end = r.end,
					.piece = { piece[0], piece[1] },
					.n = { n[0], n[1] } };
		out_put(o, piece[0], n[0]);
		out_put(o, piece[1], n[1]);
	}
	return above;
}

/* Returns which line's saved cursor is not put, or -1. */
static int put_rows(struct out *o, const struct screen *s, const struct grid *g,
		    struct above above)
{
	for (int y = 0; y < s->rows; y++) {
		const struct line *l = &g->rows[y];

		if (above.any && !line_joins(above.end, l))
			next_line(o, s, &above, l->wrapped);
		above = (struct above){
			.any = true, .line = above.line + 1, .saved = above.saved, .row = l
		};
		above.end = out_line(o, s, l, y + 1 < s->rows ? l + 1 : NULL);
	}
	return above.saved;
}

static bool tabs_are_default(const struct screen *s, const struct grid *g)
{
	for (int x = 0; x < s->cols; x++)
		if (tabs_get(g, x) != (x % 8 == 0))
			return false;
	return true;
}

static void put_tabs(struct out *o, const struct screen *s, const struct grid *g)
{
	if (tabs_are_default(s, g))
		return;
	out_text(o, "\033[3g");
	for (int x = 0; x < s->cols; x++)
		if (tabs_get(g, x))
			out_printf(o, "\033[%dG\033H", x + 1);
}

/* What belongs to one of the two screens beside its cells; its saved cursor where that has scrolled away but found no line's end to be put at. */
static void put_grid(struct out *o, const struct screen *s, const struct grid *g, bool late)
{
	struct pen none = { 0 };

	if (g->top > 0 || g->bottom < s->rows - 1)
		out_printf(o, "\033[%d;%dr", g->top + 1, g->bottom + 1);
	put_tabs(o, s, g);
	if (late)
		put_saved(o, s, &g->saved, 0);
	else if (g->saved.y >= 0 &&
		 !is_unsaved(&g->saved, g->saved.y + (g == &s->main && s->scrolled > 0)))
		put_saved(o, s, &g->saved, MIN(g->saved.y, s->rows - 1));
	out_pen(o, s, &none);
}

static void put_screens(struct out *o, const struct screen *s)
{
	const struct line nothing = LINE_NONE;
	bool late;

	late = put_rows(o, s, &s->main, put_scrollback(o, s)) >= 0;
	put_grid(o, s, &s->main, late);
	if (s->at == &s->alt) {
		/* Its rows go up or stay by it when the size changes. */
		out_printf(o, "\033[%d;%dH", s->main.y + 1, MIN(s->main.x, s->cols - 1) + 1);
		out_text(o, "\033[?47h\033[H");
		/* One that scrolls away, where the first line goes on from one that did. */
		(void) put_rows(o, s, &s->alt,
				(struct above){ .any = s->alt.rows[0].wrapped,
						.saved = -1,
						.row = &nothing });
		put_grid(o, s, &s->alt, false);
	} else if (!is_unsaved(&s->alt.saved, s->alt.saved.y)) {
		out_text(o, "\033[?47h");
		put_grid(o, s, &s->alt, false);
		out_text(o, "\033[?47l");
	}
}

static void put_modes(struct out *o, const struct screen *s)
{
	static const struct {
		uint32_t bit;
		const char *on;
	} modes[] = {
		{ MODE_NEWLINE, "\033[20h" },  { MODE_CURSOR_KEYS, "\033[?1h" },
		{ MODE_KEYPAD, "\033=" },      { MODE_REVERSE_WRAP, "\033[?45h" },
		{ MODE_FOCUS, "\033[?1004h" }, { MODE_PASTE, "\033[?2004h" },
		{ MODE_ORIGIN, "\033[?6h" },   { MODE_SYNC, "\033[?2026h" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (s->modes & modes[i].bit)
			out_text(o, modes[i].on);
	if (!(s->modes & MODE_WRAP))
		out_text(o, "\033[?7l");
	if (!(s->modes & MODE_CURSOR))
		out_text(o, "\033[?25l");
	if (s->blink)
		out_printf(o, "\033[?12%c", s->blink);
	if (s->mouse)
		out_printf(o, "\033[?%dh", s->mouse);
	if (s->mouse_encoding)
		out_printf(o, "\033[?%dh", s->mouse_encoding);
	if (s->cursor_style)
		out_printf(o, "\033[%d q", s->cursor_style);
}

/* A restored cursor brings its character set along, whatever is designated, and its pen. */
static bool charset_is_restored(const struct screen *s)
{
	return s->charset != s->charsets[s->level] && s->charset == s->at->saved.charset;
}

static void put_charsets(struct out *o, const struct screen *s)
{
	static const char groups[] = "()*+";

	for (unsigned g = 0; g < 4; g++)
		if (s->charset_names[g] != 'B')
			out_printf(o, "\033%c%c", groups[g], s->charset_names[g]);
	if (s->level == 1)
		out_text(o, "\016");
	else if (s->level > 1)
		out_printf(o, "\033%c", s->level == 2 ? 'n' : 'o');
	if (!charset_is_restored(s))
		return;
	out_text(o, "\0338");
	o->pen.fg = s->at->saved.fg;
	o->pen.bg = s->at->saved.bg;
}

static void put_place(struct out *o, const struct screen *s, int x)
{
	int y = s->at->y - (s->modes & MODE_ORIGIN ? s->at->top : 0);

	out_printf(o, "\033[%d;%dH", y + 1, x + 1);
}

/* What the program sent for this character in the character set in force. */
static uint32_t unmapped(const struct screen *s, uint32_t code)
{
	for (uint32_t c = 0x20; c < 0x7f; c++)
		if (charset_map(s->charset, c) == code)
			return c;
	return code;
}

static void put_unmapped(struct out *o, const struct screen *s, const struct cell *c)
{
	uint8_t text[4];

	if (c->ch & CELL_CLUSTER)
		out_put(o, s->clusters[c->ch & CELL_CODE].text,
			s->clusters[c->ch & CELL_CODE].n);
	else
		out_put(o, text, vt_utf8(unmapped(s, c->ch & CELL_CODE), text));
}

static void put_joinable(struct out *o, const struct screen *s, struct cell c)
{
	out_pen(o, s, &s->pen);
	if (s->modes & MODE_INSERT)
		out_printf(o, "\033[4h\033[%dP", cell_width(&c));
	put_unmapped(o, s, &c);
}

/* A wrap is pending behind the last character. Where a restored cursor had the character set, which must come before, a character that
 * the set has no byte for is not put, and the cursor stands on it. */
static void put_pending(struct out *o, const struct screen *s)
{
	int x = s->cols - 1;
	struct cell c = line_get(&s->at->rows[s->at->y], x);
	struct pen pen;
	uint32_t code;

	if (x > 0 && cell_width(&c) == 0 && !(c.ch & CELL_CONTENT))
		c = line_get(&s->at->rows[s->at->y], --x);
	if (!charset_is_restored(s)) {
		put_place(o, s, x);
		out_cell(o, s, &c);
		put_charsets(o, s);
		return;
	}
	put_charsets(o, s);
	put_place(o, s, x);
	code = c.ch & CELL_CONTENT;
	if (code == 0) /* a space is one in every set */
		out_cell(o, s, &c);
	if (code == 0 || code & CELL_CLUSTER ||
	    charset_map(s->charset, unmapped(s, code)) != code)
		return;
	pen = cell_pen(&c);
	out_pen(o, s, &pen);
	put_unmapped(o, s, &c);
}

/* Printed with the pen that is there still: another character may have come before the cursor when the size changed. */
static bool is_penned(const struct screen *s, const struct cell *c)
{
	return c->fg == s->pen.fg && c->bg == s->pen.bg &&
	       (!(c->bg & BG_EXTENDED) || (c->ul == s->pen.ul && cell_link(c) == s->pen.link));
}

/* The cursor with what may hang on the character before it. */
static void put_cursor(struct out *o, const struct screen *s)
{
	const struct line *l = &s->at->rows[s->at->y];
	int x = s->at->x - (s->join ? s->join : 1);
	struct cell c = line_get(l, MAX(x, 0));

	if (x >= 0 && s->join && cell_width(&c) == s->join && c.ch & CELL_CONTENT &&
	    is_penned(s, &c)) {
		put_charsets(o, s);
		put_place(o, s, x);
		put_joinable(o, s, c);
		return;
	}
	if (s->at->x < s->cols) {
		put_charsets(o, s);
		put_place(o, s, s->at->x);
	} else
		put_pending(o, s);
	out_pen(o, s, &s->pen);
	if (s->modes & MODE_INSERT)
		out_text(o, "\033[4h");
}

int screen_snapshot(const struct screen *s, struct buf *out, struct err *e)
{
	uint8_t unfinished[VT_TAIL];
	size_t before = buf_len(out);
	struct out o = { .b = out };

	out_text(&o, breaks_off);
	put_strings(&o, s);
	put_screens(&o, s);
	put_modes(&o, s);
	put_cursor(&o, s);
	out_put(&o, unfinished, vt_unfinished(&s->vt, unfinished));
	if (!o.failed)
		return 0;
	out->tail = out->head + before;
	return err_set(e, ENOBUFS,
		       "the screen of %d columns and %d rows takes more than %zu bytes",
		       s->cols, s->rows, out->limit);
}
