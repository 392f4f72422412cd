/* base: YAML files as JSON trees. */
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
#include "base/yaml.h"

static struct json_doc *parse_n(const char *text, size_t n, struct err *e)
{
	auto_free char *exact = xalloc(n);
	struct json_doc *doc = NULL;

	memcpy(exact, text, n);
	*e = ERR_NONE;
	if (yaml_parse(exact, n, &doc, e) < 0) {
		assert_null(doc);
		assert_string_not_equal(e->msg, "");
	}
	return doc;
}

static void becomes(const char *text, const char *want)
{
	auto_buf struct buf b = BUF_LIMIT(1 << 16);
	struct err e;
	auto_json struct json_doc *doc = parse_n(text, strlen(text), &e);

	if (!doc)
		fail_msg("%s\n  says: %s", text, e.msg);
	assert_int_equal(json_print(json_root(doc), false, &b, &e), 0);
	assert_string_equal(buf_str(&b), want);
}

static void refused(const char *text, const char *want)
{
	struct err e;
	auto_json struct json_doc *doc = parse_n(text, strlen(text), &e);

	if (doc)
		fail_msg("accepted: %s", text);
	if (!strstr(e.msg, want))
		fail_msg("%s\n  says: %s\n  not:  %s", text, e.msg, want);
}

static void a_file_like_an_operator_writes_it(void **state)
{
	becomes("# tiers\n"
		"free:\n"
		"  memory: 256M\n"
		"  cpus: 0.5   # half\n"
		"  pids: 64\n"
		"  network: none\n"
		"  images: [debian, 'python:3']\n"
		"  egress:\n"
		"    - allow: 1.2.3.0/24\n"
		"      ports: [80, 443]\n"
		"    - deny: all\n"
		"  note: |\n"
		"    two\n"
		"    lines\n"
		"  empty:\n",
		"{\"free\":{\"memory\":\"256M\",\"cpus\":0.5,\"pids\":64,\"network\":\"none\","
		"\"images\":[\"debian\",\"python:3\"],\"egress\":[{\"allow\":\"1.2.3.0/24\","
		"\"ports\":[80,443]},{\"deny\":\"all\"}],\"note\":\"two\\nlines\\n\",\"empty\":null}}");
}

static void plain_scalars_follow_the_core_schema(void **state)
{
	static const char *const rows[][2] = {
		{ "null", "null" },
		{ "Null", "null" },
		{ "~", "null" },
		{ "", "null" },
		{ "nUll", "\"nUll\"" },
		{ "true", "true" },
		{ "TRUE", "true" },
		{ "False", "false" },
		{ "tRue", "\"tRue\"" },
		{ "yes", "\"yes\"" },
		{ "no", "\"no\"" },
		{ "on", "\"on\"" },
		{ "off", "\"off\"" },
		{ "y", "\"y\"" },
		{ "0", "0" },
		{ "-12", "-12" },
		{ "+12", "12" },
		{ "0123", "123" },
		{ "0o17", "15" },
		{ "0x1F", "31" },
		{ "0xffffffffffffffff", "18446744073709551615" },
		{ "0o8", "\"0o8\"" },
		{ "0xg", "\"0xg\"" },
		{ "0x", "\"0x\"" },
		{ "-0x1", "\"-0x1\"" },
		{ "0b1", "\"0b1\"" },
		{ "1_000", "\"1_000\"" },
		{ "12:30", "\"12:30\"" },
		{ "2026-03-01", "\"2026-03-01\"" },
		{ "1.5", "1.5" },
		{ ".5", "0.5" },
		{ "5.", "5.0" },
		{ "+1.5", "1.5" },
		{ "-1e3", "-1000.0" },
		{ "1e", "\"1e\"" },
		{ ".", "\".\"" },
		{ "+", "\"+\"" },
		{ "1.2.3", "\"1.2.3\"" },
		{ "18446744073709551615", "18446744073709551615" },
		{ "\"5\"", "\"5\"" },
		{ "'true'", "\"true\"" },
		{ "\"\"", "\"\"" },
		{ "\"a\\0b\\u00e9\"", "\"a\\u0000b\xc3\xa9\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[80], want[80];

		snprintf(text, sizeof(text), "k: %s\n", rows[i][0]);
		snprintf(want, sizeof(want), "{\"k\":%s}", rows[i][1]);
		becomes(text, want);
	}
}

static void json_is_yaml(void **state)
{
	static const char text[] = "{\"a\":[1,2.5,null,true,\"x\"],\"b\":{\"c\":{}}}";

	becomes(text, text);
}

static void the_empty_file_is_null(void **state)
{
	becomes("", "null");
	becomes("# nothing\n", "null");
	becomes("---\n", "null");
	becomes("--- 5\n...\n", "5");
	becomes("\xef\xbb\xbf"
		"a: 1\n",
		"{\"a\":1}");
}

static void refusals_name_line_and_column(void **state)
{
	static const char *const rows[][2] = {
		{ "a: &x 1\n", "line 1, column 4: anchors are not accepted" },
		{ "a: &x [1]\n", "line 1, column 4: anchors are not accepted" },
		{ "a: 1\nb: *x\n", "line 2, column 4: aliases are not accepted" },
		{ "? &x a\n: 1\n", "line 1, column 3: anchors are not accepted" },
		{ "a:\n  !!str 1\n", "line 2, column 3: tags are not accepted" },
		{ "a: ! x\n", "line 1, column 4: tags are not accepted" },
		{ "a: !!python/object:os.system {}\n", "tags are not accepted" },
		{ "!!map {a: 1}\n", "tags are not accepted" },
		{ "%TAG ! tag:x,2000:\n---\na: 1\n", "tags are not accepted" },
		{ "a:\n  <<: {b: 1}\n", "line 2, column 3: merge keys (<<) are not accepted" },
		{ "1: x\n", "line 1, column 1: the name \"1\" is not a string: quote it" },
		{ "true: x\n", "is not a string" },
		{ "~: x\n", "is not a string" },
		{ "?\n: x\n", "the name \"\" is not a string" },
		{ ".nan: x\n", "is not a string" },
		{ "0x1f: x\n", "is not a string" },
		{ "? [a]\n: 1\n", "line 1, column 3: a member's name must be a string" },
		{ "{a: 1}: 2\n", "line 1, column 1: a member's name must be a string" },
		{ "a: 1\na: 2\n",
		  "line 3, column 1: the object that ends here has \"a\" twice" },
		{ "x: {a: 1, 'a': 2}\n", "has \"a\" twice" },
		{ "--- 1\n--- 2\n", "line 2, column 1: a second document" },
		{ "a: 1\n...\n---\nb: 2\n", "line 3, column 1: a second document" },
		{ "a: .inf\n", "line 1, column 4: .inf is not a number" },
		{ "a: -.INF\n", "is not a number" },
		{ "a: .NaN\n", "is not a number" },
		{ "a: 1e999\n", "too large" },
		{ "a: 0x1ffffffffffffffff\n", "too large" },
		{ "\"a\\0b\": 1\n", "a member's name holds a NUL byte" },
		{ "a: [1, 2\n", "line 2, column 1" },
		{ "a: 'x\n", "line 2, column 1" },
		{ "a: 1\n b: 2\n", "line 2, column " },
		{ "a:\n\t- 1\n", "line 2, column 1" },
		{ "a: \"\\q\"\n", "unknown escape" },
		{ "a: \"\\ud800\"\n", "line 1, column " },
		{ "a: \x01\n", "line 1, column 4: control characters" },
		{ "a: \x7f\n", "line 1, column 4: control characters" },
		{ "x:\n- \xc3\xa9\xff\n", "line 2, column 4: invalid leading UTF-8" },
		{ "a: \xc0\x80\n", "line 1, column 4: invalid " },
		{ "a: \xed\xa0\x80\n", "line 1, column 4: invalid " },
		{ "@a: 1\n", "line 1, column 1" },
		{ "%YAML 2.0\n---\na: 1\n", "incompatible" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refused(rows[i][0], rows[i][1]);
}

static void bombs_stay_small(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(2 << 20);
	struct err e;

	for (int i = 0; i < 65; i++)
		buf_puts(&b, "[", &e);
	refused(buf_str(&b), "nested more than 64 levels deep");
	for (int i = 0; i < 500000; i++)
		buf_puts(&b, "[", &e);
	refused(buf_str(&b), "nested more than 64 levels deep");
	buf_clear(&b);
	buf_puts(&b, "[", &e);
	for (int i = 0; i < 200000; i++)
		buf_puts(&b, "1,", &e);
	buf_puts(&b, "1]", &e);
	refused(buf_str(&b), "more than 200000 values");
	buf_clear(&b);
	for (int i = 0; i < 1 << 19; i++)
		buf_puts(&b, "# ", &e);
	becomes(buf_str(&b), "null");
	buf_puts(&b, "#", &e);
	refused(buf_str(&b), "1048577 bytes of YAML; the limit is 1048576");
}

static void files_are_named_in_errors(void **state)
{
	char dir[] = "/tmp/test-yaml-XXXXXX", path[64];
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/tiers.yaml", dir);
	f = fopen(path, "we");
	fputs("a: *b\n", f);
	fclose(f);
	assert_int_equal(yaml_parse_file(AT_FDCWD, path, &doc, &e), -1);
	assert_true(str_has_prefix(e.msg, path));
	assert_true(str_has_suffix(e.msg, ": line 1, column 4: aliases are not accepted"));
	f = fopen(path, "we");
	fputs("a: 7\n", f);
	fclose(f);
	assert_int_equal(yaml_parse_file(AT_FDCWD, path, &doc, &e), 0);
	assert_int_equal(json_int_or(json_root(doc), "a", 0), 7);
	unlink(path);
	assert_int_equal(yaml_parse_file(AT_FDCWD, path, &doc, &e), -1);
	assert_int_equal(e.code, ENOENT);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_like_an_operator_writes_it),
		cmocka_unit_test(plain_scalars_follow_the_core_schema),
		cmocka_unit_test(json_is_yaml),
		cmocka_unit_test(the_empty_file_is_null),
		cmocka_unit_test(refusals_name_line_and_column),
		cmocka_unit_test(bombs_stay_small),
		cmocka_unit_test(files_are_named_in_errors),
	};

	return cmocka_run_group_tests_name("base: yaml", tests, NULL, NULL);
}
