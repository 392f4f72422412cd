/* The command line of carrel-runtime: a file per command or family of commands, with its options and its handler. */
#ifndef CARREL_RUNTIME_CLI_CLI_H
#define CARREL_RUNTIME_CLI_CLI_H

#include <stdbool.h>

#include "base/opt.h"
#include "runtime/container.h"

struct buf;
struct err;

/* Filled by the global flags. */
struct cli {
	const char *root, *log, *log_format, *log_level, *rootless, *cgroup_manager;
	bool debug, systemd_cgroup;
	bool sealed;	   /* by cli_seal_early */
	char *const *argv; /* for seal_self */
	char *own_root;	   /* what env.root points at, when it is not from argv */
	struct container_env env;
};

extern const struct opt_program cli_program;

/* Set up by main before a handler runs: the log, and cli_settle unless that is for cli_enter to do. */
int cli_prepare(struct cli *c, const struct opt_cmd *cmd, struct err *e);
/* Driver and root. */
int cli_settle(struct cli *c, struct err *e);
void cli_warn(const char *text);
/* Logs "carrel-runtime COMMAND: why" where --log says, and tells stderr; returns `code`. */
int cli_fail(const struct cli *c, const char *command, const struct err *why, int code);

enum { CLI_OUTPUT_MAX = 16 << 20 };
/* To stdout; returns the exit code. */
int cli_print(const struct cli *c, const char *command, struct buf *out);
/* Where the name of a command that enters a container is among the words, the program is executed again from where a container
 * cannot reach its file, and what is read of the command line is read once. True when it is there; what prevents it is for
 * cli_enter to find again, and to report. */
bool cli_seal_early(char *const *argv);
/* For commands that enter a container, which need that place: checks --preserve-fds and settles the rest. */
int cli_enter(struct cli *c, uint64_t preserve_fds, struct err *e);
/* How many sockets a service manager has given to this process (LISTEN_FDS, LISTEN_PID): 3 and what follows. */
unsigned cli_listen_fds(void);

/* Handlers: their result is the exit code. */
int cli_checkpoint(void *global, const char **operands, int n, void *opts);
int cli_create(void *global, const char **operands, int n, void *opts);
int cli_restore(void *global, const char **operands, int n, void *opts);
int cli_run(void *global, const char **operands, int n, void *opts);
int cli_exec(void *global, const char **operands, int n, void *opts);
int cli_start(void *global, const char **operands, int n, void *opts);
int cli_state(void *global, const char **operands, int n, void *opts);
int cli_kill(void *global, const char **operands, int n, void *opts);
int cli_delete(void *global, const char **operands, int n, void *opts);
int cli_list(void *global, const char **operands, int n, void *opts);
int cli_ps(void *global, const char **operands, int n, void *opts);
int cli_pause(void *global, const char **operands, int n, void *opts);
int cli_resume(void *global, const char **operands, int n, void *opts);
int cli_events(void *global, const char **operands, int n, void *opts);
int cli_update(void *global, const char **operands, int n, void *opts);
int cli_features(void *global, const char **operands, int n, void *opts);
int cli_spec(void *global, const char **operands, int n, void *opts);
int cli_version(void *global, const char **operands, int n, void *opts);
int cli_man(void *global, const char **operands, int n, void *opts);

/* Their tables of options, each in the file of its command, and the blocks that these fill. */
extern const struct opt cli_create_opts[], cli_run_opts[], cli_exec_opts[], cli_kill_opts[];
extern const struct opt cli_delete_opts[], cli_list_opts[], cli_ps_opts[], cli_update_opts[];
extern const struct opt cli_events_opts[];
extern const struct opt cli_spec_opts[];

extern const struct opt cli_checkpoint_opts[], cli_restore_opts[];

struct opts_checkpoint {
	struct criu_args criu;
	struct opt_list empty_ns;
	const char *parent_path, *page_server;
	bool pre_dump, leave_running, tcp_skip_in_flight, link_remap;
	uint64_t status_fd;
};
struct opts_restore {
	struct criu_args criu;
	struct opt_list empty_ns;
	const char *bundle, *console_socket, *pid_file, *lsm_profile, *lsm_mount_context;
	bool detach, tcp_close, no_pivot, no_subreaper;
};
struct opts_create {
	const char *bundle, *config, *console_socket, *pidfd_socket, *pid_file;
	bool no_pivot, no_new_keyring, no_subreaper, detach, keep;
	uint64_t preserve_fds;
};
struct opts_exec {
	const char *process, *cwd, *user, *apparmor, *process_label;
	const char *console_socket, *pidfd_socket, *pid_file;
	struct opt_list env, groups, caps, cgroups;
	bool tty, detach, no_new_privs, ignore_paused;
	uint64_t preserve_fds;
};
struct opts_kill {
	bool all;
};
struct opts_delete {
	bool force;
};
struct opts_list {
	bool quiet;
	const char *format;
};
struct opts_ps {
	const char *format;
};
struct opts_events {
	const char *interval;
	bool stats;
};
struct opts_update {
	const char *resources;
	const char *memory, *memory_swap, *memory_reservation, *kernel_memory,
		*kernel_memory_tcp;
	const char *cpu_period, *cpu_quota, *cpu_share, *cpu_burst, *cpu_idle, *cpu_rt_period,
		*cpu_rt_runtime;
	const char *cpuset_cpus, *cpuset_mems, *pids_limit, *blkio_weight;
	const char *l3_cache_schema, *mem_bw_schema;
};
struct opts_spec {
	const char *bundle;
	bool rootless;
};

#endif
