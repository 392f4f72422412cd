/*
 * carrel run: one sandbox, its terminal here, no daemon.
 *
 *   launch_start ── ready ──► attach ──► terminal ── its end ──► launch_collect ──► exit
 *
 * The shim removes everything by itself (remove_dir); collecting waits for that, so that nothing of the
 * sandbox is left when this process ends. A signal ends the sandbox first; after detaching it stays.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/path.h"
#include "base/str.h"
#include "base/volume.h"
#include "base/workspace.h"
#include "sessiond/cgroup_parent.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/local.h"
#include "sessiond/cli/report.h"
#include "sessiond/cli/run_policy.h"
#include "sessiond/cli/terminal.h"
#include "sessiond/cli/tty.h"
#include "sessiond/launch.h"

enum {
	/* A batch program may write a lot before its terminal is attached, a millisecond later. */
	HISTORY_TTY = 262144,
	HISTORY_BATCH = 4 << 20,
};

struct run {
	struct loop *loop;
	struct launch *launch;
	struct terminal *terminal;
	struct run_policy policy;
	const char *id;
	bool raw, detach, running;
	int fd;	    /* our end of the terminal's socket pair */
	int signal; /* that made us end it */
	int code;
};

static void stop(struct run *r, int code)
{
	r->code = code;
	loop_stop(r->loop);
}

static void on_collected(void *arg, const struct launch_exit *left, const struct err *err)
{
	struct run *r = arg;
	static const struct terminal_end never = { 0 };
	const struct terminal_end *t = r->terminal ? terminal_ended(r->terminal) : &never;
	int code;

	if (err)
		(void) cli_fail(0, err);
	code = r->signal ? 128 + r->signal : report_end(r->id, t, left);
	stop(r, code);
}

static void collect(struct run *r)
{
	struct err e = ERR_NONE;

	if (launch_collect(r->launch, r->id, on_collected, r, &e) < 0)
		stop(r, cli_fail(CLI_NOT_RUN, &e));
}

static void on_ended(void *arg, const struct json *answer, const struct err *err)
{
	(void) arg;
	(void) answer;
	(void) err; /* whatever it says: the collector sees when it is gone */
}

static void end_sandbox(struct run *r)
{
	struct shim_request rq = { .json = "{\"op\":\"end\",\"reason\":\"deleted\"}",
				   .fd = -1,
				   .timeout_ms = 30000 };
	struct err e = ERR_NONE;

	(void) shim_call(r->launch, r->id, &rq, on_ended, r, &e);
}

static void on_terminal_end(void *arg)
{
	struct run *r = arg;
	const struct terminal_end *t = terminal_ended(r->terminal);

	if (t->detached) {
		cli_note("detached; carrel attach %s comes back", r->id);
		stop(r, 0);
		return;
	}
	/* Our own output is broken: nobody is left to run it for. */
	if (t->error[0])
		end_sandbox(r);
	collect(r);
}

static void on_attached(void *arg, const struct json *answer, const struct err *err)
{
	struct run *r = arg;
	struct link_receiver to = terminal_receiver(r->terminal);
	struct link *link = NULL;
	struct err e = ERR_NONE;

	(void) answer;
	if (err) {
		(void) cli_fail(0, err);
		end_sandbox(r);
		collect(r);
		return;
	}
	if (link_packet_new(r->loop, take_fd(&r->fd), &to, &link, &e) < 0 ||
	    terminal_start(r->terminal, link, &e) < 0) {
		(void) cli_fail(0, &e);
		end_sandbox(r);
		collect(r);
	}
}

static void attach(struct run *r)
{
	struct local_attach a = { .id = r->id };
	struct err e = ERR_NONE;

	if (r->raw)
		(void) tty_size(STDIN_FILENO, &a.cols, &a.rows);
	if (terminal_new(r->loop, r->raw, false, on_terminal_end, r, &r->terminal, &e) == 0 &&
	    local_attach(r->launch, &a, on_attached, r, &r->fd, &e) == 0)
		return;
	(void) cli_fail(0, &e);
	end_sandbox(r);
	collect(r);
}

static void on_started(void *arg, const struct err *err)
{
	struct run *r = arg;

	run_policy_started(&r->policy, r->launch, r->id);
	if (err) {
		stop(r, r->signal ? 128 + r->signal : cli_fail(CLI_NOT_RUN, err));
		return;
	}
	r->running = true;
	if (r->detach) {
		(void) printf("%s\n", r->id);
		(void) fflush(stdout);
		stop(r, 0);
		return;
	}
	attach(r);
}

static void on_signal(void *arg, int sig)
{
	struct run *r = arg;

	if (r->signal)
		return;
	r->signal = sig;
	if (r->running)
		end_sandbox(r);
	else
		(void) launch_cancel(r->launch, r->id);
}

static int watch_signals(struct run *r, struct err *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (loop_signal(r->loop, signals[i], on_signal, r, e) < 0)
			return -1;
	return 0;
}

/* "K=V" each; TERM of this terminal first, so that --env wins. */
static int build_env(const struct opts_run *o, bool raw, char **term, const char ***out,
		     struct err *e)
{
	const char *name = getenv("TERM");
	size_t n = 0;

	for (size_t i = 0; i < o->env.n; i++)
		if (o->env.v[i][0] == '=' || !strchr(o->env.v[i], '='))
			return err_set(e, EINVAL, "--env %s: NAME=VALUE is wanted",
				       o->env.v[i]);
	*out = xalloc((o->env.n + 2) * sizeof(**out));
	if (raw && name && *name) {
		*term = xasprintf("TERM=%s", name);
		(*out)[n++] = *term;
	}
	for (size_t i = 0; i < o->env.n; i++)
		(*out)[n++] = o->env.v[i];
	return 0;
}

/* NAME[:DIR]; *name is malloc'ed. */
static int parse_volume(const char *text, char **name, struct launch_volume *out, struct err *e)
{
	const char *colon = text ? strchr(text, ':') : NULL;

	if (!text)
		return 0;
	*name = colon ? xstrndup(text, (size_t) (colon - text)) : xstrdup(text);
	*out = (struct launch_volume){ .name = *name,
				       .path = colon ? colon + 1 : WORKSPACE_PATH };
	if (!volume_name_valid(*name) || !path_is_clean_absolute(out->path))
		return err_set(
			e, EINVAL,
			"--volume %s: NAME[:DIR] is wanted, DIR an absolute path without . and ..",
			text);
	return 0;
}

static int start(struct run *r, const struct opts_run *o, const char **operands, int n,
		 struct err *e)
{
	auto_free const char **env = NULL;
	auto_free char *term = NULL, *volume = NULL;
	bool terminal = !o->no_tty && (r->raw || o->detach);
	struct launch_spec spec = { .id = r->id,
				    .image = operands[0],
				    .tier = o->tier,
				    .command = n > 1 ? (char *const *) (operands + 1) : NULL,
				    .cwd = o->cwd,
				    .user = o->user,
				    .hostname = o->hostname,
				    .policy = r->policy.path,
				    .no_terminal = !terminal,
				    .remove_dir = true,
				    .idle_ms = o->idle_ms,
				    .lifetime_ms = o->lifetime_ms,
				    .history_bytes = terminal ? HISTORY_TTY : HISTORY_BATCH };

	if (build_env(o, r->raw, &term, &env, e) < 0 ||
	    parse_volume(o->volume, &volume, &spec.volume, e) < 0)
		return -1;
	spec.env = (char *const *) env;
	if (r->raw)
		(void) tty_size(STDIN_FILENO, &spec.cols, &spec.rows);
	return launch_start(r->launch, &spec, on_started, r, e);
}

static int run(struct run *r, const struct cli *c, const struct opts_run *o,
	       const char **operands, int n, struct err *e)
{
	struct local_options local = { .run_dir = o->run_dir ? o->run_dir : c->run_dir,
				       .store = o->store ? o->store : c->store,
				       .tiers = o->tiers,
				       .runtime = o->runtime,
				       .seccomp = o->seccomp,
				       .cgroup = o->cgroup,
				       .volumes = o->volumes,
				       .with_tiers = o->tier != NULL,
				       .with_bundles = true };

	if (o->tiers && !o->tier)
		return err_set(e, EINVAL, "--tiers: --tier says which of them");
	if (loop_new(&r->loop, e) < 0 || watch_signals(r, e) < 0 ||
	    local_open(r->loop, &local, &r->launch, e) < 0 ||
	    run_policy_prepare(&r->policy, r->launch, o, e) < 0 ||
	    start(r, o, operands, n, e) < 0)
		return -1;
	return loop_run(r->loop, e);
}

int cli_run(void *global, const char **operands, int n, void *opts)
{
	const struct opts_run *o = opts;
	struct run r = { .fd = FD_NONE, .detach = o->detach, .policy = RUN_POLICY_NONE };
	struct err e = ERR_NONE;
	char id[27];

	random_id(id);
	r.id = o->name ? o->name : id;
	r.raw = !o->no_tty && !o->detach && isatty(STDIN_FILENO);
	log_open(STDERR_FILENO, LOG_TEXT, LOG_LV_WARN);
	if (run(&r, global, o, operands, n, &e) < 0)
		r.code = cli_fail(CLI_NOT_RUN, &e);
	terminal_free(r.terminal);
	run_policy_report(&r.policy);
	run_policy_fini(&r.policy, r.launch);
	fd_close(&r.fd);
	launch_free(r.launch);
	loop_free(r.loop);
	if (!o->detach)
		cgroup_parent_remove(o->cgroup ? o->cgroup : CGROUP_PARENT);
	return r.code;
}
