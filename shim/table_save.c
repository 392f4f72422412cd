/* The table of processes on its way to another program. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/orders.h"
#include "shim/table.h"
#include "shim/talk.h"

/* More than there can be: those that run, those that are kept, those that a client still reads. */
enum { SESSIONS_MAX = 512 };

int table_may_hand_over(const struct table *t, const char **code, struct err *e)
{
	*code = "limit";
	if (table_first(t)->state != SESSION_RUNNING || t->ending) {
		*code = "gone";
		return err_set(e, ESRCH, "sandbox %s is ending", t->orders->id);
	}
	if (t->starts)
		return err_set(e, EBUSY, "a process is starting; try again");
	if (t->freeze != FREEZE_NONE)
		return err_set(e, EBUSY, "it is being paused or resumed; try again");
	if (t->scan.renew.state != RENEW_NONE)
		return err_set(e, EBUSY, "its policy scanner is being renewed; try again");
	if (t->scan.broken) {
		*code = "gone";
		return err_set(e, ESRCH, "the policy scanner of sandbox %s has ended",
			       t->orders->id);
	}
	return 0;
}

int table_upgrade(struct table *t, const char *program, bool force, const char **code,
		  struct err *e)
{
	struct talk_msg m = { .kind = TALK_UPGRADE, .code = force };
	size_t n = program ? strlen(program) : 0;

	*code = "limit";
	if (t->upgrading)
		return err_set(e, EBUSY, "an upgrade is under way already");
	if (table_may_hand_over(t, code, e) < 0)
		return -1;
	if (program && (program[0] != '/' || n > TALK_PROGRAM)) {
		*code = "invalid";
		return err_set(e, EINVAL,
			       "program: \"%.64s\" is no absolute path of at most %d bytes",
			       program, TALK_PROGRAM);
	}
	memcpy(m.text, program ? program : "", n);
	m.n_text = (uint32_t) n;
	if (talk_send(t->talk_fd, &m, NULL, 0, e) < 0)
		return -1;
	t->upgrading = true;
	return 0;
}

void table_upgraded(struct table *t, const struct talk_msg *m)
{
	struct err e = ERR_NONE;

	t->upgrading = false;
	if (m->n_text > 0)
		(void) err_set(&e, m->code, "%.*s", (int) m->n_text, m->text);
	control_upgraded(&t->control, m->n_text > 0 ? &e : NULL, false);
}

void table_save(const struct table *t, struct pack *p)
{
	uint32_t n = 0;

	for (const struct session *s = t->sessions; s; s = s->next)
		n++;
	pack_tag(p, "tabl");
	pack_bool(p, t->paused);
	pack_u32(p, t->next_process);
	pack_u32(p, t->next_client);
	pack_bool(p, t->ever_attached);
	pack_u64(p, t->pinged_ms);
	scan_link_save(&t->scan, p);
	pack_u32(p, n);
	for (const struct session *s = t->sessions; s; s = s->next)
		session_save(s, p);
	timers_save(&t->timers, p);
	control_save(&t->control, p);
	pack_tag(p, "end.");
}

/* One more; what can be counted is. */
static int add(struct table *t, struct session *s, struct session **last, struct unpack *u)
{
	if ((*last ? s->number <= (*last)->number : s->number != 1) ||
	    s->number >= t->next_process) {
		session_free(s);
		return unpack_refuse(u, "processes that are out of order");
	}
	if (*last)
		(*last)->next = s;
	else
		t->sessions = s;
	*last = s;
	t->n_clients += s->n_clients;
	if (s->number != 1 && s->state == SESSION_RUNNING)
		t->n_running++;
	else if (s->number != 1)
		t->n_kept++;
	return 0;
}

static int restore_sessions(struct table *t, struct unpack *u)
{
	uint32_t n = unpack_u32_to(u, SESSIONS_MAX, "processes");
	struct session *last = NULL;

	while (n-- > 0 && !unpack_failed(u)) {
		struct session *s = session_restore(t, u);

		if (!s || add(t, s, &last, u) < 0)
			return -1;
	}
	if (!unpack_failed(u) && (!t->sessions || t->sessions->state != SESSION_RUNNING))
		return unpack_refuse(u, "a sandbox whose first process does not run");
	return unpack_failed(u) ? -1 : 0;
}

int table_restore(struct table *t, const struct table_spec *spec, struct unpack *u)
{
	*t = (struct table){ .loop = spec->loop,
			     .orders = spec->orders,
			     .talk_fd = spec->talk_fd };
	unpack_tag(u, "tabl");
	t->paused = unpack_bool(u);
	t->next_process = unpack_u32(u);
	t->next_client = unpack_u32(u);
	t->ever_attached = unpack_bool(u);
	t->pinged_ms = unpack_u64(u);
	scan_link_restore(&t->scan, t, spec->orders->policy.program != NULL, u);
	if (restore_sessions(t, u) < 0)
		return -1;
	timers_restore(&t->timers, t, u);
	if (control_restore(&t->control, t, u) < 0)
		return -1;
	unpack_tag(u, "end.");
	return unpack_failed(u) ? -1 : 0;
}

int table_go_on(struct table *t, struct err *e)
{
	if (table_hear(t, e) < 0 || scan_link_go_on(&t->scan, e) < 0 ||
	    control_go_on(&t->control, e) < 0)
		return -1;
	for (struct session *s = t->sessions; s; s = s->next)
		if (session_go_on(s, e) < 0)
			return -1;
	control_upgraded(&t->control, NULL, true);
	return 0;
}
