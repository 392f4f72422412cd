/* Errors, helpers, buffers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
