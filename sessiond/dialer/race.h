/*
 * One TCP connection to whichever of several addresses answers first (RFC 8305).
 *
 * The families take turns, IPv6 or IPv4 first as the resolver ordered them. The next address is tried when the last one failed, or after a
 * quarter of a second beside it; the first connection wins and the others are closed. So an address that swallows everything costs that
 * quarter of a second, and each is tried.
 */
#ifndef CARREL_SESSIOND_DIALER_RACE_H
#define CARREL_SESSIOND_DIALER_RACE_H

#include <netinet/in.h>
#include <stddef.h>

#include "base/err.h"
#include "base/loop.h"
#include "sessiond/dialer/lookup.h"

enum { RACE_DELAY_MS = 250 };

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

struct race;
/* Once, from the loop: fd is the callee's; -1: none answered, *e is what the last one said. The race may be gone afterwards. */
typedef void (*race_fn)(void *arg, int fd, const struct err *e);

struct race_try {
	struct race *race;
	struct loop_io io;
	int fd;
};

/* Embedded; zeroed before. */
struct race {
	struct loop *loop;
	struct address list[LOOKUP_MAX];
	struct race_try tries[LOOKUP_MAX];
	size_t n, begun, failed;
	struct loop_timer next;
	race_fn fn;
	void *arg;
	struct err err; /* of the last that failed */
};

/* n: 1 to LOOKUP_MAX. */
void race_start(struct race *r, struct loop *loop, const struct address *list, size_t n,
		race_fn fn, void *arg);
/* Closes what it has begun; fn does not come any more. Accepts one never started. */
void race_stop(struct race *r);

/* The families in turn, each in its order; the first stays first. */
void race_order(struct address *list, size_t n);

#endif
