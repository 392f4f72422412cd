/*
 * How long to wait before the next attempt: doubled each time, and drawn anew between nothing and that, so that a thousand
 * hosts do not come back to a relay in step. Pure.
 */
#ifndef CARREL_SESSIOND_DIALER_BACKOFF_H
#define CARREL_SESSIOND_DIALER_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t min_ms, max_ms;
	unsigned failures; /* since the last success */
};

/* One more failure; random: any 64 bits. Returns how long to wait, 0 to the bound. */
uint64_t backoff_next(struct backoff *b, uint64_t random);
/* The bound of the next one. */
uint64_t backoff_bound(const struct backoff *b);
void backoff_reset(struct backoff *b);

#endif
