/*
 * The audit log: STATE/audit.jsonl, one JSON object a line, only ever appended to. Today it holds what policies found.
 *
 * A shim writes its findings into policy.jsonl in its sandbox's directory, whether there is a daemon or not; they are taken over
 * once a second, and before that directory is removed. policy.taken beside it says up to where, and is written after the log: a
 * daemon that is killed in between takes the same lines twice, and none never.
 */
#ifndef CARREL_SESSIOND_AUDIT_H
#define CARREL_SESSIOND_AUDIT_H

struct audit;
struct err;
struct server;

int audit_open(struct server *server, struct audit **out, struct err *e);
void audit_close(struct audit *a); /* accepts NULL */

/* What this sandbox's shim has written since. Does nothing for one without a policy. NULL: there is no log. */
void audit_take(struct audit *a, const char *id);

#endif
