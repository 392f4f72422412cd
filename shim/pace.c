#include "shim/pace.h"

#include "base/util.h"

enum {
	REST_MOST_MS = 5, /* the kernel's 64 KiB last longer at the pace that leads to it */
	FEW = 4096,	  /* bytes of a turn: the next rest may be longer ... */
	MANY = 16384,	  /* ... or is to be short */
	STREAM_MS = 20,	  /* turns with less between them are a stream ... */
	STREAM_TURNS = 4, /* ... from so many on */
	TYPED_MS =
		50, /* the answer to input comes within that, or its sender does not wait for it */
};

void pace_read(struct pace *p, struct loop *l, bool emptied, uint64_t n, uint64_t now_ms,
	       loop_fn fn, void *arg)
{
	bool typed = p->typed_ms > 0 && now_ms - p->typed_ms < TYPED_MS;

	p->turns = n > 0 && now_ms - p->read_ms < STREAM_MS ? p->turns + 1 : 0;
	p->read_ms = now_ms;
	if (!emptied || typed || p->turns < STREAM_TURNS) {
		p->rest_ms = 0;
		return;
	}
	if (n < FEW || p->rest_ms == 0)
		p->rest_ms = MIN(p->rest_ms + 1, (unsigned) REST_MOST_MS);
	else if (n > MANY)
		p->rest_ms = 1;
	loop_timer_set(l, &p->rest, p->rest_ms, fn, arg);
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
