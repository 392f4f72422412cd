/* Users' volumes: made with the first sandbox that names them (api_sandboxes.c), listed and deleted here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/volume.h"
#include "sessiond/api.h"
#include "sessiond/config.h"
#include "sessiond/launch.h"
#include "sessiond/problem.h"
#include "sessiond/request.h"
#include "sessiond/server.h"
#include "sessiond/volumes.h"

/* The row of rq->param when rq->who may see it; else the reply is set. */
static bool find_own(struct request *rq, struct volume_row *out)
{
	struct err e = ERR_NONE;
	int r = 0;

	if (volume_name_valid(rq->param))
		r = volume_find(rq->server->db, rq->who.user, rq->param, out, &e);
	if (r == 0 && rq->who.admin && volume_name_valid(rq->param))
		r = volume_find(rq->server->db, NULL, rq->param, out, &e);
	if (r < 0)
		problem_internal(rq, &e);
	else if (r == 0)
		problem_reply(rq, PROBLEM_NOT_FOUND, "no such volume");
	return r > 0;
}

/* One that was named by a sandbox that could not start may not be made yet. */
static void write_info(struct json_writer *w, const struct request *rq, const char *id)
{
	auto_free char *path = xasprintf("%s/%s", rq->server->config->volumes, id);
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct err ignored = ERR_NONE;
	struct volume_info v;

	if (fd < 0 || volume_info_read(fd, &v, &ignored) < 0) {
		jw_null(w, "kind");
		jw_null(w, "size");
		jw_null(w, "inodes");
		return;
	}
	jw_str(w, "kind", volume_kind_name(v.kind));
	jw_uint(w, "size", v.size);
	jw_uint(w, "inodes", v.inodes);
}

static void write_row(struct json_writer *w, const struct request *rq,
		      const struct volume_row *v)
{
	jw_object(w, NULL);
	jw_str(w, "id", v->id);
	jw_str(w, "name", v->name);
	jw_str(w, "user", v->user);
	jw_str(w, "sandbox", v->sandbox[0] ? v->sandbox : NULL);
	write_info(w, rq, v->id);
	jw_str(w, "created_at", clock_rfc3339_ms(v->created_ms).s);
	jw_close(w);
}

void api_volume_list(struct request *rq)
{
	auto_free struct volume_row *v = NULL;
	struct page page;
	struct err e = ERR_NONE;
	struct json_writer *w;
	size_t n;

	if (!api_page(rq, &page))
		return;
	/* One more than asked tells whether there is a next page. */
	if (volume_list(rq->server->db, rq->who.admin ? NULL : rq->who.user, page.after,
			page.limit + 1, &v, &n, &e) < 0) {
		if (e.code == ENOENT)
			problem_reply(rq, PROBLEM_INVALID, "%s; begin again", e.msg);
		else
			problem_internal(rq, &e);
		return;
	}
	w = reply_json(rq, 200);
	jw_object(w, NULL);
	jw_array(w, "items");
	for (size_t i = 0; i < n && i < page.limit; i++)
		write_row(w, rq, &v[i]);
	jw_close(w);
	jw_str(w, "next", n > page.limit ? v[page.limit - 1].id : NULL);
	jw_close(w);
	reply_json_end(rq, w);
}

void api_volume_get(struct request *rq)
{
	struct volume_row v;
	struct json_writer *w;

	if (!find_own(rq, &v))
		return;
	w = reply_json(rq, 200);
	write_row(w, rq, &v);
	reply_json_end(rq, w);
}

/* ---- delete ---- */

static void in_use(struct request *rq, const char *sandbox)
{
	problem_retry(rq, PROBLEM_CONFLICT, 5, "%s%s uses it; end that first",
		      *sandbox ? "sandbox " : "somebody", sandbox);
}

/* What could not be removed stays condemned: the next daemon tries again. */
static void removed(void *arg, const struct err *err)
{
	struct request *rq = arg;
	struct db *db = rq->server->db;
	struct err e = ERR_NONE;
	int r;

	if (err && err->code == EBUSY) {
		r = volume_pardon(db, rq->new_id, &e);
		if (r == 0)
			in_use(rq, "");
	} else if (err && err->code != ENOENT) {
		e = *err;
		r = -1;
	} else {
		r = volume_forget(db, rq->new_id, &e);
		if (r == 0)
			reply_empty(rq, 204);
	}
	if (r < 0)
		problem_internal(rq, &e);
	request_done(rq);
}

void api_volume_delete(struct request *rq)
{
	struct volume_row v;
	struct err e = ERR_NONE;
	int r;

	if (!find_own(rq, &v))
		return;
	r = volume_condemn(rq->server->db, v.id, &e);
	if (r < 0) {
		problem_internal(rq, &e);
		return;
	}
	if (r == 0) {
		in_use(rq, v.sandbox);
		return;
	}
	log_info("volume %s (%s) of %s is removed", v.id, v.name, v.user);
	/* The id stands in the request while it waits. */
	(void) snprintf(rq->new_id, sizeof(rq->new_id), "%s", v.id);
	if (launch_volume_remove(rq->server->launch, v.id, removed, rq, &e) < 0)
		problem_internal(rq, &e);
}
