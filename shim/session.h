/*
 * The terminal: the program's output and input, the history, the clients, the size, the end.
 *
 * Output is read once, into the ring, and goes from there to every client at its own pace. The program
 * runs at the pace of its quickest writer: while some writer keeps up, output is read only as fast as
 * that one takes it, so a client that reads loses nothing; viewers, and writers that have not moved
 * for HOLD_STALL_MS, hold nothing up and find a GAP if they come back too late. Without a writer the
 * program runs free. Input waits in one bounded queue; while it is full, no client's messages are read.
 *
 *   RUNNING ──EXITED from the janitor──► DRAINING ──end of output──► FLUSHING ──no client left──► done
 */
#ifndef CARREL_SHIM_SESSION_H
#define CARREL_SHIM_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "shim/client.h"
#include "shim/control.h"
#include "shim/exitinfo.h"
#include "shim/ring.h"
#include "shim/timers.h"

struct err;
struct orders;

enum session_state { SESSION_RUNNING, SESSION_DRAINING, SESSION_FLUSHING };

struct session {
	struct loop *loop;
	const struct orders *orders; /* borrowed */
	enum session_state state;
	int talk_fd; /* to the janitor */
	struct loop_io talk_io;
	bool janitor_gone;

	int out_fd, in_fd; /* the same for a terminal */
	int peer_fd; /* the terminal's other side, held open so that it never hangs up before the end */
	struct loop_io out_io, in_io;
	bool in_ends; /* a client said that no more input comes */
	struct ring ring;
	struct buf input;
	uint64_t input_bytes;
	uint16_t cols, rows;
	int32_t pid;
	bool ending; /* END was sent */

	struct client *clients;
	uint32_t n_clients, next_number;
	bool ever_attached;
	struct client_hooks hooks;

	enum end_reason reason; /* from DRAINING on */
	int exit_code, exit_signal;
	uint64_t draining_ms, flushing_ms, pinged_ms;
	bool gone; /* ENDED came */
	char exit_json[2048];

	struct timers timers;
	struct control control;
	struct loop_timer tick; /* pings, lost clients, the flush's end */
	struct loop_timer hold; /* a writer that holds the output may have stalled */
	struct loop_defer refresh;
};

/* pid and descriptors as the janitor's STARTED gives them; fds: terminal and its peer, or the program's
 * input and output. They become the session's. */
struct session_spec {
	struct loop *loop;
	const struct orders *orders;
	int talk_fd, listen_fd;
	int32_t pid;
	int fds[2];
};

int session_init(struct session *s, const struct session_spec *spec, struct err *e);
void session_fini(struct session *s);

struct attach {
	int fd; /* taken on success: a refusal is the asker's to tell */
	enum client_framing framing;
	enum client_role role;
	bool has_since, takeover;
	uint64_t since;
	uint16_t cols, rows; /* 0: leave the size */
	const void *early;   /* bytes that the client had sent already */
	size_t n_early;
};

/* Returns the client's number in *number. On failure *code is a word of docs/architecture.md. */
int session_attach(struct session *s, struct attach *a, uint32_t *number, const char **code,
		   struct err *e);
int session_resize(struct session *s, unsigned cols, unsigned rows, struct err *e);
/* All of it or, when the queue has no room, nothing and ENOBUFS. */
int session_input(struct session *s, const void *p, size_t n, struct err *e);
int session_signal(struct session *s, int sig, struct err *e);
/* Asks the janitor to end everything; only the first reason counts. */
void session_end(struct session *s, enum end_reason reason);
void session_notice(struct session *s, const char *kind, uint64_t seconds_left);

#endif
