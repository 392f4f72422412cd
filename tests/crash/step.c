/*
 * Runs a command and meddles with one of its system calls: kills the process at the entry of its N-th call, or makes
 * that call fail.
 *
 *   step [--who self|child] [--pid PID] [--call NAME] [--at N] [--errno NAME] [--report FILE] -- COMMAND [ARG...]
 *
 * self is the command's own process, over every exec that it makes; child the first process that it makes, up to its
 * first exec, which is where a container's program takes over. With --pid the process that is meant is there already
 * and the command only sets it going. N counts from 1, with --call the calls of that name; without --at calls are only counted. The exit code is the
 * command's, 128 + N when signal N ended it. The report is one line: "hit CALL", or "end COUNT" when N was beyond the end.
 *
 * A call that fails is not executed, except close and munmap, which do their work whatever they return.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

struct stepper {
	bool child_wanted; /* else the command itself */
	bool skipped;	   /* the call that fails is between its two stops */
	bool begun, done;
	pid_t command, victim;
	long at, count; /* at 0: only counts */
	long call;	/* -1: every one */
	int error;	/* 0: kills */
	char hit[64];
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "step: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int error_number(const char *name)
{
	for (int i = 1; i < 134; i++) {
		const char *s = strerrorname_np(i);

		if (s && strcmp(s, name) == 0)
			return i;
	}
	errno = EINVAL;
	fail(name);
}

static void name_call(struct stepper *s, long nr)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int) nr);

	snprintf(s->hit, sizeof(s->hit), "%s", name ? name : "?");
	free(name);
}

/* orig_rax -1: no call at all. */
static void set_registers(pid_t pid, bool skip, long result)
{
#ifdef __x86_64__
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
		fail("registers");
	if (skip)
		r.orig_rax = (unsigned long long) -1;
	r.rax = (unsigned long long) result;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &r) < 0)
		fail("registers");
#else
	errno = ENOSYS;
	fail("this processor");
#endif
}

/* The rest has no way to fail, and is stopped by no filter either. */
static bool can_fail(long nr)
{
	return nr != SYS_exit && nr != SYS_exit_group && nr != SYS_rt_sigreturn &&
	       nr != SYS_umask && nr != SYS_rt_sigprocmask && nr != SYS_rt_sigaction &&
	       nr != SYS_getrandom && nr != SYS_arch_prctl;
}

static void at_entry(struct stepper *s, long nr)
{
	if (s->done || (s->error && !can_fail(nr)) || (s->call >= 0 && nr != s->call) ||
	    ++s->count != s->at)
		return;
	name_call(s, nr);
	s->done = true;
	if (!s->error) {
		(void) kill(s->victim, SIGKILL);
		return;
	}
	s->skipped = true;
	if (nr != SYS_close && nr != SYS_munmap)
		set_registers(s->victim, true, -ENOSYS);
}

static void at_call(struct stepper *s)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, s->victim, sizeof(info), &info) < 0)
		return; /* it was killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		at_entry(s, (long) info.entry.nr);
	else if (s->skipped) {
		s->skipped = false;
		set_registers(s->victim, false, -s->error);
	}
}

/* After the one blow there is nothing more to look at. */
static bool watched(const struct stepper *s, pid_t pid)
{
	return pid == s->victim && s->begun && (!s->done || s->skipped);
}

static void go_on(const struct stepper *s, pid_t pid, int sig)
{
	(void) ptrace(watched(s, pid) ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, sig);
}

static const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;

static void at_stop(struct stepper *s, pid_t pid, int status)
{
	const int sig = WSTOPSIG(status), event = status >> 16;

	if (pid != s->command && s->child_wanted && !s->victim) {
		s->victim = pid;
		s->begun = true;
		(void) ptrace(PTRACE_SETOPTIONS, pid, NULL, options);
		go_on(s, pid, 0);
	} else if (pid != s->command && pid != s->victim) {
		(void) ptrace(PTRACE_DETACH, pid, NULL, 0);
	} else if (event == PTRACE_EVENT_EXEC && pid == s->victim && pid != s->command) {
		s->done = true;
		(void) ptrace(PTRACE_DETACH, pid, NULL, 0);
	} else if (event == PTRACE_EVENT_EXEC) {
		s->begun |= pid == s->victim;
		go_on(s, pid, 0);
	} else if (sig == (SIGTRAP | 0x80)) {
		if (watched(s, pid))
			at_call(s);
		go_on(s, pid, 0);
	} else {
		go_on(s, pid, event || sig == SIGTRAP ? 0 : sig);
	}
}

static void start_command(struct stepper *s, char **argv, bool traced)
{
	s->command = fork();
	if (s->command < 0)
		fail("fork");
	if (s->command == 0) {
		if (traced &&
		    (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0))
			fail("trace");
		(void) execvp(argv[0], argv);
		fail(argv[0]);
	}
	if (!traced)
		return;
	if (waitpid(s->command, NULL, 0) != s->command)
		fail("wait");
	const long more =
		s->child_wanted ? PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK
				: 0;
	if (ptrace(PTRACE_SETOPTIONS, s->command, NULL, options | more) < 0)
		fail("trace");
	if (!s->child_wanted)
		s->victim = s->command;
	(void) ptrace(PTRACE_CONT, s->command, NULL, 0);
}

/* A process that waits in a call leaves it by the interrupt and enters it again. */
static void seize(struct stepper *s, pid_t pid)
{
	s->victim = pid;
	s->begun = true;
	if (ptrace(PTRACE_SEIZE, pid, NULL, options) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, NULL, __WALL) != pid)
		fail("seize");
	(void) ptrace(PTRACE_SYSCALL, pid, NULL, 0);
}

static int run(struct stepper *s)
{
	for (;;) {
		int status;
		const pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno != EINTR)
			fail("wait");
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status))
			at_stop(s, pid, status);
		else if (pid == s->command)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

static void report(const struct stepper *s, const char *path)
{
	FILE *f = path ? fopen(path, "we") : stderr;

	if (!f)
		fail(path);
	if (s->hit[0])
		fprintf(f, "hit %s\n", s->hit);
	else
		fprintf(f, "end %ld\n", s->count);
	(void) fflush(f);
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{ "who", required_argument, NULL, 'w' },
		{ "pid", required_argument, NULL, 'p' },
		{ "call", required_argument, NULL, 'c' },
		{ "at", required_argument, NULL, 'a' },
		{ "errno", required_argument, NULL, 'e' },
		{ "report", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	struct stepper s = { .call = -1 };
	const char *path = NULL;
	pid_t pid = 0;
	int c;

	while ((c = getopt_long(argc, argv, "+", table, NULL)) >= 0) {
		if (c == 'w')
			s.child_wanted = strcmp(optarg, "child") == 0;
		else if (c == 'p')
			pid = atoi(optarg);
		else if (c == 'c')
			s.call = seccomp_syscall_resolve_name(optarg);
		else if (c == 'a')
			s.at = atol(optarg);
		else if (c == 'e')
			s.error = error_number(optarg);
		else if (c == 'r')
			path = optarg;
		else
			return 2;
	}
	if (optind >= argc) {
		fprintf(stderr, "usage: step [OPTION...] -- COMMAND [ARG...]\n");
		return 2;
	}
	if (pid)
		seize(&s, pid);
	start_command(&s, argv + optind, !pid);
	const int code = run(&s);
	report(&s, path);
	return code;
}
