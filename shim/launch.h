/*
 * Starting the sandbox's program: one `carrel-runtime run --detach`, and what comes back from it.
 */
#ifndef CARREL_SHIM_LAUNCH_H
#define CARREL_SHIM_LAUNCH_H

#include "base/child.h"

struct err;
struct orders;

struct launched {
	struct child
		init; /* the sandbox's first process: our child, since we are its subreaper */
	int fds[2];   /* a terminal and its other side; or the program's output and its input */
};
#define LAUNCHED_NONE ((struct launched){ .init = CHILD_NONE, .fds = { -1, -1 } })

/* dir: the sandbox's directory, absolute; bundle_fd: DIR/bundle. The error holds the runtime's own words.
 * After an error the runtime may have left something: launch_delete. */
int launch_run(const struct orders *o, const char *dir, int bundle_fd, struct launched *out,
	       struct err *e);

/* `delete --force`: kills what lives and removes state and cgroup. Unknown to the runtime: success. */
int launch_delete(const struct orders *o, struct err *e);

#endif
