#include "shim/screen_model.h"

#include <string.h>

#include "base/util.h"

/* Modes that are one bit. */
static const struct {
	bool private;
	uint16_t number;
	uint32_t bit;
} bits[] = {
	{ false, 4, MODE_INSERT }, { false, 20, MODE_NEWLINE }, { true, 1, MODE_CURSOR_KEYS },
	{ true, 7, MODE_WRAP },	   { true, 25, MODE_CURSOR },	{ true, 45, MODE_REVERSE_WRAP },
	{ true, 66, MODE_KEYPAD }, { true, 1004, MODE_FOCUS },	{ true, 2004, MODE_PASTE },
	{ true, 2026, MODE_SYNC },
};

static void show_alternate(struct screen *s)
{
	struct cell blank = screen_blank(s);

	if (s->at == &s->alt || !grid_open(s, &s->alt))
		return;
	s->alt.x = s->main.x;
	s->alt.y = s->main.y;
	s->at = &s->alt;
	for (int y = 0; y < s->rows; y++)
		line_fill(s, &s->alt.rows[y], &blank, false);
}

static void show_main(struct screen *s)
{
	if (s->at == &s->main)
		return;
	s->main.x = s->alt.x;
	s->main.y = s->alt.y;
	grid_close(s, &s->alt);
	grid_reset(s, &s->alt);
	s->at = &s->main;
}

static void ascii_again(struct screen *s)
{
	for (unsigned g = 0; g < ARRAY_SIZE(s->charsets); g++)
		screen_set_charset(s, g, CHARSET_ASCII, 'B');
}

static void private_mode(struct screen *s, uint16_t number, bool on)
{
	switch (number) {
	case 2:
		if (on)
			ascii_again(s);
		break;
	case 6:
		s->modes = on ? s->modes | MODE_ORIGIN : s->modes & ~MODE_ORIGIN;
		screen_set_cursor(s, 0, 0);
		break;
	case 9:
	case 1000:
	case 1002:
	case 1003:
		s->mouse = on ? number : 0;
		break;
	case 12:
		s->blink = on ? 'h' : 'l';
		break;
	case 1006:
	case 1016:
		s->mouse_encoding = on ? number : 0;
		break;
	case 1048:
		if (on)
			screen_save_cursor(s);
		else
			screen_restore_cursor(s);
		break;
	case 1049:
		if (on)
			screen_save_cursor(s);
		/* fallthrough */
	case 47:
	case 1047:
		if (on)
			show_alternate(s);
		else
			show_main(s);
		if (!on && number == 1049)
			screen_restore_cursor(s);
		break;
	}
}

void screen_modes(struct screen *s, const struct vt_params *p, bool private, bool on)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(bits); k++)
			if (bits[k].private == private && bits[k].number == p->v[i])
				s->modes =
					on ? s->modes | bits[k].bit : s->modes & ~bits[k].bit;
		if (private && p->v[i] <= UINT16_MAX)
			private_mode(s, (uint16_t) p->v[i], on);
	}
}

void screen_soft_reset(struct screen *s)
{
	struct grid *g = s->at;

	s->modes = (s->modes & MODE_NEWLINE) | MODE_CURSOR | MODE_WRAP;
	s->cursor_style = 0;
	g->top = 0;
	g->bottom = s->rows - 1;
	s->pen = (struct pen){ 0 };
	s->level = 0;
	s->charset = CHARSET_ASCII;
	memset(s->charset_names, 'B', sizeof(s->charset_names));
	memset(s->charsets, 0, sizeof(s->charsets));
	g->saved = (struct saved){ 0 };
}
