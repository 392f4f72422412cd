/* The scanner's library: what counts as text, what is found in it, what goes out. */
#include "tests/unit/scan_run.h"

/* ---- rules ---- */

static void expect_refused(const char *json, const char *words)
{
	struct json_doc *doc;
	struct err e = ERR_NONE;
	struct rules r;

	assert_int_equal(json_parse(json, strlen(json), NULL, &doc, &e), 0);
	assert_int_equal(rules_compile(doc, "p", NULL, 0, &r, &e), -1);
	if (!strstr(e.msg, words))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
}

static void refused_rules_are_named(void **state)
{
	expect_refused(POLICY(RULE("a", "x(", "out", "mask")), "policies.p.a.pattern: ");
	expect_refused(POLICY(RULE("a", "x+y", "out", "mask")), "no greatest length");
	expect_refused(POLICY(RULE("a", "x{0,3}", "out", "mask")), "matches nothing at all");
	expect_refused(POLICY(RULE("a", "x{0,5000}y", "out", "alert")), "4096 are possible");
	expect_refused(POLICY(RULE("a", "(?<=x)yyy", "out", "mask")), "policies.p.a.pattern: ");
	expect_refused(POLICY(RULE("a", "xyz", "sideways", "mask")), "out, in or upload");
	expect_refused(POLICY(RULE("a", "xyz", "out", "hide")), "alert, mask, block or kill");
	expect_refused(POLICY(RULE("A b", "xyz", "out", "mask")), "is no name");
	expect_refused(POLICY(AWS "," AWS), "policies.p.aws: is there twice");
	expect_refused("{\"version\":2,\"policies\":{\"p\":[" AWS "]}}", "version");
	expect_refused(POLICY("{\"id\":\"a\",\"pattern\":\"x\",\"direction\":\"out\","
			      "\"action\":\"mask\",\"keywords\":[\"ab\"]}"),
		       "3 to 48");
}

static void the_compiled_form_is_the_same(void **state)
{
	struct rules r = compile(POLICY(AWS)), again;
	auto_buf struct buf db = BUF_LIMIT(1 << 20), text = BUF_LIMIT(1 << 16);
	struct json_doc *doc;
	struct err e = ERR_NONE;

	assert_int_equal(rules_database(&r, &db, &e), 0);
	assert_int_equal(policy_print(r.policy, &text, &e), 0);
	assert_int_equal(json_parse(buf_str(&text), buf_len(&text), NULL, &doc, &e), 0);
	assert_int_equal(rules_compile(doc, "p", buf_bytes(&db), buf_len(&db), &again, &e), 0);
	assert_string_equal(again.v[0].policy->pattern, r.v[0].policy->pattern);
	rules_fini(&again);
	assert_int_equal(json_parse(buf_str(&text), buf_len(&text), NULL, &doc, &e), 0);
	assert_int_equal(rules_compile(doc, "p", buf_bytes(&db), 7, &again, &e), -1);
	rules_fini(&r);
}

/* ---- one stream ---- */

struct sample {
	const char *in, *out, *events;
	unsigned cols;
};

static void check_sample(const struct rules *rules, enum policy_direction d, bool terminal,
			 const struct sample *t)
{
	struct run r = run_new(rules, d, t->cols);

	run_open(&r, d, t->cols, terminal);
	run_feed(&r, t->in, strlen(t->in));
	run_finish(&r);
	if (strcmp(buf_str(&r.out), t->out) != 0 || strcmp(r.events, t->events) != 0)
		fail_msg("of\n%s\ncame\n%s with \"%s\", not\n%s with \"%s\"", t->in,
			 buf_str(&r.out), r.events, t->out, t->events);
	run_close(&r);
}

static void masked_text_keeps_its_place(void **state)
{
	static const struct sample samples[] = {
		{ "nothing here\r\n", "nothing here\r\n", "", 80 },
		{ "k " KEY "\r\n", "k ********************\r\n", "aws@2+20 ", 80 },
		{ KEY, "********************", "aws@0+20 ", 80 },
		{ KEY "X\r\n", KEY "X\r\n", "", 80 },
		/* colours stay where they were */
		{ "\033[1mAKIA\033[31mIOSFODNN\033[0m7EXAMPLE\033[m\r\n",
		  "\033[1m****\033[31m********\033[0m********\033[m\r\n", "aws@4+20 ", 80 },
		/* the terminal wrapped it: by a line feed at the margin, by itself, by a line editor */
		{ "1234 AKIAI\r\nOSFODNN7EX\r\nAMPLE\r\n",
		  "1234 *****\r\n**********\r\n*****\r\n", "aws@5+20 ", 10 },
		{ "1234 " KEY "\r\n", "1234 ********************\r\n", "aws@5+20 ", 10 },
		{ "1234 AKIAI \rOSFODNN7EX \rAMPLE\r\n", "1234 ***** \r********** \r*****\r\n",
		  "aws@5+20 ", 10 },
		/* but not a line feed elsewhere, nor a line that is written over */
		{ "AKIAIOSFOD\r\nNN7EXAMPLE\r\n", "AKIAIOSFOD\r\nNN7EXAMPLE\r\n", "", 80 },
		{ "AKIAIOSFOD\rNN7EXAMPLE\r\n", "AKIAIOSFOD\rNN7EXAMPLE\r\n", "", 80 },
		/* printed twice for bold; and a correction, before which it was none */
		{ "A\bAK\bKIAIOSFODNN7EXAMPLE\r\n", "*\b**\b*******************\r\n",
		  "aws@2+20 ", 80 },
		{ "AKIAIOSX\b \bFODNN7EXAMPLE\r\n", "AKIAIOS*\b \b*************\r\n",
		  "aws@0+20! ", 80 },
		/* a title is no text, and hides none */
		{ "AKIA\033]0;title\aIOSFODNN7EXAMPLE\r\n",
		  "****\033]0;title\a****************\r\n", "aws@0+20 ", 80 },
		{ "\xff" KEY "\xc3\r\n", "\xff********************\xc3\r\n", "aws@1+20 ", 80 },
	};
	struct rules r = compile(POLICY(AWS));

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		check_sample(&r, POLICY_OUT, true, &samples[i]);
	rules_fini(&r);
}

static void wide_characters_take_two_stars(void **state)
{
	static const struct sample samples[] = {
		{ "pin: \xe7\xa7\x98\xe5\xaf\x86"
		  "e\xcc\x81"
		  "7!\r\n",
		  "pin: ******!\r\n", "pin@5+5 ", 80 },
	};
	struct rules r = compile(POLICY(RULE("pin",
					     "\xe7\xa7\x98\xe5\xaf\x86"
					     "e.[0-9]",
					     "out", "mask")));

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		check_sample(&r, POLICY_OUT, true, &samples[i]);
	rules_fini(&r);
}

static void blocked_lines_end_with_a_notice(void **state)
{
	static const struct sample samples[] = {
		{ "a tok123 rest\r\nnext\r\n", "a [blocked: tok]\r\nnext\r\n", "tok@2+6 ", 80 },
		{ "a tok123 tok456\033[0m z\nb\n", "a [blocked: tok]\033[0m\nb\n",
		  "tok@2+6 tok@9+6 ", 80 },
		{ "tok999", "[blocked: tok]", "tok@0+6 ", 80 },
	};
	static const struct sample typed[] = {
		{ "say tok123 now\r", "say  now\r", "tok@4+6 ", 0 },
		{ "\033[200~tok123\033[201~\r", "\033[200~\033[201~\r", "tok@6+6 ", 0 },
		{ "tox\177k123\r", "tox\177\r", "tok@0+6! ", 0 },
	};
	struct rules r = compile(POLICY(RULE("tok", "tok[0-9]{3}", "out", "block")));
	struct rules in = compile(POLICY(RULE("tok", "tok[0-9]{3}", "in", "block")));

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		check_sample(&r, POLICY_OUT, true, &samples[i]);
	for (size_t i = 0; i < ARRAY_SIZE(typed); i++)
		check_sample(&in, POLICY_IN, true, &typed[i]);
	check_sample(&in, POLICY_OUT, true, &(struct sample){ "tok123", "tok123", "", 80 });
	rules_fini(&r);
	rules_fini(&in);
}

/* "see tok123 \xe7\xa7\x98" as Base64. */
#define WIDE64 "c2VlIHRvazEyMyDnp5g="

static void escape_strings_are_texts_too(void **state)
{
	static const struct sample samples[] = {
		/* a title, both ends, also by C1; the same width stays */
		{ "\033]0;see " KEY "\a$ ", "\033]0;see ********************\a$ ", "aws@8+20 ",
		  80 },
		{ "\033]2;" KEY "\033\\$ ", "\033]2;********************\033\\$ ", "aws@4+20 ",
		  80 },
		{ "\xc2\x9d"
		  "2;" KEY "\xc2\x9c$ ",
		  "\xc2\x9d"
		  "2;********************\xc2\x9c$ ",
		  "aws@4+20 ", 80 },
		/* a link; the text of it is the main text, which goes on around strings */
		{ "\033]8;;http://x/" KEY "\033\\AKIA\033]8;;\033\\IOSFODNN7EXAMPLE\r\n",
		  "\033]8;;http://x/********************\033\\****\033]8;;\033\\****************\r\n",
		  "aws@14+20 aws@36+20 ", 80 },
		/* DCS, APC, PM, SOS */
		{ "\033Pq" KEY "\033\\", "\033Pq" KEY "\033\\", "", 80 },
		{ "\033P1$r " KEY " \033\\", "\033P1$r ******************** \033\\",
		  "aws@6+20 ", 80 },
		{ "\033_G;" KEY "\033\\", "\033_G;********************\033\\", "aws@4+20 ",
		  80 },
		{ "\033^" KEY "\033\\x", "\033^********************\033\\x", "aws@2+20 ", 80 },
		{ "\033X" KEY "\033\\x", "\033X********************\033\\x", "aws@2+20 ", 80 },
		/* what a terminal passes over in a string does not hide a secret in it */
		{ "\033]0;AKIA\n\x01IOSFODNN7EXAMPLE\a", "\033]0;****\n\x01****************\a",
		  "aws@4+20 ", 80 },
		/* each is a text of its own: nothing goes on from one to the next, and what came before is no beginning */
		{ "\033]0;AKIA\a\033]0;IOSFODNN7EXAMPLE\a",
		  "\033]0;AKIA\a\033]0;IOSFODNN7EXAMPLE\a", "", 80 },
		{ "\033]0;x\a\033^" KEY "\a\033\\",
		  "\033]0;x\a\033^********************\a\033\\", "aws@8+20 ", 80 },
		/* the clipboard: nothing of it, whatever else it holds, and the lenience of terminals */
		{ "\033]52;c;" KEY64 "\a$ ", "\033]52;c;\a$ ", "aws@7+20 ", 80 },
		{ "\033]52;;QUtJQUlPU0ZPR\n E5ON0VY.QU1QTEU\033\\$ ", "\033]52;;\033\\$ ",
		  "aws@6+20 ", 80 },
		{ "\033]52;c;" WIDE64 "\xc2\x9c$ ", "\033]52;c;\xc2\x9c$ ", "tok@13+6 ", 80 },
		{ "\033]52;c;aGVsbG8=\a$ ", "\033]52;c;aGVsbG8=\a$ ", "", 80 },
		{ "\033]52;c;?\a$ ", "\033]52;c;?\a$ ", "", 80 },
		{ "\033]53;c;" KEY64 "\a$ ", "\033]53;c;" KEY64 "\a$ ", "", 80 },
		/* nor does a terminal multiplexer's wrapping hide it */
		{ "\033Ptmux;\033\033]52;c;" TOK64 "\a\033\\$ ",
		  "\033Ptmux;\033\033]52;c;\a\033\\$ ", "tok@15+6 ", 80 },
		/* block: the rest of the string */
		{ "\033]0;a tok123 b\a$ c\r\n", "\033]0;a [blocked: tok]\a$ c\r\n", "tok@6+6 ",
		  80 },
		/* one that never ends */
		{ "\033]0;" KEY, "\033]0;********************", "aws@4+20 ", 80 },
		{ "\033]52;c;" KEY64, "\033]52;c;", "aws@7+20 ", 80 },
		/* without a terminal a string is text, and the clipboard what it is */
		{ "\033]0;" KEY "\a", "\033]0;********************\a", "aws@4+20 ", 0 },
		{ "\033]52;c;" KEY64 "\a$ ", "\033]52;c;\a$ ", "aws@7+20 ", 0 },
	};
	static const struct sample typed[] = {
		{ "\033]52;c;" TOK64 "\033\\ls\r", "\033]52;c;\033\\ls\r", "tok@7+6 ", 0 },
		{ "\033]52;c;aGVsbG8\rtok123", "\033]52;c;aGVsbG8\r", "tok@15+6 ", 0 },
	};
	struct rules r = compile(POLICY(AWS "," RULE("tok", "tok[0-9]{3}", "out", "block")));
	struct rules in = compile(POLICY(RULE("tok", "tok[0-9]{3}", "in", "block")));

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		check_sample(&r, POLICY_OUT, samples[i].cols > 0, &samples[i]);
	for (size_t i = 0; i < ARRAY_SIZE(typed); i++)
		check_sample(&in, POLICY_IN, true, &typed[i]);
	rules_fini(&r);
	rules_fini(&in);
}

/* What a policy only watches goes on, and at once. */
static void alerts_hold_no_clipboard_up(void **state)
{
	struct rules rules = compile(POLICY(RULE("aws", "AKIA[A-Z2-7]{16}", "out", "alert")));
	struct run r = run_new(&rules, POLICY_OUT, 80);

	run_open(&r, POLICY_OUT, 80, true);
	run_feed(&r, "\033]52;c;QUtJQUlP", 15);
	assert_int_equal(buf_len(&r.out), 15);
	run_feed(&r, "U0ZPRE5ON0VYQU1QTEU=\a", 21);
	assert_int_equal(buf_len(&r.out), 36);
	assert_string_equal(r.events, "aws@7+20 ");
	run_close(&r);
	rules_fini(&rules);
}

static void keywords_and_checks_decide(void **state)
{
	static const struct sample samples[] = {
		{ "deadbeef\n", "deadbeef\n", "", 0 },
		{ "my SECRET: deadbeef\n", "my SECRET: ********\n", "hex@11+8 ", 0 },
		{ "card 4111 1111 1111 1111.\n", "card *******************.\n", "card@5+19 ",
		  0 },
		{ "card 4111 1111 1111 1112.\n", "card 4111 1111 1111 1112.\n", "", 0 },
	};
	struct rules r = compile(POLICY(
		"{\"id\":\"hex\",\"pattern\":\"[0-9a-f]{8}\",\"direction\":\"out\","
		"\"action\":\"mask\",\"keywords\":[\"secret\",\"token\"]},"
		"{\"id\":\"card\",\"pattern\":\"\\\\b(?:[0-9][ -]?){12,18}[0-9]\\\\b\",\"check\":\"luhn\","
		"\"direction\":[\"out\",\"upload\"],\"action\":\"mask\"}"));

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		check_sample(&r, POLICY_OUT, false, &samples[i]);
	check_sample(&r, POLICY_UPLOAD, false, &samples[2]);
	check_sample(&r, POLICY_IN, false,
		     &(struct sample){ samples[2].in, samples[2].in, "", 0 });
	rules_fini(&r);
}

/* The first character that makes it a match tells of it, not the last. */
static void a_kill_is_told_at_once(void **state)
{
	struct rules rules = compile(POLICY(RULE("kill", "rm-rf-{1,40}", "out", "kill")));
	struct run r = run_new(&rules, POLICY_OUT, 80);

	run_open(&r, POLICY_OUT, 80, true);
	run_feed(&r, "rm-rf-", 6);
	assert_string_equal(r.events, "kill@0+6 ");
	run_feed(&r, "--\n", 3);
	assert_string_equal(r.events, "kill@0+6 ");
	assert_string_equal(buf_str(&r.out), "********\n");
	run_close(&r);
	rules_fini(&rules);
}

/* ---- fingerprints ---- */

static const char *fingerprint(const struct rules *rules, const struct print_key *key,
			       const char *text, char out[64])
{
	struct run r = run_new(rules, POLICY_OUT, 20);
	const char *found;

	r.key = key;
	run_open(&r, POLICY_OUT, 20, true);
	run_feed(&r, text, strlen(text));
	run_finish(&r);
	found = strchr(r.events, '=');
	if (!found)
		fail_msg("%s: nothing was found", text);
	(void) snprintf(out, 64, "%s", found);
	run_close(&r);
	return out;
}

/* However it is printed, and whichever rule finds it. */
static void a_secret_is_known_again(void **state)
{
	static const char *const same[] = {
		"x " KEY "\r\n",
		"\033[1mAKIA\033[31mIOSFODNN7\033[mEXAMPLE\r\n",
		"123456789 AKIAIOSFOD\r\nNN7EXAMPLE\r\n",
		"AKIA\033]0;title\aIOSFODNN7EXAMPLE ",
	};
	struct rules rules = compile(POLICY(AWS)),
		     other = compile(
			     POLICY(RULE("other", "AKIA[A-Z0-9]{14}LE", "out", "alert")));
	struct print_key key, second;
	char a[64], b[64];

	print_key_set(&key, (const uint8_t *) "k", 1);
	print_key_set(&second, (const uint8_t *) "l", 1);
	(void) fingerprint(&rules, &key, KEY " ", a);
	assert_int_equal(strlen(a), 1 + PRINT_HEX + 1);
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_string_equal(fingerprint(&rules, &key, same[i], b), a);
	assert_string_equal(fingerprint(&other, &key, KEY " ", b), a);
	assert_string_not_equal(fingerprint(&rules, &key, "AKIAIOSFODNN7EXAMPLF ", b), a);
	assert_string_not_equal(fingerprint(&rules, &second, KEY " ", b), a);
	rules_fini(&rules);
	rules_fini(&other);
}

/* ---- time ---- */

static void only_what_may_match_waits(void **state)
{
	struct rules rules = compile(POLICY(AWS));
	struct run r = run_new(&rules, POLICY_OUT, 80);
	struct err e = ERR_NONE;

	run_open(&r, POLICY_OUT, 80, true);
	r.now_ms = 1000;
	run_feed(&r, "$ ls\r\nA", 7);
	assert_string_equal(buf_str(&r.out), "$ ls\r\n");
	assert_int_equal(stream_deadline(r.stream), 1000 + POLICY_HOLD_MS);
	r.now_ms = 1010;
	run_feed(&r, "KI", 2);
	assert_int_equal(stream_deadline(r.stream), 1000 + POLICY_HOLD_MS);
	run_feed(&r, "N", 1);
	assert_string_equal(buf_str(&r.out), "$ ls\r\nAKIN");
	assert_true(stream_deadline(r.stream) == UINT64_MAX);

	/* The time is over: it is shown, what follows is not, and the event says how much. */
	run_feed(&r, " AKIAIOS", 8);
	assert_string_equal(buf_str(&r.out), "$ ls\r\nAKIN ");
	assert_int_equal(stream_expire(r.stream, &r.out, &e), 0);
	assert_true(stream_deadline(r.stream) == UINT64_MAX);
	run_feed(&r, "FODNN7EXAMPLE\r\n", 15);
	assert_string_equal(buf_str(&r.out), "$ ls\r\nAKIN AKIAIOS*************\r\n");
	assert_string_equal(r.events, "aws@11+20! ");
	run_close(&r);

	/* The whole secret with nothing behind it is masked when its time is over, and told of once. */
	r = run_new(&rules, POLICY_OUT, 80);
	run_open(&r, POLICY_OUT, 80, true);
	run_feed(&r, KEY, strlen(KEY));
	assert_int_equal(buf_len(&r.out), 0);
	assert_int_equal(stream_expire(r.stream, &r.out, &e), 0);
	assert_string_equal(buf_str(&r.out), "********************");
	run_feed(&r, "\r\n", 2);
	run_finish(&r);
	assert_string_equal(r.events, "aws@0+20 ");
	run_close(&r);
	rules_fini(&rules);
}

/* What has been let go in the middle cannot be taken back; the rest is. */
static void what_waited_too_long(void **state)
{
	struct rules rules =
		compile(POLICY(AWS "," RULE("wide", "\xe7\xa7\x98[0-9]", "out", "mask")));
	struct run r = run_new(&rules, POLICY_OUT, 80);
	struct err e = ERR_NONE;

	/* A clipboard. */
	run_open(&r, POLICY_OUT, 80, true);
	run_feed(&r, "\033]52;c;aGVsbG8gQUtJQ", 20);
	assert_string_equal(buf_str(&r.out), "\033]52;c;");
	assert_int_equal(stream_deadline(r.stream), POLICY_HOLD_MS);
	assert_int_equal(stream_expire(r.stream, &r.out, &e), 0);
	assert_string_equal(buf_str(&r.out), "\033]52;c;aGVsbG8gQUtJQ");
	run_feed(&r, "UlPU0ZPRE5ON0VYQU1QTEU=\a$ ", 26);
	assert_string_equal(buf_str(&r.out), "\033]52;c;aGVsbG8gQUtJQ\a$ ");
	assert_string_equal(r.events, "aws@15+20! ");
	run_close(&r);

	/* Half of a character, which is part of a match with its other half. */
	r = run_new(&rules, POLICY_OUT, 80);
	run_open(&r, POLICY_OUT, 80, true);
	run_feed(&r, "\xe7", 1);
	assert_int_equal(stream_expire(r.stream, &r.out, &e), 0);
	run_feed(&r, "\xa7\x98\x37.", 4);
	assert_string_equal(buf_str(&r.out), "\xe7*.");
	run_close(&r);
	rules_fini(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_rules_are_named),
		cmocka_unit_test(the_compiled_form_is_the_same),
		cmocka_unit_test(masked_text_keeps_its_place),
		cmocka_unit_test(wide_characters_take_two_stars),
		cmocka_unit_test(blocked_lines_end_with_a_notice),
		cmocka_unit_test(escape_strings_are_texts_too),
		cmocka_unit_test(alerts_hold_no_clipboard_up),
		cmocka_unit_test(keywords_and_checks_decide),
		cmocka_unit_test(a_kill_is_told_at_once),
		cmocka_unit_test(a_secret_is_known_again),
		cmocka_unit_test(only_what_may_match_waits),
		cmocka_unit_test(what_waited_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
