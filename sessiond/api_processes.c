/* Further processes of a sandbox: one-shot commands with a JSON result, terminals; pause, resume, more time, and the shim's upgrade. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "sessiond/api.h"
#include "sessiond/create.h"
#include "sessiond/exec_run.h"
#include "sessiond/launch.h"
#include "sessiond/problem.h"
#include "sessiond/records.h"
#include "sessiond/request.h"
#include "sessiond/server.h"
#include "sessiond/tiers.h"

enum {
	START_MS = 15000,
	UPGRADE_MS = 50000,
	NUMBER_SEGMENT = 4
}; /* v1 sandboxes ID terminals N */

/* What the shim, or the way to it, said. */
static void refuse(struct request *rq, const struct err *err)
{
	switch (err->code) {
	case EINVAL:
		problem_reply(rq, PROBLEM_INVALID, "%s", err->msg);
		break;
	case ENOENT:
		problem_reply(rq, PROBLEM_NOT_FOUND, "no such process");
		break;
	case EUSERS:
		problem_retry(rq, PROBLEM_QUOTA, 1, "%s", err->msg);
		break;
	case EBUSY:
		problem_reply(rq, PROBLEM_CONFLICT, "the sandbox is paused; resume it first");
		break;
	case ETIMEDOUT:
		problem_retry(rq, PROBLEM_TIMEOUT, 1, "the sandbox does not answer");
		break;
	default:
		problem_reply(rq, PROBLEM_GONE, "the sandbox is ending");
	}
}

/* The caller's sandbox, when it runs; else the reply is set. */
static bool find_running(struct request *rq, struct record *r)
{
	if (!api_find_own(rq, r))
		return false;
	if (r->state == RECORD_RUNNING)
		return true;
	if (r->state == RECORD_ENDED)
		problem_reply(rq, PROBLEM_GONE, "the sandbox has ended: %s", r->reason);
	else
		problem_retry(rq, PROBLEM_CONFLICT, 1, "the sandbox is %s",
			      record_state_name(r->state));
	return false;
}

static void ask_for(struct request *rq, const char *id, const char *json, unsigned timeout_ms,
		    shim_answer_fn fn)
{
	const struct shim_request ask = { .json = json, .fd = -1, .timeout_ms = timeout_ms };
	struct err e = ERR_NONE;

	if (shim_call(rq->server->launch, id, &ask, fn, rq, &e) < 0)
		problem_reply(rq, PROBLEM_GONE, "the sandbox is ending");
}

static void ask(struct request *rq, const char *id, const char *json, shim_answer_fn fn)
{
	ask_for(rq, id, json, START_MS, fn);
}

/* ---- exec ---- */

/* Any bytes as a string of JSON: what is no UTF-8 becomes U+FFFD, and so does a zero. */
static void write_text(struct json_writer *w, const char *key, struct buf *b)
{
	for (size_t i = b->head; i < b->tail; i++)
		if (b->data[i] == 0)
			b->data[i] = 0xff;
	jw_str(w, key, buf_str(b));
}

static void write_result(struct json_writer *w, struct exec_result *x)
{
	const bool exited = strcmp(x->reason, "exited") == 0;

	jw_object(w, NULL);
	jw_bool(w, "success", exited && x->code == 0);
	write_text(w, "output", &x->output);
	write_text(w, "error", &x->error);
	jw_bool(w, "truncated", x->truncated);
	jw_str(w, "reason", x->reason);
	if (exited)
		jw_int(w, "exit_code", x->code);
	else
		jw_null(w, "exit_code");
	if (x->signal)
		jw_int(w, "signal", x->signal);
	else
		jw_null(w, "signal");
	jw_bool(w, "oom", strcmp(x->reason, "oom") == 0);
	jw_bool(w, "timed_out", strcmp(x->reason, "timeout") == 0);
	jw_uint(w, "execution_ms", x->ms);
	jw_str(w, "isolation", "namespaces"); /* the one that this daemon's runtime gives */
	jw_object(w, "usage");
	jw_uint(w, "cpu_ns", x->cpu_ns);
	jw_uint(w, "memory_peak", x->memory_peak);
	jw_uint(w, "output_bytes", x->output_bytes);
	jw_uint(w, "input_bytes", x->input_bytes);
	jw_close(w);
	jw_close(w);
}

static void ran(void *arg, struct exec_result *x, const struct err *err)
{
	struct request *rq = arg;

	if (err)
		refuse(rq, err);
	else {
		struct json_writer *w = reply_json(rq, 200);

		write_result(w, x);
		reply_json_end(rq, w);
	}
	request_done(rq);
}

static struct exec_what what_of(const struct exec_body *b)
{
	return (struct exec_what){ .args = b->command,
				   .env = b->env,
				   .cwd = b->cwd,
				   .user = b->user,
				   .tag = b->tag,
				   .terminal = b->terminal,
				   .input = b->terminal || (b->input && *b->input),
				   .cols = b->cols,
				   .rows = b->rows,
				   .timeout_ms = b->timeout_ms };
}

void api_sandbox_exec(struct request *rq)
{
	auto_json struct json_doc *doc = NULL;
	auto_record struct record r = { 0 };
	struct exec_body b;
	struct exec_what what;
	struct err e = ERR_NONE;

	if (!find_running(rq, &r) || request_json(rq, &doc) < 0)
		return;
	if (exec_decode(json_root(doc), &b, &e) < 0) {
		problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
		return;
	}
	what = what_of(&b);
	if (exec_run(rq->server->launch, r.id, &what, b.input, b.input ? strlen(b.input) : 0,
		     b.output_limit, ran, rq, &e) < 0)
		refuse(rq, &e);
	exec_body_fini(&b);
}

/* ---- terminals ---- */

static void write_path(struct json_writer *w, const char *id, int64_t process)
{
	char path[128];

	(void) snprintf(path, sizeof(path), "/v1/sandboxes/%s/terminal?process=%lld", id,
			(long long) process);
	jw_str(w, "path", path);
}

/* All but the pid, which is the host's. */
static void write_process(struct json_writer *w, const char *id, const struct json *p)
{
	static const char *const shown[] = { "process", "tag",	"state",   "terminal",
					     "cols",	"rows", "clients", "exit" };

	jw_object(w, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (json_get(p, shown[i]))
			jw_node(w, shown[i], json_get(p, shown[i]));
	write_path(w, id, json_int_or(p, "process", 0));
	jw_close(w);
}

static void made(void *arg, const struct json *answer, const struct err *err)
{
	struct request *rq = arg;
	char location[128];
	int64_t process;

	if (err) {
		refuse(rq, err);
	} else {
		struct json_writer *w = reply_json(rq, 201);

		process = json_int_or(answer, "process", 0);
		jw_object(w, NULL);
		jw_int(w, "process", process);
		write_path(w, rq->param, process);
		jw_close(w);
		reply_json_end(rq, w);
		(void) snprintf(location, sizeof(location), "/v1/sandboxes/%s/terminals/%lld",
				rq->param, (long long) process);
		reply_header(rq, "Location", location);
	}
	request_done(rq);
}

void api_terminal_create(struct request *rq)
{
	auto_buf struct buf order = BUF_LIMIT(REQUEST_BODY_MAX);
	auto_json struct json_doc *doc = NULL;
	auto_record struct record r = { 0 };
	struct exec_body b;
	struct exec_what what;
	struct err e = ERR_NONE;
	int ok;

	if (!find_running(rq, &r) || request_json(rq, &doc) < 0)
		return;
	if (terminal_decode(json_root(doc), &b, &e) < 0) {
		problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
		return;
	}
	what = what_of(&b);
	what.input = true;
	ok = exec_order(&what, &order, &e);
	exec_body_fini(&b);
	if (ok < 0)
		problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
	else
		ask(rq, r.id, buf_str(&order), made);
}

static void listed(void *arg, const struct json *answer, const struct err *err)
{
	struct request *rq = arg;

	if (err) {
		refuse(rq, err);
	} else {
		struct json_writer *w = reply_json(rq, 200);

		jw_object(w, NULL);
		jw_array(w, "items");
		json_each (p, json_get(answer, "processes"))
			write_process(w, rq->param, p);
		jw_close(w);
		jw_close(w);
		reply_json_end(rq, w);
	}
	request_done(rq);
}

void api_terminal_list(struct request *rq)
{
	auto_record struct record r = { 0 };

	if (find_running(rq, &r))
		ask(rq, r.id, "{\"op\":\"processes\"}", listed);
}

/* 0: it is no number, and the reply is set. */
static uint32_t number(struct request *rq)
{
	struct err e = ERR_NONE;
	uint64_t n = 0;

	if (str_to_u64(rq->target.segments[NUMBER_SEGMENT], UINT32_MAX, "process", &n, &e) <
		    0 ||
	    n == 0) {
		problem_reply(rq, PROBLEM_NOT_FOUND, "no such process");
		return 0;
	}
	return (uint32_t) n;
}

static void got(void *arg, const struct json *answer, const struct err *err)
{
	struct request *rq = arg;
	const uint32_t n = number(rq);
	const struct json *found = NULL;

	json_each (p, json_get(answer, "processes"))
		if (json_int_or(p, "process", 0) == n)
			found = p;
	if (err) {
		refuse(rq, err);
	} else if (found) {
		struct json_writer *w = reply_json(rq, 200);

		write_process(w, rq->param, found);
		reply_json_end(rq, w);
	} else
		problem_reply(rq, PROBLEM_NOT_FOUND, "no such process");
	request_done(rq);
}

void api_terminal_get(struct request *rq)
{
	auto_record struct record r = { 0 };

	if (find_running(rq, &r) && number(rq))
		ask(rq, r.id, "{\"op\":\"processes\"}", got);
}

static void done(void *arg, const struct json *answer, const struct err *err)
{
	struct request *rq = arg;

	if (err)
		refuse(rq, err);
	else
		reply_empty(rq, 204);
	request_done(rq);
}

void api_terminal_delete(struct request *rq)
{
	auto_record struct record r = { 0 };
	char json[64];
	uint32_t n;

	if (!find_running(rq, &r) || !(n = number(rq)))
		return;
	if (n == 1) {
		problem_reply(rq, PROBLEM_CONFLICT,
			      "process 1 is the sandbox itself: delete that");
		return;
	}
	(void) snprintf(json, sizeof(json), "{\"op\":\"end\",\"process\":%u}", n);
	ask(rq, r.id, json, done);
}

/* ---- pause and resume ---- */

void api_sandbox_pause(struct request *rq)
{
	auto_record struct record r = { 0 };

	if (find_running(rq, &r))
		ask(rq, r.id, "{\"op\":\"pause\"}", done);
}

void api_sandbox_resume(struct request *rq)
{
	auto_record struct record r = { 0 };

	if (find_running(rq, &r))
		ask(rq, r.id, "{\"op\":\"resume\"}", done);
}

/* ---- extend ---- */

static void extended(void *arg, const struct json *answer, const struct err *err)
{
	struct request *rq = arg;
	auto_record struct record r = { 0 };
	uint64_t left = (uint64_t) json_int_or(answer, "lifetime_left_ms", 0);
	uint64_t end = clock_real_ms() + left;
	struct err e = ERR_NONE;

	if (err)
		refuse(rq, err);
	else if (!api_find_own(rq, &r))
		; /* it was deleted meanwhile: the reply is set */
	else if (record_extend(rq->server->db, r.id, end - MIN(end, r.created_ms), &e) < 0)
		problem_internal(rq, &e);
	else {
		struct json_writer *w = reply_json(rq, 200);

		jw_object(w, NULL);
		jw_str(w, "expires_at", clock_rfc3339_ms(end).s);
		jw_uint(w, "lifetime_left_ms", left);
		jw_close(w);
		reply_json_end(rq, w);
	}
	request_done(rq);
}

/* An absent body asks for what the tier gives. */
static bool extend_body(struct request *rq, uint64_t *ms)
{
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	*ms = 0;
	if (buf_len(&rq->body) == 0)
		return true;
	if (request_json(rq, &doc) < 0)
		return false;
	if (extend_decode(json_root(doc), ms, &e) == 0)
		return true;
	problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
	return false;
}

void api_sandbox_extend(struct request *rq)
{
	auto_record struct record r = { 0 };
	const struct tier *tier;
	uint64_t now = clock_real_ms(), ms;
	char json[80];

	if (!find_running(rq, &r) || !extend_body(rq, &ms))
		return;
	tier = tiers_find(&rq->server->tiers, r.tier);
	if (!tier) {
		problem_reply(rq, PROBLEM_CONFLICT,
			      "its tier %s is not in the server's tiers any more", r.tier);
		return;
	}
	if (ms && now + ms > r.created_ms + tier->lifetime_max_ms) {
		problem_reply(
			rq, PROBLEM_INVALID,
			"seconds: tier %s lets a sandbox live for %llu seconds, this one until %s",
			tier->name, (unsigned long long) tier->lifetime_max_ms / 1000,
			clock_rfc3339_ms(r.created_ms + tier->lifetime_max_ms).s);
		return;
	}
	(void) snprintf(json, sizeof(json), "{\"op\":\"extend\",\"lifetime_ms\":%llu}",
			(unsigned long long) (ms ? ms
						 : tier_extension(tier, r.created_ms, now)));
	ask(rq, r.id, json, extended);
}

/* ---- upgrade ---- */

/* Nothing has happened then: the sandbox goes on with the shim that it has. */
static void refuse_upgrade(struct request *rq, const struct err *err)
{
	switch (err->code) {
	case EINVAL:
	case EIO:
		problem_reply(rq, PROBLEM_CONFLICT, "%s", err->msg);
		break;
	case EUSERS:
		problem_retry(rq, PROBLEM_CONFLICT, 1, "%s", err->msg);
		break;
	default:
		refuse(rq, err);
	}
}

static void upgraded(void *arg, const struct json *answer, const struct err *err)
{
	struct request *rq = arg;

	if (err)
		refuse_upgrade(rq, err);
	else {
		struct json_writer *w = reply_json(rq, 200);

		jw_object(w, NULL);
		jw_bool(w, "upgraded", json_bool_or(answer, "upgraded", false));
		jw_str(w, "version", json_str_or(answer, "version", ""));
		jw_str(w, "build", json_str_or(answer, "build", ""));
		jw_close(w);
		reply_json_end(rq, w);
	}
	request_done(rq);
}

/* To the program that new sandboxes are started with. */
void api_sandbox_upgrade(struct request *rq)
{
	auto_buf struct buf json = BUF_LIMIT(8192);
	auto_json_writer struct json_writer *w = json_writer_new(&json, false);
	auto_record struct record r = { 0 };
	struct err e = ERR_NONE;

	if (!find_running(rq, &r))
		return;
	jw_object(w, NULL);
	jw_str(w, "op", "upgrade");
	jw_str(w, "program", launch_shim(rq->server->launch));
	jw_close(w);
	if (json_writer_end(w, &e) < 0) {
		problem_internal(rq, &e);
		return;
	}
	ask_for(rq, r.id, buf_str(&json), UPGRADE_MS, upgraded);
}
