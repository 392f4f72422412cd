/*
 * Children by clone3 and pidfd: made, waited for and killed without a pid that could be reused.
 */
#ifndef CARREL_BASE_CHILD_H
#define CARREL_BASE_CHILD_H

#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct buf;

struct child {
	pid_t pid; /* for printing */
	int pidfd; /* owned */
};
#define CHILD_NONE ((struct child){ .pid = -1, .pidfd = -1 })

/* How a program is started. argv[0] is looked up by execv(path) only, never in $PATH. */
struct child_spec {
	const char *path;
	int exec_fd; /* >= 3: execveat this instead of path */
	char *const *argv;
	char *const *envp;   /* NULL: an empty environment */
	int stdio[3];	     /* borrowed; -1 = /dev/null */
	const int *keep_fds; /* become 3, 4, ... in the child, in this order (borrowed) */
	size_t n_keep_fds;
	const char *cwd;	 /* NULL: stay */
	int cwd_fd;		 /* -1: stay; wins over cwd */
	int parent_death_signal; /* 0: none */
	bool new_session;	 /* setsid */
	bool own_mounts; /* a mount namespace, slave to ours: what it mounts goes with it (CAP_SYS_ADMIN) */
};
#define CHILD_SPEC_NONE                                                                        \
	((struct child_spec){ .exec_fd = -1, .stdio = { -1, -1, -1 }, .cwd_fd = -1 })

/* Starts it: all signals reset to default and unblocked, all other descriptors closed. An exec that
 * fails is returned here as an error, not as a dead child. At most 64 descriptors can be kept. An
 * exec_fd is closed by the exec, so it cannot be a script. The death signal comes when the thread that
 * called this ends. */
int child_spawn(const struct child_spec *spec, struct child *out, struct err *e);

/* clone3 with `flags` (CLONE_NEW*, CLONE_PARENT, CLONE_INTO_CGROUP with cgroup_fd, else -1); returns 0 in the child,
 * 1 in the parent with *out set, -1 with *e. CLONE_PIDFD is added. Falls back to clone(2) where clone3
 * is refused with ENOSYS; then the parent moves the child to the cgroup, which waits for that. Only async-signal-safe
 * work in a child of a process that has threads. */
int child_clone(uint64_t flags, int cgroup_fd, struct child *out, struct err *e);

/* Blocks until it ended; fills what waitid gives. c->pidfd is closed, *c is CHILD_NONE afterwards. */
struct child_status {
	bool signalled;
	int code; /* exit code, or the signal */
};
int child_wait(struct child *c, struct child_status *out, struct err *e);
/* The same without blocking: returns 1 when it ended, 0 when it still runs. */
int child_poll(struct child *c, struct child_status *out, struct err *e);
/* Waits at most timeout_ms; returns 1 ended, 0 timed out. */
int child_wait_for(struct child *c, int timeout_ms, struct child_status *out, struct err *e);

int child_kill(const struct child *c, int sig, struct err *e); /* gone already: success */
/* Kills (SIGKILL) and reaps; for error paths and auto clean-up. Accepts CHILD_NONE. */
void child_end(struct child *c);

/* Runs to the end of the process itself: what it leaves behind in the background is not waited for.
 * stdin from `input` (NULL: as in the spec), stdout and stderr captured up to their buffers' limits, the
 * surplus read and dropped (NULL: as in the spec; the same buffer twice: both, in their order). Kills it
 * after timeout_ms (0: never) with ETIMEDOUT. */
int child_run(const struct child_spec *spec, const void *input, size_t n_input, struct buf *out,
	      struct buf *errout, int timeout_ms, struct child_status *status, struct err *e);

/* 0, 1, 2 become these descriptors; the only place with dup2. For a child before exec. */
int child_set_stdio(int in_fd, int out_fd, int err_fd, struct err *e);

/* Every disposition to SIG_DFL, the mask empty: what every program we start gets. */
int child_reset_signals(struct err *e);

#endif
