#include "sessiond/renew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "sessiond/launch.h"
#include "sessiond/sandboxes.h"
#include "sessiond/server.h"
#include "version.h"

enum { ASK_MS = 50000, AGAIN_MS = 1000, TRIES = 10 };

struct renew {
	struct server *server;
	char (*ids)[65];
	size_t n, at, renewed, left;
	unsigned tries; /* of the one that is at work */
	int64_t call;
	struct loop_timer timer;
};

/* ---- versions ---- */

static bool next_number(const char **s, unsigned long *out)
{
	char *end;

	if (**s < '0' || **s > '9')
		return false;
	*out = strtoul(*s, &end, 10);
	*s = *end == '.' ? end + 1 : end;
	return true;
}

bool renew_is_after(const char *a, const char *b)
{
	for (;;) {
		unsigned long x = 0, y = 0;
		bool more = next_number(&a, &x), others = next_number(&b, &y);

		if (!more || !others)
			return more;
		if (x != y)
			return x > y;
	}
}

/* ---- one after the other ---- */

static void begin(void *arg);

static const char *present(const struct renew *r)
{
	return r->ids[r->at];
}

static void next(struct renew *r)
{
	r->at++;
	r->tries = 0;
	loop_timer_set(r->server->loop, &r->timer, 0, begin, r);
}

static void leave(struct renew *r, const char *why)
{
	log_warn("sandbox %s: its carrel-shim goes on as it is: %s", present(r), why);
	r->left++;
	next(r);
}

/* A process is starting there, it is being paused, or its shim is about to listen. */
static bool passes(const struct err *err)
{
	return err->code == EUSERS || err->code == EAGAIN || err->code == ECONNREFUSED;
}

static void refused(struct renew *r, const struct err *err)
{
	if (passes(err) && ++r->tries < TRIES)
		loop_timer_set(r->server->loop, &r->timer, AGAIN_MS, begin, r);
	else if (err->code == ESRCH || err->code == ENOENT)
		next(r); /* it is ending */
	else
		leave(r, err->msg);
}

static void on_upgraded(void *arg, const struct json *answer, const struct err *err)
{
	struct renew *r = arg;

	r->call = 0;
	if (err) {
		refused(r, err);
		return;
	}
	if (json_bool_or(answer, "upgraded", false)) {
		r->renewed++;
		log_info("sandbox %s: its carrel-shim is now version %s, build %s", present(r),
			 json_str_or(answer, "version", "?"),
			 json_str_or(answer, "build", "?"));
	}
	next(r);
}

static void ask(struct renew *r, const char *json, shim_answer_fn fn)
{
	const struct shim_request rq = { .json = json, .fd = -1, .timeout_ms = ASK_MS };
	struct err e = ERR_NONE;

	r->call = shim_call(r->server->launch, present(r), &rq, fn, r, &e);
	if (r->call < 0)
		refused(r, &e);
}

static void upgrade(struct renew *r)
{
	auto_buf struct buf json = BUF_LIMIT(8192);
	auto_json_writer struct json_writer *w = json_writer_new(&json, false);
	struct err e = ERR_NONE;

	jw_object(w, NULL);
	jw_str(w, "op", "upgrade");
	jw_str(w, "program", launch_shim(r->server->launch));
	jw_close(w);
	if (json_writer_end(w, &e) < 0)
		leave(r, e.msg);
	else
		ask(r, buf_str(&json), on_upgraded);
}

/* An older daemon that is started by mistake takes nothing back. */
static void on_info(void *arg, const struct json *answer, const struct err *err)
{
	struct renew *r = arg;
	const char *version = answer ? json_str_or(answer, "version", "") : "";

	r->call = 0;
	if (err)
		refused(r, err);
	else if (renew_is_after(version, CARREL_VERSION))
		leave(r, "it is of a newer version than this daemon");
	else
		upgrade(r);
}

static void begin(void *arg)
{
	struct renew *r = arg;

	if (r->at < r->n && !r->server->stopping)
		ask(r, "{\"op\":\"info\"}", on_info);
	else if (r->renewed || r->left)
		log_info("%zu of %zu carrel-shims were upgraded; %zu could not be", r->renewed,
			 r->n, r->left);
}

/* ---- life ---- */

static void note(void *arg, const char *id)
{
	struct renew *r = arg;

	(void) snprintf(r->ids[r->n++], sizeof(*r->ids), "%s", id);
}

struct renew *renew_new(struct server *server)
{
	struct renew *r = xalloc(sizeof(*r));
	size_t live = sandboxes_live(server->sandboxes);

	r->server = server;
	r->ids = xalloc(MAX(live, (size_t) 1) * sizeof(*r->ids));
	sandboxes_each(server->sandboxes, note, r);
	loop_timer_set(server->loop, &r->timer, 0, begin, r);
	return r;
}

void renew_free(struct renew *r)
{
	if (!r)
		return;
	if (r->call > 0)
		shim_call_forget(r->server->launch, r->call);
	loop_timer_del(&r->timer);
	free(r->ids);
	free(r);
}
