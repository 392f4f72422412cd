#include "shim/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/orders.h"
#include "shim/table_exec.h"
#include "shim/talk.h"

enum {
	PING_MS = 15000, /* proxies end connections that are silent for a minute */
	FIRST_CLIENT_MS =
		2000, /* output of a program that was quicker than its first client waits */
	SOON_MS = 250,
};

struct session *table_find(const struct table *t, uint32_t number)
{
	for (struct session *s = t->sessions; s; s = s->next)
		if (s->number == number)
			return s;
	return NULL;
}

/* ---- the end ---- */

/* All output of all processes is in its history: the totals go into exit.json. */
static void check_drained(struct table *t)
{
	struct talk_msg m = { .kind = TALK_DRAINED };
	struct err e = ERR_NONE;

	for (const struct session *s = t->sessions; s; s = s->next) {
		if (s->state != SESSION_FLUSHING)
			return;
		m.output_bytes += s->ring.next;
		m.input_bytes += s->input_bytes;
	}
	if (table_first(t)->state != SESSION_FLUSHING || t->drained)
		return;
	t->drained = true;
	if (!t->janitor_gone && talk_send(t->talk_fd, &m, NULL, 0, &e) < 0)
		log_error("%s", e.msg);
}

void table_drained(struct table *t, struct session *s)
{
	if (s->number != 1 && control_exited(&t->control, s))
		table_exit_read(t, s);
	check_drained(t);
}

static void check_done(struct table *t)
{
	const struct session *first = table_first(t);
	bool by_itself = first->reason == END_EXITED || first->reason == END_SIGNALLED ||
			 first->reason == END_OOM;

	if (first->state != SESSION_FLUSHING || t->n_clients > 0 ||
	    (!t->gone && !t->janitor_gone))
		return;
	if (by_itself && !t->ever_attached && !t->janitor_gone &&
	    clock_mono_ms() - first->flushing_ms < FIRST_CLIENT_MS)
		return;
	loop_stop(t->loop);
}

static void end_for(struct table *t, enum end_reason reason, const char *why)
{
	struct talk_msg m = { .kind = TALK_END, .reason = reason };
	struct err e = ERR_NONE;

	if (t->ending || (table_first(t) && table_first(t)->state != SESSION_RUNNING)) {
		if (reason == END_DELETED)
			t->ever_attached = true; /* nobody will come to fetch the output */
		table_look(t);
		return;
	}
	log_info("end: %s", end_reason_name(reason));
	t->ending = true;
	t->end_reason = reason;
	(void) snprintf(m.text, sizeof(m.text), "%s", why);
	m.n_text = (uint32_t) strlen(m.text);
	if (talk_send(t->talk_fd, &m, NULL, 0, &e) < 0)
		log_error("%s", e.msg);
}

void table_end(struct table *t, enum end_reason reason)
{
	end_for(t, reason, "");
}

void table_fail(struct table *t, const char *why)
{
	log_error("%s", why);
	end_for(t, END_ERROR, why);
}

/* ---- the janitor ---- */

/* Process 1 is dead, or the janitor: so is everything. */
static void all_exited(struct table *t, enum end_reason reason, int code, int signal)
{
	timers_stop(&t->timers);
	for (struct session *s = t->sessions; s; s = s->next)
		session_ended(s, reason, code, signal);
	table_starts_lost(t);
	table_look(t);
}

static void exited(struct table *t, const struct talk_msg *m)
{
	enum end_reason reason = MIN(m->reason, (uint32_t) END_ERROR);
	struct session *s = table_find(t, m->process);

	if (m->process == 1)
		all_exited(t, reason, m->code, m->signal);
	else if (s)
		table_process_ended(t, s, m);
}

int table_freeze(struct table *t, bool freeze, const char **code, struct err *e)
{
	const struct talk_msg m = { .kind = freeze ? TALK_PAUSE : TALK_RESUME };

	*code = "limit";
	if (t->freeze != FREEZE_NONE)
		return err_set(e, EBUSY, "it is being paused or resumed");
	if (t->upgrading)
		return err_set(e, EBUSY, "it is being upgraded; try again");
	if (freeze && t->starts)
		return err_set(e, EBUSY, "a process is starting");
	if (talk_send(t->talk_fd, &m, NULL, 0, e) < 0)
		return -1;
	t->freeze = freeze ? FREEZE_PAUSING : FREEZE_RESUMING;
	return 0;
}

static void frozen(struct table *t, const struct talk_msg *m)
{
	bool freeze = m->kind == TALK_PAUSED, failed = m->n_text > 0;
	struct err e = ERR_NONE;

	t->freeze = FREEZE_NONE;
	if (failed)
		(void) err_set(&e, m->code, "%.*s", (int) m->n_text, m->text);
	else {
		t->paused = freeze;
		freeze ? timers_pause(&t->timers) : timers_resume(&t->timers);
	}
	control_frozen(&t->control, failed ? &e : NULL);
}

/* Takes the descriptors that it wants. */
static void take(struct table *t, const struct talk_msg *m, int fds[TALK_FDS], size_t n_fds)
{
	switch (m->kind) {
	case TALK_STARTED:
		table_started(t, m, fds, n_fds);
		break;
	case TALK_FAILED:
		table_failed(t, m);
		break;
	case TALK_EXITED:
		exited(t, m);
		break;
	case TALK_PAUSED:
	case TALK_RESUMED:
		frozen(t, m);
		break;
	case TALK_HANDOVER:
		/* Not in the middle of a turn, in which others go on: the loop's owner hands over. */
		t->handover_asked = true;
		loop_stop(t->loop);
		break;
	case TALK_UPGRADED:
		table_upgraded(t, m);
		break;
	case TALK_ENDED:
		memcpy(t->exit_json, m->text,
		       MIN((size_t) m->n_text, sizeof(t->exit_json) - 1));
		t->gone = true;
		control_ended(&t->control);
		table_look(t);
		break;
	default:
		log_error("the janitor said %s, which has no meaning here", talk_name(m->kind));
	}
}

static void talk_ready(void *arg, uint32_t events)
{
	struct table *t = arg;
	int fds[TALK_FDS];
	struct err e = ERR_NONE;
	struct talk_msg m;
	size_t n_fds;
	int r = talk_recv(t->talk_fd, &m, fds, &n_fds, &e);

	if (r < 0 && e.code == EAGAIN)
		return;
	if (r <= 0) {
		log_error("the janitor is dead%s%s", r < 0 ? ": " : "", r < 0 ? e.msg : "");
		t->janitor_gone = true;
		loop_io_del(&t->talk_io);
		all_exited(t, END_ERROR, 0, 0);
		return;
	}
	take(t, &m, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
}

int table_hear(struct table *t, struct err *e)
{
	if (fd_set_nonblock(t->talk_fd, true, e) < 0)
		return -1;
	return loop_io_add(t->loop, &t->talk_io, t->talk_fd, EPOLLIN, talk_ready, t, e);
}

/* ---- time ---- */

static void tick(void *arg)
{
	struct table *t = arg;
	uint64_t now = clock_mono_ms();
	bool ping = now - t->pinged_ms >= PING_MS;

	if (ping)
		t->pinged_ms = now;
	for (struct session *s = t->sessions; s; s = s->next)
		session_tick(s, ping, now);
	table_look(t);
}

/* The next look is soon while something is ending, at the next ping while there are clients, and never in
 * terminals that nobody watches: they do not wake the processor. */
static void arm_tick(struct table *t)
{
	bool soon = table_first(t)->state != SESSION_RUNNING, wanted = soon;
	uint64_t due;

	for (const struct session *s = t->sessions; s; s = s->next)
		wanted |= session_wants_tick(s, &soon);
	if (!wanted) {
		loop_timer_del(&t->tick);
		return;
	}
	due = clock_mono_ns() + (uint64_t) (soon ? SOON_MS : PING_MS) * 1000000;
	if (t->tick.due_ns == 0 || due < t->tick.due_ns)
		loop_timer_set_ns(t->loop, &t->tick, due, tick, t);
}

void table_look(struct table *t)
{
	if (!table_first(t))
		return;
	arm_tick(t);
	check_done(t);
}

void table_notice(struct table *t, const char *kind, uint64_t seconds_left)
{
	for (struct session *s = t->sessions; s; s = s->next)
		session_notice(s, kind, seconds_left);
}

void table_client_came(struct table *t)
{
	t->n_clients++;
	t->ever_attached = true;
	timers_clients(&t->timers, true);
}

void table_client_went(struct table *t)
{
	t->n_clients--;
	if (t->n_clients == 0 && table_first(t)->state == SESSION_RUNNING)
		timers_clients(&t->timers, false);
}

/* ---- life ---- */

static int start_recording(struct table *t, int fd, struct err *e)
{
	const struct recording_spec spec = { .fd = fd,
					     .max_bytes = t->orders->recording.max_bytes,
					     .cols = (uint16_t) t->orders->cols,
					     .rows = (uint16_t) t->orders->rows,
					     .title = t->orders->id,
					     .real_ms = clock_real_ms(),
					     .now_ms = clock_mono_ms() };

	return fd <= 0 ? 0 : recording_init(&table_first(t)->recording, &spec, e);
}

int table_init(struct table *t, const struct table_spec *spec, struct err *e)
{
	const struct orders *o = spec->orders;
	const struct session_spec first = { .table = t,
					    .number = 1,
					    .pid = spec->pid,
					    .terminal = o->terminal,
					    .cols = (uint16_t) o->cols,
					    .rows = (uint16_t) o->rows,
					    .fds = { spec->fds[0], spec->fds[1] },
					    .err_fd = FD_NONE };

	*t = (struct table){ .loop = spec->loop,
			     .next_process = 2,
			     .orders = o,
			     .talk_fd = spec->talk_fd,
			     .pinged_ms = clock_mono_ms() };
	if (scan_link_init(&t->scan, t, spec->scan_fd, spec->scan_format, spec->scan_log_fd,
			   e) < 0 ||
	    session_new(&first, &t->sessions, e) < 0 ||
	    start_recording(t, spec->recording_fd, e) < 0 || table_hear(t, e) < 0 ||
	    control_init(&t->control, t, spec->listen_fd, e) < 0)
		return -1;
	timers_start(&t->timers, t);
	return 0;
}

void table_fini(struct table *t)
{
	control_fini(&t->control);
	table_starts_lost(t);
	timers_stop(&t->timers);
	loop_timer_del(&t->tick);
	loop_io_del(&t->talk_io);
	while (t->sessions) {
		struct session *s = t->sessions;

		t->sessions = s->next;
		session_free(s);
	}
	scan_link_fini(&t->scan);
}
