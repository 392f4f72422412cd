/* carrel attach and exec: this terminal on a sandbox, or on a new program in one, through the daemon or, on its own host,
 * straight to its shim. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/loop.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/local.h"
#include "sessiond/cli/report.h"
#include "sessiond/cli/rest.h"
#include "sessiond/cli/terminal.h"
#include "sessiond/cli/tty.h"
#include "sessiond/exec_run.h"

struct attach {
	struct loop *loop;
	struct launch *launch; /* NULL: through the daemon */
	struct terminal *terminal;
	const char *id;
	const struct opts_attach *opts;
	const struct opts_exec *exec; /* NULL: attach */
	const char **command;
	const struct cli *cli;
	uint32_t process; /* 0: the first */
	bool raw;
	uint16_t cols, rows;
	int fd, signal, code;
};

static void stop(struct attach *a, int code)
{
	a->code = code;
	loop_stop(a->loop);
}

static void on_terminal_end(void *arg)
{
	struct attach *a = arg;
	const struct terminal_end *t = terminal_ended(a->terminal);

	if (a->signal) {
		stop(a, 128 + a->signal);
	} else if (t->detached) {
		cli_note("detached from %s", a->id);
		stop(a, 0);
	} else {
		stop(a, report_end(a->id, t, NULL));
	}
}

static void ignore_answer(void *arg, const struct json *answer, const struct err *err)
{
	(void) arg;
	(void) answer;
	(void) err;
}

/* The program is nobody's any more: its group is hung up, and killed when that does not help. */
static void end_process(struct attach *a)
{
	struct err ignored = ERR_NONE;
	struct rest rest;
	char text[128];

	if (a->launch) {
		const struct shim_request rq = { .json = text, .fd = -1 };

		(void) snprintf(text, sizeof(text), "{\"op\":\"end\",\"process\":%u}",
				a->process);
		(void) shim_call(a->launch, a->id, &rq, ignore_answer, NULL, &ignored);
		return;
	}
	(void) snprintf(text, sizeof(text), "/v1/sandboxes/%s/terminals/%u", a->id, a->process);
	if (rest_open(a->cli, &rest, &ignored) < 0)
		return;
	(void) rest_call(&rest, "DELETE", text, NULL, &ignored);
	rest_close(&rest);
}

static void on_signal(void *arg, int sig)
{
	struct attach *a = arg;

	a->signal = sig;
	if (a->process)
		end_process(a);
	terminal_stop(a->terminal);
}

static int start(struct attach *a, struct link *link, struct err *e)
{
	return terminal_start(a->terminal, link, e);
}

static void on_attached(void *arg, const struct json *answer, const struct err *err)
{
	struct attach *a = arg;
	struct link_receiver to = terminal_receiver(a->terminal);
	struct link *link = NULL;
	struct err e = ERR_NONE;

	(void) answer;
	if (err)
		stop(a, cli_fail(CLI_NOT_RUN, err));
	else if (link_packet_new(a->loop, take_fd(&a->fd), &to, &link, &e) < 0 ||
		 start(a, link, &e) < 0)
		stop(a, cli_fail(CLI_NOT_RUN, &e));
}

static int attach_local(struct attach *a, struct err *e)
{
	struct local_attach what = { .id = a->id,
				     .viewer = a->opts->viewer,
				     .has_since = a->opts->since > 0,
				     .since = a->opts->since,
				     .process = a->process,
				     .cols = a->cols,
				     .rows = a->rows };

	return local_attach(a->launch, &what, on_attached, a, &a->fd, e);
}

/* ---- a new program ---- */

static void on_started(void *arg, const struct json *answer, const struct err *err)
{
	struct attach *a = arg;
	struct err e = ERR_NONE;

	if (err) {
		stop(a, cli_fail(CLI_NOT_RUN, err));
		return;
	}
	a->process = (uint32_t) json_int_or(answer, "process", 0);
	if (attach_local(a, &e) < 0)
		stop(a, cli_fail(CLI_NOT_RUN, &e));
}

static int exec_local(struct attach *a, struct err *e)
{
	const struct exec_what what = { .args = a->command,
					.env = (char *const *) (uintptr_t) a->exec->env.v,
					.cwd = a->exec->cwd,
					.user = a->exec->user,
					.tag = "carrel-exec",
					.terminal = a->raw,
					.input = true,
					.cols = a->cols,
					.rows = a->rows };
	auto_buf struct buf order = BUF_LIMIT(65536);
	struct shim_request rq = { .fd = -1, .timeout_ms = 15000 };

	if (exec_order(&what, &order, e) < 0)
		return -1;
	rq.json = buf_str(&order);
	return shim_call(a->launch, a->id, &rq, on_started, a, e) < 0 ? -1 : 0;
}

/* The API's form of the same. */
static int print_terminal(const struct attach *a, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_strings(w, "command", a->command);
	jw_object(w, "env");
	for (const char *const *v = a->exec->env.v; v && *v; v++) {
		const char *value = strchr(*v, '=');
		auto_free char *name = NULL;

		if (!value)
			return err_set(e, EINVAL, "--env %s: is not NAME=VALUE", *v);
		name = xstrndup(*v, (size_t) (value - *v));
		jw_str(w, name, value + 1);
	}
	jw_close(w);
	if (a->exec->cwd)
		jw_str(w, "cwd", a->exec->cwd);
	if (a->exec->user)
		jw_str(w, "user", a->exec->user);
	jw_str(w, "tag", "carrel-exec");
	jw_bool(w, "terminal", a->raw);
	if (a->cols) {
		jw_uint(w, "cols", a->cols);
		jw_uint(w, "rows", a->rows);
	}
	jw_close(w);
	return json_writer_end(w, e);
}

static int exec_there(struct attach *a, const struct rest *rest, struct err *e)
{
	auto_free char *path = xasprintf("/v1/sandboxes/%s/terminals", a->id);
	auto_buf struct buf body = BUF_LIMIT(65536);
	auto_json struct json_doc *doc = NULL;

	if (print_terminal(a, &body, e) < 0 ||
	    rest_post(rest, path, buf_str(&body), &doc, e) < 0)
		return -1;
	a->process = (uint32_t) json_int_or(doc ? json_root(doc) : NULL, "process", 0);
	return a->process ? 0 : err_set(e, EPROTO, "the server's answer names no process");
}

static int attach_here(struct attach *a, const struct cli *c, struct err *e)
{
	struct local_options local = { .run_dir = c->run_dir, .store = c->store };

	if (local_open(a->loop, &local, &a->launch, e) < 0)
		return -1;
	if ((a->exec ? exec_local(a, e) : attach_local(a, e)) == 0)
		return 0;
	if (e->code == ENOENT || e->code == ECONNREFUSED)
		return err_set(e, ENOENT, "sandbox %s: none of that name runs on this host",
			       a->id);
	return -1;
}

static int print_path(const struct attach *a, struct buf *out, struct err *e)
{
	char mark = '?';

	if (buf_printf(out, e, "/v1/sandboxes/%s/terminal", a->id) < 0)
		return -1;
	if (a->cols) {
		if (buf_printf(out, e, "%ccols=%u&rows=%u", mark, a->cols, a->rows) < 0)
			return -1;
		mark = '&';
	}
	if (a->opts->viewer) {
		if (buf_printf(out, e, "%crole=viewer", mark) < 0)
			return -1;
		mark = '&';
	}
	if (a->process) {
		if (buf_printf(out, e, "%cprocess=%u", mark, a->process) < 0)
			return -1;
		mark = '&';
	}
	if (a->opts->since &&
	    buf_printf(out, e, "%csince=%llu", mark, (unsigned long long) a->opts->since) < 0)
		return -1;
	return 0;
}

static int attach_there(struct attach *a, const struct cli *c, struct err *e)
{
	auto_buf struct buf path = BUF_LIMIT(1024);
	struct link_receiver to = terminal_receiver(a->terminal);
	struct link *link = NULL;
	struct rest rest;
	int r;

	if (rest_open(c, &rest, e) < 0)
		return -1;
	r = a->exec ? exec_there(a, &rest, e) : 0;
	if (r == 0)
		r = print_path(a, &path, e);
	if (r == 0)
		r = link_ws_new(a->loop, &rest, buf_str(&path), &to, &link, e);
	rest_close(&rest);
	return r < 0 ? err_wrap(e, "sandbox %s", a->id) : start(a, link, e);
}

static int run(struct attach *a, const struct cli *c, struct err *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	if (!launch_id_valid(a->id))
		return err_set(e, EINVAL, "\"%s\" is no sandbox's name", a->id);
	if (loop_new(&a->loop, e) < 0 ||
	    terminal_new(a->loop, a->raw, a->opts->viewer && !a->raw, on_terminal_end, a,
			 &a->terminal, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (loop_signal(a->loop, signals[i], on_signal, a, e) < 0)
			return -1;
	if ((cli_wants_daemon(c) ? attach_there(a, c, e) : attach_here(a, c, e)) < 0)
		return -1;
	return loop_run(a->loop, e);
}

static int begin(struct attach *a)
{
	struct err e = ERR_NONE;

	/* A viewer's terminal says nothing about the size either. */
	if (a->raw && !a->opts->viewer)
		(void) tty_size(STDIN_FILENO, &a->cols, &a->rows);
	if (run(a, a->cli, &e) < 0)
		a->code = cli_fail(CLI_NOT_RUN, &e);
	terminal_free(a->terminal);
	fd_close(&a->fd);
	launch_free(a->launch);
	loop_free(a->loop);
	return a->code;
}

int cli_attach(void *global, const char **operands, int n, void *opts)
{
	struct attach a = { .cli = global,
			    .id = operands[0],
			    .opts = opts,
			    .raw = isatty(STDIN_FILENO),
			    .fd = FD_NONE };

	(void) n;
	return begin(&a);
}

int cli_exec(void *global, const char **operands, int n, void *opts)
{
	static const struct opts_attach none;
	const struct opts_exec *o = opts;
	struct attach a = { .cli = global,
			    .id = operands[0],
			    .opts = &none,
			    .exec = o,
			    .command = operands + 1,
			    .raw = !o->no_tty && isatty(STDIN_FILENO),
			    .fd = FD_NONE };

	(void) n;
	return begin(&a);
}
