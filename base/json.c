#include "base/json.h"

#include <errno.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json_tree.h"
#include "base/str.h"

const struct json_limits json_limits_default = {
	.bytes = 1 << 20,
	.depth = 64,
	.nodes = 200000,
};

/* yajl does not check what malloc returns. */
static void *yajl_malloc_fn(void *ctx, size_t n)
{
	void *p = malloc(n);

	if (!p)
		abort();
	return p;
}

static void *yajl_realloc_fn(void *ctx, void *old, size_t n)
{
	void *p = realloc(old, n);

	if (!p)
		abort();
	return p;
}

static void yajl_free_fn(void *ctx, void *p)
{
	free(p);
}

/* ---- events: yajl goes on while they return non-zero ---- */

static int on_null(void *ctx)
{
	return json_build_value(ctx, JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int value)
{
	struct json *v = json_build_value(ctx, JSON_BOOL);

	if (!v)
		return 0;
	v->boolean = value;
	return 1;
}

static int on_number(void *ctx, const char *s, size_t n)
{
	return json_build_number(ctx, s, n) == 0;
}

static int on_string(void *ctx, const unsigned char *s, size_t n)
{
	return json_build_str(ctx, (const char *) s, n) == 0;
}

static int on_start_map(void *ctx)
{
	return json_build_open(ctx, JSON_OBJECT) == 0;
}

static int on_map_key(void *ctx, const unsigned char *s, size_t n)
{
	return json_build_key(ctx, (const char *) s, n) == 0;
}

static int on_start_array(void *ctx)
{
	return json_build_open(ctx, JSON_ARRAY) == 0;
}

static int on_end(void *ctx)
{
	return json_build_close(ctx) == 0;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_map_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end,
};

/* ---- what yajl lets through ---- */

static int hex4(const char *s, const char *end)
{
	unsigned char two[2];
	char digits[5];

	if (end - s < 4)
		return -1;
	memcpy(digits, s, 4);
	digits[4] = '\0';
	return str_unhex(digits, two, 2) < 0 ? -1 : two[0] << 8 | two[1];
}

/* Length of the escape at s (a backslash), 0 when it is half of a surrogate pair. Anything else that
 * is wrong with it is left for yajl to name. */
static size_t escape_len(const char *s, const char *end)
{
	int hi, lo;

	if (end - s < 2)
		return 1;
	if (s[1] != 'u')
		return 2;
	hi = hex4(s + 2, end);
	if (hi < 0xd800 || hi > 0xdfff)
		return 2;
	if (hi > 0xdbff || end - s < 12 || s[6] != '\\' || s[7] != 'u')
		return 0;
	lo = hex4(s + 8, end);
	return lo >= 0xdc00 && lo <= 0xdfff ? 12 : 0;
}

/* Eight bytes of plain ASCII without a backslash: by far the most common case. */
static bool eight_plain(const char *s)
{
	uint64_t v, slash;

	memcpy(&v, s, 8);
	slash = v ^ 0x5c5c5c5c5c5c5c5cull; /* a zero byte where a backslash stands */
	return !((v | ((slash - 0x0101010101010101ull) & ~slash)) & 0x8080808080808080ull);
}

/*
 * Offset of the first byte that is not UTF-8, or of a lone surrogate escape; n when all is well. yajl
 * accepts overlong forms and surrogates, and writes '?' for half pairs: two different names would
 * become one. With this pass done its own, weaker check is turned off.
 */
static size_t check_text(const char *text, size_t n, const char **problem)
{
	size_t i = 0, k;

	while (i < n) {
		if (n - i >= 8 && eight_plain(text + i)) {
			i += 8;
			continue;
		}
		if (text[i] == '\\') {
			k = escape_len(text + i, text + n);
			*problem = "an escape is half of a surrogate pair";
		} else {
			k = str_utf8_len(text + i, n - i);
			*problem = "invalid UTF-8";
		}
		if (k == 0)
			break;
		i += k;
	}
	return i;
}

/* ---- the parse ---- */

/* "parse error: unallowed token at this point in JSON text\n": the middle is a sentence. */
static void set_yajl_error(yajl_handle h, struct err *e)
{
	unsigned char *text = yajl_get_error(h, 0, NULL, 0);
	const char *s = (const char *) text, *colon = strstr(s, ": ");

	if (colon)
		s = colon + 2;
	err_set(e, EINVAL, "%.*s", (int) strcspn(s, "\n"), s);
	yajl_free_error(h, text);
}

static int run_yajl(const char *text, size_t n, struct json_builder *b, struct err *e)
{
	yajl_alloc_funcs memory = { yajl_malloc_fn, yajl_realloc_fn, yajl_free_fn, NULL };
	yajl_handle h = yajl_alloc(&callbacks, &memory, b);
	size_t offset = n;
	yajl_status st;

	yajl_config(h, yajl_dont_validate_strings, 1);
	st = yajl_parse(h, (const unsigned char *) text, n);
	if (st != yajl_status_ok)
		offset = yajl_get_bytes_consumed(h);
	else
		st = yajl_complete_parse(h);
	if (st == yajl_status_error)
		set_yajl_error(h, e);
	yajl_free(h);
	return st == yajl_status_ok ? 0 : json_err_place(text, MIN(offset, n), e);
}

/* own: the text belongs to the document, which keeps its strings there. */
static int parse(struct json_doc *doc, const char *text, size_t n, char *own,
		 const struct json_limits *limits, struct err *e)
{
	const char *problem = "";
	struct json_builder b;
	const size_t good = check_text(text, n, &problem);

	if (good < n) {
		err_set(e, EILSEQ, "%s", problem);
		return json_err_place(text, good, e);
	}
	json_build_init(&b, doc, limits, e);
	b.own = own;
	b.own_len = n;
	return run_yajl(text, n, &b, e);
}

static int check_size(size_t n, const struct json_limits *limits, struct err *e)
{
	return n > limits->bytes ? err_set(e, EFBIG, "%zu bytes of JSON; the limit is %zu", n,
					   limits->bytes)
				 : 0;
}

int json_parse(const char *text, size_t n, const struct json_limits *limits,
	       struct json_doc **out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;

	if (!limits)
		limits = &json_limits_default;
	if (check_size(n, limits, e) < 0)
		return -1;
	doc = json_doc_alloc(2 * n);
	if (parse(doc, text, n, NULL, limits, e) < 0)
		return -1;
	*out = take_ptr(&doc);
	return 0;
}

int json_parse_buf(struct buf *text, const struct json_limits *limits, struct json_doc **out,
		   struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	const size_t n = buf_len(text);

	if (!limits)
		limits = &json_limits_default;
	if (check_size(n, limits, e) < 0)
		return -1;
	doc = json_doc_alloc(2 * n);
	char *own = json_doc_own(doc, text);
	if (parse(doc, own, n, own, limits, e) < 0)
		return -1;
	*out = take_ptr(&doc);
	return 0;
}

int json_parse_file(int dirfd, const char *path, const struct json_limits *limits,
		    struct json_doc **out, struct err *e)
{
	const size_t limit = limits ? limits->bytes : json_limits_default.bytes;
	auto_buf struct buf text = BUF_LIMIT(limit);

	if (fd_read_file(dirfd, path, limit, &text, e) < 0)
		return -1;
	return json_parse_buf(&text, limits, out, e) < 0 ? err_wrap(e, "%s", path) : 0;
}
