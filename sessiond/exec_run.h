/*
 * One program in a live sandbox, from its start to its exit, its output collected: over the caller's loop,
 * by the shim's exec, attach and wait.
 *
 *   exec {...}                  the number
 *   attach and wait {process}   at once: its output over a socket pair, its exit over shim.sock
 *   the input, then its end     as fast as the program reads
 *   both have come              fn
 *
 * The shim kills what takes longer than its timeout, so the end comes whatever the program does.
 */
#ifndef CARREL_SESSIOND_EXEC_RUN_H
#define CARREL_SESSIOND_EXEC_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct exec_run;
struct launch;

/* What is to be run; strings and arrays are copied. */
struct exec_what {
	const char **args;	/* NULL-terminated */
	char *const *env;	/* "K=V", NULL-terminated or NULL */
	const char *cwd, *user; /* NULL: the sandbox's */
	const char *tag;	/* NULL: none */
	bool terminal, input;
	uint32_t cols, rows; /* 0: the shim's default */
	uint64_t timeout_ms; /* 0: none */
};

/* The shim's order {"op":"exec",...}. */
int exec_order(const struct exec_what *x, struct buf *out, struct err *e);

struct exec_result {
	struct buf output, error; /* at most the limit together */
	bool truncated;		  /* there was more */
	char reason[16];	  /* "exited", "signalled", "oom", "timeout", ...: the shim's */
	int code, signal;
	uint32_t oom_kills;
	uint64_t ms; /* from the order to the exit */
	uint64_t cpu_ns, memory_peak, output_bytes, input_bytes;
};

/* Exactly one of both is NULL; r is fn's during the call. err->code as with shim_answer_fn. */
typedef void (*exec_run_fn)(void *arg, struct exec_result *r, const struct err *err);

/* input: n bytes for its standard input, copied. */
int exec_run(struct launch *l, const char *id, const struct exec_what *x, const void *input,
	     size_t n, size_t limit, exec_run_fn fn, void *arg, struct err *e);
/* Of this launch; their fn is not called any more. For the daemon's end. */
void exec_runs_forget(struct launch *l);

#endif
