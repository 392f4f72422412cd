/* A screen that is saved and restored is the same, and goes on so. */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/screen.h"

enum { SAVED_MAX = 16 << 20 };

static const char *const pieces[] = {
	"text ",
	"\r\n",
	"\xe6\xbc\xa2",
	"e\xcc\x81",
	"\033[31m",
	"\033[m",
	"\033[1;4:3;38;2;1;2;3m",
	"\033[5;9H",
	"\033[2J",
	"\033[K",
	"\033[?1049h",
	"\033[?1049l",
	"\0337",
	"\0338",
	"\033[3;12r",
	"\033[?25l",
	"\033[?2004h",
	"\033]0;title\007",
	"\033]8;;http://a\007link\033]8;;\007",
	"\033(0",
	"\033(B",
	"\033H",
	"\033[4h",
	"\033[?6h",
	"\033[?7l",
	"\033[?1000h",
	"\033[?1006h",
	"\033]4;1;#102030\007",
	"\033[10X",
	"\033[3L",
	"\033[2M",
	"\033[4P",
	"\033M",
	"\033[4 q",
	"\t",
	"\b",
	"a line that is longer than the narrow terminal that it stands in, so that it wraps",
	"\033[1\"q",
	"\033]11;#222222\007",
	"\033=",
	"\033[?5l",
	"\xc3",
	"\xa9",
	"\033[",
	"3",
	";1",
	"H",
};

static void same(const struct screen *a, const struct screen *b, unsigned seed)
{
	auto_buf struct buf one = BUF_LIMIT(1 << 22), two = BUF_LIMIT(1 << 22);

	assert_ok(screen_snapshot(a, &one, &e));
	assert_ok(screen_snapshot(b, &two, &e));
	if (buf_len(&one) != buf_len(&two) ||
	    memcmp(buf_bytes(&one), buf_bytes(&two), buf_len(&one)) != 0)
		fail_msg("seed %u: screens differ:\n%s\n%s", seed, buf_str(&one),
			 buf_str(&two));
}

static void feed_some(struct screen *a, struct screen *b, unsigned *seed, int n)
{
	while (n-- > 0) {
		const char *p = pieces[(size_t) rand_r(seed) % ARRAY_SIZE(pieces)];

		screen_feed(a, p, strlen(p));
		if (b)
			screen_feed(b, p, strlen(p));
	}
}

/* All of a model comes back: it shows the same, and whatever comes then. */
static void test_screens_go_on(void **state)
{
	const struct screen_limits limits = SCREEN_LIMITS;

	for (unsigned i = 0; i < 400; i++) {
		struct screen *a = screen_new(40, 15, &limits), *b;
		struct pack p = PACK(SAVED_MAX), again = PACK(SAVED_MAX);
		struct unpack u = { 0 };
		unsigned seed = i;

		feed_some(a, NULL, &seed, 150);
		screen_save(a, &p);
		u = (struct unpack){ .p = buf_bytes(&p.out), .n = buf_len(&p.out) };
		b = screen_restore(&limits, &u);
		assert_ok(unpack_end(&u, &e));
		screen_save(b, &again);
		assert_int_equal(buf_len(&p.out), buf_len(&again.out));
		assert_memory_equal(buf_bytes(&p.out), buf_bytes(&again.out), buf_len(&p.out));
		same(a, b, i);
		feed_some(a, b, &seed, 40);
		same(a, b, i);
		screen_resize(a, 60, 8);
		screen_resize(b, 60, 8);
		same(a, b, i);
		pack_fini(&p);
		pack_fini(&again);
		screen_free(a);
		screen_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_screens_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
