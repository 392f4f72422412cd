/* JSON: tables that fill structs from a tree. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/str.h"
#include "tests/unit/json_text.h"

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

static void names_in_any_case(void **state)
{
	static const struct json_field fields[] = {
		{ "limit", json_decode_i64, 0, JSON_REQUIRED },
	};
	const struct {
		const char *text;
		int64_t want; /* 0: refused */
	} rows[] = {
		{ "{\"limit\":1}", 1 },
		{ "{\"Limit\":2}", 2 },
		{ "{\"LIMIT\":2,\"limit\":3}", 3 },
		{ "{\"limit\":3,\"LIMIT\":4}", 4 },
		{ "{\"limits\":5}", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		int64_t n = 0;
		auto_json struct json_doc *doc = parse(rows[i].text, &e);
		int r = json_decode_object(json_root(doc), NULL, fields, 1, JSON_ANY_CASE, &n,
					   &e);

		assert_int_equal(r, rows[i].want ? 0 : -1);
		assert_int_equal(n, rows[i].want);
		n = 0;
		r = json_decode_object(json_root(doc), NULL, fields, 1, JSON_UNKNOWN_IGNORE, &n,
				       &e);
		assert_int_equal(r, strstr(rows[i].text, "limit\"") ? 0 : -1);
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
	assert_int_equal(json_decode_words(json_root(doc), NULL, json_decode_str, &strv, &e),
			 -1);
	assert_string_equal(e.msg, "has 65537 elements; the limit is 65536");
	assert_null(strv);
}

static int decode_letter(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (s[0] < 'a' || s[0] > 'z' || s[1])
		return json_err(at, e, "\"%s\" is no letter", s);
	*(unsigned *) out |= 1U << (s[0] - 'a');
	return 0;
}

static void words_go_into_one_value(void **state)
{
	static const struct {
		const char *text;
		unsigned want;
		const char *error;
	} cases[] = {
		{ "[]", 0x100, NULL },
		{ "[\"a\", \"c\", \"a\"]", 0x105, NULL },
		{ "[\"b\", \"cd\", \"d\"]", 0x102, "flags[1]: \"cd\" is no letter" },
		{ "[\"a\", 7]", 0x101, "flags[1]: must be a string, not a number" },
		{ "\"a\"", 0x100, "flags: must be an array of strings, not a string" },
		{ "{\"a\": \"b\"}", 0x100,
		  "flags: must be an array of strings, not an object" },
		{ "null", 0x100, "flags: must be an array of strings, not null" },
	};
	const struct json_at at = { .name = "flags" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e;
		unsigned letters = 0x100;
		auto_json struct json_doc *doc = parse(cases[i].text, &e);
		const int r =
			json_decode_words(json_root(doc), &at, decode_letter, &letters, &e);

		assert_int_equal(r, cases[i].error ? -1 : 0);
		if (cases[i].error)
			assert_string_equal(e.msg, cases[i].error);
		assert_int_equal(letters, cases[i].want);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_fill_structs),
		cmocka_unit_test(decoding_says_where),
		cmocka_unit_test(names_in_any_case),
		cmocka_unit_test(a_hostile_name_stays_on_one_line),
		cmocka_unit_test(paths_without_a_root_name),
		cmocka_unit_test(long_paths_are_cut_not_overrun),
		cmocka_unit_test(lists_are_limited),
		cmocka_unit_test(words_go_into_one_value),
		cmocka_unit_test(empty_lists_allocate_nothing_to_lose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
