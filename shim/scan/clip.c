#include "shim/scan/clip.h"

#include "base/util.h"
#include "shim/vt.h"

enum {
	BEL = 0x07,
	LF = 0x0a,
	CR = 0x0d,
	CAN = 0x18,
	SUB = 0x1a,
	ESC = 0x1b,
	OSC = 0x9d,
	RAW_MAX = 200, /* bytes of one character, most of which are none of the alphabet */
};

struct feed {
	struct clip *c;
	const struct clip_calls *calls;
	void *arg;
};

/* The bytes up to this offset become a character, or none. */
static void give(struct feed *f, uint32_t code, uint64_t to)
{
	struct clip *c = f->c;

	if (to > c->raw)
		f->calls->glyph(f->arg, code, c->raw, (size_t) (to - c->raw));
	c->raw = to;
}

/* ---- the text ---- */

static size_t length_of(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if ((first & 0xe0) == 0xc0)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return (first & 0xf8) == 0xf0 ? 4 : 0;
}

static uint32_t code_of(const uint8_t *p, size_t n)
{
	uint32_t code = n == 1 ? p[0] : p[0] & (0xffU >> (n + 1));

	for (size_t i = 1; i < n; i++)
		code = code << 6 | (p[i] & 0x3f);
	return code;
}

/* Controls but line feed and tab do not count. */
static bool counts(uint32_t code, size_t n)
{
	if (n > 1)
		return vt_is_character(code, n) && code >= 0xa0;
	return code == '\n' || code == '\t' || (code >= 0x20 && code < 0x7f);
}

static void text_byte(struct feed *f, uint8_t b, uint64_t to)
{
	struct clip *c = f->c;
	size_t n;

	if (c->n_partial > 0 && (b & 0xc0) != 0x80)
		c->n_partial = 0; /* it ended too early and is dropped */
	if (c->n_partial == 0 && length_of(b) == 0)
		return;
	c->partial[c->n_partial++] = b;
	n = length_of(c->partial[0]);
	if (c->n_partial < n)
		return;
	c->n_partial = 0;
	if (counts(code_of(c->partial, n), n))
		give(f, code_of(c->partial, n), to);
}

/* ---- Base64 ---- */

static int value_of(uint8_t b)
{
	if (b >= 'A' && b <= 'Z')
		return b - 'A';
	if (b >= 'a' && b <= 'z')
		return b - 'a' + 26;
	if (b >= '0' && b <= '9')
		return b - '0' + 52;
	if (b == '+' || b == '-')
		return 62;
	return b == '/' || b == '_' ? 63 : -1;
}

static void payload(struct feed *f, uint8_t b, uint64_t to)
{
	struct clip *c = f->c;
	int v = value_of(b);

	if (b == '=')
		c->n_bits = 0;
	if (v >= 0) {
		c->bits = (c->bits << 6 | (uint32_t) v) & 0xffff;
		c->n_bits += 6;
	}
	if (c->n_bits >= 8) {
		c->n_bits -= 8;
		text_byte(f, (uint8_t) (c->bits >> c->n_bits), to);
	}
	if (to - c->raw >= RAW_MAX)
		give(f, 0, to);
}

/* ---- around it ---- */

static void payload_begins(struct feed *f, uint64_t from)
{
	struct clip *c = f->c;

	c->state = CLIP_PAYLOAD;
	c->n_bits = c->n_partial = 0;
	c->raw = from;
	f->calls->begin(f->arg);
}

static void leave(struct feed *f, enum clip_state next, uint64_t at)
{
	struct clip *c = f->c;

	if (c->state == CLIP_PAYLOAD) {
		give(f, 0, at);
		f->calls->end(f->arg);
	}
	c->state = next;
	c->match = 0;
}

static void plain(struct feed *f, uint8_t b, uint64_t offset)
{
	static const char number[] = "52;";
	struct clip *c = f->c;

	switch (c->state) {
	case CLIP_IDLE:
		break;
	case CLIP_ESCAPE:
		c->state = b == ']' ? CLIP_NUMBER : CLIP_IDLE;
		break;
	case CLIP_NUMBER:
		if (b != (uint8_t) number[c->match++])
			leave(f, CLIP_IDLE, offset);
		else if (c->match == sizeof(number) - 1)
			c->state = CLIP_TARGET;
		break;
	case CLIP_TARGET:
		if (b == ';')
			payload_begins(f, offset + 1);
		break;
	case CLIP_PAYLOAD:
		payload(f, b, offset + 1);
	}
}

/* A C1 control is a character of two bytes, 0xc2 first. */
static bool is_c1(struct clip *c, uint8_t b)
{
	bool second = c->c2 && b >= 0x80 && b < 0xa0;

	c->c2 = b == 0xc2;
	return second;
}

void clip_take(struct clip *c, uint8_t byte, uint64_t offset, const struct clip_calls *calls,
	       void *arg)
{
	struct feed f = { .c = c, .calls = calls, .arg = arg };

	if (is_c1(c, byte))
		leave(&f, byte == OSC ? CLIP_NUMBER : CLIP_IDLE, offset - 1);
	else if (byte == 0xc2 && c->state == CLIP_PAYLOAD)
		return; /* what it is shows the next byte */
	else if (byte == ESC)
		leave(&f, CLIP_ESCAPE, offset);
	else if (byte == BEL || byte == CAN || byte == SUB ||
		 (c->lines && (byte == LF || byte == CR)))
		leave(&f, CLIP_IDLE, offset);
	else if (byte >= 0x20)
		plain(&f, byte, offset);
	else if (c->state == CLIP_PAYLOAD)
		payload(&f, byte, offset + 1);
}

void clip_settle(struct clip *c, uint64_t offset, const struct clip_calls *calls, void *arg)
{
	struct feed f = { .c = c, .calls = calls, .arg = arg };

	if (c->state == CLIP_PAYLOAD)
		give(&f, 0, offset - c->c2);
}
