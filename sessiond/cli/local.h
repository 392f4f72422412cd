/* This host's run directory, without a daemon: launch.h with the programs beside this one. */
#ifndef CARREL_SESSIOND_CLI_LOCAL_H
#define CARREL_SESSIOND_CLI_LOCAL_H

#include <stddef.h>

#include "sessiond/launch.h"

struct cli;
struct link_receiver;
struct loop;

/* NULL members: the defaults. */
struct local_options {
	const char *run_dir, *store, *tiers, *runtime, *seccomp, *cgroup, *volumes;
	bool with_tiers, with_bundles; /* what only a start needs is looked for only then */
};

int local_open(struct loop *loop, const struct local_options *o, struct launch **out,
	       struct err *e);

struct local_attach {
	const char *id;
	bool viewer, has_since;
	uint64_t since;
	uint32_t process;    /* 0: the first */
	uint16_t cols, rows; /* 0: leave the size alone */
};

/* Asks the shim to serve one end of a socket pair; the other one is *fd, the caller's. fn as with shim_call. */
int local_attach(struct launch *l, const struct local_attach *a, shim_answer_fn fn, void *arg,
		 int *fd, struct err *e);

#endif
