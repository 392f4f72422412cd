/* State as bytes and back. */
#include "tests/unit/scratch.h"

#include <errno.h>
#include <string.h>

#include "base/pack.h"

static void fill(struct pack *p)
{
	struct buf b = BUF_LIMIT(16);

	assert_ok(buf_puts(&b, "inside", &e));
	pack_tag(p, "test");
	pack_u8(p, 255);
	pack_u16(p, 0x1234);
	pack_u32(p, 0x12345678);
	pack_u64(p, 0x123456789abcdef0);
	pack_bool(p, true);
	pack_str(p, "a text");
	pack_bytes(p, "", 0);
	pack_buf(p, &b);
	pack_fd(p, -1);
	pack_fd(p, 7);
	pack_raw(p, "raw", 3);
	buf_fini(&b);
}

static void check(struct unpack *u)
{
	auto_buf struct buf b = BUF_LIMIT(16);
	char text[7];
	size_t n;

	unpack_tag(u, "test");
	assert_int_equal(unpack_u8(u), 255);
	assert_int_equal(unpack_u16(u), 0x1234);
	assert_int_equal(unpack_u32(u), 0x12345678);
	assert_true(unpack_u64(u) == 0x123456789abcdef0);
	assert_true(unpack_bool(u));
	unpack_str(u, text, sizeof(text));
	assert_string_equal(text, "a text");
	assert_non_null(unpack_bytes(u, 0, &n));
	assert_int_equal(n, 0);
	unpack_buf(u, &b);
	assert_string_equal(buf_str(&b), "inside");
	assert_int_equal(unpack_fd(u), -1);
	assert_int_equal(unpack_fd(u), u->fds ? 7 : -1);
	assert_memory_equal(unpack_raw(u, 3), "raw", 3);
	assert_ok(unpack_end(u, &e));
}

static void test_comes_back(void **state)
{
	struct pack p = PACK(4096);
	struct unpack u = { 0 };
	int fds[1];

	fill(&p);
	assert_ok(pack_end(&p, &e));
	assert_int_equal(buf_len(&p.fds), sizeof(fds));
	memcpy(fds, buf_bytes(&p.fds), sizeof(fds));
	u = (struct unpack){ buf_bytes(&p.out), buf_len(&p.out), fds, 1, 0, ERR_NONE, 0 };
	check(&u);
	assert_int_equal(fds[0], -1); /* taken */
	/* Only looked at. */
	u = (struct unpack){ buf_bytes(&p.out), buf_len(&p.out), NULL, 1, 0, ERR_NONE, 0 };
	check(&u);
	pack_fini(&p);
}

static int collect(void *arg, const void *p, size_t n, struct err *why)
{
	assert_true(n <= 5);
	return buf_append(arg, p, n, why);
}

static int refuse(void *arg, const void *p, size_t n, struct err *why)
{
	return err_set(why, EPIPE, "nobody reads");
}

static void test_flushes(void **state)
{
	auto_buf struct buf all = BUF_LIMIT(4096);
	struct pack p = PACK(5);
	int fds[1] = { 7 };

	p.flush = collect;
	p.arg = &all;
	fill(&p);
	assert_ok(pack_end(&p, &e));
	check(&(struct unpack){ buf_bytes(&all), buf_len(&all), fds, 1, 0, ERR_NONE, 0 });
	p.flush = refuse;
	fill(&p);
	assert_err(pack_end(&p, &e), EPIPE);
	pack_fini(&p);
}

/* Every cut is an error, and none reads beyond the end. */
static void test_cut(void **state)
{
	struct pack p = PACK(4096);

	fill(&p);
	for (size_t n = 0; n < buf_len(&p.out); n++) {
		auto_free uint8_t *copy = xalloc(MAX(n, (size_t) 1));
		struct unpack u = { copy, n, NULL, 1, 0, ERR_NONE, 0 };
		auto_buf struct buf b = BUF_LIMIT(16);
		char text[7];
		size_t k;

		memcpy(copy, buf_bytes(&p.out), n);
		unpack_tag(&u, "test");
		(void) unpack_raw(&u, 1 + 2 + 4 + 8 + 1);
		unpack_str(&u, text, sizeof(text));
		(void) unpack_bytes(&u, 0, &k);
		unpack_buf(&u, &b);
		(void) unpack_fd(&u);
		(void) unpack_fd(&u);
		(void) unpack_raw(&u, 3);
		assert_err(unpack_end(&u, &e), EPROTO);
	}
	pack_fini(&p);
}

static void test_refuses(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int what;
		const char *words;
	} rows[] = {
		{ "tesu", 4, 0, "where test belongs" },
		{ "\x02", 1, 1, "yes or no: 2" },
		{ "\x08\0\0\0\0\0\0\0toolong!", 16, 2, "at most 6" },
		{ "\x03\0\0\0\0\0\0\0a\0b", 11, 2, "NUL" },
		{ "\x01", 1, 3, "more descriptors" },
		{ "\x09\0\0\0", 4, 4, "number: 9 where at most 8" },
		{ "left", 4, 5, "4 bytes are left" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct unpack u = {
			(const uint8_t *) rows[i].bytes, rows[i].n, NULL, 0, 0, ERR_NONE, 0
		};
		struct err why = ERR_NONE;
		char text[7];

		switch (rows[i].what) {
		case 0:
			unpack_tag(&u, "test");
			break;
		case 1:
			(void) unpack_bool(&u);
			break;
		case 2:
			unpack_str(&u, text, sizeof(text));
			break;
		case 3:
			(void) unpack_fd(&u);
			break;
		case 4:
			(void) unpack_u32_to(&u, 8, "number");
			break;
		}
		assert_int_equal(unpack_end(&u, &why), -1);
		assert_non_null(strstr(why.msg, rows[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_comes_back),
					    cmocka_unit_test(test_flushes),
					    cmocka_unit_test(test_cut),
					    cmocka_unit_test(test_refuses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
