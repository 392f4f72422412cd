/* The command line of carrel-image: tables, and a handler per command that calls one verb of the library. */
#ifndef CARREL_IMAGES_CLI_CLI_H
#define CARREL_IMAGES_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"

struct buf;
struct digest;
struct err;
struct image_limits;
struct opts_limits;

/* What bundle and volume exit with when there is no such image or volume: the mistake of whoever named it. */
enum { CLI_NOT_IN_STORE = 3 };
/* What volume exits with when somebody uses it. */
enum { CLI_IN_USE = 4 };
/* What verify exits with when something is broken and stays so. */
enum { CLI_BROKEN = 2 };

/* Filled by the global flags. */
struct cli {
	const char *store, *log_format;
	bool debug;
};

extern const struct opt_program cli_program;

/* Reports the error; returns 1. */
int cli_fail(const char *command, const struct err *why);
/* Writes `out` to stdout; returns the exit code. */
int cli_print(const char *command, struct buf *out);
int cli_print_digest(const char *command, const struct digest *d);
/* What was given wins. */
void cli_set_limits(const struct opts_limits *o, struct image_limits *l);

/* "table" (also when not given) or "json". */
int cli_format(const char *format, bool *json, struct err *e);

/* Handlers: their result is the exit code. */
int cli_import(void *global, const char **operands, int n, void *opts);
int cli_pull(void *global, const char **operands, int n, void *opts);
int cli_push(void *global, const char **operands, int n, void *opts);
int cli_export(void *global, const char **operands, int n, void *opts);
int cli_build(void *global, const char **operands, int n, void *opts);
int cli_ls(void *global, const char **operands, int n, void *opts);
int cli_inspect(void *global, const char **operands, int n, void *opts);
int cli_history(void *global, const char **operands, int n, void *opts);
int cli_du(void *global, const char **operands, int n, void *opts);
int cli_verify(void *global, const char **operands, int n, void *opts);
int cli_tag(void *global, const char **operands, int n, void *opts);
int cli_commit(void *global, const char **operands, int n, void *opts);
int cli_rm(void *global, const char **operands, int n, void *opts);
int cli_gc(void *global, const char **operands, int n, void *opts);
int cli_share(void *global, const char **operands, int n, void *opts);
int cli_bundle(void *global, const char **operands, int n, void *opts);
int cli_volume(void *global, const char **operands, int n, void *opts);

/* For people: "97.7 KiB", "1.0 MiB", "2.3 GiB". */
struct cli_size {
	char s[16];
};
struct cli_size cli_size(uint64_t bytes);

/* Their options' blocks; the tables in commands.c fill them. 0 and NULL: not given. */
struct opts_limits {
	bool skip_devices;
	uint64_t max_bytes, max_blob_bytes, max_ratio, max_entries, max_depth, max_ms;
};
struct opts_import {
	const char *name, *as, *ref, *platform, *format;
	bool all;
	struct opts_limits limits;
};
/* The way to a registry. */
struct opts_registry {
	const char *registries, *creds, *authfile, *progress;
	uint64_t parallel, retries, delay_ms, stall_ms, deadline_ms;
};
struct opts_pull {
	const char *name, *platform, *format;
	struct opts_limits limits;
	struct opts_registry way;
};
struct opts_push {
	uint64_t chunk;
	struct opts_registry way;
};
struct opts_export {
	const char *format;
};
struct opts_build {
	const char *name, *format;
};
struct opts_format {
	const char *format;
};
struct opts_ls {
	const char *format;
	bool quiet;
};
struct opts_commit {
	const char *upper, *base, *compression, *message, *format;
	uint64_t uid_base, uid_count;
	bool userxattr;
};
struct opts_verify {
	const char *format;
	bool repair;
};
struct opts_gc {
	bool dry_run;
};
struct opts_share {
	const char *group;
	bool all, off;
};
struct opts_volume {
	const char *volumes, *kind, *format;
	uint64_t size, inodes;
	bool sparse, keep;
};
struct opts_bundle {
	const char *tiers, *tier, *cgroup, *hostname, *init, *seccomp, *id, *user, *cwd;
	const char *network_address, *network_gateway;
	struct opt_list env;
	uint64_t uid_base, uid_count;
	bool no_terminal;
};

#endif
