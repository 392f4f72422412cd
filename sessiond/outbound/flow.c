#include "sessiond/outbound/flow.h"

#include <errno.h>

#include "base/err.h"

void flow_init(struct flow *f, uint32_t our_window, uint32_t their_window)
{
	*f = (struct flow){ .window = our_window,
			    .may_come = our_window,
			    .may_go = their_window };
}

int flow_came(struct flow *f, size_t n, struct err *e)
{
	if (f->end_came)
		return err_set(e, EPROTO, "DATA: behind END");
	if (n > f->may_come)
		return err_set(e, EPROTO, "DATA: %zu bytes, but only %u were allowed", n,
			       f->may_come);
	f->may_come -= (uint32_t) n;
	return 0;
}

int flow_end_came(struct flow *f, struct err *e)
{
	if (f->end_came)
		return err_set(e, EPROTO, "END: a second one");
	f->end_came = true;
	return 0;
}

int flow_credit_came(struct flow *f, uint32_t n, struct err *e)
{
	if (n > INT32_MAX || f->may_go > INT32_MAX - n)
		return err_set(e, EPROTO, "CREDIT: %u on top of %u is too much", n, f->may_go);
	f->may_go += n;
	return 0;
}

uint32_t flow_passed(struct flow *f, size_t n)
{
	uint32_t credit;

	f->owed += (uint32_t) n;
	/* After END nothing comes that would need it. */
	if (f->end_came || f->owed < f->window / 2)
		return 0;
	credit = f->owed;
	f->owed = 0;
	f->may_come += credit;
	return credit;
}

void flow_sent(struct flow *f, size_t n)
{
	f->may_go -= (uint32_t) n;
}
