/* carrel upgrade: running sandboxes get the carrel-shim that is installed, through the daemon or by asking their shims. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/util.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/local.h"
#include "sessiond/cli/rest.h"

enum { UPGRADE_MS = 50000, TEXT_MAX = 1 << 20 };

/* The names of all sandboxes that run. */
struct names {
	char **v;
	size_t n;
};

static void add(struct names *x, const char *id)
{
	char **v = realloc(x->v, (x->n + 1) * sizeof(*v));

	if (!v)
		abort();
	x->v = v;
	x->v[x->n++] = xstrdup(id);
}

static void names_fini(struct names *x)
{
	for (size_t i = 0; i < x->n; i++)
		free(x->v[i]);
	free(x->v);
	*x = (struct names){ 0 };
}

/* One line for each; 0, or CLI_FAILED when it failed. */
static int say(const char *id, const struct json *answer, const struct err *err)
{
	auto_buf struct buf out = BUF_LIMIT(TEXT_MAX);
	struct err e = err ? *err : ERR_NONE;

	if (err) {
		(void) err_wrap(&e, "%s", id);
		return cli_fail(CLI_FAILED, &e);
	}
	if (buf_printf(&out, &e, "%s  %s  %s  %.16s\n", id,
		       json_bool_or(answer, "upgraded", false) ? "upgraded" : "unchanged",
		       json_str_or(answer, "version", "?"),
		       json_str_or(answer, "build", "?")) < 0)
		return cli_fail(CLI_FAILED, &e);
	return cli_print(&out);
}

/* ---- through the daemon ---- */

static int list_there(const struct rest *rest, struct names *out, struct err *e)
{
	auto_free char *after = NULL;

	do {
		auto_json struct json_doc *doc = NULL;
		auto_free char *path = xasprintf("/v1/sandboxes?limit=200%s%s",
						 after ? "&after=" : "", after ? after : "");
		const char *next;

		if (rest_call(rest, "GET", path, &doc, e) < 0)
			return -1;
		json_each (item, json_get(doc ? json_root(doc) : NULL, "items"))
			if (strcmp(json_str_or(item, "state", ""), "running") == 0)
				add(out, json_str_or(item, "id", "?"));
		next = json_str_or(doc ? json_root(doc) : NULL, "next", NULL);
		free(after);
		after = next ? xstrdup(next) : NULL;
	} while (after);
	return 0;
}

static int upgrade_there(const struct rest *rest, const char *id)
{
	auto_free char *path = xasprintf("/v1/sandboxes/%s/upgrade", id);
	auto_json struct json_doc *doc = NULL;
	struct err why = ERR_NONE;

	if (!launch_id_valid(id))
		(void) err_set(&why, EINVAL, "no sandbox's name");
	else
		(void) rest_call(rest, "POST", path, &doc, &why);
	return say(id, doc ? json_root(doc) : NULL, why.code ? &why : NULL);
}

static int all_there(const struct cli *c, const char **ids, int n, bool all)
{
	struct names found = { 0 };
	struct err e = ERR_NONE;
	struct rest rest;
	int code = 0;

	if (rest_open(c, &rest, &e) < 0)
		return cli_fail(CLI_FAILED, &e);
	if (all && list_there(&rest, &found, &e) < 0)
		code = cli_fail(CLI_FAILED, &e);
	for (int i = 0; i < n; i++)
		code |= upgrade_there(&rest, ids[i]);
	for (size_t i = 0; i < found.n; i++)
		code |= upgrade_there(&rest, found.v[i]);
	names_fini(&found);
	rest_close(&rest);
	return code;
}

/* ---- here, one after the other ---- */

struct here {
	struct loop *loop;
	struct launch *launch;
	const char *id;
	int code;
};

static void on_found(void *arg, const char *id, enum launch_found found)
{
	if (found == LAUNCH_ALIVE)
		add(arg, id);
}

static void on_answer(void *arg, const struct json *answer, const struct err *err)
{
	struct here *h = arg;

	h->code |= say(h->id, answer, err);
	loop_stop(h->loop);
}

static void upgrade_here(struct here *h, const char *id)
{
	auto_buf struct buf json = BUF_LIMIT(8192);
	auto_json_writer struct json_writer *w = json_writer_new(&json, false);
	struct shim_request rq = { .fd = -1, .timeout_ms = UPGRADE_MS };
	struct err e = ERR_NONE;

	jw_object(w, NULL);
	jw_str(w, "op", "upgrade");
	jw_str(w, "program", launch_shim(h->launch));
	jw_close(w);
	h->id = id;
	if (json_writer_end(w, &e) == 0) {
		rq.json = buf_str(&json);
		if (shim_call(h->launch, id, &rq, on_answer, h, &e) > 0 &&
		    loop_run(h->loop, &e) == 0)
			return;
	}
	h->code = cli_fail(CLI_FAILED, &e);
}

static int all_here(const struct cli *c, const char **ids, int n, bool all)
{
	struct local_options local = { .run_dir = c->run_dir, .store = c->store };
	struct names found = { 0 };
	struct err e = ERR_NONE;
	struct here h = { 0 };

	if (loop_new(&h.loop, &e) < 0 || local_open(h.loop, &local, &h.launch, &e) < 0 ||
	    (all && launch_scan(h.launch, on_found, &found, &e) < 0)) {
		h.code = cli_fail(CLI_FAILED, &e);
		n = 0;
	}
	for (int i = 0; i < n; i++)
		upgrade_here(&h, ids[i]);
	for (size_t i = 0; i < found.n; i++)
		upgrade_here(&h, found.v[i]);
	names_fini(&found);
	launch_free(h.launch);
	loop_free(h.loop);
	return h.code;
}

int cli_upgrade(void *global, const char **operands, int n, void *opts)
{
	const struct opts_upgrade *o = opts;
	const struct cli *c = global;
	struct err e = ERR_NONE;

	if (o->all == (n > 0)) {
		(void) err_set(&e, EINVAL, "upgrade: name sandboxes, or --all");
		return cli_fail(CLI_USAGE, &e);
	}
	return cli_wants_daemon(c) ? all_there(c, operands, n, o->all)
				   : all_here(c, operands, n, o->all);
}
