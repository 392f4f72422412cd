/*
 * The janitor's side of a sandbox's further processes: it has the runtime start them, is their parent (as
 * subreaper), waits for each by its pidfd and tells the front.
 *
 *   STARTING ──the runtime ended well──► RUNNING ──its pidfd──► reaped, EXITED is said
 *        └──it failed, or took too long──► FAILED is said
 *
 * Their pids are of the sandbox's pid namespace, whose first process cannot be gone before each of them is
 * reaped: so they are, while the janitor waits for that one.
 */
#ifndef CARREL_SHIM_PROCS_H
#define CARREL_SHIM_PROCS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/exitinfo.h"

struct err;
struct orders;
struct proc;
struct talk_msg;

enum { PROCS_MAX = 64 };

/* What the processes' owner lends them. */
struct procs {
	const struct orders *orders;
	const char *dir;
	int bundle_fd;
	int talk_fd; /* to the front; what it does not take any more is lost */
	const struct exit_cgroup *cgroup; /* whose OOM kills are theirs */
	struct proc *list;
	size_t n;
};

/* An EXEC came. A process that cannot be started is told to the front, not here. */
void procs_exec(struct procs *p, uint32_t number, const void *order, size_t n);
/* To the process's group, or to its terminal's foreground. */
int procs_signal(struct procs *p, uint32_t number, int sig, bool foreground, struct err *e);

/* Descriptors to wait for; returns how many of the PROCS_MAX were used. */
size_t procs_wait_for(const struct procs *p, struct pollfd out[PROCS_MAX]);
/* What the wait has brought, and who has taken too long. */
void procs_look(struct procs *p);
/* A runtime is at work: what it makes may become our child before we know of it. */
bool procs_starting(const struct procs *p);
bool procs_has_pid(const struct procs *p, pid_t pid);

/* Kills what starts: the sandbox ends. */
void procs_stop_starting(struct procs *p);
/* Kills and reaps all that is left. */
void procs_end(struct procs *p);

/* For another program (shim/handover.h), which becomes their parent by being the same process. None is starting. */
struct pack;
struct unpack;
void procs_save(const struct procs *p, struct pack *out);
void procs_restore(struct procs *p, struct unpack *u);

/* Sends sig to the foreground group of a terminal. */
int procs_signal_foreground(int terminal_fd, int sig, struct err *e);

#endif
