/*
 * carrel run under a policy: which one it is, its compiled form for the time of the start, and what it found.
 *
 * Without a daemon nobody keeps an audit log; the findings are said when the sandbox has ended.
 */
#ifndef CARREL_SESSIOND_CLI_RUN_POLICY_H
#define CARREL_SESSIOND_CLI_RUN_POLICY_H

#include "sessiond/launch.h"

struct err;
struct opts_run;

struct run_policy {
	char *path; /* for launch_spec; NULL: under none */
	struct launch_work work;
	int findings_fd;
};
#define RUN_POLICY_NONE ((struct run_policy){ .work = LAUNCH_WORK_NONE, .findings_fd = -1 })

/* The tier's, whatever is asked for; else what is asked for. */
int run_policy_prepare(struct run_policy *p, struct launch *l, const struct opts_run *o,
		       struct err *e);
/* The start is over, well or not: its scanner has read what it reads. */
void run_policy_started(struct run_policy *p, struct launch *l, const char *id);
void run_policy_report(const struct run_policy *p);
void run_policy_fini(struct run_policy *p,
		     struct launch *l); /* l may be NULL with nothing prepared */

#endif
