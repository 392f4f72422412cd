#include "shim/screen_model.h"

#include <string.h>

#include "base/util.h"

enum { MOST_REPEATS = 512 };

/* With an origin xterm.js adds it to the row here too, although that is counted from the top of the screen. */
static void move(struct screen *s, int x, int y)
{
	screen_restrict(s, s->cols - 1);
	screen_set_cursor(s, s->at->x + x, s->at->y + y);
}

/* Numbers come from the program: nothing is larger than the largest screen. */
static int count(const struct vt_params *p)
{
	return MIN(vt_param(p, 0, 1), (int32_t) SCREEN_MAX_SIZE + 1);
}

static int place(const struct vt_params *p, size_t i)
{
	return MIN(vt_param(p, i, 1), (int32_t) SCREEN_MAX_SIZE + 1) - 1;
}

static void move_up(struct screen *s, const struct vt_params *p)
{
	int room = s->at->y - s->at->top;

	move(s, 0, -(room >= 0 ? MIN(room, count(p)) : count(p)));
}

static void move_down(struct screen *s, const struct vt_params *p)
{
	int room = s->at->bottom - s->at->y;

	move(s, 0, room >= 0 ? MIN(room, count(p)) : count(p));
}

static void move_right(struct screen *s, const struct vt_params *p)
{
	move(s, count(p), 0);
}

static void move_left(struct screen *s, const struct vt_params *p)
{
	move(s, -count(p), 0);
}

static void move_rows(struct screen *s, const struct vt_params *p)
{
	move(s, 0, count(p));
}

static void next_line(struct screen *s, const struct vt_params *p)
{
	move_down(s, p);
	s->at->x = 0;
}

static void previous_line(struct screen *s, const struct vt_params *p)
{
	move_up(s, p);
	s->at->x = 0;
}

static void to_column(struct screen *s, const struct vt_params *p)
{
	screen_set_cursor(s, place(p, 0), s->at->y);
}

static void to_row(struct screen *s, const struct vt_params *p)
{
	screen_set_cursor(s, s->at->x, place(p, 0));
}

static void to_place(struct screen *s, const struct vt_params *p)
{
	screen_set_cursor(s, p->n >= 2 ? place(p, 1) : 0, place(p, 0));
}

static void tab_forward(struct screen *s, const struct vt_params *p)
{
	for (int n = count(p); n > 0 && s->at->x < s->cols - 1; n--)
		s->at->x = tabs_next(s, s->at->x);
}

static void tab_backward(struct screen *s, const struct vt_params *p)
{
	if (s->at->x >= s->cols)
		return;
	for (int n = count(p); n > 0 && s->at->x > 0; n--)
		s->at->x = tabs_previous(s, s->at->x);
}

static void tab_clear(struct screen *s, const struct vt_params *p)
{
	if (p->v[0] == 0)
		tabs_set(s->at, s->at->x, false);
	for (int x = 0; p->v[0] == 3 && x <= SCREEN_MAX_SIZE; x++)
		tabs_set(s->at, x, false);
}

static void erase_row(struct screen *s, int y, bool keep)
{
	struct cell blank = screen_blank(s);

	line_fill(s, screen_row(s, y), &blank, keep);
	screen_row(s, y)->wrapped = false;
}

static void erase_part(struct screen *s, int from, int to, bool unwrap, bool keep)
{
	struct line *l = screen_row(s, s->at->y);
	struct cell blank = screen_blank(s);

	line_replace(s, l, from, to, &blank, keep);
	if (unwrap)
		l->wrapped = false;
}

static void erase_display(struct screen *s, const struct vt_params *p, bool keep)
{
	struct grid *g = s->at;

	screen_restrict(s, s->cols);
	switch (p->v[0]) {
	case 0:
		erase_part(s, g->x, s->cols, g->x == 0, keep);
		for (int y = g->y + 1; y < s->rows; y++)
			erase_row(s, y, keep);
		break;
	case 1:
		erase_part(s, 0, g->x + 1, true, keep);
		if (g->x + 1 >= s->cols && g->y + 1 < s->rows && s->scrolled == 0)
			screen_row(s, g->y + 1)->wrapped = false;
		for (int y = 0; y < g->y; y++)
			erase_row(s, y, keep);
		break;
	case 2:
		for (int y = 0; y < s->rows; y++)
			erase_row(s, y, keep);
		break;
	case 3:
		if (g == &s->main) {
			/* As in xterm.js saved places stay where they are counted from the top of all. */
			g->saved.y += (int) MIN(s->scrolled, (int64_t) INT32_MAX / 2);
			s->scrolled = 0;
			back_clear(s);
		}
		break;
	}
}

static void erase_line(struct screen *s, const struct vt_params *p, bool keep)
{
	int x;

	screen_restrict(s, s->cols);
	x = s->at->x;
	if (p->v[0] == 0)
		erase_part(s, x, s->cols, x == 0, keep);
	else if (p->v[0] == 1)
		erase_part(s, 0, x + 1, false, keep);
	else if (p->v[0] == 2)
		erase_part(s, 0, s->cols, true, keep);
}

static void erase_chars(struct screen *s, const struct vt_params *p)
{
	screen_restrict(s, s->cols - 1);
	erase_part(s, s->at->x, s->at->x + count(p), false, false);
}

static void insert_chars(struct screen *s, const struct vt_params *p)
{
	struct cell blank = screen_blank(s);

	screen_restrict(s, s->cols - 1);
	line_insert(s, screen_row(s, s->at->y), s->at->x, count(p), &blank);
}

static void delete_chars(struct screen *s, const struct vt_params *p)
{
	struct cell blank = screen_blank(s);

	screen_restrict(s, s->cols - 1);
	line_delete(s, screen_row(s, s->at->y), s->at->x, count(p), &blank);
}

static void blank_row(struct screen *s, int y, bool coloured)
{
	struct cell blank = coloured ? screen_blank(s) : CELL_BLANK;

	line_fill(s, &s->at->rows[y], &blank, false);
}

static bool in_region(const struct screen *s)
{
	return s->at->y >= s->at->top && s->at->y <= s->at->bottom;
}

static void shift_lines(struct screen *s, int n, int from, bool up, bool coloured)
{
	struct grid *g = s->at;

	for (n = MIN(n, g->bottom - from + 1); n > 0; n--) {
		if (up)
			grid_rotate_up(g, from, g->bottom);
		else
			grid_rotate_down(g, from, g->bottom);
		blank_row(s, up ? g->bottom : from, coloured);
	}
}

static void insert_lines(struct screen *s, const struct vt_params *p)
{
	screen_restrict(s, s->cols - 1);
	if (!in_region(s))
		return;
	shift_lines(s, count(p), s->at->y, false, true);
	s->at->x = 0;
}

static void delete_lines(struct screen *s, const struct vt_params *p)
{
	screen_restrict(s, s->cols - 1);
	if (!in_region(s))
		return;
	shift_lines(s, count(p), s->at->y, true, true);
	s->at->x = 0;
}

static void scroll_up(struct screen *s, const struct vt_params *p)
{
	shift_lines(s, count(p), s->at->top, true, true);
}

static void scroll_down(struct screen *s, const struct vt_params *p)
{
	shift_lines(s, count(p), s->at->top, false, false);
}

/* Columns of the whole scroll region from x on. */
static void shift_columns(struct screen *s, int x, int n, bool insert)
{
	struct cell blank = screen_blank(s);

	if (!in_region(s))
		return;
	for (int y = s->at->top; y <= s->at->bottom; y++) {
		if (insert)
			line_insert(s, screen_row(s, y), x, n, &blank);
		else
			line_delete(s, screen_row(s, y), x, n, &blank);
		screen_row(s, y)->wrapped = false;
	}
}

/* Programs repeat characters within a line. What is far beyond that is cut by whole rows, since eight bytes could ask
 * for any amount of work. */
static int32_t repeats(const struct screen *s, const struct vt_params *p, uint8_t width)
{
	int32_t n = vt_param(p, 0, 1), row = s->cols / width;
	int32_t enough = MAX(2 * row, (int32_t) MOST_REPEATS);

	return n <= enough ? n : enough + (n - enough) % row;
}

static void print_repeated(struct screen *s, const struct cluster *one, int32_t n)
{
	uint8_t many[16 * SCREEN_CLUSTER_BYTES];
	int32_t in_many = (int32_t) (sizeof(many) / one->n);
	struct vt plain = { 0 };

	for (int32_t i = 0; i < MIN(n, in_many); i++)
		memcpy(many + i * one->n, one->text, one->n);
	for (; n > 0; n -= in_many)
		vt_feed(&plain, many, (size_t) (MIN(n, in_many) * one->n), &screen_calls, s);
}

/* What stands before the cursor, as long as it was printed just now. */
static void repeat(struct screen *s, const struct vt_params *p, uint8_t width)
{
	int x = s->at->x - width;
	struct cluster one;
	struct cell c;

	if (width == 0 || x < 0)
		return;
	c = line_get(screen_row(s, s->at->y), x);
	if (!(c.ch & CELL_CONTENT))
		return;
	if (c.ch & CELL_CLUSTER)
		one = s->clusters[c.ch & CELL_CODE];
	else
		one.n = (uint8_t) vt_utf8(c.ch & CELL_CODE, one.text);
	print_repeated(s, &one, repeats(s, p, width));
	screen_text_ends(s);
}

static void set_region(struct screen *s, const struct vt_params *p)
{
	int32_t top = vt_param(p, 0, 1), bottom = vt_param(p, 1, s->rows);

	if (bottom > s->rows)
		bottom = s->rows;
	if (bottom <= top)
		return;
	s->at->top = top - 1;
	s->at->bottom = bottom - 1;
	screen_set_cursor(s, 0, 0);
}

static void cursor_style(struct screen *s, const struct vt_params *p)
{
	if (p->v[0] <= UINT8_MAX)
		s->cursor_style = (uint8_t) p->v[0];
}

static void protect(struct screen *s, const struct vt_params *p)
{
	if (p->v[0] == 1)
		s->pen.bg |= BG_PROTECTED;
	else if (p->v[0] == 0 || p->v[0] == 2)
		s->pen.bg &= ~BG_PROTECTED;
}

static const struct {
	uint32_t id;
	void (*call)(struct screen *s, const struct vt_params *p);
} calls[] = {
	{ 'A', move_up },
	{ 'B', move_down },
	{ 'C', move_right },
	{ 'D', move_left },
	{ 'E', next_line },
	{ 'F', previous_line },
	{ 'G', to_column },
	{ 'H', to_place },
	{ 'I', tab_forward },
	{ 'L', insert_lines },
	{ 'M', delete_lines },
	{ 'P', delete_chars },
	{ 'S', scroll_up },
	{ 'T', scroll_down },
	{ 'X', erase_chars },
	{ 'Z', tab_backward },
	{ '@', insert_chars },
	{ '`', to_column },
	{ 'a', move_right },
	{ 'd', to_row },
	{ 'e', move_rows },
	{ 'f', to_place },
	{ 'g', tab_clear },
	{ 'm', screen_sgr },
	{ 'r', set_region },
	{ VT_ID2(' ', 'q'), cursor_style },
	{ VT_ID2('"', 'q'), protect },
};

void screen_csi(void *arg, uint32_t id, const struct vt_params *p)
{
	struct screen *s = arg;
	uint8_t width = s->join;

	screen_text_ends(s);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].id == id) {
			calls[i].call(s, p);
			return;
		}
	}
	switch (id) {
	case 'J':
	case VT_ID2('?', 'J'):
		erase_display(s, p, id != 'J');
		break;
	case 'K':
	case VT_ID2('?', 'K'):
		erase_line(s, p, id != 'K');
		break;
	case 'b':
		repeat(s, p, width);
		break;
	case 'h':
	case 'l':
		screen_modes(s, p, false, id == 'h');
		break;
	case VT_ID2('?', 'h'):
	case VT_ID2('?', 'l'):
		screen_modes(s, p, true, id == VT_ID2('?', 'h'));
		break;
	case 's':
		screen_save_cursor(s);
		break;
	case 'u':
		screen_restore_cursor(s);
		break;
	case VT_ID2('!', 'p'):
		screen_soft_reset(s);
		break;
	case VT_ID2(' ', '@'):
	case VT_ID2(' ', 'A'):
		shift_columns(s, 0, count(p), id == VT_ID2(' ', 'A'));
		break;
	case VT_ID2('\'', '}'):
	case VT_ID2('\'', '~'):
		shift_columns(s, s->at->x, count(p), id == VT_ID2('\'', '}'));
		break;
	}
}
