#include "shim/queries.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/vt.h"

enum { ENQ = 0x05, CAN = 0x18, SUB = 0x1a, ESC = 0x1b, C1_LEAD = 0xc2 };

/*
 * The screen's own parser says where sequences begin and end and what they are; one byte at a time, and those of the sequence that
 * has begun are held until its end. Controls inside it are executed at once, so they pass before it.
 */
struct queries {
	struct vt vt;
	uint8_t held[VT_TAIL];
	size_t n;
	bool query;    /* the sequence that just ended asks something */
	bool executed; /* the byte was a control inside a sequence */
	bool passing;  /* longer than can be held: it passes to its end */
	const char *
		instead; /* what a question leaves where the terminal is in the middle of something */
};

/* ---- what asks ---- */

/* CSI ... by prefix, intermediates and final byte; those that are questions only with some first parameters name them. */
static const struct {
	uint32_t id;
	uint32_t params; /* a bit for each from 0 to 31; 0: any */
} csi_queries[] = {
	{ VT_ID1('c'), 0 },	 /* DA1 */
	{ VT_ID2('>', 'c'), 0 }, /* DA2 */
	{ VT_ID2('=', 'c'), 0 }, /* DA3 */
	{ VT_ID1('n'), 0 },	 /* DSR */
	{ VT_ID2('?', 'n'), 0 }, /* DSR, DEC's */
	{ VT_ID2('>', 'q'), 0 }, /* XTVERSION */
	{ VT_ID2('$', 'p'), 0 }, /* DECRQM, ANSI modes */
	{ VT_ID3('?', '$', 'p'), 0 },
	{ VT_ID1('x'), 0 },	  /* DECREQTPARM */
	{ VT_ID2('?', 'u'), 0 },  /* keyboard protocol */
	{ VT_ID2('?', 'm'), 0 },  /* XTQMODKEYS */
	{ VT_ID2('?', 'S'), 0 },  /* XTSMGRAPHICS */
	{ VT_ID2('*', 'y'), 0 },  /* DECRQCRA */
	{ VT_ID2('$', 'w'), 0 },  /* DECRQPSR */
	{ VT_ID2('$', 'u'), 0 },  /* DECRQTSR */
	{ VT_ID2('&', 'u'), 0 },  /* DECRQUPSS */
	{ VT_ID2('+', 'x'), 0 },  /* DECRQPKFM */
	{ VT_ID2('\'', '|'), 0 }, /* DECRQLP */
	{ VT_ID2('#', '|'), 0 },  /* XTREPORTSGR */
	{ VT_ID2('#', 'R'), 0 },  /* XTREPORTCOLORS */
	{ VT_ID1('t'),		  /* reports about the window */
	  1U << 11 | 1U << 13 | 1U << 14 | 1U << 15 | 1U << 16 | 1U << 18 | 1U << 19 |
		  1U << 20 | 1U << 21 },
};

static void on_csi(void *arg, uint32_t id, const struct vt_params *p)
{
	struct queries *q = arg;
	uint32_t first = (uint32_t) p->v[0];

	for (size_t i = 0; i < ARRAY_SIZE(csi_queries); i++)
		if (csi_queries[i].id == id &&
		    (csi_queries[i].params == 0 ||
		     (first < 32 && csi_queries[i].params >> first & 1)))
			q->query = true;
}

static void on_escape(void *arg, uint32_t id)
{
	struct queries *q = arg;

	q->query |= id == 'Z'; /* DECID */
}

/* "11;?", "4;1;?;2;?", "52;c;?": a value that is a question mark. One that also sets a colour goes too. */
static void on_osc(void *arg, const uint8_t *p, size_t n)
{
	struct queries *q = arg;
	size_t number = 0;

	while (number < n && p[number] >= '0' && p[number] <= '9')
		number++;
	if (number == 0) /* a title may well end in ;? */
		return;
	if (number == 1 && p[0] <= '2')
		return;
	for (size_t i = number; i + 1 < n; i++)
		q->query |= p[i] == ';' && p[i + 1] == '?' && (i + 2 == n || p[i + 2] == ';');
}

/* DECRQSS and XTGETTCAP: ESC P ... $ q and ESC P ... + q, by the tail that the parser keeps. */
static bool asks_status(const struct vt *v)
{
	return v->n_tail >= 4 && v->tail[v->n_tail - 1] == 'q' &&
	       (v->tail[v->n_tail - 2] == '$' || v->tail[v->n_tail - 2] == '+');
}

static void on_control(void *arg, uint8_t c)
{
	struct queries *q = arg;

	q->executed = q->vt.state != VT_GROUND && c != CAN && c != SUB;
	q->query |= c == ENQ && !q->executed;
}

static void on_text(void *arg, const uint8_t *p, size_t n) {}

static void on_glyph(void *arg, uint32_t code) {}

static const struct vt_calls calls = { .text = on_text,
				       .glyph = on_glyph,
				       .control = on_control,
				       .escape = on_escape,
				       .csi = on_csi,
				       .osc = on_osc };

/* ---- what is held ---- */

/* The terminal has the beginning of the question: it is to forget it. */
static const char begun_before[] = "\030";
/* The question broke off another sequence, or ended it: something has to do that. */
static const char broken_off[] = "\033\\";

struct queries *queries_new(void)
{
	struct queries *q = xalloc(sizeof(*q));

	*q = (struct queries){ 0 };
	return q;
}

void queries_free(struct queries *q)
{
	free(q);
}

/* The first n bytes that are held pass, or go when they ask. */
static int settle(struct queries *q, size_t n, struct buf *out, struct err *e)
{
	const char *instead = q->instead;
	bool query = q->query && !q->passing;
	int r = 0;

	q->query = false;
	q->instead = NULL;
	if (!query)
		r = buf_append(out, q->held, n, e);
	else if (instead)
		r = buf_append(out, instead, strlen(instead), e);
	q->n -= n;
	memmove(q->held, q->held + n, q->n);
	return r;
}

/* How many bytes at the end of what is held have just begun a sequence, maybe in the middle of another. */
static size_t begun(const struct queries *q, uint8_t b, bool after_lead)
{
	static const uint8_t c1[] = { 0x90, 0x98, 0x9b, 0x9d, 0x9e, 0x9f };

	if (q->vt.state == VT_ESCAPE && b == ESC)
		return 1;
	return after_lead && memchr(c1, b, sizeof(c1)) ? 2 : 0;
}

static int one_byte(struct queries *q, uint8_t b, struct buf *out, struct err *e)
{
	enum vt_state before = q->vt.state;
	size_t partial = q->vt.n_partial;
	bool after_lead = q->vt.n_partial == 1 && q->vt.partial[0] == C1_LEAD;
	size_t anew;

	if (q->n == sizeof(q->held)) {
		q->passing = true;
		if (settle(q, q->n, out, e) < 0)
			return -1;
	}
	q->held[q->n++] = b;
	q->executed = false;
	vt_feed(&q->vt, &b, 1, &calls, q);
	if (q->executed) { /* before the sequence that it stands in */
		/* A character that it broke off is nothing, and is not to become one by that. */
		q->n -= MIN(q->n, 1 + partial);
		return b == ENQ ? 0 : buf_append(out, &b, 1, e);
	}
	q->query |= q->vt.state == VT_DCS_DATA && before != VT_DCS_DATA && asks_status(&q->vt);
	anew = begun(q, b, after_lead && q->n > 1);
	if (anew > 0) {
		bool open = before != VT_GROUND && (!q->query || q->passing);

		if (settle(q, q->n - anew, out, e) < 0)
			return -1;
		q->passing = false;
		q->instead = open ? broken_off : NULL;
	}
	if (q->vt.state == VT_GROUND && q->vt.n_partial == 0) {
		if (settle(q, q->n, out, e) < 0)
			return -1;
		q->passing = false;
	}
	return q->passing ? settle(q, q->n, out, e) : 0;
}

/* Bytes that begin nothing and ask nothing. */
static size_t harmless(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != ESC && p[i] != C1_LEAD && p[i] != ENQ)
		i++;
	return i;
}

void queries_preface(struct queries *q, const void *p, size_t n)
{
	vt_feed(&q->vt, p, n, &calls, q);
	q->query = q->executed = false;
	q->instead = q->vt.state != VT_GROUND ? begun_before : NULL;
}

int queries_filter(struct queries *q, const void *bytes, size_t n, struct buf *out,
		   struct err *e)
{
	const uint8_t *p = bytes;

	while (n > 0) {
		bool ground = q->vt.state == VT_GROUND && q->n == 0;
		size_t k = ground ? harmless(p, n) : 0;
		int r;

		if (k > 0) {
			r = buf_append(out, p, k, e);
			q->vt.n_partial = 0;
		} else {
			r = one_byte(q, *p, out, e);
			k = 1;
		}
		if (r < 0)
			return -1;
		p += k;
		n -= k;
	}
	return 0;
}

int queries_end(struct queries *q, struct buf *out, struct err *e)
{
	size_t n = q->n;

	q->n = 0;
	return buf_append(out, q->held, n, e);
}

/* ---- hand-over ---- */

static const char *const insteads[] = { NULL, begun_before, broken_off };

void queries_save(const struct queries *q, struct pack *p)
{
	uint8_t instead = 0;

	for (size_t i = 1; i < ARRAY_SIZE(insteads); i++)
		if (q->instead == insteads[i])
			instead = (uint8_t) i;
	pack_tag(p, "qury");
	vt_save(&q->vt, p);
	pack_bytes(p, q->held, q->n);
	pack_bool(p, q->query);
	pack_bool(p, q->passing);
	pack_u8(p, instead);
}

void queries_restore(struct queries *q, struct unpack *u)
{
	const void *held;
	size_t n;

	unpack_tag(u, "qury");
	vt_restore(&q->vt, u);
	held = unpack_bytes(u, sizeof(q->held), &n);
	if (held) {
		memcpy(q->held, held, n);
		q->n = n;
	}
	q->query = unpack_bool(u);
	q->passing = unpack_bool(u);
	q->instead =
		insteads[unpack_u8_to(u, ARRAY_SIZE(insteads) - 1, "what a question leaves")];
}
