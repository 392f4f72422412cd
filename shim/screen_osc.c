#include "shim/screen_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Title, palette, links. What is malformed or only a question changes nothing. */

static void set_title(char **at, const char *text)
{
	free(*at);
	*at = strndup(text, SCREEN_MAX_TITLE);
	/* Not inside a character. */
	for (size_t n = *at ? strlen(*at) : 0;
	     n == SCREEN_MAX_TITLE || n + 3 > SCREEN_MAX_TITLE;) {
		uint8_t last = (uint8_t) (*at)[n - 1];

		(*at)[--n] = '\0';
		if (last < 0x80 || last >= 0xc0)
			break;
	}
}

/* The words that X11 and xterm.js know: #rgb, rgb:r/g/b, names. */
static bool is_colour(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n < SCREEN_COLOUR_BYTES &&
	       strspn(text,
		      "#:/.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ") ==
		       n;
}

static void set_palette(struct screen *s, const char *index, const char *colour)
{
	char *end;
	unsigned long i = strtoul(index, &end, 10);

	if (*index < '0' || *index > '9' || *end || i > 255)
		return;
	if (!s->palette && colour[0])
		s->palette = calloc(256, SCREEN_COLOUR_BYTES);
	if (s->palette)
		memcpy(s->palette[i], colour, strlen(colour) + 1); /* is_colour bounds it */
}

static void palette(struct screen *s, char *text)
{
	char *rest = text, *index, *colour;

	while ((index = strsep(&rest, ";")) && (colour = strsep(&rest, ";")))
		if (is_colour(colour))
			set_palette(s, index, colour);
}

static void palette_reset(struct screen *s, char *text)
{
	char *rest = text, *index;

	if (!*text && s->palette)
		memset(s->palette, 0, (size_t) 256 * SCREEN_COLOUR_BYTES);
	while ((index = strsep(&rest, ";")))
		set_palette(s, index, "");
}

/* OSC 10, 11 and 12; more colours in one are for those that follow. */
static void special(struct screen *s, size_t first, char *text)
{
	char *rest = text, *colour;

	while (first < ARRAY_SIZE(s->special) && (colour = strsep(&rest, ";"))) {
		if (is_colour(colour))
			memcpy(s->special[first], colour, strlen(colour) + 1);
		first++;
	}
}

/* "PARAMETERS;URI"; without both the link ends. */
static void set_link(struct screen *s, const char *text)
{
	const char *uri = strchr(text, ';');

	if (!uri || (!uri[1] && uri != text))
		return;
	s->pen.link = uri[1] ? link_number(s, text) : 0;
	pen_extended(&s->pen);
}

static void dispatch(struct screen *s, unsigned long number, char *text)
{
	switch (number) {
	case 0:
	case 1:
	case 2:
		if (number != 1)
			set_title(&s->title, text);
		if (number != 2)
			set_title(&s->icon, text);
		break;
	case 4:
		palette(s, text);
		break;
	case 8:
		set_link(s, text);
		break;
	case 10:
	case 11:
	case 12:
		special(s, number - 10, text);
		break;
	case 104:
		palette_reset(s, text);
		break;
	case 110:
	case 111:
	case 112:
		s->special[number - 110][0] = '\0';
		break;
	}
}

void screen_osc(void *arg, const uint8_t *p, size_t n)
{
	struct screen *s = arg;
	char text[VT_TAIL + 1], *end;
	unsigned long number;

	screen_text_ends(s);
	memcpy(text, p, n);
	text[n] = '\0';
	if (*text < '0' || *text > '9')
		return;
	number = strtoul(text, &end, 10);
	if (*end == ';')
		dispatch(s, number, end + 1);
	else if (*end == '\0')
		dispatch(s, number, end);
}
