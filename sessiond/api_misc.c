#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "sessiond/api.h"
#include "sessiond/problem.h"
#include "sessiond/records.h"
#include "sessiond/request.h"
#include "sessiond/sandboxes.h"
#include "sessiond/server.h"

enum { LIST_DEFAULT = 50, LIST_MAX = 200 };

void api_healthz(struct request *rq)
{
	static const char text[] = "ok\n";

	reply_fixed(rq, 200, "text/plain", text, sizeof(text) - 1);
}

void api_readyz(struct request *rq)
{
	struct quota_use use;
	struct err e = ERR_NONE;

	if (!rq->server->ready || rq->server->stopping)
		problem_retry(rq, PROBLEM_UNAVAILABLE, 2, "the daemon is %s",
			      rq->server->stopping ? "stopping" : "starting");
	else if (quota_read(rq->server->db, "", clock_real_ms(), &use, &e) < 0)
		problem_internal(rq, &e);
	else
		api_healthz(rq);
}

void api_metrics(struct request *rq)
{
	struct err e = ERR_NONE;

	buf_fini(&rq->reply.body);
	rq->reply.body = BUF_LIMIT(REPLY_MAX);
	if (metrics_render(&rq->server->metrics, sandboxes_live(rq->server->sandboxes),
			   &rq->reply.body, &e) < 0) {
		problem_internal(rq, &e);
		return;
	}
	rq->reply.status = 200;
	rq->reply.content_type = "text/plain; version=0.0.4";
}

static void write_workspace(struct json_writer *w, const struct workspace *k)
{
	if (k->kind != WORKSPACE_PERSISTENT) {
		jw_null(w, "volumes");
		return;
	}
	jw_object(w, "volumes");
	jw_uint(w, "count", k->volumes);
	jw_uint(w, "size", k->size);
	jw_str(w, "path", k->path);
	jw_close(w);
}

static void write_limits(struct json_writer *w, const struct tier *t)
{
	jw_object(w, "limits");
	jw_real(w, "cpu", t->cpu);
	jw_uint(w, "memory", t->memory);
	jw_uint(w, "pids", t->pids);
	jw_uint(w, "disk", t->disk);
	jw_uint(w, "idle_seconds", t->idle_ms / 1000);
	jw_uint(w, "lifetime_seconds", t->lifetime_ms / 1000);
	jw_uint(w, "lifetime_max_seconds", t->lifetime_max_ms / 1000);
	if (t->detached_ms)
		jw_uint(w, "detached_seconds", t->detached_ms / 1000);
	jw_uint(w, "sandboxes", t->sandboxes);
	jw_uint(w, "creations_per_hour", t->creations_per_hour);
	jw_str(w, "network", net_mode_name(t->network));
	jw_str(w, "policy", t->policy[0] ? t->policy : NULL);
	write_workspace(w, &t->workspace);
	jw_close(w);
}

void api_me(struct request *rq)
{
	struct err e = ERR_NONE;
	struct json_writer *w;
	struct quota_use use;

	if (quota_read(rq->server->db, rq->who.user, clock_real_ms(), &use, &e) < 0 ||
	    volume_count(rq->server->db, rq->who.user, &use.volumes, &e) < 0) {
		problem_internal(rq, &e);
		return;
	}
	w = reply_json(rq, 200);
	jw_object(w, NULL);
	jw_str(w, "user", rq->who.user);
	jw_str(w, "tier", rq->who.tier_name);
	jw_bool(w, "admin", rq->who.admin);
	if (rq->who.tier)
		write_limits(w, rq->who.tier);
	else
		jw_null(w, "limits");
	jw_object(w, "use");
	jw_uint(w, "sandboxes", use.sandboxes);
	jw_uint(w, "creations_last_hour", use.creations);
	jw_uint(w, "volumes", use.volumes);
	jw_close(w);
	jw_close(w);
	reply_json_end(rq, w);
}

bool api_page(struct request *rq, struct page *out)
{
	static const char *const names[] = { "limit", "after", NULL };
	struct err e = ERR_NONE;

	*out = (struct page){ .after = target_query(&rq->target, "after"),
			      .limit = LIST_DEFAULT };
	if (target_query_only(&rq->target, names, &e) >= 0 &&
	    target_query_u64(&rq->target, "limit", 1, LIST_MAX, &out->limit, &e) >= 0)
		return true;
	problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
	return false;
}
