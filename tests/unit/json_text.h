/*
 * JSON text as the unit tests use it: read from a block that ends where the text ends (so that a sanitizer sees a read beyond
 * it), printed and compared.
 */
#ifndef CARREL_TESTS_UNIT_JSON_TEXT_H
#define CARREL_TESTS_UNIT_JSON_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"

/* A text that the document takes has the same tree, or the same fault, as one that it copies from. */
static inline void parses_as(const char *text, size_t n, const struct json_limits *limits,
			     struct json_doc *want, const struct err *fault)
{
	auto_buf struct buf given = BUF_LIMIT(64 << 20), one = BUF_LIMIT(64 << 20),
			    two = BUF_LIMIT(64 << 20);
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	assert_int_equal(buf_append(&given, text, n, &e), 0);
	assert_int_equal(json_parse_buf(&given, limits, &doc, &e), want ? 0 : -1);
	if (!want) {
		assert_string_equal(e.msg, fault->msg);
		return;
	}
	assert_int_equal(json_print(json_root(want), false, &one, &e), 0);
	assert_int_equal(json_print(json_root(doc), false, &two, &e), 0);
	assert_string_equal(buf_str(&one), buf_str(&two));
}

static inline struct json_doc *parse_n(const char *text, size_t n,
				       const struct json_limits *limits, struct err *e)
{
	auto_free char *exact = xalloc(n);
	struct json_doc *doc = NULL;

	memcpy(exact, text, n);
	*e = ERR_NONE;
	if (json_parse(exact, n, limits, &doc, e) < 0) {
		assert_null(doc);
		assert_string_not_equal(e->msg, "");
	}
	parses_as(text, n, limits, doc, e);
	return doc;
}

static inline struct json_doc *parse(const char *text, struct err *e)
{
	return parse_n(text, strlen(text), NULL, e);
}

static inline void prints(const struct json *v, const char *want)
{
	auto_buf struct buf b = BUF_LIMIT(1 << 20);
	struct err e = ERR_NONE;

	assert_int_equal(json_print(v, false, &b, &e), 0);
	assert_string_equal(buf_str(&b), want);
}

#endif
