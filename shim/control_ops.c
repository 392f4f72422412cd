#include "shim/control_ops.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "shim/control.h"
#include "shim/control_call.h"
#include "shim/handover.h"
#include "shim/orders.h"
#include "shim/proto.h"
#include "shim/session.h"
#include "shim/table.h"
#include "version.h"

static int decode_since(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	struct args *a = out;

	a->has_since = true;
	return json_decode_u64(v, at, &a->since, e);
}

static int decode_lifetime(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	struct args *a = out;

	a->has_lifetime = true;
	return json_decode_u64(v, at, &a->lifetime_ms, e);
}

static const struct json_field arg_fields[] = {
	{ "op", json_decode_str, offsetof(struct args, op), JSON_REQUIRED },
	{ "framing", json_decode_str, offsetof(struct args, framing), JSON_NULL_IS_ABSENT },
	{ "protocol", json_decode_str, offsetof(struct args, protocol), JSON_NULL_IS_ABSENT },
	{ "role", json_decode_str, offsetof(struct args, role), JSON_NULL_IS_ABSENT },
	{ "client", json_decode_str, offsetof(struct args, client), JSON_NULL_IS_ABSENT },
	{ "reason", json_decode_str, offsetof(struct args, reason), JSON_NULL_IS_ABSENT },
	{ "since", decode_since, 0, JSON_NULL_IS_ABSENT },
	{ "lifetime_ms", decode_lifetime, 0, JSON_NULL_IS_ABSENT },
	{ "to", json_decode_str, offsetof(struct args, to), JSON_NULL_IS_ABSENT },
	{ "args", json_decode_strv, offsetof(struct args, args), JSON_NULL_IS_ABSENT },
	{ "env", json_decode_strv, offsetof(struct args, env), JSON_NULL_IS_ABSENT },
	{ "cwd", json_decode_str, offsetof(struct args, cwd), JSON_NULL_IS_ABSENT },
	{ "user", json_decode_str, offsetof(struct args, user), JSON_NULL_IS_ABSENT },
	{ "tag", json_decode_str, offsetof(struct args, tag), JSON_NULL_IS_ABSENT },
	{ "terminal", json_decode_bool, offsetof(struct args, terminal), JSON_NULL_IS_ABSENT },
	{ "input", json_decode_bool, offsetof(struct args, input), JSON_NULL_IS_ABSENT },
	{ "timeout_ms", json_decode_u64, offsetof(struct args, timeout_ms),
	  JSON_NULL_IS_ABSENT },
	{ "cols", json_decode_u32, offsetof(struct args, cols), JSON_NULL_IS_ABSENT },
	{ "rows", json_decode_u32, offsetof(struct args, rows), JSON_NULL_IS_ABSENT },
	{ "signal", json_decode_u32, offsetof(struct args, signal), JSON_NULL_IS_ABSENT },
	{ "process", json_decode_u32, offsetof(struct args, process), JSON_NULL_IS_ABSENT },
	{ "program", json_decode_str, offsetof(struct args, program), JSON_NULL_IS_ABSENT },
	{ "force", json_decode_bool, offsetof(struct args, force), JSON_NULL_IS_ABSENT },
	{ "takeover", json_decode_bool, offsetof(struct args, takeover), JSON_NULL_IS_ABSENT },
	{ "read_only", json_decode_bool, offsetof(struct args, read_only),
	  JSON_NULL_IS_ABSENT },
};

int call_check_size(const struct args *a, struct err *e)
{
	if (a->cols < 1 || a->cols > PROTO_MAX_SIZE || a->rows < 1 || a->rows > PROTO_MAX_SIZE)
		return err_set(e, EINVAL, "cols %u, rows %u: both must be 1 to %d", a->cols,
			       a->rows, PROTO_MAX_SIZE);
	return 0;
}

static int one_of(const char *field, const char *value, const char *first, const char *second,
		  int *out, struct err *e)
{
	if (!value || (strcmp(value, first) != 0 && strcmp(value, second) != 0))
		return err_set(e, EINVAL, "%s: must be \"%s\" or \"%s\"", field, first, second);
	*out = strcmp(value, second) == 0;
	return 0;
}

/* carrel.v1 unless another is named. */
static int take_dialect(const struct args *a, struct attach *out, struct err *e)
{
	out->dialect = a->protocol ? dialect_find(a->protocol) : &dialect_carrel;
	if (!out->dialect)
		return err_set(e, EINVAL, "protocol: \"%.32s\" is not known", a->protocol);
	if (out->framing == CLIENT_PACKET && !out->dialect->packets)
		return err_set(e, EINVAL, "protocol: %s is spoken over a WebSocket only",
			       out->dialect->name);
	return 0;
}

static int do_attach(struct call *c, struct err *e)
{
	const struct args *a = c->args;
	struct attach attach = { .has_since = a->has_since,
				 .since = a->since,
				 .takeover = a->takeover,
				 .read_only = a->read_only,
				 .early = c->req->extra,
				 .n_early = c->req->n_extra };
	uint32_t number = 0;
	int framing, role = CLIENT_WRITER, r;

	if (one_of("framing", a->framing, "ws", "packet", &framing, e) < 0 ||
	    (a->role && one_of("role", a->role, "writer", "viewer", &role, e) < 0))
		return -1;
	if ((a->cols || a->rows) && call_check_size(a, e) < 0)
		return -1;
	if (a->read_only && (!role || a->takeover))
		return err_set(e, EINVAL,
			       "read_only: is for the role viewer, without takeover");
	attach.framing = framing ? CLIENT_PACKET : CLIENT_WS;
	if (take_dialect(a, &attach, e) < 0)
		return -1;
	if (c->n_fds != 1)
		return err_set(e, EINVAL, "attach: %zu descriptors where one socket belongs",
			       c->n_fds);
	attach.role = role ? CLIENT_VIEWER : CLIENT_WRITER;
	attach.cols = (uint16_t) a->cols;
	attach.rows = (uint16_t) a->rows;
	attach.fd = take_fd(&c->fds[0]);
	r = session_attach(c->session, &attach, &number, &c->code, e);
	fd_close(&attach.fd);
	if (r < 0)
		return -1;
	log_info("client %u: attached as %s, %s%s%s", number,
		 a->read_only ? "viewer for good"
		 : role	      ? "viewer"
			      : "writer",
		 attach.dialect->name, a->client ? ", " : "", a->client ? a->client : "");
	jw_uint(c->answer, "client", number);
	return 0;
}

static void write_client(struct json_writer *w, const struct session *s, const struct client *c)
{
	jw_object(w, NULL);
	jw_uint(w, "client", c->number);
	jw_str(w, "protocol", c->dialect->name);
	jw_str(w, "role", c->role == CLIENT_WRITER ? "writer" : "viewer");
	jw_bool(w, "pen", s->pen == c->number);
	if (c->rtt_ms == UINT32_MAX)
		jw_null(w, "rtt_ms");
	else
		jw_uint(w, "rtt_ms", c->rtt_ms);
	jw_uint(w, "behind", client_behind(c));
	jw_close(w);
}

/* As many as an answer has room for. */
static void write_clients(struct json_writer *w, const struct session *s)
{
	unsigned room = CONTROL_ANSWER_BYTES / 2 / 128;

	jw_array(w, "attached");
	for (const struct client *c = s->clients; c && room-- > 0; c = c->next)
		write_client(w, s, c);
	jw_close(w);
}

static int do_info(struct call *c, struct err *e)
{
	const struct session *s = c->session;
	const struct timers *timers = &c->table->timers;
	const char *policy = orders_policy_name(c->table->orders);
	uint64_t left = timers_lifetime_left_ms(timers);

	jw_uint(c->answer, "process", s->number);
	jw_str(c->answer, "state", call_state(s));
	jw_int(c->answer, "pid", s->pid);
	jw_uint(c->answer, "cols", s->cols);
	jw_uint(c->answer, "rows", s->rows);
	jw_uint(c->answer, "oldest", s->ring.oldest);
	jw_uint(c->answer, "next", s->ring.next);
	jw_uint(c->answer, "clients", s->number == 1 ? c->table->n_clients : s->n_clients);
	if (policy)
		jw_str(c->answer, "policy", policy);
	if (s->recording.size > 0)
		jw_str(c->answer, "recording", s->recording.ended ? s->recording.ended : "on");
	jw_uint(c->answer, "idle_ms", timers_idle_ms(timers));
	if (left == UINT64_MAX)
		jw_null(c->answer, "lifetime_left_ms");
	else
		jw_uint(c->answer, "lifetime_left_ms", left);
	jw_str(c->answer, "version", CARREL_VERSION);
	jw_str(c->answer, "build", handover_build().s);
	write_clients(c->answer, s);
	return 0;
}

int call_must_run(struct call *c, struct err *e)
{
	if (c->session->state == SESSION_RUNNING)
		return 0;
	c->code = "gone";
	if (c->session->number != 1)
		return err_set(e, ESRCH, "process %u has ended", c->session->number);
	return err_set(e, ESRCH, "sandbox %s has ended", c->table->orders->id);
}

static int do_resize(struct call *c, struct err *e)
{
	if (call_must_run(c, e) < 0 || call_check_size(c->args, e) < 0)
		return -1;
	return session_resize(c->session, c->args->cols, c->args->rows, e);
}

static int do_input(struct call *c, struct err *e)
{
	if (call_must_run(c, e) < 0)
		return -1;
	if (session_input(c->session, c->req->extra, c->req->n_extra, e) < 0) {
		c->code = e->code == ENOBUFS ? "limit" : "gone";
		return -1;
	}
	return 0;
}

static int do_signal(struct call *c, struct err *e)
{
	const struct args *a = c->args;
	int foreground = 0;

	if (call_must_run(c, e) < 0)
		return -1;
	if (a->signal < 1 || a->signal > 64)
		return err_set(e, EINVAL, "signal: %u is not within 1 to 64", a->signal);
	if (a->to && one_of("to", a->to, "process", "foreground", &foreground, e) < 0)
		return -1;
	if (foreground && !c->session->terminal)
		return err_set(e, EINVAL, "to: process %u has no terminal", c->session->number);
	return table_signal(c->table, c->session, (int) a->signal, foreground, e);
}

static int do_extend(struct call *c, struct err *e)
{
	uint64_t left;

	if (call_must_run(c, e) < 0)
		return -1;
	if (!c->args->has_lifetime || c->args->lifetime_ms > 366ull * 24 * 3600 * 1000)
		return err_set(e, EINVAL, "lifetime_ms: must be a number of at most 366 days");
	timers_extend(&c->table->timers, c->args->lifetime_ms);
	timers_activity(&c->table->timers, clock_mono_ms()); /* somebody wants it */
	left = timers_lifetime_left_ms(&c->table->timers);
	if (left == UINT64_MAX)
		jw_null(c->answer, "lifetime_left_ms");
	else
		jw_uint(c->answer, "lifetime_left_ms", left);
	return 0;
}

static int do_end(struct call *c, struct err *e)
{
	if (c->session->number != 1)
		return call_end_process(c, e);
	if (c->args->reason && strcmp(c->args->reason, "deleted") != 0)
		return err_set(e, EINVAL,
			       "reason: \"%.32s\": only \"deleted\" can be asked for",
			       c->args->reason);
	table_end(c->table, END_DELETED);
	if (c->table->gone)
		return 0;
	c->peer->waits_end = true;
	c->later = true;
	return 0;
}

static int do_wait(struct call *c, struct err *e)
{
	if (c->args->process)
		return call_wait_process(c, e);
	if (c->table->gone)
		return 0; /* control_do adds the exit */
	c->peer->waits_exit = true;
	c->later = true;
	return 0;
}

static const struct op {
	const char *name;
	int (*run)(struct call *c, struct err *e);
} ops[] = {
	{ "attach", do_attach },     { "info", do_info },
	{ "resize", do_resize },     { "input", do_input },
	{ "signal", do_signal },     { "extend", do_extend },
	{ "end", do_end },	     { "wait", do_wait },
	{ "exec", call_exec },	     { "processes", call_processes },
	{ "pause", call_pause },     { "resume", call_resume },
	{ "upgrade", call_upgrade },
};

void control_refuse(struct buf *text, const char *code, const struct err *why)
{
	auto_json_writer struct json_writer *w = json_writer_new(text, false);
	struct err e = ERR_NONE;

	buf_clear(text);
	jw_object(w, NULL);
	jw_bool(w, "ok", false);
	jw_str(w, "error", why->msg);
	jw_str(w, "code", code);
	jw_close(w);
	if (json_writer_end(w, &e) < 0)
		log_error("shim.sock: answer: %s", e.msg);
}

void control_end_answer(const struct table *t, bool with_exit, struct buf *text)
{
	struct err e = ERR_NONE;
	const char *json = t->exit_json[0] ? t->exit_json : "null";

	/* exit.json's text is JSON already: it goes in as it is. */
	if (buf_printf(text, &e, with_exit ? "{\"ok\":true,\"exit\":%s}" : "{\"ok\":true}",
		       json) < 0)
		log_error("shim.sock: answer: %s", e.msg);
}

static int run_op(struct call *c, struct err *e)
{
	const uint32_t number = c->args->process ? c->args->process : 1;

	c->session = table_find(c->table, number);
	if (!c->session) {
		c->code = "not_found";
		return err_set(e, ENOENT, "process: there is none with number %u", number);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(ops[i].name, c->args->op) == 0) {
			int r = ops[i].run(c, e);

			return r < 0 ? err_wrap(e, "%s", ops[i].name) : r;
		}
	return err_set(e, EINVAL, "op: \"%.32s\" is not known", c->args->op);
}

enum control_result control_do(struct control_peer *p, const struct control_request *req,
			       int *fds, size_t n_fds, struct buf *text)
{
	auto_json_writer struct json_writer *w = json_writer_new(text, false);
	struct args args = { 0 };
	struct call call = { .table = p->control->table,
			     .peer = p,
			     .args = &args,
			     .req = req,
			     .fds = fds,
			     .n_fds = n_fds,
			     .answer = w,
			     .code = "invalid" };
	struct err e = ERR_NONE;
	int r;

	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	r = json_decode_object(json_root(req->doc), NULL, arg_fields, ARRAY_SIZE(arg_fields),
			       JSON_UNKNOWN_REJECT, &args, &e);
	if (r == 0)
		r = run_op(&call, &e);
	free(args.args);
	free(args.env);
	if (r < 0) {
		control_refuse(text, call.code, &e);
		return CONTROL_ANSWERED;
	}
	if (call.later)
		return CONTROL_LATER;
	if (strcmp(args.op, "wait") == 0 && !args.process) {
		buf_clear(text);
		control_end_answer(call.table, true, text);
		return CONTROL_ANSWERED;
	}
	jw_close(w);
	if (json_writer_end(w, &e) < 0)
		control_refuse(text, "invalid", &e);
	return CONTROL_ANSWERED;
}
