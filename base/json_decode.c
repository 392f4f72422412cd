#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum { LIST_MAX = 65536, PATH_MAX_BYTES = 200 };

static const char *const type_names[] = {
	[JSON_NULL] = "null",	   [JSON_BOOL] = "a boolean",	[JSON_INT] = "a number",
	[JSON_UINT] = "a number",  [JSON_REAL] = "a number",	[JSON_STRING] = "a string",
	[JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
};

/* "linux.resources.devices[3].access", outermost first. Returns the length so far. */
static size_t write_path(const struct json_at *at, char *s, size_t cap)
{
	size_t n = at->up ? write_path(at->up, s, cap) : 0;
	int r = 0;

	if (!at->name)
		r = snprintf(s + n, cap - n, "[%zu]", at->index);
	else if (at->name[0])
		r = snprintf(s + n, cap - n, "%s%s", n ? "." : "", at->name);
	return MIN(n + (size_t) MAX(r, 0), cap - 1);
}

int(json_err)(const struct json_at *at, struct err *e, const char *fmt, ...)
{
	char path[PATH_MAX_BYTES] = "", msg[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (at && write_path(at, path, sizeof(path)) > 0)
		return err_set(e, EINVAL, "%s: %s", path, msg);
	return err_set(e, EINVAL, "%s", msg);
}

static int wrong_type(const struct json *v, const struct json_at *at, const char *want,
		      struct err *e)
{
	return json_err(at, e, "must be %s, not %s", want, type_names[v->type]);
}

static const struct json_field *find_field(const struct json_field *fields, size_t n,
					   const char *key, bool any_case)
{
	for (size_t i = 0; i < n; i++) {
		if (fields[i].name[0] == key[0] && strcmp(fields[i].name, key) == 0)
			return &fields[i];
	}
	for (size_t i = 0; any_case && i < n; i++) {
		if (strcasecmp(fields[i].name, key) == 0)
			return &fields[i];
	}
	return NULL;
}

static const struct json *find_member(const struct json *v, const char *name, bool any_case)
{
	const struct json *found = json_get(v, name);

	if (found || !any_case)
		return found;
	json_each (m, v) {
		if (strcasecmp(m->key, name) == 0)
			return m;
	}
	return NULL;
}

static bool skipped(const struct json_field *f, const struct json *v)
{
	return v->type == JSON_NULL && (f->flags & JSON_NULL_IS_ABSENT);
}

static int require_fields(const struct json *v, const struct json_at *at,
			  const struct json_field *fields, size_t n, bool any_case,
			  struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct json *m;
		struct json_at here = { .up = at, .name = fields[i].name };

		if (!(fields[i].flags & JSON_REQUIRED))
			continue;
		m = find_member(v, fields[i].name, any_case);
		if (!m || skipped(&fields[i], m))
			return json_err(&here, e, "required, but missing");
	}
	return 0;
}

int json_decode_object(const struct json *v, const struct json_at *at,
		       const struct json_field *fields, size_t n_fields,
		       enum json_unknown unknown, void *out, struct err *e)
{
	const bool any_case = unknown == JSON_ANY_CASE;

	if (v->type != JSON_OBJECT)
		return wrong_type(v, at, "an object", e);
	json_each (m, v) {
		const struct json_field *f = find_field(fields, n_fields, m->key, any_case);
		struct json_at here = { .up = at, .name = m->key };

		if (!f && unknown == JSON_UNKNOWN_REJECT)
			return json_err(&here, e, "unknown field");
		if (!f || skipped(f, m))
			continue;
		if (f->decode(m, &here, (char *) out + f->offset, e) < 0)
			return -1;
	}
	return require_fields(v, at, fields, n_fields, any_case, e);
}

/* `step` is what lies between the places of two elements. */
static int decode_elements(const struct json *v, const struct json_at *at, size_t step,
			   json_decode_fn decode, void *out, struct err *e)
{
	size_t i = 0;

	json_each (m, v) {
		const struct json_at here = { .up = at, .index = i };

		if (decode(m, &here, (char *) out + i * step, e) < 0)
			return -1;
		i++;
	}
	return 0;
}

static int check_array(const struct json *v, const struct json_at *at, const char *want,
		       struct err *e)
{
	if (v->type != JSON_ARRAY)
		return wrong_type(v, at, want, e);
	if (v->count > LIST_MAX)
		return json_err(at, e, "has %u elements; the limit is %d", v->count, LIST_MAX);
	return 0;
}

int json_decode_list(const struct json *v, const struct json_at *at, size_t elem_size,
		     json_decode_fn decode, struct json_list *out, struct err *e)
{
	if (check_array(v, at, "an array", e) < 0)
		return -1;
	if (v->count == 0)
		return 0;
	out->items = calloc(v->count, elem_size);
	if (!out->items)
		return json_err(at, e, "no memory for %u elements", v->count);
	/* Set before decoding: what the first elements allocated is then the caller's to free even
	 * when a later one is refused. */
	out->n = v->count;
	return decode_elements(v, at, elem_size, decode, out->items, e);
}

int json_decode_words(const struct json *v, const struct json_at *at, json_decode_fn decode,
		      void *out, struct err *e)
{
	if (check_array(v, at, "an array of strings", e) < 0)
		return -1;
	return decode_elements(v, at, 0, decode, out, e);
}

int json_decode_bool(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (v->type != JSON_BOOL)
		return wrong_type(v, at, "a boolean", e);
	*(bool *) out = v->boolean;
	return 0;
}

static int signed_in(const struct json *v, const struct json_at *at, int64_t min, int64_t max,
		     int64_t *out, struct err *e)
{
	if (v->type == JSON_REAL)
		return json_err(at, e, "must be a whole number, not %g", v->real);
	if (v->type != JSON_INT && v->type != JSON_UINT)
		return wrong_type(v, at, "a number", e);
	if (v->type == JSON_UINT)
		return json_err(at, e, "%llu is outside %lld..%lld", (unsigned long long) v->u,
				(long long) min, (long long) max);
	if (v->i < min || v->i > max)
		return json_err(at, e, "%lld is outside %lld..%lld", (long long) v->i,
				(long long) min, (long long) max);
	*out = v->i;
	return 0;
}

int json_decode_i32(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	int64_t i;

	if (signed_in(v, at, INT32_MIN, INT32_MAX, &i, e) < 0)
		return -1;
	*(int32_t *) out = (int32_t) i;
	return 0;
}

int json_decode_u32(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	int64_t i;

	if (signed_in(v, at, 0, UINT32_MAX, &i, e) < 0)
		return -1;
	*(uint32_t *) out = (uint32_t) i;
	return 0;
}

int json_decode_i64(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	int64_t i;

	if (signed_in(v, at, INT64_MIN, INT64_MAX, &i, e) < 0)
		return -1;
	*(int64_t *) out = i;
	return 0;
}

int json_decode_u64(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	int64_t i;

	if (v->type == JSON_UINT) {
		*(uint64_t *) out = v->u;
		return 0;
	}
	if (v->type == JSON_INT && v->i < 0)
		return json_err(at, e, "%lld is outside 0..%llu", (long long) v->i,
				(unsigned long long) UINT64_MAX);
	if (signed_in(v, at, 0, INT64_MAX, &i, e) < 0)
		return -1;
	*(uint64_t *) out = (uint64_t) i;
	return 0;
}

int json_decode_size(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;
	uint64_t n = 0;

	if (v->type == JSON_INT && v->i > 0)
		n = (uint64_t) v->i;
	else if (v->type != JSON_STRING || str_to_bytes(v->str.s, "value", &n, &why) < 0)
		return json_err(at, e, "is not a size, such as 512Mi");
	*(uint64_t *) out = n;
	return 0;
}

int json_decode_str(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (v->type != JSON_STRING)
		return wrong_type(v, at, "a string", e);
	if (v->count)
		return json_err(at, e, "holds a NUL byte");
	*(const char **) out = v->str.s;
	return 0;
}

int json_decode_strv(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	auto_free const char **strv = NULL;

	if (check_array(v, at, "an array of strings", e) < 0)
		return -1;
	strv = xalloc((v->count + 1) * sizeof(*strv));
	if (decode_elements(v, at, sizeof(*strv), json_decode_str, strv, e) < 0)
		return -1;
	*(const char ***) out = take_ptr(&strv);
	return 0;
}

int json_decode_unsupported(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	json_err(at, e, "not supported by this version");
	e->code = ENOTSUP;
	return -1;
}

int json_decode_node(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	*(const struct json **) out = v;
	return 0;
}
