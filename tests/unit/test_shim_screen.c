/* The model of a terminal: what its snapshot says, and what hostile output costs. */
#include "tests/unit/screen_shot.h"

#include <time.h>

#include "base/util.h"

/* On 8 columns and 2 rows. */
static const struct {
	const char *output, *snapshot;
} cases[] = {
	/* Nothing; text; the character before the cursor stands at the end, so that another can join it. */
	{ "", "\r\n\033[1;1H" },
	{ "ab", "ab\r\n\033[1;2Hb" },
	{ "ab\r\ncd\r\nef", "ab\r\ncd\r\nef\033[2;2Hf" },
	/* A pending wrap, and a line that went on below. */
	{ "12345678", "12345678\r\n\033[1;8H8" },
	{ "123456789", "123456789\033[2;1H9" },
	{ "12345678\033[1m", "12345678\r\n\033[1;8H8\033[;1m" },
	/* It still goes on from one that is not full any more, here or scrolled away. */
	{ "12345678ab\033[A\r\033[4C\033[K",
	  "1234\033[8G  \033[A\033[8G\033[X\033[B\r\033[Xab\033[1;5H" },
	{ "12345678ab\033[A\r\033[4C\033[44m\033[K",
	  "1234\033[;44m\033[4X\033[m\033[8G  \033[A\033[8G\033[;44m\033[X\033[m\033[B\r\033[Xab\033[1;5H\033[;44m" },
	{ "12345678ab\033[A\r\033[4C\033[44m\033[K\033[m\033[B\n\n",
	  "1234\033[;44m\033[4X\033[m\033[8G  \033[A\033[8G\033[X\r1234\033[;44m\033[4X\033[m\033[B\r\033[Xab\r\n\r\n\033[2;5H" },
	{ "12345678ab\033[A\r\033[4C\033[K\033[B\r\033[2X",
	  "1234\033[8G  \033[A\033[8G\033[X\033[B\r\033[X \033[X\033[2;1H" },
	/* Colours and attributes; what was erased in a colour. */
	{ "\033[1;38;5;200;4:3;58:5:9mx",
	  "\033[;1;4:3;58:5:9;38;5;200mx\033[m\r\n\033[1;1H\033[;1;4:3;58:5:9;38;5;200mx" },
	{ "\033[44m\033[K\033[m", "\033[;44m\033[8X\033[m\r\n\033[1;1H" },
	{ "\033[7mx\033[m \033[2my\033[m", "\033[;7mx\033[m \033[;2my\033[m\r\n\033[1;4H" },
	{ "\033[1\"qx", "\033[m\033[1\"qx\033[m\r\n\033[1;1H\033[m\033[1\"qx" },
	/* Wide and combining characters. */
	{ "漢e\xcc\x81", "漢e\xcc\x81\r\n\033[1;3He\xcc\x81" },
	{ "1234567漢", "1234567漢\033[2;1H漢" },
	/* What is left of one that was written over, of which lines show: not a space, which would be text; in the last
	 * column and above a line that goes on, too. */
	{ "\033[4m漢\033[2Gx",
	  "\033[;4m漢 \033[m\033[X\033[;4mx\033[m\r\n\033[1;2H\033[;4mx" },
	{ "\033[4m123456漢\033[7Gx",
	  "\033[;4m漢 \033[m\033[X\r\033[7@\033[;4m123456x\033[m\r\n\033[1;7H\033[;4mx" },
	{ "\033[4m1234567漢\033[m\033[2;1Hx",
	  "\033[;4m漢 \033[m\033[X\r\033[7@\033[;4m1234567\033[8G漢\033[m\033[1K\033[K\rx\033[2;1Hx" },
	/* Modes, one by one. */
	{ "\033[?1h", "\r\n\033[?1h\033[1;1H" },
	{ "\033=", "\r\n\033=\033[1;1H" },
	{ "\033[?7l", "\r\n\033[?7l\033[1;1H" },
	{ "\033[?6h", "\r\n\033[?6h\033[1;1H" },
	{ "\033[4h", "\r\n\033[1;1H\033[4h" },
	{ "\033[20h", "\r\n\033[20h\033[1;1H" },
	{ "\033[?25l", "\r\n\033[?25l\033[1;1H" },
	{ "\033[?12l", "\r\n\033[?12l\033[1;1H" },
	{ "\033[?45h", "\r\n\033[?45h\033[1;1H" },
	{ "\033[?2004h", "\r\n\033[?2004h\033[1;1H" },
	{ "\033[?9h", "\r\n\033[?9h\033[1;1H" },
	{ "\033[?1000;1006h", "\r\n\033[?1000h\033[?1006h\033[1;1H" },
	{ "\033[?1002h\033[?1003h", "\r\n\033[?1003h\033[1;1H" },
	{ "\033[?1003h\033[?1003l", "\r\n\033[1;1H" },
	{ "\033[?1004h", "\r\n\033[?1004h\033[1;1H" },
	{ "\033[?2026h", "\r\n\033[?2026h\033[1;1H" },
	{ "\033[5 q", "\r\n\033[5 q\033[1;1H" },
	{ "\033)0\016", "\r\n\033)0\016\033[1;1H" },
	{ "\033(0q", "─\r\n\033(0\033[1;1Hq" },
	/* Scroll region, tab stops, saved cursor. */
	{ "\033[2;2r\033[1;2r", "\r\n\033[1;1H" },
	{ "\033[3g\033[3G\033H", "\r\n\033[3g\033[3G\033H\033[1;3H" },
	{ "1\r\n2\r\n\033[H\0337", "1\r\n2\r\n\033[1;1H\0337\033[1;1H" },
	{ "\033[2;4H\033[31m\0337\033[m\033[H", "\r\n\033[2;4H\033[;31m\0337\033[m\033[1;1H" },
	/* One that has scrolled away is saved on its way, where a line ends. */
	{ "ab\0337\r\ncd\r\nef", "ab\033[3G\0337\r\ncd\r\nef\033[2;2Hf" },
	{ "\033[31mab\033[m\r\ncd\033[1G\033[41m\0337\033[m3456789abcdef\r\ng\r\nh",
	  "\033[;31mab\033[m\r\n3456789abcdef\033[1A\033[1G\033[;41m\0337\033[1B\033[m\r\ng\r\nh\033[2;1Hh" },
	/* A cursor brings an underline back without its style; what says the pen anew shows it plain,
	 * without its colour. */
	{ "\033[4:3m\0337\033[m\0338\033[59mx",
	  "\033[;4mx\033[m\r\n\033[1;1H\033[;4m\0337\033[m\033[1;1H\033[;4mx" },
	/* It brings its character set and its pen, and takes a wrap that was pending. */
	{ "\033(0\0338\033[44m\0337\033[m",
	  "\r\n\033[1;1H\033[;44m\0337\033[m\033(0\0338\033[1;1H\033[m" },
	{ "\033(0\033812345678\033[1m", "12345678\r\n\033(0\0338\033[1;8H8\033[;1m" },
	{ "\033(0\0337\033(B\0338\033[8Gq\033[1m",
	  "\033[7C─\r\n\033[1;1H\033(0\0337\033(B\0338\033[1;8Hq\033[;1m" },
	{ "\033(0\0337\033(B\033[8Gq\0338\033[2;8Hx\033[T",
	  "\r\n\033[7Cq\033[1;1H\033(0\0337\033(B\0338\033[2;8H" },
	/* Or without its style, until the end of a link says that there is none. */
	{ "\033[4m\0337\033[m\0338x\033]8;;\007y",
	  "\033[mx\033[;4my\033[m\r\n\033[1;1H\033[;4m\0337\033[m\033[1;2H\033[;4my" },
	/* Both screens. */
	{ "main\033[?1049halt",
	  "main\r\n\033[1;5H\0337\033[1;5H\033[?47h\033[H\033[4Calt\r\n\033[1;7Ht" },
	{ "main\033[?1049halt\033[?1049l", "main\r\n\033[1;5H\0337\033[1;5H" },
	{ "\033[?1047h12345678ab\033[S",
	  "\r\n\033[1;1H\033[?47h\033[H\033[8G  \033[A\033[8G\033[X\033[B\r\033[Xab\r\n\033[2;3H" },
	/* Title, palette, links. */
	{ "\033]2;a title\007", "\033]2;a title\033\\\r\n\033[1;1H" },
	{ "\033]4;1;#f00\033\\\033]11;#000\007",
	  "\033]4;1;#f00\033\\\033]11;#000\033\\\r\n\033[1;1H" },
	{ "\033]4;1;#f00\033\\\033]104;1\007", "\r\n\033[1;1H" },
	{ "\033]8;;http://a/\033\\x\033]8;;\033\\",
	  "\033]8;;http://a/\033\\x\033]8;;\033\\\r\n\033[1;2H" },
	/* Questions leave nothing. */
	{ "\033[c\033[>c\033[=c\033[5n\033[6n\033[?6n\033[>q\033P$qm\033\\\033]10;?\007\033]4;1;?\007\033]52;c;?\007\033[?u\033[?1$p\005",
	  "\r\n\033[1;1H" },
	/* What the output was cut in stands at the end; an unfinished character does not. */
	{ "a\033[1;3", "a\r\n\033[1;1Ha\033[1;3" },
	{ "a\033]2;half a ti", "a\r\n\033[1;1Ha\033]2;half a ti" },
	{ "a\033", "a\r\n\033[1;1Ha\033" },
	{ "a\xe6\xbc", "a\r\n\033[1;1Ha" },
	{ "\033[3\n1", "\r\n\033[2;1H\033[31" },
};

static void test_snapshots(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct screen *s = screen_with(8, 2, cases[i].output);
		auto_free char *text = xstrdup(snapshot_of(s));
		size_t n = strlen(START);

		if (strncmp(text, START, n) != 0 || strcmp(text + n, cases[i].snapshot) != 0)
			fail_msg("case %zu, %s: %s", i, cases[i].output, text + 1);
		screen_free(s);
	}
}

static void test_partial_characters(void **state)
{
	struct screen *s = screen_with(8, 2, "a\xf0\x9f");

	assert_int_equal(screen_partial(s), 2);
	screen_feed(s, "\x98", 1);
	assert_int_equal(screen_partial(s), 3);
	screen_feed(s, "\x80", 1);
	assert_int_equal(screen_partial(s), 0);
	screen_free(s);
}

static void test_scrollback_is_bounded(void **state)
{
	struct screen_limits limits = { .cell_bytes = 1 << 20, .scrollback_bytes = 256 };
	struct screen *s = screen_new(20, 2, &limits);
	char line[32];

	for (int i = 0; i < 1000; i++) {
		(void) snprintf(line, sizeof(line), "line %d\r\n", i);
		screen_feed(s, line, strlen(line));
	}
	assert_null(strstr(snapshot_of(s), "line 900\r\n"));
	assert_non_null(
		strstr(snapshot_of(s), "line 996\r\nline 997\r\nline 998\r\nline 999\r\n"));
	assert_true(screen_memory(s) < 8192);
	screen_free(s);
}

/* More rows bring lines back, fewer push them away; the alternate screen has no history. */
static void test_resize(void **state)
{
	struct screen *s = screen_with(10, 3, "a\r\nb\r\nc\r\nd\r\ne");

	screen_resize(s, 10, 5);
	assert_non_null(strstr(snapshot_of(s), "a\r\nb\r\nc\r\nd\r\ne\033[5;1He"));
	screen_resize(s, 10, 2);
	assert_non_null(strstr(snapshot_of(s), "a\r\nb\r\nc\r\nd\r\ne\033[2;1He"));
	screen_resize(s, 40, 2);
	screen_feed(s, "\033[?1049h\033[2;30Hx", 16);
	screen_resize(s, 20, 1);
	assert_non_null(strstr(snapshot_of(s), "d\r\ne"));
	screen_resize(s, 1000, 1000);
	screen_resize(s, 1, 1);
	screen_free(s);
}

/* Lines of a log with colours, long ones and wide characters, now and then something that is not plain. */
static size_t make_log(char *to, size_t room, unsigned seed)
{
	static const char *const parts[] = {
		"\033[32m",
		"\033[m",
		"\033[1;31m",
		"漢字",
		"é",
		"\t",
		"plain text of a log ",
		"x",
		"a line that is longer than the screen has columns "
	};
	size_t n = 0;

	for (int i = 0; n + 1200 < room; i++) {
		for (unsigned k = seed % 9; k > 0; k--, seed = seed * 1664525 + 1013904223)
			n += (size_t) sprintf(to + n, "%s",
					      parts[(seed >> 16) % ARRAY_SIZE(parts)]);
		n += (size_t) sprintf(to + n, "%d%s", i,
				      (seed >> 8) % 211 == 0 ? "\n" : "\r\n");
		if ((seed >> 8) % 307 == 0)
			n += (size_t) sprintf(to + n, "\033[%u;3H\033[44m\033[K\033[m",
					      (seed >> 20) % 30);
		seed = seed * 1664525 + 1013904223;
	}
	return n;
}

/* A snapshot written to a third screen: what two different ways of keeping lines show must be the same. */
static char *shown(const struct screen *s, unsigned cols, unsigned rows)
{
	struct screen_limits limits = { .cell_bytes = 1 << 20, .scrollback_bytes = 1 << 20 };
	struct screen *third = screen_new(cols, rows, &limits);
	const char *text = snapshot_of(s);
	char *out;

	screen_feed(third, text, strlen(text));
	out = xstrdup(snapshot_of(third));
	screen_free(third);
	return out;
}

static void test_bulk_is_the_same(void **state)
{
	struct screen_limits limits = { .cell_bytes = 1 << 20, .scrollback_bytes = 1 << 20 };
	static char text[200000];

	for (unsigned seed = 1; seed <= 40; seed++) {
		unsigned cols = seed % 3 == 0 ? 20 : 80, rows = seed % 5 + 2;
		size_t n = make_log(text, sizeof(text) / (seed % 4 + 1), seed * 7919), at = 0;
		struct screen *slow = screen_new(cols, rows, &limits);
		struct screen *quick = screen_new(cols, rows, &limits);

		screen_feed(slow, text, n);
		for (size_t k; at < n; at += k) {
			k = MIN(n - at, (size_t) 30000 + seed * 97);
			screen_feed_bulk(quick, text + at, k);
		}
		auto_free char *a = shown(slow, cols, rows), *b = shown(quick, cols, rows);
		assert_string_equal(a, b);
		screen_free(slow);
		screen_free(quick);
	}
}

/* Anything: characters of every length, whole and broken, sequences, logs, long runs of each. */
static size_t make_soup(uint8_t *to, size_t room, unsigned seed)
{
	static const char *const parts[] = {
		"\r\n",		"\033[31m", "\033[2J\033[H", "\302\205", "\302\2331m",
		"\033]2;t\007", "\033[?7l", "\033[?7h",	     "\033[4h",	 "\033[4l",
		"\033[3;5r",	"\033[r",   "\033(0",	     "\033(B",	 "\033[?1049h",
		"\033[?1049l",	"\t",	    "e\xcc\x81",     "漢",	 "😀",
		"\033[44m",	"\033[m",   "\033[5;70H",    "\033[3b",
	};
	size_t n = 0;

	while (n + 400 < room) {
		unsigned what = seed >> 28, many = (seed >> 16) % 300;

		if (what < 5)
			n += (size_t) sprintf((char *) to + n, "%s",
					      parts[(seed >> 8) % ARRAY_SIZE(parts)]);
		for (; what >= 5 && many > 0; many--) {
			seed = seed * 1664525 + 1013904223;
			/* Of all high bytes; of two-byte characters; of CJK; of text. */
			if (what < 8)
				to[n++] = (uint8_t) (0x80 | seed >> 25);
			else if (what < 11)
				to[n++] = (uint8_t) (many % 2 ? 0x80 | (seed >> 24 & 0x3f)
							      : 0xc0 | (seed >> 24 & 0x1f));
			else if (what < 13)
				to[n++] = (uint8_t) (many % 3 == 0 ? 0xe0 | (seed >> 24 & 15)
								   : 0x80 | (seed >> 24 & 63));
			else
				to[n++] = (uint8_t) (0x20 + (seed >> 24) % 95);
		}
		seed = seed * 1664525 + 1013904223;
	}
	return n;
}

/* The quick ways, which look at many bytes at once, beside one byte at a time. */
static void test_any_cut_is_the_same(void **state)
{
	static uint8_t text[20000];

	for (unsigned seed = 1; seed <= 60; seed++) {
		struct screen_limits limits = { .cell_bytes = 1 << 20,
						.scrollback_bytes = 1U << (seed % 8 + 10) };
		unsigned cols = (const unsigned[]){ 80, 20, 3, 132 }[seed % 4];
		unsigned rows = seed % 24 + 1;
		struct screen *bytes = screen_new(cols, rows, &limits);
		struct screen *whole = screen_new(cols, rows, &limits);
		size_t n = make_soup(text, sizeof(text), seed * 2654435761U);

		for (size_t i = 0; i < n; i++)
			screen_feed(bytes, text + i, 1);
		for (size_t at = 0, k = 0; at < n; at += k) {
			k = MIN(n - at, (size_t) seed * 61);
			screen_feed(whole, text + at, k);
		}
		auto_free char *a = xstrdup(snapshot_of(bytes));
		assert_string_equal(a, snapshot_of(whole));
		assert_int_equal(screen_partial(bytes), screen_partial(whole));
		screen_free(bytes);
		screen_free(whole);
	}
}

static double seconds(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* Each repeated up to 64 KiB. */
static const struct {
	const char *what, *text;
} attacks[] = {
	{ "an OSC without an end",
	  "\033]2;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	{ "a title", "\033]2;x\007" },
	{ "giant parameters", "\033[99999999999999999999;99999999999999999999H" },
	{ "endless parameters", ";1:2" },
	{ "a DCS without an end", "\033Pq#0;2;0;0;0~~@@vv@@~~$" },
	{ "sixel", "\033P0;0;0q\"1;1;9999;9999!99999~-\033\\" },
	{ "repeats", "a\033[2147483647b" },
	{ "wide repeats", "漢\033[2147483647b" },
	{ "erasing", "\033[41m\033[2J" },
	{ "filling", "\033#8" },
	{ "scrolling", "\033[999S\033[999T" },
	{ "inserting", "\033[999L\033[999@" },
	{ "protected erasing", "\033[1\"qa\033[?2J" },
	{ "both screens", "\033[?1049h\033#8\033[?1049l" },
	{ "combining", "a\xcc\x81\xcc\x82\xcc\x83" },
	{ "links", "\033]8;;http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/\007x" },
	{ "tabs", "\033[9999I\033[9999Z\033[3g" },
	{ "resets", "\033c" },
};

static void test_attacks_cost_little(void **state)
{
	struct screen_limits limits = SCREEN_LIMITS;
	const size_t n = 1 << 16;
	auto_free char *text = malloc(n + 256);

	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++) {
		size_t k = strlen(attacks[i].text), at = 0;
		struct screen *s = screen_new(200, 60, &limits);
		double began = seconds(), took;

		for (; at + k <= n; at += k)
			memcpy(text + at, attacks[i].text, k);
		if (strcmp(attacks[i].text, ";1:2") == 0)
			memcpy(text, "\033[;;", 4);
		screen_feed_bulk(s, text, at);
		took = seconds() - began;
		if (screen_memory(s) > limits.cell_bytes + (1 << 19))
			fail_msg("%s: %zu bytes", attacks[i].what, screen_memory(s));
		if (took > 5)
			fail_msg("%s: %.1f s for 64 KiB", attacks[i].what, took);
		if (getenv("SCREEN_TIMES"))
			print_message("%s: %.3f s, %zu bytes\n", attacks[i].what, took,
				      screen_memory(s));
		(void) snapshot_of(s);
		screen_free(s);
	}
}

/* A screen larger than its limit loses characters, nothing else. */
static void test_cells_are_bounded(void **state)
{
	struct screen_limits limits = { .cell_bytes = 65536, .scrollback_bytes = 1024 };
	struct screen *s = screen_new(1000, 1000, &limits);

	for (int i = 0; i < 2000; i++)
		screen_feed(s, "0123456789012345678901234567890123456789\r\n", 42);
	screen_feed(s, "\033#8\033[41m\033[2J\033[?1049h\033[3;5H", 26);
	assert_true(screen_memory(s) < 65536 + 1000 * 2 * 64 + 8192);
	assert_non_null(strstr(snapshot_of(s), "\033[?47h"));
	screen_free(s);
}

static void test_snapshot_says_when_it_has_no_room(void **state)
{
	struct screen *s = screen_with(80, 24, "text");
	auto_buf struct buf b = BUF_LIMIT(20);
	struct err e = ERR_NONE;

	assert_int_equal(buf_append(&b, "kept", 4, &e), 0);
	assert_int_equal(screen_snapshot(s, &b, &e), -1);
	assert_int_equal(e.code, ENOBUFS);
	assert_int_equal(buf_len(&b), 4);
	screen_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_partial_characters),
		cmocka_unit_test(test_scrollback_is_bounded),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_bulk_is_the_same),
		cmocka_unit_test(test_any_cut_is_the_same),
		cmocka_unit_test(test_attacks_cost_little),
		cmocka_unit_test(test_cells_are_bounded),
		cmocka_unit_test(test_snapshot_says_when_it_has_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
