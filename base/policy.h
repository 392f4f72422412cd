/*
 * What a policy is: rules about text, as an operator writes them in config/policies.yaml and as the scanner is given them.
 *
 * Decoded and checked here, for the daemon and for carrel-scan alike; whether a pattern can be matched is the scanner's
 * to say, which compiles it.
 */
#ifndef CARREL_BASE_POLICY_H
#define CARREL_BASE_POLICY_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct json_doc;

enum policy_action { POLICY_ALERT, POLICY_MASK, POLICY_BLOCK, POLICY_KILL };
enum policy_check { POLICY_CHECK_NONE, POLICY_CHECK_LUHN };

/* What a terminal shows; what is typed into one; what goes to the standard input of a process without a terminal. */
enum policy_direction { POLICY_OUT, POLICY_IN, POLICY_UPLOAD, POLICY_DIRECTIONS };

enum {
	POLICY_ID = 63,	   /* characters of a rule's or a policy's name */
	POLICY_RULES = 64, /* of one policy */
	POLICY_SETS = 16,  /* of one file */
	POLICY_PATTERN = 1024,
	POLICY_KEYWORDS = 16,
	POLICY_HOLD_MS = 80, /* unless a rule says otherwise */
};

struct policy_rule {
	const char *id, *pattern;
	const char **keywords; /* NULL-terminated; NULL: none is needed */
	unsigned directions;   /* 1 << enum policy_direction */
	enum policy_action action;
	enum policy_check check;
	uint32_t hold_ms;
};

struct policy {
	const char *name;
	struct policy_rule *rules;
	size_t n_rules;
};

/* The strings live in the document that they were decoded from. */
struct policies {
	struct policy *v;
	size_t n;
};

int policies_decode(struct json_doc *doc, struct policies *out, struct err *e);
void policies_fini(struct policies *p);
const struct policy *policies_find(const struct policies *p, const char *name); /* NULL: none */

/* A document with this one policy alone, as policies_decode reads it. */
int policy_print(const struct policy *p, struct buf *out, struct err *e);

const char *policy_action_name(enum policy_action a);
const char *policy_direction_name(enum policy_direction d);

#endif
