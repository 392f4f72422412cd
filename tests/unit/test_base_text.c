/* base: errors, small allocations, buffers, strict text, stamps and log lines. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"

#define check_msg(e, text) assert_string_equal((e).msg, text)

/* ---- err ---- */

static void err_builds_one_sentence(void **state)
{
	struct err e = ERR_NONE;

	errno = EACCES;
	assert_int_equal(err_sys(&e, "openat2 %s", "proc"), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(e.code, EACCES);
	check_msg(e, "openat2 proc: Permission denied");
	assert_int_equal(err_wrap(&e, "mount /%s", "proc"), -1);
	assert_int_equal(err_wrap(&e, "create %s", "web"), -1);
	assert_int_equal(err_hint(&e, "is it %s?", "mounted"), -1);
	assert_int_equal(e.code, EACCES);
	check_msg(e,
		  "create web: mount /proc: openat2 proc: Permission denied; is it mounted?");
	assert_int_equal(err_set(&e, ENOTSUP, "new"), -1);
	assert_int_equal(e.code, ENOTSUP);
	check_msg(e, "new");
}

static void err_accepts_its_own_text(void **state)
{
	struct err e = ERR_NONE;

	err_set(&e, EINVAL, "inner");
	err_set(&e, EINVAL, "[%s]", e.msg);
	check_msg(e, "[inner]");
	err_wrap(&e, "<%s>", e.msg);
	check_msg(e, "<[inner]>: [inner]");
}

static void err_wraps_nothing(void **state)
{
	struct err e = ERR_NONE;

	err_wrap(&e, "alone");
	check_msg(e, "alone");
	e = ERR_NONE;
	err_hint(&e, "try");
	check_msg(e, "try");
}

static void err_keeps_errno(void **state)
{
	struct err e = ERR_NONE;

	errno = ENOENT;
	err_set(&e, EINVAL, "x");
	err_wrap(&e, "y");
	err_hint(&e, "z");
	assert_int_equal(errno, ENOENT);
}

static void err_is_cut_with_dots(void **state)
{
	struct err e = ERR_NONE;
	char big[2000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&e, EINVAL, "%s", big);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_true(str_has_suffix(e.msg, "xxx..."));
	err_wrap(&e, "front");
	assert_true(str_has_prefix(e.msg, "front: xxx"));
	assert_true(str_has_suffix(e.msg, "..."));
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);

	/* Exactly full is not cut. */
	big[sizeof(e.msg) - 1] = '\0';
	err_set(&e, EINVAL, "%s", big);
	assert_true(str_has_suffix(e.msg, "xxxx"));
}

static void err_is_not_cut_inside_a_character(void **state)
{
	char big[1200];

	for (size_t shift = 0; shift < 3; shift++) {
		struct err e = ERR_NONE;
		size_t i = 0, n;

		memset(big, 'a', shift);
		for (n = shift; n + 3 < sizeof(big); n += 3)
			memcpy(big + n, "\xe2\x82\xac", 3);
		big[n] = '\0';
		err_set(&e, EINVAL, "%s", big);
		assert_true(str_has_suffix(e.msg, "..."));
		for (n = strlen(e.msg); i < n;) {
			size_t k = str_utf8_len(e.msg + i, n - i);

			assert_true(k > 0);
			i += k;
		}
	}
}

static void err_is_one_harmless_line(void **state)
{
	struct err e = ERR_NONE;

	err_set(&e, EINVAL, "a\nb\x1b[2Jc\td\x7f\xc2\x9bX\xc2\xa9");
	check_msg(e, "a b?[2Jc d???X\xc2\xa9");
}

static void err_fits_a_socket_message(void **state)
{
	assert_int_equal(sizeof(struct err), 512);
}

/* ---- util ---- */

static void destructors_keep_errno_and_clear(void **state)
{
	char *p = xstrdup("x"), **v = xalloc(3 * sizeof(*v));

	v[0] = xstrdup("a");
	v[1] = xasprintf("%d", 7);
	assert_int_equal(strv_len(v), 2);
	assert_int_equal(strv_len(NULL), 0);
	assert_string_equal(v[1], "7");
	errno = EXDEV;
	util_free_ptr(&p);
	util_free_strv(&v);
	assert_int_equal(errno, EXDEV);
	assert_null(p);
	assert_null(v);
	util_free_strv(&v);
}

static void take_ptr_leaves_null(void **state)
{
	auto_free char *p = xstrndup("abcdef", 3);
	char *q = take_ptr(&p);

	assert_null(p);
	assert_string_equal(q, "abc");
	free(q);
}

/* ---- buf ---- */

static void buf_holds_what_was_put(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(1000);
	struct err e = ERR_NONE;

	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_puts(&b, "ab", &e), 0);
	assert_int_equal(buf_append(&b, "c\0d", 3, &e), 0);
	assert_int_equal(buf_printf(&b, &e, "%04d", 7), 0);
	assert_int_equal(buf_len(&b), 9);
	assert_memory_equal(buf_bytes(&b), "abc\0d0007", 9);
	assert_string_equal(buf_str(&b) + 4, "d0007");
	buf_consume(&b, 4);
	assert_string_equal(buf_str(&b), "d0007");
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	assert_true(b.cap > 0);
}

static void buf_stops_at_its_limit(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(10);
	struct err e = ERR_NONE;

	assert_int_equal(buf_puts(&b, "0123456789", &e), 0);
	assert_int_equal(buf_puts(&b, "", &e), 0);
	assert_int_equal(buf_puts(&b, "x", &e), -1);
	assert_int_equal(e.code, ENOBUFS);
	assert_int_equal(buf_printf(&b, &e, "%s", "x"), -1);
	assert_int_equal(buf_reserve(&b, SIZE_MAX, &e), -1);
	assert_string_equal(buf_str(&b), "0123456789");
	buf_consume(&b, 3);
	assert_int_equal(buf_printf(&b, &e, "%s", "abc"), 0);
	assert_string_equal(buf_str(&b), "3456789abc");
	assert_int_equal(buf_printf(&b, &e, "%s", "d"), -1);
}

static void buf_never_grows_beyond_its_limit(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(700);
	struct err e = ERR_NONE;

	for (int i = 0; i < 5000; i++) {
		assert_int_equal(buf_append(&b, "0123456789", 10, &e), 0);
		assert_true(b.cap <= b.limit);
		if (buf_len(&b) > 600)
			buf_consume(&b, 317);
	}
}

static void buf_survives_random_use(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(4096);
	struct err e = ERR_NONE;
	unsigned seed = 1, put = 0, got = 0;

	for (int i = 0; i < 20000; i++) {
		uint8_t chunk[300];
		size_t n;

		seed = seed * 1103515245u + 12345u;
		n = seed >> 16 & 0xff;
		if (seed & 1 << 8) {
			for (size_t k = 0; k < n; k++)
				chunk[k] = (uint8_t) (put + k);
			if (buf_append(&b, chunk, n, &e) == 0)
				put += n;
			else
				assert_true(buf_len(&b) + n > 4096);
		} else {
			n = MIN(n, buf_len(&b));
			for (size_t k = 0; k < n; k++)
				assert_int_equal(buf_bytes(&b)[k], (uint8_t) (got + k));
			buf_consume(&b, n);
			got += n;
		}
	}
	assert_int_equal(put - got, buf_len(&b));
}

static void buf_gives_its_text_away(void **state)
{
	struct buf b = BUF_LIMIT(100);
	struct err e = ERR_NONE;
	auto_free char *empty = buf_take_str(&b);
	auto_free char *s = NULL;

	assert_string_equal(empty, "");
	buf_puts(&b, "hello", &e);
	buf_consume(&b, 2);
	s = buf_take_str(&b);
	assert_string_equal(s, "llo");
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(b.limit, 100);
	assert_null(b.data);
	assert_int_equal(buf_printf(&b, &e, "%s", ""), 0);
	buf_fini(&b);
	buf_fini(&b);
}

/* ---- str ---- */

static void u64_is_strict(void **state)
{
	static const struct {
		const char *s;
		uint64_t max;
		bool ok;
		uint64_t v;
	} rows[] = {
		{ "0", 10, true, 0 },
		{ "10", 10, true, 10 },
		{ "007", 10, true, 7 },
		{ "010", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999999", UINT64_MAX, false, 0 },
		{ "184467440737095516150", UINT64_MAX, false, 0 },
		{ "", UINT64_MAX, false, 0 },
		{ " 1", UINT64_MAX, false, 0 },
		{ "1 ", UINT64_MAX, false, 0 },
		{ "1\n", UINT64_MAX, false, 0 },
		{ "+1", UINT64_MAX, false, 0 },
		{ "-1", UINT64_MAX, false, 0 },
		{ "-0", UINT64_MAX, false, 0 },
		{ "0x10", UINT64_MAX, false, 0 },
		{ "1e3", UINT64_MAX, false, 0 },
		{ "1.0", UINT64_MAX, false, 0 },
		{ "1_000", UINT64_MAX, false, 0 },
		{ "\xd9\xa1", UINT64_MAX, false, 0 }, /* ARABIC-INDIC DIGIT ONE */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		uint64_t v = 77;
		int r = str_to_u64(rows[i].s, rows[i].max, "pids", &v, &e);

		if ((r == 0) != rows[i].ok)
			fail_msg("\"%s\": %d", rows[i].s, r);
		assert_true(v == (rows[i].ok ? rows[i].v : 77));
		assert_true(rows[i].ok || str_has_prefix(e.msg, "pids: "));
	}
}

static void i64_is_strict(void **state)
{
	static const struct {
		const char *s;
		int64_t min, max;
		bool ok;
		int64_t v;
	} rows[] = {
		{ "-1", -1, 5, true, -1 },
		{ "-2", -1, 5, false, 0 },
		{ "6", -1, 5, false, 0 },
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN },
		{ "-9223372036854775809", INT64_MIN, INT64_MAX, false, 0 },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, false, 0 },
		{ "-", INT64_MIN, INT64_MAX, false, 0 },
		{ "--1", INT64_MIN, INT64_MAX, false, 0 },
		{ "+1", INT64_MIN, INT64_MAX, false, 0 },
		{ "- 1", INT64_MIN, INT64_MAX, false, 0 },
		{ "", INT64_MIN, INT64_MAX, false, 0 },
		{ "1x", INT64_MIN, INT64_MAX, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		int64_t v = 77;
		int r = str_to_i64(rows[i].s, rows[i].min, rows[i].max, "n", &v, &e);

		if ((r == 0) != rows[i].ok)
			fail_msg("\"%s\": %d", rows[i].s, r);
		assert_true(v == (rows[i].ok ? rows[i].v : 77));
	}
}

static void ids_exclude_minus_one(void **state)
{
	struct err e = ERR_NONE;
	uint32_t id = 5;

	assert_int_equal(str_to_id("4294967294", "uid", &id, &e), 0);
	assert_int_equal(id, 4294967294u);
	assert_int_equal(str_to_id("4294967295", "uid", &id, &e), -1);
	check_msg(e, "uid: 4294967295 is above the largest value, 4294967294");
	assert_int_equal(str_to_id("root", "uid", &id, &e), -1);
	check_msg(e, "uid: \"root\" is not a whole number from 0 up");
	assert_int_equal(id, 4294967294u);
}

struct unit_row {
	const char *s;
	bool ok;
	uint64_t v;
};

static void sizes_are_powers_of_1024(void **state)
{
	static const struct unit_row rows[] = {
		{ "256", true, 256 },
		{ "0", true, 0 },
		{ "64k", true, 65536 },
		{ "64K", true, 65536 },
		{ "1b", true, 1 },
		{ "32M", true, 32 << 20 },
		{ "1Gi", true, 1 << 30 },
		{ "2GiB", true, 2ull << 30 },
		{ "3MB", true, 3 << 20 },
		{ "1T", true, 1ull << 40 },
		{ "16777215T", true, 16777215ull << 40 },
		{ "16777216T", false, 0 },
		{ "18446744073709551616", false, 0 },
		{ "1.5G", false, 0 },
		{ "k", false, 0 },
		{ "", false, 0 },
		{ "1 k", false, 0 },
		{ "1kk", false, 0 },
		{ "1Bi", false, 0 },
		{ "-1", false, 0 },
		{ "1E", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		uint64_t v = 77;
		int r = str_to_bytes(rows[i].s, "memory", &v, &e);

		if ((r == 0) != rows[i].ok)
			fail_msg("\"%s\": %d", rows[i].s, r);
		assert_true(v == (rows[i].ok ? rows[i].v : 77));
	}
}

static void durations_name_their_unit(void **state)
{
	static const struct unit_row rows[] = {
		{ "500ms", true, 500 },
		{ "90s", true, 90000 },
		{ "15m", true, 900000 },
		{ "24h", true, 86400000 },
		{ "7d", true, 604800000 },
		{ "0s", true, 0 },
		{ "213503982334d", true, 213503982334ull * 86400000 },
		{ "213503982335d", false, 0 },
		{ "90", false, 0 },
		{ "0", false, 0 },
		{ "1S", false, 0 },
		{ "1h30m", false, 0 },
		{ "-1s", false, 0 },
		{ "s", false, 0 },
		{ "1.5h", false, 0 },
		{ "1w", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		uint64_t v = 77;
		int r = str_to_ms(rows[i].s, "idle", &v, &e);

		if ((r == 0) != rows[i].ok)
			fail_msg("\"%s\": %d", rows[i].s, r);
		assert_true(v == (rows[i].ok ? rows[i].v : 77));
	}
}

static void prefixes_and_copies(void **state)
{
	struct err e = ERR_NONE;
	char small[4];

	assert_true(str_has_prefix("abc", "ab") && str_has_prefix("abc", ""));
	assert_false(str_has_prefix("ab", "abc"));
	assert_true(str_has_suffix("abc", "bc") && str_has_suffix("abc", ""));
	assert_false(str_has_suffix("bc", "abc"));
	assert_int_equal(str_copy(small, sizeof(small), "abc", "name", &e), 0);
	assert_string_equal(small, "abc");
	assert_int_equal(str_copy(small, sizeof(small), "abcd", "name", &e), -1);
	assert_int_equal(e.code, ENAMETOOLONG);
	check_msg(e, "name: longer than 3 bytes");
	assert_string_equal(small, "abc");
}

static void hex_there_and_back(void **state)
{
	uint8_t out[3] = { 9, 9, 9 };
	char s[7];

	str_hex("\x00\x7f\xff", 3, s);
	assert_string_equal(s, "007fff");
	assert_int_equal(str_unhex("00fFA5", out, 3), 0);
	assert_memory_equal(out, "\x00\xff\xa5", 3);
	assert_int_equal(str_unhex("00ffa", out, 3), -1);
	assert_int_equal(str_unhex("00ffa55", out, 3), -1);
	assert_int_equal(str_unhex("00ffg5", out, 3), -1);
	assert_int_equal(str_unhex("", out, 0), 0);
	assert_memory_equal(out, "\x00\xff\xa5", 3);
}

static void base64url_has_no_padding(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "f", "Zg" },
		{ "fo", "Zm8" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg" },
		{ "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "-__-" },
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		str_base64url(rows[i][0], strlen(rows[i][0]), out);
		assert_string_equal(out, rows[i][1]);
	}
}

static void utf8_is_strict(void **state)
{
	static const struct {
		const char *s;
		size_t n, want;
	} rows[] = {
		{ "a", 1, 1 },
		{ "", 0, 0 },
		{ "\0", 1, 1 },
		{ "\x7f", 1, 1 },
		{ "\x80", 1, 0 },
		{ "\xc2\x80", 2, 2 },
		{ "\xc2", 1, 0 },
		{ "\xc2"
		  "a",
		  2, 0 },
		{ "\xc0\x80", 2, 0 },
		{ "\xc1\xbf", 2, 0 },
		{ "\xe0\xa0\x80", 3, 3 },
		{ "\xe0\x9f\xbf", 3, 0 },
		{ "\xed\x9f\xbf", 3, 3 },
		{ "\xed\xa0\x80", 3, 0 },
		{ "\xef\xbf\xbf", 3, 3 },
		{ "\xe2\x82", 2, 0 },
		{ "\xf0\x90\x80\x80", 4, 4 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xf4\x90\x80\x80", 4, 0 },
		{ "\xf5\x80\x80\x80", 4, 0 },
		{ "\xff", 1, 0 },
		{ "\xf0\x90\x80", 3, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (str_utf8_len(rows[i].s, rows[i].n) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

static void random_ids_are_ids(void **state)
{
	char a[27], b[27];
	unsigned seen = 0;

	for (int i = 0; i < 200; i++) {
		random_id(a);
		random_id(b);
		assert_int_equal(strlen(a), 26);
		assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), 26);
		assert_in_range(a[0], 'a', 'h');
		assert_string_not_equal(a, b);
		seen |= 1u << (a[0] - 'a');
	}
	assert_int_equal(seen, 0xff);
}

static void constant_time_equality(void **state)
{
	assert_true(bytes_equal_ct("abc", "abc", 3));
	assert_true(bytes_equal_ct("abc", "abd", 2));
	assert_true(bytes_equal_ct(NULL, NULL, 0));
	assert_false(bytes_equal_ct("abc", "abd", 3));
	assert_false(bytes_equal_ct("xbc", "abc", 3));
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_builds_one_sentence),
		cmocka_unit_test(err_accepts_its_own_text),
		cmocka_unit_test(err_wraps_nothing),
		cmocka_unit_test(err_keeps_errno),
		cmocka_unit_test(err_is_cut_with_dots),
		cmocka_unit_test(err_is_not_cut_inside_a_character),
		cmocka_unit_test(err_is_one_harmless_line),
		cmocka_unit_test(err_fits_a_socket_message),
		cmocka_unit_test(destructors_keep_errno_and_clear),
		cmocka_unit_test(take_ptr_leaves_null),
		cmocka_unit_test(buf_holds_what_was_put),
		cmocka_unit_test(buf_stops_at_its_limit),
		cmocka_unit_test(buf_never_grows_beyond_its_limit),
		cmocka_unit_test(buf_survives_random_use),
		cmocka_unit_test(buf_gives_its_text_away),
		cmocka_unit_test(u64_is_strict),
		cmocka_unit_test(i64_is_strict),
		cmocka_unit_test(ids_exclude_minus_one),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(durations_name_their_unit),
		cmocka_unit_test(prefixes_and_copies),
		cmocka_unit_test(hex_there_and_back),
		cmocka_unit_test(base64url_has_no_padding),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(random_ids_are_ids),
		cmocka_unit_test(constant_time_equality),
		cmocka_unit_test(stamps_are_rfc3339),
		cmocka_unit_test(stamps_agree_with_libc),
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(text_lines),
		cmocka_unit_test(json_lines_are_json),
		cmocka_unit_test(long_lines_stay_whole),
		cmocka_unit_test(levels_are_filtered),
		cmocka_unit_test(level_names),
	};

	return cmocka_run_group_tests_name("base: text", tests, NULL, NULL);
}
