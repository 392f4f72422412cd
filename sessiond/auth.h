/*
 * Who is asking, and from which web page: the checks between routing and handling.
 */
#ifndef CARREL_SESSIOND_AUTH_H
#define CARREL_SESSIOND_AUTH_H

#include <stdbool.h>
#include <stddef.h>

struct request;

/* Fills rq->who as the route asks for; else sets the reply and returns false.
 *
 * A request with an Origin that is not allowed is refused when it is a WebSocket, changes something or is
 * answered because of a cookie; without an Origin, a cookie alone changes nothing. */
bool auth_check(struct request *rq);

/* "Authorization: Bearer X": X, else NULL. */
const char *auth_bearer(const struct request *rq);

enum { COOKIE_VALUE_MAX = 128 };
/* The session's token out of a Cookie header: pure. False: not there, there twice, or too long. */
bool auth_cookie(const char *header, char out[COOKIE_VALUE_MAX]);

extern const char auth_cookie_name[];

#endif
