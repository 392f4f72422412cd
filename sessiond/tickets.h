/*
 * One-use tickets with which a browser opens a terminal: in memory only, 30 seconds, for one sandbox.
 *
 * A ticket is 256 random bits as 43 characters of base64url; what is kept is its SHA-256. A restart
 * forgets them all: a client asks for another.
 */
#ifndef CARREL_SESSIOND_TICKETS_H
#define CARREL_SESSIOND_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "sessiond/identity.h"

struct err;

enum {
	TICKET_LEN = 43,
	TICKET_MS = 30000,
	TICKETS_MAX = 4096,
	TICKETS_PER_USER = 64,
};

struct tickets;
struct tickets *tickets_new(void);
void tickets_free(struct tickets *t);

/* What a ticket is good for. */
struct ticket_spec {
	const char *sandbox;
	const struct identity *who;
	bool viewer; /* to watch, and nothing else */
};

/* now_ms: any clock that never goes back. EUSERS: the user holds TICKETS_PER_USER; ENOSPC: all are out. */
int ticket_issue(struct tickets *t, const struct ticket_spec *spec, uint64_t now_ms,
		 char out[TICKET_LEN + 1], struct err *e);

/* 1: it was good for this sandbox and is spent now, *who and *viewer as issued. 0: unknown, spent, expired, or another
 * sandbox's; a ticket shown to the wrong sandbox is spent as well. */
int ticket_redeem(struct tickets *t, const char *ticket, const char *sandbox, uint64_t now_ms,
		  struct identity *who, bool *viewer);

#endif
