/* Strings: numbers, units, encodings. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

#define check_msg(e, text) assert_string_equal((e).msg, text)

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

static void lists_become_bits(void **state)
{
	static const struct {
		const char *s;
		int code;
		unsigned long bits;
	} rows[] = {
		{ "", 0, 0 },
		{ "0", 0, 1 },
		{ "1-3,5", 0, 0x2e },
		{ " 0 , 2 - 2 ", 0, 5 },
		{ ",1,,", 0, 2 },
		{ "63", 0, 1UL << 63 },
		{ "64", ERANGE, 0 },
		{ "0-64", ERANGE, 0 },
		{ "0-9876543210", ERANGE, 0 },
		{ "3-1", EINVAL, 0 },
		{ "1-", EINVAL, 0 },
		{ "-1", EINVAL, 0 },
		{ "1 2", EINVAL, 0 },
		{ "0x1", EINVAL, 0 },
		{ "a", EINVAL, 0 },
		{ "1-2-3", EINVAL, 0 },
		{ "99999999999999999999", ERANGE, 0 },
		{ "0-99999999999999999999", ERANGE, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = ERR_NONE;
		unsigned long bits[1] = { 0 };
		const int r = str_to_bits(rows[i].s, "list", bits, 64, &e);

		if (r != (rows[i].code ? -1 : 0) || e.code != rows[i].code ||
		    (!r && bits[0] != rows[i].bits))
			fail_msg("\"%s\": %d, %#lx: %s", rows[i].s, e.code, bits[0], e.msg);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u64_is_strict),
		cmocka_unit_test(i64_is_strict),
		cmocka_unit_test(ids_exclude_minus_one),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(durations_name_their_unit),
		cmocka_unit_test(lists_become_bits),
		cmocka_unit_test(prefixes_and_copies),
		cmocka_unit_test(hex_there_and_back),
		cmocka_unit_test(base64url_has_no_padding),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(random_ids_are_ids),
		cmocka_unit_test(constant_time_equality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
