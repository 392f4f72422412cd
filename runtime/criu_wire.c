#include "runtime/criu_wire.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"

/* How a field's value is written, as the low three bits of its key say. */
enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { VARINT_MAX = 10, FIELDS_MAX = 4096 };

/* ---- to bytes ---- */

void wire_fini(struct wire *w)
{
	buf_fini(&w->out);
}

static void put(struct wire *w, const void *p, size_t n)
{
	if (w->r == 0)
		w->r = buf_append(&w->out, p, n, w->e);
}

static void put_varint(struct wire *w, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t) (v | 0x80);
	bytes[n++] = (uint8_t) v;
	put(w, bytes, n);
}

static void put_key(struct wire *w, unsigned field, enum wire_type t)
{
	put_varint(w, (uint64_t) field << 3 | t);
}

static void put_bytes(struct wire *w, unsigned field, const void *p, size_t n)
{
	put_key(w, field, WIRE_BYTES);
	put_varint(w, n);
	if (n > 0)
		put(w, p, n);
}

void wire_int(struct wire *w, unsigned field, int64_t v)
{
	put_key(w, field, WIRE_VARINT);
	put_varint(w, (uint64_t) v); /* a negative one takes all ten bytes, also as int32 */
}

void wire_str(struct wire *w, unsigned field, const char *s)
{
	put_bytes(w, field, s, strlen(s));
}

static void put_message(struct wire *w, unsigned field, const struct wire *inner)
{
	if (w->r == 0)
		w->r = inner->r;
	put_bytes(w, field, buf_bytes(&inner->out), buf_len(&inner->out));
}

void wire_pair(struct wire *w, unsigned field, const char *key, const char *value)
{
	auto_wire struct wire inner = WIRE_TO(w->e);

	wire_str(&inner, 1, key);
	wire_str(&inner, 2, value);
	put_message(w, field, &inner);
}

void wire_keyed(struct wire *w, unsigned field, const char *key, int64_t v)
{
	auto_wire struct wire inner = WIRE_TO(w->e);

	wire_str(&inner, 1, key);
	wire_int(&inner, 2, v);
	put_message(w, field, &inner);
}

/* Fields of a request. */
enum { REQ_TYPE = 1, REQ_OPTIONS = 2, REQ_NOTIFY_SUCCESS = 3, REQ_FEATURES = 5 };

static int finish(struct wire *w, struct buf *out, struct err *e)
{
	if (w->r < 0 || buf_append(out, buf_bytes(&w->out), buf_len(&w->out), e) < 0)
		return err_wrap(e, "request to criu");
	return 0;
}

int criu_encode(enum criu_type t, const struct wire *options, struct buf *out, struct err *e)
{
	auto_wire struct wire w = WIRE_TO(e);

	wire_int(&w, REQ_TYPE, t);
	if (options)
		put_message(&w, REQ_OPTIONS, options);
	return finish(&w, out, e);
}

int criu_encode_features(bool mem_track, bool lazy_pages, struct buf *out, struct err *e)
{
	auto_wire struct wire w = WIRE_TO(e), inner = WIRE_TO(e);

	if (mem_track)
		wire_int(&inner, 1, true);
	if (lazy_pages)
		wire_int(&inner, 2, true);
	wire_int(&w, REQ_TYPE, CRIU_FEATURES);
	put_message(&w, REQ_FEATURES, &inner);
	return finish(&w, out, e);
}

int criu_encode_notified(bool success, struct buf *out, struct err *e)
{
	auto_wire struct wire w = WIRE_TO(e);

	wire_int(&w, REQ_TYPE, CRIU_NOTIFY);
	wire_int(&w, REQ_NOTIFY_SUCCESS, success);
	return finish(&w, out, e);
}

/* ---- and back ---- */

struct reader {
	const uint8_t *p;
	size_t n;
};

static int get_varint(struct reader *r, uint64_t *out, struct err *e)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < VARINT_MAX; i++) {
		if (r->n == 0)
			return err_set(e, EPROTO, "it is cut off");
		const uint8_t byte = *r->p++;
		r->n--;
		v |= (uint64_t) (byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*out = v;
			return 0;
		}
	}
	return err_set(e, EPROTO, "a number has more than %d bytes", VARINT_MAX);
}

struct value {
	unsigned field;
	enum wire_type type;
	uint64_t number;     /* WIRE_VARINT */
	struct reader bytes; /* WIRE_BYTES */
};

static int get_value(struct reader *r, struct value *v, struct err *e)
{
	uint64_t key, n;

	if (get_varint(r, &key, e) < 0)
		return -1;
	v->field = (unsigned) (key >> 3);
	v->type = (enum wire_type)(key & 7);
	if (key > UINT_MAX || v->field == 0)
		return err_set(e, EPROTO, "a field has no valid number");
	switch (v->type) {
	case WIRE_VARINT:
		return get_varint(r, &v->number, e);
	case WIRE_64:
		n = 8;
		break;
	case WIRE_32:
		n = 4;
		break;
	case WIRE_BYTES:
		if (get_varint(r, &n, e) < 0)
			return -1;
		break;
	default:
		return err_set(e, EPROTO, "field %u is of the unknown kind %d", v->field,
			       (int) v->type);
	}
	if (n > r->n)
		return err_set(e, EPROTO, "field %u is cut off", v->field);
	v->bytes = (struct reader){ r->p, (size_t) n };
	r->p += n;
	r->n -= (size_t) n;
	return 0;
}

/* Each message of an answer that has something for us. */
enum message { M_REPLY, M_RESTORE, M_NOTIFY, M_FEATURES, M_VERSION };
enum kind { K_INT, K_BOOL, K_TEXT, K_MESSAGE, K_MAJOR, K_MINOR, K_SUBLEVEL };

#define AT(member)                                                                             \
	offsetof(struct criu_reply, member), sizeof(((struct criu_reply *) 0)->member)
static const struct {
	enum message in;
	unsigned field;
	enum kind kind;
	size_t offset, size;
	enum message message; /* K_MESSAGE */
} rows[] = {
	{ M_REPLY, 1, K_INT, AT(type), M_REPLY },
	{ M_REPLY, 2, K_BOOL, AT(success), M_REPLY },
	{ M_REPLY, 4, K_MESSAGE, 0, 0, M_RESTORE },
	{ M_REPLY, 5, K_MESSAGE, 0, 0, M_NOTIFY },
	{ M_REPLY, 7, K_INT, AT(error), M_REPLY },
	{ M_REPLY, 8, K_MESSAGE, 0, 0, M_FEATURES },
	{ M_REPLY, 9, K_TEXT, AT(message), M_REPLY },
	{ M_REPLY, 10, K_MESSAGE, 0, 0, M_VERSION },
	{ M_RESTORE, 1, K_INT, AT(pid), M_REPLY },
	{ M_NOTIFY, 1, K_TEXT, AT(script), M_REPLY },
	{ M_NOTIFY, 2, K_INT, AT(pid), M_REPLY },
	{ M_FEATURES, 1, K_BOOL, AT(mem_track), M_REPLY },
	{ M_FEATURES, 2, K_BOOL, AT(lazy_pages), M_REPLY },
	{ M_VERSION, 1, K_MAJOR, AT(version), M_REPLY },
	{ M_VERSION, 2, K_MINOR, AT(version), M_REPLY },
	{ M_VERSION, 4, K_SUBLEVEL, AT(version), M_REPLY },
};

static int take_int(const struct value *v, int32_t *out, struct err *e)
{
	const int64_t n = (int64_t) v->number;

	if (n < INT32_MIN || n > INT32_MAX)
		return err_set(e, EPROTO, "field %u does not fit into 32 bits", v->field);
	*out = (int32_t) n;
	return 0;
}

/* What cannot be printed becomes a dot; what does not fit is left out. */
static void take_text(const struct reader *r, char *out, size_t size)
{
	const size_t n = MIN(r->n, size - 1);

	for (size_t i = 0; i < n; i++)
		out[i] = (char) (r->p[i] >= ' ' && r->p[i] < 0x7f ? r->p[i] : '.');
	out[n] = '\0';
}

/* A part of a version: 4, 2 and 1 make 40201. */
static int take_version(const struct value *v, unsigned weight, unsigned *out, struct err *e)
{
	if (v->number > 99)
		return err_set(e, EPROTO, "field %u is no version", v->field);
	*out += (unsigned) v->number * weight;
	return 0;
}

static int decode(enum message m, struct reader r, struct criu_reply *out, unsigned *seen,
		  struct err *e);

static int store(size_t row, const struct value *v, struct criu_reply *out, struct err *e)
{
	void *at = (char *) out + rows[row].offset;
	const enum kind k = rows[row].kind;
	unsigned ignored = 0;

	if (v->type != (k == K_TEXT || k == K_MESSAGE ? WIRE_BYTES : WIRE_VARINT))
		return err_set(e, EPROTO, "field %u is of the wrong kind %d", v->field,
			       (int) v->type);
	switch (k) {
	case K_INT:
		return take_int(v, at, e);
	case K_BOOL:
		*(bool *) at = v->number != 0;
		return 0;
	case K_TEXT:
		take_text(&v->bytes, at, rows[row].size);
		return 0;
	case K_MESSAGE:
		if (decode(rows[row].message, v->bytes, out, &ignored, e) < 0)
			return err_wrap(e, "field %u", v->field);
		return 0;
	case K_MAJOR:
		return take_version(v, 10000, at, e);
	case K_MINOR:
		return take_version(v, 100, at, e);
	default:
		return take_version(v, 1, at, e);
	}
}

static int decode(enum message m, struct reader r, struct criu_reply *out, unsigned *seen,
		  struct err *e)
{
	struct value v = { 0 };

	for (unsigned n = 0; r.n > 0; n++) {
		if (n == FIELDS_MAX)
			return err_set(e, EPROTO, "it has more than %d fields", FIELDS_MAX);
		if (get_value(&r, &v, e) < 0)
			return -1;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			if (rows[i].in != m || rows[i].field != v.field)
				continue;
			if (store(i, &v, out, e) < 0)
				return -1;
			*seen |= 1u << v.field;
		}
	}
	return 0;
}

int criu_decode(const void *p, size_t n, struct criu_reply *out, struct err *e)
{
	const struct reader r = { p, n };
	const unsigned needed = 1u << 1 | 1u << 2; /* type and success */
	struct criu_reply reply = { 0 };
	unsigned seen = 0;

	if (decode(M_REPLY, r, &reply, &seen, e) < 0)
		return err_wrap(e, "criu's answer is not understood");
	if ((seen & needed) != needed)
		return err_set(e, EPROTO, "criu's answer is not understood: it says not %s",
			       seen & 1u << 1 ? "whether it worked" : "what it is");
	*out = reply;
	return 0;
}
