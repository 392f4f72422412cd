/*
 * The subprotocols that a terminal's clients speak: what differs between them, as one table of functions each.
 *
 * Everything here is pure: messages in memory to what they ask for, and back. Framing (WebSocket, packets), the
 * place in the output, limits, roles and time are client.c's and the same for all. A dialect owns no descriptor and
 * keeps no more than struct dialect_state. docs/protocol.md has each to the byte.
 *
 * Output goes out in one of two ways. Most dialects only put a few bytes before it (`head`), and the bytes go from the
 * history to the socket without a copy. Those that must rewrite it have `encode` instead and pay for a copy.
 */
#ifndef CARREL_SHIM_DIALECT_H
#define CARREL_SHIM_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct buf;
struct err;
struct json_doc;

enum {
	DIALECT_HEAD = 9,      /* the most bytes that `head` writes */
	DIALECT_SCREEN = 13,   /* ... and `screen` */
	DIALECT_ENCODE = 8192, /* the most bytes that `encode` is given ... */
	DIALECT_ENCODED =
		49408 /* ... and what becomes of them at most: 6 for 1, and a few around */
};

/* Which of a program's outputs bytes are. A terminal has one; a program without may have two. */
enum dialect_stream { DIALECT_STDOUT = 1, DIALECT_STDERR = 2 };

/* What one client's dialect remembers between messages. */
struct dialect_state {
	struct json_doc *doc; /* what the last decoded message's data lies in */
	uint8_t tail[4];      /* a UTF-8 character of which the rest has not been put out yet */
	uint8_t n_tail;
};

/* Where the messages go that a dialect makes; each call is one whole message. */
struct dialect_out {
	void (*put)(void *arg, const void *p, size_t n);
	void *arg;
};

/* What a message from a client asks for. */
enum dialect_ask {
	DIALECT_NOTHING,
	DIALECT_INPUT,	   /* data */
	DIALECT_INPUT_END, /* no more input comes */
	DIALECT_RESIZE,	   /* cols, rows: 1 to PROTO_MAX_SIZE */
	DIALECT_ACK,	   /* offset */
	DIALECT_PING,	   /* data, at most PROTO_MAX_PING bytes */
	DIALECT_PAUSE,	   /* no output until ... */
	DIALECT_RESUME,
	DIALECT_TAKE, /* to be the only writer, until ... */
	DIALECT_RELEASE,
};

struct dialect_in {
	enum dialect_ask ask;
	const uint8_t *data; /* lives until the next decode or the end of the message */
	size_t n;
	uint16_t cols, rows;
	uint64_t offset;
};

struct dialect_greeting {
	const char *id; /* of the sandbox */
	uint32_t client;
	uint32_t process; /* its number in the sandbox */
	bool writer;
	uint64_t oldest, next; /* of the history */
	uint16_t cols, rows;
	uint32_t window;
	const char *policy; /* whose rules the sandbox is under; NULL: nobody's */
};

struct dialect_exit {
	const char *reason; /* a word of docs/protocol.md, static */
	int code, signal;
};

/* Functions that may be NULL: the dialect has no message for that, the client is not told. */
struct dialect {
	const char *name;  /* as in Sec-WebSocket-Protocol */
	bool sends_text;   /* its messages are text, else binary */
	bool accepts_text; /* from the client, beside binary ones */
	bool acks; /* output is bounded by a window of acknowledgements; else by the socket alone */
	bool packets; /* may be spoken without a WebSocket */
	bool codes; /* close codes of 4000 to 4999 mean something to it; else ends are 1000, errors 1002 */

	/* The first messages. NULL: none. */
	int (*greet)(const struct dialect_greeting *g, const struct dialect_out *out,
		     struct err *e);
	/* n >= 1: empty messages are a sign of life in every dialect. -1: the client broke the protocol. */
	int (*decode)(struct dialect_state *s, const uint8_t *p, size_t n,
		      struct dialect_in *in, struct err *e);

	/* What goes before output bytes, at most DIALECT_HEAD; returns how much. */
	size_t (*head)(uint8_t out[DIALECT_HEAD], enum dialect_stream stream, uint64_t offset);
	/* Or: appends the message for the n bytes of v, at most DIALECT_ENCODE; nothing is a message that
	 * is not sent. Any bytes are output. */
	int (*encode)(struct dialect_state *s, enum dialect_stream stream,
		      const struct iovec *v, int n_v, struct buf *message, struct err *e);

	/* Output was lost. NULL: the terminal is reset by `head` or `encode` of dialect_reset. */
	void (*gap)(const struct dialect_out *out, uint64_t from, uint64_t to);
	/* What goes before bytes that bring the terminal, whatever it shows, to what it shows at this place in the
	 * output. NULL: they go as output. */
	size_t (*screen)(uint8_t out[DIALECT_SCREEN], uint64_t offset, uint16_t cols,
			 uint16_t rows);
	void (*replay_begin)(const struct dialect_out *out, uint64_t from, uint64_t to);
	void (*replay_end)(const struct dialect_out *out, uint64_t at);
	void (*size)(const struct dialect_out *out, uint16_t cols, uint16_t rows);
	void (*role)(const struct dialect_out *out, bool writer);
	void (*pong)(const struct dialect_out *out, const uint8_t *p, size_t n);
	void (*notice)(const struct dialect_out *out, const char *kind, uint64_t seconds_left,
		       const char *rule);
	/* Before the close: the program ended and all its output was sent. */
	void (*exit)(struct dialect_state *s, const struct dialect_out *out,
		     const struct dialect_exit *x);
	/* Before a close for another reason. */
	void (*failed)(const struct dialect_out *out, uint16_t code, const char *why);
};

extern const struct dialect dialect_carrel, dialect_tty, dialect_k8s_v5, dialect_k8s_v4,
	dialect_terminado, dialect_raw;

/* NULL: there is none of this name. */
const struct dialect *dialect_find(const char *name);

/* Ends whatever sequence a terminal is in the middle of, and resets it. */
extern const uint8_t dialect_reset[3];

void dialect_state_fini(struct dialect_state *s);

/* The close code that a client of this dialect understands. */
uint16_t dialect_close_code(const struct dialect *d, uint16_t code);

/* Parses a message as one small JSON value, which lives in s->doc; a keystroke's worth of memory, and at most what a
 * message can hold. */
struct json;
const struct json *dialect_json(struct dialect_state *s, const uint8_t *p, size_t n,
				struct err *e);

/* cols and rows as numbers of such a message: RESIZE when both are numbers of at least 1 (more than PROTO_MAX_SIZE is
 * that), else NOTHING: a client whose window is not laid out yet sends zeros. */
void dialect_take_size(const struct json *cols, const struct json *rows, struct dialect_in *in);

#endif
