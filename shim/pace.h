/*
 * When a program's output is read: at once, but for a stream of small pieces, which is read every 0.1 to 4 ms.
 *
 * A program that writes line by line would cost a turn of the loop, a frame and a wake-up of the client for each of them, and its
 * own writes would wait for ours. The kernel keeps 64 KiB meanwhile; a rest is so long that a quarter of that comes, so that the program
 * never waits for room. Whoever types waits for the answer: for a moment behind the last input nothing is put off.
 */
#ifndef CARREL_SHIM_PACE_H
#define CARREL_SHIM_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct pace {
	struct loop_timer rest;
	uint64_t read_ms, typed_ms; /* the last time; 0: never */
	unsigned turns;		    /* of reading, one soon after the other */
	unsigned rest_us;	    /* how long the next one is; 0: there is none */
};

/* True while the output is not to be watched: fn is called when it is to be read. */
static inline bool pace_rests(const struct pace *p)
{
	return p->rest.due_ns != 0;
}

/* After a turn of reading, which left nothing behind (emptied) or found nothing (n 0). Sets the timer when there is to be a rest. */
void pace_read(struct pace *p, struct loop *l, bool emptied, uint64_t n, uint64_t now_ms,
	       loop_fn fn, void *arg);
/* Input came; true when that ended a rest, so that the output has to be watched again. */
bool pace_typed(struct pace *p, uint64_t now_ms);
void pace_stop(struct pace *p);

#endif
