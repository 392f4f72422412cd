/*
 * What a person reads in a stream of bytes: the text that rules are matched on, character by character, each with
 * the bytes that it stands in.
 *
 * Escape sequences are left out; a line that a terminal broke at its right margin is one line; a backspace takes the
 * character before it back; whatever moves the cursor elsewhere counts as a line feed. What stands inside OSC, DCS and
 * other strings of a terminal's output is a text of its own, and so is what is for the clipboard (clip.h). The rules in full are in docs/policies.md. Knows no rules and keeps no text.
 */
#ifndef CARREL_SHIM_SCAN_TEXT_H
#define CARREL_SHIM_SCAN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/scan/clip.h"
#include "shim/vt.h"

enum text_kind {
	TEXT_SHOWN, /* output of a program with a terminal */
	TEXT_TYPED, /* what is sent to one */
	TEXT_PLAIN, /* pipes: nothing wraps */
};

struct text_calls {
	/* n characters of one byte and one column each, from this offset on. */
	void (*run)(void *arg, const uint8_t *p, size_t n, uint64_t offset);
	/* One character of n_raw bytes; n_raw 0: it says what the text means (a line feed), and no byte is its. */
	void (*glyph)(void *arg, uint32_t code, unsigned width, uint64_t offset, size_t n_raw);
	/* The last character is taken back. */
	void (*erase)(void *arg);
	/* What stands in an escape string of a terminal's output, a text of its own. */
	void (*string_begin)(void *arg);
	void (*string_glyph)(void *arg, uint32_t code, unsigned width, uint64_t offset,
			     size_t n_raw);
	void (*string_end)(void *arg);
	struct clip_calls clip; /* of any kind of text */
};

struct text {
	struct vt vt;
	enum text_kind kind;
	unsigned cols;	 /* 0: nothing wraps */
	unsigned col;	 /* == cols: a character stands in the last column */
	uint64_t offset; /* of the next byte */
	uint64_t begun;	 /* where the character begins that is at work */
	uint64_t space;	 /* where the space is that may only have made the line wrap */
	bool has_space;
	struct clip clip;
	bool cr, cr_at_margin; /* a carriage return came last; it came in the last column */
};

/* `cols` is the terminal's width; 0 without one. */
void text_init(struct text *t, enum text_kind kind, unsigned cols);
void text_resize(struct text *t, unsigned cols);

void text_feed(struct text *t, const uint8_t *p, size_t n, const struct text_calls *calls,
	       void *arg);
/* From this offset on it is not decided yet what the bytes are; text->offset when all is. */
uint64_t text_decided(const struct text *t);
/* Nothing may come any more, or not soon enough: what is not decided is what it seems to be. */
void text_settle(struct text *t, const struct text_calls *calls, void *arg);

#endif
