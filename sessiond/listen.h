/*
 * Where the daemon listens: "127.0.0.1:7681", "[::1]:7681", "unix:/path" or "unix:/path,group=NAME".
 *
 * Names are not resolved: an address that depends on somebody else's answer is none to be bound.
 */
#ifndef CARREL_SESSIOND_LISTEN_H
#define CARREL_SESSIOND_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct err;

struct listen_addr {
	bool is_unix, loopback, wildcard;
	char path[256]; /* unix */
	char group[64]; /* unix: who may connect beside the owner; "": nobody */
	char host[64];	/* in brackets when IPv6 */
	unsigned port;
	struct sockaddr_storage sa;
	socklen_t n_sa;
};

int listen_parse(const char *s, struct listen_addr *out, struct err *e);
/* Bound, listening, non-blocking, close-on-exec. Port 0 becomes the port that the kernel chose. */
int listen_open(struct listen_addr *a, struct err *e);

#endif
