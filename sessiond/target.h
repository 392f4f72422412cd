/*
 * A request target as it stands in the request line, taken apart: path segments and query.
 *
 * A pure function over memory. Stricter than RFC 3986 asks: a path has letters, digits and - . _ ~ only
 * (nothing of ours needs more, and what is not accepted cannot be read in two ways), no empty, "." or
 * ".." segment; in the query percent-encoding is decoded and every name stands once.
 */
#ifndef CARREL_SESSIOND_TARGET_H
#define CARREL_SESSIOND_TARGET_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum {
	TARGET_MAX = 2048,
	TARGET_SEGMENTS = 8,
	TARGET_QUERY = 16,
};

struct target_pair {
	const char *name, *value;
};

struct target {
	char path[TARGET_MAX]; /* as it came, without the query: for logs and routing */
	char text[TARGET_MAX]; /* what the pointers below lead into */
	const char *segments[TARGET_SEGMENTS]; /* "/" has none; a slash at the end adds none */
	size_t n_segments;
	struct target_pair query[TARGET_QUERY];
	size_t n_query;
};

int target_parse(const char *uri, struct target *out, struct err *e);
const char *target_query(const struct target *t, const char *name); /* NULL: absent */

/* A number in the query. 1: there, 0: absent; out of [min, max] or no number: -1 that names it. */
int target_query_u64(const struct target *t, const char *name, uint64_t min, uint64_t max,
		     uint64_t *out, struct err *e);
/* Refuses names that are not in the NULL-terminated list. */
int target_query_only(const struct target *t, const char *const *names, struct err *e);

#endif
