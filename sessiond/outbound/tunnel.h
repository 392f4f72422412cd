/*
 * The streams of one connection between a dialer and a relay: sockets on this side, frames on the other.
 *
 *   a socket of ours          stream                    carrier
 *   bytes to be read     ->   while there is credit ->  DATA, and END at their end
 *   bytes to be written  <-   at most a window      <-  DATA; CREDIT goes back as they are written
 *
 * Both ends are the same but for who opens: a relay gives tunnel_open the client's socket, a dialer is asked by `connect` for one to
 * the daemon. Frames of the wrong kind or in the wrong order end the connection, and so does silence.
 *
 * Memory: per stream at most a window of what came; what goes is read only while the carrier's queue is short, by
 * all streams in turn.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_TUNNEL_H
#define CARREL_SESSIOND_OUTBOUND_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct loop;
struct mux_frame;
struct transport;
struct tunnel;

struct tunnel_config {
	bool relay;
	const char *host; /* a dialer's; copied */
	uint32_t streams, window;
	uint64_t ping_ms, dead_ms;
	/* When all has come and its reader takes none of it for so long, or does not close after it: the stream is reset.
	 * 0: never. */
	uint64_t linger_ms;
};

struct tunnel_ops {
	/* HELLO came: an error refuses the other side. */
	int (*greeted)(void *arg, const struct mux_frame *hello, struct err *e);
	/* A dialer's: a socket for a new stream. e->code EAGAIN: too many at the moment. */
	int (*connect)(void *arg, const uint8_t *meta, size_t n, struct transport *out,
		       struct err *e);
	/* A relay's: a stream ended (code of mux.h) before one byte came back. *t is taken over. */
	void (*unanswered)(void *arg, struct transport *t, uint16_t code);
	/* Once, at a turn's end, and all streams are gone; the tunnel may be freed by it. code: of the other side's close frame. */
	void (*closed)(void *arg, uint16_t code, const char *why);
};

/* *t, shaken and upgraded, is taken over, also when it fails. early: what came behind the upgrade. */
int tunnel_new(struct loop *loop, struct transport *t, const void *early, size_t n_early,
	       const struct tunnel_config *config, const struct tunnel_ops *ops, void *arg,
	       struct tunnel **out, struct err *e);
/* Accepts NULL. Not from inside its callbacks, but for closed. */
void tunnel_free(struct tunnel *t);
/* `closed` follows. */
void tunnel_close(struct tunnel *t, uint16_t code, const char *why);

/* A stream for a client's socket, which is taken over when it succeeds. first: bytes to go before the socket's own, at most
 * a window's least; limit: of the socket's own. EAGAIN: too many streams; ENOTCONN: no HELLO came yet. */
int tunnel_open(struct tunnel *t, struct transport *client, const char *meta, const void *first,
		size_t n_first, uint64_t limit, struct err *e);

size_t tunnel_streams(const struct tunnel *t);
/* Of the last PING, 0 before one was answered. */
uint64_t tunnel_rtt_ns(const struct tunnel *t);

#endif
