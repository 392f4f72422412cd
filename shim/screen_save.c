/*
 * A model on its way to another program, as it is: a snapshot brings a terminal to what can be seen, but not a model to each of its
 * states (a wrap that is pending beside a restored character set, the text that is scrolled away).
 */
#include "shim/screen_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "base/util.h"

/* ---- out ---- */

static void save_cell(const struct cell *c, struct pack *p)
{
	pack_u32(p, c->ch);
	pack_u32(p, c->fg);
	pack_u32(p, c->bg);
	pack_u32(p, c->ul);
}

/* Seven bits a byte, the lowest first; the highest bit says that more come. */
static void save_number(uint32_t v, struct pack *p)
{
	for (; v > 0x7f; v >>= 7)
		pack_u8(p, (uint8_t) (v | 0x80));
	pack_u8(p, (uint8_t) v);
}

/* Whether b is drawn as a is, whatever stands in them. */
static bool drawn_alike(const struct cell *a, const struct cell *b)
{
	return a->fg == b->fg && a->bg == b->bg && a->ul == b->ul &&
	       cell_link(a) == cell_link(b);
}

/* A character of one column is a small number, a plain one of one byte. */
static uint32_t content_number(const struct cell *c)
{
	return (c->ch & CELL_CONTENT) | (CELL_WIDTH(1) ^ CELL_WIDTH(cell_width(c)));
}

/* Runs of cells that differ in what stands in them alone. */
static void save_cells(const struct cell *v, int n, struct pack *p)
{
	for (int x = 0, end; x < n; x = end) {
		for (end = x + 1; end < n && drawn_alike(&v[x], &v[end]);)
			end++;
		save_number((uint32_t) (end - x), p);
		pack_u8(p, (uint8_t) cell_link(&v[x]));
		pack_u32(p, v[x].fg);
		pack_u32(p, v[x].bg);
		pack_u32(p, v[x].ul);
		for (int i = x; i < end; i++)
			save_number(content_number(&v[i]), p);
	}
}

static void save_grid(const struct screen *s, const struct grid *g, struct pack *p)
{
	pack_tag(p, "grid");
	pack_u32(p, (uint32_t) g->x);
	pack_u32(p, (uint32_t) g->y);
	pack_u32(p, (uint32_t) g->top);
	pack_u32(p, (uint32_t) g->bottom);
	pack_u32(p, (uint32_t) g->saved.x);
	pack_u32(p, (uint32_t) g->saved.y);
	pack_u32(p, g->saved.fg);
	pack_u32(p, g->saved.bg);
	pack_u8(p, (uint8_t) g->saved.charset);
	pack_raw(p, g->tabs, sizeof(g->tabs));
	pack_bool(p, g->rows != NULL);
	for (int y = 0; g->rows && y < s->rows; y++) {
		const struct line *l = &g->rows[y];

		pack_bool(p, l->wrapped);
		save_cell(&l->rest, p);
		pack_u16(p, l->n);
		save_cells(l->v, l->n, p);
	}
}

static void save_back(const struct screen *s, struct pack *p)
{
	const uint8_t *piece[2];
	struct record r;
	size_t at = 0, n[2];

	while (back_next(s, &at, &r, piece, n)) {
		pack_bool(p, true);
		pack_u16(p, r.n);
		pack_u16(p, r.cols);
		pack_u8(p, r.flags);
		pack_u8(p, r.end);
		pack_raw(p, piece[0], n[0]);
		pack_raw(p, piece[1], n[1]);
	}
	pack_bool(p, false);
}

/* What cells refer to, and what belongs to no cell. */
static void save_words(const struct screen *s, struct pack *p)
{
	pack_u32(p, (uint32_t) s->n_clusters);
	for (size_t i = 0; i < s->n_clusters; i++)
		pack_bytes(p, s->clusters[i].text, s->clusters[i].n);
	pack_u32(p, (uint32_t) s->collect_wait);
	for (size_t i = 1; i <= SCREEN_MAX_LINKS; i++)
		pack_str(p, s->links[i] ? s->links[i] : "");
	pack_bool(p, s->title != NULL);
	pack_str(p, s->title ? s->title : "");
	pack_bool(p, s->icon != NULL);
	pack_str(p, s->icon ? s->icon : "");
	pack_bool(p, s->palette != NULL);
	for (size_t i = 0; s->palette && i < 256; i++)
		pack_str(p, s->palette[i]);
	for (size_t i = 0; i < ARRAY_SIZE(s->special); i++)
		pack_str(p, s->special[i]);
}

static void save_state(const struct screen *s, struct pack *p)
{
	pack_u64(p, (uint64_t) s->scrolled);
	pack_u32(p, s->pen.fg);
	pack_u32(p, s->pen.bg);
	pack_u32(p, s->pen.ul);
	pack_u8(p, s->pen.link);
	pack_u32(p, s->modes);
	pack_u16(p, s->mouse);
	pack_u16(p, s->mouse_encoding);
	pack_u8(p, s->cursor_style);
	pack_u8(p, (uint8_t) s->blink);
	pack_raw(p, s->charset_names, sizeof(s->charset_names));
	for (size_t i = 0; i < ARRAY_SIZE(s->charsets); i++)
		pack_u8(p, (uint8_t) s->charsets[i]);
	pack_u8(p, (uint8_t) s->charset);
	pack_u8(p, s->level);
	pack_u8(p, s->join);
	pack_bool(p, s->in_text);
}

void screen_save(const struct screen *s, struct pack *p)
{
	pack_tag(p, "modl");
	pack_u16(p, (uint16_t) s->cols);
	pack_u16(p, (uint16_t) s->rows);
	save_words(s, p);
	save_state(s, p);
	save_grid(s, &s->main, p);
	save_grid(s, &s->alt, p);
	pack_bool(p, s->at == &s->alt);
	save_back(s, p);
	vt_save(&s->vt, p);
}

/* ---- in ---- */

static void check_cell(const struct screen *s, const struct cell *c, struct unpack *u)
{
	if (c->ch & CELL_CLUSTER && (c->ch & CELL_CODE) >= s->n_clusters)
		(void) unpack_refuse(u, "a cell refers to characters that are not there");
	if (cell_link(c) && !s->links[cell_link(c)])
		(void) unpack_refuse(u, "a cell refers to a link that is not there");
	if (!(c->ch & CELL_CLUSTER) && (c->ch & CELL_CODE) > 0x10ffff)
		(void) unpack_refuse(u, "a cell of no character");
}

static void restore_cell(const struct screen *s, struct cell *c, struct unpack *u)
{
	c->ch = unpack_u32(u);
	c->fg = unpack_u32(u);
	c->bg = unpack_u32(u);
	c->ul = unpack_u32(u);
	check_cell(s, c, u);
}

static uint32_t restore_number(struct unpack *u)
{
	uint32_t v = 0, byte;
	unsigned shift = 0;

	do {
		byte = unpack_u8(u);
		v |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80 && shift < 28);
	return v;
}

/* One run, of at most n cells; how many. */
static int restore_run(const struct screen *s, struct cell *v, int n, struct unpack *u)
{
	uint32_t many = restore_number(u);
	struct cell like = { .ch = CELL_LINK(unpack_u8(u)) };

	like.fg = unpack_u32(u);
	like.bg = unpack_u32(u);
	like.ul = unpack_u32(u);
	if (many == 0 || many > (uint32_t) n)
		return unpack_refuse(u, "a run of %u cells where %d can be", many, n) + 1;
	for (uint32_t i = 0; i < many && !unpack_failed(u); i++) {
		v[i] = like;
		v[i].ch |= (restore_number(u) ^ CELL_WIDTH(1)) & ~CELL_LINK(255);
		check_cell(s, &v[i], u);
	}
	return (int) many;
}

static int restore_int(struct unpack *u, int min, int max)
{
	int32_t v = (int32_t) unpack_u32(u);

	if (v >= min && v <= max)
		return v;
	return unpack_refuse(u, "a screen's %d where %d to %d can be", v, min, max) + 1;
}

static void restore_line(struct screen *s, struct line *l, struct unpack *u)
{
	uint16_t n;

	l->wrapped = unpack_bool(u);
	restore_cell(s, &l->rest, u);
	n = unpack_u16(u);
	if (n > s->cols) {
		(void) unpack_refuse(u, "a line of %u cells", n);
		return;
	}
	if (!line_room(s, l, n)) {
		(void) unpack_refuse(u, "a screen of more cells than it may have");
		return;
	}
	for (int x = 0; x < n && !unpack_failed(u);)
		x += restore_run(s, l->v + x, n - x, u);
}

static void restore_grid(struct screen *s, struct grid *g, struct unpack *u)
{
	const void *tabs;

	unpack_tag(u, "grid");
	g->x = restore_int(u, 0, s->cols);
	g->y = restore_int(u, 0, s->rows - 1);
	g->top = restore_int(u, 0, s->rows - 1);
	g->bottom = restore_int(u, g->top, s->rows - 1);
	g->saved.x = restore_int(u, 0, SCREEN_MAX_SIZE);
	g->saved.y = restore_int(u, INT32_MIN / 2, SCREEN_MAX_SIZE);
	g->saved.fg = unpack_u32(u);
	g->saved.bg = unpack_u32(u);
	g->saved.charset = unpack_u8_to(u, CHARSET_UK, "a character set");
	tabs = unpack_raw(u, sizeof(g->tabs));
	if (tabs)
		memcpy(g->tabs, tabs, sizeof(g->tabs));
	if (!unpack_bool(u)) {
		grid_close(s, g);
		return;
	}
	if (!grid_open(s, g))
		(void) unpack_refuse(u, "no memory for a screen");
	for (int y = 0; y < s->rows && !unpack_failed(u); y++)
		restore_line(s, &g->rows[y], u);
}

static void restore_back(struct screen *s, struct unpack *u)
{
	while (unpack_bool(u)) {
		struct record r = { 0 };
		const void *text;

		r.n = unpack_u16(u);
		r.cols = unpack_u16(u);
		r.flags = unpack_u8(u);
		r.end = unpack_u8_to(u, LINE_FULL_BUT_ONE, "a line's end");
		text = unpack_raw(u, r.n);
		if (text)
			back_push(s, &r, text);
	}
}

static char *restore_text(struct unpack *u, size_t max)
{
	size_t n;
	const char *p = unpack_bytes(u, max, &n);

	if (!p || memchr(p, '\0', n)) {
		(void) unpack_refuse(u, "a screen's text with a NUL in it");
		return NULL;
	}
	return strndup(p, n);
}

static void restore_clusters(struct screen *s, struct unpack *u)
{
	size_t n = unpack_u32_to(u, SCREEN_MAX_CLUSTERS, "characters");

	s->clusters = calloc(MAX(n, (size_t) 1), sizeof(*s->clusters));
	s->cap_clusters = MAX(n, (size_t) 1);
	for (size_t i = 0; s->clusters && i < n; i++) {
		size_t len;
		const void *p = unpack_bytes(u, SCREEN_CLUSTER_BYTES, &len);

		if (!p)
			return;
		memcpy(s->clusters[i].text, p, len);
		s->clusters[i].n = (uint8_t) len;
		s->n_clusters++;
	}
	s->collect_wait = unpack_u32_to(u, SCREEN_MAX_CLUSTERS, "characters");
}

static void restore_links(struct screen *s, struct unpack *u)
{
	for (size_t i = 1; i <= SCREEN_MAX_LINKS && !unpack_failed(u); i++) {
		char *link = restore_text(u, SCREEN_LINK_BYTES - s->link_bytes);

		if (!link || !link[0]) {
			free(link);
			continue;
		}
		s->link_bytes += strlen(link);
		s->links[i] = link;
	}
}

static void restore_words(struct screen *s, struct unpack *u)
{
	bool there;

	restore_clusters(s, u);
	restore_links(s, u);
	there = unpack_bool(u);
	s->title = restore_text(u, SCREEN_MAX_TITLE);
	if (!there) {
		free(s->title);
		s->title = NULL;
	}
	there = unpack_bool(u);
	s->icon = restore_text(u, SCREEN_MAX_TITLE);
	if (!there) {
		free(s->icon);
		s->icon = NULL;
	}
	if (unpack_bool(u))
		s->palette = calloc(256, sizeof(*s->palette));
	for (size_t i = 0; s->palette && i < 256; i++)
		unpack_str(u, s->palette[i], sizeof(s->palette[i]));
	for (size_t i = 0; i < ARRAY_SIZE(s->special); i++)
		unpack_str(u, s->special[i], sizeof(s->special[i]));
}

static void restore_state(struct screen *s, struct unpack *u)
{
	const void *names;

	s->scrolled = (int64_t) unpack_u64_to(u, INT64_MAX / 2, "lines");
	s->pen.fg = unpack_u32(u);
	s->pen.bg = unpack_u32(u);
	s->pen.ul = unpack_u32(u);
	s->pen.link = unpack_u8(u);
	s->modes = unpack_u32(u);
	s->mouse = unpack_u16(u);
	s->mouse_encoding = unpack_u16(u);
	s->cursor_style = unpack_u8(u);
	s->blink = (char) unpack_u8(u);
	names = unpack_raw(u, sizeof(s->charset_names));
	if (names)
		memcpy(s->charset_names, names, sizeof(s->charset_names));
	for (size_t i = 0; i < ARRAY_SIZE(s->charsets); i++)
		s->charsets[i] = unpack_u8_to(u, CHARSET_UK, "a character set");
	s->charset = unpack_u8_to(u, CHARSET_UK, "a character set");
	s->level = unpack_u8_to(u, ARRAY_SIZE(s->charsets) - 1, "a character set");
	s->join = unpack_u8_to(u, 2, "a width");
	s->in_text = unpack_bool(u);
	if (s->pen.link && !s->links[s->pen.link])
		(void) unpack_refuse(u, "the pen has a link that is not there");
}

struct screen *screen_restore(const struct screen_limits *limits, struct unpack *u)
{
	struct screen *s;
	uint16_t cols, rows;

	unpack_tag(u, "modl");
	cols = unpack_u16(u);
	rows = unpack_u16(u);
	if (cols < 2 || cols > SCREEN_MAX_SIZE || rows < 1 || rows > SCREEN_MAX_SIZE)
		(void) unpack_refuse(u, "a screen of %u by %u", cols, rows);
	if (unpack_failed(u))
		return NULL;
	s = screen_new(cols, rows, limits);
	if (!s)
		return NULL;
	restore_words(s, u);
	restore_state(s, u);
	restore_grid(s, &s->main, u);
	restore_grid(s, &s->alt, u);
	if (unpack_bool(u))
		s->at = &s->alt;
	if (!unpack_failed(u) && (!s->main.rows || !s->at->rows))
		(void) unpack_refuse(u, "a screen that is shown and not there");
	restore_back(s, u);
	vt_restore(&s->vt, u);
	if (!unpack_failed(u))
		return s;
	screen_free(s);
	return NULL;
}
