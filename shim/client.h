/*
 * One client of the terminal: its socket, its framing, its place in the output history.
 *
 * A state machine that knows no loop and no subprotocol (its dialect does): the session calls client_read, client_write and the verbs below,
 * then looks at client_wants. Output is taken from the ring at this client's cursor, one frame per
 * turn, bounded by the client's acknowledgements where the dialect has them and by what the kernel keeps unsent; small
 * messages wait in `ctl` and go between frames. Nothing here blocks, and nothing grows beyond its limit: a client that
 * does not read costs at most one frame of memory.
 *
 *   OPEN ──client_close, a close or an error from the peer──► CLOSING ──all sent──► LINGER ──► GONE
 *   any state ──the socket fails──► GONE
 */
#ifndef CARREL_SHIM_CLIENT_H
#define CARREL_SHIM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "shim/dialect.h"
#include "shim/packet.h"
#include "shim/ws.h"

struct client;
struct queries;
struct ring;

enum client_framing { CLIENT_WS, CLIENT_PACKET };
enum client_role { CLIENT_WRITER, CLIENT_VIEWER };

enum client_state {
	CLIENT_OPEN,
	CLIENT_CLOSING, /* the close is queued; nothing else will be */
	CLIENT_LINGER,	/* everything is sent, our side is shut; waiting for the peer's end */
	CLIENT_GONE,	/* the socket is of no more use; the session removes the client */
};

/* Bytes that bring a terminal to what it shows at one place in the output. */
struct client_screen {
	struct buf bytes;
	uint64_t offset;
	uint16_t cols, rows;
};

/* What a client asks of the session. Called from client_read alone. */
struct client_hooks {
	void *arg;
	bool (*input_full)(
		void *arg); /* then no message is decoded until client_resume_input */
	void (*input)(void *arg, struct client *c, const uint8_t *p, size_t n);
	void (*input_end)(void *arg, struct client *c);
	void (*resize)(void *arg, struct client *c); /* a writer's want_cols, want_rows */
	void (*take)(void *arg, struct client *c, bool take); /* the pen, or to give it back */
	/* Fills in what the terminal shows: at the end of the output, or as early as the history has the rest. NULL, or false:
	 * there is nothing but the history. */
	bool (*screen)(void *arg, bool newest, struct client_screen *out);
};

struct client_spec {
	int fd; /* non-blocking; becomes the client's */
	enum client_framing framing;
	const struct dialect *dialect; /* with packets: one that may be spoken so */
	enum client_role role;
	bool terminal; /* the output is one: questions in it are not replayed */
	uint32_t number;
	uint64_t since; /* <= ring->next */
	bool has_since, read_only;
	uint32_t process;
	uint32_t window;
	uint16_t cols, rows;		  /* in force, for the greeting */
	const char *sandbox_id, *policy;  /* policy NULL: under none */
	const struct ring *ring;	  /* borrowed */
	const struct client_hooks *hooks; /* borrowed */
	uint64_t now_ms;
};

struct client {
	struct client *next;	 /* the session's list */
	struct loop_io io;	 /* the session's registration of fd */
	struct loop_defer defer; /* its removal */
	void *owner;
	int fd;
	enum client_state state;
	enum client_framing framing;
	const struct dialect *dialect;
	struct dialect_state speech;
	enum client_role role;
	uint32_t number;
	const struct ring *ring;
	const struct client_hooks *hooks;

	struct ws_in ws;
	struct packet_in packet;
	struct buf
		pending; /* bytes received but not decoded: left over from the upgrade, or input is full */
	bool input_paused;
	bool output_paused; /* the client has asked for that */
	bool peer_closed;   /* its close has come: there is nothing to wait for */

	struct buf ctl; /* small framed messages, sent before the next frame of output */
	struct client_screen screen; /* to be sent after ctl, before more output */
	struct buf spill;	     /* the rest of a frame that the socket took in part */
	uint64_t cursor;	     /* the next output byte to send */
	uint64_t acked;
	uint64_t skipped,
		skipped_to; /* bytes in gaps that are not acknowledged yet, and where the last ends */
	uint32_t window;
	uint64_t replay_to;
	bool in_replay;
	struct queries *queries; /* what takes them out of the replay; NULL: nothing has to */
	bool size_due,
		pong_due; /* answers of which only the newest counts: a flood of causes costs nothing */
	bool role_due;
	uint16_t cols, rows;
	uint8_t pong[125];
	uint8_t n_pong;

	/* For the session (session_roles.h). */
	bool wants_write;	       /* it attached as a writer */
	bool read_only;		       /* it never becomes one */
	uint16_t want_cols, want_rows; /* the size of its window; 0: not said */
	uint64_t active_ms;	       /* last time that it typed or set its size */

	uint64_t pinged_ms;
	uint32_t rtt_ms; /* from the last ping to its pong; UINT32_MAX: none has come */

	struct dialect_exit exit; /* once the program has ended */
	uint16_t exit_code;	  /* the close code after it; 0: it lives */

	uint64_t life_ms;     /* last byte from the peer, or taken by its socket */
	uint64_t progress_ms; /* last time that output moved on */
	uint64_t state_ms;    /* entered the state */
};

/* Queues the greeting and the start of the replay. On failure fd is still the caller's. */
int client_new(const struct client_spec *spec, struct client **out, struct err *e);
void client_free(struct client *c);

/* Bytes that the peer had sent before the socket was handed over; decoded by the next client_read. */
int client_preload(struct client *c, const void *p, size_t n, struct err *e);

/* Decodes what is pending, then what one recv gives. */
void client_read(struct client *c, uint64_t now_ms);
/* Sends until the socket is full, at most `budget` bytes of output. */
void client_write(struct client *c, size_t budget, uint64_t now_ms);
/* EPOLLIN | EPOLLOUT as of now. */
uint32_t client_wants(const struct client *c);
/* True when client_read has something to do without the socket being readable. */
bool client_has_pending(const struct client *c);

void client_size(struct client *c, uint16_t cols, uint16_t rows);
/* rule: which one of a policy; NULL: none. */
void client_notice(struct client *c, const char *kind, uint64_t seconds_left, const char *rule);
/* Says so to the client, when it has changed. */
void client_set_role(struct client *c, enum client_role role);
/* A WebSocket ping; nothing with packets, whose peer's end the kernel reports. */
void client_ping(struct client *c, uint64_t now_ms);
/* After the last byte of output: how the program ended, then a close with code. */
void client_exit(struct client *c, const struct dialect_exit *x, uint16_t code);
/* Now: what is queued, then a close. Output not yet framed is not sent. */
void client_close(struct client *c, uint16_t code, const char *why, uint64_t now_ms);
void client_drop(struct client *c);

/* Output bytes that this client has not been sent. */
uint64_t client_behind(const struct client *c);

/* For another program (shim/handover.h), with its socket: a frame that was begun goes on where it was cut. */
struct pack;
struct unpack;
void client_save(const struct client *c, struct pack *p);
/* exit: how the program ended, for a client that is to be told. NULL, and *u says why. */
struct client *client_restore(const struct ring *ring, const struct client_hooks *hooks,
			      const struct dialect_exit *exit, struct unpack *u);

#endif
