/* The history ring of the shim. */
#include "tests/unit/scratch.h"

#include "base/util.h"
#include "shim/ring.h"

static void get(const struct ring *r, uint64_t from, size_t n, char *out)
{
	struct iovec iov[2];
	int pieces = ring_peek(r, from, n, iov);
	size_t at = 0;

	for (int i = 0; i < pieces; i++) {
		memcpy(out + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	assert_int_equal(at, n);
	out[n] = '\0';
}

static void test_ring_keeps_the_last(void **state)
{
	struct err e = ERR_NONE;
	struct ring r;
	char text[64];

	assert_int_equal(ring_init(&r, 16, &e), 0);
	ring_put(&r, "0123456789", 10);
	assert_int_equal(r.oldest, 0);
	get(&r, 2, 5, text);
	assert_string_equal(text, "23456");
	ring_put(&r, "abcdefghij", 10);
	assert_int_equal(r.next, 20);
	assert_int_equal(r.oldest, 4);
	get(&r, 4, 16, text);
	assert_string_equal(text, "456789abcdefghij");
	for (int i = 0; i < 1000; i++)
		ring_put(&r, "0123456789ABCDEFGHIJ", 20); /* more than it holds at once */
	assert_int_equal(r.next, 20020);
	assert_int_equal(r.next - r.oldest, 16);
	get(&r, r.oldest, 16, text);
	assert_string_equal(text, "456789ABCDEFGHIJ");
	ring_fini(&r);
}

static void test_ring_reserve_gives_up_no_more_than_needed(void **state)
{
	struct err e = ERR_NONE;
	struct ring r;
	uint8_t *p;

	assert_int_equal(ring_init(&r, 64, &e), 0);
	assert_int_equal(ring_reserve(&r, 100, &p), 64);
	ring_commit(&r, 10);
	assert_int_equal(r.oldest, 0);
	assert_int_equal(ring_reserve(&r, 100, &p), 54);
	assert_int_equal(r.oldest, 0);
	ring_commit(&r, 54);
	assert_int_equal(ring_reserve(&r, 8, &p), 8);
	assert_int_equal(r.oldest, 8);
	ring_commit(&r, 1);
	assert_int_equal(r.next, 65);
	ring_fini(&r);
}

/* What may be cut where: the text is the whole of a ring's content, `at` where it says. */
static void test_ring_cut(void **state)
{
	static const struct {
		const char *text;
		size_t from, cut;
	} rows[] = {
		{ "abc\ndef", 1, 4 },	       /* after the next line feed */
		{ "abc\ndef", 4, 4 },	       /* stands behind one */
		{ "ab\033[1mx\n", 1, 2 },      /* before an escape */
		{ "[1mabc\033[0m", 1, 6 },     /* not in the middle of one */
		{ "\xc3\xa4\xc3\xb6x", 1, 2 }, /* no line feed: at least a whole character */
		{ "\xe2\x82\xac\xe2\x82\xac", 2, 3 },
		{ "abc", 3, 3 }, /* the end */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		struct ring r;
		size_t before = 60;

		/* Something was there before, so that offset 0 is not special. */
		assert_int_equal(ring_init(&r, 4096, &e), 0);
		for (size_t k = 0; k < before; k++)
			ring_put(&r, "x", 1);
		ring_put(&r, rows[i].text, strlen(rows[i].text));
		assert_int_equal(ring_cut(&r, before + rows[i].from), before + rows[i].cut);
		ring_fini(&r);
	}
}

static void test_ring_cut_at_the_oldest(void **state)
{
	struct err e = ERR_NONE;
	struct ring r;

	assert_int_equal(ring_init(&r, 8, &e), 0);
	assert_int_equal(ring_cut(&r, 0), 0);
	ring_put(&r, "0123", 4);
	assert_int_equal(ring_cut(&r, 0), 0); /* nothing is missing: no cut */
	ring_put(&r, "45\n7890123", 10);
	assert_int_equal(r.oldest, 6);
	assert_int_equal(ring_cut(&r, 0), 7);
	ring_fini(&r);
}

static void put(struct ring *r, enum ring_stream stream, const char *text)
{
	ring_turn(r, stream);
	ring_put(r, text, strlen(text));
}

static void test_ring_tells_the_streams_apart(void **state)
{
	enum ring_stream stream;
	struct err e = ERR_NONE;
	struct ring r;

	assert_int_equal(ring_init(&r, 64, &e), 0);
	put(&r, RING_OUTPUT, "out");
	assert_null(r.turns); /* costs nothing until there are errors */
	assert_int_equal(ring_run(&r, 1, 2, &stream), 2);
	assert_int_equal(stream, RING_OUTPUT);
	put(&r, RING_ERRORS, "err");
	put(&r, RING_ERRORS, "ors");
	put(&r, RING_OUTPUT, "more");
	assert_int_equal(ring_run(&r, 0, 13, &stream), 3);
	assert_int_equal(stream, RING_OUTPUT);
	assert_int_equal(ring_run(&r, 3, 10, &stream), 6);
	assert_int_equal(stream, RING_ERRORS);
	assert_int_equal(ring_run(&r, 8, 5, &stream), 1);
	assert_int_equal(stream, RING_ERRORS);
	assert_int_equal(ring_run(&r, 9, 4, &stream), 4);
	assert_int_equal(stream, RING_OUTPUT);
	assert_int_equal(ring_turns(&r, 0), 2);
	assert_int_equal(ring_turns(&r, 3), 1);
	assert_int_equal(ring_turns(&r, 12), 0);
	ring_fini(&r);
}

/* More turns than are remembered: the bytes that they told apart go, no byte is told wrong. */
static void test_ring_turns_are_bounded(void **state)
{
	enum ring_stream stream;
	struct err e = ERR_NONE;
	struct ring r;

	assert_int_equal(ring_init(&r, 65536, &e), 0);
	for (int i = 0; i < 10000; i++)
		put(&r, i % 2 ? RING_ERRORS : RING_OUTPUT, i % 2 ? "e" : "o");
	assert_int_equal(r.next, 10000);
	assert_int_equal(r.next - r.oldest, RING_TURNS);
	for (uint64_t at = r.oldest; at < r.next; at++) {
		assert_int_equal(ring_run(&r, at, 1, &stream), 1);
		assert_int_equal(stream, at % 2 ? RING_ERRORS : RING_OUTPUT);
	}
	/* A ring that wraps forgets the turns before its oldest byte. */
	for (int i = 0; i < 200; i++) {
		put(&r, RING_ERRORS, "e");
		ring_turn(&r, RING_OUTPUT);
		for (int k = 0; k < 100; k++)
			ring_put(&r, "0123456789", 10);
	}
	assert_true(r.n_turns < 200);
	assert_int_equal(r.next - r.oldest, 65536);
	ring_fini(&r);
}

/* A character whose end is there, or comes soon, is kept for the next message. */
static void test_ring_whole(void **state)
{
	static const struct {
		const char *held;
		size_t n;
		bool more;
		size_t whole;
	} rows[] = {
		{ "abc", 3, false, 3 },
		{ "abc", 2, false, 2 },
		{ "ab\xe2\x80\x95z", 3, false, 2 },
		{ "ab\xe2\x80\x95z", 4, false, 2 },
		{ "ab\xe2\x80\x95z", 5, false, 5 },
		{ "ab\xe2\x80", 4, false, 4 },
		{ "ab\xe2\x80", 4, true, 2 },
		{ "\xe2\x80", 2, true, 0 },
		{ "\xe2\x80", 2, false, 2 },
		{ "\xe2\x80\x95", 2, false,
		  2 }, /* a window of two bytes goes on all the same */
		{ "a\xf0\x9f\x98\x80", 4, false, 1 },
		{ "a\xc3\xa9", 2, true, 1 },
		{ "a\xff", 2, true, 2 },
		{ "a\x80\x80\x80\x80", 5, true, 5 },
		{ "a\xe0\x80", 3, true, 3 }, /* overlong: no character */
		{ "", 0, true, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		struct ring r;

		/* With the text at every place, across the ring's end too. */
		for (int before = 0; before < 16; before++) {
			assert_int_equal(ring_init(&r, 16, &e), 0);
			for (int k = 0; k < before; k++)
				ring_put(&r, ".", 1);
			ring_put(&r, rows[i].held, strlen(rows[i].held));
			r.more = rows[i].more;
			assert_int_equal(ring_whole(&r, (uint64_t) before, rows[i].n),
					 rows[i].whole);
			ring_fini(&r);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_tells_the_streams_apart),
		cmocka_unit_test(test_ring_turns_are_bounded),
		cmocka_unit_test(test_ring_keeps_the_last),
		cmocka_unit_test(test_ring_whole),
		cmocka_unit_test(test_ring_reserve_gives_up_no_more_than_needed),
		cmocka_unit_test(test_ring_cut),
		cmocka_unit_test(test_ring_cut_at_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
