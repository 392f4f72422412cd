#include "shim/screen_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/*
 * As xterm.js does it: fewer rows take empty ones below the cursor first, then push the top away; more rows bring lines
 * back from above when the cursor stands at the bottom. Columns are cut off or added; long lines are not broken anew,
 * since the program draws its screen again.
 */

/* Draws a record into the line at the top, which is blank, by the same calls that made it. */
static void draw_record(struct screen *s, const struct record *r, const uint8_t *text)
{
	struct grid *g = &s->main, *at = s->at;
	struct pen pen = s->pen;
	uint32_t modes = s->modes;
	enum charset charset = s->charset;
	uint8_t join = s->join;
	bool in_text = s->in_text;
	int x = g->x, y = g->y;
	struct vt plain = { 0 };

	s->at = g;
	s->modes &= ~(MODE_INSERT | MODE_WRAP | MODE_ORIGIN);
	s->pen = (struct pen){ 0 };
	s->charset = CHARSET_ASCII;
	screen_text_ends(s);
	g->x = g->y = 0;
	vt_feed(&plain, text, r->n, &screen_calls, s);
	g->rows[0].wrapped = r->flags & RECORD_WRAPPED;
	s->at = at;
	s->modes = modes;
	s->pen = pen;
	s->charset = charset;
	s->join = join;
	s->in_text = in_text;
	g->x = x;
	g->y = y;
}

static bool bring_back(struct screen *s)
{
	uint8_t *text = malloc(UINT16_MAX);
	struct record r;
	bool ok = text && back_pop(s, &r, text);

	/* Text of more columns than there are now would have to be broken. */
	if (ok && r.cols > s->cols)
		back_push(s, &r, text);
	else if (ok) {
		grid_rotate_down(&s->main, 0, s->rows - 1);
		draw_record(s, &r, text);
		s->scrolled--;
		s->main.saved.y++;
	}
	ok = ok && r.cols <= s->cols;
	free(text);
	return ok;
}

static void add_row(struct screen *s, struct grid *g, int *down)
{
	struct line *rows = realloc(g->rows, (size_t) (s->rows + 1) * sizeof(*rows));

	if (!rows)
		return;
	rows[s->rows++] = LINE_NONE;
	g->rows = rows;
	if (g == &s->main && s->rows - 1 <= g->y + *down + 1 && s->scrolled > 0 &&
	    bring_back(s))
		++*down;
}

static void drop_row(struct screen *s, struct grid *g)
{
	if (s->rows <= g->y + 1) {
		if (g == &s->main) {
			back_push_line(s, &g->rows[0], s->rows > 1 ? &g->rows[1] : NULL);
			s->scrolled++;
		}
		g->saved.y--;
		grid_rotate_up(g, 0, s->rows - 1);
	}
	line_free(s, &g->rows[--s->rows]);
}

static void resize_grid(struct screen *s, struct grid *g, int cols, int rows)
{
	int before = s->rows, down = 0;

	if (g->rows) {
		while (s->rows < rows) {
			int was = s->rows;

			add_row(s, g, &down);
			if (s->rows == was) /* no memory: nothing good can come */
				abort();
		}
		while (s->rows > rows)
			drop_row(s, g);
		for (int y = 0; y < rows; y++)
			line_width(s, &g->rows[y], cols);
		g->x = MIN(g->x, cols - 1);
		g->y = MIN(g->y, rows - 1) + down;
		g->saved.x = MIN(g->saved.x, cols - 1);
		g->top = 0;
	}
	g->bottom = rows - 1;
	s->rows = before;
}

void screen_resize(struct screen *s, unsigned cols, unsigned rows)
{
	int c = (int) MIN(MAX(cols, 2U), (unsigned) SCREEN_MAX_SIZE);
	int r = (int) MIN(MAX(rows, 1U), (unsigned) SCREEN_MAX_SIZE);

	if (c == s->cols && r == s->rows)
		return;
	s->cols = c;
	resize_grid(s, &s->main, c, r);
	resize_grid(s, &s->alt, c, r);
	s->rows = r;
	tabs_default(s, &s->main, c);
	tabs_default(s, &s->alt, c);
}
