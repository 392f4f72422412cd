/*
 * What tunnel.c (frames, order, life) and stream.c (one stream and its socket) share.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_TUNNEL_INTERNAL_H
#define CARREL_SESSIOND_OUTBOUND_TUNNEL_INTERNAL_H

#include "base/buf.h"
#include "base/loop.h"
#include "sessiond/outbound/flow.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/outbound/transport.h"
#include "sessiond/outbound/tunnel.h"

struct carrier;

enum { BUCKETS = 256 };

struct stream {
	struct tunnel *tunnel;
	uint32_t id;
	struct transport local;
	struct loop_io io;
	struct flow flow;
	struct buf in; /* came, not written yet */
	uint64_t
		limit; /* how much more of the socket's bytes may go; what is beyond is dropped */
	bool local_ended; /* the end that came was passed on */
	bool answered;	  /* a byte came */
	bool waiting;	  /* for its turn to read */
	bool was_reset;	  /* and what was said before it may still be there */
	bool dead;
	struct loop_timer linger;
	struct stream *next,
		*prev; /* in the order in which they are served; of the dead: next */
	struct stream *next_in_bucket;
};

struct tunnel {
	struct loop *loop;
	struct tunnel_config config;
	char host[MUX_HOST_MAX + 1];
	struct tunnel_ops ops;
	void *arg;
	struct carrier *carrier;
	struct mux_order order;
	uint32_t last_opened; /* by us, a relay */
	uint32_t streams_max, their_window;
	struct stream *first, *last, *buckets[BUCKETS], *graveyard;
	size_t n;
	struct loop_timer ping, serve;
	struct loop_defer reap, over;
	uint64_t heard_ns, rtt_ns;
	bool closing;
	uint16_t code;
	char why[160];
	uint8_t scratch[MUX_MESSAGE_MAX];
};

/* ---- tunnel.c ---- */

void tunnel_send(struct tunnel *t, const struct mux_frame *f);
/* Out of the tables, its socket closed; freed at the turn's end. */
void tunnel_bury(struct tunnel *t, struct stream *s);
/* It was served, and comes last the next time. */
void tunnel_requeue(struct tunnel *t, struct stream *s);
/* Streams that wait are served in the next turn. */
void tunnel_serve_soon(struct tunnel *t);

/* ---- stream.c ---- */

/* local is taken over when it succeeds. */
int stream_start(struct stream *s, struct transport *local, struct err *e);
int stream_frame(struct stream *s, const struct mux_frame *f, struct err *e);
/* Reads as much as it may: one share. */
void stream_serve(struct stream *s);
/* Ends it: the other side is told unless code is 0, the socket is given back or closed. */
void stream_end(struct stream *s, uint16_t tell, uint16_t why, const char *reason);

#endif
