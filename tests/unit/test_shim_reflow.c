/* The model of a terminal at other numbers of columns. */
#include "tests/unit/screen_shot.h"

#include <time.h>

#include "base/util.h"

static double seconds(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* What one size shows at another. The cursor waits below: its own line is left as it is. */
static const struct {
	unsigned cols, rows;
	const char *output;
	unsigned to_cols, to_rows;
	const char *snapshot;
} reflows[] = {
	/* More columns join what a wrap had broken, fewer break it. */
	{ 8, 4, "abcdefghij\r\n$", 16, 4, "abcdefghij\r\n$\r\n\r\n\033[2;1H$" },
	{ 16, 4, "abcdefghij\r\n$", 8, 4, "abcdefghij\r\n$\r\n\033[2;1H\0337\033[3;1H$" },
	{ 4, 4, "abcdefghij\r\n$", 8, 4, "abcdefghij\r\n$\r\n\033[3;1H$" },
	/* Not what a line feed had, nor the cursor's line. */
	{ 4, 4, "abcd\r\nefgh\r\n$", 8, 4, "abcd\r\nefgh\r\n$\r\n\033[3;1H$" },
	{ 8, 4, "abcdefghij", 16, 4,
	  "abcdefgh\033[16G  \033[A\033[16G\033[X\033[B\r\033[Xij\r\n\r\n\033[2;2Hj" },
	{ 8, 4, "abcdefgh", 6, 4, "abcdef\r\n\r\n\r\n\033[1;5He" },
	/* A wide character is not broken; the column that one left empty is none of the text. */
	{ 8, 4, "123漢456\r\n$", 4, 4, "123漢456\r\n$\033[3;1H\0337\033[4;1H$" },
	{ 4, 4, "123漢45\r\n$", 8, 4, "123漢45\r\n$\r\n\r\n\033[2;1H$" },
	/* Nor in its colours, where the character is gone since and the line scrolled away. */
	{ 3, 2, "\033[44mabcde漢\n\033[m\033[H\033[2K$", 8, 2,
	  "\033[;44mabcde\033[m\r\n$\r\n\033[;44m\033[3X\033[m\033[1;1H$" },
	/* Spaces were printed, what was erased was not. */
	{ 8, 4, "ab    \r\n$", 4, 4, "ab    \r\n$\r\n\033[2;1H\0337\033[3;1H$" },
	{ 8, 4, "abcdef\033[3D\033[K\r\n$", 4, 4, "abc\r\n$\r\n\r\n\033[2;1H$" },
	/* A line that was wrapped and is not full any more counts to its end. */
	{ 4, 4, "abcdef\033[A\033[2G\033[K\033[3;1H$", 8, 4,
	  "a\033[3Cef\r\n$\r\n\r\n\033[2;1H$" },
	/* Colours go along. */
	{ 8, 3, "\033[31mabcdef\033[44mgh\033[m\r\n$", 4, 3,
	  "\033[;31mabcdef\033[;31;44mgh\033[m\r\n$\033[2;1H\0337\033[3;1H$" },
	/* What scrolls away at one size comes back at the other. */
	{ 8, 2, "abcdefgh\r\n$", 4, 2, "abcdefgh\r\n$\033[1;1H\0337\033[2;1H$" },
	{ 4, 2, "abcdefgh\r\nij\r\n$", 8, 2, "abcdefgh\r\nij\r\n$\033[2;1H$" },
	{ 4, 2, "abcdefghij\r\nkl\r\n$", 12, 4, "abcdefghij\r\nkl\r\n$\r\n\033[3;1H$" },
	{ 8, 2, "1\r\n2\r\nabcdefgh\r\n$", 4, 3,
	  "1\r\n2\033[1G\0337\r\nabcdefgh\r\n$\033[3;1H$" },
	/* The alternate screen is cut. */
	{ 8, 2, "\033[?1049habcdefghij\r\n$", 4, 2,
	  "\r\n\033[1;1H\033[?47h\033[H\033[4G  \033[A\033[4G\033[X\033[B\r\033[Xij\r\n$\033[2;1H$" },
};

static void test_reflow(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(reflows); i++) {
		struct screen *s =
			screen_with(reflows[i].cols, reflows[i].rows, reflows[i].output);
		const char *text;

		screen_resize(s, reflows[i].to_cols, reflows[i].to_rows);
		text = snapshot_of(s) + strlen(START);
		if (strcmp(text, reflows[i].snapshot) != 0)
			fail_msg("case %zu, %s: %s", i, reflows[i].output, text);
		screen_free(s);
	}
}

/* The cursor comes to stand on the second half of a wide character: what is printed there takes the first, too. */
static void test_half_of_a_character(void **state)
{
	struct screen *s = screen_with(4, 2, "a漢b");

	screen_resize(s, 3, 2);
	screen_feed(s, "c", 1);
	assert_string_equal(snapshot_of(s) + strlen(START), "a\033[1Cc\r\n\033[1;3Hc");
	screen_free(s);
}

/* The worst for a change of the number of columns: a full screen and history, and both as one line. */
static void test_reflow_costs_little(void **state)
{
	static const char *const lines[] = { "x", "\r\n", "\033[41m\033[999Cx\r\n", "漢",
					     "e\xcc\x81" };
	struct screen_limits limits = SCREEN_LIMITS;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct screen *s = screen_new(1000, 1000, &limits);
		double began;

		for (int k = 0; k < 1 << 16; k++)
			screen_feed(s, lines[i], strlen(lines[i]));
		screen_feed(s, "\033[999;1H\r\n\r\n", 12);
		began = seconds();
		screen_resize(s, 2, 24);
		screen_resize(s, 1000, 1);
		screen_resize(s, 80, 1000);
		if (seconds() - began > 5)
			fail_msg("case %zu: %.1f s", i, seconds() - began);
		if (getenv("SCREEN_TIMES"))
			print_message("reflow %zu: %.3f s, %zu bytes\n", i, seconds() - began,
				      screen_memory(s));
		assert_true(screen_memory(s) < limits.cell_bytes + (1 << 19));
		screen_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reflow),
		cmocka_unit_test(test_half_of_a_character),
		cmocka_unit_test(test_reflow_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
