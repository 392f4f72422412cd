#include "shim/launch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/util.h"
#include "shim/launch_io.h"
#include "shim/orders.h"

enum { RUN_ARGS = 16, RUN_TIMEOUT_MS = 60000, DELETE_TIMEOUT_MS = 30000 };

/* The runtime's command line: argv[RUN_ARGS] is the NULL that ends it. */
static void run_args(const struct orders *o, const char *bundle, const char *log,
		     const struct launch_names *names, const char *argv[RUN_ARGS + 1])
{
	const char *const first[] = { o->runtime, "--root",	  o->runtime_root, "--log",
				      log,	  "--log-format", "json",	   "run",
				      "--detach", "--bundle",	  bundle,	   "--pid-file",
				      names->pid };
	size_t n = ARRAY_SIZE(first);

	_Static_assert(ARRAY_SIZE(first) + 3 == RUN_ARGS,
		       "two for the console, one for the id");
	memcpy(argv, first, sizeof(first));
	if (o->terminal) {
		argv[n++] = "--console-socket";
		argv[n++] = names->console;
	}
	argv[n++] = o->id;
	argv[n] = NULL;
}

static int run(const struct orders *o, const char *bundle, int bundle_fd,
	       const struct launch_names *names, const struct launch_io *s, struct err *e)
{
	auto_free char *log = xasprintf("%s/%s", bundle, names->log);
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child child = CHILD_NONE;
	const char *argv[RUN_ARGS + 1];
	struct child_status st;
	int r;

	run_args(o, bundle, log, names, argv);
	spec.path = o->runtime;
	spec.argv = (char *const *) (uintptr_t) argv;
	spec.envp = launch_env;
	spec.cwd_fd = bundle_fd;
	spec.parent_death_signal =
		SIGKILL; /* a runtime without a shim would make what nobody knows of */
	for (size_t i = 0; i < ARRAY_SIZE(s->theirs); i++)
		spec.stdio[i] = s->theirs[i];
	if (child_spawn(&spec, &child, e) < 0)
		return err_wrap(e, "%s", o->runtime);
	r = child_wait_for(&child, RUN_TIMEOUT_MS, &st, e);
	if (r <= 0) {
		child_end(&child);
		return r < 0 ? -1
			     : err_set(e, ETIMEDOUT, "runtime: not done after %d s",
				       RUN_TIMEOUT_MS / 1000);
	}
	if (st.signalled || st.code != 0)
		return launch_runtime_error(bundle_fd, names->log,
					    o->terminal ? s->theirs[2] : -1, &st, e);
	return 0;
}

int launch_run(const struct orders *o, const char *dir, int bundle_fd, struct launched *out,
	       struct err *e)
{
	auto_free char *bundle = xasprintf("%s/bundle", dir);
	struct launched l = LAUNCHED_NONE;
	const struct launch_names names = launch_names(1);
	struct launch_io s = LAUNCH_IO_NONE;
	int r;

	r = launch_io_open(&s, o->terminal, false, bundle_fd, &names, e);
	if (r == 0)
		r = run(o, bundle, bundle_fd, &names, &s, e);
	if (r == 0)
		r = launch_open_process(bundle_fd, &names, &l.init, e);
	if (r == 0 && o->terminal)
		r = launch_io_terminal(&s, (uint16_t) o->cols, (uint16_t) o->rows, e);
	if (r == 0) {
		l.fds[0] = take_fd(&s.ours[0]);
		l.fds[1] = take_fd(&s.ours[1]);
		*out = l;
	} else
		fd_close(&l.init.pidfd);
	(void) unlinkat(bundle_fd, names.console, 0); /* there only with a terminal */
	launch_io_close(&s);
	return r;
}

int launch_delete(const struct orders *o, struct err *e)
{
	const char *argv[] = { o->runtime, "--root", o->runtime_root, "delete", "--force",
			       o->id,	   NULL };
	auto_buf struct buf text = BUF_LIMIT(LAUNCH_LOG_BYTES);
	auto_json struct json_doc *doc = NULL;
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child_status st;

	spec.path = o->runtime;
	spec.argv = (char *const *) (uintptr_t) argv;
	spec.envp = launch_env;
	if (child_run(&spec, NULL, 0, NULL, &text, DELETE_TIMEOUT_MS, &st, e) < 0)
		return err_wrap(e, "%s delete", o->runtime);
	if (st.signalled || st.code != 0)
		return err_set(e, ECHILD, "%s delete: exit %d: %s", o->runtime, st.code,
			       buf_len(&text) ? launch_last_words(&text, &doc) : "");
	return 0;
}
