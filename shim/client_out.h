/*
 * The sending half of a client and what its files share, for client*.c alone.
 */
#ifndef CARREL_SHIM_CLIENT_OUT_H
#define CARREL_SHIM_CLIENT_OUT_H

#include "shim/client.h"

enum {
	CLIENT_FRAME_BYTES = 32768, /* output bytes of one frame */
	CLIENT_SPILL_BYTES = DIALECT_ENCODED + 64,
	CLIENT_SCREEN_BYTES =
		2 << 20 /* a screen of 300 by 100 in 24-bit colours takes half of it */
};

/* With its buffers' limits, and nothing else but this. */
struct client *client_blank(const struct dialect *dialect);
void client_set_state(struct client *c, enum client_state state, uint64_t now_ms);

/* Whole messages of the dialect go into ctl. A client whose ctl is full is dropped: it does not read. */
struct dialect_out client_out(struct client *c);
void client_queue_gap(struct client *c, uint64_t from, uint64_t to);
/* Where a client goes on that lacks output: where the screen is taken, or the first place from `oldest` on where a terminal can
 * begin to read. */
uint64_t client_take_screen(struct client *c, uint64_t oldest, bool newest);
void client_queue_pong(struct client *c, const uint8_t *p, size_t n);
void client_queue_close(struct client *c, uint16_t code, const char *why);

#endif
