/* The requests about processes besides the first. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "shim/control.h"
#include "shim/control_call.h"
#include "shim/control_ops.h"
#include "shim/handover.h"
#include "shim/table.h"
#include "version.h"

static const uint64_t timeout_max_ms = 366ull * 24 * 3600 * 1000;

static int check_tag(const char *tag, struct err *e)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-";
	size_t n = strlen(tag);

	if (n > SESSION_TAG || strspn(tag, allowed) != n)
		return err_set(
			e, EINVAL,
			"tag: \"%.64s\" is not at most %d letters, digits, '_', '.', ':' "
			"or '-'",
			tag, SESSION_TAG);
	return 0;
}

int call_exec(struct call *c, struct err *e)
{
	const char *none[] = { NULL };
	const struct args *a = c->args;
	struct table_exec x = { .order = { .args = a->args ? a->args : none,
					   .env = a->env,
					   .cwd = a->cwd,
					   .user = a->user,
					   .terminal = a->terminal,
					   .cols = 80,
					   .rows = 24 },
				.tag = a->tag,
				.timeout_ms = a->timeout_ms,
				.input = a->input };
	uint32_t number;

	if ((a->cols || a->rows) && call_check_size(a, e) < 0)
		return -1;
	if (a->tag && check_tag(a->tag, e) < 0)
		return -1;
	if (a->timeout_ms > timeout_max_ms)
		return err_set(e, EINVAL, "timeout_ms: more than 366 days");
	if (a->cols) {
		x.order.cols = (uint16_t) a->cols;
		x.order.rows = (uint16_t) a->rows;
	}
	if (table_exec(c->table, &x, &number, &c->code, e) < 0)
		return -1;
	c->peer->waits_start = number;
	c->later = true;
	return 0;
}

const char *call_state(const struct session *s)
{
	if (s->state != SESSION_RUNNING)
		return "ended";
	return s->table->paused ? "paused" : "running";
}

static void write_exit(struct json_writer *w, const struct session *s)
{
	jw_object(w, "exit");
	jw_str(w, "reason", end_reason_name(s->reason));
	jw_int(w, "code", s->exit_code);
	jw_int(w, "signal", s->exit_signal);
	jw_uint(w, "oom_kills", s->oom_kills);
	jw_object(w, "usage");
	jw_uint(w, "cpu_ns", s->cpu_ns);
	jw_uint(w, "memory_peak", s->memory_peak);
	jw_uint(w, "output_bytes", s->ring.next);
	jw_uint(w, "input_bytes", s->input_bytes);
	jw_close(w);
	jw_close(w);
}

int call_processes(struct call *c, struct err *e)
{
	jw_array(c->answer, "processes");
	for (const struct session *s = c->table->sessions; s; s = s->next) {
		jw_object(c->answer, NULL);
		jw_uint(c->answer, "process", s->number);
		jw_str(c->answer, "tag", s->tag);
		jw_int(c->answer, "pid", s->pid);
		jw_str(c->answer, "state", call_state(s));
		jw_bool(c->answer, "terminal", s->terminal);
		jw_uint(c->answer, "cols", s->cols);
		jw_uint(c->answer, "rows", s->rows);
		jw_uint(c->answer, "clients", s->n_clients);
		if (s->state != SESSION_RUNNING && s->number != 1)
			write_exit(c->answer, s);
		jw_close(c->answer);
	}
	jw_close(c->answer);
	return 0;
}

int call_wait_process(struct call *c, struct err *e)
{
	struct session *s = c->session;

	if (s->number == 1)
		return err_set(e, EINVAL, "process: wait without it for the sandbox's end");
	if (s->state != SESSION_FLUSHING) {
		c->peer->waits_process = s->number;
		c->later = true;
		return 0;
	}
	write_exit(c->answer, s);
	table_exit_read(c->table, s);
	return 0;
}

int call_end_process(struct call *c, struct err *e)
{
	if (c->session->state == SESSION_RUNNING)
		table_hang_up(c->table, c->session);
	return 0;
}

static int freeze(struct call *c, bool on, struct err *e)
{
	if (call_must_run(c, e) < 0 || table_freeze(c->table, on, &c->code, e) < 0)
		return -1;
	c->peer->waits_freeze = true;
	c->later = true;
	return 0;
}

int call_pause(struct call *c, struct err *e)
{
	return freeze(c, true, e);
}

int call_resume(struct call *c, struct err *e)
{
	return freeze(c, false, e);
}

int call_upgrade(struct call *c, struct err *e)
{
	if (table_upgrade(c->table, c->args->program, c->args->force, &c->code, e) < 0)
		return -1;
	c->peer->waits_upgrade = true;
	c->later = true;
	return 0;
}

/* ---- answers that were owed ---- */

static void finish(struct json_writer *w, struct buf *text)
{
	struct err e = ERR_NONE;

	jw_close(w);
	if (json_writer_end(w, &e) < 0)
		control_refuse(text, "invalid", &e);
}

/* What the runtime could not do is the request's fault, or its sandbox's: the words say which. */
static const char *code_of(const struct err *why)
{
	switch (why->code) {
	case ESRCH:
		return "gone";
	case EAGAIN:
	case EBUSY:
	case ETIMEDOUT:
		return "limit";
	default:
		return "invalid";
	}
}

void control_started_answer(uint32_t number, int32_t pid, const struct err *why,
			    struct buf *text)
{
	auto_json_writer struct json_writer *w = NULL;

	if (why) {
		control_refuse(text, code_of(why), why);
		return;
	}
	w = json_writer_new(text, false);
	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	jw_uint(w, "process", number);
	jw_int(w, "pid", pid);
	finish(w, text);
}

void control_frozen_answer(const struct err *why, struct buf *text)
{
	struct err e = ERR_NONE;

	if (why)
		control_refuse(text, code_of(why), why);
	else if (buf_puts(text, "{\"ok\":true}", &e) < 0)
		log_error("shim.sock: answer: %s", e.msg);
}

void control_upgraded_answer(const struct err *why, bool changed, struct buf *text)
{
	auto_json_writer struct json_writer *w = NULL;

	if (why) {
		control_refuse(text, code_of(why), why);
		return;
	}
	w = json_writer_new(text, false);
	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	jw_bool(w, "upgraded", changed);
	jw_str(w, "version", CARREL_VERSION);
	jw_str(w, "build", handover_build().s);
	finish(w, text);
}

void control_exit_answer(const struct session *s, struct buf *text)
{
	auto_json_writer struct json_writer *w = json_writer_new(text, false);

	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	write_exit(w, s);
	finish(w, text);
}
