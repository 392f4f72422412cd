/*
 * A session's model of its terminal, kept only as far as it is needed: output is fed to it when it is about to leave the
 * history, or when a client needs to know what the terminal shows. A terminal of little output never has one. While nothing moves
 * it is kept as the bytes of a hand-over, a fraction of its size.
 */
#ifndef CARREL_SHIM_SESSION_SCREEN_H
#define CARREL_SHIM_SESSION_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"

struct client_screen;
struct screen;
struct session;

enum { SESSION_SCREEN_RESIZES = 32 };

struct session_screen {
	struct screen *model; /* NULL: nothing was fed yet, or it sleeps */
	uint64_t at;	      /* output below it was fed; at >= ring.oldest */
	struct {
		uint64_t at;
		uint16_t cols, rows;
	} resizes[SESSION_SCREEN_RESIZES]; /* that lie ahead of `at`, the first one first */
	size_t n_resizes;
	uint16_t first_cols, first_rows; /* before the first of them; 0: there was none */
	bool failed;			 /* no memory: clients get the history alone */
	struct buf asleep;	/* the model as screen_save writes it, while nothing moves */
	struct loop_timer rest; /* it may go to sleep */
	uint64_t rest_at;	/* where the output was when that was set */
};

void session_screen_fini(struct session_screen *sc);

/* Before the size changes. */
void session_screen_resized(struct session *s, uint16_t cols, uint16_t rows);

/* Before ring_reserve makes room for n bytes: what will leave the history is fed. */
void session_screen_keep(struct session *s, size_t n);

/* client_hooks.screen */
bool session_screen_take(void *arg, bool newest, struct client_screen *out);

/* For another program (shim/handover.h). Restored after the ring. */
struct pack;
struct unpack;
void session_screen_save(const struct session *s, struct pack *p);
void session_screen_restore(struct session *s, struct unpack *u);

#endif
