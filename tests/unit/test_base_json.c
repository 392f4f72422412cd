/* base: JSON in, tables, JSON out. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"

/* Whatever the text, in a heap block of its exact size: sanitizers see a read behind it. */
static struct json_doc *parse_n(const char *text, size_t n, const struct json_limits *limits,
				struct err *e)
{
	auto_free char *exact = xalloc(n);
	struct json_doc *doc = NULL;

	memcpy(exact, text, n);
	*e = ERR_NONE;
	if (json_parse(exact, n, limits, &doc, e) < 0) {
		assert_null(doc);
		assert_string_not_equal(e->msg, "");
	}
	return doc;
}

static struct json_doc *parse(const char *text, struct err *e)
{
	return parse_n(text, strlen(text), NULL, e);
}

static void refused(const char *text, const char *want)
{
	struct err e;
	auto_json struct json_doc *doc = parse(text, &e);

	if (doc)
		fail_msg("accepted: %s", text);
	if (!strstr(e.msg, want))
		fail_msg("%s\n  says: %s\n  not:  %s", text, e.msg, want);
}

/* ---- reading ---- */

static void every_type(void **state)
{
	struct err e;
	auto_json struct json_doc *doc = parse(
		" {\"n\":null, \"t\":true, \"f\":false, \"i\":-7, \"u\":18446744073709551615,"
		"\"r\":1.5e1, \"s\":\"x\", \"a\":[1,[2],{}], \"o\":{\"k\":[]}} \n",
		&e);
	struct json *root = json_root(doc);

	assert_int_equal(root->type, JSON_OBJECT);
	assert_int_equal(root->count, 9);
	assert_int_equal(json_get(root, "n")->type, JSON_NULL);
	assert_true(json_get(root, "t")->boolean);
	assert_false(json_get(root, "f")->boolean);
	assert_int_equal(json_get(root, "i")->type, JSON_INT);
	assert_int_equal(json_get(root, "i")->i, -7);
	assert_int_equal(json_get(root, "u")->type, JSON_UINT);
	assert_true(json_get(root, "u")->u == UINT64_MAX);
	assert_int_equal(json_get(root, "r")->type, JSON_REAL);
	assert_true(json_get(root, "r")->real == 15.0);
	assert_string_equal(json_get(root, "s")->str.s, "x");
	assert_string_equal(json_get(root, "s")->key, "s");
	assert_int_equal(json_get(root, "a")->count, 3);
	assert_int_equal(json_at_index(json_get(root, "a"), 0)->i, 1);
	assert_int_equal(json_at_index(json_get(root, "a"), 1)->type, JSON_ARRAY);
	assert_null(json_at_index(json_get(root, "a"), 3));
	assert_null(json_at_index(root, 0));
	assert_null(json_at_index(json_get(root, "a"), 0)->key);
	assert_non_null(json_find(root, "o", "k", NULL));
	assert_null(json_find(root, "o", "k", "deeper", NULL));
	assert_null(json_find(root, "s", "k", NULL));
	assert_null(json_get(NULL, "k"));
	assert_null(json_get(root, "absent"));
}

static void any_value_may_be_the_root(void **state)
{
	static const char *const rows[] = { "1", "\"x\"", "null", "true", "[]", "-0.5", " 0 " };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e;
		auto_json struct json_doc *doc = parse(rows[i], &e);

		if (!doc)
			fail_msg("%s: %s", rows[i], e.msg);
	}
}

static void numbers_are_exact(void **state)
{
	static const struct {
		const char *s;
		enum json_type type;
		uint64_t bits;
	} rows[] = {
		{ "0", JSON_INT, 0 },
		{ "-0", JSON_INT, 0 },
		{ "9223372036854775807", JSON_INT, INT64_MAX },
		{ "-9223372036854775808", JSON_INT, (uint64_t) INT64_MIN },
		{ "9223372036854775808", JSON_UINT, 1ull << 63 },
		{ "18446744073709551615", JSON_UINT, UINT64_MAX },
	};
	static const struct {
		const char *s;
		double real;
	} reals[] = {
		{ "18446744073709551616", 18446744073709551616.0 },
		{ "-9223372036854775809", -9223372036854775809.0 },
		{ "0.1", 0.1 },
		{ "1E2", 100 },
		{ "1e-400", 0 },
		{ "0.0000000000000000000000000000000000000000000000000000000000000000000001e70",
		  1 },
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json struct json_doc *doc = parse(rows[i].s, &e);

		assert_int_equal(json_root(doc)->type, rows[i].type);
		assert_true(json_root(doc)->u == rows[i].bits);
	}
	for (size_t i = 0; i < ARRAY_SIZE(reals); i++) {
		auto_json struct json_doc *doc = parse(reals[i].s, &e);

		assert_int_equal(json_root(doc)->type, JSON_REAL);
		assert_true(json_root(doc)->real == reals[i].real);
	}
	refused("1e999", "too large");
	refused("[-1e999]", "line 1, column 8: the number -1e999 is too large");
}

static void strings_are_decoded(void **state)
{
	struct err e;
	auto_json struct json_doc *doc =
		parse("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\\u00e9\\u20ac\\ud83d\\ude00\","
		      " \"a\\u0000b\", \"\", \"\xf0\x9f\x98\x80\"]",
		      &e);
	struct json *root = json_root(doc);

	assert_string_equal(json_at_index(root, 0)->str.s, "\"\\/\b\f\n\r\t");
	assert_string_equal(json_at_index(root, 1)->str.s,
			    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_int_equal(json_at_index(root, 2)->str.n, 3);
	assert_memory_equal(json_at_index(root, 2)->str.s, "a\0b", 4);
	assert_int_equal(json_at_index(root, 3)->str.n, 0);
	assert_string_equal(json_at_index(root, 3)->str.s, "");
	assert_string_equal(json_at_index(root, 4)->str.s, "\xf0\x9f\x98\x80");
}

static void broken_text_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"{",
		"[",
		"]",
		"{]",
		"[1,]",
		"[,1]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{'a':1}",
		"[1 2]",
		"nul",
		"nulll",
		"True",
		"+1",
		".5",
		"1.",
		"01",
		"[01]",
		"-",
		"1e",
		"1e+",
		"0x10",
		"NaN",
		"Infinity",
		"-Infinity",
		"\"",
		"\"\\\"",
		"\"\\x41\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\t\"",
		"\"\n\"",
		"\"\x01\"",
		"// c\n1",
		"/* c */ 1",
		"{} {}",
		"1 2",
		"{}x",
		"[]]",
		"\xef\xbb\xbf{}",
		"{\"a\":1 \"b\":2}",
		"\"a\" \"b\"",
		"{1:2}",
		"{null:1}",
		"\"abc",
		"tru",
		"\\u0041",
		"[1]\\",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refused(rows[i], "line 1, column ");
}

static void trailing_bytes_are_refused(void **state)
{
	struct err e;

	refused("{}x", "trailing garbage");
	assert_null(parse_n("{}\0", 3, NULL, &e));
	assert_null(parse_n("\0{}", 3, NULL, &e));
	assert_null(parse_n("[1,\0 2]", 7, NULL, &e));
	assert_null(parse_n("\"a\0b\"", 5, NULL, &e));
}

static void errors_name_the_place(void **state)
{
	refused("{\n  \"a\": 1,\n  b: 2\n}", "line 3, column ");
	refused("{\n  \"\xc3\xa9\xc3\xa9\": \x80\n}", "line 2, column 9: invalid UTF-8");
	refused("[\n\n\"\\ud800\"]", "line 3, column 2: an escape is half of a surrogate pair");
	refused("{\"a\":1,\n\"a\":2}",
		"line 2, column 7: the object that ends here has \"a\" twice");
}

static void bad_utf8_is_refused(void **state)
{
	static const char *const rows[] = {
		"\"\x80\"",	"\"\xc0\x80\"",	    "\"\xc3\"",
		"\"\xe2\x82\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
		"\"\xff\"",	"{\"\xfe\":1}",	    "\"12345678\xc3",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refused(rows[i], "invalid UTF-8");
}

static void half_surrogates_are_refused(void **state)
{
	static const char *const rows[] = {
		"\"\\ud800\"",	      "\"\\udc00\"",	    "\"\\ud800x\"",
		"\"\\ud800\\n\"",     "\"\\ud800\\ud800\"", "\"\\uD800\\u0041\"",
		"\"\\uDBFF\\uE000\"", "{\"\\udfff\":1}",    "\"\\ud800\\udc0",
		"\"\\ud800",
	};
	struct err e;
	auto_json struct json_doc *doc = parse("\"\\\\ud800 \\uDBFF\\uDFFF\"", &e);

	assert_string_equal(json_root(doc)->str.s, "\\ud800 \xf4\x8f\xbf\xbf");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refused(rows[i], "half of a surrogate pair");
}

static void duplicate_names_are_refused(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(1 << 20);
	struct err e;

	refused("{\"a\":1,\"b\":2,\"a\":1}", "\"a\" twice");
	refused("{\"x\":{\"\":1,\"\":2}}", "\"\" twice");
	refused("{\"a\":1,\"\\u0061\":2}", "\"a\" twice");
	for (int n = 2; n < 400; n += 31) { /* beyond the size where pairs are compared */
		buf_clear(&b);
		for (int i = 0; i < n; i++)
			buf_printf(&b, &e, "%s\"k%d\":0", i ? "," : "{", i);
		buf_puts(&b, "}", &e);
		auto_json struct json_doc *doc = parse(buf_str(&b), &e);
		assert_non_null(doc);
		assert_int_equal(json_root(doc)->count, n);
		b.tail--;
		buf_printf(&b, &e, ",\"k%d\":0}", n / 2);
		refused(buf_str(&b), "twice");
	}
}

static void many_names_take_no_quadratic_time(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(1 << 20);
	struct err e;

	buf_puts(&b, "{\"x\":0", &e);
	for (int i = 0; i < 90000; i++)
		assert_int_equal(buf_printf(&b, &e, ",\"%x\":0", i), 0);
	buf_puts(&b, "}", &e);
	auto_json struct json_doc *doc = parse(buf_str(&b), &e); /* pairs would be 4 * 10^9 */
	assert_int_equal(json_root(doc)->count, 90001);
}

static void names_hold_no_nul(void **state)
{
	refused("{\"a\\u0000b\":1}", "a member's name holds a NUL byte");
}

static struct buf nested(char c, char d, size_t depth)
{
	struct buf b = BUF_LIMIT(1 << 20);
	struct err e;

	for (size_t i = 0; i < depth; i++)
		buf_append(&b, &c, 1, &e);
	for (size_t i = 0; i < depth; i++)
		buf_append(&b, &d, 1, &e);
	return b;
}

static void depth_is_limited(void **state)
{
	auto_buf struct buf ok = nested('[', ']', 64), deep = nested('[', ']', 65),
			    bomb = nested('[', ']', 500000);
	struct json_limits one = { .bytes = 100, .depth = 1, .nodes = 100 };
	struct err e;
	auto_json struct json_doc *doc = parse(buf_str(&ok), &e);

	assert_non_null(doc);
	refused(buf_str(&deep), "nested more than 64 levels deep");
	refused(buf_str(&bomb), "nested more than 64 levels deep");
	assert_null(parse_n("[[]]", 4, &one, &e));
	assert_null(parse_n("[{}]", 4, &one, &e));
	assert_int_equal(e.code, E2BIG);
	one.depth = 0;
	assert_null(parse_n("[]", 2, &one, &e));
	auto_json struct json_doc *scalar = parse_n("1", 1, &one, &e);
	assert_non_null(scalar);
}

static void size_and_count_are_limited(void **state)
{
	struct json_limits small = { .bytes = 10, .depth = 5, .nodes = 4 };
	struct err e;
	auto_json struct json_doc *a = parse_n("[1,2,3]   ", 10, &small, &e);

	assert_non_null(a);
	assert_null(parse_n("[1,2,3]    ", 11, &small, &e));
	assert_int_equal(e.code, EFBIG);
	assert_string_equal(e.msg, "11 bytes of JSON; the limit is 10");
	assert_null(parse_n("[1,2,3,4]", 9, &small, &e));
	assert_int_equal(e.code, E2BIG);
	assert_true(str_has_suffix(e.msg, "more than 4 values"));
}

static void files_are_named_in_errors(void **state)
{
	char dir[] = "/tmp/test-json-XXXXXX", path[64];
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.json", dir);
	f = fopen(path, "we");
	fputs("{\"a\":\n", f);
	fclose(f);
	assert_int_equal(json_parse_file(AT_FDCWD, path, NULL, &doc, &e), -1);
	assert_true(str_has_prefix(e.msg, path));
	assert_non_null(strstr(e.msg, ": line 2, column 1: premature EOF"));
	f = fopen(path, "we");
	fputs("{\"a\":[7]}", f);
	fclose(f);
	assert_int_equal(json_parse_file(AT_FDCWD, path, NULL, &doc, &e), 0);
	assert_int_equal(json_at_index(json_get(json_root(doc), "a"), 0)->i, 7);
	unlink(path);
	assert_int_equal(json_parse_file(AT_FDCWD, path, NULL, &doc, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_non_null(strstr(e.msg, "x.json"));
	rmdir(dir);
}

static void quick_reads_fall_back(void **state)
{
	struct err e;
	auto_json struct json_doc *doc = parse("{\"s\":\"x\",\"i\":3,\"b\":true}", &e);
	struct json *r = json_root(doc);

	assert_string_equal(json_str_or(r, "s", "d"), "x");
	assert_string_equal(json_str_or(r, "i", "d"), "d");
	assert_string_equal(json_str_or(NULL, "s", "d"), "d");
	assert_int_equal(json_int_or(r, "i", 9), 3);
	assert_int_equal(json_int_or(r, "s", 9), 9);
	assert_true(json_bool_or(r, "b", false));
	assert_true(json_bool_or(r, "absent", true));
}

static void each_skips_what_holds_nothing(void **state)
{
	struct err e;
	auto_json struct json_doc *doc = parse("[\"text\", 5, null]", &e);
	int n = 0;

	json_each (v, json_root(doc)) {
		json_each (inner, v) {
			n += 100;
		}
		n++;
	}
	json_each (v, (struct json *) NULL) {
		n += 1000;
	}
	assert_int_equal(n, 3);
}

/* ---- changing ---- */

static void prints(const struct json *v, const char *want)
{
	auto_buf struct buf b = BUF_LIMIT(1 << 20);
	struct err e = ERR_NONE;

	assert_int_equal(json_print(v, false, &b, &e), 0);
	assert_string_equal(buf_str(&b), want);
}

static void trees_can_be_changed(void **state)
{
	auto_json struct json_doc *doc = json_doc_new();
	struct json *r = json_root(doc), *list = json_new(doc, JSON_ARRAY);
	char name[] = "key";

	prints(r, "{}");
	json_set(doc, r, name, json_new_int(doc, 1));
	name[0] = '?'; /* names are copied */
	json_set(doc, r, "b", json_new_str(doc, "x"));
	json_set(doc, r, "c", list);
	json_append(list, json_new_bool(doc, true));
	json_append(list, json_new(doc, JSON_STRING));
	prints(r, "{\"key\":1,\"b\":\"x\",\"c\":[true,\"\"]}");
	assert_int_equal(r->count, 3);

	json_set(doc, r, "c", json_new(doc, JSON_NULL));
	json_set(doc, r, "key", json_new_int(doc, 2));
	prints(r, "{\"key\":2,\"b\":\"x\",\"c\":null}");
	assert_int_equal(r->count, 3);
	json_set(doc, r, "d", json_copy(doc, r));
	prints(r,
	       "{\"key\":2,\"b\":\"x\",\"c\":null,\"d\":{\"key\":2,\"b\":\"x\",\"c\":null}}");

	assert_true(json_remove(r, "d"));
	assert_true(json_remove(r, "key"));
	assert_false(json_remove(r, "key"));
	json_set(doc, r, "e", json_new_int(doc, -1));
	prints(r, "{\"b\":\"x\",\"c\":null,\"e\":-1}");
	assert_true(json_remove(r, "b") && json_remove(r, "c") && json_remove(r, "e"));
	assert_int_equal(r->count, 0);
	json_set(doc, r, "f", json_new_int(doc, 0));
	prints(r, "{\"f\":0}");
}

static void copies_are_deep(void **state)
{
	static const char text[] =
		"{\"a\":[1,18446744073709551615,1.5,\"x\\u0000y\",null,true,{\"b\":[]}]}";
	struct json_doc *copy = json_doc_new();
	struct err e;
	struct json_doc *doc = parse(text, &e);

	json_set(copy, json_root(copy), "c", json_copy(copy, json_root(doc)));
	json_doc_free(doc);
	prints(json_get(json_root(copy), "c"), text);
	json_doc_free(copy);
	json_doc_free(NULL);
}

/* ---- decoding ---- */

struct limit {
	int64_t soft;
	const char *type;
};

static const struct json_field limit_fields[] = {
	{ "type", json_decode_str, offsetof(struct limit, type), JSON_REQUIRED },
	{ "soft", json_decode_i64, offsetof(struct limit, soft), 0 },
};

static int decode_limit(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	return json_decode_object(v, at, limit_fields, ARRAY_SIZE(limit_fields),
				  JSON_UNKNOWN_REJECT, out, e);
}

static int decode_limits(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	return json_decode_list(v, at, sizeof(struct limit), decode_limit, out, e);
}

struct process {
	bool terminal;
	int32_t i32;
	uint32_t u32;
	int64_t i64;
	uint64_t u64;
	const char *cwd;
	const char **args;
	struct json_list rlimits;
	const struct json *raw;
};

static const struct json_field process_fields[] = {
	{ "terminal", json_decode_bool, offsetof(struct process, terminal),
	  JSON_NULL_IS_ABSENT },
	{ "i32", json_decode_i32, offsetof(struct process, i32), 0 },
	{ "u32", json_decode_u32, offsetof(struct process, u32), 0 },
	{ "i64", json_decode_i64, offsetof(struct process, i64), 0 },
	{ "u64", json_decode_u64, offsetof(struct process, u64), 0 },
	{ "cwd", json_decode_str, offsetof(struct process, cwd),
	  JSON_REQUIRED | JSON_NULL_IS_ABSENT },
	{ "args", json_decode_strv, offsetof(struct process, args), 0 },
	{ "rlimits", decode_limits, offsetof(struct process, rlimits), 0 },
	{ "raw", json_decode_node, offsetof(struct process, raw), 0 },
	{ "scheduler", json_decode_unsupported, 0, JSON_NULL_IS_ABSENT },
};

static int decode(const char *text, struct process *p, struct json_doc **doc, struct err *e)
{
	struct json_at at = { .name = "process" };

	*doc = parse(text, e);
	assert_non_null(*doc);
	return json_decode_object(json_root(*doc), &at, process_fields,
				  ARRAY_SIZE(process_fields), JSON_UNKNOWN_IGNORE, p, e);
}

static void process_fini(struct process *p)
{
	free(p->args);
	free(p->rlimits.items);
}

static void tables_fill_structs(void **state)
{
	struct process p = { .i64 = 42 };
	auto_json struct json_doc *doc = NULL;
	struct err e;
	int r = decode(
		"{\"terminal\":true,\"i32\":-2147483648,\"u32\":4294967295,"
		"\"u64\":18446744073709551615,\"cwd\":\"/\",\"args\":[\"sh\",\"-c\"],"
		"\"rlimits\":[{\"type\":\"A\",\"soft\":-5},{\"type\":\"B\"}],\"raw\":[7],"
		"\"vendor\":{\"x\":1},\"scheduler\":null}",
		&p, &doc, &e);
	const struct limit *l = p.rlimits.items;

	assert_int_equal(r, 0);
	assert_true(p.terminal);
	assert_int_equal(p.i32, INT32_MIN);
	assert_int_equal(p.u32, UINT32_MAX);
	assert_int_equal(p.i64, 42);
	assert_true(p.u64 == UINT64_MAX);
	assert_string_equal(p.cwd, "/");
	assert_string_equal(p.args[1], "-c");
	assert_null(p.args[2]);
	assert_int_equal(p.rlimits.n, 2);
	assert_int_equal(l[0].soft, -5);
	assert_string_equal(l[1].type, "B");
	assert_int_equal(json_at_index(p.raw, 0)->i, 7);
	process_fini(&p);
}

static void decoding_says_where(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "[]", "process: must be an object, not an array" },
		{ "{}", "process.cwd: required, but missing" },
		{ "{\"cwd\":null}", "process.cwd: required, but missing" },
		{ "{\"cwd\":5}", "process.cwd: must be a string, not a number" },
		{ "{\"cwd\":\"/\\u0000x\"}", "process.cwd: holds a NUL byte" },
		{ "{\"cwd\":\"/\",\"terminal\":1}",
		  "process.terminal: must be a boolean, not a number" },
		{ "{\"i32\":2147483648}",
		  "process.i32: 2147483648 is outside -2147483648..2147483647" },
		{ "{\"u32\":-1}", "process.u32: -1 is outside 0..4294967295" },
		{ "{\"u32\":4294967296}", "process.u32: 4294967296 is outside 0..4294967295" },
		{ "{\"i64\":9223372036854775808}",
		  "process.i64: 9223372036854775808 is outside" },
		{ "{\"u64\":-1}", "process.u64: -1 is outside 0..18446744073709551615" },
		{ "{\"u64\":1.0}", "process.u64: must be a whole number, not 1" },
		{ "{\"u64\":1e20}", "process.u64: must be a whole number, not 1e+20" },
		{ "{\"u64\":\"1\"}", "process.u64: must be a number, not a string" },
		{ "{\"args\":\"sh\"}",
		  "process.args: must be an array of strings, not a string" },
		{ "{\"args\":[\"a\",null]}", "process.args[1]: must be a string, not null" },
		{ "{\"args\":[\"a\",\"\\u0000\"]}", "process.args[1]: holds a NUL byte" },
		{ "{\"rlimits\":{}}", "process.rlimits: must be an array, not an object" },
		{ "{\"rlimits\":[{\"type\":\"A\"},{}]}",
		  "process.rlimits[1].type: required, but missing" },
		{ "{\"rlimits\":[{\"typ\":\"A\"}]}", "process.rlimits[0].typ: unknown field" },
		{ "{\"rlimits\":[[]]}", "process.rlimits[0]: must be an object, not an array" },
		{ "{\"scheduler\":{}}", "process.scheduler: not supported by this version" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct process p = { 0 };
		auto_json struct json_doc *doc = NULL;
		struct err e = ERR_NONE;

		assert_int_equal(decode(rows[i].text, &p, &doc, &e), -1);
		if (!str_has_prefix(e.msg, rows[i].want))
			fail_msg("%s\n  says: %s\n  not:  %s", rows[i].text, e.msg,
				 rows[i].want);
		process_fini(&p);
	}
}

static void a_hostile_name_stays_on_one_line(void **state)
{
	auto_json struct json_doc *doc = NULL;
	struct limit l = { 0 };
	struct err e = ERR_NONE;

	doc = parse("{\"a\\nb\\u001b[2J\":1}", &e);
	assert_int_equal(decode_limit(json_root(doc), NULL, &l, &e), -1);
	assert_string_equal(e.msg, "a b?[2J: unknown field");
	assert_int_equal(e.code, EINVAL);
}

static void paths_without_a_root_name(void **state)
{
	struct json_at root = { .name = "" }, a = { .up = &root, .name = "mounts" },
		       b = { .up = &a, .index = 3 }, c = { .up = &b, .name = "options" },
		       d = { .up = &c, .index = 0 };
	struct err e;

	assert_int_equal(json_err(&d, &e, "%d", 5), -1);
	assert_string_equal(e.msg, "mounts[3].options[0]: 5");
	json_err(NULL, &e, "plain");
	assert_string_equal(e.msg, "plain");
	json_err(&root, &e, "plain");
	assert_string_equal(e.msg, "plain");
}

static void long_paths_are_cut_not_overrun(void **state)
{
	struct json_at at[40];
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		at[i] = (struct json_at){ .up = i ? &at[i - 1] : NULL,
					  .name = "linux-resources" };
	json_err(&at[39], &e, "wrong");
	assert_true(str_has_prefix(e.msg, "linux-resources.linux-resources."));
	assert_true(str_has_suffix(e.msg, ": wrong"));
}

static void lists_are_limited(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(1 << 20);
	struct json_list list = { 0 };
	const char **strv = NULL;
	struct err e;

	buf_puts(&b, "[\"\"", &e);
	for (int i = 0; i < 65536; i++)
		buf_puts(&b, ",\"\"", &e);
	buf_puts(&b, "]", &e);
	auto_json struct json_doc *doc = parse(buf_str(&b), &e);
	assert_int_equal(json_decode_strv(json_root(doc), NULL, &strv, &e), -1);
	assert_string_equal(e.msg, "has 65537 elements; the limit is 65536");
	assert_int_equal(json_decode_list(json_root(doc), NULL, 16, json_decode_str, &list, &e),
			 -1);
	assert_null(list.items);
	assert_null(strv);
}

static void empty_lists_allocate_nothing_to_lose(void **state)
{
	struct json_list list = { 0 };
	const char **strv = NULL;
	struct err e;
	auto_json struct json_doc *doc = parse("[]", &e);

	assert_int_equal(json_decode_list(json_root(doc), NULL, 16, json_decode_str, &list, &e),
			 0);
	assert_int_equal(list.n, 0);
	assert_int_equal(json_decode_strv(json_root(doc), NULL, &strv, &e), 0);
	assert_null(strv[0]);
	free(strv);
}

/* ---- writing ---- */

static void write_sample(struct json_writer *w)
{
	jw_object(w, NULL);
	jw_str(w, "s", "q\"b\\n\n\x01\x7f\xc3\xa9\xff");
	jw_str(w, "none", NULL);
	jw_int(w, "i", INT64_MIN);
	jw_uint(w, "u", UINT64_MAX);
	jw_bool(w, "b", false);
	jw_array(w, "a");
	jw_real(w, NULL, 0.1);
	jw_real(w, NULL, 3);
	jw_real(w, NULL, 1e300);
	jw_array(w, NULL);
	jw_close(w);
	jw_object(w, NULL);
	jw_null(w, "n");
	jw_close(w);
	jw_close(w);
	jw_close(w);
}

static void writer_is_compact_or_pretty(void **state)
{
	static const char *const want[2] = {
		"{\"s\":\"q\\\"b\\\\n\\n\\u0001\x7f\xc3\xa9\xef\xbf\xbd\",\"none\":null,"
		"\"i\":-9223372036854775808,\"u\":18446744073709551615,\"b\":false,"
		"\"a\":[0.1,3.0,1e+300,[],{\"n\":null}]}",
		"{\n  \"s\": \"q\\\"b\\\\n\\n\\u0001\x7f\xc3\xa9\xef\xbf\xbd\",\n  \"none\": null,\n"
		"  \"i\": -9223372036854775808,\n  \"u\": 18446744073709551615,\n  \"b\": false,\n"
		"  \"a\": [\n    0.1,\n    3.0,\n    1e+300,\n    [],\n    {\n      \"n\": null\n    }\n  ]\n}",
	};

	for (int pretty = 0; pretty < 2; pretty++) {
		auto_buf struct buf b = BUF_LIMIT(4096);
		auto_json_writer struct json_writer *w = json_writer_new(&b, pretty);
		auto_json struct json_doc *doc = NULL;
		struct err e = ERR_NONE;

		write_sample(w);
		assert_int_equal(json_writer_end(w, &e), 0);
		assert_string_equal(buf_str(&b), want[pretty]);
		doc = parse(buf_str(&b), &e);
		assert_non_null(doc);
	}
}

static void reals_read_back_the_same(void **state)
{
	static const double rows[] = { 0.1,  1.0 / 3, 1e-310, 1.7976931348623157e308,
				       -2.5, 1e15,    1e16,   123456789.125,
				       -0.0, 5e-324 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf b = BUF_LIMIT(4096);
		auto_json_writer struct json_writer *w = json_writer_new(&b, false);
		auto_json struct json_doc *doc = NULL;
		struct err e = ERR_NONE;

		jw_real(w, NULL, rows[i]);
		assert_int_equal(json_writer_end(w, &e), 0);
		doc = parse(buf_str(&b), &e);
		assert_int_equal(json_root(doc)->type, JSON_REAL);
		assert_memory_equal(&json_root(doc)->real, &rows[i], sizeof(rows[i]));
	}
}

static void misuse_nothing(struct json_writer *w)
{
	(void) w;
}
static void misuse_open(struct json_writer *w)
{
	jw_object(w, NULL);
}
static void misuse_twice(struct json_writer *w)
{
	jw_null(w, NULL);
	jw_null(w, NULL);
}
static void misuse_close(struct json_writer *w)
{
	jw_null(w, NULL);
	jw_close(w);
}
static void misuse_top_name(struct json_writer *w)
{
	jw_null(w, "x");
}
static void misuse_no_name(struct json_writer *w)
{
	jw_object(w, NULL);
	jw_null(w, NULL);
	jw_close(w);
}
static void misuse_name(struct json_writer *w)
{
	jw_array(w, NULL);
	jw_null(w, "x");
	jw_close(w);
}
static void misuse_nan(struct json_writer *w)
{
	jw_real(w, NULL, __builtin_nan(""));
}
static void misuse_inf(struct json_writer *w)
{
	jw_real(w, NULL, __builtin_inf());
}

static void misuse_deep(struct json_writer *w)
{
	for (int i = 0; i < 1000; i++)
		jw_array(w, NULL);
	for (int i = 0; i < 1000; i++)
		jw_close(w);
}

static void writer_notices_misuse(void **state)
{
	static const struct {
		void (*use)(struct json_writer *w);
		const char *want;
	} rows[] = {
		{ misuse_nothing, "nothing was written" },
		{ misuse_open, "still open" },
		{ misuse_twice, "a second value at the top" },
		{ misuse_close, "nothing to close" },
		{ misuse_top_name, "a name outside an object" },
		{ misuse_no_name, "a member without a name" },
		{ misuse_name, "a name outside an object" },
		{ misuse_nan, "not finite" },
		{ misuse_inf, "not finite" },
		{ misuse_deep, "nested too deep" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf b = BUF_LIMIT(4096);
		auto_json_writer struct json_writer *w = json_writer_new(&b, false);
		struct err e = ERR_NONE;

		rows[i].use(w);
		assert_int_equal(json_writer_end(w, &e), -1);
		if (!strstr(e.msg, rows[i].want))
			fail_msg("row %zu says: %s", i, e.msg);
	}
}

static void writer_stops_at_the_buffers_limit(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(8);
	auto_json_writer struct json_writer *w = json_writer_new(&b, false);
	struct err e = ERR_NONE;

	jw_array(w, NULL);
	jw_str(w, NULL, "0123456789");
	jw_close(w);
	assert_int_equal(json_writer_end(w, &e), -1);
	assert_int_equal(e.code, ENOBUFS);
}

static void print_and_parse_agree(void **state)
{
	static const char text[] =
		"{\"a\":[1,-2,1.5,18446744073709551615,true,null,\"\\u0000\\u001f\"],"
		"\"b\":{\"c\":{},\"d\":[]},\"\":\"\"}";
	struct err e;
	auto_json struct json_doc *doc = parse(text, &e);
	auto_buf struct buf b = BUF_LIMIT(4096);

	prints(json_root(doc), text);
	assert_int_equal(json_print(json_root(doc), true, &b, &e), 0);
	auto_json struct json_doc *again = parse(buf_str(&b), &e);
	prints(json_root(again), text);
}

static void nodes_are_written_in_place(void **state)
{
	struct err e;
	auto_json struct json_doc *doc = parse("{\"x\":{\"y\":[1]}}", &e);
	auto_buf struct buf b = BUF_LIMIT(4096);
	auto_json_writer struct json_writer *w = json_writer_new(&b, false);

	jw_object(w, NULL);
	jw_node(w, "copy", json_get(json_root(doc), "x"));
	jw_node(w, "none", NULL);
	jw_close(w);
	assert_int_equal(json_writer_end(w, &e), 0);
	assert_string_equal(buf_str(&b), "{\"copy\":{\"y\":[1]},\"none\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type),
		cmocka_unit_test(any_value_may_be_the_root),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(broken_text_is_refused),
		cmocka_unit_test(trailing_bytes_are_refused),
		cmocka_unit_test(errors_name_the_place),
		cmocka_unit_test(bad_utf8_is_refused),
		cmocka_unit_test(half_surrogates_are_refused),
		cmocka_unit_test(duplicate_names_are_refused),
		cmocka_unit_test(many_names_take_no_quadratic_time),
		cmocka_unit_test(names_hold_no_nul),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(size_and_count_are_limited),
		cmocka_unit_test(files_are_named_in_errors),
		cmocka_unit_test(quick_reads_fall_back),
		cmocka_unit_test(each_skips_what_holds_nothing),
		cmocka_unit_test(trees_can_be_changed),
		cmocka_unit_test(copies_are_deep),
		cmocka_unit_test(tables_fill_structs),
		cmocka_unit_test(decoding_says_where),
		cmocka_unit_test(a_hostile_name_stays_on_one_line),
		cmocka_unit_test(paths_without_a_root_name),
		cmocka_unit_test(long_paths_are_cut_not_overrun),
		cmocka_unit_test(lists_are_limited),
		cmocka_unit_test(empty_lists_allocate_nothing_to_lose),
		cmocka_unit_test(writer_is_compact_or_pretty),
		cmocka_unit_test(reals_read_back_the_same),
		cmocka_unit_test(writer_notices_misuse),
		cmocka_unit_test(writer_stops_at_the_buffers_limit),
		cmocka_unit_test(print_and_parse_agree),
		cmocka_unit_test(nodes_are_written_in_place),
	};

	return cmocka_run_group_tests_name("base: json", tests, NULL, NULL);
}
