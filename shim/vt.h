/*
 * The parser of terminal output: bytes in, one call for each run of text, control and whole sequence.
 *
 * The states and what ends them are xterm.js's (which are Paul Williams's, https://vt100.net/emu/dec_ansi_parser), its
 * treatment of invalid UTF-8 too: what a client of ours does with the same bytes is the measure. Nothing grows:
 * a sequence that is longer than VT_TAIL bytes is passed over. The bytes of the sequence that is not finished yet are kept, so that
 * another terminal can be brought into the same state.
 */
#ifndef CARREL_SHIM_VT_H
#define CARREL_SHIM_VT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	VT_PARAMS = 32, /* xterm.js's limit; more are ignored */
	VT_TAIL = 2048,
	VT_GLYPHS = 128, /* characters given at once */
};

enum vt_state {
	VT_GROUND,
	VT_ESCAPE,
	VT_ESCAPE_INTER,
	VT_CSI_ENTRY,
	VT_CSI_PARAM,
	VT_CSI_INTER,
	VT_CSI_IGNORE,
	VT_DCS_ENTRY,
	VT_DCS_PARAM,
	VT_DCS_INTER,
	VT_DCS_IGNORE,
	VT_DCS_DATA,
	VT_OSC,
	VT_STRING, /* SOS, PM, APC */
};

struct vt_params {
	int32_t v[VT_PARAMS]; /* an empty one is 0 */
	uint8_t n;
	int32_t sub[VT_PARAMS]; /* an empty one is -1 */
	uint8_t n_sub;
	uint8_t sub_from[VT_PARAMS], sub_to[VT_PARAMS]; /* of each parameter */
	bool full, sub_full, in_sub;
};

struct vt {
	enum vt_state state;
	uint32_t collect; /* prefix and intermediate bytes, the first one highest */
	struct vt_params params;
	uint8_t partial[4], n_partial; /* the UTF-8 character that has begun */
	bool too_long;
	size_t n_tail;
	uint8_t tail
		[VT_TAIL]; /* the sequence so far, without the controls that were executed in it */
};

/* What a CSI or an ESC sequence is: its prefix and intermediate bytes, then the final one. */
#define VT_ID1(a)	((uint32_t) (a))
#define VT_ID2(a, b)	((uint32_t) (a) << 8 | (uint32_t) (b))
#define VT_ID3(a, b, c) ((uint32_t) (a) << 16 | (uint32_t) (b) << 8 | (uint32_t) (c))

struct vt_calls {
	void (*text)(void *arg, const uint8_t *p, size_t n); /* 0x20 to 0x7e */
	void (*glyph)(void *arg, uint32_t code);	     /* 0xa0 and above */
	/* The same for several, one after another; NULL: `glyph` for each. */
	void (*glyphs)(void *arg, const uint32_t *codes, size_t n);
	void (*control)(void *arg, uint8_t c); /* C0 and C1 */
	void (*escape)(void *arg, uint32_t id);
	void (*csi)(void *arg, uint32_t id, const struct vt_params *p);
	void (*osc)(void *arg, const uint8_t *p,
		    size_t n); /* "2;title"; valid during the call */
};

void vt_feed(struct vt *v, const uint8_t *p, size_t n, const struct vt_calls *calls, void *arg);

/* The value of parameter i, `or` when it is missing or 0. */
int32_t vt_param(const struct vt_params *p, size_t i, int32_t or);

/* Bytes that bring a parser in its ground state to where this one is, but for an unfinished character; at most VT_TAIL. */
size_t vt_unfinished(const struct vt *v, uint8_t out[VT_TAIL]);

/* Takes characters of 0xa0 and above from the beginning of p, and passes over what is none. Stops at an ASCII character, a C1 control, what is
 * not whole, or when codes is full. Returns how many bytes it took. */
size_t vt_glyphs(const uint8_t *p, size_t n, uint32_t codes[VT_GLYPHS], size_t *n_codes);
/* Whether n bytes may spell this one; n 2 to 4. */
bool vt_is_character(uint32_t code, size_t n);

/* The bytes of a character. Returns how many, at most 4. */
size_t vt_utf8(uint32_t code, uint8_t out[4]);

/* For another program (shim/handover.h); into a zeroed one. */
struct pack;
struct unpack;
void vt_save(const struct vt *v, struct pack *p);
void vt_restore(struct vt *v, struct unpack *u);

#endif
