/*
 * terminado's JSON, which Jupyter's terminals speak: text messages, each an array whose first element names it.
 *
 * Output becomes the text of a JSON string, so it must be UTF-8: a character that is cut by the end of what is there
 * waits for its rest, and a byte that belongs to none becomes U+FFFD.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "shim/dialect.h"

static const char open_text[] = "[\"stdout\",\"", close_text[] = "\"]";
static const uint8_t replacement[] = { 0xef, 0xbf, 0xbd };

static int greet(const struct dialect_greeting *g, const struct dialect_out *out, struct err *e)
{
	static const char setup[] = "[\"setup\",{}]";

	out->put(out->arg, setup, sizeof(setup) - 1);
	return 0;
}

static int decode(struct dialect_state *s, const uint8_t *p, size_t n, struct dialect_in *in,
		  struct err *e)
{
	const struct json *v = dialect_json(s, p, n, e), *name = json_at_index(v, 0), *first;

	*in = (struct dialect_in){ 0 };
	if (!v)
		return err_wrap(e, "terminado");
	if (v->type != JSON_ARRAY || !name || name->type != JSON_STRING)
		return err_set(e, EPROTO,
			       "terminado: a message is an array that begins with "
			       "a name");
	first = json_at_index(v, 1);
	if (strcmp(name->str.s, "stdin") == 0) {
		if (!first || first->type != JSON_STRING)
			return err_set(e, EPROTO, "terminado: stdin without a text");
		in->ask = DIALECT_INPUT;
		in->data = (const uint8_t *) first->str.s;
		in->n = first->str.n;
	} else if (strcmp(name->str.s, "set_size") == 0) /* rows come first */
		dialect_take_size(json_at_index(v, 2), first, in);
	return 0;
}

/* The character at p, of n bytes, as a JSON string has it; returns how many bytes that is, at most 6 for each. */
static size_t put_char(uint8_t *out, const uint8_t *p, size_t n)
{
	static const char names[] = "btn\0fr",
			  hex[] = "0123456789abcdef"; /* names of 8 to 13 */
	char name = p[0] >= 8 && p[0] <= 13 ? names[p[0] - 8] : '\0';

	if (p[0] == '"' || p[0] == '\\')
		name = (char) p[0];
	else if (p[0] >= 0x20) {
		memcpy(out, p, n);
		return n;
	}
	out[0] = '\\';
	out[1] = name ? (uint8_t) name : 'u';
	if (name)
		return 2;
	out[2] = out[3] = '0';
	out[4] = (uint8_t) hex[p[0] >> 4];
	out[5] = (uint8_t) hex[p[0] & 15];
	return 6;
}

/* The text of p, which is this client's tail and what follows it; what is cut at the end is the new tail. */
static size_t put_text(struct dialect_state *s, uint8_t *out, const uint8_t *p, size_t n)
{
	size_t done = 0;

	s->n_tail = 0;
	for (size_t i = 0, k; i < n; i += k) {
		k = str_utf8_len(p + i, n - i);
		if (k > 0) {
			done += put_char(out + done, p + i, k);
			continue;
		}
		if (str_utf8_is_cut(p + i, n - i)) {
			s->n_tail = (uint8_t) (n - i);
			memcpy(s->tail, p + i, s->n_tail);
			break;
		}
		memcpy(out + done, replacement, sizeof(replacement));
		done += sizeof(replacement);
		k = 1;
	}
	return done;
}

static int encode(struct dialect_state *s, enum dialect_stream stream, const struct iovec *v,
		  int n_v, struct buf *message, struct err *e)
{
	uint8_t text[DIALECT_ENCODE + sizeof(s->tail)];
	size_t n = s->n_tail, k;

	memcpy(text, s->tail, n);
	for (int i = 0; i < n_v; i++) {
		memcpy(text + n, v[i].iov_base, v[i].iov_len);
		n += v[i].iov_len;
	}
	if (buf_append(message, open_text, sizeof(open_text) - 1, e) < 0 ||
	    buf_reserve(message, 6 * n, e) < 0)
		return -1;
	k = put_text(s, message->data + message->tail, text, n);
	if (k == 0) {
		buf_clear(message);
		return 0;
	}
	message->tail += k;
	return buf_append(message, close_text, sizeof(close_text) - 1, e);
}

static void exit_message(struct dialect_state *s, const struct dialect_out *out,
			 const struct dialect_exit *x)
{
	static const char disconnect[] = "[\"disconnect\",1]",
			  cut[] = "[\"stdout\",\"\\ufffd\"]";

	if (s->n_tail > 0)
		out->put(out->arg, cut, sizeof(cut) - 1);
	s->n_tail = 0;
	out->put(out->arg, disconnect, sizeof(disconnect) - 1);
}

const struct dialect dialect_terminado = {
	.name = "terminado",
	.sends_text = true,
	.accepts_text = true,
	.greet = greet,
	.decode = decode,
	.encode = encode,
	.exit = exit_message,
};
