/*
 * The opening handshake of a WebSocket (RFC 6455 section 4) as this server accepts it. Pure.
 */
#ifndef CARREL_SESSIOND_UPGRADE_H
#define CARREL_SESSIOND_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sessiond/tickets.h"

struct buf;
struct err;
struct target;

/* Header values as they came; NULL: absent. */
struct upgrade_headers {
	const char *upgrade, *connection, *version, *key, *protocols;
};

struct upgrade {
	char accept[29];
	char ticket[TICKET_LEN + 1]; /* "" none */
	const char *protocol;	     /* static; what the shim is to speak */
	char answer[64];	     /* for Sec-WebSocket-Protocol; "": nothing was offered */
	bool has_since, viewer;
	bool read_only; /* the ticket lets it watch only; set by whoever redeems it */
	uint64_t since;
	uint32_t process;    /* 0: the first */
	uint16_t cols, rows; /* 0: not given; both or none */
};

enum upgrade_result {
	UPGRADE_OK,
	UPGRADE_NO_SOCKET,   /* no WebSocket is asked for */
	UPGRADE_BAD_VERSION, /* not 13 */
	UPGRADE_BAD,	     /* *e says what is wrong */
};
enum upgrade_result upgrade_parse(const struct upgrade_headers *h, const struct target *t,
				  struct upgrade *out, struct err *e);

/* The shim's order: {"op":"attach",...}. */
int upgrade_order(const struct upgrade *u, const char *label, struct buf *out, struct err *e);

/* What the server sends a client that the shim does not take, in words of its protocol: a close frame, for Kubernetes' a
 * status before it. code is one of docs/protocol.md; reason: plain words, at most 100 bytes are taken. Returns the
 * length. */
enum { UPGRADE_REFUSAL = 512 };
size_t upgrade_refusal(const struct upgrade *u, uint16_t code, const char *reason,
		       uint8_t out[UPGRADE_REFUSAL]);

/* The same for a sandbox that has ended: its exit comes before the close, as the shim would have told it. */
struct upgrade_end {
	const char *reason; /* "exited", ... */
	int code, signal;
};
size_t upgrade_ended(const struct upgrade *u, const struct upgrade_end *end,
		     uint8_t out[UPGRADE_REFUSAL]);

/* The close code for a sandbox that ended for this reason (docs/protocol.md). */
uint16_t upgrade_close_code(const char *reason);

#endif
