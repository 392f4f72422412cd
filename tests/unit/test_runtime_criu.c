/* What is said to CRIU as bytes, and what is made of its answers. */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/util.h"
#include "runtime/criu_wire.h"

static void expect_bytes(struct buf *b, const void *want, size_t n)
{
	assert_int_equal(buf_len(b), n);
	assert_memory_equal(buf_bytes(b), want, n);
}
#define EXPECT(b, ...)                                                                         \
	do {                                                                                   \
		static const uint8_t want[] = { __VA_ARGS__ };                                 \
		expect_bytes(b, want, sizeof(want));                                           \
	} while (0)

static void test_requests(void **state)
{
	struct err e = ERR_NONE;
	auto_buf struct buf b = BUF_LIMIT(1000);

	(void) state;
	assert_int_equal(criu_encode(CRIU_VERSION, NULL, &b, &e), 0);
	EXPECT(&b, 8, 10);
	buf_clear(&b);
	assert_int_equal(criu_encode_notified(true, &b, &e), 0);
	EXPECT(&b, 8, 6, 24, 1);
	buf_clear(&b);
	assert_int_equal(criu_encode_notified(false, &b, &e), 0);
	EXPECT(&b, 8, 6, 24, 0);
	buf_clear(&b);
	assert_int_equal(criu_encode_features(true, false, &b, &e), 0);
	EXPECT(&b, 8, 9, 42, 2, 8, 1);
	buf_clear(&b);
	assert_int_equal(criu_encode_features(false, true, &b, &e), 0);
	EXPECT(&b, 8, 9, 42, 2, 16, 1);
}

static void test_options(void **state)
{
	struct err e = ERR_NONE;
	auto_wire struct wire w = WIRE_TO(&e);
	auto_buf struct buf b = BUF_LIMIT(1000);

	(void) state;
	wire_int(&w, 1, 300);
	wire_int(&w, 2, -1);
	EXPECT(&w.out, 8, 0xac, 2, 16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
	buf_clear(&w.out);
	wire_str(&w, 16, "ab");
	wire_str(&w, 10, "");
	EXPECT(&w.out, 0x82, 1, 2, 'a', 'b', 82, 0);
	buf_clear(&w.out);
	wire_pair(&w, CRIU_EXT_MNT, "k", "vw");
	EXPECT(&w.out, 0xba, 1, 7, 10, 1, 'k', 18, 2, 'v', 'w');
	buf_clear(&w.out);
	wire_keyed(&w, CRIU_INHERIT_FD, "k", 5);
	EXPECT(&w.out, 0xda, 1, 5, 10, 1, 'k', 16, 5);
	assert_int_equal(criu_encode(CRIU_RESTORE, &w, &b, &e), 0);
	EXPECT(&b, 8, 2, 18, 8, 0xda, 1, 5, 10, 1, 'k', 16, 5);
}

/* The first failure sticks, and the request is never sent. */
static void test_too_long(void **state)
{
	auto_free char *s = xalloc(CRIU_REQUEST_MAX + 1);
	struct err e = ERR_NONE;
	auto_wire struct wire w = WIRE_TO(&e);
	auto_buf struct buf b = BUF_LIMIT(CRIU_REQUEST_MAX);

	(void) state;
	memset(s, 'x', CRIU_REQUEST_MAX);
	wire_pair(&w, CRIU_EXT_MNT, "k", s);
	wire_int(&w, 1, 1);
	assert_int_equal(w.r, -1);
	assert_int_equal(criu_encode(CRIU_DUMP, &w, &b, &e), -1);
	assert_non_null(strstr(e.msg, "request to criu"));
	assert_int_equal(buf_len(&b), 0);
}

static int decode(const void *p, size_t n, struct criu_reply *r, struct err *e)
{
	/* In a block of its very size, so that a byte too many is seen. */
	auto_free uint8_t *copy = malloc(n + 1);

	memcpy(copy + 1, p, n);
	*e = ERR_NONE;
	return criu_decode(copy + 1, n, r, e);
}
#define DECODE(r, e, ...)                                                                      \
	({                                                                                     \
		static const uint8_t bytes[] = { __VA_ARGS__ };                                \
		decode(bytes, sizeof(bytes), r, e);                                            \
	})

static void test_answers(void **state)
{
	struct criu_reply r;
	struct err e;

	(void) state;
	assert_int_equal(DECODE(&r, &e, 8, 1, 16, 1), 0);
	assert_int_equal(r.type, CRIU_DUMP);
	assert_true(r.success);
	assert_string_equal(r.script, "");
	/* A restore with its pid; other fields are skipped, whatever their kind. */
	assert_int_equal(DECODE(&r, &e, 8, 2, 16, 1, 34, 3, 8, 0xac, 2, 0x98, 6, 7, 0xa1, 6, 1,
				2, 3, 4, 5, 6, 7, 8, 0xad, 6, 1, 2, 3, 4, 0xb2, 6, 2, 9, 9),
			 0);
	assert_int_equal(r.pid, 300);
	assert_int_equal(DECODE(&r, &e, 8, 6, 16, 1, 42, 6, 10, 2, 'h', 'i', 16, 9), 0);
	assert_string_equal(r.script, "hi");
	assert_int_equal(r.pid, 9);
	assert_int_equal(DECODE(&r, &e, 8, 9, 16, 1, 66, 4, 8, 1, 16, 0), 0);
	assert_true(r.mem_track);
	assert_false(r.lazy_pages);
	assert_int_equal(DECODE(&r, &e, 8, 10, 16, 1, 82, 8, 8, 4, 16, 2, 26, 0, 32, 1), 0);
	assert_int_equal(r.version, 40201);
	/* No: with an errno and a sentence that is made printable. */
	assert_int_equal(DECODE(&r, &e, 8, 1, 16, 0, 56, 16, 74, 4, 'a', 27, '\n', 0xff), 0);
	assert_false(r.success);
	assert_int_equal(r.error, 16);
	assert_string_equal(r.message, "a...");
	assert_int_equal(DECODE(&r, &e, 8, 1, 16, 0, 56, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				0xff, 0xff, 0xff, 1),
			 0);
	assert_int_equal(r.error, -1);
}

static void test_long_text(void **state)
{
	uint8_t bytes[512] = { 8, 6, 16, 1, 42, 0xf3, 3, 10, 0xf0, 3 };
	struct criu_reply r;
	struct err e;

	(void) state;
	memset(bytes + 10, 'x', 496);
	assert_int_equal(decode(bytes, 10 + 496, &r, &e), 0);
	assert_int_equal(strlen(r.script), sizeof(r.script) - 1);
}

static void expect_refused(const char *text, const uint8_t *p, size_t n)
{
	struct criu_reply r = { .pid = 77 };
	struct err e;

	assert_int_equal(decode(p, n, &r, &e), -1);
	if (!strstr(e.msg, text) || !strstr(e.msg, "criu's answer is not understood"))
		fail_msg("no \"%s\" in \"%s\"", text, e.msg);
	assert_int_equal(r.pid, 77);
}
#define REFUSED(text, ...)                                                                     \
	do {                                                                                   \
		static const uint8_t bytes[] = { __VA_ARGS__ };                                \
		expect_refused(text, bytes, sizeof(bytes));                                    \
	} while (0)

static void test_refused(void **state)
{
	(void) state;
	expect_refused("what it is", (const uint8_t *) "", 0);
	REFUSED("whether it worked", 8, 1);
	REFUSED("what it is", 16, 1);
	REFUSED("cut off", 8);
	REFUSED("cut off", 8, 0x81);
	REFUSED("field 9 is cut off", 8, 1, 16, 1, 74, 5, 'a');
	REFUSED("field 4 is cut off", 8, 1, 16, 1, 34, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 1);
	REFUSED("field 100 is cut off", 8, 1, 16, 1, 0xa1, 6, 1, 2, 3);
	REFUSED("more than 10 bytes", 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 1);
	REFUSED("unknown kind 3", 8, 1, 16, 1, 0x1b, 0x1c);
	REFUSED("unknown kind 7", 15, 1);
	REFUSED("no valid number", 0, 1);
	REFUSED("no valid number", 0xf8, 0xff, 0xff, 0xff, 0xff, 1, 1);
	REFUSED("field 2 is of the wrong kind 2", 8, 1, 18, 1, 1);
	REFUSED("field 5: field 1 is of the wrong kind 0", 8, 6, 16, 1, 42, 2, 8, 1);
	REFUSED("field 4 is of the wrong kind 0", 8, 2, 16, 1, 32, 1);
	REFUSED("field 4: field 1 does not fit", 8, 2, 16, 1, 34, 7, 8, 0x80, 0x80, 0x80, 0x80,
		8, 0);
	REFUSED("field 10: field 2 is no version", 8, 10, 16, 1, 82, 4, 8, 3, 16, 100);
	REFUSED("field 5: it is cut off", 8, 6, 16, 1, 42, 1, 10);
}

/* Many empty ones cost nothing but time: there is an end to it. */
static void test_many_fields(void **state)
{
	enum { N = 5000 };
	auto_free uint8_t *bytes = xalloc(2 * N);

	(void) state;
	for (size_t i = 0; i < N; i++)
		bytes[2 * i] = 0x70;
	expect_refused("more than 4096 fields", bytes, 2 * N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),    cmocka_unit_test(test_options),
		cmocka_unit_test(test_too_long),    cmocka_unit_test(test_answers),
		cmocka_unit_test(test_long_text),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many_fields),
	};

	return cmocka_run_group_tests_name("runtime/criu", tests, NULL, NULL);
}
