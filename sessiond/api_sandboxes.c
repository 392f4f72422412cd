#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/api.h"
#include "sessiond/config.h"
#include "sessiond/create.h"
#include "sessiond/launch.h"
#include "sessiond/policies.h"
#include "sessiond/problem.h"
#include "sessiond/recordings.h"
#include "sessiond/records.h"
#include "sessiond/request.h"
#include "sessiond/sandboxes.h"
#include "sessiond/server.h"

enum { INFO_MS = 1000 };

bool api_find_own(struct request *rq, struct record *out)
{
	struct err e = ERR_NONE;
	int r = 0;

	if (launch_id_valid(rq->param))
		r = record_find(rq->server->db, rq->param, out, &e);
	if (r < 0) {
		problem_internal(rq, &e);
		return false;
	}
	if (r == 0 || (!rq->who.admin && strcmp(out->user, rq->who.user) != 0)) {
		if (r)
			record_fini(out);
		problem_reply(rq, PROBLEM_NOT_FOUND, "no such sandbox");
		return false;
	}
	return true;
}

/* ---- as JSON ---- */

/* Our own text out of the database. */
static void write_stored(struct json_writer *w, const char *key, const char *text)
{
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	if (!text || json_parse(text, strlen(text), NULL, &doc, &e) < 0)
		jw_null(w, key);
	else
		jw_node(w, key, json_root(doc));
}

static void write_exit(struct json_writer *w, const struct record *r)
{
	if (r->state != RECORD_ENDED)
		return;
	jw_str(w, "ended_at", clock_rfc3339_ms(r->ended_ms).s);
	write_stored(w, "exit", r->exit);
}

static void write_live(struct json_writer *w, const struct json *info)
{
	static const char *const shown[] = { "cols", "rows",	"oldest",
					     "next", "clients", "lifetime_left_ms" };

	jw_object(w, "live");
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		jw_int(w, shown[i], json_int_or(info, shown[i], 0));
	jw_close(w);
}

static void write_record(struct json_writer *w, const struct config *c, const struct record *r,
			 const struct json *info)
{
	char path[128];

	(void) snprintf(path, sizeof(path), "/v1/sandboxes/%s/terminal", r->id);
	jw_object(w, NULL);
	jw_str(w, "id", r->id);
	jw_str(w, "state", record_state_name(r->state));
	jw_str(w, "user", r->user);
	jw_str(w, "tier", r->tier);
	jw_str(w, "network", r->network);
	jw_str(w, "policy", r->policy[0] ? r->policy : NULL);
	jw_str(w, "image", r->image);
	jw_str(w, "workspace", r->workspace[0] ? r->workspace : NULL);
	write_stored(w, "command", r->command);
	write_stored(w, "labels", r->labels);
	jw_uint(w, "idle_seconds", r->idle_ms / 1000);
	jw_uint(w, "lifetime_seconds", r->lifetime_ms / 1000);
	jw_str(w, "created_at", clock_rfc3339_ms(r->created_ms).s);
	if (r->state != RECORD_ENDED)
		jw_str(w, "expires_at", clock_rfc3339_ms(r->created_ms + r->lifetime_ms).s);
	jw_str(w, "terminal", path);
	write_exit(w, r);
	if (recordings_has(c, r->id)) {
		(void) snprintf(path, sizeof(path), "/v1/sandboxes/%s/recording", r->id);
		jw_str(w, "recording", path);
	}
	if (info)
		write_live(w, info);
	jw_close(w);
}

static void reply_record(struct request *rq, unsigned status, const struct record *r,
			 const struct json *info)
{
	struct json_writer *w = reply_json(rq, status);

	write_record(w, rq->server->config, r, info);
	reply_json_end(rq, w);
}

/* ---- create ---- */

static void created(void *arg, const struct err *err)
{
	struct request *rq = arg;
	auto_record struct record r = { 0 };
	struct err e = ERR_NONE;
	char location[128];
	int found;

	if (err && err->code == ENOENT)
		problem_reply(rq, PROBLEM_INVALID, "image: %s", err->msg);
	else if (err && (err->code == EINVAL || err->code == ENOTSUP))
		problem_reply(rq, PROBLEM_INVALID, "%s", err->msg);
	else if (err && err->code == EBUSY)
		problem_retry(rq, PROBLEM_CONFLICT, 5, "workspace: %s", err->msg);
	else if (err && err->code == ENOSPC)
		problem_retry(rq, PROBLEM_UNAVAILABLE, 5, "this host has no room for another");
	else if (err && err->code == ETIMEDOUT)
		problem_retry(rq, PROBLEM_TIMEOUT, 5, "the sandbox did not start in time");
	else if (err && err->code == ECANCELED)
		problem_reply(rq, PROBLEM_CONFLICT, "it was deleted before it had started");
	else if (err)
		problem_internal(rq, err);
	if (err) {
		request_done(rq);
		return;
	}
	found = record_find(rq->server->db, rq->param, &r, &e);
	if (found > 0) {
		(void) snprintf(location, sizeof(location), "/v1/sandboxes/%s", r.id);
		reply_record(rq, 201, &r, NULL);
		reply_header(rq, "Location", location);
	} else {
		if (found == 0)
			err_set(&e, ENOENT, "sandbox %s: its row is gone", rq->param);
		problem_internal(rq, &e);
	}
	request_done(rq);
}

static void refuse_quota(struct request *rq, enum quota_result q, const struct tier *tier,
			 const struct quota_use *use)
{
	rq->server->metrics.quota_refused++;
	if (q == QUOTA_SANDBOXES)
		problem_retry(rq, PROBLEM_QUOTA, 30,
			      "tier %s allows %u sandboxes at the same time, and %u exist; "
			      "delete one or wait for its end",
			      tier->name, tier->sandboxes, use->sandboxes);
	else if (q == QUOTA_VOLUMES)
		problem_retry(
			rq, PROBLEM_QUOTA, 30,
			"workspace: tier %s allows %u volumes, and %u exist; delete one or name one "
			"of them",
			tier->name, tier->workspace.volumes, use->volumes);
	else if (q == QUOTA_VOLUME_BUSY)
		problem_retry(
			rq, PROBLEM_CONFLICT, 30,
			"workspace: sandbox %s uses this volume, and one at a time may; end it, name "
			"another volume, or send null for a workspace in memory",
			use->sandbox);
	else
		problem_retry(
			rq, PROBLEM_QUOTA, use->retry_ms / 1000 + 1,
			"tier %s allows %u creations an hour; the next one is possible in "
			"%llu seconds",
			tier->name, tier->creations_per_hour,
			(unsigned long long) use->retry_ms / 1000 + 1);
}

static int print_command(const struct create *c, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = NULL;

	if (!c->command)
		return buf_puts(out, "null", e);
	w = json_writer_new(out, false);
	jw_array(w, NULL);
	for (const char **s = c->command; *s; s++)
		jw_str(w, NULL, *s);
	jw_close(w);
	return json_writer_end(w, e);
}

/* 0: the row is there, volume has the id of its volume or ""; -1: the reply is set. */
static int reserve(struct request *rq, const struct create *c, const struct tier *tier,
		   const char *id, char volume[VOLUME_ID_LEN + 1])
{
	auto_buf struct buf command = BUF_LIMIT(4 * REQUEST_BODY_MAX),
			    labels = BUF_LIMIT(4 * REQUEST_BODY_MAX);
	struct record r = {
		.idle_ms = c->idle_ms,
		.lifetime_ms = c->lifetime_ms,
		.created_ms = clock_real_ms(),
	};
	struct quota_use use;
	struct err e = ERR_NONE;
	int q = -1;

	if (print_command(c, &command, &e) == 0 &&
	    (c->labels ? json_print(c->labels, false, &labels, &e)
		       : buf_puts(&labels, "{}", &e)) == 0 &&
	    str_copy(r.id, sizeof(r.id), id, "id", &e) == 0 &&
	    str_copy(r.user, sizeof(r.user), rq->who.user, "user", &e) == 0 &&
	    str_copy(r.tier, sizeof(r.tier), tier->name, "tier", &e) == 0 &&
	    str_copy(r.network, sizeof(r.network), net_mode_name(tier->network), "network",
		     &e) == 0 &&
	    str_copy(r.policy, sizeof(r.policy), c->policy ? c->policy : "", "policy", &e) ==
		    0 &&
	    str_copy(r.image, sizeof(r.image), c->image, "image", &e) == 0 &&
	    str_copy(r.workspace, sizeof(r.workspace),
		     c->workspace.name ? c->workspace.name : "", "workspace", &e) == 0) {
		r.command = (char *) buf_str(&command);
		r.labels = (char *) buf_str(&labels);
		q = quota_reserve(rq->server->db, &r, tier, &use, &e);
	}
	if (q < 0)
		problem_internal(rq, &e);
	else if (q != QUOTA_OK)
		refuse_quota(rq, (enum quota_result) q, tier, &use);
	memcpy(volume, r.volume, sizeof(r.volume));
	return q == QUOTA_OK ? 0 : -1;
}

static void start(struct request *rq, const struct create *c, const struct tier *tier)
{
	auto_free char *policy =
		c->policy ? policies_path(rq->server->config, c->policy) : NULL;
	struct launch_spec spec = {
		.image = c->image,
		.tier = tier->name,
		.command = (char *const *) c->command,
		.env = c->env,
		.cwd = c->cwd,
		.user = c->user,
		.cols = (uint16_t) c->cols,
		.rows = (uint16_t) c->rows,
		.idle_ms = c->idle_ms,
		.lifetime_ms = c->lifetime_ms,
		.recording = tier->recording,
		.policy = policy,
		.detached_ms = tier->detached_ms,
	};
	struct err e = ERR_NONE;
	char id[27], volume[VOLUME_ID_LEN + 1];

	random_id(id);
	if (reserve(rq, c, tier, id, volume) < 0)
		return;
	if (volume[0])
		spec.volume = (struct launch_volume){
			.name = volume,
			.path = tier->workspace.path,
			.size = tier->workspace.size,
			.kind = tier->workspace.volume,
		};
	/* The id stands in the request while it waits: this route has no parameter. */
	(void) snprintf(rq->new_id, sizeof(rq->new_id), "%s", id);
	rq->param = rq->new_id;
	spec.id = rq->new_id;
	if (sandbox_start(rq->server->sandboxes, &spec, created, rq, &e) < 0)
		created(rq, &e);
}

/* A tier other than the key's own is an administrator's to choose. */
static const struct tier *choose_tier(struct request *rq, const struct json *body)
{
	const char *name = json_str_or(body, "tier", NULL);
	const struct tier *tier = rq->who.tier;

	if (name && strcmp(name, rq->who.tier_name) != 0) {
		if (!rq->who.admin) {
			problem_reply(rq, PROBLEM_FORBIDDEN,
				      "tier: this key is of tier %s and makes no sandboxes of "
				      "another",
				      rq->who.tier_name);
			return NULL;
		}
		tier = tiers_find(&rq->server->tiers, name);
	}
	if (!tier && name)
		problem_reply(rq, PROBLEM_INVALID, "tier: there is no such tier");
	else if (!tier)
		problem_reply(rq, PROBLEM_FORBIDDEN,
			      "the key's tier %s is not in the server's tiers any more",
			      rq->who.tier_name);
	return tier;
}

/* One that the tier does not name, but the caller. */
static bool has_policy(struct request *rq, const char *name)
{
	if (!name)
		return true;
	if (!rq->server->policies)
		problem_reply(rq, PROBLEM_INVALID,
			      "policy: this server has none; its operator names a file of "
			      "them (--policies)");
	else if (!policies_has(rq->server->config, name))
		problem_reply(rq, PROBLEM_INVALID, "policy: there is no policy %s", name);
	else
		return true;
	return false;
}

void api_sandbox_create(struct request *rq)
{
	auto_json struct json_doc *doc = NULL;
	struct create c = { 0 };
	const struct tier *tier;
	struct err e = ERR_NONE;

	if (rq->server->stopping || !rq->server->ready) {
		problem_retry(rq, PROBLEM_UNAVAILABLE, 2, "the daemon is %s",
			      rq->server->stopping ? "stopping" : "starting");
		return;
	}
	if (request_json(rq, &doc) < 0)
		return;
	tier = choose_tier(rq, json_root(doc));
	if (!tier)
		return;
	if (create_decode(json_root(doc), tier, rq->server->config->default_image, &c, &e) <
	    0) {
		problem_reply(rq, e.code == EACCES ? PROBLEM_FORBIDDEN : PROBLEM_INVALID, "%s",
			      e.msg);
		return;
	}
	if (has_policy(rq, c.policy))
		start(rq, &c, tier);
	create_fini(&c);
}

/* ---- read ---- */

void api_sandbox_list(struct request *rq)
{
	struct page page;
	struct record *v = NULL;
	struct err e = ERR_NONE;
	struct json_writer *w;
	size_t n;

	if (!api_page(rq, &page))
		return;
	/* One more than asked tells whether there is a next page. */
	if (record_list(rq->server->db, rq->who.admin ? NULL : rq->who.user, page.after,
			page.limit + 1, &v, &n, &e) < 0) {
		if (e.code == ENOENT)
			problem_reply(rq, PROBLEM_INVALID,
				      "%s; it may have been forgotten: begin again", e.msg);
		else
			problem_internal(rq, &e);
		return;
	}
	w = reply_json(rq, 200);
	jw_object(w, NULL);
	jw_array(w, "items");
	for (size_t i = 0; i < n && i < page.limit; i++)
		write_record(w, rq->server->config, &v[i], NULL);
	jw_close(w);
	jw_str(w, "next", n > page.limit ? v[page.limit - 1].id : NULL);
	jw_close(w);
	reply_json_end(rq, w);
	for (size_t i = 0; i < n; i++)
		record_fini(&v[i]);
	free(v);
}

/* The row is read again: it may have ended while the shim was asked. */
static void got_info(void *arg, const struct json *answer, const struct err *err)
{
	struct request *rq = arg;
	auto_record struct record r = { 0 };

	if (api_find_own(rq, &r))
		reply_record(rq, 200, &r, r.state == RECORD_RUNNING ? answer : NULL);
	request_done(rq);
}

void api_sandbox_get(struct request *rq)
{
	struct shim_request ask = { .json = "{\"op\":\"info\"}",
				    .fd = -1,
				    .timeout_ms = INFO_MS };
	auto_record struct record r = { 0 };
	struct err e = ERR_NONE;

	if (!api_find_own(rq, &r))
		return;
	if (r.state != RECORD_RUNNING ||
	    shim_call(rq->server->launch, r.id, &ask, got_info, rq, &e) < 0)
		reply_record(rq, 200, &r, NULL);
}

/* ---- change ---- */

static void deleted(void *arg, const struct err *err)
{
	struct request *rq = arg;

	if (err && (err->code == ETIMEDOUT || err->code == EBUSY))
		problem_retry(rq, PROBLEM_TIMEOUT, 5, "it is ending, but has not yet ended");
	else if (err)
		problem_internal(rq, err);
	else
		reply_empty(rq, 204);
	request_done(rq);
}

void api_sandbox_delete(struct request *rq)
{
	auto_record struct record r = { 0 };
	struct err e = ERR_NONE;

	if (!api_find_own(rq, &r))
		return;
	if (r.state == RECORD_ENDED) {
		if (record_remove(rq->server->db, r.id, &e) < 0 ||
		    recordings_remove(rq->server->config, r.id, &e) < 0)
			problem_internal(rq, &e);
		else
			reply_empty(rq, 204);
		return;
	}
	if (sandbox_end(rq->server->sandboxes, r.id, deleted, rq, &e) == 0)
		return;
	if (e.code == EBUSY)
		problem_retry(rq, PROBLEM_CONFLICT, 1, "it is being deleted already");
	else
		problem_internal(rq, &e);
}

static void resized(void *arg, const struct json *answer, const struct err *err)
{
	struct request *rq = arg;

	if (!err)
		reply_empty(rq, 204);
	else if (err->code == EINVAL)
		problem_reply(rq, PROBLEM_INVALID, "%s", err->msg);
	else if (err->code == ETIMEDOUT)
		problem_retry(rq, PROBLEM_TIMEOUT, 1, "the sandbox does not answer");
	else
		problem_reply(rq, PROBLEM_GONE, "the sandbox is ending");
	request_done(rq);
}

void api_sandbox_resize(struct request *rq)
{
	auto_json struct json_doc *doc = NULL;
	auto_record struct record r = { 0 };
	struct shim_request ask = { .fd = -1 };
	struct resize size;
	struct err e = ERR_NONE;
	char json[80];

	if (!api_find_own(rq, &r) || request_json(rq, &doc) < 0)
		return;
	if (resize_decode(json_root(doc), &size, &e) < 0) {
		problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
		return;
	}
	if (r.state == RECORD_ENDED) {
		problem_reply(rq, PROBLEM_GONE, "the sandbox has ended: %s", r.reason);
		return;
	}
	(void) snprintf(json, sizeof(json), "{\"op\":\"resize\",\"cols\":%u,\"rows\":%u}",
			size.cols, size.rows);
	ask.json = json;
	if (shim_call(rq->server->launch, r.id, &ask, resized, rq, &e) < 0)
		problem_reply(rq, PROBLEM_CONFLICT, "the sandbox is %s",
			      r.state == RECORD_STARTING ? "starting" : "ending");
}
