/*
 * The sandbox's clocks: idle time, lifetime, and the warnings before them.
 *
 * Idle is time without a byte of input or output of any process; detached is time without a client. Activity
 * only notes the time; the timer looks when it fires, so a busy terminal costs nothing here. While the sandbox
 * is paused these two stand still; the lifetime goes on.
 */
#ifndef CARREL_SHIM_TIMERS_H
#define CARREL_SHIM_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct table;

struct timers {
	struct table *table;
	struct loop_timer idle, detached, lifetime;
	uint64_t idle_ms, detached_ms, warn_ms; /* limits; idle, detached 0: none */
	uint64_t active_ms;			/* CLOCK_MONOTONIC of the last byte */
	uint64_t alone_ms;			/* since when no client is there; 0: one is */
	uint64_t paused_ms;			/* since when it is paused; 0: it is not */
	uint64_t deadline_ms;			/* 0: none */
	bool idle_warned, lifetime_warned;
};

void timers_start(struct timers *t, struct table *table);
void timers_stop(struct timers *t);
static inline void timers_activity(struct timers *t, uint64_t now_ms)
{
	t->active_ms = now_ms;
}

/* Whether any client is there. */
void timers_clients(struct timers *t, bool any);
void timers_pause(struct timers *t);
void timers_resume(struct timers *t);

/* The deadline becomes max(old, now + ms); a sandbox without a deadline keeps none. */
void timers_extend(struct timers *t, uint64_t ms);

uint64_t timers_idle_ms(const struct timers *t);	  /* since the last byte */
uint64_t timers_lifetime_left_ms(const struct timers *t); /* UINT64_MAX: no deadline */

/* For another program (shim/handover.h): places in time are CLOCK_MONOTONIC's, which goes on. Restoring starts them. */
struct pack;
struct unpack;
void timers_save(const struct timers *t, struct pack *p);
void timers_restore(struct timers *t, struct table *table, struct unpack *u);

#endif
