/*
 * What front.c (one connection), relay.c (hosts) and serve.c (sockets, signals, life) share.
 */
#ifndef CARREL_SESSIOND_RELAY_RELAY_INTERNAL_H
#define CARREL_SESSIOND_RELAY_RELAY_INTERNAL_H

#include <stddef.h>

#include "base/loop.h"
#include "sessiond/outbound/transport.h"
#include "sessiond/relay/relay.h"

struct buf;
struct call;
struct front;
struct hosts;
struct ssl_ctx_st;

enum {
	FRONTS_MAX = 1024, /* connections that have not said yet what they want */
	DIALERS = 256,	   /* buckets */
	PEER_MAX = 64,
};

struct relay {
	struct loop *loop;
	const struct relay_config *config;
	struct ssl_ctx_st *tls;
	struct hosts *hosts;
	struct front *oldest, *newest;
	size_t n_fronts;
	struct dialer *dialers[DIALERS], *unnamed; /* unnamed: no HELLO yet, or replaced */
	size_t n_dialers;
};

/* ---- front.c ---- */

/* fd: accepted, non-blocking; taken over. The oldest goes where there are FRONTS_MAX. */
void front_new(struct relay *r, int fd, const char *peer);
/* A client that is told something and let go; *t is taken over. */
void front_answer(struct relay *r, struct transport *t, const char *peer, struct buf *answer);
void fronts_close(struct relay *r);

/* ---- relay.c ---- */

/* An authenticated dialer's connection, its 101 sent; *t is taken over. */
void relay_dialed(struct relay *r, const char *host, struct transport *t, const void *early,
		  size_t n, const char *peer);
/* Passes a client on; *t is taken over when it succeeds. e->code: EAGAIN, ENOTCONN. */
int relay_pass(struct relay *r, const struct call *c, struct transport *t, const void *head,
	       size_t n, const char *peer, struct err *e);
/* Hosts that are not in `hosts` with the same token are cut; r->hosts becomes it. */
void relay_replace_hosts(struct relay *r, struct hosts *hosts);
void relay_close_all(struct relay *r);

#endif
