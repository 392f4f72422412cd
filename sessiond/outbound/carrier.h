/*
 * Messages over one WebSocket, either side of it, behind its handshake. Frames are wslay's matter.
 *
 * What is sent is queued. Above CARRIER_HIGH the owner is to send no more data until `drained`; a queue above
 * CARRIER_LIMIT ends the connection: only answers can make it so long, for a peer that asks and does not read.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_CARRIER_H
#define CARREL_SESSIOND_OUTBOUND_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct carrier;
struct err;
struct loop;
struct transport;

enum { CARRIER_HIGH = 64 << 10, CARRIER_LIMIT = 1 << 20 };

struct carrier_ops {
	void (*message)(void *arg, const uint8_t *p, size_t n);
	void (*drained)(void *arg);
	/* Once, at a turn's end; the carrier may be freed by it. code: of the peer's close frame, else 0. */
	void (*closed)(void *arg, uint16_t code, const char *why);
};

/* *t is taken over, also when it fails. early: what came behind the handshake, copied. */
int carrier_new(struct loop *loop, struct transport *t, bool server, const void *early,
		size_t n_early, const struct carrier_ops *ops, void *arg, struct carrier **out,
		struct err *e);
/* Accepts NULL. Not from inside message or drained. */
void carrier_free(struct carrier *c);

void carrier_send(struct carrier *c, const void *p, size_t n);
bool carrier_congested(const struct carrier *c);
/* Says so in a close frame, as far as the peer reads now; `closed` follows with this reason. */
void carrier_close(struct carrier *c, uint16_t code, const char *why);

#endif
