/*
 * Bytes over a socket, plain or in TLS, non-blocking; who owns one knows no difference.
 *
 * TLS may want to read before it can write and the other way round; transport_events says what to wait for.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_TRANSPORT_H
#define CARREL_SESSIOND_OUTBOUND_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct ssl_st;

struct transport {
	int fd;
	struct ssl_st *ssl;		    /* NULL: plain */
	bool reading_writes, writing_reads; /* what TLS waits for instead */
};

#define TRANSPORT_NONE ((struct transport){ .fd = -1 })

/* fd becomes the transport's. Non-blocking. */
void transport_plain(struct transport *t, int fd);
/* The same with TLS on it; ssl becomes the transport's, with its fd and its role set. */
void transport_tls(struct transport *t, int fd, struct ssl_st *ssl);
/* Closes. Accepts TRANSPORT_NONE and leaves it behind. */
void transport_close(struct transport *t);

/* 1: done (at once when plain), 0: wait for transport_events, -1: the sentence says why, also a certificate's fault. */
int transport_handshake(struct transport *t, struct err *e);

/* > 0 bytes; 0: the peer's end, in order; -1: e->code EAGAIN, or the connection is broken. */
ssize_t transport_read(struct transport *t, void *p, size_t n, struct err *e);
/* > 0 bytes taken; -1 as above. n > 0. */
ssize_t transport_write(struct transport *t, const void *p, size_t n, struct err *e);
/* No more bytes from here; what the peer sends is still read. */
void transport_end(struct transport *t);

/* TLS holds bytes that epoll does not see. */
bool transport_pending(const struct transport *t);
/* For epoll. */
uint32_t transport_events(const struct transport *t, bool read, bool write);
/* Of events that came: what may be tried now. A broken connection counts as both, the attempt tells. */
bool transport_readable(const struct transport *t, uint32_t events);
bool transport_writable(const struct transport *t, uint32_t events);

#endif
