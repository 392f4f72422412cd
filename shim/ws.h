/*
 * WebSocket framing (RFC 6455) for the server's side of an established connection: pure functions over
 * memory, no handshake, no extensions.
 */
#ifndef CARREL_SHIM_WS_H
#define CARREL_SHIM_WS_H

#include "base/buf.h"
#include "shim/frame.h"

enum { WS_HEADER_MAX = 10 }; /* of a frame that we send: no mask */

enum ws_opcode {
	WS_OP_CONTINUATION = 0,
	WS_OP_TEXT = 1,
	WS_OP_BINARY = 2,
	WS_OP_CLOSE = 8,
	WS_OP_PING = 9,
	WS_OP_PONG = 10,
};

struct ws_in {
	uint8_t head[14]; /* of the current frame, as far as it has come */
	uint8_t n_head;
	bool in_payload;
	bool fin;
	uint8_t opcode;
	uint8_t mask[4];
	uint32_t left, total; /* payload bytes of this frame: still to come, all */

	uint8_t message; /* opcode of the fragmented message that is open, 0 = none */
	uint32_t fragments;
	struct buf body; /* of a message that did not come in one piece */
	bool accepts_text;
	uint8_t cut[4]; /* the beginning of a character of a text message */
	uint8_t n_cut;
	uint8_t control[125];
	bool bad;
};

/* Without accepts_text a text message is refused (4400) by its header alone. */
void ws_in_init(struct ws_in *w, bool accepts_text);
void ws_in_fini(struct ws_in *w);

/* Decodes from p, unmasking in place. *used says how many bytes were taken, also with an event. Call
 * again with the rest until FRAME_NEED_MORE. */
struct frame_event ws_decode(struct ws_in *w, uint8_t *p, size_t n, size_t *used);

/* The half of a message that has come, for another program (shim/handover.h). Into one that was initialised. */
struct pack;
struct unpack;
void ws_in_save(const struct ws_in *w, struct pack *p);
void ws_in_restore(struct ws_in *w, struct unpack *u);

/* The header of an unfragmented, unmasked frame of n bytes; returns its length. */
size_t ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t n);

#endif
