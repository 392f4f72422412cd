/* JSON: the writer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/json_text.h"

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

static void lists_of_strings(void **state)
{
	static const char *const none[] = { NULL }, *const two[] = { "a\"", "b", NULL };
	struct err e;
	auto_buf struct buf b = BUF_LIMIT(4096);
	auto_json_writer struct json_writer *w = json_writer_new(&b, false);

	jw_object(w, NULL);
	jw_strings(w, "absent", NULL);
	jw_strings(w, "none", none);
	jw_strings(w, "two", two);
	jw_close(w);
	assert_int_equal(json_writer_end(w, &e), 0);
	assert_string_equal(buf_str(&b), "{\"none\":[],\"two\":[\"a\\\"\",\"b\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writer_is_compact_or_pretty),
		cmocka_unit_test(reals_read_back_the_same),
		cmocka_unit_test(writer_notices_misuse),
		cmocka_unit_test(writer_stops_at_the_buffers_limit),
		cmocka_unit_test(print_and_parse_agree),
		cmocka_unit_test(nodes_are_written_in_place),
		cmocka_unit_test(lists_of_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
