#include "sessiond/dialer/backoff.h"

#include "base/util.h"

uint64_t backoff_bound(const struct backoff *b)
{
	uint64_t bound = b->min_ms;

	for (unsigned i = 0; i < b->failures && bound < b->max_ms; i++)
		bound = bound > b->max_ms / 2 ? b->max_ms : bound * 2;
	return MIN(bound, b->max_ms);
}

uint64_t backoff_next(struct backoff *b, uint64_t random)
{
	uint64_t bound = backoff_bound(b);

	if (bound < b->max_ms)
		b->failures++;
	return bound == UINT64_MAX ? random : random % (bound + 1);
}

void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}
