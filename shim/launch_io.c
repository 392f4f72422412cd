#include "shim/launch_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/sock.h"
#include "base/str.h"
#include "base/util.h"

char *const launch_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
};

struct launch_names launch_names(uint32_t process)
{
	struct launch_names n = { "console.sock", "pid", "runtime.log" };

	if (process == 1)
		return n;
	(void) snprintf(n.console, sizeof(n.console), "console-%u.sock", process);
	(void) snprintf(n.pid, sizeof(n.pid), "pid-%u", process);
	(void) snprintf(n.log, sizeof(n.log), "exec-%u.log", process);
	return n;
}

/* Not all are there. */
void launch_names_remove(const struct launch_names *n, int bundle_fd)
{
	(void) unlinkat(bundle_fd, n->console, 0);
	(void) unlinkat(bundle_fd, n->pid, 0);
	(void) unlinkat(bundle_fd, n->log, 0);
}

void launch_io_close(struct launch_io *s)
{
	for (size_t i = 0; i < 3; i++) {
		fd_close(&s->theirs[i]);
		fd_close(&s->ours[i]);
	}
	fd_close(&s->console);
}

static int open_pipe(int *ours, int *theirs, bool we_read, struct err *e)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2");
	*ours = pair[we_read ? 0 : 1];
	*theirs = pair[we_read ? 1 : 0];
	return 0;
}

int launch_io_open(struct launch_io *s, bool terminal, bool errors_apart, int bundle_fd,
		   const struct launch_names *names, struct err *e)
{
	if (terminal) {
		/* In memory: it is read only when something went wrong. */
		s->theirs[2] = memfd_create("runtime-errors", MFD_CLOEXEC);
		s->console = sock_listen_at(bundle_fd, names->console, SOCK_STREAM, 0600, e);
		return s->console < 0 ? err_wrap(e, "console socket") : 0;
	}
	if (open_pipe(&s->ours[0], &s->theirs[1], true, e) < 0 ||
	    open_pipe(&s->ours[1], &s->theirs[0], false, e) < 0)
		return -1;
	if (errors_apart)
		return open_pipe(&s->ours[2], &s->theirs[2], true, e);
	s->theirs[2] = fd_dup(s->theirs[1], e);
	return s->theirs[2] < 0 ? -1 : 0;
}

/* The last "msg" of a JSON log, or the last line of a text. */
const char *launch_last_words(struct buf *text, struct json_doc **doc)
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

int launch_runtime_error(int bundle_fd, const char *log, int stderr_fd,
			 const struct child_status *st, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(LAUNCH_LOG_BYTES);
	auto_json struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;
	const char *words = "";

	if (bundle_fd >= 0)
		(void) fd_read_file(bundle_fd, log, LAUNCH_LOG_BYTES, &text, &ignored);
	if (buf_len(&text) == 0 && stderr_fd >= 0 && lseek(stderr_fd, 0, SEEK_SET) == 0)
		(void) fd_read_all(stderr_fd, LAUNCH_LOG_BYTES, &text, &ignored);
	if (buf_len(&text) > 0)
		words = launch_last_words(&text, &doc);
	return err_set(e, ECHILD, "runtime %s %d%s%s",
		       st->signalled ? "killed by signal" : "exited with", st->code,
		       *words ? ": " : "", words);
}

/* The terminal's controlling side, from the console socket. The runtime has ended, so whatever it sent
 * is there. */
static int receive_terminal(struct launch_io *s, struct err *e)
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

int launch_io_terminal(struct launch_io *s, uint16_t cols, uint16_t rows, struct err *e)
{
	const struct winsize size = { .ws_col = cols, .ws_row = rows };

	if (receive_terminal(s, e) < 0)
		return -1;
	/* consoleSize is set before the program runs; this one is for runtimes that do not. */
	if (ioctl(s->ours[0], TIOCSWINSZ, &size) < 0)
		return err_sys(e, "set the terminal's size");
	s->ours[1] = ioctl(s->ours[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->ours[1] < 0)
		return err_sys(e, "open the terminal's other side");
	return 0;
}

int launch_open_process(int bundle_fd, const struct launch_names *names, struct child *out,
			struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(64);
	uint64_t pid = 0;
	int fd;

	if (fd_read_file(bundle_fd, names->pid, 32, &text, e) < 0)
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
