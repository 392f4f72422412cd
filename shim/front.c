#include "shim/front.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pack.h"
#include "base/stack.h"
#include "base/util.h"
#include "shim/handover.h"
#include "shim/isolate.h"
#include "shim/orders.h"
#include "shim/table.h"
#include "shim/talk.h"

/* Requests to end come to the janitor; what a service manager or a terminal sends to every process must
 * not cut the clients off before it. */
static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGXFSZ };

/* Of a front that was before this one. */
struct state {
	const uint8_t *p;
	size_t n, n_fds;
};

/* Blocks until the program runs. Returns 0 when it never will. */
static int await_start(int talk_fd, struct talk_msg *m, int fds[TALK_FDS], struct err *e)
{
	size_t n_fds;
	int r = talk_recv(talk_fd, m, fds, &n_fds, e);

	if (r <= 0)
		return r;
	if (m->kind != TALK_STARTED || n_fds != 2)
		return err_set(
			e, EPROTO,
			"the janitor said %s with %zu descriptors where STARTED with 2 belongs",
			talk_name(m->kind), n_fds);
	return 1;
}

/* Another front has what this one had: this one's process ends, and nobody is told anything. */
enum { GONE = 1 };

/* Until all is gone, or GONE. */
static int run(struct table *t, struct err *e)
{
	stack_give_back();
	for (;;) {
		if (loop_run(t->loop, e) < 0)
			return -1;
		if (!t->handover_asked)
			return 0;
		t->handover_asked = false;
		if (handover_front(t))
			return GONE;
		table_look(t); /* what was to stop the loop as well does so again */
	}
}

/* So that the starter reads why. */
static void say_failed(int talk_fd, const struct err *why)
{
	struct talk_msg m = { .kind = TALK_FAILED };
	struct err e = ERR_NONE;

	m.n_text = (uint32_t) strlen(why->msg);
	memcpy(m.text, why->msg, m.n_text);
	if (talk_send(talk_fd, &m, NULL, 0, &e) < 0)
		log_error("%s", e.msg);
}

static int serve_new(const struct front_spec *spec, struct table *t, struct table_spec *start,
		     struct err *e)
{
	struct talk_msg m = { .kind = TALK_READY };
	int fds[TALK_FDS], r;

	if (scan_link_await(spec->scan_fd, &start->scan_format, e) < 0) {
		say_failed(spec->talk_fd, e);
		return -1;
	}
	if (talk_send(spec->talk_fd, &m, NULL, 0, e) < 0)
		return -1;
	r = await_start(spec->talk_fd, &m, fds, e);
	if (r <= 0)
		return r;
	start->pid = m.pid;
	start->fds[0] = fds[0];
	start->fds[1] = fds[1];
	r = table_init(t, start, e);
	if (r == 0)
		r = run(t, e);
	if (r != GONE)
		table_fini(t);
	return r < 0 ? -1 : 0;
}

/* fds NULL: only looks. */
static int restore(const struct state *state, uint32_t format, int *fds, struct table *t,
		   const struct table_spec *start, struct err *e)
{
	struct unpack u = { .p = state->p,
			    .n = state->n,
			    .fds = fds,
			    .n_fds = state->n_fds,
			    .format = format };

	(void) table_restore(t, start, &u);
	return unpack_end(&u, e) < 0 ? err_wrap(e, "the front's state") : 0;
}

static int serve_on(const struct front_spec *spec, const struct state *state, struct table *t,
		    const struct table_spec *start, struct err *e)
{
	const struct talk_msg ready = { .kind = TALK_READY };
	int r = restore(state, spec->resume->format, spec->resume->front_fds, t, start, e);

	handover_unmap(state->p, state->n);
	if (r == 0)
		r = talk_send(spec->talk_fd, &ready, NULL, 0, e);
	if (r == 0)
		r = table_go_on(t, e);
	if (r == 0 && spec->scan_fd >= 0)
		scan_renew_begin(&t->scan, spec->scan_fd);
	if (r == 0)
		r = run(t, e);
	if (r != GONE)
		table_fini(t);
	return r < 0 ? -1 : 0;
}

/* The loop's own descriptor is made between the two stages, and the state is mapped: later there is no asking for a size. */
static int confine(const struct front_spec *spec, struct state *state, struct loop **loop,
		   struct err *e)
{
	const struct handover *h = spec->resume;
	const int own[] = { spec->talk_fd,	spec->listen_fd, spec->lock_fd,	   spec->log_fd,
			    spec->recording_fd, spec->scan_fd,	 spec->scan_log_fd };
	size_t n = ARRAY_SIZE(own), n_h = h ? h->n_front_fds : 0;
	auto_free int *keep = xalloc((n + n_h) * sizeof(*keep));

	memcpy(keep, own, sizeof(own));
	if (h) {
		state->p = handover_map(h->front_fd, &state->n, e);
		state->n_fds = n_h;
		if (!state->p)
			return -1;
		if (n_h > 0)
			memcpy(keep + n, h->front_fds, n_h * sizeof(*keep));
	}
	if (isolate_descriptors(keep, n + n_h, e) < 0 ||
	    isolate_ignore_signals(ignored, ARRAY_SIZE(ignored), e) < 0 ||
	    loop_new(loop, e) < 0)
		return -1;
	return isolate_rights(spec->orders->recording.max_bytes, e);
}

static struct table_spec start_of(const struct front_spec *spec, struct loop *loop)
{
	return (struct table_spec){ .loop = loop,
				    .orders = spec->orders,
				    .talk_fd = spec->talk_fd,
				    .listen_fd = spec->listen_fd,
				    .recording_fd = spec->recording_fd,
				    .scan_fd = spec->scan_fd,
				    .scan_log_fd = spec->scan_log_fd };
}

int front_run(const struct front_spec *spec, struct err *e)
{
	auto_free struct table *t = xalloc(sizeof(*t));
	struct state state = { 0 };
	struct loop *loop = NULL;
	struct table_spec start;
	int r = confine(spec, &state, &loop, e);

	start = start_of(spec, loop);
	if (r == 0 && spec->resume)
		r = serve_on(spec, &state, t, &start, e);
	else if (r == 0)
		r = serve_new(spec, t, &start, e);
	loop_free(loop);
	return r;
}

int front_check(const struct front_spec *spec, struct err *e)
{
	struct handover only_state = { .front_fd = spec->resume->front_fd };
	struct front_spec confined = *spec;
	struct table *t = xalloc(sizeof(*t));
	struct state state = { 0 };
	struct loop *loop = NULL;
	struct table_spec start;
	int r;

	/* The numbers are the janitor's: here they are nobody's. */
	confined.resume = &only_state;
	r = confine(&confined, &state, &loop, e);
	if (r == 0) {
		state.n_fds = spec->resume->n_front_fds;
		start = start_of(spec, loop);
		r = restore(&state, spec->resume->format, NULL, t, &start, e);
	}
	return r; /* the process ends by it: nothing is taken apart */
}
