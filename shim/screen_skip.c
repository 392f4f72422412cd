#include "shim/screen_model.h"

#include <string.h>

#include "base/buf.h"
#include "base/util.h"
#include "shim/scan.h"

/*
 * A short cut for long plain text, with the result of the long way.
 *
 * Where a terminal is in its plain state (no scroll region, no character set, no insertion, the default tab stops) and a
 * piece of output is nothing but lines (printable characters, tabs, colours of the text, each ended by CR LF), the lines in its
 * middle do not have to be drawn: they run through the last row one after another and scroll away. Those
 * that are short enough go into the history as they are; of the colours in them only the sum counts. The first lines are
 * drawn until the cursor stands on the last row and everything below it is fresh, the last lines since they stay.
 */

enum {
	MOST_SGR = 64,	  /* bytes of one colour sequence */
	MOST_LINE = 1024, /* drawn before the next look */
};

static bool is_plain_state(const struct screen *s)
{
	const struct grid *g = s->at;

	if (s->vt.state != VT_GROUND || s->vt.n_partial > 0 || g->top != 0 ||
	    g->bottom != s->rows - 1 || s->charset != CHARSET_ASCII || s->pen.link ||
	    s->pen.bg & COLOUR_ANY ||
	    (s->modes & (MODE_INSERT | MODE_WRAP | MODE_ORIGIN)) != MODE_WRAP)
		return false;
	for (int x = 0; x < s->cols; x++)
		if (tabs_get(g, x) != (x % 8 == 0))
			return false;
	return true;
}

/* The length of a colour sequence that leaves the background alone; 0: it is something else. */
static size_t sgr_length(const uint8_t *p, size_t n)
{
	size_t i = 2;

	if (n < 3 || p[1] != '[')
		return 0;
	while (i < MIN(n, (size_t) MOST_SGR) && ((p[i] >= '0' && p[i] <= '9') || p[i] == ';')) {
		bool starts = p[i - 1] == ';' || p[i - 1] == '[';

		/* 38, 48 and 58 take parameters of their own, 40 to 49 and 100 to 107 are backgrounds. */
		if (starts && i + 1 < n && (p[i] == '4' || (p[i] == '1' && p[i + 1] == '0')) &&
		    p[i + 1] >= '0' && p[i + 1] <= '9')
			return 0;
		if (starts && i + 1 < n && (p[i] == '3' || p[i] == '5') && p[i + 1] == '8')
			return 0;
		i++;
	}
	return i < MIN(n, (size_t) MOST_SGR) && p[i] == 'm' ? i + 1 : 0;
}

static bool is_c1(const uint8_t *p, size_t n)
{
	return n >= 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

/* One line with its CR LF; 0: it is not a plain one, or not whole. *sgr says whether it has colours. */
static size_t plain_line(const uint8_t *p, size_t n, bool *sgr)
{
	size_t i = 0;

	*sgr = false;
	for (;;) {
		size_t k;

		i += scan_plain(p + i, n - i);
		if (i >= n)
			return 0;
		if (p[i] == '\r')
			return i + 1 < n && p[i + 1] == '\n' ? i + 2 : 0;
		if (p[i] == '\t' || (p[i] == 0xc2 && i + 1 < n && !is_c1(p + i, n - i))) {
			i++;
			continue;
		}
		k = p[i] == 0x1b ? sgr_length(p + i, n - i) : 0;
		if (k == 0)
			return 0;
		*sgr = true;
		i += k;
	}
}

/* ---- the parts ---- */

/* How many plain lines the text begins with, and how many bytes they are. */
static size_t count_lines(const uint8_t *p, size_t n, size_t most, size_t *bytes)
{
	size_t lines = 0, k;
	bool sgr;

	*bytes = 0;
	while (lines < most && (k = plain_line(p + *bytes, n - *bytes, &sgr)) > 0) {
		*bytes += k;
		lines++;
	}
	return lines;
}

/* Where the last `lines` of n bytes begin. */
static size_t back_lines(const uint8_t *p, size_t n, size_t lines)
{
	for (; lines > 0 && n > 1; lines--) {
		const uint8_t *feed = memrchr(p, '\n', n - 1);

		n = feed ? (size_t) (feed - p) + 1 : 0;
	}
	return n;
}

/* From the last sequence on that resets all attributes: what stood before it is forgotten. */
static size_t last_reset(const uint8_t *p, size_t n)
{
	const uint8_t *at;
	size_t end = n;

	while (end > 0 && (at = memrchr(p, 0x1b, end))) {
		size_t left = n - (size_t) (at - p);

		if ((left >= 3 && memcmp(at, "\033[m", 3) == 0) ||
		    (left >= 4 && memcmp(at, "\033[0m", 4) == 0))
			return (size_t) (at - p);
		end = (size_t) (at - p);
	}
	return 0;
}

/* Only the colours. */
static void feed_sgr(struct screen *s, const uint8_t *p, size_t n)
{
	size_t from = last_reset(p, n);
	const uint8_t *at;

	while (from < n && (at = memchr(p + from, 0x1b, n - from))) {
		size_t k = sgr_length(at, n - (size_t) (at - p));

		screen_feed(s, at, k);
		from = (size_t) (at - p) + k;
	}
}

/* A line as a record is what it was printed with, between the pens that it began and ended with. */
static void keep_line(struct screen *s, const uint8_t *p, size_t n, bool sgr)
{
	static const struct pen none;
	struct buf *text = back_scratch(s);
	struct out o = { .b = text };
	struct record r = { .cols = (uint16_t) MIN(n, (size_t) UINT16_MAX) };
	const void *bytes = p;

	r.n = r.cols;
	if (sgr || s->pen.fg != none.fg || s->pen.bg != none.bg || s->pen.ul != none.ul ||
	    s->pen.link != none.link) {
		out_pen(&o, s, &s->pen);
		out_put(&o, p, n);
		feed_sgr(s, p, n);
		o.pen = s->pen;
		out_pen(&o, s, &none);
		r.n = (uint16_t) (o.failed ? 0 : buf_len(text));
		bytes = buf_bytes(text);
	} else if (n > UINT16_MAX)
		r.n = 0; /* longer than all that is kept */
	back_push(s, &r, bytes);
}

/* Lines that leave no trace but in the history. */
static void pass_lines(struct screen *s, const uint8_t *p, size_t n, size_t lines)
{
	size_t from = n > s->limits.scrollback_bytes ? n - s->limits.scrollback_bytes : 0;
	size_t records = s->limits.scrollback_bytes / (2 * sizeof(struct record)) + 1;
	bool sgr;

	if (from > 0)
		from = back_lines(p, from, 1);
	if (lines > records)
		from = MAX(from, back_lines(p, n, records));
	if (s->at == &s->main) {
		s->scrolled += (int64_t) lines;
		s->main.saved.y -= (int) lines;
	} else
		from = n;
	feed_sgr(s, p, from);
	while (from < n) {
		size_t k = plain_line(p + from, n - from, &sgr);

		keep_line(s, p + from, k - 2, sgr);
		from += k;
	}
}

/* p: `lines` plain lines and no more. */
static void feed_lines(struct screen *s, const uint8_t *p, size_t n, size_t lines)
{
	size_t rows = (size_t) s->rows, head = rows - (size_t) s->at->y, head_bytes, tail;

	if (lines <= head + rows) {
		screen_feed(s, p, n);
		return;
	}
	(void) count_lines(p, n, head, &head_bytes);
	screen_feed(s, p, head_bytes);
	/* Now the cursor stands on the last row, which is new; all above it will be gone. */
	for (size_t i = 1; i < rows; i++)
		screen_scroll(s, false);
	s->at->y = 0;
	tail = back_lines(p, n, rows);
	pass_lines(s, p + head_bytes, tail - head_bytes, lines - head - rows);
	screen_feed(s, p + tail, n - tail);
}

void screen_feed_bulk(struct screen *s, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	while (n > 0) {
		size_t k = 0, lines = is_plain_state(s) ? count_lines(p, n, SIZE_MAX, &k) : 0;

		if (lines > 0)
			feed_lines(s, p, k, lines);
		else {
			/* To the end of what is not plain, at least of this line. */
			const uint8_t *feed = memchr(p, '\n', MIN(n, (size_t) MOST_LINE));

			k = feed ? (size_t) (feed - p) + 1 : MIN(n, (size_t) MOST_LINE);
			screen_feed(s, p, k);
		}
		p += k;
		n -= k;
	}
}
