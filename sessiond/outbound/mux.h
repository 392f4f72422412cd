/*
 * carrel.relay.v1: many byte streams in one WebSocket. The frames, and which of them is legal when. Pure.
 *
 * One binary message is one frame: type (1 byte), stream (4 bytes), then what the type asks for. All numbers are
 * big-endian. docs/outbound.md describes it to the byte.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_MUX_H
#define CARREL_SESSIOND_OUTBOUND_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define MUX_PROTOCOL "carrel.relay.v1"

enum {
	MUX_VERSION = 1,
	MUX_HEAD = 5,
	MUX_DATA_MAX = 16384,
	MUX_META_MAX = 1024,
	MUX_REASON_MAX = 120,
	MUX_HOST_MAX = 63,
	MUX_MESSAGE_MAX = MUX_HEAD + MUX_DATA_MAX,
	MUX_STREAMS_MAX = 4096,
	MUX_STREAMS_DEFAULT = 256,
	MUX_WINDOW_MIN = 32768, /* more than a head and what came behind it */
	MUX_WINDOW_MAX = 16 << 20,
	MUX_WINDOW_DEFAULT = 256 << 10,
};

enum mux_type {
	MUX_HELLO = 1, /* both: the first frame of each side */
	MUX_OPEN,      /* relay: a new stream; its metadata as JSON */
	MUX_DATA,      /* both: 1 to MUX_DATA_MAX bytes */
	MUX_CREDIT,    /* both: that many bytes more may come */
	MUX_END,       /* both: no more DATA from here */
	MUX_RESET,     /* both: the stream is over */
	MUX_PING,      /* both: stream 0; answered by PONG with the same time */
	MUX_PONG,
};

/* Why a stream was reset. */
enum mux_code {
	MUX_CODE_CANCELLED = 1,	  /* its end went away */
	MUX_CODE_UNAVAILABLE = 2, /* the daemon takes no connection */
	MUX_CODE_BUSY = 3,	  /* too many streams */
	MUX_CODE_INTERNAL = 4,
};

struct mux_frame {
	enum mux_type type;
	uint32_t stream;
	union {
		struct {
			uint8_t version;
			uint32_t streams, window;
			char host[MUX_HOST_MAX + 1]; /* "" from a relay */
		} hello;
		struct {
			const uint8_t *p; /* DATA: the bytes; OPEN: the JSON. Borrowed */
			size_t n;
		} data;
		uint32_t credit;
		struct {
			uint16_t code;
			char reason[MUX_REASON_MAX +
				    1]; /* printable ASCII; the rest became '?' */
		} reset;
		uint64_t time_ns;
	};
};

/* The whole message or an error that says what is wrong with it. *out borrows from p. */
int mux_decode(const void *p, size_t n, struct mux_frame *out, struct err *e);
/* Appends the message; the frame's fields are the caller's promise (they are checked all the same). */
int mux_encode(const struct mux_frame *f, struct buf *out, struct err *e);
/* The head of a message whose payload lies behind it already. */
void mux_head(uint8_t out[MUX_HEAD], enum mux_type type, uint32_t stream);

/* What a host may be called: a label of DNS in lower case. */
bool mux_host_ok(const char *s);

/* What one side knows of a connection's order. */
struct mux_order {
	bool from_relay; /* the frames that are checked come from a relay */
	bool greeted;	 /* its HELLO came */
	uint32_t last;	 /* the highest stream that was opened, by whichever side */
};

enum mux_verdict {
	MUX_TAKE,
	MUX_IGNORE, /* of a stream that may have ended meanwhile, and is not live any more */
};
/* Whether a frame may come now; live: its stream exists. Moves *o on. Anything else ends the connection. */
int mux_check(struct mux_order *o, const struct mux_frame *f, bool live, struct err *e);

#endif
