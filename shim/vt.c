#include "shim/vt.h"

#include <string.h>

#include "base/util.h"
#include "shim/scan.h"

/*
 * Controls inside an escape or control sequence are executed at once and leave it as it is; inside strings they are
 * passed over. CAN and SUB end everything, ESC begins anew everywhere. A C1 control counts as a character of its own, which
 * only UTF-8 (0xc2 0x80 ...) can spell.
 */

enum { CAN = 0x18, SUB = 0x1a, ESC = 0x1b, DEL = 0x7f, BEL = 0x07 };

struct feed {
	struct vt *v;
	const struct vt_calls *calls;
	void *arg;
};

int32_t vt_param(const struct vt_params *p, size_t i, int32_t or)
{
	return i < p->n && p->v[i] != 0 ? p->v[i] : or ;
}

size_t vt_utf8(uint32_t code, uint8_t out[4])
{
	if (code < 0x80) {
		out[0] = (uint8_t) code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (uint8_t) (0xc0 | code >> 6);
		out[1] = (uint8_t) (0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (uint8_t) (0xe0 | code >> 12);
		out[1] = (uint8_t) (0x80 | (code >> 6 & 0x3f));
		out[2] = (uint8_t) (0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (uint8_t) (0xf0 | code >> 18);
	out[1] = (uint8_t) (0x80 | (code >> 12 & 0x3f));
	out[2] = (uint8_t) (0x80 | (code >> 6 & 0x3f));
	out[3] = (uint8_t) (0x80 | (code & 0x3f));
	return 4;
}

/* ---- parameters ---- */

static void params_clear(struct vt_params *p)
{
	p->n = p->n_sub = 0;
	p->full = p->sub_full = p->in_sub = false;
}

static void params_next(struct vt_params *p)
{
	p->in_sub = false;
	if (p->n >= VT_PARAMS) {
		p->full = true;
		return;
	}
	p->sub_from[p->n] = p->sub_to[p->n] = p->n_sub;
	p->v[p->n++] = 0;
}

static void params_next_sub(struct vt_params *p)
{
	p->in_sub = true;
	if (p->full || p->n_sub >= VT_PARAMS) {
		p->sub_full = true;
		return;
	}
	p->sub[p->n_sub++] = -1;
	p->sub_to[p->n - 1]++;
}

static void params_digit(struct vt_params *p, int32_t digit)
{
	int32_t *at;
	int64_t value;

	if (p->full || (p->in_sub && p->sub_full))
		return;
	at = p->in_sub ? &p->sub[p->n_sub - 1] : &p->v[p->n - 1];
	value = (*at < 0 ? 0 : (int64_t) *at * 10) + digit;
	*at = (int32_t) MIN(value, INT32_MAX);
}

static void params_take(struct vt_params *p, uint32_t c)
{
	if (c == ';')
		params_next(p);
	else if (c == ':')
		params_next_sub(p);
	else
		params_digit(p, (int32_t) c - '0');
}

/* ---- the sequence so far ---- */

static void keep(struct vt *v, uint32_t c)
{
	if (v->n_tail + 4 > VT_TAIL)
		v->too_long = true;
	else
		v->n_tail += vt_utf8(c, v->tail + v->n_tail);
}

static void begin(struct vt *v, enum vt_state state, uint32_t introducer)
{
	v->state = state;
	v->collect = 0;
	v->n_tail = 0;
	v->too_long = false;
	params_clear(&v->params);
	params_next(&v->params);
	keep(v, ESC);
	if (introducer)
		keep(v, introducer);
}

size_t vt_unfinished(const struct vt *v, uint8_t out[VT_TAIL])
{
	/* What was passed over since it was too long goes on in a form that every terminal passes over. */
	static const char *const instead[] = {
		[VT_CSI_IGNORE] = "\033[0?", [VT_DCS_IGNORE] = "\033P0?",
		[VT_DCS_DATA] = "\033P0?",   [VT_OSC] = "\033]7777;",
		[VT_STRING] = "\033X",
	};
	const char *text;
	size_t n;

	if (v->state == VT_GROUND)
		return 0;
	if (!v->too_long) {
		memcpy(out, v->tail, v->n_tail);
		return v->n_tail;
	}
	text = v->state < ARRAY_SIZE(instead) && instead[v->state] ? instead[v->state]
								   : "\033[0?";
	for (n = 0; text[n]; n++)
		out[n] = (uint8_t) text[n];
	return n;
}

/* ---- states ---- */

static bool is_executed(uint32_t c)
{
	return c < 0x20 && c != CAN && c != SUB && c != ESC;
}

static void control(struct feed *f, uint32_t c)
{
	f->calls->control(f->arg, (uint8_t) c);
}

static void osc_end(struct feed *f, uint32_t c)
{
	struct vt *v = f->v;

	/* Aborted, or longer than is kept: it never was. */
	if (c != CAN && c != SUB && !v->too_long)
		f->calls->osc(f->arg, v->tail + 2, v->n_tail - 2);
	if (c == ESC)
		begin(v, VT_ESCAPE, 0);
	else
		v->state = VT_GROUND;
}

/* True when c means the same in every state. */
static bool anywhere(struct feed *f, uint32_t c)
{
	struct vt *v = f->v;

	if (v->state == VT_OSC && (c == ESC || c == CAN || c == SUB || c == BEL || c == 0x9c))
		osc_end(f, c);
	else if (c == ESC)
		begin(v, VT_ESCAPE, 0);
	else if (c == CAN || c == SUB) {
		/* At the end of a device control string they are part of it. */
		if (v->state != VT_DCS_DATA)
			control(f, c);
		v->state = VT_GROUND;
	} else if (c < 0x80 || c >= 0xa0)
		return false;
	else if (c == 0x90)
		begin(v, VT_DCS_ENTRY, 'P');
	else if (c == 0x9b)
		begin(v, VT_CSI_ENTRY, '[');
	else if (c == 0x9d)
		begin(v, VT_OSC, ']');
	else if (c == 0x98 || c == 0x9e || c == 0x9f)
		begin(v, VT_STRING, 'X');
	else {
		v->state = VT_GROUND;
		if (c != 0x9c)
			control(f, c);
	}
	return true;
}

static void in_ground(struct feed *f, uint32_t c)
{
	uint8_t byte = (uint8_t) c;

	if (c >= 0xa0)
		f->calls->glyph(f->arg, c);
	else if (is_executed(c))
		control(f, c);
	else if (c != DEL)
		f->calls->text(f->arg, &byte, 1);
}

static void escape_done(struct feed *f, uint32_t c)
{
	uint32_t id = f->v->collect << 8 | c;

	f->v->state = VT_GROUND;
	f->calls->escape(f->arg, id);
}

static void in_escape(struct feed *f, uint32_t c)
{
	struct vt *v = f->v;

	keep(v, c);
	if (c >= 0x20 && c < 0x30) {
		v->collect = v->collect << 8 | c;
		v->state = VT_ESCAPE_INTER;
	} else if (v->state == VT_ESCAPE_INTER)
		escape_done(f, c);
	else if (c == '[')
		v->state = VT_CSI_ENTRY;
	else if (c == ']')
		v->state = VT_OSC;
	else if (c == 'P')
		v->state = VT_DCS_ENTRY;
	else if (c == 'X' || c == '^' || c == '_')
		v->state = VT_STRING;
	else
		escape_done(f, c);
}

static void csi_done(struct feed *f, uint32_t c)
{
	struct vt *v = f->v;
	uint32_t id = v->collect << 8 | c;
	bool known = v->state != VT_CSI_IGNORE;

	v->state = VT_GROUND;
	if (known)
		f->calls->csi(f->arg, id, &v->params);
}

static void in_csi(struct feed *f, uint32_t c)
{
	struct vt *v = f->v;

	keep(v, c);
	if (v->too_long)
		v->state = VT_CSI_IGNORE;
	if (c >= 0x40)
		csi_done(f, c);
	else if (v->state == VT_CSI_IGNORE)
		return;
	else if (c < 0x30) {
		v->collect = v->collect << 8 | c;
		v->state = VT_CSI_INTER;
	} else if (v->state == VT_CSI_INTER)
		v->state = VT_CSI_IGNORE;
	else if (c < 0x3c) {
		v->state = VT_CSI_PARAM;
		params_take(&v->params, c);
	} else if (v->state == VT_CSI_ENTRY) {
		v->collect = v->collect << 8 | c;
		v->state = VT_CSI_PARAM;
	} else
		v->state = VT_CSI_IGNORE;
}

/* Device control strings mean nothing to the screen; only where they end does. */
static void in_dcs(struct feed *f, uint32_t c)
{
	struct vt *v = f->v;

	keep(v, c);
	if (v->state == VT_DCS_IGNORE || v->state == VT_DCS_DATA)
		return;
	if (c >= 0x40)
		v->state = VT_DCS_DATA;
	else if (c < 0x30)
		v->state = VT_DCS_INTER;
	else if (v->state == VT_DCS_INTER || (v->state == VT_DCS_PARAM && c >= 0x3c))
		v->state = VT_DCS_IGNORE;
	else
		v->state = VT_DCS_PARAM;
}

static void take(struct feed *f, uint32_t c)
{
	struct vt *v = f->v;
	bool wide = c >= 0xa0;

	if (v->state == VT_GROUND && c >= 0x20 && (c < DEL || wide)) {
		in_ground(f, c);
		return;
	}
	if (anywhere(f, c))
		return;
	switch (v->state) {
	case VT_GROUND:
		in_ground(f, c);
		break;
	case VT_ESCAPE:
	case VT_ESCAPE_INTER:
	case VT_CSI_ENTRY:
	case VT_CSI_PARAM:
	case VT_CSI_INTER:
	case VT_CSI_IGNORE:
		if (wide && v->state != VT_CSI_IGNORE)
			v->state = VT_GROUND;
		else if (is_executed(c))
			control(f, c);
		else if (c == DEL || wide)
			break;
		else if (v->state <= VT_ESCAPE_INTER)
			in_escape(f, c);
		else
			in_csi(f, c);
		break;
	case VT_DCS_ENTRY:
	case VT_DCS_PARAM:
	case VT_DCS_INTER:
		if (wide)
			v->state = VT_GROUND;
		else if (!is_executed(c) && c != DEL)
			in_dcs(f, c);
		break;
	case VT_DCS_IGNORE:
	case VT_DCS_DATA:
		keep(v, c);
		break;
	case VT_OSC:
		if (!is_executed(c))
			keep(v, c);
		break;
	case VT_STRING:
		if (wide)
			v->state = VT_GROUND;
		else if (!is_executed(c))
			keep(v, c);
		break;
	}
}

/* ---- bytes ---- */

static size_t length_of(uint8_t first)
{
	if ((first & 0xe0) == 0xc0)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return (first & 0xf8) == 0xf0 ? 4 : 0;
}

/* The character is complete; an invalid one counts as nothing. */
static void character(struct feed *f)
{
	struct vt *v = f->v;
	size_t n = v->n_partial;
	uint32_t c = v->partial[0] & (0xffU >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (v->partial[i] & 0x3f);
	v->n_partial = 0;
	if (vt_is_character(c, n))
		take(f, c);
}

static void take_byte(struct feed *f, uint8_t b)
{
	struct vt *v = f->v;

	if (v->n_partial > 0 && (b & 0xc0) != 0x80)
		v->n_partial = 0; /* it ended too early and is dropped */
	if (b < 0x80)
		take(f, b);
	else if (v->n_partial > 0) {
		v->partial[v->n_partial++] = b;
		if (v->n_partial == length_of(v->partial[0]))
			character(f);
	} else if (length_of(b) > 0)
		v->partial[v->n_partial++] = b;
}

/* In the ground state, with nothing begun. Returns how many bytes were taken. */
static size_t plain(const struct feed *f, const uint8_t *p, size_t n)
{
	uint32_t codes[VT_GLYPHS];
	size_t n_codes, took;

	if (*p < 0x80) {
		took = scan_text(p, n);
		if (took > 0)
			f->calls->text(f->arg, p, took);
		return took;
	}
	if (!f->calls->glyphs)
		return 0;
	took = vt_glyphs(p, n, codes, &n_codes);
	if (n_codes > 0)
		f->calls->glyphs(f->arg, codes, n_codes);
	return took;
}

void vt_feed(struct vt *v, const uint8_t *p, size_t n, const struct vt_calls *calls, void *arg)
{
	struct feed f = { .v = v, .calls = calls, .arg = arg };
	size_t i = 0;

	while (i < n) {
		size_t took = 0;

		if (v->state == VT_GROUND && v->n_partial == 0)
			took = plain(&f, p + i, n - i);
		if (took == 0)
			take_byte(&f, p[i++]);
		i += took;
	}
}
