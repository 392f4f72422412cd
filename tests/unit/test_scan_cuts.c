/* The scanner's library finds and passes on the same, however the bytes are cut. */
#include "tests/unit/scan_run.h"

static uint64_t seed = 88172645463325252u;

static size_t chance(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t) (seed % n);
}

static const char *const pieces[] = {
	KEY,
	"AKIA",
	"IOSFODNN",
	"7EXAMPLE",
	"tok123",
	"tok",
	"12",
	"3",
	" ",
	"\r\n",
	"\n",
	"\r",
	"\b",
	"\b \b",
	"\033[1m",
	"\033[0;31m",
	"\033[K",
	"\033[5;1H",
	"\033[C",
	"\033[3D",
	"\033]0;x\a",
	"\033]0;",
	"\033]8;;u",
	"\033]52;c;",
	"\033]52;c;",
	"\a",
	"\033\\",
	"\xc2\x9c",
	"\xc2\x9d",
	"\033Pq",
	"\033_",
	"\x18",
	KEY64,
	"QUtJQUlPU0ZP",
	"RE5ON0VYQU1QTEU=",
	TOK64,
	"c2VlIH",
	"Rvaz",
	"EyMyDnp5g=",
	"\033",
	"\t",
	"\xe7\xa7\x98",
	"\xe7",
	"\xa7",
	"e\xcc\x81",
	"\xff",
	"4111 1111 1111 1111",
	"4111",
	"1111",
	"secret ",
	"deadbeef",
	"-----BEGIN X-----\nab\nc=",
	"the quick brown fox",
	"xxxxxxxxxxxxxxxxxxxxx",
	"ghp_",
	"aaaaaaaaaaaaaaa",
	"\x7f",
	" \r",
};

static const char everything[] = POLICY(AWS "," RULE("tok", "tok[0-9]{3}", "out", "block") "," RULE(
	"pem", "-----BEGIN X-----[a-z=\\\\s]{0,300}", "out",
	"mask") "," RULE("ghp", "\\\\bghp_[a-z]{15,40}", "out",
			 "mask") "," RULE("run", "x{9}", "out",
					  "alert") "," RULE("wide", "\xe7\xa7\x98.", "out",
							    "mask") ","
								    "{\"id\":\"card\",\"pattern\":\"\\\\b(?:[0-9][ -]?){12,18}[0-9]\\\\b\","
								    "\"check\":\"luhn\",\"direction\":\"out\",\"action\":\"mask\"},"
								    "{\"id\":\"hex\",\"pattern\":\"[0-9a-f]{8}\",\"direction\":\"out\","
								    "\"action\":\"mask\",\"keywords\":[\"secret\",\"token\"]}");

enum { ROUNDS = 3000 };

static int by_word(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Events of different rules may come in another order; a rule's own may not. */
static void sort_words(char *text)
{
	char *v[512], copy[8192], *save = NULL;
	size_t n = 0;

	(void) snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, " ", &save); w && n < ARRAY_SIZE(v);
	     w = strtok_r(NULL, " ", &save))
		v[n++] = w;
	qsort(v, n, sizeof(*v), by_word);
	text[0] = 0;
	for (size_t i = 0; i < n; i++) {
		strcat(text, v[i]);
		strcat(text, " ");
	}
}

static void any_cut_gives_the_same(void **state)
{
	struct rules rules = compile(everything);
	struct print_key key;
	size_t found = 0;

	print_key_set(&key, (const uint8_t *) "k", 1);

	for (int round = 0; round < ROUNDS; round++) {
		char text[1200] = "";
		unsigned cols = (unsigned[]){ 0, 10, 20, 80 }[chance(4)];
		struct run whole = run_new(&rules, POLICY_OUT, cols),
			   cut = run_new(&rules, POLICY_OUT, cols);
		size_t n;

		for (size_t i = 2 + chance(30); i > 0; i--)
			strcat(text, pieces[chance(ARRAY_SIZE(pieces))]);
		n = strlen(text);
		whole.key = cut.key = &key;
		run_open(&whole, POLICY_OUT, cols, cols > 0);
		run_open(&cut, POLICY_OUT, cols, cols > 0);
		run_feed(&whole, text, n);
		for (size_t i = 0, step; i < n; i += step) {
			step = MIN(1 + chance(1 + chance(40)), n - i);
			run_feed(&cut, text + i, step);
		}
		run_finish(&whole);
		run_finish(&cut);
		sort_words(whole.events);
		sort_words(cut.events);
		found += whole.events[0] != 0;
		if (strcmp(buf_str(&whole.out), buf_str(&cut.out)) != 0 ||
		    strcmp(whole.events, cut.events) != 0)
			fail_msg(
				"round %d, %u columns: of\n%s\ncame whole\n%s (%s)\nand cut\n%s (%s)",
				round, cols, text, buf_str(&whole.out), whole.events,
				buf_str(&cut.out), cut.events);
		run_close(&whole);
		run_close(&cut);
	}
	/* The texts are not such that nothing ever happens. */
	assert_true(found > 500);
	rules_fini(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut_gives_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
