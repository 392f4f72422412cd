/*
 * Making, waiting for and ending children. Starting programs is base/child_spawn.c.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"

/* What a caller of child_clone may ask for: nothing that shares memory with the child. */
static const uint64_t clonable = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
				 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME |
				 CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_PARENT;

/* In the child: nothing is done before its parent has put it where it belongs. */
static void await_place(int gate[2])
{
	char go;

	fd_close(&gate[1]);
	if (read(gate[0], &go, 1) != 1)
		_exit(127);
	fd_close(&gate[0]);
}

static int put_in_place(int cgroup_fd, pid_t pid, int gate, struct err *e)
{
	char text[16];

	(void) snprintf(text, sizeof(text), "%d", (int) pid);
	if (fd_write_file(cgroup_fd, "cgroup.procs", text, e) < 0)
		return -1;
	return write(gate, "", 1) == 1 ? 0 : err_sys(e, "clone: tell the child to go on");
}

/* CLONE_NEWTIME lies where the old call has the exit signal, CLONE_INTO_CGROUP above its 32 bits: for the former there
 * is no other way, the latter is done by hand. */
static int clone_without_clone3(uint64_t flags, int cgroup_fd, int *pidfd, struct err *e)
{
	auto_close int go = FD_NONE, wait = FD_NONE;
	int gate[2];
	long pid;

	if (flags & CLONE_NEWTIME) {
		errno = ENOSYS;
		(void) err_sys(e, "clone3");
		return err_hint(e, "it is needed for time namespaces");
	}
	if (pipe2(gate, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2");
	wait = gate[0];
	go = gate[1];
	flags &= ~(uint64_t) CLONE_INTO_CGROUP;
	pid = syscall(SYS_clone, (unsigned long) flags | SIGCHLD, NULL, pidfd, NULL, NULL);
	if (pid < 0)
		return err_sys(e, "clone");
	if (pid == 0) {
		if (cgroup_fd >= 0)
			await_place((int[2]){ take_fd(&wait), take_fd(&go) });
		return 0;
	}
	if (cgroup_fd >= 0 && put_in_place(cgroup_fd, (pid_t) pid, go, e) < 0) {
		struct child half = { .pid = (pid_t) pid, .pidfd = take_fd(pidfd) };

		child_end(&half);
		return -1;
	}
	return (int) pid;
}

int child_clone(uint64_t flags, int cgroup_fd, struct child *out, struct err *e)
{
	int pidfd = FD_NONE;
	/* A sibling has the signal of its maker; clone3 refuses to be told. */
	struct clone_args args = { .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD };
	long pid;

	if (flags & ~clonable)
		return err_set(e, EINVAL, "clone: flags 0x%llx are none of CLONE_NEW*",
			       (unsigned long long) (flags & ~clonable));
	flags |= CLONE_PIDFD;
	if (cgroup_fd >= 0) {
		flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned) cgroup_fd;
	} else if (flags & CLONE_INTO_CGROUP) {
		return err_set(e, EINVAL, "clone: CLONE_INTO_CGROUP without a cgroup");
	}
	args.flags = flags;
	args.pidfd = (uintptr_t) &pidfd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0 && errno == ENOSYS) {
		pid = clone_without_clone3(flags, cgroup_fd, &pidfd, e);
		if (pid < 0)
			return -1;
	}
	if (pid < 0)
		return err_sys(e, "clone3");
	if (pid == 0)
		return 0;
	*out = (struct child){ .pid = (pid_t) pid, .pidfd = pidfd };
	return 1;
}

/* Reaps; 1 when it had ended, 0 when WNOHANG found it running. */
static int reap(struct child *c, int options, struct child_status *out, struct err *e)
{
	siginfo_t si = { 0 };
	int r;

	if (c->pidfd < 0)
		return err_set(e, ECHILD, "wait: no child");
	do
		r = waitid(P_PIDFD, (id_t) c->pidfd, &si, WEXITED | options);
	while (r < 0 && errno == EINTR);
	if (r < 0) {
		(void) err_sys(e, "wait for process %d", c->pid);
		if (errno == ECHILD) { /* SIGCHLD is ignored: its status is lost for good */
			fd_close(&c->pidfd);
			*c = CHILD_NONE;
		}
		return -1;
	}
	if (si.si_pid == 0)
		return 0;
	if (out)
		*out = (struct child_status){ .signalled = si.si_code != CLD_EXITED,
					      .code = si.si_status };
	fd_close(&c->pidfd);
	*c = CHILD_NONE;
	return 1;
}

int child_wait(struct child *c, struct child_status *out, struct err *e)
{
	return reap(c, 0, out, e) < 0 ? -1 : 0;
}

int child_poll(struct child *c, struct child_status *out, struct err *e)
{
	return reap(c, WNOHANG, out, e);
}

int child_wait_for(struct child *c, int timeout_ms, struct child_status *out, struct err *e)
{
	uint64_t end = clock_mono_ms() + (uint64_t) MAX(timeout_ms, 0);

	if (timeout_ms < 0)
		return reap(c, 0, out, e);
	for (;;) {
		int r = reap(c, WNOHANG, out, e);
		uint64_t now = clock_mono_ms();
		struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

		if (r != 0 || now >= end)
			return r;
		if (poll(&p, 1, (int) (end - now)) < 0 && errno != EINTR)
			return err_sys(e, "wait for process %d", c->pid);
	}
}

int child_kill(const struct child *c, int sig, struct err *e)
{
	if (c->pidfd < 0)
		return 0; /* waited for: gone already */
	if (syscall(SYS_pidfd_send_signal, c->pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, "signal %d to process %d", sig, c->pid);
	return 0;
}

void child_end(struct child *c)
{
	struct err ignored = ERR_NONE; /* the failure that led here is the one to report */
	int saved = errno;

	if (c->pidfd < 0) {
		*c = CHILD_NONE;
		return;
	}
	/* A child that may not be killed (it changed its identity) must not be waited for. */
	if (child_kill(c, SIGKILL, &ignored) == 0)
		(void) child_wait(c, NULL, &ignored);
	fd_close(&c->pidfd);
	*c = CHILD_NONE;
	errno = saved;
}

int child_set_stdio(int in_fd, int out_fd, int err_fd, struct err *e)
{
	int from[3] = { in_fd, out_fd, err_fd };
	int moved[3] = { FD_NONE, FD_NONE, FD_NONE };
	int r = 0;

	/* First out of the way of each other: "out" may be what is 0 now. */
	for (int i = 0; i < 3 && r == 0; i++) {
		if (from[i] >= 3 || from[i] == i)
			continue;
		moved[i] = fd_dup(from[i], e);
		if (moved[i] < 0)
			r = -1;
		else
			from[i] = moved[i];
	}
	for (int i = 0; i < 3 && r == 0; i++) {
		if (from[i] == i) {
			if (fcntl(i, F_SETFD, 0) < 0)
				r = err_sys(e, "descriptor %d", i);
		} else if (dup2(from[i], i) < 0) {
			r = err_sys(e, "descriptor %d as %d", from[i], i);
		}
	}
	for (int i = 0; i < 3; i++)
		fd_close(&moved[i]);
	return r;
}

int child_reset_signals(struct err *e)
{
	/* A zeroed kernel sigaction is SIG_DFL on every architecture. The C library's sigaction would
	 * refuse the two signals that it keeps for its threads, and they are inherited like others. */
	const unsigned char to_default[64] = { 0 };
	const long mask_size = _NSIG / 8;
	sigset_t none;

	for (int sig = 1; sig < _NSIG; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		if (syscall(SYS_rt_sigaction, sig, to_default, NULL, mask_size) < 0)
			return err_sys(e, "reset signal %d", sig);
	}
	(void) sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return err_sys(e, "reset the signal mask");
	return 0;
}
