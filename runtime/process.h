/* What runs: the plain values of the OCI `process` object that become system calls just before exec. */
#ifndef CARREL_RUNTIME_PROCESS_H
#define CARREL_RUNTIME_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "runtime/caps.h"
#include "runtime/mempolicy.h"

struct err;

struct process_rlimit {
	int resource; /* RLIMIT_* */
	const char *name;
	struct rlimit lim;
};

struct process_user {
	uint32_t uid, gid;
	bool has_umask;
	mode_t umask;
	const uint32_t *groups;
	size_t n_groups;
	bool keep_groups; /* of the caller, and no others */
};

struct process_scheduler {
	bool set;
	uint32_t policy; /* SCHED_* */
	int32_t nice, priority;
	uint64_t flags, runtime, deadline, period;
};

struct process_spec {
	bool terminal;
	uint16_t rows, cols; /* consoleSize; 0: not given */
	const char *cwd;     /* absolute */
	const char *const *args;
	const char *const *env;
	struct process_user user;
	struct caps_spec caps;
	const struct process_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	bool has_oom_score_adj;
	int oom_score_adj;
	struct process_scheduler scheduler;
	bool has_ioprio;
	int ioprio_class, ioprio_priority;
	bool has_personality;
	unsigned long personality;
	struct mempolicy_spec mempolicy; /* linux.memoryPolicy */
	const char *cpus_initial,
		*cpus_final; /* execCPUAffinity: lists that process_check_cpus has seen, or NULL */
	const char *apparmor;	   /* profile, or NULL */
	const char *selinux_label; /* or NULL */
};

int process_rlimit_parse(const char *name, int *resource, struct err *e);
/* What only the host's rights can give to a process in a user namespace; called by its parent, between clone and
 * SYNC_MAPPED (init) or before it goes on (exec): hard limits that are raised, the OOM score. */
int process_prepare(const struct process_spec *p, pid_t pid, struct err *e);
/* In the process itself, late: NOFILE would stop its own work. */
int process_apply_rlimits(const struct process_spec *p, struct err *e);
/* Scheduler, I/O priority, personality and memory policy. */
int process_apply_scheduler(const struct process_spec *p, struct err *e);
/* A list of processors, "0-3,7". */
int process_check_cpus(const char *list, struct err *e);
/* execCPUAffinity.initial, before the cgroup is joined: for the caller and what it clones. */
int process_enter_cpus(const struct process_spec *p, struct err *e);
/* In the cgroup: execCPUAffinity.final; without any affinity of its own all processors that the cgroup allows, however few
 * the runtime itself was given. */
int process_settle_cpus(const struct process_spec *p, struct err *e);
/* setgroups, setgid, setuid, umask. In a user namespace where setgroups is denied an empty list is kept. */
int process_apply_user(const struct process_spec *p, struct err *e);
/* stdin, stdout and stderr belong to the user who will use them, as far as they are his to have: not null, not
 * what the user namespace does not map. */
int process_own_stdio(const struct process_spec *p, struct err *e);
/* chdir, then proves that the result is inside the root ("(unreachable)/..." and ENOENT are refused). */
int process_enter_cwd(const struct process_spec *p, struct err *e);
/* An absolute path of args[0] searched in PATH of env, checked executable; an error carries the text that
 * engines map ("executable file not found in $PATH", "no such file or directory", "permission denied"). */
int process_find_program(const struct process_spec *p, char **out, struct err *e);

/* The environment as the program gets it: last of duplicates wins, HOME from the container's /etc/passwd (bounded
 * reader, no NSS), else "/", when it is unset or empty. *out is NULL-terminated, for util_free_strv. */
int process_environment(const struct process_spec *p, int root_fd, char ***out, struct err *e);
/* The home directory of a uid there, or "/". */
int process_home(uint32_t uid, int root_fd, char **out, struct err *e);
/* "NAME|UID[:GROUP|GID]" against the container's /etc/passwd and /etc/group under root_fd, for exec -u. A
 * number is never looked up as a name, and leaves the gid of *out as it was; a name brings its account's gid and
 * groups. Additional groups that *out had before are dropped (borrowed ones are not freed); those that it
 * gets are malloc'ed. */
int process_user_parse(const char *s, int root_fd, struct process_user *out, struct err *e);
void process_user_fini(struct process_user *u); /* one that process_user_parse has filled */

#endif
