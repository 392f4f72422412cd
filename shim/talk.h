/*
 * What the front and the janitor say to each other: named messages of one fixed form over a
 * SOCK_SEQPACKET pair. The end of the stream means that the other one is dead.
 *
 *   front                                   janitor
 *     │ (drops its rights)                     │ (mounts the root, runs the runtime)
 *     ├────────────── READY ──────────────────►│
 *     │◄───────────── STARTED ─────────────────┤  with the terminal's descriptors
 *     ├────────────── SIGNAL n ───────────────►│  any number of times
 *     ├────────────── END reason ─────────────►│  or the program ends by itself, or a signal says so
 *     │◄───────────── EXITED ──────────────────┤  the program is reaped, counters are read
 *     ├────────────── DRAINED ────────────────►│  all output is in the history; totals for exit.json
 *     │◄───────────── ENDED ───────────────────┤  everything is gone, exit.json is there: its text
 *     │ (flushes its clients, exits)           │ (waits for that, exits)
 */
#ifndef CARREL_SHIM_TALK_H
#define CARREL_SHIM_TALK_H

#include <stddef.h>
#include <stdint.h>

#include "shim/exitinfo.h"

struct err;

enum talk_kind {
	TALK_NONE,
	TALK_READY,
	TALK_STARTED,
	TALK_SIGNAL,
	TALK_END,
	TALK_EXITED,
	TALK_DRAINED,
	TALK_ENDED,
};

enum { TALK_TEXT = 2048, TALK_FDS = 3 };

struct talk_msg {
	uint32_t kind;
	uint32_t reason;		    /* END, EXITED: enum end_reason */
	int32_t pid;			    /* STARTED */
	int32_t signal;			    /* SIGNAL, EXITED */
	int32_t code;			    /* EXITED */
	uint64_t output_bytes, input_bytes; /* DRAINED */
	uint32_t n_text;
	char text[TALK_TEXT]; /* ENDED: exit.json */
};

const char *talk_name(uint32_t kind);

int talk_send(int fd, const struct talk_msg *m, const int *fds, size_t n_fds, struct err *e);

/* Returns 1, 0 at the end of the stream, -1 (EAGAIN when fd is non-blocking and empty). */
int talk_recv(int fd, struct talk_msg *out, int fds[TALK_FDS], size_t *n_fds, struct err *e);

#endif
