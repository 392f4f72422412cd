#include "shim/procs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/exec_order.h"
#include "shim/launch_exec.h"
#include "shim/talk.h"

enum { START_MS = 10000, DEATH_MS = 2000 };

struct proc {
	struct proc *next;
	uint32_t number;
	struct launch_exec start; /* while it is STARTING: its runtime has a pidfd */
	struct child child;	  /* from RUNNING on */
	int terminal_fd;	  /* a copy; -1: it has none */
	uint64_t deadline_ms;	  /* of the start */
	uint64_t oom_kills;	  /* when it began */
};

static bool starting(const struct proc *x)
{
	return x->start.runtime.pidfd >= 0;
}

/* ---- what the front hears ---- */

static void tell(const struct procs *p, const struct talk_msg *m, const int *fds, size_t n)
{
	struct err e = ERR_NONE;

	if (talk_send(p->talk_fd, m, fds, n, &e) < 0)
		log_warn("process %u: %s", m->process, e.msg);
}

static void tell_failed(const struct procs *p, uint32_t number, const struct err *why)
{
	struct talk_msg m = { .kind = TALK_FAILED, .process = number, .code = why->code };
	int n = snprintf(m.text, sizeof(m.text), "%s", why->msg);

	m.n_text = (uint32_t) MIN((size_t) n, sizeof(m.text) - 1);
	log_info("process %u: %s", number, why->msg);
	tell(p, &m, NULL, 0);
}

static void tell_started(const struct procs *p, const struct proc *x)
{
	const struct talk_msg m = { .kind = TALK_STARTED,
				    .process = x->number,
				    .pid = x->child.pid };

	log_info("process %u: started", x->number);
	tell(p, &m, x->start.io.ours, x->start.terminal ? 2 : 3);
}

/* ---- the list ---- */

static void remove_proc(struct procs *p, struct proc *x)
{
	for (struct proc **at = &p->list; *at; at = &(*at)->next)
		if (*at == x) {
			*at = x->next;
			p->n--;
			break;
		}
	launch_exec_fini(&x->start);
	fd_close(&x->child.pidfd);
	fd_close(&x->terminal_fd);
	free(x);
}

static struct proc *find(const struct procs *p, uint32_t number)
{
	for (struct proc *x = p->list; x; x = x->next)
		if (x->number == number)
			return x;
	return NULL;
}

bool procs_starting(const struct procs *p)
{
	for (const struct proc *x = p->list; x; x = x->next)
		if (starting(x))
			return true;
	return false;
}

bool procs_has_pid(const struct procs *p, pid_t pid)
{
	for (const struct proc *x = p->list; x; x = x->next)
		if (x->child.pid == pid || x->start.runtime.pid == pid)
			return true;
	return false;
}

/* ---- start ---- */

static int begin(struct procs *p, uint32_t number, const void *order, size_t n, struct err *e)
{
	struct proc *x = xalloc(sizeof(*x));
	struct exec_order o;
	int r;

	*x = (struct proc){ .number = number,
			    .start = LAUNCH_EXEC_NONE,
			    .child = CHILD_NONE,
			    .terminal_fd = FD_NONE,
			    .deadline_ms = clock_mono_ms() + START_MS,
			    .oom_kills = exit_oom_kills(p->cgroup) };
	r = exec_order_unpack(order, n, &o, e);
	if (r == 0) {
		r = launch_exec_begin(p->orders, p->dir, p->bundle_fd, number, &o, &x->start,
				      e);
		exec_order_fini(&o);
	}
	if (r < 0) {
		free(x);
		return -1;
	}
	x->next = p->list;
	p->list = x;
	p->n++;
	return 0;
}

void procs_exec(struct procs *p, uint32_t number, const void *order, size_t n)
{
	struct err e = ERR_NONE;
	int r;

	if (number < 2 || find(p, number))
		r = err_set(&e, EPROTO, "process %u is no new one", number);
	else if (p->n >= PROCS_MAX)
		r = err_set(&e, EAGAIN, "%zu processes run already", p->n);
	else
		r = begin(p, number, order, n, &e);
	if (r < 0)
		tell_failed(p, number, &e);
}

static void started(struct procs *p, struct proc *x, const struct child_status *st)
{
	struct err e = ERR_NONE;
	int r = launch_exec_finish(&x->start, p->bundle_fd, st, &x->child, &e);

	if (r == 0 && x->start.terminal) {
		x->terminal_fd = fd_dup(x->start.io.ours[0], &e);
		r = x->terminal_fd < 0 ? -1 : 0;
	}
	if (r < 0) {
		tell_failed(p, x->number, &e);
		child_end(&x->child); /* it may run without its terminal */
		remove_proc(p, x);
		return;
	}
	tell_started(p, x);
	launch_exec_fini(&x->start);
}

/* ---- life and end ---- */

int procs_signal_foreground(int terminal_fd, int sig, struct err *e)
{
	pid_t group = 0;

	if (ioctl(terminal_fd, TIOCGPGRP, &group) < 0)
		return err_sys(e, "the terminal's foreground");
	if (group <= 1)
		return err_set(e, ESRCH, "the terminal has no foreground");
	if (kill(-group, sig) < 0)
		return err_sys(e, "signal %d to the terminal's foreground", sig);
	return 0;
}

int procs_signal(struct procs *p, uint32_t number, int sig, bool foreground, struct err *e)
{
	const struct proc *x = find(p, number);

	if (!x || x->child.pidfd < 0)
		return err_set(e, ESRCH, "process %u does not run", number);
	if (foreground && x->terminal_fd >= 0)
		return procs_signal_foreground(x->terminal_fd, sig, e);
	/* Not reaped yet, so the number is still its own. It leads its session and group. */
	if (kill(-x->child.pid, sig) < 0 && child_kill(&x->child, sig, e) < 0)
		return -1;
	return 0;
}

static void reap(struct procs *p, struct proc *x)
{
	struct talk_msg m = { .kind = TALK_EXITED, .process = x->number };
	uint64_t kills = exit_oom_kills(p->cgroup);
	struct child_status st;
	struct exit_usage usage;
	struct err e = ERR_NONE;

	kills = kills > x->oom_kills ? kills - x->oom_kills : 0;
	if (exit_wait(&x->child, &st, &usage, &e) < 0) {
		log_error("process %u: %s", x->number, e.msg);
		m.reason = END_ERROR;
	} else {
		m.reason = exit_reason(&st, kills);
		m.code = st.signalled ? 0 : st.code;
		m.signal = st.signalled ? st.code : 0;
		m.cpu_ns = usage.cpu_ns;
		m.memory_peak = usage.memory_peak;
		m.oom_kills = (uint32_t) MIN(kills, (uint64_t) UINT32_MAX);
	}
	log_info("process %u: %s, code %d, signal %d", x->number, end_reason_name(m.reason),
		 m.code, m.signal);
	tell(p, &m, NULL, 0);
	remove_proc(p, x);
}

size_t procs_wait_for(const struct procs *p, struct pollfd out[PROCS_MAX])
{
	size_t n = 0;

	for (const struct proc *x = p->list; x; x = x->next)
		out[n++] = (struct pollfd){ .fd = starting(x) ? x->start.runtime.pidfd
							      : x->child.pidfd,
					    .events = POLLIN };
	return n;
}

static bool ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void look_at_start(struct procs *p, struct proc *x)
{
	struct child_status st;
	struct err e = ERR_NONE;
	int r = child_poll(&x->start.runtime, &st, &e);

	if (r > 0) {
		started(p, x, &st);
		return;
	}
	if (r == 0 && clock_mono_ms() < x->deadline_ms)
		return;
	if (r == 0)
		(void) err_set(&e, ETIMEDOUT, "runtime: the process does not run after %d s",
			       START_MS / 1000);
	tell_failed(p, x->number, &e);
	launch_names_remove(&x->start.names, p->bundle_fd);
	remove_proc(p, x);
}

void procs_look(struct procs *p)
{
	struct proc *next;

	for (struct proc *x = p->list; x; x = next) {
		next = x->next;
		if (starting(x))
			look_at_start(p, x);
		else if (ready(x->child.pidfd))
			reap(p, x);
	}
}

void procs_stop_starting(struct procs *p)
{
	struct err ignored = ERR_NONE;

	for (struct proc *x = p->list; x; x = x->next)
		if (starting(x))
			(void) child_kill(&x->start.runtime, SIGKILL, &ignored);
}

void procs_end(struct procs *p)
{
	uint64_t until = clock_mono_ms() + DEATH_MS;
	struct err ignored = ERR_NONE;

	for (struct proc *x = p->list; x; x = x->next)
		if (starting(x))
			(void) child_kill(&x->start.runtime, SIGKILL, &ignored);
		else
			(void) child_kill(&x->child, SIGKILL, &ignored);
	while (p->list && clock_mono_ms() < until) {
		struct pollfd fds[PROCS_MAX];

		(void) poll(fds, procs_wait_for(p, fds), 100);
		procs_look(p);
	}
	while (p->list)
		remove_proc(p, p->list);
}

/* ---- hand-over ---- */

void procs_save(const struct procs *p, struct pack *out)
{
	pack_tag(out, "proc");
	pack_u32(out, (uint32_t) p->n);
	for (const struct proc *x = p->list; x; x = x->next) {
		pack_u32(out, x->number);
		pack_u32(out, (uint32_t) x->child.pid);
		pack_fd(out, x->child.pidfd);
		pack_fd(out, x->terminal_fd);
		pack_u64(out, x->oom_kills);
	}
}

void procs_restore(struct procs *p, struct unpack *u)
{
	struct proc **at = &p->list;
	uint32_t n;

	unpack_tag(u, "proc");
	n = unpack_u32_to(u, PROCS_MAX, "processes");
	while (n-- > 0 && !unpack_failed(u)) {
		struct proc *x = xalloc(sizeof(*x));

		*x = (struct proc){ .start = LAUNCH_EXEC_NONE };
		x->number = unpack_u32(u);
		x->child.pid = (pid_t) unpack_u32(u);
		x->child.pidfd = unpack_fd(u);
		x->terminal_fd = unpack_fd(u);
		x->oom_kills = unpack_u64(u);
		*at = x;
		at = &x->next;
		p->n++;
	}
}
