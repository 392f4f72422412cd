#include "shim/scan/text.h"

#include "base/util.h"
#include "shim/width.h"

enum {
	BS = 0x08,
	TAB = 0x09,
	LF = 0x0a,
	VTAB = 0x0b,
	FF = 0x0c,
	CR = 0x0d,
	DEL = 0x7f,
	IND = 0x84,
	NEL = 0x85,
	MOVES_MAX = 64, /* a cursor that goes further left than this has gone elsewhere */
};

struct feed {
	struct text *t;
	const struct text_calls *calls;
	void *arg;
};

void text_init(struct text *t, enum text_kind kind, unsigned cols)
{
	*t = (struct text){ .kind = kind,
			    .cols = kind == TEXT_SHOWN ? cols : 0,
			    .clip.lines = kind == TEXT_TYPED };
}

void text_resize(struct text *t, unsigned cols)
{
	if (t->kind == TEXT_SHOWN)
		t->cols = cols;
}

uint64_t text_decided(const struct text *t)
{
	if (t->has_space)
		return t->space;
	return t->vt.n_partial ? t->begun : t->offset;
}

static bool at_margin(const struct text *t)
{
	return t->cols > 0 && t->col >= t->cols;
}

/* Where the cursor is after n columns of characters; a character behind the last column is in the next line. */
static void advance(struct text *t, size_t n)
{
	if (n == 0)
		return;
	if (t->cols == 0)
		t->col += (unsigned) n;
	else
		t->col = (unsigned) ((t->col + n - 1) % t->cols) + 1;
}

static void mark(struct feed *f, uint32_t code)
{
	f->calls->glyph(f->arg, code, 0, f->t->begun, 0);
}

static void take_space(struct feed *f)
{
	struct text *t = f->t;

	if (!t->has_space)
		return;
	t->has_space = false;
	f->calls->run(f->arg, (const uint8_t *) " ", 1, t->space);
}

/* A carriage return that no line feed followed: the line is written over. */
static void take_return(struct feed *f)
{
	if (f->t->cr)
		mark(f, LF);
	f->t->cr = false;
}

static void elsewhere(struct feed *f)
{
	take_space(f);
	f->t->cr = false;
	mark(f, LF);
}

/* ---- controls ---- */

static void line_feed(struct feed *f)
{
	struct text *t = f->t;
	bool wraps = t->cr ? t->cr_at_margin : at_margin(t);

	take_space(f);
	t->cr = false;
	if (!wraps)
		mark(f, LF);
}

static void carriage_return(struct feed *f)
{
	struct text *t = f->t;

	if (t->kind == TEXT_TYPED) { /* the return key */
		mark(f, LF);
		return;
	}
	if (t->has_space) { /* a line editor's way to get into the next line */
		t->has_space = false;
		t->col = 0;
		return;
	}
	if (!t->cr)
		t->cr_at_margin = at_margin(t);
	t->cr = true;
	t->col = 0;
}

static void backspace(struct feed *f)
{
	take_space(f);
	take_return(f);
	if (f->t->col > 0)
		f->t->col--;
	f->calls->erase(f->arg);
}

static void tab(struct feed *f)
{
	struct text *t = f->t;
	unsigned to = (t->col / 8 + 1) * 8;

	take_space(f);
	take_return(f);
	mark(f, TAB);
	t->col = t->cols ? MIN(to, t->cols - 1) : to;
}

static void on_control(void *arg, uint8_t c)
{
	struct feed *f = arg;

	switch (c) {
	case BS:
		backspace(f);
		break;
	case TAB:
		tab(f);
		break;
	case LF:
		line_feed(f);
		break;
	case CR:
		carriage_return(f);
		break;
	case VTAB:
	case FF:
	case IND:
	case NEL:
		elsewhere(f);
		break;
	default:
		/* What a program only beeps at, a line editor acts on. */
		if (f->t->kind == TEXT_TYPED)
			mark(f, LF);
	}
}

/* ---- sequences ---- */

static void move_left(struct feed *f, int32_t n)
{
	if (n > MOVES_MAX) {
		elsewhere(f);
		return;
	}
	for (int32_t i = 0; i < n; i++)
		backspace(f);
}

static void move_right(struct feed *f, int32_t n)
{
	take_space(f);
	take_return(f);
	mark(f, ' ');
	f->t->col += (unsigned) MIN(n, INT16_MAX);
	if (f->t->cols)
		f->t->col = MIN(f->t->col, f->t->cols - 1);
}

/* To the first column from behind the last one is a wrap, done by hand. */
static void move_to(struct feed *f, int32_t col, bool other_line)
{
	struct text *t = f->t;
	unsigned to = (unsigned) MIN(col - 1, INT16_MAX);
	bool wraps = other_line && to == 0 && at_margin(t) && !t->has_space;

	if (!wraps && (other_line || to != t->col))
		elsewhere(f);
	t->col = to;
}

static void on_csi(void *arg, uint32_t id, const struct vt_params *p)
{
	struct feed *f = arg;
	int32_t n = vt_param(p, 0, 1);

	if (f->t->kind ==
	    TEXT_TYPED) { /* a key that moves; but not the marks around what is pasted */
		if (id != '~' || (n != 200 && n != 201))
			mark(f, LF);
		return;
	}
	switch (id) {
	case 'C':
		move_right(f, n);
		break;
	case 'D':
		move_left(f, n);
		break;
	case 'G':
	case '`':
		move_to(f, n, false);
		break;
	case 'H':
	case 'f':
		move_to(f, vt_param(p, 1, 1), true);
		break;
	case 'E':
		move_to(f, 1, true);
		break;
	case 'A':
	case 'B':
	case 'F':
	case 'd':
	case 'u':
		elsewhere(f);
		break;
	default: /* colours, modes, erasing: the text goes on where it was */
		break;
	}
}

static void on_escape(void *arg, uint32_t id)
{
	struct feed *f = arg;

	if (f->t->kind == TEXT_TYPED || id == 'D' || id == 'E' || id == 'M' || id == 'c' ||
	    id == '8')
		elsewhere(f);
}

static void on_osc(void *arg, const uint8_t *p, size_t n) {}

/* ---- characters ---- */

static void on_glyph(void *arg, uint32_t code)
{
	struct feed *f = arg;
	struct text *t = f->t;
	unsigned width = width_of(code);

	take_space(f);
	take_return(f);
	/* A wide one does not fit into the last column. */
	if (width == 2 && t->cols > 1 && t->col == t->cols - 1)
		t->col = t->cols;
	advance(t, width);
	f->calls->glyph(f->arg, code, width, t->begun, (size_t) (t->offset + 1 - t->begun));
}

static void on_text(void *arg, const uint8_t *p, size_t n)
{
	struct feed *f = arg;
	struct text *t = f->t;

	take_space(f);
	take_return(f);
	if (at_margin(t) && *p == ' ' && n == 1) {
		t->has_space = true;
		t->space = t->offset;
	} else
		f->calls->run(f->arg, p, n, t->offset);
	advance(t, n);
}

static const struct vt_calls vt_hooks = { .text = on_text,
					  .glyph = on_glyph,
					  .control = on_control,
					  .escape = on_escape,
					  .csi = on_csi,
					  .osc = on_osc };

/* Printable ASCII with nothing unfinished before it. Returns how many bytes were taken. */
static size_t plain_run(struct feed *f, const uint8_t *p, size_t n)
{
	struct text *t = f->t;
	size_t i = 0;

	if (t->vt.state != VT_GROUND || t->vt.n_partial || *p < 0x20 || *p >= DEL)
		return 0;
	if (*p == ' ' && at_margin(t))
		i = 1;
	else
		while (i < n && p[i] >= 0x20 && p[i] < DEL)
			i++;
	/* A run ends at a space behind the margin, which is looked at alone. */
	for (size_t k = t->cols ? t->cols - t->col % (t->cols + 1) : i; t->cols && k < i;
	     k += t->cols)
		if (k > 0 && p[k] == ' ')
			i = k;
	t->begun = t->offset;
	on_text(f, p, i);
	for (size_t k = 0; k < i && !clip_idle(&t->clip); k++)
		clip_take(&t->clip, p[k], t->offset + k, &f->calls->clip, f->arg);
	t->offset += i;
	return i;
}

/* ---- escape strings ---- */

static bool in_string(const struct text *t)
{
	return t->vt.state >= VT_DCS_ENTRY;
}

/* What vt_feed has just read of a string; partial: a character of several bytes had begun before it. */
static void string_byte(struct feed *f, uint8_t b, bool partial)
{
	const struct text *t = f->t;
	size_t n = (size_t) (t->offset + 1 - t->begun);
	uint32_t code = b;

	if (b == DEL || b < 0x20 || t->vt.n_partial > 0)
		return;
	if (b >= 0x80) {
		if (!partial)
			return;
		code = t->vt.partial[0] & (0xffU >> (n + 1));
		for (size_t i = 1; i < n; i++)
			code = code << 6 | (t->vt.partial[i] & 0x3f);
		if (!vt_is_character(code, n))
			return;
	}
	f->calls->string_glyph(f->arg, code, width_of(code), t->begun, n);
}

/* A C1 control ends a string, and may begin another one. */
static bool is_c1(const struct text *t, uint8_t b, bool partial)
{
	return partial && t->vt.n_partial == 0 && t->vt.partial[0] == 0xc2 && b >= 0x80 &&
	       b < 0xa0;
}

static void one_shown(struct feed *f, const uint8_t *p)
{
	struct text *t = f->t;
	bool before = in_string(t), partial = t->vt.n_partial > 0, again;

	vt_feed(&t->vt, p, 1, &vt_hooks, f);
	again = before && in_string(t) && is_c1(t, *p, partial);
	if (before && (!in_string(t) || again))
		f->calls->string_end(f->arg);
	else if (before)
		string_byte(f, *p, partial);
	if (in_string(t) && (!before || again))
		f->calls->string_begin(f->arg);
}

static void one_other(struct feed *f, const uint8_t *p)
{
	struct text *t = f->t;

	if (*p == DEL && t->kind == TEXT_TYPED && t->vt.state == VT_GROUND)
		backspace(f);
	else
		vt_feed(&t->vt, p, 1, &vt_hooks, f);
	/* But for a terminal nobody hides what is in a string, or promises that it ever ends. */
	if (in_string(t))
		t->vt.state = VT_GROUND;
}

/* ---- bytes ---- */

static void one_byte(struct feed *f, const uint8_t *p)
{
	struct text *t = f->t;

	if (t->vt.n_partial == 0 || (*p & 0xc0) != 0x80)
		t->begun = t->offset;
	if (t->kind == TEXT_SHOWN)
		one_shown(f, p);
	else
		one_other(f, p);
	clip_take(&t->clip, *p, t->offset, &f->calls->clip, f->arg);
	t->offset++;
}

void text_feed(struct text *t, const uint8_t *p, size_t n, const struct text_calls *calls,
	       void *arg)
{
	struct feed f = { .t = t, .calls = calls, .arg = arg };
	size_t i = 0;

	while (i < n) {
		size_t took = plain_run(&f, p + i, n - i);

		if (took == 0) {
			one_byte(&f, p + i);
			took = 1;
		}
		i += took;
	}
}

void text_settle(struct text *t, const struct text_calls *calls, void *arg)
{
	struct feed f = { .t = t, .calls = calls, .arg = arg };

	take_space(&f);
	clip_settle(&t->clip, t->offset, &calls->clip, arg);
}
