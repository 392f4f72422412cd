/* carrel attach: this terminal on a sandbox, through the daemon or, on its own host, straight to its shim. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/local.h"
#include "sessiond/cli/report.h"
#include "sessiond/cli/rest.h"
#include "sessiond/cli/terminal.h"
#include "sessiond/cli/tty.h"

struct attach {
	struct loop *loop;
	struct launch *launch; /* NULL: through the daemon */
	struct terminal *terminal;
	const char *id;
	const struct opts_attach *opts;
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

static void on_signal(void *arg, int sig)
{
	struct attach *a = arg;

	a->signal = sig;
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

static int attach_here(struct attach *a, const struct cli *c, struct err *e)
{
	struct local_options local = { .run_dir = c->run_dir, .store = c->store };
	struct local_attach what = { .id = a->id,
				     .viewer = a->opts->viewer,
				     .has_since = a->opts->since > 0,
				     .since = a->opts->since,
				     .cols = a->cols,
				     .rows = a->rows };

	if (local_open(a->loop, &local, &a->launch, e) < 0)
		return -1;
	if (local_attach(a->launch, &what, on_attached, a, &a->fd, e) == 0)
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

	if (print_path(a, &path, e) < 0 || rest_open(c, &rest, e) < 0)
		return -1;
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

int cli_attach(void *global, const char **operands, int n, void *opts)
{
	struct attach a = {
		.id = operands[0], .opts = opts, .raw = isatty(STDIN_FILENO), .fd = FD_NONE
	};
	struct err e = ERR_NONE;

	(void) n;
	/* A viewer's terminal says nothing about the size either. */
	if (a.raw && !a.opts->viewer)
		(void) tty_size(STDIN_FILENO, &a.cols, &a.rows);
	if (run(&a, global, &e) < 0)
		a.code = cli_fail(CLI_NOT_RUN, &e);
	terminal_free(a.terminal);
	fd_close(&a.fd);
	launch_free(a.launch);
	loop_free(a.loop);
	return a.code;
}
