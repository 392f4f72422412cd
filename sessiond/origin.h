/*
 * Which web origins may use the API from a browser: the daemon's own and those the operator named.
 *
 * An origin is compared as a whole string in its serialised form ("http://127.0.0.1:7681"): no prefix,
 * suffix, wildcard or address range, and nothing that a request says about itself (Host) has a part in
 * it. "null" never matches.
 */
#ifndef CARREL_SESSIOND_ORIGIN_H
#define CARREL_SESSIOND_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

struct err;

struct origins {
	char **v; /* NULL-terminated */
};

/* scheme://host[:port] in lower case, no path, no user, no default port; says what is wrong else. */
int origin_check(const char *s, struct err *e);
/* s was given by the operator: refused unless it is as a browser would write it. */
int origins_add(struct origins *o, const char *s, struct err *e);
/* The daemon's own: for a loopback address also by the name "localhost". host in brackets if IPv6. */
void origins_add_own(struct origins *o, bool https, const char *host, unsigned port);
void origins_fini(struct origins *o);
bool origins_allow(const struct origins *o, const char *origin);

#endif
