/*
 * TLS before HTTP: what listens, shakes hands, and carries the bytes of each connection to and from a plain one.
 *
 *   network ── TLS ── [ this file ] ── socketpair ── http.c, later a shim
 *
 * The other end of the pair is handed to http.c like an accepted connection, and with an upgraded one on to the shim: nobody behind this file
 * knows of TLS. Whoever closes the pair's other end, or is killed, ends the connection; so does the end of the daemon, since it holds
 * the keys. Each direction has one buffer, and nothing is read for which there is no room: who does not read holds up his own connection.
 */
#ifndef CARREL_SESSIOND_TLS_RELAY_H
#define CARREL_SESSIOND_TLS_RELAY_H

#include <stddef.h>

struct err;
struct http;
struct loop;
struct tls;
struct tls_relay;

enum {
	TLS_CONNECTIONS_MAX = 4096, /* terminals are among them, two descriptors each */
	TLS_HANDSHAKE_MS = 10000,
	TLS_LINGER_MS = 5000, /* for a client that does not close what we have closed */
};

/* listen_fd: bound, listening, non-blocking; taken over. tls and http are borrowed. */
int tls_relay_new(struct loop *loop, int listen_fd, const struct tls *tls, struct http *http,
		  struct tls_relay **out, struct err *e);
/* Accepts no more connections. */
void tls_relay_quiesce(struct tls_relay *r);
/* What http.c has written already goes out, as far as the network takes it. */
void tls_relay_flush(struct tls_relay *r);
void tls_relay_free(struct tls_relay *r);

#endif
