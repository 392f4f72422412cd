/*
 * Starting programs, the way posix_spawn does it: the child borrows our memory until it execs.
 *
 * clone(CLONE_VM | CLONE_VFORK) on a stack of its own inside child_spawn's frame: no page tables are
 * copied, and we are not resumed before the child has executed the program or ended. So the child
 * writes the error of a failed step straight into the caller's struct err, which takes the place of a
 * pipe. What makes borrowing sound:
 *   - every signal is blocked in us before the clone, and the child unblocks after it has reset all
 *     dispositions: no handler of ours ever runs in it;
 *   - the descriptor table is copied (no CLONE_FILES), and so are the dispositions (no CLONE_SIGHAND);
 *   - the child calls no malloc, changes nothing of ours but *e and its `done`, and leaves by _exit.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

enum {
	STACK_SIZE = 65536,
	MAX_KEEP_FDS = 64,
};

struct start {
	const struct child_spec *spec;
	pid_t parent;
	bool failed; /* the child set *e */
	struct err *e;
	int fds[3 + MAX_KEEP_FDS]; /* by their number in the child */
	int exec_fd;
};

/* Numbers below 3 + n are about to be overwritten: sources there are moved above. */
static int move_up(int *fd, int first_free, struct err *e)
{
	int r;

	if (*fd < 0 || *fd >= first_free)
		return 0;
	r = fcntl(*fd, F_DUPFD_CLOEXEC, first_free);
	if (r < 0)
		return err_sys(e, "descriptor %d", *fd);
	*fd = r;
	return 0;
}

static int arrange_descriptors(struct start *s, struct err *e)
{
	int n = 3 + (int) s->spec->n_keep_fds;
	int null_fd = FD_NONE;

	for (int i = 0; i < n; i++)
		if (move_up(&s->fds[i], n, e) < 0)
			return -1;
	if (move_up(&s->exec_fd, n, e) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		if (s->fds[i] >= 0)
			continue;
		if (null_fd < 0)
			null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null_fd < 0 || move_up(&null_fd, n, e) < 0)
			return err_sys(e, "/dev/null");
		s->fds[i] = null_fd;
	}
	if (child_set_stdio(s->fds[0], s->fds[1], s->fds[2], e) < 0)
		return -1;
	for (int i = 3; i < n; i++)
		if (dup3(s->fds[i], i, O_CLOEXEC) < 0 || fcntl(i, F_SETFD, 0) < 0)
			return err_sys(e, "descriptor %d as %d", s->fds[i], i);
	return fd_cloexec_from(n, e);
}

static int enter_directory(const struct child_spec *spec, struct err *e)
{
	if (spec->cwd_fd >= 0 && fchdir(spec->cwd_fd) < 0)
		return err_sys(e, "working directory");
	if (spec->cwd_fd < 0 && spec->cwd && chdir(spec->cwd) < 0)
		return err_sys(e, "working directory %s", spec->cwd);
	return 0;
}

/* Slave, not private: what the host unmounts later must not stay busy through the child. */
static int leave_mounts(struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(e, "a mount namespace of its own");
	return 0;
}

static int tie_to_parent(const struct start *s, struct err *e)
{
	if (!s->spec->parent_death_signal)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, s->spec->parent_death_signal) < 0)
		return err_sys(e, "PR_SET_PDEATHSIG");
	if (getppid() != s->parent) /* it died before we asked to be told */
		return err_set(e, ESRCH, "the parent is gone");
	return 0;
}

/*
 * A frame that ends in exec never returns, so nothing would clear the red zones that AddressSanitizer puts
 * around its variables, on a stack that is ours again afterwards.
 */
#define ENDS_IN_EXEC __attribute__((no_sanitize("address")))

/* Returns only when it failed. */
static ENDS_IN_EXEC int become_program(struct start *s, struct err *e)
{
	static char *const empty[] = { NULL };
	const struct child_spec *spec = s->spec;
	char *const *envp = spec->envp ? spec->envp : empty;

	if (spec->new_session && setsid() < 0)
		return err_sys(e, "setsid");
	if (spec->own_mounts && leave_mounts(e) < 0)
		return -1;
	if (enter_directory(spec, e) < 0 || arrange_descriptors(s, e) < 0)
		return -1;
	if (tie_to_parent(s, e) < 0 || child_reset_signals(e) < 0)
		return -1;
	if (s->exec_fd >= 0)
		(void) syscall(SYS_execveat, s->exec_fd, "", spec->argv, envp, AT_EMPTY_PATH);
	else
		(void) execve(spec->path, spec->argv, envp);
	return err_sys(e, "execute");
}

static ENDS_IN_EXEC int start_main(void *arg)
{
	struct start *s = arg;

	(void) become_program(s, s->e);
	s->failed = true;
	_exit(127);
}

static const char *program_name(const struct child_spec *spec)
{
	if (spec->path)
		return spec->path;
	return spec->argv && spec->argv[0] ? spec->argv[0] : "a program";
}

static int check_spec(const struct child_spec *spec, struct start *s, struct err *e)
{
	if (!spec->argv || !spec->argv[0])
		return err_set(e, EINVAL, "no arguments, not even a name");
	if (!spec->path && spec->exec_fd < 0)
		return err_set(e, EINVAL, "neither a path nor a descriptor");
	if (spec->n_keep_fds > MAX_KEEP_FDS)
		return err_set(e, EINVAL, "more than %d descriptors to keep", MAX_KEEP_FDS);
	for (int i = 0; i < 3; i++)
		s->fds[i] = spec->stdio[i];
	for (size_t i = 0; i < spec->n_keep_fds; i++) {
		if (spec->keep_fds[i] < 0)
			return err_set(e, EBADF, "descriptor %zu to keep is not open", i);
		s->fds[3 + i] = spec->keep_fds[i];
	}
	return 0;
}

/* Its own frame, so that the child's stack is there only while the child uses it. */
static __attribute__((noinline)) int run_on_own_stack(struct start *s, int *pidfd)
{
	_Alignas(64) char stack[STACK_SIZE];

	return clone(start_main, stack + sizeof(stack),
		     CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, s, pidfd);
}

int child_spawn(const struct child_spec *spec, struct child *out, struct err *e)
{
	struct err why = ERR_NONE;
	struct start s = {
		.spec = spec, .parent = getpid(), .e = &why, .exec_fd = spec->exec_fd
	};
	struct child c = CHILD_NONE;
	sigset_t all, before;

	if (check_spec(spec, &s, e) < 0)
		return err_wrap(e, "start %s", program_name(spec));
	(void) sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &before) < 0)
		return err_sys(e, "start %s: block signals", program_name(spec));
	c.pid = run_on_own_stack(&s, &c.pidfd);
	if (c.pid < 0)
		(void) err_sys(&why, "clone");
	(void) sigprocmask(SIG_SETMASK, &before, NULL);
	if (c.pid < 0 || s.failed) {
		child_end(&c);
		*e = why;
		return err_wrap(e, "start %s", program_name(spec));
	}
	*out = c;
	return 0;
}
