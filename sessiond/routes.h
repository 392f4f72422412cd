/*
 * Which request goes where: a table, and the checks that come before every handler.
 */
#ifndef CARREL_SESSIOND_ROUTES_H
#define CARREL_SESSIOND_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

struct http_callbacks;
struct request;
struct target;

enum route_auth {
	ROUTE_OPEN,
	ROUTE_USER, /* a key or a session */
	ROUTE_ADMIN,
	ROUTE_TICKET, /* a ticket or a key, checked by the handler with its sandbox */
};

enum route_flags {
	ROUTE_BODY = 1 << 0,   /* may have a body */
	ROUTE_SOCKET = 1 << 1, /* a WebSocket: Origin counts also for GET */
};

struct route {
	const char *method, *pattern;
	enum route_auth auth;
	unsigned flags;
	void (*handler)(struct request *rq);
};

enum route_result { ROUTE_FOUND, ROUTE_NONE, ROUTE_OTHER_METHOD };

/* Pure. HEAD finds GET's rows. ROUTE_OTHER_METHOD: allow gets the methods for the Allow header. */
enum route_result route_find(const char *method, const struct target *t,
			     const struct route **route, const char **param, char allow[64]);

/* The whole table, for tests that visit every row. */
const struct route *routes_all(size_t *n);

extern const struct http_callbacks routes_callbacks;

#endif
