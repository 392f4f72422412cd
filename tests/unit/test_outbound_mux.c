/* carrel.relay.v1: the codec, the order of frames, credit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "sessiond/outbound/flow.h"
#include "sessiond/outbound/mux.h"

/* One of each, and how long its message is. */
static const struct sample {
	struct mux_frame f;
	size_t n;
	bool any_length; /* a shorter payload is another good frame */
} samples[] = {
	{ { .type = MUX_HELLO, .hello = { 1, 256, 262144, "lab-7" } }, 5 + 9 + 5, true },
	{ { .type = MUX_HELLO, .hello = { 1, 1, MUX_WINDOW_MIN, "" } }, 5 + 9, false },
	{ { .type = MUX_OPEN, .stream = 7, .data = { (const uint8_t *) "{\"a\":1}", 7 } },
	  12,
	  true },
	{ { .type = MUX_DATA, .stream = 0xfffffffe, .data = { (const uint8_t *) "\0abc", 4 } },
	  9,
	  true },
	{ { .type = MUX_CREDIT, .stream = 7, .credit = 0x01020304 }, 9, false },
	{ { .type = MUX_END, .stream = 7 }, 5, false },
	{ { .type = MUX_RESET, .stream = 7, .reset = { 0x0102, "why" } }, 10, true },
	{ { .type = MUX_PING, .time_ns = 0x0102030405060708 }, 13, false },
	{ { .type = MUX_PONG, .time_ns = UINT64_MAX }, 13, false },
};

static bool same(const struct mux_frame *a, const struct mux_frame *b)
{
	if (a->type != b->type || a->stream != b->stream)
		return false;
	switch (a->type) {
	case MUX_HELLO:
		return a->hello.version == b->hello.version &&
		       a->hello.streams == b->hello.streams &&
		       a->hello.window == b->hello.window &&
		       strcmp(a->hello.host, b->hello.host) == 0;
	case MUX_OPEN:
	case MUX_DATA:
		return a->data.n == b->data.n && memcmp(a->data.p, b->data.p, a->data.n) == 0;
	case MUX_CREDIT:
		return a->credit == b->credit;
	case MUX_RESET:
		return a->reset.code == b->reset.code &&
		       strcmp(a->reset.reason, b->reset.reason) == 0;
	case MUX_PING:
	case MUX_PONG:
		return a->time_ns == b->time_ns;
	default:
		return true;
	}
}

static void every_frame_goes_and_comes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		auto_buf struct buf b = BUF_LIMIT(MUX_MESSAGE_MAX);
		struct mux_frame got;
		struct err e = ERR_NONE;

		assert_int_equal(mux_encode(&samples[i].f, &b, &e), 0);
		assert_int_equal(buf_len(&b), samples[i].n);
		assert_int_equal(mux_decode(buf_bytes(&b), buf_len(&b), &got, &e), 0);
		assert_true(same(&got, &samples[i].f));
	}
}

static void every_cut_is_told(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		auto_buf struct buf b = BUF_LIMIT(MUX_MESSAGE_MAX);
		struct mux_frame got;
		struct err e = ERR_NONE;

		assert_int_equal(mux_encode(&samples[i].f, &b, &e), 0);
		for (size_t n = 0; n < buf_len(&b); n++) {
			/* In memory of its own, so that a sanitizer sees a read behind the cut. */
			auto_free uint8_t *cut = xalloc(n + 1);
			uint8_t *p = n ? memcpy(cut, buf_bytes(&b), n) : cut;
			int r = mux_decode(p, n, &got, &e);

			if (r == 0) {
				assert_true(samples[i].any_length);
				assert_false(same(&got, &samples[i].f));
			}
		}
		/* And one byte too many. */
		assert_int_equal(buf_append(&b, "x", 1, &e), 0);
		assert_int_equal(mux_decode(buf_bytes(&b), buf_len(&b), &got, &e) == 0,
				 samples[i].any_length || samples[i].f.type == MUX_HELLO);
	}
}

static void to_the_byte(void **state)
{
	static const uint8_t wanted[] = { 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 4, 0, 0, 'h', '1' };
	const struct mux_frame f = { .type = MUX_HELLO, .hello = { 1, 256, 262144, "h1" } };
	auto_buf struct buf b = BUF_LIMIT(MUX_MESSAGE_MAX);
	uint8_t head[MUX_HEAD];
	struct err e = ERR_NONE;

	assert_int_equal(mux_encode(&f, &b, &e), 0);
	assert_int_equal(buf_len(&b), sizeof(wanted));
	assert_memory_equal(buf_bytes(&b), wanted, sizeof(wanted));
	mux_head(head, MUX_DATA, 0x01020304);
	assert_memory_equal(head, "\3\1\2\3\4", 5);
}

static void limits(void **state)
{
	/* clang-format off */
	static const struct { const char *p; size_t n; const char *why; } bad[] = {
		{ "", 0, "0 bytes" },
		{ "\3\0\0\0", 4, "4 bytes" },
		{ "\0\0\0\0\1", 5, "unknown type 0" },
		{ "\11\0\0\0\1", 5, "unknown type 9" },
		{ "\3\0\0\0\1", 5, "DATA: a payload of 0" },
		{ "\3\0\0\0\0x", 6, "DATA: of stream 0" },
		{ "\2\0\0\0\1{", 6, "OPEN: a payload of 1" },
		{ "\4\0\0\0\1\0\0\0\0", 9, "of no byte" },
		{ "\5\0\0\0\1x", 6, "END: a payload" },
		{ "\6\0\0\0\1x", 6, "RESET: a payload" },
		{ "\7\0\0\0\1\0\0\0\0\0\0\0\0", 13, "PING: of stream 1" },
		{ "\1\0\0\0\0\1\0\0\0\0\0\4\0\0", 14, "0 streams" },
		{ "\1\0\0\0\0\1\0\0\x10\1\0\4\0\0", 14, "4097 streams" },
		{ "\1\0\0\0\0\1\0\0\1\0\0\0\0\1", 14, "window of 1" },
		{ "\1\0\0\0\0\1\0\0\1\0\1\0\0\1", 14, "window of 16777217" },
		{ "\1\0\0\0\0\1\0\0\1\0\0\4\0\0H", 15, "no label" },
		{ "\1\0\0\0\0\1\0\0\1\0\0\4\0\0a\0b", 17, "no label" },
	};
	/* clang-format on */
	auto_free uint8_t *big = xalloc(MUX_MESSAGE_MAX + 1);
	struct mux_frame f;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_NONE;

		assert_int_equal(mux_decode(bad[i].p, bad[i].n, &f, &e), -1);
		if (!strstr(e.msg, bad[i].why))
			fail_msg("\"%s\" instead of \"%s\"", e.msg, bad[i].why);
	}
	mux_head(big, MUX_DATA, 1);
	struct err e = ERR_NONE;
	assert_int_equal(mux_decode(big, MUX_MESSAGE_MAX, &f, &e), 0);
	assert_int_equal(mux_decode(big, MUX_MESSAGE_MAX + 1, &f, &e), -1);
}

static void a_reason_is_plain_text(void **state)
{
	struct mux_frame f;
	struct err e = ERR_NONE;

	assert_int_equal(mux_decode("\6\0\0\0\1\0\2a\33[2J\377", 13, &f, &e), 0);
	assert_string_equal(f.reset.reason, "a?[2J?");
}

static void names_of_hosts(void **state)
{
	static const char *const good[] = {
		"a", "lab-7", "0",
		"a23456789012345678901234567890123456789012345678901234567890123"
	};
	static const char *const bad[] = {
		"",	    "-a",
		"a-",	    "A",
		"a.b",	    "a_b",
		"a/b",	    "a b",
		"\303\244", "a234567890123456789012345678901234567890123456789012345678901234"
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(mux_host_ok(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(mux_host_ok(bad[i]));
}

/* ---- order ---- */

static int check(struct mux_order *o, enum mux_type type, uint32_t stream, bool live)
{
	const struct mux_frame f = { .type = type,
				     .stream = stream,
				     .hello = { .version = 1, .host = "" } };
	struct err e = ERR_NONE;

	return mux_check(o, &f, live, &e);
}

static void order_of_a_relay(void **state)
{
	struct mux_order o = { .from_relay = true };

	for (int t = MUX_OPEN; t <= MUX_PONG; t++)
		assert_int_equal(check(&o, (enum mux_type) t, t < MUX_PING, false), -1);
	assert_int_equal(check(&o, MUX_HELLO, 0, false), MUX_TAKE);
	assert_int_equal(check(&o, MUX_HELLO, 0, false), -1);
	assert_int_equal(check(&o, MUX_PING, 0, false), MUX_TAKE);
	assert_int_equal(check(&o, MUX_DATA, 1, false), -1);
	assert_int_equal(check(&o, MUX_OPEN, 3, false), MUX_TAKE);
	assert_int_equal(check(&o, MUX_DATA, 3, true), MUX_TAKE);
	/* Never the same again, and never back. */
	assert_int_equal(check(&o, MUX_OPEN, 3, true), -1);
	assert_int_equal(check(&o, MUX_OPEN, 3, false), -1);
	assert_int_equal(check(&o, MUX_OPEN, 2, false), -1);
	/* Crossed with our RESET. */
	assert_int_equal(check(&o, MUX_DATA, 3, false), MUX_IGNORE);
	assert_int_equal(check(&o, MUX_CREDIT, 2, false), MUX_IGNORE);
	assert_int_equal(check(&o, MUX_RESET, 4, false), -1);
	assert_int_equal(check(&o, MUX_OPEN, UINT32_MAX, false), MUX_TAKE);
}

static void order_of_a_dialer(void **state)
{
	struct mux_order o = { .from_relay = false };
	struct mux_frame hello = { .type = MUX_HELLO, .hello = { .version = 2, .host = "a" } };
	struct err e = ERR_NONE;

	assert_int_equal(check(&o, MUX_HELLO, 0, false), -1); /* names no host */
	assert_int_equal(mux_check(&o, &hello, false, &e), -1);
	assert_non_null(strstr(e.msg, "version 2"));
	hello.hello.version = 1;
	assert_int_equal(mux_check(&o, &hello, false, &e), MUX_TAKE);
	assert_int_equal(check(&o, MUX_OPEN, 1, false), -1);
	o.last = 1;
	assert_int_equal(check(&o, MUX_END, 1, true), MUX_TAKE);
}

/* ---- credit ---- */

static void credit_comes_back_by_halves(void **state)
{
	struct flow f;
	struct err e = ERR_NONE;

	flow_init(&f, 100, 50);
	assert_int_equal(f.may_go, 50);
	assert_int_equal(flow_came(&f, 60, &e), 0);
	assert_int_equal(flow_passed(&f, 49), 0);
	assert_int_equal(flow_passed(&f, 1), 50);
	assert_int_equal(flow_came(&f, 90, &e), 0);
	assert_int_equal(flow_came(&f, 1, &e), -1);
	assert_non_null(strstr(e.msg, "only 0"));
	assert_int_equal(flow_passed(&f, 100), 100);
}

static void credit_has_an_end(void **state)
{
	struct flow f;
	struct err e = ERR_NONE;

	flow_init(&f, 100, 50);
	assert_int_equal(flow_credit_came(&f, INT32_MAX - 50, &e), 0);
	assert_int_equal(flow_credit_came(&f, 1, &e), -1);
	assert_int_equal(flow_credit_came(&f, UINT32_MAX, &e), -1);
	flow_sent(&f, INT32_MAX);
	assert_int_equal(f.may_go, 0);
	assert_int_equal(flow_credit_came(&f, INT32_MAX, &e), 0);
}

static void nothing_behind_the_end(void **state)
{
	struct flow f;
	struct err e = ERR_NONE;

	flow_init(&f, 100, 50);
	assert_int_equal(flow_came(&f, 80, &e), 0);
	assert_int_equal(flow_end_came(&f, &e), 0);
	assert_int_equal(flow_passed(&f, 80), 0); /* nobody needs it any more */
	assert_int_equal(flow_came(&f, 1, &e), -1);
	assert_int_equal(flow_end_came(&f, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_goes_and_comes),
		cmocka_unit_test(every_cut_is_told),
		cmocka_unit_test(to_the_byte),
		cmocka_unit_test(limits),
		cmocka_unit_test(a_reason_is_plain_text),
		cmocka_unit_test(names_of_hosts),
		cmocka_unit_test(order_of_a_relay),
		cmocka_unit_test(order_of_a_dialer),
		cmocka_unit_test(credit_comes_back_by_halves),
		cmocka_unit_test(credit_has_an_end),
		cmocka_unit_test(nothing_behind_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
