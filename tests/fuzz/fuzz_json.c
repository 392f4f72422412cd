/* Any bytes: what is accepted must print, copy and read back as itself, and decode without harm. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct target {
	bool b;
	int32_t i32;
	uint32_t u32;
	int64_t i64;
	uint64_t u64;
	const char *s;
	const char **v;
	struct json_list list;
};

/* One level of elements: their own lists would be theirs to free. */
static const struct json_field leaf_fields[] = {
	{ "s", json_decode_str, offsetof(struct target, s), JSON_REQUIRED },
	{ "i", json_decode_i32, offsetof(struct target, i32), JSON_NULL_IS_ABSENT },
};

static int decode_leaf(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	return json_decode_object(v, at, leaf_fields, ARRAY_SIZE(leaf_fields),
				  JSON_UNKNOWN_REJECT, out, e);
}

static int decode_leaves(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	return json_decode_list(v, at, sizeof(struct target), decode_leaf, out, e);
}

static const struct json_field fields[] = {
	{ "b", json_decode_bool, offsetof(struct target, b), 0 },
	{ "i32", json_decode_i32, offsetof(struct target, i32), 0 },
	{ "u32", json_decode_u32, offsetof(struct target, u32), 0 },
	{ "i64", json_decode_i64, offsetof(struct target, i64), 0 },
	{ "u64", json_decode_u64, offsetof(struct target, u64), 0 },
	{ "s", json_decode_str, offsetof(struct target, s), 0 },
	{ "v", json_decode_strv, offsetof(struct target, v), 0 },
	{ "l", decode_leaves, offsetof(struct target, list), 0 },
	{ "no", json_decode_unsupported, 0, JSON_NULL_IS_ABSENT },
};

static int decode_target(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	return json_decode_object(v, at, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_IGNORE, out,
				  e);
}

static void check_decoding(const struct json *root)
{
	struct json_at at = { .name = "root" };
	struct target t = { 0 };
	struct err e = ERR_NONE;

	if (decode_target(root, &at, &t, &e) < 0 && strncmp(e.msg, "root", 4) != 0)
		abort();
	free(t.v);
	free(t.list.items);
}

static void print(const struct json *v, bool pretty, struct buf *out)
{
	struct err e;

	if (json_print(v, pretty, out, &e) < 0)
		abort();
}

static void same(struct buf *a, struct buf *b)
{
	if (strcmp(buf_str(a), buf_str(b)) != 0)
		abort();
}

/* Of a text that the document takes: the same tree as `want`, or none. */
static void check_taken(const uint8_t *data, size_t n, struct buf *want)
{
	auto_buf struct buf given = BUF_LIMIT(64 << 20), out = BUF_LIMIT(64 << 20);
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	if (buf_append(&given, data, n, &e) < 0)
		abort();
	if (json_parse_buf(&given, NULL, &doc, &e) < 0) {
		if (want)
			abort();
		return;
	}
	if (!want)
		abort();
	print(json_root(doc), false, &out);
	same(want, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	/* Escapes and indentation may lengthen a text; nothing is lost by a wide limit here. */
	const struct json_limits wide = { .bytes = 64 << 20, .depth = 64, .nodes = 200000 };
	auto_buf struct buf first = BUF_LIMIT(wide.bytes), second = BUF_LIMIT(wide.bytes),
			    pretty = BUF_LIMIT(wide.bytes);
	auto_json struct json_doc *doc = NULL, *again = NULL, *copy = json_doc_new();
	struct err e = ERR_NONE;

	if (json_parse((const char *) data, n, NULL, &doc, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		check_taken(data, n, NULL);
		return 0;
	}
	print(json_root(doc), false, &first);
	check_taken(data, n, &first);
	print(json_root(doc), true, &pretty);
	if (json_parse(buf_str(&pretty), buf_len(&pretty), &wide, &again, &e) < 0)
		abort();
	print(json_root(again), false, &second);
	same(&first, &second);

	buf_clear(&second);
	print(json_copy(copy, json_root(doc)), false, &second);
	same(&first, &second);
	check_decoding(json_root(doc));
	return 0;
}
