#include "shim/screen_model.h"

#include "base/util.h"

/* Whether the pen has what most cells have not; as in xterm.js the colour of underlines alone does not count. */
void pen_extended(struct pen *pen)
{
	if (pen->link || pen->ul & UL_STYLE_MASK)
		pen->bg |= BG_EXTENDED;
	else
		pen->bg &= ~BG_EXTENDED;
}

static void set_underline(struct pen *pen, int32_t style)
{
	if (style < 0 || style > 5)
		style = 1;
	pen->ul = (pen->ul & ~UL_STYLE_MASK) | UL_STYLE(style);
	if (style > 0)
		pen->fg |= FG_UNDERLINE;
	else
		pen->fg &= ~FG_UNDERLINE;
	pen_extended(pen);
}

static void reset_pen(struct pen *pen)
{
	uint8_t link = pen->link;

	*pen = (struct pen){ .link = link };
	pen_extended(pen);
}

static void set_colour(uint32_t *at, uint32_t colour)
{
	*at = (*at & ~COLOUR_ANY) | colour;
}

static void set_colour_of(uint32_t *at, const int32_t accu[6])
{
	if (accu[1] == 2)
		set_colour(at, COLOUR_RGB | ((uint32_t) accu[3] & 255) << 16 |
				       ((uint32_t) accu[4] & 255) << 8 |
				       ((uint32_t) accu[5] & 255));
	else if (accu[1] == 5)
		set_colour(at, COLOUR_256 | ((uint32_t) accu[3] & 255));
}

/* 38, 48 or 58 in all its spellings: 38;5;N, 38;2;R;G;B, 38:2:SPACE:R:G:B and mixtures, as xterm.js reads them. accu is
 * target, kind, colour space, three values. Returns how many parameters were used beside the first. */
static size_t extended_colour(struct pen *pen, const struct vt_params *p, size_t at)
{
	int32_t accu[6] = { 0, 0, -1, 0, 0, 0 };
	size_t skip = 0, used = 0;

	do {
		accu[used + skip] = p->v[at + used];
		if (p->sub_to[at + used] > p->sub_from[at + used]) {
			size_t n = p->sub_to[at + used] - p->sub_from[at + used], i = 0;

			do {
				if (accu[1] == 5)
					skip = 1;
				if (used + i + 1 + skip < ARRAY_SIZE(accu))
					accu[used + i + 1 + skip] =
						p->sub[p->sub_from[at + used] + i];
			} while (++i < n && i + used + 1 + skip < ARRAY_SIZE(accu));
			break;
		}
		if ((accu[1] == 5 && used + skip >= 2) || (accu[1] == 2 && used + skip >= 5))
			break;
		if (accu[1])
			skip = 1;
	} while (++used + at < p->n && used + skip < ARRAY_SIZE(accu));
	for (size_t i = 2; i < ARRAY_SIZE(accu); i++)
		accu[i] = MAX(accu[i], 0);
	set_colour_of(accu[0] == 38 ? &pen->fg : accu[0] == 48 ? &pen->bg : &pen->ul, accu);
	return used;
}

/* The attributes that are one bit: what sets it, what clears it. */
static const struct attribute {
	uint8_t on, off;
	uint32_t fg, bg;
} attributes[] = {
	{ 1, 22, FG_BOLD, 0 },	 { 2, 22, 0, BG_DIM },	     { 3, 23, 0, BG_ITALIC },
	{ 5, 25, FG_BLINK, 0 },	 { 7, 27, FG_INVERSE, 0 },   { 8, 28, FG_INVISIBLE, 0 },
	{ 9, 29, FG_STRIKE, 0 }, { 53, 55, 0, BG_OVERLINE },
};

static void set_attribute(struct pen *pen, int32_t v)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		const struct attribute *a = &attributes[i];

		if (v == a->on) {
			pen->fg |= a->fg;
			pen->bg |= a->bg;
		} else if (v == a->off) {
			pen->fg &= ~a->fg;
			pen->bg &= ~a->bg;
		}
	}
}

/* 30 to 37, 90 to 97 and the like for the background. */
static bool set_short_colour(struct pen *pen, int32_t v)
{
	uint32_t *at = v >= 100 || (v >= 40 && v < 50) ? &pen->bg : &pen->fg;
	int32_t bright = v >= 90 ? 8 : 0, colour = v % 10;

	if (v < 30 || v > 107 || (v > 49 && v < 90) || colour > 7)
		return false;
	set_colour(at, COLOUR_16 | (uint32_t) (colour | bright));
	return true;
}

void screen_sgr(struct screen *s, const struct vt_params *p)
{
	struct pen *pen = &s->pen;

	for (size_t i = 0; i < p->n; i++) {
		int32_t v = p->v[i];

		if (v == 0)
			reset_pen(pen);
		else if (v == 4)
			set_underline(pen, p->sub_to[i] > p->sub_from[i]
						   ? p->sub[p->sub_from[i]]
						   : 1);
		else if (v == 21 || v == 24)
			set_underline(pen, v == 21 ? 2 : 0);
		else if (v == 38 || v == 48 || v == 58)
			i += extended_colour(pen, p, i);
		else if (v == 39 || v == 49)
			set_colour(v == 39 ? &pen->fg : &pen->bg, 0);
		else if (v == 59) { /* no colour of its own; xterm.js makes it white */
			set_colour(&pen->ul, COLOUR_ANY);
			pen_extended(pen);
		} else if (!set_short_colour(pen, v))
			set_attribute(pen, v);
	}
}
