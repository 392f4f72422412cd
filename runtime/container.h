/*
 * The verbs: what each command of carrel-runtime does, one file per verb.
 *
 * Functions here return values and errors; printing, logging and exit codes are the cli's.
 */
#ifndef CARREL_RUNTIME_CONTAINER_H
#define CARREL_RUNTIME_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/cgroup.h"
#include "runtime/hooks.h"
#include "runtime/state.h"

struct err;
struct buf;

/* What the global flags say. */
struct container_env {
	const char *root; /* the directory of all states */
	bool root_given;  /* by --root: `list` does not forgive its absence */
	enum cgroup_driver driver;
	bool rootless;
	const char *notify_socket;	/* NOTIFY_SOCKET of create, start and run, or NULL */
	void (*warn)(const char *text); /* accepted, but the user should know */
};

/* ---- create, run, start ---- */

struct create_args {
	const char *id;
	const char *bundle;	    /* a directory, "." by default */
	const char *console_socket; /* path or NULL */
	const char *pidfd_socket;   /* unix socket that receives a pidfd of init, or NULL */
	const char *pid_file;	    /* path or NULL */
	const char *config;	    /* instead of the bundle's config.json, or NULL */
	bool no_pivot, no_new_keyring;
	unsigned preserve_fds; /* with those of listen_fds */
	unsigned
		listen_fds; /* of these the first so many are announced to the program as LISTEN_FDS */
	bool detach;	    /* run only */
	bool keep;	    /* run only: the stopped container is not deleted */
};

int container_create(const struct container_env *env, const struct create_args *a,
		     struct err *e);
/* Foreground: blocks until the container's process ended, *code is what our own exit code should be. Detached:
 * returns when it runs, *code 0. */
int container_run(const struct container_env *env, const struct create_args *a, int *code,
		  struct err *e);
/* Returns the container's own error when its program cannot be executed. */
int container_start(const struct container_env *env, const char *id, struct err *e);

/* ---- exec ---- */

struct exec_args {
	const char *id;
	const char *
		process_file; /* a process.json, instead of the bundle's process and of `command` */
	const char *const *command; /* else: argv, NULL-terminated */
	const char *cwd, *user;	    /* NULL: as in the bundle's config.json */
	const char *const *env;	    /* added; NULL-terminated or NULL */
	const char *const *groups;  /* additional gids */
	const char *const *caps;    /* added to all sets that may hold them */
	const char *const *cgroups; /* for cgroup_select */
	const char *apparmor, *process_label;
	bool tty, detach, no_new_privs, ignore_paused;
	const char *console_socket, *pidfd_socket, *pid_file;
	unsigned preserve_fds;
};
int container_exec(const struct container_env *env, const struct exec_args *a, int *code,
		   struct err *e);

/* ---- checkpoint and restore ---- */

/* What both say to CRIU. */
struct criu_args {
	const char *image_path; /* NULL: "checkpoint" in the working directory */
	const char *work_path;	/* logs; NULL: the image path */
	bool tcp_established, ext_unix_sk, shell_job, file_locks, lazy_pages, auto_dedup;
	const char *cgroups_mode;    /* soft, full, strict, ignore, or NULL */
	const char *const *empty_ns; /* NULL-terminated or NULL */
};

struct checkpoint_args {
	const char *id;
	struct criu_args criu;
	const char *parent_path; /* relative to the image path */
	const char *page_server; /* ADDRESS:PORT */
	int status_fd;		 /* -1: none; gets a zero byte when the page server is ready */
	bool leave_running, tcp_skip_in_flight, link_remap, pre_dump;
};
/* The container is gone afterwards, unless it is told to keep it. */
int container_checkpoint(const struct container_env *env, const struct checkpoint_args *a,
			 struct err *e);

struct restore_args {
	struct create_args create;
	struct criu_args criu;
	bool tcp_close;
	const char *lsm_profile, *lsm_mount_context;
};
/* As container_run. */
int container_restore(const struct container_env *env, const struct restore_args *a, int *code,
		      struct err *e);

/* ---- the others ---- */

/* A number, or a name with or without SIG. */
int container_signal_parse(const char *s, int *sig, struct err *e);
int container_kill(const struct container_env *env, const char *id, int sig, bool all,
		   struct err *e);
/* force: kills first; one that does not exist is success. */
int container_delete(const struct container_env *env, const char *id, bool force,
		     struct err *e);
/* The state document of `state`. */
int container_state(const struct container_env *env, const char *id, struct buf *out,
		    struct err *e);

enum list_format { LIST_TABLE, LIST_JSON, LIST_IDS };
int container_list(const struct container_env *env, enum list_format f, struct buf *out,
		   struct err *e);
/* Host pids, as a JSON array. */
int container_pids(const struct container_env *env, const char *id, pid_t **out, size_t *n,
		   struct err *e);
int container_freeze(const struct container_env *env, const char *id, bool frozen,
		     struct err *e);

struct update_args {
	const char *file; /* an OCI resources object, "-": stdin; or NULL and: */
	struct cgroup_resources limits;
	const char *l3_cache_schema, *mem_bw_schema; /* Intel RDT, or NULL */
};
/* Changes the limits that are given, and leaves the others. */
int container_update(const struct container_env *env, const char *id,
		     const struct update_args *a, struct err *e);

/* "spec: 1.3.0" and what else --version says below the program's own line. */
int container_versions(struct buf *out, struct err *e);
struct events_args {
	bool once;	      /* statistics, then return */
	uint64_t interval_ms; /* else: between two of them, until the container ends */
	int (*emit)(void *arg, struct buf *line,
		    struct err *e); /* one line of JSON with its newline */
	void *arg;
};
int container_events(const struct container_env *env, const char *id,
		     const struct events_args *a, struct err *e);

/* What this build can do (OCI's features document). */
int container_features(struct buf *out, struct err *e);
/* A config.json to start from. */
int container_spec_template(bool rootless, struct buf *out, struct err *e);

/* ---- shared by the verbs ---- */

/* An open container. */
struct container {
	int root_fd, dir_fd;
	struct state *state; /* NULL: half-made */
	struct cgroup *cgroup;
};
#define CONTAINER_NONE ((struct container){ .root_fd = -1, .dir_fd = -1 })
int container_open(const struct container_env *env, const char *id, enum state_lock lock,
		   struct container *out, struct err *e);
void container_close(struct container *c);
#define auto_container auto_cleanup(container_close)

/* c->cgroup from the state, when it is not open yet. */
int container_need_cgroup(struct container *c, struct err *e);
int container_status(struct container *c, enum state_status *out, struct err *e);

/* --pidfd-socket: connects before anything is made, so that a wrong path is found early; then sends. */
int container_connect_pidfd(const char *path, struct err *e);
int container_send_pidfd(int sock_fd, int pidfd, struct err *e);
/* Replaces the file by rename. */
int container_write_pid_file(const char *path, pid_t pid, struct err *e);
/* The container's state as hooks see it; pid 0 where init fills in its own. */
int container_hook_state(const struct state *s, enum state_status status, pid_t pid,
			 struct buf *out, struct err *e);
/* The hooks that the state file keeps: poststart and poststop. */
int container_run_hooks(const struct state *s, enum hook_kind k, enum state_status status,
			pid_t pid, struct err *e);
/* SIGKILL, and waits until it is gone. */
int container_kill_init(const struct state *s, struct err *e);
/* What startup_network made: the devices go back, the sandbox's network away. Its processes are gone. */
int container_remove_network(struct container *c, struct err *e);
/* Kills everything, removes the cgroup and the state, runs poststop hooks. The directory's lock is held. */
int container_destroy(const struct container_env *env, struct container *c, const char *id,
		      struct err *e);

#endif
