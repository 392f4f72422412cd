/* The scanner's streams on their way to another scanner: what comes out and what is found is the same wherever they are moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream.h"
#include "shim/scan/stream_save.h"

#define RULE(id, pattern, action)                                                              \
	"{\"id\":\"" id "\",\"pattern\":\"" pattern                                            \
	"\",\"direction\":\"out\",\"action\":\"" action "\"}"
#define POLICY(rules) "{\"version\":1,\"policies\":{\"p\":[" rules "]}}"
#define AWS	      RULE("aws", "\\\\bAKIA[A-Z2-7]{16}\\\\b", "mask")

static const char everything[] = POLICY(AWS "," RULE("tok", "tok[0-9]{3}", "block") "," RULE(
	"ghp", "\\\\bghp_[a-z]{15,40}",
	"mask") "," RULE("run", "x{9}",
			 "alert") ","
				  "{\"id\":\"card\",\"pattern\":\"\\\\b(?:[0-9][ -]?){12,18}[0-9]\\\\b\",\"check\":\"luhn\","
				  "\"direction\":\"out\",\"action\":\"mask\"}");

/* OSC 52 with "AKIAIOSFODNN7EXAMPLE" and with "hello", and their halves. */
static const char *const pieces[] = {
	"AKIAIOSFODNN7EXAMPLE",
	"AKIAIOSF",
	"ODNN7EXAMPLE",
	"tok123",
	"tok1",
	"23",
	"ghp_",
	"aaaaaaaaaaaaaaaa",
	"xxxxxxxxx",
	"xxxx",
	"4111 1111 1111 1111",
	"4111",
	" 1111",
	" ",
	"\r\n",
	"\r",
	"\b",
	"\b \b",
	"\033[1m",
	"\033[5;1H",
	"\033",
	"\t",
	"\xe7\xa7\x98",
	"\xe7",
	"\xa7\x98",
	"\033]0;AKIAIOSFODNN7EXAMPLE\a",
	"\033]0;AKIAIO",
	"SFODNN7EXAMPLE",
	"\033\\",
	"\a",
	"\033]52;c;QUtJQUlPU0ZPRE5ON0VYQU1QTEU=\a",
	"\033]52;c;QUtJQUlPU0Z",
	"PRE5ON0VYQU1QTEU=",
	"\033]52;c;aGVsbG8=\a",
	"the quick brown fox",
	"\033]5",
	"2;",
};

static size_t chance(size_t n)
{
	static uint64_t seed = 88172645463325252;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t) (seed % n);
}

static struct rules compile(const char *json)
{
	struct json_doc *doc;
	struct err e = ERR_NONE;
	struct rules r = { 0 };

	if (json_parse(json, strlen(json), NULL, &doc, &e) < 0 ||
	    rules_compile(doc, "p", NULL, 0, &r, &e) < 0)
		fail_msg("%s", e.msg);
	return r;
}

struct run {
	struct stream_spec spec;
	struct stream *stream;
	struct buf out;
	char events[4096];
};

static void on_event(void *arg, const struct stream_event *ev)
{
	struct run *r = arg;
	size_t n = strlen(r->events);

	(void) snprintf(r->events + n, sizeof(r->events) - n, "%zu@%llu+%u!%u=%s ", ev->rule,
			(unsigned long long) ev->offset, ev->characters, ev->shown,
			ev->fingerprint);
}

static void run_open(struct run *r, const struct rules *rules, const struct print_key *key,
		     unsigned cols)
{
	struct err e = ERR_NONE;

	*r = (struct run){ .spec = { .rules = rules,
				     .direction = POLICY_OUT,
				     .cols = cols,
				     .terminal = cols > 0,
				     .key = key,
				     .fn = on_event,
				     .arg = r },
			   .out = BUF_LIMIT(1 << 20) };
	assert_int_equal(stream_new(&r->spec, &r->stream, &e), 0);
}

static void run_feed(struct run *r, const char *p, size_t n)
{
	struct err e = ERR_NONE;

	if (stream_feed(r->stream, (const uint8_t *) p, n, 0, &r->out, &e) < 0)
		fail_msg("%s", e.msg);
}

static void run_move(struct run *r)
{
	struct pack p = PACK(4 << 20);
	struct unpack u = { 0 };
	struct err e = ERR_NONE;

	stream_save(r->stream, &p);
	assert_int_equal(pack_end(&p, &e), 0);
	stream_free(r->stream);
	u.p = buf_bytes(&p.out);
	u.n = buf_len(&p.out);
	r->stream = stream_restore(&r->spec, &u);
	if (unpack_end(&u, &e) < 0)
		fail_msg("%s", e.msg);
	pack_fini(&p);
}

static void run_finish(struct run *r)
{
	struct err e = ERR_NONE;

	assert_int_equal(stream_finish(r->stream, &r->out, &e), 0);
}

static void run_close(struct run *r)
{
	stream_free(r->stream);
	buf_fini(&r->out);
}

static void moved_anywhere_it_is_the_same(void **state)
{
	struct rules rules = compile(everything);
	struct print_key key;
	size_t found = 0, moves = 0;

	print_key_set(&key, (const uint8_t *) "k", 1);
	for (int round = 0; round < 1500; round++) {
		char text[1600] = "";
		unsigned cols = (unsigned[]){ 0, 10, 20, 80 }[chance(4)];
		const struct print_key *k = chance(2) ? &key : NULL;
		struct run stays, moved;
		size_t n;

		for (size_t i = 2 + chance(30); i > 0; i--)
			strcat(text, pieces[chance(ARRAY_SIZE(pieces))]);
		n = strlen(text);
		run_open(&stays, &rules, k, cols);
		run_open(&moved, &rules, k, cols);
		for (size_t i = 0, step; i < n; i += step) {
			step = MIN(1 + chance(1 + chance(40)), n - i);
			run_feed(&stays, text + i, step);
			run_feed(&moved, text + i, step);
			if (chance(3) == 0) {
				run_move(&moved);
				moves++;
			}
		}
		run_finish(&stays);
		run_finish(&moved);
		found += stays.events[0] != 0;
		if (strcmp(buf_str(&stays.out), buf_str(&moved.out)) != 0 ||
		    strcmp(stays.events, moved.events) != 0)
			fail_msg(
				"round %d, %u columns: of\n%s\ncame\n%s (%s)\nand moved\n%s (%s)",
				round, cols, text, buf_str(&stays.out), stays.events,
				buf_str(&moved.out), moved.events);
		run_close(&stays);
		run_close(&moved);
	}
	assert_true(found > 500 && moves > 1500);
	rules_fini(&rules);
}

/* Whoever reads a state from elsewhere says what is wrong with it, or goes on with something that harms nobody. */
static void states_that_are_wrong(void **state)
{
	static const char half[] = "tok12 \b\xe7\xa7\x98 \033]52;c;QUtJQUlPU0Z";
	struct rules rules = compile(everything);
	auto_buf struct buf copy = BUF_LIMIT(1 << 20);
	struct pack p = PACK(1 << 20);
	struct err e = ERR_NONE;
	struct unpack u;
	struct run r;

	run_open(&r, &rules, NULL, 20);
	run_feed(&r, half, sizeof(half) - 1);
	stream_save(r.stream, &p);
	assert_int_equal(pack_end(&p, &e), 0);
	for (size_t n = 0; n < buf_len(&p.out); n++) {
		u = (struct unpack){ .p = buf_bytes(&p.out), .n = n };
		assert_null(stream_restore(&r.spec, &u));
	}
	assert_int_equal(buf_append(&copy, buf_bytes(&p.out), buf_len(&p.out), &e), 0);
	for (int i = 0; i < 5000; i++) {
		uint8_t *at = copy.data + chance(buf_len(&copy)), was = *at;
		struct run changed;

		run_open(&changed, &rules, NULL, 20);
		stream_free(changed.stream);
		*at ^= (uint8_t) (1 + chance(255));
		u = (struct unpack){ .p = buf_bytes(&copy), .n = buf_len(&copy) };
		changed.stream = stream_restore(&changed.spec, &u);
		if (changed.stream &&
		    stream_feed(changed.stream, (const uint8_t *) "PRE5ON0VYQU1\b\b\a\r\ntok3",
				22, 0, &changed.out, &e) == 0)
			(void) stream_finish(changed.stream, &changed.out, &e);
		*at = was;
		run_close(&changed);
	}
	/* The control. */
	u = (struct unpack){ .p = buf_bytes(&copy), .n = buf_len(&copy) };
	stream_free(r.stream);
	r.stream = stream_restore(&r.spec, &u);
	assert_non_null(r.stream);
	pack_fini(&p);
	run_close(&r);
	rules_fini(&rules);
}

static void the_rules_have_to_be_the_same(void **state)
{
	struct rules rules = compile(everything), same = compile(everything),
		     other = compile(POLICY(AWS));
	struct pack p = PACK(1 << 20);
	struct err e = ERR_NONE;
	struct unpack u;

	stream_rules_save(&rules, &p);
	assert_int_equal(pack_end(&p, &e), 0);
	u = (struct unpack){ .p = buf_bytes(&p.out), .n = buf_len(&p.out) };
	stream_rules_check(&same, &u);
	assert_int_equal(unpack_end(&u, &e), 0);
	u = (struct unpack){ .p = buf_bytes(&p.out), .n = buf_len(&p.out) };
	stream_rules_check(&other, &u);
	assert_string_equal(u.why.msg, "the policy's rules have changed since");
	pack_fini(&p);
	rules_fini(&rules);
	rules_fini(&same);
	rules_fini(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moved_anywhere_it_is_the_same),
		cmocka_unit_test(states_that_are_wrong),
		cmocka_unit_test(the_rules_have_to_be_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
