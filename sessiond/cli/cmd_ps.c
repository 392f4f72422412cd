/* carrel ps: what the daemon shows, or what lies in this host's run directory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/local.h"
#include "sessiond/cli/rest.h"

enum { TEXT_MAX = 64 << 20, INFO_MS = 2000 };

/* ---- through the daemon ---- */

static int row(struct buf *out, const struct json *item, struct err *e)
{
	return buf_printf(out, e, "%-26s  %-8s  %-12s  %-10s  %-10s  %-20s  %s\n",
			  json_str_or(item, "id", "?"), json_str_or(item, "state", "?"),
			  json_str_or(item, "user", "?"), json_str_or(item, "tier", "?"),
			  json_str_or(item, "policy", "-"), json_str_or(item, "image", "?"),
			  json_str_or(item, "created_at", "?"));
}

/* One page: its rows to `table` or its items to `w`; *next is malloc'ed, NULL after the last. */
static int page(const struct rest *rest, const char *after, struct buf *table,
		struct json_writer *w, char **next, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	auto_free char *path = xasprintf("/v1/sandboxes?limit=200%s%s", after ? "&after=" : "",
					 after ? after : "");
	const char *more;

	if (rest_call(rest, "GET", path, &doc, e) < 0)
		return -1;
	json_each (item, json_get(doc ? json_root(doc) : NULL, "items")) {
		if (w)
			jw_node(w, NULL, item);
		else if (row(table, item, e) < 0)
			return -1;
	}
	more = json_str_or(doc ? json_root(doc) : NULL, "next", NULL);
	*next = more ? xstrdup(more) : NULL;
	return 0;
}

static int list_there(const struct cli *c, struct buf *out, struct json_writer *w,
		      struct err *e)
{
	auto_free char *after = NULL;
	struct rest rest;
	int r;

	if (rest_open(c, &rest, e) < 0)
		return -1;
	r = w ? 0
	      : buf_printf(out, e, "%-26s  %-8s  %-12s  %-10s  %-10s  %-20s  %s\n", "ID",
			   "STATE", "USER", "TIER", "POLICY", "IMAGE", "CREATED");
	while (r == 0) {
		char *next = NULL;

		r = page(&rest, after, out, w, &next, e);
		free(after);
		after = next;
		if (!after)
			break;
	}
	rest_close(&rest);
	return r;
}

/* ---- here ---- */

struct entry {
	struct entry *next;
	struct here *here;
	char id[65], policy[64]; /* "": under none */
	const char *state;
	int64_t clients, idle_ms, left_ms, pid;
};

struct here {
	struct loop *loop;
	struct launch *launch;
	struct entry *entries, **end;
	size_t asked;
};

static void on_info(void *arg, const struct json *answer, const struct err *err)
{
	struct entry *x = arg;

	if (err) {
		x->state = err->code == ETIMEDOUT ? "silent" : "ending";
	} else {
		x->state =
			json_str_or(answer, "state", "running")[0] == 'r' ? "running" : "ended";
		(void) snprintf(x->policy, sizeof(x->policy), "%s",
				json_str_or(answer, "policy", ""));
		x->clients = json_int_or(answer, "clients", -1);
		x->idle_ms = json_int_or(answer, "idle_ms", -1);
		x->left_ms = json_int_or(answer, "lifetime_left_ms", -1);
		x->pid = json_int_or(answer, "pid", -1);
	}
	if (--x->here->asked == 0)
		loop_stop(x->here->loop);
}

static void on_found(void *arg, const char *id, enum launch_found found)
{
	static const char *const names[] = { "ending", "starting", "dead" };
	struct here *h = arg;
	struct shim_request rq = { .json = "{\"op\":\"info\"}",
				   .fd = -1,
				   .timeout_ms = INFO_MS };
	struct entry *x = xalloc(sizeof(*x));
	struct err ignored = ERR_NONE;

	*x = (struct entry){ .here = h,
			     .state = names[found],
			     .clients = -1,
			     .idle_ms = -1,
			     .left_ms = -1,
			     .pid = -1 };
	(void) snprintf(x->id, sizeof(x->id), "%s", id);
	*h->end = x;
	h->end = &x->next;
	if (found == LAUNCH_ALIVE && shim_call(h->launch, id, &rq, on_info, x, &ignored) > 0)
		h->asked++;
}

static void number(char out[24], int64_t n, int64_t unit)
{
	if (n < 0)
		(void) snprintf(out, 24, "-");
	else
		(void) snprintf(out, 24, "%lld", (long long) (n / unit));
}

static int table_row(struct buf *out, const struct entry *x, struct err *e)
{
	char pid[24], clients[24], idle[24], left[24];

	number(pid, x->pid, 1);
	number(clients, x->clients, 1);
	number(idle, x->idle_ms, 1000);
	number(left, x->left_ms, 1000);
	return buf_printf(out, e, "%-26s  %-8s  %-10s  %8s  %7s  %8s  %8s\n", x->id, x->state,
			  x->policy[0] ? x->policy : "-", pid, clients, idle, left);
}

static void number_or_null(struct json_writer *w, const char *key, int64_t n)
{
	if (n < 0)
		jw_null(w, key);
	else
		jw_int(w, key, n);
}

static void json_row(struct json_writer *w, const struct entry *x)
{
	jw_object(w, NULL);
	jw_str(w, "id", x->id);
	jw_str(w, "state", x->state);
	jw_str(w, "policy", x->policy[0] ? x->policy : NULL);
	number_or_null(w, "pid", x->pid);
	number_or_null(w, "clients", x->clients);
	number_or_null(w, "idle_ms", x->idle_ms);
	number_or_null(w, "lifetime_left_ms", x->left_ms);
	jw_close(w);
}

static int print_entries(const struct here *h, struct buf *out, struct json_writer *w,
			 struct err *e)
{
	if (!w && buf_printf(out, e, "%-26s  %-8s  %-10s  %8s  %7s  %8s  %8s\n", "ID", "STATE",
			     "POLICY", "PID", "CLIENTS", "IDLE s", "LEFT s") < 0)
		return -1;
	for (const struct entry *x = h->entries; x; x = x->next) {
		if (w)
			json_row(w, x);
		else if (table_row(out, x, e) < 0)
			return -1;
	}
	return 0;
}

static int list_here(const struct cli *c, struct buf *out, struct json_writer *w, struct err *e)
{
	struct local_options local = { .run_dir = c->run_dir, .store = c->store };
	struct here h = { .end = &h.entries };
	int r = loop_new(&h.loop, e);

	if (r == 0)
		r = local_open(h.loop, &local, &h.launch, e);
	if (r == 0)
		r = launch_scan(h.launch, on_found, &h, e);
	if (r == 0 && h.asked)
		r = loop_run(h.loop, e);
	if (r == 0)
		r = print_entries(&h, out, w, e);
	for (struct entry *x; (x = h.entries);) {
		h.entries = x->next;
		free(x);
	}
	launch_free(h.launch);
	loop_free(h.loop);
	return r;
}

int cli_ps(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(TEXT_MAX);
	auto_json_writer struct json_writer *w = NULL;
	struct err e = ERR_NONE;
	bool json;
	int r;

	(void) opts;
	if (n > 0)
		return cli_processes(c, operands[0]);
	if (cli_wants_json(c, &json, &e) < 0)
		return cli_fail(CLI_USAGE, &e);
	if (json) {
		w = json_writer_new(&out, false);
		jw_array(w, NULL);
	}
	r = cli_wants_daemon(c) ? list_there(c, &out, w, &e) : list_here(c, &out, w, &e);
	if (r == 0 && json) {
		jw_close(w);
		r = json_writer_end(w, &e);
		if (r == 0)
			r = buf_puts(&out, "\n", &e);
	}
	return r < 0 ? cli_fail(CLI_FAILED, &e) : cli_print(&out);
}
