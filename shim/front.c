#include "shim/front.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/stack.h"
#include "base/util.h"
#include "shim/isolate.h"
#include "shim/orders.h"
#include "shim/table.h"
#include "shim/talk.h"

/* Requests to end come to the janitor; what a service manager or a terminal sends to every process must
 * not cut the clients off before it. */
static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGXFSZ };

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

static int serve(const struct front_spec *spec, struct loop *loop, struct err *e)
{
	struct table_spec start = { .loop = loop,
				    .orders = spec->orders,
				    .talk_fd = spec->talk_fd,
				    .listen_fd = spec->listen_fd,
				    .recording_fd = spec->recording_fd,
				    .scan_fd = spec->scan_fd,
				    .scan_log_fd = spec->scan_log_fd };
	auto_free struct table *t = xalloc(sizeof(*t));
	int fds[TALK_FDS];
	struct talk_msg m;
	int r;

	r = await_start(spec->talk_fd, &m, fds, e);
	if (r <= 0)
		return r;
	start.pid = m.pid;
	start.fds[0] = fds[0];
	start.fds[1] = fds[1];
	r = table_init(t, &start, e);
	stack_give_back();
	if (r == 0)
		r = loop_run(loop, e);
	table_fini(t);
	return r;
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

int front_run(const struct front_spec *spec, struct err *e)
{
	const int keep[] = { spec->talk_fd,    spec->listen_fd,	   spec->lock_fd,
			     spec->log_fd,     spec->recording_fd, spec->scan_fd,
			     spec->scan_log_fd };
	struct talk_msg ready = { .kind = TALK_READY };
	struct loop *loop;
	int r;

	/* The loop's own descriptor is made between the two stages. */
	if (isolate_descriptors(keep, ARRAY_SIZE(keep), e) < 0 ||
	    isolate_ignore_signals(ignored, ARRAY_SIZE(ignored), e) < 0 ||
	    loop_new(&loop, e) < 0)
		return -1;
	r = isolate_rights(spec->orders->recording.max_bytes, e);
	if (r == 0)
		r = scan_link_await(spec->scan_fd, e);
	if (r < 0)
		say_failed(spec->talk_fd, e);
	if (r == 0)
		r = talk_send(spec->talk_fd, &ready, NULL, 0, e);
	if (r == 0)
		r = serve(spec, loop, e);
	loop_free(loop);
	return r;
}
