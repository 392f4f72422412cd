/*
 * Framing without a WebSocket: each message behind its length as 4 bytes, big-endian. For clients on
 * this host (unix socket pairs). A close is a message of type 0x0f.
 */
#ifndef CARREL_SHIM_PACKET_H
#define CARREL_SHIM_PACKET_H

#include "base/buf.h"
#include "shim/frame.h"

enum { PACKET_HEADER = 4, PACKET_CLOSE = 0x0f };

struct packet_in {
	uint8_t head[PACKET_HEADER];
	uint8_t n_head;
	uint32_t left;
	struct buf body; /* of a message that did not come in one piece */
	bool bad;
};

void packet_in_init(struct packet_in *k);
void packet_in_fini(struct packet_in *k);

/* As ws_decode; gives FRAME_MESSAGE, FRAME_CLOSE, FRAME_BAD. */
struct frame_event packet_decode(struct packet_in *k, const uint8_t *p, size_t n, size_t *used);

/* The half of a message that has come, for another program (shim/handover.h). Into one that was initialised. */
struct pack;
struct unpack;
void packet_in_save(const struct packet_in *k, struct pack *p);
void packet_in_restore(struct packet_in *k, struct unpack *u);

void packet_header(uint8_t out[PACKET_HEADER], uint32_t n);

#endif
