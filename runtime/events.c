/*
 * events: what a container uses, once or again and again, and a word when the OOM killer came.
 *
 * One poll over three things: the OOM notice, the container's end (a pidfd of init) and the next time to tell. The state
 * directory is not locked meanwhile: whoever deletes the container does not wait for us. At its end the OOM count is
 * read once more, since what was killed may have been init.
 */
#include "runtime/events.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "runtime/container.h"
#include "runtime/ns.h"

enum { LINE_MAX_BYTES = 4 << 20, NETDEV_MAX = 1 << 20 };

struct watch {
	struct container c;
	const struct events_args *args;
	const char *id;
	struct cgroup_oom *oom; /* or NULL: not to be had */
	int init_fd;
};

static int emit(struct watch *w, struct buf *line, struct err *e)
{
	return buf_puts(line, "\n", e) < 0 ? -1 : w->args->emit(w->args->arg, line, e);
}

/* Of the container's own network namespace; the host's is no part of it. */
static void read_interfaces(const struct state *s, struct stats_interfaces *out)
{
	auto_buf struct buf text = BUF_LIMIT(NETDEV_MAX);
	auto_free char *file = xasprintf("/proc/%d/net/dev", (int) s->pid);
	struct err ignored = ERR_NONE;

	if (!(s->namespaces & (1u << NS_NET)) || s->pid <= 0)
		return;
	if (fd_read_file(AT_FDCWD, file, NETDEV_MAX - 1, &text, &ignored) == 0)
		stats_parse_netdev(buf_str(&text), out);
}

static int tell_stats(struct watch *w, struct err *e)
{
	auto_stats struct cgroup_stats s = CGROUP_STATS_NONE;
	auto_rdt_stats struct rdt_stats rdt = RDT_STATS_NONE;
	auto_buf struct buf line = BUF_LIMIT(LINE_MAX_BYTES);
	struct stats_interfaces net = { 0 };
	int r;

	if (cgroup_stats_read(w->c.cgroup, &s, e) < 0 ||
	    rdt_stats_read(&w->c.state->rdt, &rdt, e) < 0)
		return -1;
	read_interfaces(w->c.state, &net);
	r = events_render_stats(w->id, &s, &net, &rdt, &line, e);
	free(net.v);
	return r < 0 ? -1 : emit(w, &line, e);
}

static int tell_oom(struct watch *w, struct err *e)
{
	unsigned n = 0;

	if (w->oom && cgroup_oom_take(w->oom, &n, e) < 0)
		return -1;
	for (; n > 0; n--) {
		auto_buf struct buf line = BUF_LIMIT(LINE_MAX_BYTES);

		if (events_render_oom(w->id, &line, e) < 0 || emit(w, &line, e) < 0)
			return -1;
	}
	return 0;
}

/* A group that has just been removed ends with its container, which the pidfd tells. */
static int tell_stats_again(struct watch *w, struct err *e)
{
	struct err own = ERR_NONE;

	if (tell_stats(w, &own) == 0 || own.code == ENOENT || own.code == ENODEV)
		return 0;
	*e = own;
	return -1;
}

static int follow(struct watch *w, struct err *e)
{
	uint64_t next = clock_mono_ms() + w->args->interval_ms;

	for (;;) {
		struct pollfd p[] = {
			{ .fd = w->init_fd, .events = POLLIN },
			{ .fd = w->oom ? cgroup_oom_fd(w->oom) : -1, .events = POLLIN },
		};
		const uint64_t now = clock_mono_ms();

		if (now >= next) {
			if (tell_stats_again(w, e) < 0)
				return -1;
			next = MAX(next + w->args->interval_ms, now);
			continue;
		}
		const int r =
			poll(p, ARRAY_SIZE(p), (int) MIN(next - now, (uint64_t) 3600 * 1000));
		if (r < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (r <= 0)
			continue;
		if (tell_oom(w, e) < 0)
			return -1;
		if (p[0].revents)
			return 0;
	}
}

static int open_watch(struct watch *w, const struct container_env *env, struct err *e)
{
	enum state_status status;

	if (container_open(env, w->id, STATE_SHARED, &w->c, e) < 0 ||
	    container_status(&w->c, &status, e) < 0)
		return -1;
	if (status == STATE_STOPPED || status == STATE_CREATING)
		return err_set(e, ESRCH, "container not running");
	w->init_fd = state_open_init(w->c.state, e);
	state_unlock(w->c.dir_fd);
	if (w->init_fd < 0)
		return e->code ? -1 : err_set(e, ESRCH, "container not running");
	return 0;
}

int container_events(const struct container_env *env, const char *id,
		     const struct events_args *a, struct err *e)
{
	struct watch w = { .c = CONTAINER_NONE, .args = a, .id = id, .init_fd = FD_NONE };
	struct err oom = ERR_NONE;
	int r = open_watch(&w, env, e);

	if (r == 0 && a->once)
		r = tell_stats(&w, e);
	else if (r == 0) {
		if (cgroup_oom_open(w.c.cgroup, &w.oom, &oom) < 0 && env->warn)
			env->warn(oom.msg);
		r = follow(&w, e);
	}
	cgroup_oom_free_ptr(&w.oom);
	fd_close(&w.init_fd);
	container_close(&w.c);
	return r;
}
