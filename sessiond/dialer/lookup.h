/*
 * Names to addresses, by a process of its own: the C library's resolver blocks, and makes threads when it is not to.
 *
 *   dialer  -- question -->  resolver  -- clone -->  a child per question: getaddrinfo, its answer, its end
 *           <------------------------ answer ------------'
 *
 * The resolver waits for its child, the question's time and the next question; what comes first of the last two ends the child. Both
 * may read what name resolution needs and connect to port 53, and nothing else; they know no token. They end with the dialer.
 */
#ifndef CARREL_SESSIOND_DIALER_LOOKUP_H
#define CARREL_SESSIOND_DIALER_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address;
struct err;
struct loop;
struct lookup;

enum { LOOKUP_MAX = 16 }; /* addresses of a name; the rest is left out */

/* What the resolver does with a name; in its child. Fills at most LOOKUP_MAX, returns 0 or a code of getaddrinfo. */
typedef int (*lookup_work_fn)(const char *host, uint16_t port, struct address *out, size_t *n);
/* Once per question. n > 0, or *e says why there is none. */
typedef void (*lookup_fn)(void *arg, const struct address *list, size_t n, const struct err *e);

struct lookup_spec {
	const char *user; /* whom to become */
	const char *
		warm; /* a name of the kind that will be asked for: it loads what nsswitch.conf names */
	lookup_work_fn work;  /* NULL: getaddrinfo */
	bool with_all_rights; /* for tests of the rest */
};

/* Before this process gives up its own rights, and knows a secret. */
int lookup_new(struct loop *loop, const struct lookup_spec *spec, struct lookup **out,
	       struct err *e);
/* Accepts NULL. */
void lookup_free(struct lookup *l);

/* One question at a time: a new one takes the place of the last. An error: the resolver is gone. */
int lookup_ask(struct lookup *l, const char *host, uint16_t port, uint64_t within_ms,
	       lookup_fn fn, void *arg, struct err *e);
/* No answer is wanted any more. */
void lookup_cancel(struct lookup *l);
/* No name can be looked up any more. */
bool lookup_gone(const struct lookup *l);

/* An address as it is written: no question. False: it is a name. */
bool lookup_literal(const char *host, uint16_t port, struct address *out);

#endif
