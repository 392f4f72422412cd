#include "shim/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/sock.h"
#include "base/str.h"
#include "base/util.h"
#include "shim/orders.h"

enum { RUN_ARGS = 16, RUN_TIMEOUT_MS = 60000, DELETE_TIMEOUT_MS = 30000, LOG_BYTES = 65536 };

/* Names in the bundle, which is the runtime's working directory: no path of ours is too long for a unix
 * socket then, whatever the runtime does with it. */
static const char console_name[] = "console.sock";
static const char pid_name[] = "pid";
static const char log_name[] = "runtime.log";

static char *const runtime_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
};

/* What the program is given and what we keep of it. */
struct stdio {
	int theirs[3];
	int ours[2];
	int console; /* listening */
};
#define STDIO_NONE                                                                             \
	((struct stdio){ .theirs = { -1, -1, -1 }, .ours = { -1, -1 }, .console = -1 })

static void stdio_close(struct stdio *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->theirs); i++)
		fd_close(&s->theirs[i]);
	fd_close(&s->ours[0]);
	fd_close(&s->ours[1]);
	fd_close(&s->console);
}

static int stdio_open(const struct orders *o, int bundle_fd, struct stdio *s, struct err *e)
{
	int in[2], out[2];

	if (o->terminal) {
		/* In memory: it is read only when something went wrong. */
		s->theirs[2] = memfd_create("runtime-errors", MFD_CLOEXEC);
		s->console = sock_listen_at(bundle_fd, console_name, SOCK_STREAM, 0600, e);
		return s->console < 0 ? err_wrap(e, "console socket") : 0;
	}
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2");
	s->theirs[0] = in[0];
	s->ours[1] = in[1];
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2");
	s->ours[0] = out[0];
	s->theirs[1] = out[1];
	s->theirs[2] = fd_dup(out[1], e);
	return s->theirs[2] < 0 ? -1 : 0;
}

/* The last "msg" of a JSON log, or the last line of a text. */
static const char *last_words(struct buf *text, struct json_doc **doc)
{
	char *s = (char *) buf_str(text), *line;
	size_t n = strlen(s);
	struct err e = ERR_NONE;

	while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r'))
		s[--n] = '\0';
	line = strrchr(s, '\n');
	line = line ? line + 1 : s;
	if (*line != '{' || json_parse(line, strlen(line), NULL, doc, &e) < 0)
		return line;
	return json_str_or(json_root(*doc), "msg", line);
}

/* Why the runtime failed, in its own words: its log first, else what it said on stderr. */
static int runtime_error(int bundle_fd, int stderr_fd, const struct child_status *st,
			 struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(LOG_BYTES);
	auto_json struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;
	const char *words = "";

	if (bundle_fd >= 0)
		(void) fd_read_file(bundle_fd, log_name, LOG_BYTES, &text, &ignored);
	if (buf_len(&text) == 0 && stderr_fd >= 0 && lseek(stderr_fd, 0, SEEK_SET) == 0)
		(void) fd_read_all(stderr_fd, LOG_BYTES, &text, &ignored);
	if (buf_len(&text) > 0)
		words = last_words(&text, &doc);
	return err_set(e, ECHILD, "runtime %s %d%s%s",
		       st->signalled ? "killed by signal" : "exited with", st->code,
		       *words ? ": " : "", words);
}

/* The terminal's controlling side, from the console socket. The runtime has ended, so whatever it sent
 * is there. */
static int receive_terminal(struct stdio *s, struct err *e)
{
	auto_close int conn = sock_accept(s->console, e);
	size_t n_fds = 1;
	char name[256];

	if (conn < 0)
		return err_wrap(e, "the runtime sent no terminal");
	if (sock_recv(conn, name, sizeof(name), &s->ours[0], &n_fds, e) < 0)
		return err_wrap(e, "receive the terminal");
	if (n_fds != 1 || !isatty(s->ours[0])) {
		if (n_fds == 1)
			fd_close(&s->ours[0]);
		return err_set(e, EPROTO, "the runtime sent something that is no terminal");
	}
	return 0;
}

static int open_terminal(const struct orders *o, struct stdio *s, struct err *e)
{
	struct winsize size = { .ws_col = (unsigned short) o->cols,
				.ws_row = (unsigned short) o->rows };

	if (receive_terminal(s, e) < 0)
		return -1;
	/* config.json's consoleSize is set before the program runs; this one is for runtimes that do not. */
	if (ioctl(s->ours[0], TIOCSWINSZ, &size) < 0)
		return err_sys(e, "set the terminal's size");
	s->ours[1] = ioctl(s->ours[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->ours[1] < 0)
		return err_sys(e, "open the terminal's other side");
	return 0;
}

static int open_init(int bundle_fd, struct child *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(64);
	uint64_t pid = 0;
	int fd;

	if (fd_read_file(bundle_fd, pid_name, 32, &text, e) < 0)
		return -1;
	while (buf_len(&text) > 0 && text.data[text.tail - 1] == '\n')
		text.tail--;
	if (str_to_u64(buf_str(&text), INT32_MAX, "the runtime's pid file", &pid, e) < 0)
		return -1;
	fd = (int) syscall(SYS_pidfd_open, (pid_t) pid, 0);
	if (fd < 0)
		return err_sys(e, "pidfd of process %d", (int) pid);
	*out = (struct child){ .pid = (pid_t) pid, .pidfd = fd };
	return 0;
}

/* The runtime's command line: argv[RUN_ARGS] is the NULL that ends it. */
static void run_args(const struct orders *o, const char *bundle, const char *log,
		     const char *argv[RUN_ARGS + 1])
{
	const char *const first[] = { o->runtime, "--root",	  o->runtime_root, "--log",
				      log,	  "--log-format", "json",	   "run",
				      "--detach", "--bundle",	  bundle,	   "--pid-file",
				      pid_name };
	size_t n = ARRAY_SIZE(first);

	_Static_assert(ARRAY_SIZE(first) + 3 == RUN_ARGS,
		       "two for the console, one for the id");
	memcpy(argv, first, sizeof(first));
	if (o->terminal) {
		argv[n++] = "--console-socket";
		argv[n++] = console_name;
	}
	argv[n++] = o->id;
	argv[n] = NULL;
}

static int run(const struct orders *o, const char *bundle, int bundle_fd, const struct stdio *s,
	       struct err *e)
{
	auto_free char *log = xasprintf("%s/%s", bundle, log_name);
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child child = CHILD_NONE;
	const char *argv[RUN_ARGS + 1];
	struct child_status st;
	int r;

	run_args(o, bundle, log, argv);
	spec.path = o->runtime;
	spec.argv = (char *const *) (uintptr_t) argv;
	spec.envp = runtime_env;
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
		return runtime_error(bundle_fd, o->terminal ? s->theirs[2] : -1, &st, e);
	return 0;
}

int launch_run(const struct orders *o, const char *dir, int bundle_fd, struct launched *out,
	       struct err *e)
{
	auto_free char *bundle = xasprintf("%s/bundle", dir);
	struct launched l = LAUNCHED_NONE;
	struct stdio s = STDIO_NONE;
	int r;

	r = stdio_open(o, bundle_fd, &s, e);
	if (r == 0)
		r = run(o, bundle, bundle_fd, &s, e);
	if (r == 0)
		r = open_init(bundle_fd, &l.init, e);
	if (r == 0 && o->terminal)
		r = open_terminal(o, &s, e);
	if (r == 0) {
		l.fds[0] = take_fd(&s.ours[0]);
		l.fds[1] = take_fd(&s.ours[1]);
		*out = l;
	} else
		fd_close(&l.init.pidfd);
	(void) unlinkat(bundle_fd, console_name, 0); /* there only with a terminal */
	stdio_close(&s);
	return r;
}

int launch_delete(const struct orders *o, struct err *e)
{
	const char *argv[] = { o->runtime, "--root", o->runtime_root, "delete", "--force",
			       o->id,	   NULL };
	auto_buf struct buf text = BUF_LIMIT(LOG_BYTES);
	auto_json struct json_doc *doc = NULL;
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child_status st;

	spec.path = o->runtime;
	spec.argv = (char *const *) (uintptr_t) argv;
	spec.envp = runtime_env;
	if (child_run(&spec, NULL, 0, NULL, &text, DELETE_TIMEOUT_MS, &st, e) < 0)
		return err_wrap(e, "%s delete", o->runtime);
	if (st.signalled || st.code != 0)
		return err_set(e, ECHILD, "%s delete: exit %d: %s", o->runtime, st.code,
			       buf_len(&text) ? last_words(&text, &doc) : "");
	return 0;
}
