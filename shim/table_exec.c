#include "shim/table_exec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/orders.h"
#include "shim/session_io.h"
#include "shim/table.h"
#include "shim/talk.h"

enum {
	KEPT_MAX = 32, /* ended processes; the one that ended first is forgotten for another */
	KEEP_MS = 600000,  /* an exit that nobody reads */
	READ_MS = 10000,   /* after it was read: for who still wants the output */
	HANG_UP_MS = 3000, /* between SIGHUP and SIGKILL */
};

/* A process that the janitor was asked for. */
struct table_start {
	struct table_start *next;
	uint32_t number;
	char tag[SESSION_TAG + 1];
	bool terminal, input;
	uint16_t cols, rows;
	uint64_t timeout_ms;
};

/* ---- start ---- */

static int refuse(struct table *t, const char **code, struct err *e)
{
	if (table_first(t)->state != SESSION_RUNNING || t->ending) {
		*code = "gone";
		return err_set(e, ESRCH, "sandbox %s is ending", t->orders->id);
	}
	if (t->paused || t->freeze == FREEZE_PAUSING) {
		*code = "paused";
		return err_set(e, EBUSY, "sandbox %s is paused; resume it first",
			       t->orders->id);
	}
	if (t->upgrading) {
		*code = "limit";
		return err_set(e, EBUSY, "sandbox %s is being upgraded; try again",
			       t->orders->id);
	}
	if (t->n_running >= t->orders->max_processes) {
		*code = "limit";
		return err_set(e, EAGAIN, "%u processes run already", t->n_running);
	}
	return 0;
}

int table_exec(struct table *t, const struct table_exec *x, uint32_t *number, const char **code,
	       struct err *e)
{
	const struct talk_msg m = { .kind = TALK_EXEC, .process = t->next_process };
	auto_buf struct buf order = BUF_LIMIT(EXEC_ORDER_BYTES + 64);
	struct table_start *s;

	if (refuse(t, code, e) < 0 || exec_order_pack(&x->order, &order, e) < 0)
		return -1;
	if (talk_send_body(t->talk_fd, &m, buf_bytes(&order), buf_len(&order), NULL, 0, e) <
	    0) {
		*code = "limit"; /* the janitor has not taken what came before */
		return -1;
	}
	s = xalloc(sizeof(*s));
	*s = (struct table_start){ .next = t->starts,
				   .number = t->next_process++,
				   .terminal = x->order.terminal,
				   .input = x->input || x->order.terminal,
				   .cols = x->order.cols,
				   .rows = x->order.rows,
				   .timeout_ms = x->timeout_ms };
	(void) snprintf(s->tag, sizeof(s->tag), "%s", x->tag ? x->tag : "");
	t->starts = s;
	t->n_running++;
	*number = s->number;
	return 0;
}

/* Out of the list; the caller's to free. NULL: nobody waits for that number. */
static struct table_start *take_start(struct table *t, uint32_t number)
{
	for (struct table_start **at = &t->starts; *at; at = &(*at)->next) {
		struct table_start *s = *at;

		if (s->number != number)
			continue;
		*at = s->next;
		return s;
	}
	return NULL;
}

static void timed_out(void *arg)
{
	struct session *s = arg;
	struct err e = ERR_NONE;

	log_info("process %u: its time is over", s->number);
	s->timed_out = true;
	if (table_signal(s->table, s, SIGKILL, false, &e) < 0)
		log_error("%s", e.msg);
}

static void add_session(struct table *t, struct session *s, const struct table_start *start)
{
	struct session **at = &t->sessions;

	while (*at && (*at)->number < s->number)
		at = &(*at)->next;
	s->next = *at;
	*at = s;
	memcpy(s->tag, start->tag, sizeof(s->tag));
	if (!start->input)
		session_input_end(s);
	if (start->timeout_ms)
		loop_timer_set(t->loop, &s->due, start->timeout_ms, timed_out, s);
	timers_activity(&t->timers, clock_mono_ms());
}

static int begin(struct table *t, const struct table_start *start, const struct talk_msg *m,
		 int *fds, struct err *e)
{
	struct session_spec spec = { .table = t,
				     .number = start->number,
				     .pid = m->pid,
				     .terminal = start->terminal,
				     .cols = start->cols,
				     .rows = start->rows,
				     .fds = { take_fd(&fds[0]), take_fd(&fds[1]) },
				     .err_fd = start->terminal ? FD_NONE : take_fd(&fds[2]) };
	struct session *s;

	if (session_new(&spec, &s, e) < 0)
		return -1;
	add_session(t, s, start);
	return 0;
}

void table_started(struct table *t, const struct talk_msg *m, int *fds, size_t n_fds)
{
	auto_free struct table_start *start = take_start(t, m->process);
	struct err e = ERR_NONE;

	if (!start || n_fds != (start->terminal ? 2 : 3)) {
		log_error("process %u: STARTED with %zu descriptors", m->process, n_fds);
		return;
	}
	if (begin(t, start, m, fds, &e) == 0) {
		control_started(&t->control, start->number, m->pid, NULL);
		return;
	}
	/* It runs, and nobody would ever see it. */
	log_error("process %u: %s", m->process, e.msg);
	t->n_running--;
	control_started(&t->control, start->number, 0, &e);
	table_fail(t, "a process that runs cannot be served");
}

void table_failed(struct table *t, const struct talk_msg *m)
{
	auto_free struct table_start *start = take_start(t, m->process);
	struct err e = ERR_NONE;

	if (!start)
		return;
	t->n_running--;
	(void) err_set(&e, m->code, "%.*s", (int) m->n_text, m->text);
	control_started(&t->control, start->number, 0, &e);
}

void table_starts_lost(struct table *t)
{
	struct err e = ERR_NONE;

	(void) err_set(&e, ESRCH, "the sandbox has ended");
	while (t->starts) {
		struct table_start *s = t->starts;

		t->starts = s->next;
		t->n_running--;
		control_started(&t->control, s->number, 0, &e);
		free(s);
	}
}

/* ---- life ---- */

int table_signal(struct table *t, const struct session *s, int sig, bool foreground,
		 struct err *e)
{
	const struct talk_msg m = { .kind = TALK_SIGNAL,
				    .process = s->number,
				    .signal = sig,
				    .code = foreground ? TALK_TO_FOREGROUND : TALK_TO_PROCESS };

	return talk_send(t->talk_fd, &m, NULL, 0, e);
}

static void kill_late(void *arg)
{
	struct session *s = arg;
	struct err e = ERR_NONE;

	if (table_signal(s->table, s, SIGKILL, false, &e) < 0)
		log_error("%s", e.msg);
}

void table_hang_up(struct table *t, struct session *s)
{
	struct err e = ERR_NONE;

	/* A stopped process takes the SIGHUP when it goes on. */
	if (table_signal(t, s, SIGHUP, false, &e) < 0 ||
	    table_signal(t, s, SIGCONT, false, &e) < 0)
		log_error("%s", e.msg);
	loop_timer_set(t->loop, &s->due, HANG_UP_MS, kill_late, s);
}

/* ---- end ---- */

static void free_session(void *arg)
{
	session_free(arg);
}

/* Out of the list now, out of memory at the end of the turn, behind its own refresh. */
static void forget(void *arg)
{
	struct session *s = arg;
	struct table *t = s->table;

	if (s->clients) { /* who reads it now may still do so */
		loop_timer_set(t->loop, &s->due, READ_MS, forget, s);
		return;
	}
	for (struct session **at = &t->sessions; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	t->n_kept--;
	log_debug("process %u: forgotten", s->number);
	loop_defer(t->loop, &s->defer, free_session, s);
}

static void forget_oldest(struct table *t)
{
	struct session *oldest = NULL;

	for (struct session *s = t->sessions; s; s = s->next)
		if (s->number != 1 && s->state != SESSION_RUNNING && !s->clients &&
		    (!oldest || s->draining_ms < oldest->draining_ms))
			oldest = s;
	if (!oldest)
		return;
	loop_timer_del(&oldest->due);
	forget(oldest);
}

void table_exit_read(struct table *t, struct session *s)
{
	if (s->number == 1 || s->state == SESSION_RUNNING || s->exit_read)
		return;
	s->exit_read = true;
	loop_timer_set(t->loop, &s->due, READ_MS, forget, s);
}

static enum end_reason reason_of(const struct table *t, const struct session *s,
				 const struct talk_msg *m)
{
	if (t->ending)
		return t->end_reason;
	if (s->timed_out)
		return END_TIMEOUT;
	return m->reason < END_ERROR ? (enum end_reason) m->reason : END_ERROR;
}

void table_process_ended(struct table *t, struct session *s, const struct talk_msg *m)
{
	if (s->state != SESSION_RUNNING)
		return;
	s->cpu_ns = m->cpu_ns;
	s->memory_peak = m->memory_peak;
	s->oom_kills = m->oom_kills;
	t->n_running--;
	if (++t->n_kept > KEPT_MAX)
		forget_oldest(t);
	loop_timer_set(t->loop, &s->due, KEEP_MS, forget, s);
	session_ended(s, reason_of(t, s, m), m->code, m->signal);
}

/* ---- hand-over ---- */

/* By their number in the state: append only. */
static void (*const dues[])(void *arg) = { NULL, timed_out, kill_late, forget };

void table_due_save(const struct session *s, struct pack *p)
{
	uint8_t what = 0;

	for (size_t i = 1; s->due.due_ns && i < ARRAY_SIZE(dues); i++)
		if (s->due.fn == dues[i])
			what = (uint8_t) i;
	pack_u8(p, what);
	pack_u64(p, s->due.due_ns);
}

void table_due_restore(struct session *s, struct unpack *u)
{
	uint8_t what = unpack_u8_to(u, ARRAY_SIZE(dues) - 1, "what a process is due to");
	uint64_t due_ns = unpack_u64(u);

	if (unpack_failed(u) || !what)
		return;
	if (s->number == 1 || (dues[what] == forget) != (s->state != SESSION_RUNNING)) {
		(void) unpack_refuse(u, "process %u is due to what cannot be", s->number);
		return;
	}
	loop_timer_set_ns(s->table->loop, &s->due, due_ns, dues[what], s);
}
