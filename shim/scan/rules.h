/*
 * A policy's rules, compiled: one Vectorscan database that says where some rule's match ends, and for each rule a PCRE2 pattern
 * that says where it begins and what may be the beginning of one.
 *
 * Vectorscan reads every byte once, for all rules together. It cannot say what an unfinished match is, and to know
 * where one began costs it so much that it refuses most patterns with long repeats; PCRE2's DFA matcher does both on the few
 * bytes in question. Both read the same language there: Vectorscan refuses what it cannot do exactly.
 */
#ifndef CARREL_SHIM_SCAN_RULES_H
#define CARREL_SHIM_SCAN_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/policy.h"

struct buf;
struct err;
struct hs_database;
struct hs_scratch;
struct json_doc;
struct pcre2_real_code_8;
struct pcre2_real_match_data_8;

enum {
	RULES_WIDTH = 4096, /* characters of the longest match that a rule may have */
	RULES_NEAR = 64,    /* a keyword ends at most so many bytes before the match */
	RULES_ENDS = 256,   /* of matches that begin at one place; longer ones come first */
};

struct rule {
	const struct policy_rule *policy;
	struct pcre2_real_code_8 *code;
	size_t width; /* bytes of its longest match */
};

struct rules {
	struct json_doc *doc; /* the strings' */
	struct policies policies;
	const struct policy *policy;
	struct rule *v;
	size_t n;
	size_t width; /* the widest's */
	struct hs_database *db;
	struct hs_scratch *scratch;
	struct pcre2_real_match_data_8 *match;
	int *workspace;
	size_t n_workspace;
};

/* Errors name the rule. `database`: what rules_database made of the same policy; NULL: it is compiled now, which may take
 * a second. The document becomes the rules'. */
int rules_compile(struct json_doc *doc, const char *name, const void *database, size_t n,
		  struct rules *out, struct err *e);
void rules_fini(struct rules *r);

/* For another process on this machine. */
int rules_database(const struct rules *r, struct buf *out, struct err *e);

enum rules_found {
	RULES_NONE,
	RULES_MATCH, /* the matches that begin at *from end at ends[0..*n_ends), the longest first */
	RULES_PARTIAL, /* what begins at *from is unfinished */
};
/* The first match of rule i in text[at, n) that begins at or behind `at`; with `partial`, or the first that more text might
 * complete, whichever begins earlier. */
enum rules_found rules_find(const struct rules *r, size_t i, const uint8_t *text, size_t n,
			    size_t at, bool partial, size_t *from, size_t ends[RULES_ENDS],
			    size_t *n_ends);

/* Whether the rule needs no keyword, or one of its ends in the RULES_NEAR bytes before text[at]. */
bool rules_keyword(const struct rule *r, const uint8_t *text, size_t at);
/* The same for some place in [at, end]. */
bool rules_keyword_within(const struct rule *r, const uint8_t *text, size_t at, size_t end);
/* Whether the match passes the rule's check. */
bool rules_check(const struct rule *r, const uint8_t *text, size_t n);

#endif
