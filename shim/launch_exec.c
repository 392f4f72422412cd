#include "shim/launch_exec.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/util.h"
#include "shim/exec_order.h"
#include "shim/orders.h"

enum { EXEC_ARGS = 22, PROCESS_BYTES = 1 << 20 };

/* ---- what is run ---- */

/* Members that an order replaces. */
static bool replaced(const char *key, const struct exec_order *x)
{
	static const char *const always[] = { "args", "terminal", "consoleSize" };

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (strcmp(key, always[i]) == 0)
			return true;
	return strcmp(key, "env") == 0 || (x->cwd && strcmp(key, "cwd") == 0);
}

static void write_process(struct json_writer *w, const struct json *own,
			  const struct exec_order *x)
{
	jw_object(w, NULL);
	json_each (m, own)
		if (!replaced(m->key, x))
			jw_node(w, m->key, m);
	jw_strings(w, "args", x->args);
	jw_array(w, "env");
	json_each (v, json_get(own, "env"))
		jw_node(w, NULL, v);
	for (const char **v = x->env; v && *v; v++)
		jw_str(w, NULL, *v);
	jw_close(w);
	if (x->cwd)
		jw_str(w, "cwd", x->cwd);
	jw_bool(w, "terminal", x->terminal);
	if (x->terminal) {
		jw_object(w, "consoleSize");
		jw_uint(w, "width", x->cols);
		jw_uint(w, "height", x->rows);
		jw_close(w);
	}
	jw_close(w);
}

int launch_exec_print(int bundle_fd, const struct exec_order *x, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = NULL;
	auto_json struct json_doc *doc = NULL;
	const struct json *own;

	if (json_parse_file(bundle_fd, "config.json", NULL, &doc, e) < 0)
		return -1;
	own = json_get(json_root(doc), "process");
	if (!own || own->type != JSON_OBJECT)
		return err_set(e, EINVAL, "config.json: it has no process");
	w = json_writer_new(out, false);
	write_process(w, own, x);
	return json_writer_end(w, e);
}

static int open_process(int bundle_fd, const struct exec_order *x, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(PROCESS_BYTES);
	auto_close int fd = memfd_create("process", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "memfd_create");
	if (launch_exec_print(bundle_fd, x, &text, e) < 0 ||
	    fd_write_all(fd, buf_bytes(&text), buf_len(&text), e) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "lseek");
	return take_fd(&fd);
}

/* ---- the runtime ---- */

/* argv[EXEC_ARGS] is the NULL that ends it. */
static void exec_args(const struct orders *o, const struct launch_exec *s, const char *log,
		      const char *user, const char *argv[EXEC_ARGS + 1])
{
	const char *const first[] = {
		o->runtime,	   "--root",	 o->runtime_root, "--log",    log,
		"--log-format",	   "json",	 "exec",	  "--detach", "--process",
		"/proc/self/fd/3", "--pid-file", s->names.pid
	};
	size_t n = ARRAY_SIZE(first);

	_Static_assert(ARRAY_SIZE(first) + 5 <= EXEC_ARGS, "console, user, id");
	memcpy(argv, first, sizeof(first));
	if (s->terminal) {
		argv[n++] = "--console-socket";
		argv[n++] = s->names.console;
	}
	if (user) {
		argv[n++] = "--user";
		argv[n++] = user;
	}
	argv[n++] = o->id;
	argv[n] = NULL;
}

static int spawn(const struct orders *o, const char *dir, int bundle_fd, int process_fd,
		 const char *user, struct launch_exec *s, struct err *e)
{
	auto_free char *log = xasprintf("%s/bundle/%s", dir, s->names.log);
	struct child_spec spec = CHILD_SPEC_NONE;
	const char *argv[EXEC_ARGS + 1];

	exec_args(o, s, log, user, argv);
	spec.path = o->runtime;
	spec.argv = (char *const *) (uintptr_t) argv;
	spec.envp = launch_env;
	spec.cwd_fd = bundle_fd;
	spec.keep_fds = &process_fd;
	spec.n_keep_fds = 1;
	spec.parent_death_signal = SIGKILL;
	for (size_t i = 0; i < ARRAY_SIZE(s->io.theirs); i++)
		spec.stdio[i] = s->io.theirs[i];
	return child_spawn(&spec, &s->runtime, e) < 0 ? err_wrap(e, "%s", o->runtime) : 0;
}

int launch_exec_begin(const struct orders *o, const char *dir, int bundle_fd, uint32_t process,
		      const struct exec_order *x, struct launch_exec *out, struct err *e)
{
	auto_close int process_fd = open_process(bundle_fd, x, e);
	struct launch_exec s = LAUNCH_EXEC_NONE;
	int r = process_fd < 0 ? -1 : 0;

	s.names = launch_names(process);
	s.terminal = x->terminal;
	s.cols = x->cols;
	s.rows = x->rows;
	if (r == 0)
		r = launch_io_open(&s.io, x->terminal, true, bundle_fd, &s.names, e);
	if (r == 0)
		r = spawn(o, dir, bundle_fd, process_fd, x->user, &s, e);
	if (r < 0) {
		launch_names_remove(&s.names, bundle_fd);
		launch_exec_fini(&s);
		return -1;
	}
	/* The pipes' other ends are the process's alone: their end is its end. */
	for (size_t i = 0; i < 2 + (size_t) !x->terminal; i++)
		fd_close(&s.io.theirs[i]);
	*out = s;
	return 0;
}

int launch_exec_finish(struct launch_exec *x, int bundle_fd, const struct child_status *st,
		       struct child *process, struct err *e)
{
	int r = 0;

	if (st->signalled || st->code != 0)
		r = launch_runtime_error(bundle_fd, x->names.log, x->io.theirs[2], st, e);
	if (r == 0)
		r = launch_open_process(bundle_fd, &x->names, process, e);
	if (r == 0 && x->terminal)
		r = launch_io_terminal(&x->io, x->cols, x->rows, e);
	launch_names_remove(&x->names, bundle_fd);
	return r;
}

void launch_exec_fini(struct launch_exec *x)
{
	child_end(&x->runtime);
	launch_io_close(&x->io);
	*x = LAUNCH_EXEC_NONE;
}
