#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

enum {
	EVENTS_PER_TURN = 64,
	SIGNALS_PER_EVENT = 16,
	MAX_TIMERS = 1 << 20,
};

struct signal_handler {
	loop_signal_fn fn;
	void *arg;
};

struct loop {
	int epoll_fd;
	bool stopped;

	/* The batch being handled: loop_io_del blanks what is still to come in it. */
	struct epoll_event events[EVENTS_PER_TURN];
	int n_events, at_event;

	struct buf timers; /* of struct loop_timer *: a binary heap by due_ns */
	uint64_t turn_ns;  /* when this turn began to handle; 0 between turns */

	int signal_fd;
	struct loop_io signal_io;
	sigset_t signals;
	struct signal_handler handlers[_NSIG];

	struct loop_defer *deferred, **deferred_end;
};

int loop_new(struct loop **out, struct err *e)
{
	struct loop *l = xalloc(sizeof(*l));

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		(void) err_sys(e, "epoll_create1");
		free(l);
		return -1;
	}
	l->signal_fd = FD_NONE;
	l->timers = BUF_LIMIT(MAX_TIMERS * sizeof(struct loop_timer *));
	l->deferred_end = &l->deferred;
	(void) sigemptyset(&l->signals);
	*out = l;
	return 0;
}

static struct loop_timer **heap(struct loop *l)
{
	return (struct loop_timer **) (void *) (l->timers.data + l->timers.head);
}

static size_t heap_size(const struct loop *l)
{
	return buf_len(&l->timers) / sizeof(struct loop_timer *);
}

static void heap_put(struct loop *l, size_t slot, struct loop_timer *t)
{
	heap(l)[slot - 1] = t;
	t->slot = slot;
}

static void heap_up(struct loop *l, size_t slot, struct loop_timer *t)
{
	for (; slot > 1; slot /= 2) {
		struct loop_timer *above = heap(l)[slot / 2 - 1];

		if (above->due_ns <= t->due_ns)
			break;
		heap_put(l, slot, above);
	}
	heap_put(l, slot, t);
}

static void heap_down(struct loop *l, size_t slot, struct loop_timer *t)
{
	size_t n = heap_size(l);

	for (size_t below = 2 * slot; below <= n; below = 2 * slot) {
		struct loop_timer **h = heap(l);

		if (below < n && h[below]->due_ns < h[below - 1]->due_ns)
			below++;
		if (h[below - 1]->due_ns >= t->due_ns)
			break;
		heap_put(l, slot, h[below - 1]);
		slot = below;
	}
	heap_put(l, slot, t);
}

void loop_timer_del(struct loop_timer *t)
{
	struct loop *l = t->loop;
	struct loop_timer *last;
	size_t slot = t->slot;

	if (!l)
		return;
	last = heap(l)[heap_size(l) - 1];
	l->timers.tail -= sizeof(last);
	if (last != t) {
		heap_up(l, slot, last);
		heap_down(l, last->slot, last);
	}
	t->loop = NULL;
	t->slot = 0;
	t->due_ns = 0;
}

void loop_timer_set_ns(struct loop *l, struct loop_timer *t, uint64_t due_ns, loop_fn fn,
		       void *arg)
{
	struct err e = ERR_NONE;

	loop_timer_del(t);
	/* A million timers of 72 bytes each are a mistake in the program. */
	if (buf_append(&l->timers, &t, sizeof(t), &e) < 0)
		abort();
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	/* What a handler sets fires in the next turn at the earliest, or a turn could last for ever. */
	t->due_ns = MAX(due_ns, l->turn_ns + 1);
	heap_up(l, heap_size(l), t);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t delay_ms, loop_fn fn,
		    void *arg)
{
	uint64_t now = clock_mono_ns();
	uint64_t delay_ns =
		delay_ms > (UINT64_MAX - now) / 1000000 ? UINT64_MAX - now : delay_ms * 1000000;

	loop_timer_set_ns(l, t, now + delay_ns, fn, arg);
}

static void fire_timers(struct loop *l)
{
	while (heap_size(l) > 0 && heap(l)[0]->due_ns <= l->turn_ns) {
		struct loop_timer *t = heap(l)[0];
		loop_fn fn = t->fn;
		void *arg = t->arg;

		loop_timer_del(t);
		fn(arg);
	}
}

int loop_io_add(struct loop *l, struct loop_io *io, int fd, uint32_t events, loop_io_fn fn,
		void *arg, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	if (io->loop)
		return err_set(e, EEXIST, "descriptor %d is watched already", io->fd);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_sys(e, "watch descriptor %d", fd);
	*io = (struct loop_io){ .fd = fd, .events = events, .fn = fn, .arg = arg, .loop = l };
	return 0;
}

int loop_io_set(struct loop_io *io, uint32_t events, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	if (!io->loop)
		return err_set(e, ENOENT, "a descriptor that is not watched");
	if (events == io->events)
		return 0;
	if (epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev) < 0)
		return err_sys(e, "watch descriptor %d", io->fd);
	io->events = events;
	return 0;
}

void loop_io_del(struct loop_io *io)
{
	struct loop *l = io->loop;
	int saved = errno;

	if (!l)
		return;
	/* Fails only for a descriptor that is closed everywhere, and then epoll has dropped it. */
	(void) epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = l->at_event + 1; i < l->n_events; i++)
		if (l->events[i].data.ptr == io)
			l->events[i].data.ptr = NULL;
	io->loop = NULL;
	io->fd = FD_NONE;
	errno = saved;
}

static void read_signals(void *arg, uint32_t events)
{
	struct loop *l = arg;
	struct signalfd_siginfo si[SIGNALS_PER_EVENT];
	ssize_t n = read(l->signal_fd, si, sizeof(si));

	for (ssize_t i = 0; i < n / (ssize_t) sizeof(*si); i++) {
		const struct signal_handler *h = &l->handlers[si[i].ssi_signo];

		h->fn(h->arg, (int) si[i].ssi_signo);
	}
}

int loop_signal(struct loop *l, int sig, loop_signal_fn fn, void *arg, struct err *e)
{
	sigset_t with = l->signals, one;
	int fd;

	if (sig <= 0 || sig >= _NSIG || sig == SIGKILL || sig == SIGSTOP)
		return err_set(e, EINVAL, "signal %d cannot be handled", sig);
	if (l->handlers[sig].fn)
		return err_set(e, EEXIST, "signal %d has a handler already", sig);
	(void) sigemptyset(&one);
	if (sigaddset(&one, sig) < 0 || sigaddset(&with, sig) < 0)
		return err_sys(e, "signal %d", sig);
	if (sigprocmask(SIG_BLOCK, &one, NULL) < 0)
		return err_sys(e, "block signal %d", sig);
	fd = signalfd(l->signal_fd, &with, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "signalfd");
	l->signal_fd = fd;
	if (!l->signal_io.loop &&
	    loop_io_add(l, &l->signal_io, fd, EPOLLIN, read_signals, l, e) < 0)
		return -1;
	l->signals = with;
	l->handlers[sig] = (struct signal_handler){ .fn = fn, .arg = arg };
	return 0;
}

void loop_defer(struct loop *l, struct loop_defer *d, loop_fn fn, void *arg)
{
	if (d->queued)
		return;
	*d = (struct loop_defer){ .fn = fn, .arg = arg, .queued = true };
	*l->deferred_end = d;
	l->deferred_end = &d->next;
}

/* One round: what these defer anew waits for the end of the next turn. */
static void run_deferred(struct loop *l)
{
	struct loop_defer *d = l->deferred;

	l->deferred = NULL;
	l->deferred_end = &l->deferred;
	while (d) {
		struct loop_defer *next = d->next;

		d->queued = false;
		d->fn(d->arg); /* may free d */
		d = next;
	}
}

/* Until the first timer is due or timeout_ms (-1: no limit) have passed; false: without an end. */
static bool wait_time(struct loop *l, int timeout_ms, struct timespec *out)
{
	uint64_t now, ns = timeout_ms < 0 ? UINT64_MAX : (uint64_t) timeout_ms * 1000000;

	if (l->deferred)
		ns = 0;
	else if (heap_size(l) > 0) {
		now = clock_mono_ns();
		ns = MIN(ns, heap(l)[0]->due_ns > now ? heap(l)[0]->due_ns - now : 0);
	}
	*out = (struct timespec){ (time_t) (ns / 1000000000), (long) (ns % 1000000000) };
	return ns < UINT64_MAX;
}

/* Since Linux 5.11 to the nanosecond. Before it, rounded up: a turn that wakes just before a timer is due would be an idle one. */
static int wait_events(struct loop *l, int timeout_ms)
{
	struct timespec t;
	bool ends = wait_time(l, timeout_ms, &t);
	long n = syscall(SYS_epoll_pwait2, l->epoll_fd, l->events, EVENTS_PER_TURN,
			 ends ? &t : NULL, NULL, 0L);

	if (n >= 0 || errno != ENOSYS)
		return (int) n;
	return epoll_wait(l->epoll_fd, l->events, EVENTS_PER_TURN,
			  ends ? (int) MIN((long long) t.tv_sec * 1000 +
						   (t.tv_nsec + 999999) / 1000000,
					   (long long) INT_MAX)
			       : -1);
}

int loop_turn(struct loop *l, int timeout_ms, struct err *e)
{
	int n = wait_events(l, timeout_ms);

	if (n < 0 && errno != EINTR)
		return err_sys(e, "epoll_wait");
	l->n_events = MAX(n, 0);
	l->turn_ns = clock_mono_ns();
	for (l->at_event = 0; l->at_event < l->n_events; l->at_event++) {
		const struct epoll_event *ev = &l->events[l->at_event];
		const struct loop_io *io = ev->data.ptr;

		if (io)
			io->fn(io->arg, ev->events);
	}
	l->n_events = 0;
	fire_timers(l);
	run_deferred(l);
	l->turn_ns = 0;
	return 0;
}

int loop_run(struct loop *l, struct err *e)
{
	while (!l->stopped)
		if (loop_turn(l, -1, e) < 0)
			return -1;
	l->stopped = false;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}

/* The signals stay blocked: unblocking would let one that is pending end the process. */
void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->deferred)
		run_deferred(l);
	while (heap_size(l) > 0)
		loop_timer_del(heap(l)[0]);
	buf_fini(&l->timers);
	fd_close(&l->signal_fd);
	fd_close(&l->epoll_fd);
	free(l);
}
