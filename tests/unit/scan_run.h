/*
 * For the tests of the scanner's library: rules from a text, and a stream that keeps what it found and passed on.
 */
#ifndef CARREL_TESTS_UNIT_SCAN_RUN_H
#define CARREL_TESTS_UNIT_SCAN_RUN_H

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
#include "base/policy.h"
#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream.h"
#include "shim/scan/text.h"

#define RULE(id, pattern, direction, action)                                                   \
	"{\"id\":\"" id "\",\"pattern\":\"" pattern "\",\"direction\":\"" direction            \
	"\",\"action\":\"" action "\"}"
#define POLICY(rules) "{\"version\":1,\"policies\":{\"p\":[" rules "]}}"

#define AWS RULE("aws", "\\\\bAKIA[A-Z2-7]{16}\\\\b", "out", "mask")
#define KEY "AKIAIOSFODNN7EXAMPLE"
/* KEY and "tok123" as Base64. */
#define KEY64 "QUtJQUlPU0ZPRE5ON0VYQU1QTEU="
#define TOK64 "dG9rMTIz"

static inline struct rules compile(const char *json)
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
	const struct rules *rules;
	struct stream *stream;
	struct buf out;
	const struct print_key *key; /* then events have fingerprints */
	char events[8192];
	uint64_t now_ms;
};

static inline void on_event(void *arg, const struct stream_event *ev)
{
	struct run *r = arg;
	size_t n = strlen(r->events);

	(void) snprintf(r->events + n, sizeof(r->events) - n, "%s@%llu+%u%s%s%s ",
			r->rules->v[ev->rule].policy->id, (unsigned long long) ev->offset,
			ev->characters, ev->shown ? "!" : "", ev->fingerprint[0] ? "=" : "",
			ev->fingerprint);
}

static inline struct run run_new(const struct rules *rules, enum policy_direction d,
				 unsigned cols)
{
	return (struct run){ .rules = rules, .out = BUF_LIMIT(1 << 22) };
}

static inline void run_open(struct run *r, enum policy_direction d, unsigned cols,
			    bool terminal)
{
	const struct stream_spec spec = { .rules = r->rules,
					  .direction = d,
					  .cols = cols,
					  .terminal = terminal,
					  .key = r->key,
					  .fn = on_event,
					  .arg = r };
	struct err e = ERR_NONE;

	assert_int_equal(stream_new(&spec, &r->stream, &e), 0);
}

static inline void run_feed(struct run *r, const char *p, size_t n)
{
	struct err e = ERR_NONE;

	if (stream_feed(r->stream, (const uint8_t *) p, n, r->now_ms, &r->out, &e) < 0)
		fail_msg("%s", e.msg);
}

static inline void run_close(struct run *r)
{
	stream_free(r->stream);
	buf_fini(&r->out);
}

static inline void run_finish(struct run *r)
{
	struct err e = ERR_NONE;

	assert_int_equal(stream_finish(r->stream, &r->out, &e), 0);
}

#endif
