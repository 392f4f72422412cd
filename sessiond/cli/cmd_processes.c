/* carrel ps ID: the processes of one sandbox. */
#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/local.h"
#include "sessiond/cli/rest.h"

enum { TEXT_MAX = 1 << 20, ASK_MS = 5000 };

struct asked {
	struct loop *loop;
	struct buf *out;
	bool json;
	int r;
	struct err *e;
};

static int row(struct buf *out, const struct json *p, struct err *e)
{
	const struct json *x = json_get(p, "exit");
	char size[24] = "-", ended[48] = "-";

	if (json_bool_or(p, "terminal", false))
		(void) snprintf(size, sizeof(size), "%lldx%lld",
				(long long) json_int_or(p, "cols", 0),
				(long long) json_int_or(p, "rows", 0));
	if (x)
		(void) snprintf(ended, sizeof(ended), "%.15s %lld",
				json_str_or(x, "reason", "?"),
				(long long) (json_int_or(x, "signal", 0)
						     ? json_int_or(x, "signal", 0)
						     : json_int_or(x, "code", 0)));
	return buf_printf(out, e, "%7lld  %-8s  %-16s  %-9s  %7lld  %s\n",
			  (long long) json_int_or(p, "process", 0),
			  json_str_or(p, "state", "?"), json_str_or(p, "tag", ""), size,
			  (long long) json_int_or(p, "clients", 0), ended);
}

static int print(struct buf *out, const struct json *list, bool json, struct err *e)
{
	static const struct json none = { .type = JSON_ARRAY };

	if (json)
		return json_print(list ? list : &none, false, out, e) < 0 ||
				       buf_puts(out, "\n", e) < 0
			       ? -1
			       : 0;
	if (buf_printf(out, e, "%7s  %-8s  %-16s  %-9s  %7s  %s\n", "PROCESS", "STATE", "TAG",
		       "SIZE", "CLIENTS", "EXIT") < 0)
		return -1;
	json_each (p, list)
		if (row(out, p, e) < 0)
			return -1;
	return 0;
}

static int list_there(const struct cli *c, const char *id, struct buf *out, bool json,
		      struct err *e)
{
	auto_free char *path = xasprintf("/v1/sandboxes/%s/terminals", id);
	auto_json struct json_doc *doc = NULL;
	struct rest rest;
	int r;

	if (rest_open(c, &rest, e) < 0)
		return -1;
	r = rest_call(&rest, "GET", path, &doc, e);
	rest_close(&rest);
	return r < 0 ? err_wrap(e, "sandbox %s", id)
		     : print(out, json_get(doc ? json_root(doc) : NULL, "items"), json, e);
}

static void on_answer(void *arg, const struct json *answer, const struct err *err)
{
	struct asked *a = arg;

	if (err)
		*a->e = *err;
	a->r = err ? -1 : print(a->out, json_get(answer, "processes"), a->json, a->e);
	loop_stop(a->loop);
}

static int list_here(const struct cli *c, const char *id, struct buf *out, bool json,
		     struct err *e)
{
	const struct local_options local = { .run_dir = c->run_dir, .store = c->store };
	const struct shim_request rq = { .json = "{\"op\":\"processes\"}",
					 .fd = -1,
					 .timeout_ms = ASK_MS };
	struct asked a = { .out = out, .json = json, .e = e };
	struct launch *launch = NULL;
	int r = loop_new(&a.loop, e);

	if (r == 0)
		r = local_open(a.loop, &local, &launch, e);
	if (r == 0 && shim_call(launch, id, &rq, on_answer, &a, e) < 0)
		r = err_set(e, ENOENT, "sandbox %s: none of that name runs on this host", id);
	if (r == 0)
		r = loop_run(a.loop, e);
	launch_free(launch);
	loop_free(a.loop);
	return r < 0 ? -1 : a.r;
}

int cli_processes(const struct cli *c, const char *id)
{
	auto_buf struct buf out = BUF_LIMIT(TEXT_MAX);
	struct err e = ERR_NONE;
	bool json;
	int r;

	if (cli_wants_json(c, &json, &e) < 0)
		return cli_fail(CLI_USAGE, &e);
	if (!launch_id_valid(id))
		r = err_set(&e, EINVAL, "\"%s\" is no sandbox's name", id);
	else
		r = cli_wants_daemon(c) ? list_there(c, id, &out, json, &e)
					: list_here(c, id, &out, json, &e);
	return r < 0 ? cli_fail(CLI_FAILED, &e) : cli_print(&out);
}
