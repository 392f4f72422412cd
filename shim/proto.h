/*
 * carrel.v1, the messages of docs/protocol.md: encoding and decoding as pure functions over memory.
 */
#ifndef CARREL_SHIM_PROTO_H
#define CARREL_SHIM_PROTO_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum proto_type {
	PROTO_OUTPUT = 0x01,
	PROTO_HELLO = 0x02,
	PROTO_REPLAY_BEGIN = 0x03,
	PROTO_REPLAY_END = 0x04,
	PROTO_SIZE = 0x05,
	PROTO_EXIT = 0x06,
	PROTO_NOTICE = 0x07,
	PROTO_PONG = 0x08,
	PROTO_GAP = 0x09,
	PROTO_ERRORS = 0x0a,
	PROTO_ROLE = 0x0b,
	PROTO_SCREEN = 0x0c,

	PROTO_INPUT = 0x10,
	PROTO_RESIZE = 0x11,
	PROTO_ACK = 0x12,
	PROTO_PING = 0x13,
	PROTO_INPUT_END = 0x14,
	PROTO_PEN = 0x15,
};

enum {
	PROTO_MAX_SIZE = 1000, /* columns or rows */
	PROTO_MAX_PING = 32,
	PROTO_OUTPUT_HEAD = 9,
	PROTO_MAX_SMALL = 33, /* the longest message that is neither OUTPUT nor JSON */
};

/* A message from a client. */
struct proto_in {
	enum proto_type type;
	const uint8_t *data; /* INPUT, PING, PEN */
	size_t n;
	uint16_t cols, rows; /* RESIZE */
	uint64_t offset;     /* ACK */
};

/* n >= 1: the caller has dropped empty messages. -1 and the reason when the client broke the protocol. */
int proto_decode(const uint8_t *p, size_t n, struct proto_in *out, struct err *e);

/* A whole message (for OUTPUT, its head); returns its length. */
size_t proto_offset(uint8_t out[PROTO_OUTPUT_HEAD], enum proto_type type, uint64_t offset);
size_t proto_range(uint8_t out[PROTO_MAX_SMALL], enum proto_type type, uint64_t from,
		   uint64_t to);
size_t proto_size(uint8_t out[PROTO_MAX_SMALL], uint16_t cols, uint16_t rows);
/* The head of a SCREEN message; the bytes follow. */
enum { PROTO_SCREEN_HEAD = 13 };
size_t proto_screen(uint8_t out[PROTO_SCREEN_HEAD], uint64_t offset, uint16_t cols,
		    uint16_t rows);
size_t proto_pong(uint8_t out[PROTO_MAX_SMALL], const uint8_t *p, size_t n);

struct proto_hello {
	const char *id;
	uint32_t client, process;
	const char *role;
	uint64_t oldest, next;
	uint16_t cols, rows;
	uint32_t window;
	const char *policy; /* NULL: under none, and not said */
};

/* Whole JSON messages, appended. */
int proto_hello(struct buf *out, const struct proto_hello *h, struct err *e);
int proto_exit(struct buf *out, const char *reason, int code, int signal, struct err *e);
/* rule NULL: it is about none. */
int proto_notice(struct buf *out, const char *kind, uint64_t seconds_left, const char *rule,
		 struct err *e);

#endif
