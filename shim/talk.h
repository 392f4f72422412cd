/*
 * What the front and the janitor say to each other: named messages of one fixed form over a
 * SOCK_SEQPACKET pair. The end of the stream means that the other one is dead.
 *
 *   front                                   janitor
 *     │ (drops its rights)                     │ (mounts the root, runs the runtime)
 *     ├────────────── READY ──────────────────►│
 *     │◄───────────── STARTED 1 ───────────────┤  with the terminal's descriptors
 *     ├────────────── SIGNAL n ───────────────►│  any number of times, to any process
 *     ├────────────── EXEC n ─────────────────►│  with an exec_order behind the head
 *     │◄──────── STARTED n or FAILED n ────────┤  with its descriptors, or with the reason
 *     │◄───────────── EXITED n ────────────────┤  another process than 1 is reaped
 *     ├────────── PAUSE or RESUME ────────────►│
 *     │◄───────── PAUSED or RESUMED ───────────┤  when it is so; with a text when it could not be
 *     ├─────── UPGRADE, STATE, ... ───────────►│  shim/handover.h
 *     ├────────────── END reason ─────────────►│  or the program ends by itself, or a signal says so
 *     │◄───────────── EXITED 1 ────────────────┤  the program is reaped, counters are read
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
	TALK_EXEC,
	TALK_FAILED,
	TALK_PAUSE,
	TALK_RESUME,
	TALK_PAUSED,
	TALK_RESUMED,
	TALK_UPGRADE,
	TALK_HANDOVER,
	TALK_STATE,
	TALK_HANDED,
	TALK_KEPT,
	TALK_LEAVING,
	TALK_UPGRADED,
};

enum { TALK_TEXT = 3072, TALK_FDS = 8, TALK_BODY = 65536, TALK_PROGRAM = 3000 };

/* Whom a SIGNAL is for: the process (with its group, but process 1), or its terminal's foreground. */
enum talk_target { TALK_TO_PROCESS, TALK_TO_FOREGROUND };

struct talk_msg {
	uint32_t kind;
	uint32_t reason; /* END, EXITED: enum end_reason */
	uint32_t
		process; /* STARTED, SIGNAL, EXEC, FAILED, EXITED; HANDED: how many descriptors */
	int32_t pid;	 /* STARTED */
	int32_t signal; /* SIGNAL, EXITED */
	int32_t code; /* EXITED; SIGNAL: enum talk_target; FAILED, PAUSED, RESUMED, KEPT, UPGRADED: errno; UPGRADE: force */
	uint64_t output_bytes, input_bytes; /* DRAINED; HANDED: the state's bytes */
	uint64_t cpu_ns, memory_peak;	    /* EXITED: of this process and its children */
	uint32_t oom_kills; /* EXITED: in the sandbox, while this process lived */
	uint32_t n_text;    /* bytes of text, or of an EXEC's or STATE's body */
	char text
		[TALK_TEXT]; /* ENDED: exit.json; FAILED, PAUSED, RESUMED, KEPT, UPGRADED: why; UPGRADE: the program */
};

const char *talk_name(uint32_t kind);

int talk_send(int fd, const struct talk_msg *m, const int *fds, size_t n_fds, struct err *e);

/* With n bytes of body instead of text. */
int talk_send_body(int fd, const struct talk_msg *m, const void *body, size_t n, const int *fds,
		   size_t n_fds, struct err *e);

/* Returns 1, 0 at the end of the stream, -1 (EAGAIN when fd is non-blocking and empty). */
int talk_recv(int fd, struct talk_msg *out, int fds[TALK_FDS], size_t *n_fds, struct err *e);
/* The same for who may be sent bodies: *body points into `room`, which holds TALK_ROOM bytes, when the
 * message is an EXEC or a STATE. */
enum { TALK_ROOM = sizeof(struct talk_msg) + TALK_BODY };
int talk_recv_body(int fd, void *room, struct talk_msg *out, const void **body,
		   int fds[TALK_FDS], size_t *n_fds, struct err *e);

#endif
