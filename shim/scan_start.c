#include "shim/scan_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "base/util.h"
#include "shim/handover.h"
#include "shim/orders.h"
#include "shim/scan_key.h"

/* fds: its socket, and, where there is one, the key. */
static int spawn(const struct orders *o, int program_fd, const int fds[2], pid_t *pid,
		 struct err *e)
{
	const bool keyed = fds[1] >= 0;
	char *argv[] = { (char *) "carrel-scan",
			 (char *) "--serve",
			 (char *) (uintptr_t) o->policy.rules,
			 keyed ? (char *) "--key-fd" : NULL,
			 (char *) "4",
			 NULL };
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child scanner = CHILD_NONE;

	spec.path = o->policy.program;
	spec.exec_fd = program_fd;
	spec.argv = argv;
	spec.keep_fds = fds;
	spec.n_keep_fds = keyed ? 2 : 1;
	spec.parent_death_signal = SIGKILL;
	if (child_spawn(&spec, &scanner, e) < 0)
		return err_wrap(e, "%s", o->policy.program);
	*pid = scanner.pid;
	fd_close(&scanner.pidfd); /* its socket tells of its end */
	return 0;
}

int scan_start(const struct orders *o, int dir_fd, struct scan_ends *out, struct err *e)
{
	auto_close int theirs = FD_NONE, key = FD_NONE;
	struct scan_ends s = SCAN_ENDS_NONE;
	int pair[2], r;

	if (!o->policy.program)
		return 0;
	if (o->policy.key && (key = scan_key_open(o->policy.key, e)) < 0)
		return -1;
	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	s.fd = pair[0];
	theirs = pair[1];
	s.log_fd = openat(dir_fd, "policy.jsonl",
			  O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = s.log_fd < 0 ? err_sys(e, "policy.jsonl")
			 : spawn(o, FD_NONE, (int[]){ theirs, key }, &s.pid, e);
	if (r < 0) {
		scan_ends_close(&s);
		return -1;
	}
	*out = s;
	return 0;
}

int scan_start_anew(const struct orders *o, struct scan_ends *out, struct err *e)
{
	auto_close int theirs = FD_NONE, key = FD_NONE, program = FD_NONE;
	int pair[2];

	if (!o->policy.program)
		return 0;
	if (o->policy.key && (key = scan_key_open(o->policy.key, e)) < 0)
		return -1;
	program = handover_open_program(o->policy.program, e);
	if (program < 0 || sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	out->fd = pair[0];
	theirs = pair[1];
	if (spawn(o, program, (int[]){ theirs, key }, &out->pid, e) == 0)
		return 0;
	scan_ends_close(out);
	return -1;
}

void scan_ends_close(struct scan_ends *s)
{
	fd_close(&s->fd);
	fd_close(&s->log_fd);
}
