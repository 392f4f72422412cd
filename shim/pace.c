#include "shim/pace.h"

#include "base/clock.h"
#include "base/util.h"

enum {
	REST_LEAST_US = 125,
	REST_MOST_US = 4000, /* the kernel's 64 KiB last longer at the pace that leads to it */
	FEW = 8192,	     /* bytes of a turn: the next rest may be longer ... */
	MANY = 16384,	/* ... or is to be shorter, so that the program never waits for room */
	STREAM_MS = 20, /* turns with less between them are a stream ... */
	STREAM_TURNS = 4, /* ... from so many on */
	TYPED_MS =
		50, /* the answer to input comes within that, or its sender does not wait for it */
};

static unsigned next_rest(unsigned us, bool emptied, uint64_t n)
{
	if (!emptied || n > MANY)
		return us / 2 >= REST_LEAST_US ? us / 2 : 0;
	return n < FEW ? MAX(MIN(us * 2, (unsigned) REST_MOST_US), (unsigned) REST_LEAST_US)
		       : us;
}

void pace_read(struct pace *p, struct loop *l, bool emptied, uint64_t n, uint64_t now_ms,
	       loop_fn fn, void *arg)
{
	bool typed = p->typed_ms > 0 && now_ms - p->typed_ms < TYPED_MS;

	p->turns = n > 0 && now_ms - p->read_ms < STREAM_MS ? p->turns + 1 : 0;
	p->read_ms = now_ms;
	p->rest_us = typed || p->turns < STREAM_TURNS ? 0 : next_rest(p->rest_us, emptied, n);
	if (emptied && p->rest_us > 0)
		loop_timer_set_ns(l, &p->rest, clock_mono_ns() + p->rest_us * 1000ULL, fn, arg);
}

bool pace_typed(struct pace *p, uint64_t now_ms)
{
	bool rests = pace_rests(p);

	p->typed_ms = now_ms;
	pace_stop(p);
	return rests;
}

void pace_stop(struct pace *p)
{
	loop_timer_del(&p->rest);
}
