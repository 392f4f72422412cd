#include "sessiond/sandboxes.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "sessiond/audit.h"
#include "sessiond/config.h"
#include "sessiond/keys.h"
#include "sessiond/launch.h"
#include "sessiond/recordings.h"
#include "sessiond/records.h"
#include "sessiond/server.h"

enum {
	BUCKETS = 256,
	WAITERS_MAX = 8,
	PRUNE_MS = 30 * 1000, /* at most; as often as ended ones are kept if that is less */
	END_TIMEOUT_MS = 30 * 1000,
	AGAIN_MS = 5 * 1000,
	ADOPT_AGAIN_MS = 100,
	ADOPT_MS = 20 * 1000, /* longer than a start may take */
};

enum live_state { LIVE_STARTING, LIVE_RUNNING, LIVE_ENDING };

struct waiter {
	sandbox_fn fn;
	void *arg;
};

struct live {
	struct sandboxes *owner;
	struct live *next;
	char id[65];
	enum live_state state;
	struct shim_watch *watch;
	struct loop_timer again; /* of what did not succeed */
	uint64_t adopt_until_ms; /* found alive: its shim may not listen yet */
	struct waiter started;
	struct waiter ended[WAITERS_MAX];
	size_t n_ended;
	uint64_t began_ns;
};

struct sandboxes {
	struct server *server;
	struct live *buckets[BUCKETS];
	size_t n;
	struct loop_timer prune;
};

/* ---- the table ---- */

static struct live **slot(struct sandboxes *s, const char *id)
{
	uint32_t h = 2166136261u;
	struct live **at;

	for (const char *c = id; *c; c++)
		h = (h ^ (uint8_t) *c) * 16777619u;
	for (at = &s->buckets[h % BUCKETS]; *at && strcmp((*at)->id, id) != 0;)
		at = &(*at)->next;
	return at;
}

static struct live *live_add(struct sandboxes *s, const char *id, enum live_state state)
{
	struct live *l = xalloc(sizeof(*l));

	(void) snprintf(l->id, sizeof(l->id), "%s", id);
	l->owner = s;
	l->state = state;
	l->began_ns = clock_mono_ns();
	*slot(s, id) = l;
	s->n++;
	return l;
}

static void live_remove(struct live *l)
{
	struct sandboxes *s = l->owner;

	*slot(s, l->id) = l->next;
	s->n--;
	shim_watch_free(l->watch);
	loop_timer_del(&l->again);
	free(l);
}

static void set_state(struct live *l, enum live_state state)
{
	static const char *const names[] = { "starting", "running", "ending" };

	log_debug("sandbox %s: %s -> %s", l->id, names[l->state], names[state]);
	l->state = state;
}

static void call_ended(struct live *l, const struct err *err)
{
	for (size_t i = 0; i < l->n_ended; i++)
		l->ended[i].fn(l->ended[i].arg, err);
	l->n_ended = 0;
}

static void ask_end(struct live *l);

/* ---- the end ---- */

static void record_end(struct sandboxes *s, const char *id, const struct launch_exit *exit)
{
	static const struct launch_exit lost = {
		.reason = LAUNCH_ERROR,
		.error = "its shim and its directory are gone",
	};
	struct err e = ERR_NONE;
	int r;

	if (!exit)
		exit = &lost;
	r = record_ended(s->server->db, id, exit, clock_real_ms(), &e);
	if (r < 0)
		log_error("sandbox %s: %s", id, e.msg);
	if (r <= 0)
		return;
	s->server->metrics.ended[exit->reason]++;
	log_info("sandbox %s ended: %s code=%d signal=%d%s%s", id,
		 launch_reason_name(exit->reason), exit->code, exit->signal,
		 exit->error[0] ? ": " : "", exit->error);
}

static void watch(void *arg);

/* Something of it may live still: it counts for its user until that is known to be over. */
static void again(struct live *l, uint64_t ms)
{
	loop_timer_set(l->owner->server->loop, &l->again, ms, watch, l);
}

static void on_collected(void *arg, const struct launch_exit *exit, const struct err *err)
{
	struct live *l = arg;

	if (err)
		log_error("%s", err->msg);
	if (err && !exit) {
		call_ended(l, err);
		again(l, AGAIN_MS);
		return;
	}
	/* What could not be removed is found by the next scan; for its user it has ended. */
	record_end(l->owner, l->id, exit);
	call_ended(l, NULL);
	live_remove(l);
}

static void collect(struct live *l)
{
	struct err e = ERR_NONE;

	set_state(l, LIVE_ENDING);
	audit_take(l->owner->server->audit, l->id);
	if (launch_collect(l->owner->server->launch, l->id, on_collected, l, &e) < 0)
		on_collected(l, NULL, &e);
}

static void on_gone(void *arg)
{
	struct live *l = arg;

	shim_watch_free(l->watch);
	l->watch = NULL;
	collect(l);
}

/* The shim may be gone already: then collecting tells how it ended. */
static void watch(void *arg)
{
	struct live *l = arg;
	struct err e = ERR_NONE;

	if (shim_watch_new(l->owner->server->launch, l->id, on_gone, l, &l->watch, &e) == 0) {
		set_state(l, LIVE_RUNNING);
		if (l->n_ended)
			ask_end(l);
		return;
	}
	log_debug("sandbox %s: %s", l->id, e.msg);
	if (clock_mono_ms() < l->adopt_until_ms)
		again(l, ADOPT_AGAIN_MS);
	else
		collect(l);
}

/* ---- the start ---- */

static void start_failed(struct live *l, const struct err *err)
{
	struct sandboxes *s = l->owner;
	struct waiter started = l->started;
	struct err e = ERR_NONE;

	s->server->metrics.create_failed++;
	log_line(err->code == ECANCELED ? LOG_LV_INFO : LOG_LV_WARN,
		 "sandbox %s did not start: %s", l->id, err->msg);
	if (quota_release(s->server->db, l->id, &e) < 0)
		log_error("sandbox %s: %s", l->id, e.msg);
	call_ended(l, NULL);
	live_remove(l);
	started.fn(started.arg, err);
}

static void on_started(void *arg, const struct err *err)
{
	struct live *l = arg;
	struct server *server = l->owner->server;
	struct waiter started = l->started;
	struct err e = ERR_NONE;

	if (err) {
		start_failed(l, err);
		return;
	}
	if (record_running(server->db, l->id, &e) < 0)
		log_error("sandbox %s: %s", l->id, e.msg);
	server->metrics.created++;
	metrics_start(&server->metrics, (clock_mono_ns() - l->began_ns) / 1000);
	log_info("sandbox %s runs", l->id);
	started.fn(started.arg, NULL);
	watch(l);
}

int sandbox_start(struct sandboxes *s, const struct launch_spec *spec, sandbox_fn fn, void *arg,
		  struct err *e)
{
	struct live *l = live_add(s, spec->id, LIVE_STARTING);

	l->started = (struct waiter){ fn, arg };
	if (launch_start(s->server->launch, spec, on_started, l, e) < 0) {
		struct err ignored = ERR_NONE;

		if (quota_release(s->server->db, l->id, &ignored) < 0)
			log_error("sandbox %s: %s", l->id, ignored.msg);
		live_remove(l);
		return -1;
	}
	return 0;
}

/* ---- ending by request ---- */

struct ending {
	struct sandboxes *owner;
	char id[65];
};

/* On success the shim's end of file follows, and everything else with it. */
static void on_end_answer(void *arg, const struct json *answer, const struct err *err)
{
	struct ending *x = arg;
	struct live *l = *slot(x->owner, x->id);

	/* A shim that ended by itself meanwhile has its way to on_gone too. */
	if (err && err->code != ECONNRESET && err->code != ESRCH && err->code != ENOENT && l) {
		log_error("sandbox %s: its shim does not end it: %s", x->id, err->msg);
		call_ended(l, err);
	}
	free(x);
}

static void ask_end(struct live *l)
{
	struct shim_request rq = {
		.json = "{\"op\":\"end\",\"reason\":\"deleted\"}",
		.fd = -1,
		.timeout_ms = END_TIMEOUT_MS,
	};
	struct ending *x = xalloc(sizeof(*x));
	struct err e = ERR_NONE;

	x->owner = l->owner;
	memcpy(x->id, l->id, sizeof(x->id));
	if (shim_call(l->owner->server->launch, l->id, &rq, on_end_answer, x, &e) < 0)
		on_end_answer(x, NULL, &e);
}

int sandbox_end(struct sandboxes *s, const char *id, sandbox_fn fn, void *arg, struct err *e)
{
	struct live *l = *slot(s, id);
	bool first;

	if (!l)
		return err_set(e, ENOENT, "sandbox %s is not live", id);
	if (l->n_ended == WAITERS_MAX)
		return err_set(e, EBUSY, "%d requests wait for its end already", WAITERS_MAX);
	first = l->n_ended == 0;
	l->ended[l->n_ended++] = (struct waiter){ fn, arg };
	/* One that is being adopted is asked as soon as its shim listens. */
	if (l->state == LIVE_STARTING)
		(void) launch_cancel(s->server->launch, id);
	else if (l->state == LIVE_RUNNING && first)
		ask_end(l);
	return 0;
}

static void ignore(void *arg, const struct err *err)
{
	if (err)
		log_warn("%s", err->msg);
}

/* The next one is read first: an end that fails at once may remove the present. */
static void each(struct sandboxes *s, void (*fn)(struct live *l))
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct live *l = s->buckets[i], *next; l; l = next) {
			next = l->next;
			fn(l);
		}
	}
}

static void end_one(struct live *l)
{
	struct err e = ERR_NONE;

	if (sandbox_end(l->owner, l->id, ignore, NULL, &e) < 0)
		log_debug("%s", e.msg);
}

static void cancel_one(struct live *l)
{
	if (l->state == LIVE_STARTING)
		(void) launch_cancel(l->owner->server->launch, l->id);
}

void sandboxes_end_all(struct sandboxes *s)
{
	each(s, end_one);
}

void sandboxes_cancel_starts(struct sandboxes *s)
{
	each(s, cancel_one);
}

void sandboxes_each(struct sandboxes *s, void (*fn)(void *arg, const char *id), void *arg)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct live *l = s->buckets[i]; l; l = l->next)
			fn(arg, l->id);
}

size_t sandboxes_live(const struct sandboxes *s)
{
	return s->n;
}

/* ---- after a restart ---- */

static void on_swept(void *arg, const struct launch_exit *exit, const struct err *err)
{
	if (err)
		log_error("sweep: %s", err->msg);
}

/* A row that is not ended, and a directory. The lock on the state directory is ours, so whoever else holds
 * the sandbox's is an orphan of the last daemon: its shim, or a sweeper that will be done soon. */
static void adopt(struct sandboxes *s, const char *id, enum launch_found found)
{
	struct live *l = live_add(s, id, LIVE_STARTING);
	struct err e = ERR_NONE;

	if (record_running(s->server->db, id, &e) < 0)
		log_error("sandbox %s: %s", id, e.msg);
	log_info("sandbox %s found %s", id, found == LAUNCH_ALIVE ? "alive" : "dead");
	if (found != LAUNCH_ALIVE) {
		collect(l);
		return;
	}
	l->adopt_until_ms = clock_mono_ms() + ADOPT_MS;
	watch(l);
}

static void on_found(void *arg, const char *id, enum launch_found found)
{
	struct sandboxes *s = arg;
	auto_record struct record r = { 0 };
	struct err e = ERR_NONE;
	int known = record_find(s->server->db, id, &r, &e);

	if (known < 0)
		log_error("sandbox %s: %s", id, e.msg);
	if (known > 0 && r.state != RECORD_ENDED)
		adopt(s, id, found);
	else if (found == LAUNCH_DEAD &&
		 /* Of `carrel run`, or of an earlier sweep that was cut short. */
		 launch_collect(s->server->launch, id, on_swept, NULL, &e) < 0)
		log_error("sweep %s: %s", id, e.msg);
}

struct names {
	char (*v)[65];
	size_t n, room;
};

static void add_name(void *arg, const char *id)
{
	struct names *names = arg;

	if (names->n < names->room)
		(void) snprintf(names->v[names->n++], sizeof(*names->v), "%s", id);
}

/* Rows whose directory is not there: the machine was restarted, or the daemon died before it made one. */
static int end_lost(struct sandboxes *s, struct err *e)
{
	struct names names = { .room = 65536 };
	int r;

	names.v = xalloc(names.room * sizeof(*names.v));
	r = record_each_live(s->server->db, add_name, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		if (!*slot(s, names.v[i]))
			record_end(s, names.v[i], NULL);
	}
	free(names.v);
	return r;
}

int sandboxes_recover(struct sandboxes *s, struct err *e)
{
	if (launch_scan(s->server->launch, on_found, s, e) < 0)
		return err_wrap(e, "find sandboxes again");
	return end_lost(s, e);
}

/* ---- the whole ---- */

static void on_prune(void *arg)
{
	struct sandboxes *s = arg;
	struct server *server = s->server;
	uint64_t now = clock_real_ms();
	struct err e = ERR_NONE;

	if (records_prune(server->db, now - server->config->keep_ended_ms, now, &e) < 0 ||
	    keys_prune(server->db, &e) < 0 ||
	    recordings_prune(server->config, server->db, &e) < 0)
		log_error("%s", e.msg);
	loop_timer_set(server->loop, &s->prune, MIN(PRUNE_MS, server->config->keep_ended_ms),
		       on_prune, s);
}

struct sandboxes *sandboxes_new(struct server *server)
{
	struct sandboxes *s = xalloc(sizeof(*s));

	s->server = server;
	loop_timer_set(server->loop, &s->prune, 0, on_prune, s);
	return s;
}

void sandboxes_free(struct sandboxes *s)
{
	if (!s)
		return;
	loop_timer_del(&s->prune);
	each(s, live_remove);
	free(s);
}
