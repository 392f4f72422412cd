/* The command line of carrel: tables, global options, and a handler per command. */
#ifndef CARREL_SESSIOND_CLI_CLI_H
#define CARREL_SESSIOND_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"

struct buf;
struct err;

/* Exit codes of carrel's own; a program's are its own, 128 + N for a signal. */
enum {
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_TIME_LIMIT = 124, /* the sandbox ended at its idle or lifetime limit */
	CLI_NOT_RUN = 125,    /* the program did not run, or what became of it is unknown */
	CLI_KILLED = 137,     /* out of memory, or deleted by somebody */
};

/* Filled by the global options. */
struct cli {
	const char *url, *key, *key_file, *ca, *format, *run_dir, *store;
};

extern const struct opt_program cli_program;

/* "carrel: <message>" on stderr; returns `code`. */
int cli_fail(int code, const struct err *why);
/* "carrel: <text>" on stderr. */
void cli_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* All of it on stdout; returns the exit code. */
int cli_print(struct buf *out);
/* --format: true for json. -1 for anything but table and json. */
int cli_wants_json(const struct cli *c, bool *json, struct err *e);
/* True when a daemon is meant: an address or a key was given. Else the run directory of this host is. */
bool cli_wants_daemon(const struct cli *c);

int cli_run(void *global, const char **operands, int n, void *opts);
int cli_ps(void *global, const char **operands, int n, void *opts);
int cli_attach(void *global, const char **operands, int n, void *opts);
int cli_play(void *global, const char **operands, int n, void *opts);
/* ps ID */
int cli_processes(const struct cli *c, const char *id);
int cli_exec(void *global, const char **operands, int n, void *opts);
int cli_rm(void *global, const char **operands, int n, void *opts);
int cli_upgrade(void *global, const char **operands, int n, void *opts);
int cli_image(void *global, const char **operands, int n, void *opts);

struct opts_run {
	const char *tier, *tiers, *name, *user, *cwd, *hostname, *runtime, *seccomp, *cgroup;
	const char *run_dir, *store, *volume, *volumes, *policy, *policies;
	struct opt_list env;
	uint64_t idle_ms, lifetime_ms;
	bool rm, detach, no_tty;
};

struct opts_play {
	const char *speed;
	uint64_t idle_limit_ms;
	bool raw, v2, follow;
};

struct opts_exec {
	const char *user, *cwd;
	struct opt_list env;
	bool no_tty;
};

struct opts_upgrade {
	bool all;
};

struct opts_attach {
	bool viewer;
	uint64_t since;
};

#endif
