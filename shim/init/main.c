/*
 * carrel-init: process 1 of a sandbox.
 *
 *   carrel-init [--] COMMAND [ARG...]
 *
 * Starts COMMAND as its one child, in a process group of its own that is the terminal's foreground; passes
 * on every signal it gets; reaps what is orphaned; ends as COMMAND ended. When it ends, the kernel
 * ends everything else in the sandbox.
 *
 * A shell as process 1 would have the kernel ignore its unhandled signals, would not reap, and its jobs
 * would be in the session leader's hands; that is what this program is for. It is started once a sandbox
 * and stays as long, so it is small: no library of ours, static, one blocking call.
 *
 * Exit codes: COMMAND's own; 128 + N when signal N ended it (process 1 cannot be ended by a signal of its own,
 * anywhere else N itself is repeated); 126 and 127 when it could not be started; 125 for our own failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_OURS = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static int complain(const char *what, const char *name, int status)
{
	(void) dprintf(STDERR_FILENO, "carrel-init: %s%s%s\n", what, *name ? ": " : "", name);
	return status;
}

/* The child becomes the foreground before it runs, so that the first Ctrl-C is its own. Not every sandbox has
 * a terminal: then there is nothing to do. */
static void take_foreground(void)
{
	pid_t own = getpid();
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	int fd = tty >= 0 ? tty : STDIN_FILENO;

	/* SIGTTOU is still blocked here: a background process may set the foreground. */
	(void) ioctl(fd, TIOCSPGRP, &own);
	if (tty >= 0)
		(void) close(tty);
}

static void reset_dispositions(void)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	for (int sig = 1; sig < NSIG; sig++)
		(void) sigaction(sig, &dfl,
				 NULL); /* refused for KILL, STOP and the libc's own */
}

static void run_command(char **argv)
{
	sigset_t none;
	int error;

	(void) setpgid(0, 0);
	take_foreground();
	reset_dispositions();
	(void) sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	(void) execvp(argv[0], argv);
	error = errno;
	(void) complain(argv[0], strerror(error), 0);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* A command that stops itself on Ctrl-Z has nobody here who could continue it. Stops for terminal access
 * are left alone: continuing those would only repeat them. */
static void stopped(pid_t pid, int status)
{
	if (WSTOPSIG(status) == SIGTSTP)
		(void) kill(-pid, SIGCONT);
}

/* Reaps all that has ended; true when the command is among them. */
static bool reap(pid_t command, int *status)
{
	bool ended = false;
	pid_t pid;
	int st;

	while ((pid = waitpid(-1, &st, WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(st)) {
			if (pid == command)
				stopped(pid, st);
			continue;
		}
		if (pid == command) {
			*status = st;
			ended = true;
		}
	}
	return ended;
}

/* To the command's whole group: what it runs in a pipeline is meant as well. */
static void pass_on(pid_t command, int sig)
{
	if (kill(-command, sig) < 0)
		(void) kill(command, sig);
}

static int wait_for(pid_t command, const sigset_t *all)
{
	int status = 0;

	for (;;) {
		int sig = sigwaitinfo(all, NULL);

		if (sig < 0)
			continue; /* EINTR, after the sandbox was frozen or traced */
		if (sig != SIGCHLD)
			pass_on(command, sig);
		else if (reap(command, &status))
			return status;
	}
}

static int end_as(int status)
{
	sigset_t none;
	int sig;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	if (getpid() != 1) {
		reset_dispositions();
		(void) prctl(PR_SET_DUMPABLE,
			     0); /* the command has dumped its core; ours tells nothing */
		(void) sigemptyset(&none);
		(void) sigprocmask(SIG_SETMASK, &none, NULL);
		(void) kill(getpid(), sig);
	}
	return 128 + sig;
}

int main(int argc, char **argv)
{
	sigset_t all;
	pid_t pid;

	argv++;
	if (*argv && strcmp(*argv, "--") == 0)
		argv++;
	if (!*argv)
		return complain("usage: carrel-init [--] COMMAND [ARG...]", "", EXIT_OURS);
	(void) sigfillset(&all);
	/* What the processor raises must stay fatal. */
	(void) sigdelset(&all, SIGSEGV);
	(void) sigdelset(&all, SIGBUS);
	(void) sigdelset(&all, SIGFPE);
	(void) sigdelset(&all, SIGILL);
	(void) sigdelset(&all, SIGABRT);
	(void) sigdelset(&all, SIGTRAP);
	(void) sigdelset(&all, SIGSYS);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return complain("block signals", strerror(errno), EXIT_OURS);
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return complain("become a subreaper", strerror(errno), EXIT_OURS);
	pid = fork();
	if (pid < 0)
		return complain("fork", strerror(errno), EXIT_OURS);
	if (pid == 0)
		run_command(argv);
	(void) setpgid(pid, pid); /* also here: a signal may come before the child has run */
	return end_as(wait_for(pid, &all));
}
