#include "shim/proto.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"

static void put_be(uint8_t *p, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t) (v >> (8 * (bytes - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* What the body of each type that a client may send can be; the others have no name here. */
static const struct rule {
	const char *name;
	size_t min, max;
} rules[] = {
	[PROTO_INPUT] = { "INPUT", 0, SIZE_MAX },
	[PROTO_RESIZE] = { "RESIZE", 4, 4 },
	[PROTO_ACK] = { "ACK", 8, 8 },
	[PROTO_PING] = { "PING", 0, PROTO_MAX_PING },
	[PROTO_INPUT_END] = { "INPUT_END", 0, 0 },
	[PROTO_PEN] = { "PEN", 1, 1 },
};

static int decode_resize(const uint8_t *p, struct proto_in *out, struct err *e)
{
	unsigned cols = (unsigned) get_be(p, 2), rows = (unsigned) get_be(p + 2, 2);

	if (cols < 1 || cols > PROTO_MAX_SIZE || rows < 1 || rows > PROTO_MAX_SIZE)
		return err_set(e, EPROTO,
			       "RESIZE: %u columns and %u rows: both must be 1 to %d", cols,
			       rows, PROTO_MAX_SIZE);
	out->cols = (uint16_t) cols;
	out->rows = (uint16_t) rows;
	return 0;
}

int proto_decode(const uint8_t *p, size_t n, struct proto_in *out, struct err *e)
{
	struct proto_in m = { .type = p[0], .data = p + 1, .n = n - 1 };
	const struct rule *rule;

	if (p[0] >= ARRAY_SIZE(rules) || !rules[p[0]].name)
		return err_set(e, EPROTO, "message of unknown type 0x%02x", p[0]);
	rule = &rules[p[0]];
	if (m.n < rule->min || m.n > rule->max)
		return err_set(e, EPROTO, "%s: %zu bytes where %s%zu belong", rule->name, m.n,
			       rule->min == rule->max ? "" : "at most ", rule->max);
	if (m.type == PROTO_RESIZE && decode_resize(m.data, &m, e) < 0)
		return -1;
	if (m.type == PROTO_PEN && m.data[0] > 1)
		return err_set(e, EPROTO, "PEN: %u is neither 1 (take) nor 0 (give back)",
			       m.data[0]);
	if (m.type == PROTO_ACK)
		m.offset = get_be(m.data, 8);
	*out = m;
	return 0;
}

size_t proto_offset(uint8_t out[PROTO_OUTPUT_HEAD], enum proto_type type, uint64_t offset)
{
	out[0] = (uint8_t) type;
	put_be(out + 1, offset, 8);
	return 9;
}

size_t proto_range(uint8_t out[PROTO_MAX_SMALL], enum proto_type type, uint64_t from,
		   uint64_t to)
{
	out[0] = (uint8_t) type;
	put_be(out + 1, from, 8);
	put_be(out + 9, to, 8);
	return 17;
}

size_t proto_size(uint8_t out[PROTO_MAX_SMALL], uint16_t cols, uint16_t rows)
{
	out[0] = PROTO_SIZE;
	put_be(out + 1, cols, 2);
	put_be(out + 3, rows, 2);
	return 5;
}

size_t proto_screen(uint8_t out[PROTO_SCREEN_HEAD], uint64_t offset, uint16_t cols,
		    uint16_t rows)
{
	out[0] = PROTO_SCREEN;
	put_be(out + 1, offset, 8);
	put_be(out + 9, cols, 2);
	put_be(out + 11, rows, 2);
	return PROTO_SCREEN_HEAD;
}

size_t proto_pong(uint8_t out[PROTO_MAX_SMALL], const uint8_t *p, size_t n)
{
	out[0] = PROTO_PONG;
	memcpy(out + 1, p, n);
	return 1 + n;
}

/* The type byte, then an object that the caller fills. */
static struct json_writer *begin(struct buf *out, enum proto_type type, struct err *e)
{
	uint8_t byte = (uint8_t) type;
	struct json_writer *w;

	if (buf_append(out, &byte, 1, e) < 0)
		return NULL;
	w = json_writer_new(out, false);
	jw_object(w, NULL);
	return w;
}

int proto_hello(struct buf *out, const struct proto_hello *h, struct err *e)
{
	auto_json_writer struct json_writer *w = begin(out, PROTO_HELLO, e);

	if (!w)
		return -1;
	jw_int(w, "version", 1);
	jw_str(w, "id", h->id);
	jw_uint(w, "client", h->client);
	jw_uint(w, "process", h->process);
	jw_str(w, "role", h->role);
	jw_uint(w, "oldest", h->oldest);
	jw_uint(w, "next", h->next);
	jw_uint(w, "cols", h->cols);
	jw_uint(w, "rows", h->rows);
	jw_uint(w, "window", h->window);
	if (h->policy)
		jw_str(w, "policy", h->policy);
	jw_close(w);
	return json_writer_end(w, e);
}

int proto_exit(struct buf *out, const char *reason, int code, int signal, struct err *e)
{
	auto_json_writer struct json_writer *w = begin(out, PROTO_EXIT, e);

	if (!w)
		return -1;
	jw_str(w, "reason", reason);
	jw_int(w, "code", code);
	jw_int(w, "signal", signal);
	jw_close(w);
	return json_writer_end(w, e);
}

int proto_notice(struct buf *out, const char *kind, uint64_t seconds_left, const char *rule,
		 struct err *e)
{
	auto_json_writer struct json_writer *w = begin(out, PROTO_NOTICE, e);

	if (!w)
		return -1;
	jw_str(w, "kind", kind);
	if (rule)
		jw_str(w, "rule", rule);
	else
		jw_uint(w, "seconds_left", seconds_left);
	jw_close(w);
	return json_writer_end(w, e);
}
