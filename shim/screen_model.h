/*
 * The inside of the model of a terminal, for the files screen*.c alone.
 *
 * Names and meanings of states follow xterm.js where it has its own idea: x may stand behind the last column (a wrap is
 * pending), the place of a saved cursor moves with the text that scrolls away, the alternate screen is empty while it is not shown.
 */
#ifndef CARREL_SHIM_SCREEN_MODEL_H
#define CARREL_SHIM_SCREEN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "shim/screen.h"
#include "shim/vt.h"

enum {
	SCREEN_MAX_SIZE = 1000,
	SCREEN_MAX_CLUSTERS = 1024, /* characters with combining ones, on both screens */
	SCREEN_CLUSTER_BYTES = 31,
	SCREEN_MAX_LINKS = 255,
	SCREEN_LINK_BYTES = 16384, /* all together */
	SCREEN_MAX_TITLE = 1024,
	SCREEN_COLOUR_BYTES = 24,
};

/* cell.ch: the character (0: none) or the number of its cluster, then its width, then its link. */
#define CELL_CODE     0x1fffffU
#define CELL_CLUSTER  0x200000U
#define CELL_WIDTH(n) ((uint32_t) (n) << 22)
#define CELL_LINK(n)  ((uint32_t) (n) << 24)
#define CELL_CONTENT  (CELL_CODE | CELL_CLUSTER)
#define cell_width(c) ((c)->ch >> 22 & 3)
#define cell_link(c)  ((c)->ch >> 24)

/* A colour in bits 0 to 25 of cell.fg, .bg and .ul: its value, then what kind of value that is. */
#define COLOUR_VALUE 0x00ffffffU
#define COLOUR_KIND  0x03000000U
#define COLOUR_16    0x01000000U
#define COLOUR_256   0x02000000U
#define COLOUR_RGB   0x03000000U
#define COLOUR_ANY   (COLOUR_KIND | COLOUR_VALUE)

/* The bits above it. */
enum {
	FG_INVERSE = 1U << 26,
	FG_BOLD = 1U << 27,
	FG_UNDERLINE = 1U << 28,
	FG_BLINK = 1U << 29,
	FG_INVISIBLE = 1U << 30,
	BG_ITALIC = 1U << 26,
	BG_DIM = 1U << 27,
	BG_EXTENDED = 1U << 28, /* cell.ul and the link count */
	BG_PROTECTED = 1U << 29,
	BG_OVERLINE = 1U << 30,
};
#define FG_STRIKE     0x80000000U
#define UL_STYLE(n)   ((uint32_t) (n) << 26)
#define UL_STYLE_MASK UL_STYLE(7)

struct cell {
	uint32_t ch, fg, bg, ul;
};
#define CELL_BLANK ((struct cell){ .ch = CELL_WIDTH(1) })

/* Cells from n on are all like `rest`. */
struct line {
	struct cell *v;
	struct cell rest;
	uint16_t n, cap;
	bool wrapped; /* goes on from the line above */
};
#define LINE_NONE ((struct line){ .rest = CELL_BLANK })

enum charset { CHARSET_ASCII, CHARSET_GRAPHICS, CHARSET_UK };

struct saved {
	int x, y; /* y below 0: it has scrolled away */
	uint32_t fg, bg;
	enum charset charset;
};

struct grid {
	struct line *rows; /* NULL: an alternate screen that is not shown */
	int x, y, top, bottom;
	struct saved saved;
	uint8_t tabs[(SCREEN_MAX_SIZE + 8) / 8];
};

enum {
	MODE_INSERT = 1 << 0,
	MODE_NEWLINE = 1 << 1,
	MODE_CURSOR_KEYS = 1 << 2,
	MODE_ORIGIN = 1 << 3,
	MODE_WRAP = 1 << 4,
	MODE_REVERSE_WRAP = 1 << 6,
	MODE_KEYPAD = 1 << 7,
	MODE_FOCUS = 1 << 8,
	MODE_CURSOR = 1 << 9, /* visible */
	MODE_PASTE = 1 << 10,
	MODE_SYNC = 1 << 11,
};

struct pen {
	uint32_t fg, bg, ul;
	uint8_t link;
};

struct cluster {
	uint8_t n;
	uint8_t text[SCREEN_CLUSTER_BYTES];
};

/* Lines that have scrolled away, oldest first: a ring of records. */
struct scrollback {
	uint8_t *data;
	size_t size, head, used;
};

enum {
	RECORD_WRAPPED = 1, /* goes on from the record before */
	RECORD_WIDE = 2,    /* begins with a wide character */
};

/* Where the cells of a line end: what is put next begins the line below or not. */
enum line_end {
	LINE_SHORT,
	LINE_FULL,
	LINE_FULL_BUT_ONE, /* it does if it is a wide character */
};
struct record {
	uint16_t n;    /* bytes of text */
	uint16_t cols; /* at most so many are taken */
	uint8_t flags;
	uint8_t end; /* enum line_end */
};

struct screen {
	struct screen_limits limits;
	int cols, rows;
	struct grid main, alt, *at; /* at: the one shown */
	int64_t scrolled;	    /* lines of the main screen that have gone up */
	struct pen pen;
	uint32_t modes;
	uint16_t mouse, mouse_encoding; /* the DEC mode's number, 0: none */
	uint8_t cursor_style;
	char blink;		  /* 'h' or 'l' once the program has chosen (DEC mode 12) */
	uint8_t charset_names[4]; /* the final byte that designated each */
	enum charset charsets[4], charset;
	uint8_t level;
	uint8_t join; /* the width of the character before, 0: a combining one stands alone */
	bool in_text; /* the last thing was a character */
	bool keep_words; /* numbers of clusters and links are not given again */
	struct vt vt;

	size_t cell_bytes;
	struct cluster *clusters;
	size_t n_clusters, cap_clusters, collect_wait;
	char *links[SCREEN_MAX_LINKS + 1];
	size_t link_bytes;
	char *title, *icon;
	char (*palette)[SCREEN_COLOUR_BYTES]; /* 256 */
	char special[3][SCREEN_COLOUR_BYTES]; /* text, background, cursor */
	struct scrollback scrollback;
	struct buf scratch; /* the text of one record while it is made */
};

/* screen_lines.c */
struct cell line_get(const struct line *l, int x);
/* Room for cells [0, n); false when there is no memory for them. */
bool line_room(struct screen *s, struct line *l, int n);
void line_set(struct screen *s, struct line *l, int x, const struct cell *c);
void line_fill(struct screen *s, struct line *l, const struct cell *c, bool keep_protected);
void line_replace(struct screen *s, struct line *l, int from, int to, const struct cell *c,
		  bool keep_protected);
void line_insert(struct screen *s, struct line *l, int x, int n, const struct cell *c);
void line_delete(struct screen *s, struct line *l, int x, int n, const struct cell *c);
/* To another number of columns; s->cols is still the old one. */
void line_width(struct screen *s, struct line *l, int cols);
void line_free(struct screen *s, struct line *l);
/* Moves rows [from, to] up by one; the row that falls out comes back blank at `to`. */
void grid_rotate_up(struct grid *g, int from, int to);
void grid_rotate_down(struct grid *g, int from, int to);
bool grid_open(struct screen *s, struct grid *g);
void grid_close(struct screen *s, struct grid *g);
void grid_reset(struct screen *s, struct grid *g);
void tabs_default(struct screen *s, struct grid *g, int from);
bool tabs_get(const struct grid *g, int x);
void tabs_set(struct grid *g, int x, bool on);
int tabs_next(const struct screen *s, int x);
int tabs_previous(const struct screen *s, int x);

/* screen_clusters.c */
void cluster_add(struct screen *s, struct cell *c, uint32_t code);
/* Forgets those that no cell holds. */
void clusters_collect(struct screen *s);
uint8_t link_number(struct screen *s, const char *link);

/* screen_back.c */
/* s->scratch, empty: one allocation for all lines. */
struct buf *back_scratch(struct screen *s);
void back_push(struct screen *s, const struct record *r, const void *text);
/* The oldest record from `at` (0 at first); false when there is none. text takes what two pieces hold. */
bool back_next(const struct screen *s, size_t *at, struct record *r, const uint8_t *piece[2],
	       size_t n[2]);
/* Where the newest n records begin, or all where there are fewer. */
size_t back_newest(const struct screen *s, size_t n);
/* Forgets those from there on. */
void back_cut(struct screen *s, size_t at);
void back_clear(struct screen *s);

/* screen_resize.c, screen_reflow.c: a screen and what has scrolled away above it, as one list, while the size changes. */
struct more {
	struct line *v;
	int from, to; /* of them */
};
struct page {
	struct line *v;
	int n, cap;
	int base;	   /* the first row of the screen; below 0: it stands among lost ones */
	int lost;	   /* lines above v[0] that scrolled away and are kept no more */
	int saved_y;	   /* of the saved cursor */
	struct more *more; /* what comes behind each line; while it is reflowed */
};
/* Room for n more, blank. */
void page_room(struct page *p, int n);
/* The main screen's long lines; the cursor's row moves along. s->cols are still the old ones. */
void page_reflow(struct screen *s, struct page *p, int cols, int rows);

/* screen.c */
void screen_text_ends(struct screen *s);
struct line *screen_row(struct screen *s, int y);
struct cell
screen_blank(const struct screen *s); /* what erasing leaves, in the pen's background */
void screen_scroll(struct screen *s, bool wrapped);
void screen_restrict(struct screen *s, int max_x);
void screen_set_cursor(struct screen *s, int x, int y);
void screen_save_cursor(struct screen *s);
void screen_restore_cursor(struct screen *s);
void screen_reset(struct screen *s);
void screen_set_charset(struct screen *s, unsigned g, enum charset set, uint8_t name);
void screen_set_level(struct screen *s, uint8_t level);
extern const struct vt_calls screen_calls;

/* screen_print.c */
void screen_text(void *arg, const uint8_t *p, size_t n);
void screen_glyph(void *arg, uint32_t code);
void screen_glyphs(void *arg, const uint32_t *codes, size_t n);
uint32_t charset_map(enum charset set, uint32_t code);

/* screen_csi.c, screen_mode.c, screen_sgr.c, screen_osc.c */
void screen_csi(void *arg, uint32_t id, const struct vt_params *p);
void screen_modes(struct screen *s, const struct vt_params *p, bool private, bool on);
void screen_soft_reset(struct screen *s);
void screen_sgr(struct screen *s, const struct vt_params *p);
void pen_extended(struct pen *pen);
void screen_osc(void *arg, const uint8_t *p, size_t n);

/* screen_row.c */
struct out {
	struct buf *b;
	struct pen pen;
	bool failed;
};
void out_put(struct out *o, const void *p, size_t n);
void out_text(struct out *o, const char *text);
void out_printf(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_pen(struct out *o, const struct screen *s, const struct pen *pen);
void out_cell(struct out *o, const struct screen *s, const struct cell *c);
/* The cells of a line from its first column on. */
enum line_end out_line(struct out *o, const struct screen *s, const struct line *l,
		       const struct line *next);
/* True when l goes on from the line above, which was put last. */
bool line_joins(enum line_end above, const struct line *l);
/* What is left of a wide character that was written over: empty, but lines or a link show. */
bool cell_is_remnant(const struct cell *c);
struct pen cell_pen(const struct cell *c);
void back_push_line(struct screen *s, const struct line *l, const struct line *next);

#endif
