#include "shim/screen_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct screen *screen_new(unsigned cols, unsigned rows, const struct screen_limits *limits)
{
	struct screen *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->limits = *limits;
	/* xterm.js is never narrower than two columns. */
	s->cols = (int) MIN(MAX(cols, 2U), (unsigned) SCREEN_MAX_SIZE);
	s->rows = (int) MIN(MAX(rows, 1U), (unsigned) SCREEN_MAX_SIZE);
	if (!grid_open(s, &s->main)) {
		free(s);
		return NULL;
	}
	s->modes = MODE_CURSOR;
	screen_reset(s);
	return s;
}

void screen_free(struct screen *s)
{
	if (!s)
		return;
	grid_close(s, &s->main);
	grid_close(s, &s->alt);
	for (size_t i = 0; i <= SCREEN_MAX_LINKS; i++)
		free(s->links[i]);
	free(s->clusters);
	free(s->title);
	free(s->icon);
	free(s->palette);
	free(s->scrollback.data);
	buf_fini(&s->scratch);
	free(s);
}

size_t screen_partial(const struct screen *s)
{
	return s->vt.n_partial;
}

size_t screen_memory(const struct screen *s)
{
	return sizeof(*s) + s->scratch.cap + s->cell_bytes + s->scrollback.size +
	       s->link_bytes + s->cap_clusters * sizeof(*s->clusters) +
	       (size_t) s->rows * sizeof(struct line) * (s->alt.rows ? 2 : 1) +
	       (s->palette ? (size_t) 256 * SCREEN_COLOUR_BYTES : 0) +
	       (s->title ? strlen(s->title) : 0) + (s->icon ? strlen(s->icon) : 0);
}

void screen_text_ends(struct screen *s)
{
	s->join = 0;
	s->in_text = false;
}

struct line *screen_row(struct screen *s, int y)
{
	return &s->at->rows[MIN(MAX(y, 0), s->rows - 1)];
}

struct cell screen_blank(const struct screen *s)
{
	return (struct cell){ .ch = CELL_WIDTH(1), .bg = s->pen.bg & COLOUR_ANY };
}

static void blank_row(struct screen *s, int y)
{
	struct cell blank = screen_blank(s);

	line_fill(s, &s->at->rows[y], &blank, false);
}

/* Which modes RIS leaves alone is xterm.js's choice. */
void screen_reset(struct screen *s)
{
	s->modes = (s->modes & (MODE_NEWLINE | MODE_CURSOR)) | MODE_WRAP;
	s->mouse = s->mouse_encoding = 0;
	s->cursor_style = 0;
	memset(s->charset_names, 'B', sizeof(s->charset_names));
	memset(s->charsets, 0, sizeof(s->charsets));
	s->charset = CHARSET_ASCII;
	s->level = 0;
	s->pen = (struct pen){ 0 };
	screen_text_ends(s);
	s->scrolled = 0;
	back_clear(s);
	grid_close(s, &s->alt);
	s->at = &s->main;
	for (int y = 0; y < s->rows; y++) {
		blank_row(s, y);
		s->main.rows[y].wrapped = false;
	}
	s->main.saved = s->alt.saved = (struct saved){ 0 };
	grid_reset(s, &s->main);
	grid_reset(s, &s->alt);
}

/* One line up within the scroll region; what leaves the top of the main screen is kept. */
void screen_scroll(struct screen *s, bool wrapped)
{
	struct grid *g = s->at;

	if (g == &s->main && g->top == 0) {
		back_push_line(s, &g->rows[0], s->rows > 1 ? &g->rows[1] : NULL);
		s->scrolled++;
		g->saved.y--;
	}
	grid_rotate_up(g, g->top, g->bottom);
	blank_row(s, g->bottom);
	g->rows[g->bottom].wrapped = wrapped;
}

void screen_restrict(struct screen *s, int max_x)
{
	struct grid *g = s->at;

	g->x = MIN(max_x, MAX(0, g->x));
	if (s->modes & MODE_ORIGIN)
		g->y = MIN(g->bottom, MAX(g->top, g->y));
	else
		g->y = MIN(s->rows - 1, MAX(0, g->y));
}

void screen_set_cursor(struct screen *s, int x, int y)
{
	s->at->x = x;
	s->at->y = s->modes & MODE_ORIGIN ? s->at->top + y : y;
	screen_restrict(s, s->cols - 1);
}

void screen_save_cursor(struct screen *s)
{
	struct grid *g = s->at;

	g->saved = (struct saved){
		.x = g->x, .y = g->y, .fg = s->pen.fg, .bg = s->pen.bg, .charset = s->charset
	};
}

void screen_restore_cursor(struct screen *s)
{
	struct grid *g = s->at;

	g->x = g->saved.x;
	g->y = MAX(g->saved.y, 0);
	s->pen.fg = g->saved.fg;
	s->pen.bg = g->saved.bg;
	s->charset = g->saved.charset;
	screen_restrict(s, s->cols - 1);
}

void screen_set_charset(struct screen *s, unsigned g, enum charset set, uint8_t name)
{
	s->charsets[g] = set;
	s->charset_names[g] = name;
	if (s->level == g)
		s->charset = set;
}

void screen_set_level(struct screen *s, uint8_t level)
{
	s->level = level;
	s->charset = s->charsets[level];
}

/* ---- controls and escapes ---- */

static void line_feed(struct screen *s)
{
	struct grid *g = s->at;

	if (s->modes & MODE_NEWLINE)
		g->x = 0;
	g->y++;
	if (g->y == g->bottom + 1) {
		g->y--;
		screen_scroll(s, false);
	} else if (g->y >= s->rows)
		g->y = s->rows - 1;
	else
		screen_row(s, g->y)->wrapped = false;
	if (g->x >= s->cols)
		g->x--;
}

static void index_down(struct screen *s)
{
	struct grid *g = s->at;

	screen_restrict(s, s->cols - 1);
	g->y++;
	if (g->y == g->bottom + 1) {
		g->y--;
		screen_scroll(s, false);
	} else if (g->y >= s->rows)
		g->y = s->rows - 1;
	screen_restrict(s, s->cols - 1);
}

static void index_up(struct screen *s)
{
	struct grid *g = s->at;

	screen_restrict(s, s->cols - 1);
	if (g->y == g->top) {
		grid_rotate_down(g, g->top, g->bottom);
		blank_row(s, g->top);
	} else {
		g->y--;
		screen_restrict(s, s->cols - 1);
	}
}

/* Backspace with reverse wrap: from the first column of a wrapped line to the end of the one above. */
static void back_wrap(struct screen *s)
{
	struct grid *g = s->at;
	struct cell last;

	if (g->y <= g->top || g->y > g->bottom || !screen_row(s, g->y)->wrapped)
		return;
	screen_row(s, g->y)->wrapped = false;
	g->y--;
	g->x = s->cols - 1;
	last = line_get(screen_row(s, g->y), g->x);
	if (cell_width(&last) > 0 && !(last.ch & CELL_CONTENT))
		g->x--;
}

static void backspace(struct screen *s)
{
	bool reverse = s->modes & MODE_REVERSE_WRAP;

	screen_restrict(s, reverse ? s->cols : s->cols - 1);
	if (s->at->x > 0)
		s->at->x--;
	else if (reverse)
		back_wrap(s);
	screen_restrict(s, s->cols - 1);
}

static void control(void *arg, uint8_t c)
{
	struct screen *s = arg;

	screen_text_ends(s);
	switch (c) {
	case '\n':
	case '\v':
	case '\f':
		line_feed(s);
		break;
	case '\r':
		s->at->x = 0;
		break;
	case '\b':
		backspace(s);
		break;
	case '\t':
		if (s->at->x < s->cols)
			s->at->x = tabs_next(s, s->at->x);
		break;
	case 0x0e:
	case 0x0f:
		screen_set_level(s, c == 0x0e);
		break;
	case 0x85:
		s->at->x = 0;
		/* fallthrough */
	case 0x84:
		index_down(s);
		break;
	case 0x88:
		tabs_set(s->at, s->at->x, true);
		break;
	}
}

/* ESC # 8 */
static void fill_with_e(struct screen *s)
{
	struct cell c = { .ch = 'E' | CELL_WIDTH(1), .fg = s->pen.fg, .bg = s->pen.bg };
	int from;

	if (c.bg & BG_EXTENDED) /* underlines in a style are not filled in */
		c.fg &= ~FG_UNDERLINE;
	c.bg &= ~BG_EXTENDED;
	screen_set_cursor(s, 0, 0);
	from = s->at->y; /* with an origin, xterm.js begins there */
	for (int y = from; y < s->rows; y++) {
		line_fill(s, screen_row(s, y), &c, false);
		screen_row(s, y)->wrapped = false;
	}
	screen_set_cursor(s, 0, 0);
}

/* ESC ( 0 and its like. The national sets but the British one are known by name only. */
static void designate(struct screen *s, uint8_t group, uint8_t name)
{
	static const struct {
		uint8_t group, g;
	} groups[] = { { '(', 0 }, { ')', 1 }, { '-', 1 }, { '*', 2 }, { '.', 2 }, { '+', 3 } };
	enum charset set = name == '0'	 ? CHARSET_GRAPHICS
			   : name == 'A' ? CHARSET_UK
					 : CHARSET_ASCII;

	if (!name || !strchr("0AB4C5RQKYE6ZH7=", name))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (groups[i].group == group)
			screen_set_charset(s, groups[i].g, set, name);
}

static void escape(void *arg, uint32_t id)
{
	struct screen *s = arg;

	screen_text_ends(s);
	switch (id) {
	case '7':
		screen_save_cursor(s);
		return;
	case '8':
		screen_restore_cursor(s);
		return;
	case 'E':
		s->at->x = 0;
		/* fallthrough */
	case 'D':
		index_down(s);
		return;
	case 'H':
		tabs_set(s->at, s->at->x, true);
		return;
	case 'M':
		index_up(s);
		return;
	case '=':
	case '>':
		s->modes = id == '=' ? s->modes | MODE_KEYPAD : s->modes & ~MODE_KEYPAD;
		return;
	case 'c':
		screen_reset(s);
		return;
	case 'n':
	case '}':
		screen_set_level(s, 2);
		return;
	case 'o':
	case '|':
		screen_set_level(s, 3);
		return;
	case '~':
		screen_set_level(s, 1);
		return;
	case VT_ID2('#', '8'):
		fill_with_e(s);
		return;
	case VT_ID2('%', '@'):
	case VT_ID2('%', 'G'):
		screen_set_level(s, 0);
		screen_set_charset(s, 0, CHARSET_ASCII, 'B');
		return;
	}
	if (id > UINT8_MAX && id <= UINT16_MAX)
		designate(s, (uint8_t) (id >> 8), (uint8_t) id);
}

const struct vt_calls screen_calls = {
	.text = screen_text,
	.glyph = screen_glyph,
	.glyphs = screen_glyphs,
	.control = control,
	.escape = escape,
	.csi = screen_csi,
	.osc = screen_osc,
};

void screen_feed(struct screen *s, const void *p, size_t n)
{
	vt_feed(&s->vt, p, n, &screen_calls, s);
}
