/*
 * One request of shim.sock on its way, for the files of the table of requests alone.
 */
#ifndef CARREL_SHIM_CONTROL_CALL_H
#define CARREL_SHIM_CONTROL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control_peer;
struct control_request;
struct err;
struct json_writer;
struct session;
struct table;

/* Every field that any request knows; each handler says which it needs. */
struct args {
	const char *op, *framing, *protocol, *role, *client, *reason, *to, *cwd, *user, *tag,
		*program;
	const char **args, **env; /* to be freed */
	uint64_t since, lifetime_ms, timeout_ms;
	uint32_t cols, rows, signal, process;
	bool takeover, read_only, terminal, input, force;
	bool has_since, has_lifetime;
};

struct call {
	struct table *table;
	struct session *session; /* that the request is about */
	struct control_peer *peer;
	const struct args *args;
	const struct control_request *req;
	int *fds;
	size_t n_fds;
	struct json_writer *answer; /* inside {"ok":true, */
	const char *code;	    /* of a refusal */
	bool later;
};

int call_check_size(const struct args *a, struct err *e);
/* The process that the call is about. */
int call_must_run(struct call *c, struct err *e);

/* control_exec.c */
int call_exec(struct call *c, struct err *e);
int call_processes(struct call *c, struct err *e);
int call_pause(struct call *c, struct err *e);
int call_resume(struct call *c, struct err *e);
int call_upgrade(struct call *c, struct err *e);
const char *call_state(const struct session *s);
int call_wait_process(struct call *c, struct err *e);
int call_end_process(struct call *c, struct err *e);

#endif
