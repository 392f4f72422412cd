/*
 * ttyd's `tty`: a character, then what belongs to it. Its page and the clients written for it.
 */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"
#include "shim/dialect.h"

enum tty_type {
	TTY_OUTPUT = '0', /* from the server */
	TTY_TITLE = '1',
	TTY_PREFERENCES = '2',

	TTY_INPUT = '0', /* from the client */
	TTY_RESIZE = '1',
	TTY_PAUSE = '2',
	TTY_RESUME = '3',
	TTY_HELLO =
		'{' /* the first message is the object itself: {"AuthToken":"","columns":80,"rows":24} */
};

static int greet(const struct dialect_greeting *g, const struct dialect_out *out, struct err *e)
{
	auto_buf struct buf title = BUF_LIMIT(256);
	static const char preferences[] = { TTY_PREFERENCES, '{', '}' };

	if (buf_printf(&title, e, "%ccarrel %s", TTY_TITLE, g->id) < 0)
		return -1;
	out->put(out->arg, buf_bytes(&title), buf_len(&title));
	out->put(out->arg, preferences, sizeof(preferences));
	return 0;
}

static int decode_size(struct dialect_state *s, const uint8_t *p, size_t n,
		       struct dialect_in *in, struct err *e)
{
	const struct json *v = dialect_json(s, p, n, e);

	if (!v)
		return err_wrap(e, "tty: size");
	dialect_take_size(json_get(v, "columns"), json_get(v, "rows"), in);
	return 0;
}

static int decode(struct dialect_state *s, const uint8_t *p, size_t n, struct dialect_in *in,
		  struct err *e)
{
	*in = (struct dialect_in){ .data = p + 1, .n = n - 1 };
	switch (p[0]) {
	case TTY_INPUT:
		in->ask = DIALECT_INPUT;
		return 0;
	case TTY_RESIZE:
		return decode_size(s, p + 1, n - 1, in, e);
	case TTY_HELLO:
		return decode_size(s, p, n, in, e);
	case TTY_PAUSE:
		in->ask = DIALECT_PAUSE;
		return 0;
	case TTY_RESUME:
		in->ask = DIALECT_RESUME;
		return 0;
	default: /* as its server does: what it does not know it skips */
		return 0;
	}
}

static size_t head(uint8_t out[DIALECT_HEAD], enum dialect_stream stream, uint64_t offset)
{
	out[0] = TTY_OUTPUT;
	return 1;
}

const struct dialect dialect_tty = {
	.name = "tty",
	.accepts_text = true,
	.greet = greet,
	.decode = decode,
	.head = head,
};
