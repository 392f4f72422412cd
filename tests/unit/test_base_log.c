/* Clocks and log lines. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define check_msg(e, text) assert_string_equal((e).msg, text)

/* ---- clock ---- */

static void stamps_are_rfc3339(void **state)
{
	static const struct {
		uint64_t ms;
		const char *s;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 951782399999, "2000-02-28T23:59:59.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 951868800000, "2000-03-01T00:00:00.000Z" },
		{ 1772366400001, "2026-03-01T12:00:00.001Z" },
		{ 4107542400000, "2100-03-01T00:00:00.000Z" },
		{ 4107456000000, "2100-02-28T00:00:00.000Z" },
		{ 253402300799000, "9999-12-31T23:59:59.000Z" },
	};
	struct clock_stamp now = clock_rfc3339_now();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(clock_rfc3339_ms(rows[i].ms).s, rows[i].s);
	assert_int_equal(strlen(now.s), strlen("2026-03-01T12:00:00.123456789Z"));
	assert_int_equal(strspn(now.s, "0123456789-:.TZ"), strlen(now.s));
}

static void stamps_agree_with_libc(void **state)
{
	uint64_t s = 0;

	for (int i = 0; i < 3000; i++, s += 86400 * 17 + 12345) {
		time_t t = (time_t) s;
		struct tm tm;
		char want[40];

		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		assert_string_equal(clock_rfc3339_ms(s * 1000).s, want);
	}
}

static void clocks_go_forward(void **state)
{
	uint64_t a = clock_mono_ns(), ms = clock_mono_ms(), b = clock_mono_ns();

	assert_true(a <= b);
	assert_true(ms >= a / 1000000 && ms <= b / 1000000);
	assert_true(clock_real_ms() > 1700000000000);
}

/* ---- log ---- */

struct line {
	char s[8192];
};

static struct line logged(enum log_format format, enum log_level min, enum log_level level,
			  const char *msg)
{
	struct line l = { "" };
	int p[2];
	ssize_t n;

	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	log_open(p[1], format, min);
	errno = ENOTTY;
	log_line(level, "%s", msg);
	assert_int_equal(errno, ENOTTY);
	n = read(p[0], l.s, sizeof(l.s) - 1);
	l.s[n > 0 ? n : 0] = '\0';
	close(p[0]);
	close(p[1]);
	log_open(STDERR_FILENO, LOG_TEXT, LOG_LV_INFO);
	return l;
}

static void text_lines(void **state)
{
	struct line l =
		logged(LOG_TEXT, LOG_LV_INFO, LOG_LV_WARN, "say \"hi\"\\\n\x1b[m\xff\xc3\xa9");

	assert_true(str_has_prefix(l.s, "time=\"20"));
	assert_string_equal(
		l.s + strlen("time=\"2026-03-01T12:00:00Z\""),
		" level=warning msg=\"say \\\"hi\\\"\\\\\\n\\x1b[m\xef\xbf\xbd\xc3\xa9\"\n");
}

static void json_lines_are_json(void **state)
{
	struct line l = logged(LOG_JSON, LOG_LV_INFO, LOG_LV_ERROR,
			       "say \"hi\"\\\n\x1b[m\x01\xff\xc3\xa9\xc2\x9b");
	struct err e = ERR_NONE;
	auto_json struct json_doc *doc = NULL;

	assert_true(str_has_prefix(l.s, "{\"level\":\"error\",\"msg\":\""));
	assert_int_equal(json_parse(l.s, strlen(l.s), NULL, &doc, &e), 0);
	assert_string_equal(json_str_or(json_root(doc), "msg", ""),
			    "say \"hi\"\\\n\x1b[m\x01\xef\xbf\xbd\xc3\xa9\xc2\x9b");
	assert_int_equal(strlen(json_str_or(json_root(doc), "time", "")), 20);
	assert_true(str_has_suffix(l.s, "}\n"));
}

static void long_lines_stay_whole(void **state)
{
	for (int c = 1; c < 256; c += 27) {
		struct err e = ERR_NONE;
		auto_json struct json_doc *doc = NULL;
		char big[6000];
		struct line l;

		memset(big, c, sizeof(big) - 1);
		big[sizeof(big) - 1] = '\0';
		l = logged(LOG_JSON, LOG_LV_INFO, LOG_LV_ERROR, big);
		assert_true(strlen(l.s) <= 4096);
		assert_int_equal(json_parse(l.s, strlen(l.s), NULL, &doc, &e), 0);
		assert_true(str_has_suffix(json_str_or(json_root(doc), "msg", ""), "..."));
	}
}

static void levels_are_filtered(void **state)
{
	assert_string_equal(logged(LOG_TEXT, LOG_LV_WARN, LOG_LV_INFO, "x").s, "");
	assert_string_not_equal(logged(LOG_TEXT, LOG_LV_WARN, LOG_LV_WARN, "x").s, "");
	assert_string_not_equal(logged(LOG_TEXT, LOG_LV_DEBUG, LOG_LV_DEBUG, "x").s, "");
	assert_false(log_wants(LOG_LV_DEBUG));
	assert_true(log_wants(LOG_LV_INFO));
}

static void level_names(void **state)
{
	struct err e = ERR_NONE;
	enum log_level l = LOG_LV_INFO;
	enum log_format f = LOG_JSON;

	assert_int_equal(log_level_parse("debug", &l, &e), 0);
	assert_int_equal(l, LOG_LV_DEBUG);
	assert_int_equal(log_level_parse("warn", &l, &e), 0);
	assert_int_equal(l, LOG_LV_WARN);
	assert_int_equal(log_level_parse("warning", &l, &e), 0);
	assert_int_equal(log_level_parse("loud", &l, &e), -1);
	check_msg(e, "log level \"loud\" is none of debug, info, warn, error");
	assert_int_equal(l, LOG_LV_WARN);
	assert_int_equal(log_format_parse("text", &f, &e), 0);
	assert_int_equal(f, LOG_TEXT);
	assert_int_equal(log_format_parse("json", &f, &e), 0);
	assert_int_equal(f, LOG_JSON);
	assert_int_equal(log_format_parse("JSON", &f, &e), -1);
}

static void opened_by_words(void **state)
{
	struct err e = ERR_NONE;

	assert_int_equal(log_open_named(2, "json", "warn", &e), 0);
	assert_false(log_wants(LOG_LV_INFO));
	assert_int_equal(log_open_named(2, "xml", NULL, &e), -1);
	assert_int_equal(log_open_named(2, NULL, "loud", &e), -1);
	assert_false(log_wants(LOG_LV_INFO)); /* as it was */
	assert_int_equal(log_open_named(2, NULL, NULL, &e), 0);
	assert_true(log_wants(LOG_LV_INFO));
	assert_false(log_wants(LOG_LV_DEBUG));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_are_rfc3339),  cmocka_unit_test(stamps_agree_with_libc),
		cmocka_unit_test(clocks_go_forward),   cmocka_unit_test(text_lines),
		cmocka_unit_test(json_lines_are_json), cmocka_unit_test(long_lines_stay_whole),
		cmocka_unit_test(levels_are_filtered), cmocka_unit_test(level_names),
		cmocka_unit_test(opened_by_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
