#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum { DEPTH_MAX = 128 };

struct level {
	bool object;
	bool any; /* something was written into it: the next needs a comma */
};

struct json_writer {
	struct buf *out;
	bool pretty, failed, done;
	unsigned depth;
	struct level level[DEPTH_MAX];
	struct err err;
};

struct json_writer *json_writer_new(struct buf *out, bool pretty)
{
	struct json_writer *w = xalloc(sizeof(*w));

	w->out = out;
	w->pretty = pretty;
	return w;
}

void json_writer_free_ptr(struct json_writer **w)
{
	util_free_ptr(w);
}

static void fail(struct json_writer *w, const char *why)
{
	if (!w->failed)
		err_set(&w->err, EINVAL, "JSON writer: %s", why);
	w->failed = true;
}

static void put(struct json_writer *w, const char *s, size_t n)
{
	if (!w->failed && buf_append(w->out, s, n, &w->err) < 0)
		w->failed = true;
}

static void puts_(struct json_writer *w, const char *s)
{
	put(w, s, strlen(s));
}

static void put_escape(struct json_writer *w, unsigned char c)
{
	static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	char six[8];

	for (const char *f = short_forms; *f; f += 2) {
		if ((unsigned char) *f == c) {
			put(w, (char[]){ '\\', f[1] }, 2);
			return;
		}
	}
	(void) snprintf(six, sizeof(six), "\\u%04x", c);
	puts_(w, six);
}

/* Runs of plain text go out in one piece. */
static void put_quoted(struct json_writer *w, const char *s, size_t n)
{
	size_t from = 0, i = 0;

	puts_(w, "\"");
	while (i < n) {
		unsigned char c = s[i];
		size_t k = c < 0x80 ? 1 : str_utf8_len(s + i, n - i);

		if (k && c >= 0x20 && c != '"' && c != '\\') {
			i += k;
			continue;
		}
		put(w, s + from, i - from);
		if (k)
			put_escape(w, c);
		else
			puts_(w, "\xef\xbf\xbd");
		from = ++i;
	}
	put(w, s + from, n - from);
	puts_(w, "\"");
}

static void new_line(struct json_writer *w)
{
	if (!w->pretty)
		return;
	puts_(w, "\n");
	for (unsigned i = 0; i < w->depth; i++)
		puts_(w, "  ");
}

/* Comma, line and name: everything that stands before a value. False: write nothing. */
static bool begin_value(struct json_writer *w, const char *key)
{
	struct level *l = w->depth ? &w->level[w->depth - 1] : NULL;

	if (w->failed)
		return false;
	if (!l && w->done)
		fail(w, "a second value at the top");
	else if (l && l->object && !key)
		fail(w, "a member without a name");
	else if ((!l || !l->object) && key)
		fail(w, "a name outside an object");
	if (w->failed)
		return false;
	if (!l) {
		w->done = true;
		return true;
	}
	if (l->any)
		puts_(w, ",");
	l->any = true;
	new_line(w);
	if (key) {
		put_quoted(w, key, strlen(key));
		puts_(w, w->pretty ? ": " : ":");
	}
	return true;
}

static void open_level(struct json_writer *w, const char *key, bool object)
{
	if (!begin_value(w, key))
		return;
	if (w->depth == DEPTH_MAX) {
		fail(w, "nested too deep");
		return;
	}
	w->level[w->depth++] = (struct level){ .object = object };
	puts_(w, object ? "{" : "[");
}

void jw_object(struct json_writer *w, const char *key)
{
	open_level(w, key, true);
}

void jw_array(struct json_writer *w, const char *key)
{
	open_level(w, key, false);
}

void jw_close(struct json_writer *w)
{
	struct level l;

	if (w->failed)
		return;
	if (!w->depth) {
		fail(w, "nothing to close");
		return;
	}
	l = w->level[--w->depth];
	if (l.any)
		new_line(w);
	puts_(w, l.object ? "}" : "]");
}

static void word(struct json_writer *w, const char *key, const char *text)
{
	if (begin_value(w, key))
		puts_(w, text);
}

static void string(struct json_writer *w, const char *key, const char *s, size_t n)
{
	if (begin_value(w, key))
		put_quoted(w, s, n);
}

void jw_str(struct json_writer *w, const char *key, const char *s)
{
	if (s)
		string(w, key, s, strlen(s));
	else
		jw_null(w, key);
}

void jw_strn(struct json_writer *w, const char *key, const char *s, size_t n)
{
	string(w, key, s, n);
}

void jw_strings(struct json_writer *w, const char *key, const char *const *v)
{
	if (!v)
		return;
	jw_array(w, key);
	for (size_t i = 0; v[i]; i++)
		jw_str(w, NULL, v[i]);
	jw_close(w);
}

void jw_int(struct json_writer *w, const char *key, int64_t i)
{
	char text[24];

	(void) snprintf(text, sizeof(text), "%lld", (long long) i);
	word(w, key, text);
}

void jw_uint(struct json_writer *w, const char *key, uint64_t u)
{
	char text[24];

	(void) snprintf(text, sizeof(text), "%llu", (unsigned long long) u);
	word(w, key, text);
}

void jw_bool(struct json_writer *w, const char *key, bool b)
{
	word(w, key, b ? "true" : "false");
}

void jw_null(struct json_writer *w, const char *key)
{
	word(w, key, "null");
}

/* The shortest form that reads back as the same double, and as a real rather than an integer. */
void jw_real(struct json_writer *w, const char *key, double d)
{
	char text[40];

	if (!isfinite(d)) {
		fail(w, "a number that is not finite");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void) snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	if (!strpbrk(text, ".e"))
		memcpy(text + strlen(text), ".0", 3);
	word(w, key, text);
}

void jw_node(struct json_writer *w, const char *key, const struct json *v)
{
	switch (v ? v->type : JSON_NULL) {
	case JSON_NULL:
		jw_null(w, key);
		break;
	case JSON_BOOL:
		jw_bool(w, key, v->boolean);
		break;
	case JSON_INT:
		jw_int(w, key, v->i);
		break;
	case JSON_UINT:
		jw_uint(w, key, v->u);
		break;
	case JSON_REAL:
		jw_real(w, key, v->real);
		break;
	case JSON_STRING:
		string(w, key, v->str.s, v->str.n);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		open_level(w, key, v->type == JSON_OBJECT);
		json_each (kid, v) {
			if (w->failed)
				return;
			jw_node(w, v->type == JSON_OBJECT ? kid->key : NULL, kid);
		}
		jw_close(w);
		break;
	}
}

int json_writer_end(struct json_writer *w, struct err *e)
{
	if (!w->failed && w->depth)
		fail(w, "an object or array is still open");
	else if (!w->failed && !w->done)
		fail(w, "nothing was written");
	if (!w->failed)
		return 0;
	*e = w->err;
	return -1;
}

int json_print(const struct json *v, bool pretty, struct buf *out, struct err *e)
{
	struct json_writer w = { .out = out, .pretty = pretty };

	jw_node(&w, NULL, v);
	return json_writer_end(&w, e);
}
