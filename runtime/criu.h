/*
 * CRIU as a child: found in PATH, started as `criu swrk FD`, asked one thing over a SOCK_SEQPACKET pair.
 *
 * While it works it sends notifications, each of which waits for our answer: that is when hooks run and when what it
 * made is written down. It reads our directories as /proc/<our pid>/fd/N, so they stay open until it has ended. It
 * dies of nothing but its own will: a dump that is killed half-way would leave the container's processes
 * seized. When we are killed, it notices at its next notification and undoes what it did.
 */
#ifndef CARREL_RUNTIME_CRIU_H
#define CARREL_RUNTIME_CRIU_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/child.h"
#include "runtime/criu_wire.h"

struct err;

/* The oldest that is known to keep what is asked of it: 3.15. */
enum { CRIU_OLDEST = 31500 };

/* The program's path, malloc'ed. An error says how to get one. */
int criu_find(char **path, struct err *e);
/* Its version, as in struct criu_reply; too old is an error. */
int criu_version(const char *path, unsigned *out, struct err *e);
/* What this kernel and this criu can do together; missing is an error. */
int criu_need_features(const char *path, bool mem_track, bool lazy_pages, struct err *e);

struct criu_start {
	const char *path;
	int stdio[3];	     /* borrowed; -1: /dev/null */
	const int *keep_fds; /* keep their numbers in the child (borrowed) */
	size_t n_keep_fds;
	int cgroup_fd; /* as in child_clone */
	int (*prepare)(void *ctx,
		       struct err *e); /* in the child, before it executes criu; or NULL */
	/* Here, while the child waits with that; or NULL. */
	int (*settle)(void *ctx, pid_t pid, struct err *e);
	void *ctx;
};
#define CRIU_START_NONE ((struct criu_start){ .stdio = { -1, -1, -1 }, .cgroup_fd = -1 })

struct criu {
	struct child child;
	int sock_fd;
};
#define CRIU_NONE ((struct criu){ .child = CHILD_NONE, .sock_fd = -1 })

/* Returns when criu executes, or with the error of the child's step that failed. */
int criu_start(const struct criu_start *s, struct criu *out, struct err *e);

/* fd: what came with it (the master of a terminal), or -1; borrowed. A failure is told to criu, which gives up. */
typedef int (*criu_notify_fn)(void *ctx, const struct criu_reply *r, int fd, struct err *e);
/* Until the answer to `request`, *out. An answer that says no is a success here (out->success). */
int criu_ask(struct criu *c, const struct buf *request, criu_notify_fn notify, void *ctx,
	     struct criu_reply *out, struct err *e);
/* Closes the line and reaps it. Accepts CRIU_NONE. */
void criu_end(struct criu *c);
#define auto_criu auto_cleanup(criu_end)

/* ---- criu_log.c ---- */

/* "criu did not WHAT (message): DIR/dump.log: <its last lines with errors>; <remedy>". dir_fd: where the
 * log is, printed as dir. */
int criu_explain(const struct criu_reply *r, const char *what, int dir_fd, const char *dir,
		 const char *log, struct err *e);

#endif
