/* carrel rm: ends sandboxes, through the daemon or, on their own host, by their shims. */
#include <errno.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "sessiond/cgroup_parent.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/local.h"
#include "sessiond/cli/rest.h"

enum { END_MS = 60000 };

static int remove_there(const struct cli *c, const char **ids, int n, struct err *e)
{
	struct rest rest;
	int code = 0;

	if (rest_open(c, &rest, e) < 0)
		return cli_fail(CLI_FAILED, e);
	for (int i = 0; i < n; i++) {
		auto_free char *path = xasprintf("/v1/sandboxes/%s", ids[i]);
		struct err why = ERR_NONE;

		if (!launch_id_valid(ids[i]))
			(void) err_set(&why, EINVAL, "no sandbox's name");
		else
			(void) rest_call(&rest, "DELETE", path, NULL, &why);
		if (why.code == 0)
			continue;
		(void) err_wrap(&why, "%s", ids[i]);
		code = cli_fail(CLI_FAILED, &why);
	}
	rest_close(&rest);
	return code;
}

/* ---- here, one after the other ---- */

struct removal {
	struct loop *loop;
	struct launch *launch;
	const char *id;
	int code;
};

static void finish(struct removal *r, const struct err *err)
{
	struct err why;

	if (err) {
		why = *err;
		(void) err_wrap(&why, "%s", r->id);
		r->code = cli_fail(CLI_FAILED, &why);
	}
	loop_stop(r->loop);
}

static void on_collected(void *arg, const struct launch_exit *left, const struct err *err)
{
	struct removal *r = arg;
	struct err none = ERR_NONE;

	if (!left && !err)
		(void) err_set(&none, ENOENT, "no such sandbox");
	finish(r, err ? err : none.code ? &none : NULL);
}

/* What a living daemon's or run's sandbox leaves is theirs to read and remove. */
static void on_ended(void *arg, const struct json *answer, const struct err *err)
{
	(void) answer;
	finish(arg, err && err->code != ECONNRESET ? err : NULL);
}

static int remove_here(struct removal *r, struct err *e)
{
	struct shim_request rq = { .json = "{\"op\":\"end\",\"reason\":\"deleted\"}",
				   .fd = -1,
				   .timeout_ms = END_MS };

	if (shim_call(r->launch, r->id, &rq, on_ended, r, e) < 0) {
		if (e->code != ENOENT && e->code != ECONNREFUSED)
			return -1;
		if (launch_collect(r->launch, r->id, on_collected, r, e) < 0)
			return -1;
	}
	return loop_run(r->loop, e);
}

static int remove_all_here(const struct cli *c, const char **ids, int n, struct err *e)
{
	struct local_options local = { .run_dir = c->run_dir, .store = c->store };
	struct removal r = { 0 };

	if (loop_new(&r.loop, e) < 0 || local_open(r.loop, &local, &r.launch, e) < 0) {
		r.code = cli_fail(CLI_FAILED, e);
		n = 0;
	}
	for (int i = 0; i < n; i++) {
		struct err why = ERR_NONE;

		r.id = ids[i];
		if (remove_here(&r, &why) < 0)
			r.code = cli_fail(CLI_FAILED, &why);
	}
	launch_free(r.launch);
	loop_free(r.loop);
	cgroup_parent_remove(CGROUP_PARENT);
	return r.code;
}

int cli_rm(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	struct err e = ERR_NONE;

	(void) opts;
	return cli_wants_daemon(c) ? remove_there(c, operands, n, &e)
				   : remove_all_here(c, operands, n, &e);
}
