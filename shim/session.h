/*
 * One process of the sandbox with its terminal or pipes: output and input, the history, the clients, the
 * size, the end.
 *
 * Output is read once, into the ring, and goes from there to every client at its own pace. The program
 * runs at the pace of its quickest writer: while some writer keeps up, output is read only as fast as
 * that one takes it, so a client that reads loses nothing; viewers, and writers that have not moved
 * for HOLD_STALL_MS, hold nothing up and find a GAP if they come back too late. Without a writer the
 * program runs free. Input waits in one bounded queue; while it is full, no client's messages are read.
 *
 *   RUNNING ──EXITED from the janitor──► DRAINING ──end of output──► FLUSHING ──► the table forgets it
 *
 * What all processes share (the loop, the janitor, shim.sock, the clocks) is the table's.
 */
#ifndef CARREL_SHIM_SESSION_H
#define CARREL_SHIM_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "shim/client.h"
#include "shim/exitinfo.h"
#include "shim/pace.h"
#include "shim/recording.h"
#include "shim/ring.h"
#include "shim/session_scan.h"
#include "shim/session_screen.h"

struct err;
struct table;

enum { SESSION_TAG = 64 };

enum session_state { SESSION_RUNNING, SESSION_DRAINING, SESSION_FLUSHING };

struct session {
	struct session *next; /* the table's, by number */
	struct table *table;
	uint32_t number; /* 1: the sandbox's first process */
	int32_t pid;
	char tag[SESSION_TAG + 1];
	bool terminal;
	enum session_state state;

	int out_fd, in_fd; /* the same for a terminal */
	int err_fd;	   /* standard error, when it is apart; else -1 */
	int peer_fd; /* the terminal's other side, held open so that it never hangs up before the end */
	struct loop_io out_io, in_io, err_io;
	bool in_ends;	  /* a client said that no more input comes */
	struct pace pace; /* of reading it */
	struct ring ring;
	struct session_screen screen; /* with a terminal */
	struct recording recording;   /* zeroed: this one is not recorded */
	struct session_scan scan;     /* zeroed: under no policy */
	struct buf input;
	uint64_t input_bytes;
	uint16_t cols, rows;

	struct client *clients;
	uint32_t pen, size_of; /* clients' numbers, 0 none: session_roles.h */
	uint32_t n_clients;
	struct client_hooks hooks;

	enum end_reason reason; /* from DRAINING on */
	int exit_code, exit_signal;
	uint64_t cpu_ns, memory_peak;
	uint32_t oom_kills;
	bool timed_out, exit_read;
	uint64_t draining_ms, flushing_ms;
	struct loop_timer due; /* its time is over; it is to be killed; it is to be forgotten */
	struct loop_defer defer;

	struct loop_timer hold; /* a writer that holds the output may have stalled */
	uint64_t hold_ns;	/* of one that came from another program, until it goes on */
	struct loop_defer refresh;
};

/* pid and descriptors as the janitor's STARTED gives them; fds: terminal and its peer, or the program's
 * input and output. They become the session's. */
struct session_spec {
	struct table *table;
	uint32_t number;
	int32_t pid;
	bool terminal;
	uint16_t cols, rows;
	int fds[2];
	int err_fd; /* -1: none, or together with the output */
};

int session_new(const struct session_spec *spec, struct session **out, struct err *e);
/* Closes its clients' connections as they are. Accepts NULL. */
void session_free(struct session *s);

struct attach {
	int fd; /* taken on success: a refusal is the asker's to tell */
	enum client_framing framing;
	const struct dialect *dialect;
	enum client_role role;
	bool has_since, takeover;
	bool read_only; /* a viewer for good */
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
/* No more comes: what is queued is written, then the program reads the end. Nothing with a terminal. */
void session_input_end(struct session *s);
void session_notice(struct session *s, const char *kind, uint64_t seconds_left);
void session_notice_rule(struct session *s, const char *kind, const char *rule);

/* The program is dead: from here on only its last output moves. Nothing when that is known. */
void session_ended(struct session *s, enum end_reason reason, int code, int signal);

/* The table's clock: pings, lost clients, output that does not end. */
void session_tick(struct session *s, bool ping, uint64_t now_ms);
/* Whether the clock is to come soon, at the next ping (true with *soon false), or not at all. */
bool session_wants_tick(const struct session *s, bool *soon);

/* For another program (shim/handover.h), with its clients. */
struct pack;
struct unpack;
void session_save(const struct session *s, struct pack *p);
/* NULL, and *u says why. It does nothing before session_go_on. */
struct session *session_restore(struct table *t, struct unpack *u);
int session_go_on(struct session *s, struct err *e);

#endif
