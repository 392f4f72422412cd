/*
 * What both framings (WebSocket and length-prefixed packets) turn bytes into: whole messages.
 *
 * A decoder is fed bytes as they come and gives back one event at a time. It owns no descriptor. The
 * limits hold before any byte of a message is kept.
 */
#ifndef CARREL_SHIM_FRAME_H
#define CARREL_SHIM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_MAX_MESSAGE = 65536, /* bytes of one message from a client */
	FRAME_MAX_FRAGMENTS =
		1024, /* frames of one message: empty ones would never reach the size */
	FRAME_MAX_CLOSE_REASON = 123 /* RFC 6455: a control frame holds 125 bytes */
};

/* Close codes of docs/protocol.md. */
enum close_code {
	CLOSE_NORMAL = 1000,
	CLOSE_MALFORMED = 1002,
	CLOSE_NO_CODE = 1005, /* never sent: the peer's close frame held none */
	CLOSE_NOT_UTF8 = 1007,
	CLOSE_TOO_BIG = 1009,
	CLOSE_INTERNAL = 1011,
	CLOSE_TAKEN_OVER = 4001,
	CLOSE_IDLE = 4008,
	CLOSE_LIFETIME = 4009,
	CLOSE_OOM = 4010,
	CLOSE_DETACHED = 4011,
	CLOSE_POLICY = 4012,
	CLOSE_PROTOCOL = 4400,
	CLOSE_DELETED = 4410,
};

enum frame_kind {
	FRAME_NEED_MORE, /* all bytes used, nothing complete */
	FRAME_MESSAGE,	 /* a binary message */
	FRAME_TEXT,	 /* a text message, in UTF-8 */
	FRAME_PING,	 /* to be answered with the same bytes */
	FRAME_PONG,
	FRAME_CLOSE, /* code is set */
	FRAME_BAD,   /* code and why are set; nothing may be decoded after it */
};

struct frame_event {
	enum frame_kind kind;
	const uint8_t *data; /* valid until the next call */
	size_t n;
	uint16_t code;
	const char *why; /* a static sentence */
};

#endif
