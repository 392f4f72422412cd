/*
 * What the relay says itself, in place of a host. Pure.
 */
#ifndef CARREL_SESSIOND_RELAY_ANSWER_H
#define CARREL_SESSIOND_RELAY_ANSWER_H

struct buf;

enum { ANSWER_MAX = 4096 };

/* A whole answer as application/problem+json (RFC 9457); the connection ends behind it. */
void answer_problem(struct buf *out, unsigned status, const char *detail);
/* 200, of a relay that works. */
void answer_health(struct buf *out);
/* 101 for a dialer. */
void answer_dial(struct buf *out, const char *accept);

#endif
