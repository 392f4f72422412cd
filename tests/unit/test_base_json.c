/* JSON: reading text into a tree, changing it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/str.h"
#include "tests/unit/json_text.h"

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

/* Without escapes they stay in the text, with one they cannot; a NUL byte is known of both kinds. */
static void strings_stay_in_their_text(void **state)
{
	static const char text[] =
		"{\"plain\":\"a\",\"\\u0065\":\"b\\n\",\"nul\":\"\\u0000\",\"\":[\"\",\"z\"]}";
	auto_buf struct buf given = BUF_LIMIT(1 << 20);
	auto_json struct json_doc *doc = NULL, *copy = json_doc_new();
	struct err e = ERR_NONE;
	const char *s;

	assert_int_equal(buf_puts(&given, text, &e), 0);
	assert_int_equal(json_parse_buf(&given, NULL, &doc, &e), 0);
	assert_int_equal(buf_len(&given), 0);
	struct json *root = json_root(doc);
	assert_string_equal(json_str_or(root, "plain", NULL), "a");
	assert_string_equal(json_str_or(root, "e", NULL), "b\n");
	assert_string_equal(json_at_index(json_get(root, ""), 0)->str.s, "");
	assert_string_equal(json_at_index(json_get(root, ""), 1)->str.s, "z");
	assert_int_equal(json_decode_str(json_get(root, "plain"), NULL, &s, &e), 0);
	assert_int_equal(json_decode_str(json_get(root, "nul"), NULL, &s, &e), -1);
	assert_string_equal(e.msg, "holds a NUL byte");
	root = json_copy(copy, root);
	assert_int_equal(json_decode_str(json_get(root, "nul"), NULL, &s, &e), -1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type),
		cmocka_unit_test(any_value_may_be_the_root),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(strings_stay_in_their_text),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
