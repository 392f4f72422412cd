/*
 * What a program puts on the clipboard: OSC 52, whose text stands in Base64. Found in raw bytes, whatever else they are, and decoded
 * byte by byte: each character of the text with the bytes that it stands in.
 *
 * As lenient as terminals are: controls do not count, nor does what is not of the alphabet; both alphabets are read. Knows no rules.
 */
#ifndef CARREL_SHIM_SCAN_CLIP_H
#define CARREL_SHIM_SCAN_CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum clip_state { CLIP_IDLE, CLIP_ESCAPE, CLIP_NUMBER, CLIP_TARGET, CLIP_PAYLOAD };

struct clip {
	enum clip_state state;
	bool lines;   /* the end of a line ends it: what is typed */
	bool c2;      /* a C1 control may have begun */
	size_t match; /* of "52;" */
	uint32_t bits;
	unsigned n_bits;
	uint8_t partial[4], n_partial;
	uint64_t raw; /* from here on the bytes belong to the next character */
};

struct clip_calls {
	void (*begin)(void *arg);
	/* Of bytes [offset, offset + n_raw); code 0: they are no character. n_raw is at most 255. */
	void (*glyph)(void *arg, uint32_t code, uint64_t offset, size_t n_raw);
	void (*end)(void *arg);
};

/* Whether a byte that may be printed changes nothing. */
static inline bool clip_idle(const struct clip *c)
{
	return c->state == CLIP_IDLE && !c->c2;
}

void clip_take(struct clip *c, uint8_t byte, uint64_t offset, const struct clip_calls *calls,
	       void *arg);

/* The bytes before this offset go on: those of the next character are told of now, as none. */
void clip_settle(struct clip *c, uint64_t offset, const struct clip_calls *calls, void *arg);

#endif
