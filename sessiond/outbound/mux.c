#include "sessiond/outbound/mux.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t) (v >> (24 - 8 * i));
}

bool mux_host_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= MUX_HOST_MAX && !s[n] && s[0] != '-' && s[n - 1] != '-';
}

/* ---- one function per payload; p and n are what stands behind the head ---- */

enum { HELLO_FIXED = 9 };

static int decode_hello(const uint8_t *p, size_t n, struct mux_frame *f, struct err *e)
{
	size_t n_host = n - HELLO_FIXED;

	f->hello.version = p[0];
	f->hello.streams = get32(p + 1);
	f->hello.window = get32(p + 5);
	memcpy(f->hello.host, p + HELLO_FIXED, n_host);
	f->hello.host[n_host] = 0;
	if (n_host && (strlen(f->hello.host) != n_host || !mux_host_ok(f->hello.host)))
		return err_set(e, EPROTO, "HELLO: its host is no label of DNS");
	if (f->hello.streams < 1 || f->hello.streams > MUX_STREAMS_MAX)
		return err_set(e, EPROTO, "HELLO: %u streams are not within 1 and %d",
			       f->hello.streams, MUX_STREAMS_MAX);
	if (f->hello.window < MUX_WINDOW_MIN || f->hello.window > MUX_WINDOW_MAX)
		return err_set(e, EPROTO, "HELLO: a window of %u is not within %d and %d",
			       f->hello.window, MUX_WINDOW_MIN, MUX_WINDOW_MAX);
	return 0;
}

static int decode_bytes(const uint8_t *p, size_t n, struct mux_frame *f, struct err *e)
{
	f->data.p = p;
	f->data.n = n;
	return 0;
}

static int decode_credit(const uint8_t *p, size_t n, struct mux_frame *f, struct err *e)
{
	f->credit = get32(p);
	return f->credit ? 0 : err_set(e, EPROTO, "CREDIT: of no byte");
}

static int decode_end(const uint8_t *p, size_t n, struct mux_frame *f, struct err *e)
{
	return 0;
}

/* It may end in a log or before a person. */
static int decode_reset(const uint8_t *p, size_t n, struct mux_frame *f, struct err *e)
{
	f->reset.code = (uint16_t) (p[0] << 8 | p[1]);
	for (size_t i = 2; i < n; i++)
		f->reset.reason[i - 2] = p[i] >= 0x20 && p[i] < 0x7f ? (char) p[i] : '?';
	f->reset.reason[n - 2] = 0;
	return 0;
}

static int decode_time(const uint8_t *p, size_t n, struct mux_frame *f, struct err *e)
{
	f->time_ns = (uint64_t) get32(p) << 32 | get32(p + 4);
	return 0;
}

/* clang-format off */
static const struct rule {
	const char *name;
	size_t min, max; /* of the payload */
	bool connection; /* of stream 0, all others of another */
	int (*decode)(const uint8_t *p, size_t n, struct mux_frame *f, struct err *e);
} rules[] = {
	[MUX_HELLO] = { "HELLO", HELLO_FIXED, HELLO_FIXED + MUX_HOST_MAX, true, decode_hello },
	[MUX_OPEN] = { "OPEN", 2, MUX_META_MAX, false, decode_bytes },
	[MUX_DATA] = { "DATA", 1, MUX_DATA_MAX, false, decode_bytes },
	[MUX_CREDIT] = { "CREDIT", 4, 4, false, decode_credit },
	[MUX_END] = { "END", 0, 0, false, decode_end },
	[MUX_RESET] = { "RESET", 2, 2 + MUX_REASON_MAX, false, decode_reset },
	[MUX_PING] = { "PING", 8, 8, true, decode_time },
	[MUX_PONG] = { "PONG", 8, 8, true, decode_time },
};
/* clang-format on */

int mux_decode(const void *bytes, size_t n, struct mux_frame *out, struct err *e)
{
	const uint8_t *p = bytes;
	struct mux_frame f = { 0 };
	const struct rule *r;

	if (n < MUX_HEAD)
		return err_set(e, EPROTO, "a message of %zu bytes", n);
	if (p[0] >= ARRAY_SIZE(rules) || !rules[p[0]].name)
		return err_set(e, EPROTO, "a message of the unknown type %u", p[0]);
	r = &rules[p[0]];
	f.type = (enum mux_type) p[0];
	f.stream = get32(p + 1);
	n -= MUX_HEAD;
	if (n < r->min || n > r->max)
		return err_set(e, EPROTO, "%s: a payload of %zu bytes", r->name, n);
	if ((f.stream == 0) != r->connection)
		return err_set(e, EPROTO, "%s: of stream %u", r->name, f.stream);
	if (r->decode(p + MUX_HEAD, n, &f, e) < 0)
		return -1;
	*out = f;
	return 0;
}

void mux_head(uint8_t out[MUX_HEAD], enum mux_type type, uint32_t stream)
{
	out[0] = (uint8_t) type;
	put32(out + 1, stream);
}

static size_t encode_payload(const struct mux_frame *f, uint8_t *p)
{
	size_t n;

	switch (f->type) {
	case MUX_HELLO:
		p[0] = f->hello.version;
		put32(p + 1, f->hello.streams);
		put32(p + 5, f->hello.window);
		n = strlen(f->hello.host);
		memcpy(p + HELLO_FIXED, f->hello.host, n);
		return HELLO_FIXED + n;
	case MUX_OPEN:
	case MUX_DATA:
		memcpy(p, f->data.p, f->data.n);
		return f->data.n;
	case MUX_CREDIT:
		put32(p, f->credit);
		return 4;
	case MUX_END:
		return 0;
	case MUX_RESET:
		p[0] = (uint8_t) (f->reset.code >> 8);
		p[1] = (uint8_t) f->reset.code;
		n = strlen(f->reset.reason);
		memcpy(p + 2, f->reset.reason, n);
		return 2 + n;
	case MUX_PING:
	case MUX_PONG:
		put32(p, (uint32_t) (f->time_ns >> 32));
		put32(p + 4, (uint32_t) f->time_ns);
		return 8;
	}
	return 0;
}

int mux_encode(const struct mux_frame *f, struct buf *out, struct err *e)
{
	bool bytes = f->type == MUX_OPEN || f->type == MUX_DATA;
	struct mux_frame same;
	uint8_t *p;
	size_t n;

	if (bytes && f->data.n > MUX_DATA_MAX)
		return err_set(e, EMSGSIZE, "a frame of %zu bytes", f->data.n);
	if (buf_reserve(out, MUX_HEAD + (bytes ? f->data.n : 2 + MUX_REASON_MAX), e) < 0)
		return -1;
	p = out->data + out->tail;
	mux_head(p, f->type, f->stream);
	n = MUX_HEAD + encode_payload(f, p + MUX_HEAD);
	/* What the other side would refuse is a mistake of ours. */
	if (mux_decode(p, n, &same, e) < 0)
		return -1;
	out->tail += n;
	return 0;
}

/* ---- order ---- */

static int check_open(struct mux_order *o, const struct mux_frame *f, struct err *e)
{
	if (!o->from_relay)
		return err_set(e, EPROTO, "OPEN: from a dialer");
	if (f->stream <= o->last)
		return err_set(e, EPROTO, "OPEN: stream %u, but %u was there already",
			       f->stream, o->last);
	o->last = f->stream;
	return MUX_TAKE;
}

static int check_hello(struct mux_order *o, const struct mux_frame *f, struct err *e)
{
	if (o->greeted)
		return err_set(e, EPROTO, "HELLO: a second one");
	if (f->hello.version != MUX_VERSION)
		return err_set(e, EPROTO, "HELLO: version %u, and this is version %d",
			       f->hello.version, MUX_VERSION);
	if (o->from_relay == (f->hello.host[0] != 0))
		return err_set(e, EPROTO, "HELLO: %s",
			       o->from_relay ? "a relay that names a host"
					     : "a dialer that names no host");
	o->greeted = true;
	return MUX_TAKE;
}

int mux_check(struct mux_order *o, const struct mux_frame *f, bool live, struct err *e)
{
	if (f->type == MUX_HELLO)
		return check_hello(o, f, e);
	if (!o->greeted)
		return err_set(e, EPROTO, "%s: before HELLO", rules[f->type].name);
	if (f->type == MUX_OPEN)
		return check_open(o, f, e);
	if (rules[f->type].connection || live)
		return MUX_TAKE;
	if (f->stream > o->last)
		return err_set(e, EPROTO, "%s: stream %u was never opened", rules[f->type].name,
			       f->stream);
	return MUX_IGNORE;
}
