/*
 * A scanner takes the place of another one in the middle of its work: after an upgrade of the shim (shim/handover.h), which starts
 * it, so that the old program does not live as long as the sandbox.
 *
 *   the new one        front                       the old one
 *     ├──── READY ──────►│                            │
 *     │                  ├───────── SAVE ────────────►│  behind all that it was sent before
 *     │                  │   (holds what comes now)   │
 *     │                  │◄── PASS, FOUND, ... ───────┤  of what was before
 *     │◄── STATE, ... ───┤◄── STATE, STATE, ... ──────┤  and waits
 *     ├──── READY ──────►│                            │
 *     │◄── DATA, ... ────┤  (closes the old one's)    ┴
 *
 * Until the second READY the old one has all that it had: a new one that fails, ends or takes longer than RENEW_MS is left, the old one
 * is told GO_ON and is sent what was held. Nothing is passed that neither has passed.
 */
#ifndef CARREL_SHIM_SCAN_RENEW_H
#define CARREL_SHIM_SCAN_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"

struct scan_head;
struct scan_link;

struct scan_renew {
	enum renew_state {
		RENEW_NONE,
		RENEW_STARTING,	 /* the new one reads its rules */
		RENEW_SAVING,	 /* the old one's state comes */
		RENEW_RESTORING, /* the new one has all of it */
		RENEW_DRAINING,	 /* the old one's state comes, and nobody takes it */
	} state;
	int fd; /* the new one's */
	struct loop_io io;
	struct loop_timer timer;
	struct buf out;	 /* to the new one */
	struct buf held; /* for whoever goes on */
};
#define SCAN_RENEW_NONE ((struct scan_renew){ .fd = -1 })

/* fd becomes the link's. What cannot be is logged, and the old one goes on. */
void scan_renew_begin(struct scan_link *l, int fd);
/* Of a link that ends. */
void scan_renew_stop(struct scan_link *l);

static inline bool scan_renew_holds(const struct scan_renew *r)
{
	return r->state >= RENEW_SAVING;
}

/* The old one's STATE came; false: nobody asked. */
bool scan_renew_state(struct scan_link *l, const struct scan_head *h, const uint8_t *body);

#endif
