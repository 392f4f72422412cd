#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/json_tree.h"

/* Up to this many members, comparing each with each is cheaper than sorting. */
enum { DUP_BY_PAIRS = 24 };

void json_build_init(struct json_builder *b, struct json_doc *doc,
		     const struct json_limits *limits, struct err *e)
{
	*b = (struct json_builder){ .doc = doc, .limits = *limits, .err = e };
	b->open = json_arena_alloc(doc, sizeof(*b->open) * limits->depth);
}

struct json *json_build_value(struct json_builder *b, enum json_type type)
{
	struct json *v;

	if (b->nodes >= b->limits.nodes) {
		err_set(b->err, E2BIG, "more than %zu values", b->limits.nodes);
		return NULL;
	}
	b->nodes++;
	v = json_arena_alloc(b->doc, sizeof(*v));
	*v = (struct json){ .type = type, .key = b->key };
	b->key = NULL;
	if (b->depth)
		json_append(b->open[b->depth - 1], v);
	else
		json_doc_set_root(b->doc, v);
	return v;
}

/* Without escapes there is no NUL byte in it either. */
static const char *in_place(const struct json_builder *b, const char *s, size_t n)
{
	const size_t at = (size_t) ((uintptr_t) s - (uintptr_t) b->own);

	if (!b->own || at >= b->own_len || n >= b->own_len - at)
		return NULL;
	b->own[at + n] = '\0';
	return b->own + at;
}

int json_build_str(struct json_builder *b, const char *s, size_t n)
{
	struct json *v = json_build_value(b, JSON_STRING);

	if (!v)
		return -1;
	v->str.n = n;
	v->str.s = in_place(b, s, n);
	if (v->str.s)
		return 0;
	v->count = memchr(s, 0, n) != NULL;
	v->str.s = json_arena_strndup(b->doc, s, n);
	return 0;
}

int json_build_key(struct json_builder *b, const char *s, size_t n)
{
	b->key = in_place(b, s, n);
	if (b->key)
		return 0;
	if (memchr(s, 0, n))
		return err_set(b->err, EINVAL, "a member's name holds a NUL byte");
	b->key = json_arena_strndup(b->doc, s, n);
	return 0;
}

int json_build_open(struct json_builder *b, enum json_type type)
{
	struct json *v;

	if (b->depth >= b->limits.depth)
		return err_set(b->err, E2BIG, "nested more than %u levels deep",
			       b->limits.depth);
	v = json_build_value(b, type);
	if (!v)
		return -1;
	b->open[b->depth++] = v;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(struct json *const *) a)->key, (*(struct json *const *) b)->key);
}

static const char *dup_by_sorting(const struct json *obj)
{
	auto_free struct json **v = xalloc(obj->count * sizeof(*v));
	size_t n = 0;

	json_each (m, obj) {
		v[n++] = m;
	}
	qsort(v, n, sizeof(*v), by_key);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(v[i - 1]->key, v[i]->key) == 0)
			return v[i]->key;
	}
	return NULL;
}

static const char *dup_by_pairs(const struct json *obj)
{
	json_each (a, obj) {
		for (const struct json *b = a->next; b; b = b->next) {
			if (a->key[0] == b->key[0] && strcmp(a->key, b->key) == 0)
				return a->key;
		}
	}
	return NULL;
}

/* Names are compared once an object is complete: in pairs while it is small, and never in a way that a
 * hostile file could make quadratic. */
int json_build_close(struct json_builder *b)
{
	const struct json *v = b->open[--b->depth];
	const char *dup;

	if (v->type != JSON_OBJECT)
		return 0;
	dup = v->count > DUP_BY_PAIRS ? dup_by_sorting(v) : dup_by_pairs(v);
	if (dup)
		return err_set(b->err, EINVAL, "the object that ends here has \"%.100s\" twice",
			       dup);
	return 0;
}

/* Whole numbers up to 64 bits stay exact. */
static bool whole_number(const char *s, size_t n, struct json *out)
{
	bool negative = n && *s == '-';
	size_t i = n && (*s == '-' || *s == '+');
	uint64_t u = 0;

	if (i == n)
		return false;
	for (; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(u, 10, &u) ||
		    __builtin_add_overflow(u, (uint64_t) (s[i] - '0'), &u))
			return false;
	}
	if (u <= (uint64_t) INT64_MAX + negative) {
		out->type = JSON_INT;
		out->i = negative ? (int64_t) (0 - u) : (int64_t) u;
		return true;
	}
	if (negative)
		return false;
	out->type = JSON_UINT;
	out->u = u;
	return true;
}

int json_build_number(struct json_builder *b, const char *s, size_t n)
{
	struct json num = { .type = JSON_REAL }, *v;

	if (!whole_number(s, n, &num)) {
		char small[64], *end;
		const char *copy = small;

		if (n < sizeof(small)) {
			memcpy(small, s, n);
			small[n] = '\0';
		} else {
			copy = json_arena_strndup(b->doc, s, n);
		}
		num.real = strtod(copy, &end);
		if (*end || !n)
			return err_set(b->err, EINVAL, "\"%.40s\" is not a number", copy);
		if (!isfinite(num.real))
			return err_set(b->err, ERANGE, "the number %.40s is too large", copy);
	}
	v = json_build_value(b, num.type);
	if (!v)
		return -1;
	v->u = num.u; /* covers the union's other numbers */
	return 0;
}

int json_err_place(const char *text, size_t offset, struct err *e)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char) text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	return err_wrap(e, "line %zu, column %zu", line, column);
}
