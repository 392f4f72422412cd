/* Old output without its questions: what goes, what passes, cut anywhere. */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/util.h"
#include "shim/queries.h"
#include "shim/vt.h"

static struct buf out = BUF_LIMIT(1 << 20);

/* In pieces of `step` bytes. */
static const char *filtered(const char *preface, const void *text, size_t n, size_t step,
			    bool end)
{
	struct queries *q = queries_new();
	const uint8_t *p = text;

	buf_clear(&out);
	queries_preface(q, preface, strlen(preface));
	for (size_t k; n > 0; p += k, n -= k) {
		k = MIN(n, step);
		assert_ok(queries_filter(q, p, k, &out, &e));
	}
	if (end)
		assert_ok(queries_end(q, &out, &e));
	queries_free(q);
	return buf_str(&out);
}

/* All gone. */
static const char *const questions[] = {
	"\033[c",	    "\033[0c",	       "\033[>c",
	"\033[>0c",	    "\033[=c",	       "\033[5n",
	"\033[6n",	    "\033[?6n",	       "\033[?15n",
	"\033[?996n",	    "\033[>q",	       "\033[>0q",
	"\033[4$p",	    "\033[?2026$p",    "\033[x",
	"\033[?u",	    "\033[?4m",	       "\033[?1;1;0S",
	"\033[1;1;1*y",	    "\033[1$w",	       "\033[1$u",
	"\033[&u",	    "\033[+x",	       "\033['|",
	"\033[14t",	    "\033[14;2t",      "\033[18t",
	"\033[21t",	    "\033Z",	       "\005",
	"\033[1#R",	    "\033[#|",	       "\033]4;1;?\007",
	"\033]10;?\007",    "\033]11;?\007",   "\033]4;1;?;2;?\007",
	"\033]10;?;?\007",  "\033]52;c;?\007", "\302\2336n",
	"\302\23511;?\007",
};

/* Nothing changes. */
static const char *const others[] = {
	"plain text\r\n",
	"\033[1;31mred\033[m\033[2J\033[H\033[?2004h\033[>4;2m\033[>1u\033[<u",
	"\033[5 q\033[1\"q\033[!p\033[22;0t\033[23;0t\033[8;24;80t\033[3;5r\033[s\033[u",
	"\033[>1n\033[?1c\033[1$x\033[1*x",
	"\033]0;what is this;?\007\033]2;a;?\033\\\033]8;;http://a/?x\033\\",
	"\033]11;#123456\007\033]4;1;#fff\033\\\033]52;c;YWJj\007\033]10;rgb:ff/?/00\007",
	"\033Pq#0;2;0;0;0~~\033\\\033P0$r0m\033\\\033_Ga=T;x\033\\\033^pm\033\\",
	"漢字 \xc3\xa9 \xc2\xa0 \xc2\x85 \302\302\232e\xcc\x81 \xff\xc2",
	"\033(0qqq\033(B\016\017\0337\0338\033c",
	"\033[6\030n\033[5\032n\033]11;?\030x",
	"\033[6\033[1mn",
};

static void test_questions_go(void **state)
{
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		for (size_t step = 1; step < 9; step++) {
			int n = snprintf(text, sizeof(text), "a%sb\033[1mc", questions[i]);
			const char *seen = filtered("", text, (size_t) n, step, false);

			if (strcmp(seen, "ab\033[1mc") != 0)
				fail_msg("%zu in pieces of %zu: %s", i, step, seen + 1);
		}
	/* Strings that end in ST leave its two bytes, which mean nothing. */
	assert_string_equal(filtered("", "a\033]11;?\033\\b", 10, 3, false), "a\033\\b");
	assert_string_equal(filtered("", "a\033P$qm\033\\b", 9, 3, false), "a\033\\b");
	assert_string_equal(filtered("", "a\033P+q544e\033\\b", 12, 3, false), "a\033\\b");
	assert_string_equal(filtered("",
				     "a\033]11;?\xc2\x9c"
				     "b",
				     10, 3, false),
			    "ab");
	/* What they broke off, or ended, is still broken off or ended. */
	assert_string_equal(filtered("",
				     "a\033[\xc2\x9b"
				     "6nb",
				     8, 3, false),
			    "a\033[\033\\b");
	assert_string_equal(filtered("", "a\033]2;t\033[6nb", 11, 3, false),
			    "a\033]2;t\033\\b");
	assert_string_equal(filtered("", "a\033[6\033[6nb", 9, 3, false), "a\033[6\033\\b");
	assert_string_equal(filtered("", "a\033]11;?\033[6nb", 12, 3, false), "ab");
	/* Controls inside them were executed. */
	assert_string_equal(filtered("", "a\033[6\r\nnb", 8, 3, false), "a\r\nb");
}

static void test_others_pass(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		for (size_t step = 1; step < 9; step++) {
			const char *seen =
				filtered("", others[i], strlen(others[i]), step, true);

			if (strcmp(seen, others[i]) != 0)
				fail_msg("%zu in pieces of %zu: %s", i, step, seen);
		}
}

/* A question that has begun is held back; at the end it is somebody's who waits. */
static void test_ends(void **state)
{
	assert_string_equal(filtered("", "a\033[6", 4, 9, false), "a");
	assert_string_equal(filtered("", "a\033[6", 4, 9, true), "a\033[6");
	assert_string_equal(filtered("", "a\033]11;?", 7, 9, true), "a\033]11;?");
}

/* The terminal is in the middle of a sequence already: a question is broken off. */
static void test_begins_in_the_middle(void **state)
{
	assert_string_equal(filtered("x\033[6", "nb", 2, 1, false), "\030b");
	assert_string_equal(filtered("x\033]11;", "?\007b", 3, 1, false), "\030b");
	assert_string_equal(filtered("x\033]11;?", "\033\\b", 3, 1, false), "\030\033\\b");
	assert_string_equal(filtered("x\033[1;3", "1mb\033[6nc", 9, 4, false), "1mbc");
	assert_string_equal(filtered("x\033]2;tit", "le\007b\033[cc", 8, 4, false), "le\007bc");
	assert_string_equal(filtered("x\033[6nand text", "b\033[cc", 5, 4, false), "bc");
}

/* Longer than anything that is held: it passes while it comes, and what follows is looked at again. */
static void test_long_sequences(void **state)
{
	static char text[3 * VT_TAIL + 64];
	size_t n = (size_t) sprintf(text, "\033]52;c;");

	memset(text + n, 'A', 3 * VT_TAIL);
	n += 3 * VT_TAIL;
	assert_int_equal(strlen(filtered("", text, n, 1000, false)) >= 2 * VT_TAIL, 1);
	n += (size_t) sprintf(text + n, "\007b\033[6nc");
	filtered("", text, n, 1000, false);
	assert_int_equal(buf_len(&out), n - 4);
	assert_memory_equal(buf_bytes(&out), text, n - 6);
	assert_string_equal(buf_str(&out) + n - 6, "bc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions_go),
		cmocka_unit_test(test_others_pass),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_begins_in_the_middle),
		cmocka_unit_test(test_long_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
