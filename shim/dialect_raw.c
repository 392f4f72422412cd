/*
 * No protocol at all: what comes is input, what goes is output. xterm.js's attach addon, websocat, and whoever offers no
 * subprotocol.
 */
#include "base/err.h"
#include "shim/dialect.h"

static int decode(struct dialect_state *s, const uint8_t *p, size_t n, struct dialect_in *in,
		  struct err *e)
{
	*in = (struct dialect_in){ .ask = DIALECT_INPUT, .data = p, .n = n };
	return 0;
}

static size_t head(uint8_t out[DIALECT_HEAD], enum dialect_stream stream, uint64_t offset)
{
	return 0;
}

const struct dialect dialect_raw = {
	.name = "raw",
	.accepts_text = true,
	.decode = decode,
	.head = head,
};
