#include "sessiond/exec_run.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/sock.h"
#include "base/util.h"
#include "sessiond/cli/link.h"
#include "sessiond/launch_internal.h"

/* The types of carrel.v1 that matter here (docs/protocol.md). */
enum {
	MSG_OUTPUT = 0x01,
	MSG_ERRORS = 0x0a,
	MSG_INPUT = 0x10,
	MSG_ACK = 0x12,
	MSG_INPUT_END = 0x14
};

enum {
	OFFSET_BYTES = 8,
	INPUT_PIECE = 32768,
	INPUT_QUEUED = 65536,
	ACK_EVERY = 65536, /* a quarter of the window */
	START_MS = 15000,  /* above the shim's own limit */
};

struct exec_run {
	struct exec_run *next;
	struct launch *launch;
	char id[65];
	uint32_t process;
	int64_t calls[3]; /* exec, attach, wait; 0: none under way */
	struct link *link;
	struct loop_defer finish;
	int fd; /* ours, until the link has it */
	struct buf input;
	size_t limit;
	uint64_t acked, began_ms;
	bool closed, exited, failed;
	struct exec_result result;
	struct err why;
	exec_run_fn fn;
	void *arg;
};

enum { CALL_EXEC, CALL_ATTACH, CALL_WAIT };

int exec_order(const struct exec_what *x, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "op", "exec");
	jw_strings(w, "args", x->args);
	jw_strings(w, "env", (const char *const *) x->env);
	if (x->cwd)
		jw_str(w, "cwd", x->cwd);
	if (x->user)
		jw_str(w, "user", x->user);
	if (x->tag)
		jw_str(w, "tag", x->tag);
	jw_bool(w, "terminal", x->terminal);
	jw_bool(w, "input", x->input);
	if (x->cols) {
		jw_uint(w, "cols", x->cols);
		jw_uint(w, "rows", x->rows);
	}
	if (x->timeout_ms)
		jw_uint(w, "timeout_ms", x->timeout_ms);
	jw_close(w);
	return json_writer_end(w, e);
}

/* ---- the end ---- */

static void free_run(struct exec_run *r)
{
	struct exec_run **at = &r->launch->runs;

	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
	for (size_t i = 0; i < ARRAY_SIZE(r->calls); i++)
		if (r->calls[i])
			shim_call_forget(r->launch, r->calls[i]);
	link_free(r->link);
	fd_close(&r->fd);
	buf_fini(&r->input);
	buf_fini(&r->result.output);
	buf_fini(&r->result.error);
	free(r);
}

static void finish(void *arg)
{
	struct exec_run *r = arg;

	r->fn(r->arg, r->failed ? NULL : &r->result, r->failed ? &r->why : NULL);
	free_run(r);
}

/* From any handler, also of the link that is to go: at the end of the turn, once. */
static void fail(struct exec_run *r, const struct err *why)
{
	if (!r->failed)
		r->why = *why;
	r->failed = true;
	loop_defer(r->launch->loop, &r->finish, finish, r);
}

static void check_done(struct exec_run *r)
{
	if (r->closed && r->exited)
		loop_defer(r->launch->loop, &r->finish, finish, r);
}

/* ---- the output ---- */

static void keep(struct exec_run *r, struct buf *to, const uint8_t *p, size_t n)
{
	size_t have = buf_len(&r->result.output) + buf_len(&r->result.error);
	size_t room = r->limit > have ? r->limit - have : 0;
	struct err e = ERR_NONE;

	r->result.truncated |= n > room;
	if (buf_append(to, p, MIN(n, room), &e) < 0)
		fail(r, &e);
}

static void acknowledge(struct exec_run *r, uint64_t next)
{
	uint64_t wire = htobe64(next);
	struct err e = ERR_NONE;

	if (next - r->acked < ACK_EVERY)
		return;
	r->acked = next;
	if (link_send(r->link, MSG_ACK, &wire, sizeof(wire), &e) < 0)
		fail(r, &e);
}

static void on_message(void *arg, const uint8_t *p, size_t n)
{
	struct exec_run *r = arg;
	uint64_t offset;

	if ((p[0] != MSG_OUTPUT && p[0] != MSG_ERRORS) || n < 1 + OFFSET_BYTES)
		return;
	memcpy(&offset, p + 1, sizeof(offset));
	n -= 1 + OFFSET_BYTES;
	keep(r, p[0] == MSG_OUTPUT ? &r->result.output : &r->result.error, p + 1 + OFFSET_BYTES,
	     n);
	acknowledge(r, be64toh(offset) + n);
}

static void on_closed(void *arg, unsigned code, const char *reason)
{
	struct exec_run *r = arg;
	struct err e = ERR_NONE;

	r->closed = true;
	if (code == 0) {
		(void) err_set(&e, ECONNRESET, "the shim closed the output%s%s",
			       *reason ? ": " : "", reason);
		fail(r, &e);
		return;
	}
	check_done(r);
}

/* As much input as the link should hold; at its end, the end. */
static void push_input(struct exec_run *r)
{
	struct err e = ERR_NONE;

	while (buf_len(&r->input) > 0 && link_queued(r->link) < INPUT_QUEUED) {
		size_t n = MIN(buf_len(&r->input), (size_t) INPUT_PIECE);

		if (link_send(r->link, MSG_INPUT, buf_bytes(&r->input), n, &e) < 0)
			return; /* its end is seen as such */
		buf_consume(&r->input, n);
		if (buf_len(&r->input) == 0)
			(void) link_send(r->link, MSG_INPUT_END, NULL, 0, &e);
	}
}

static void on_drained(void *arg)
{
	push_input(arg);
}

/* ---- the shim's answers ---- */

static void on_exit_known(void *arg, const struct json *answer, const struct err *err)
{
	struct exec_run *r = arg;
	const struct json *x = json_get(answer, "exit"), *u = json_get(x, "usage");
	struct exec_result *to = &r->result;

	r->calls[CALL_WAIT] = 0;
	if (err) {
		fail(r, err);
		return;
	}
	(void) snprintf(to->reason, sizeof(to->reason), "%s",
			json_str_or(x, "reason", "error"));
	to->code = (int) json_int_or(x, "code", 0);
	to->signal = (int) json_int_or(x, "signal", 0);
	to->oom_kills = (uint32_t) json_int_or(x, "oom_kills", 0);
	to->cpu_ns = (uint64_t) json_int_or(u, "cpu_ns", 0);
	to->memory_peak = (uint64_t) json_int_or(u, "memory_peak", 0);
	to->output_bytes = (uint64_t) json_int_or(u, "output_bytes", 0);
	to->input_bytes = (uint64_t) json_int_or(u, "input_bytes", 0);
	to->ms = clock_mono_ms() - r->began_ms;
	r->exited = true;
	check_done(r);
}

static void on_attached(void *arg, const struct json *answer, const struct err *err)
{
	struct exec_run *r = arg;
	const struct link_receiver to = {
		.message = on_message, .closed = on_closed, .drained = on_drained, .arg = r
	};
	struct err e = ERR_NONE;

	r->calls[CALL_ATTACH] = 0;
	if (err)
		fail(r, err);
	else if (link_packet_new(r->launch->loop, take_fd(&r->fd), &to, &r->link, &e) < 0)
		fail(r, &e);
	else
		push_input(r);
}

static int call(struct exec_run *r, int which, const struct shim_request *rq, shim_answer_fn fn,
		struct err *e)
{
	int64_t n = shim_call(r->launch, r->id, rq, fn, r, e);

	if (n < 0)
		return -1;
	r->calls[which] = n;
	return 0;
}

static int attach(struct exec_run *r, struct err *e)
{
	char text[128];
	struct shim_request rq = { .json = text };
	int ends[2], ret;

	(void) snprintf(text, sizeof(text),
			"{\"op\":\"attach\",\"framing\":\"packet\",\"process\":%u,"
			"\"client\":\"exec\"}",
			r->process);
	if (sock_pair(SOCK_STREAM, ends, e) < 0)
		return -1;
	rq.fd = ends[1];
	r->fd = ends[0];
	ret = call(r, CALL_ATTACH, &rq, on_attached, e);
	fd_close(&ends[1]); /* it was sent along */
	return ret;
}

static int await_exit(struct exec_run *r, struct err *e)
{
	char text[64];
	const struct shim_request rq = { .json = text, .fd = -1, .timeout_ms = UINT_MAX };

	(void) snprintf(text, sizeof(text), "{\"op\":\"wait\",\"process\":%u}", r->process);
	return call(r, CALL_WAIT, &rq, on_exit_known, e);
}

static void on_started(void *arg, const struct json *answer, const struct err *err)
{
	struct exec_run *r = arg;
	struct err e = ERR_NONE;

	r->calls[CALL_EXEC] = 0;
	if (err) {
		fail(r, err);
		return;
	}
	r->process = (uint32_t) json_int_or(answer, "process", 0);
	if (attach(r, &e) < 0 || await_exit(r, &e) < 0)
		fail(r, &e);
}

/* ---- begin ---- */

int exec_run(struct launch *l, const char *id, const struct exec_what *x, const void *input,
	     size_t n, size_t limit, exec_run_fn fn, void *arg, struct err *e)
{
	auto_buf struct buf order = BUF_LIMIT(65536);
	struct shim_request rq = { .fd = -1, .timeout_ms = START_MS };
	struct exec_run *r = xalloc(sizeof(*r));

	*r = (struct exec_run){ .launch = l,
				.fd = FD_NONE,
				.input = BUF_LIMIT(n),
				.limit = limit,
				.began_ms = clock_mono_ms(),
				.result = { .output = BUF_LIMIT(limit),
					    .error = BUF_LIMIT(limit) },
				.fn = fn,
				.arg = arg };
	(void) snprintf(r->id, sizeof(r->id), "%s", id);
	r->next = l->runs;
	l->runs = r;
	if (exec_order(x, &order, e) < 0 || (n && buf_append(&r->input, input, n, e) < 0)) {
		free_run(r);
		return -1;
	}
	rq.json = buf_str(&order);
	if (call(r, CALL_EXEC, &rq, on_started, e) < 0) {
		free_run(r);
		return -1;
	}
	return 0;
}

void exec_runs_forget(struct launch *l)
{
	for (struct exec_run *r; (r = l->runs);) {
		l->runs = r->next;
		free_run(r);
	}
}
