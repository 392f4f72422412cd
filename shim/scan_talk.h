/*
 * What the front and the scanner say to each other: messages of one fixed head, some with bytes behind it, over a
 * SOCK_SEQPACKET pair. The end of the stream means that the other one is dead.
 *
 *   front                                   carrel-scan
 *     │                                        │ (reads its rules, drops its rights)
 *     │◄────────────── READY ──────────────────┤  or FAILED with the reason
 *     ├────────────── OPEN n ─────────────────►│  a process, with or without a terminal, and its width
 *     ├────────────── DATA n stream ──────────►│  bytes of it
 *     │◄───────────── FOUND n stream ──────────┤  what a rule says about them
 *     │◄───────────── PASS n stream ───────────┤  bytes that may go on, and how many of DATA are taken
 *     ├────────────── SIZE n ─────────────────►│
 *     ├────────────── END n stream ───────────►│  nothing more comes: nothing is held back any more
 *     │◄───────────── ENDED n stream ──────────┤
 *     ├────────────── CLOSE n ────────────────►│
 *     ├────────────── SAVE ───────────────────►│  another scanner is to take over: what this one holds, and then it waits
 *     │◄───────────── STATE, STATE, ... ───────┤  the last one is empty
 *     ├────────────── GO_ON ──────────────────►│  it has not come to it
 *
 * A new scanner is sent STATE, STATE, ... first, and says READY again, or FAILED (shim/scan_renew.h).
 *
 * Bytes that were sent and not taken are in flight; the front has at most SCAN_FLIGHT of a stream there, and reads no more
 * from the program or the clients meanwhile.
 */
#ifndef CARREL_SHIM_SCAN_TALK_H
#define CARREL_SHIM_SCAN_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum scan_kind {
	SCAN_NONE,
	SCAN_READY,
	SCAN_FAILED,
	SCAN_OPEN,
	SCAN_DATA,
	SCAN_SIZE,
	SCAN_END,
	SCAN_CLOSE,
	SCAN_PASS,
	SCAN_FOUND,
	SCAN_ENDED,
	SCAN_SAVE,
	SCAN_STATE,
	SCAN_GO_ON,
	SCAN_KINDS,
};

enum scan_stream { SCAN_IN, SCAN_OUT, SCAN_ERR, SCAN_STREAMS };

enum {
	SCAN_BODY = 16384,
	SCAN_FLIGHT = 65536,
	SCAN_RULE = 64,
	SCAN_PRINT = 16,
	SCAN_FORMAT = 1, /* of STATE; one more when a save of shim/scan/ changes */
};

struct scan_head {
	uint32_t kind;
	uint32_t process;
	uint32_t stream; /* DATA, END, PASS, FOUND, ENDED */
	uint32_t
		n; /* bytes behind the head: DATA, PASS, FOUND (a struct scan_found), FAILED (why), STATE */
	uint32_t
		taken; /* PASS: bytes of DATA; READY: the format of its STATE, 0: it knows no SAVE */
	uint16_t cols;	   /* OPEN, SIZE; 0 without a terminal */
	uint16_t terminal; /* OPEN: 0 or 1 */
};

/* As stream_event, with names: the front knows no rules. */
struct scan_found {
	uint64_t offset;
	uint32_t characters, shown;
	uint32_t action, direction;	  /* enum policy_action, enum policy_direction */
	char rule[SCAN_RULE];		  /* ends in a NUL */
	char fingerprint[SCAN_PRINT + 8]; /* hexadecimal digits, a NUL; "": none */
};

/* Of a scanner that is older than the shim that took over from its own (shim/handover.h): without a fingerprint. */
enum { SCAN_FOUND_OLD = offsetof(struct scan_found, fingerprint) };

enum { SCAN_ROOM = sizeof(struct scan_head) + SCAN_BODY };

/* Of one message; -1: it is none. *body points into p. */
int scan_decode(const void *p, size_t n, struct scan_head *head, const uint8_t **body,
		struct err *e);

/* Of FOUND, which has been decoded. */
struct scan_found scan_finding(const struct scan_head *h, const uint8_t *body);

/* EAGAIN in e->code when fd is non-blocking and full. */
int scan_send(int fd, const struct scan_head *head, const void *body, struct err *e);
/* Returns 1, 0 at the end of the stream, -1 (EAGAIN when fd is non-blocking and empty). *body points into `room`, which holds
 * SCAN_ROOM bytes. */
int scan_recv(int fd, void *room, struct scan_head *head, const uint8_t **body, struct err *e);

/* Messages that a non-blocking socket did not take, each behind its length. */
struct buf;
int scan_queue(struct buf *queue, const struct scan_head *head, const void *body,
	       struct err *e);
/* As many as go now; -1: the other side is gone. */
int scan_flush(int fd, struct buf *queue);

#endif
