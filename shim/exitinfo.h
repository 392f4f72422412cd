/*
 * How a sandbox ended: the reason, the counters of its cgroup, and exit.json.
 */
#ifndef CARREL_SHIM_EXITINFO_H
#define CARREL_SHIM_EXITINFO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct child;
struct child_status;
struct err;

enum end_reason {
	END_EXITED,
	END_SIGNALLED,
	END_OOM,
	END_IDLE,
	END_LIFETIME,
	END_DETACHED,
	END_DELETED,
	END_POLICY, /* a rule with the action kill */
	END_ERROR,
	END_TIMEOUT, /* of a process besides the first alone */
};

const char *end_reason_name(uint32_t reason);

/* Directories of the sandbox's cgroup, opened while it lives; -1 where there is none. */
struct exit_cgroup {
	int memory_fd; /* v1's memory controller, or v2 */
	int cpu_fd;    /* v1's cpuacct controller, or v2 */
	int io_fd;     /* v1's blkio controller, or v2 */
	bool memory_v2, cpu_v2, io_v2;
	uint64_t oom_kills_before;
};
#define EXIT_CGROUP_NONE ((struct exit_cgroup){ .memory_fd = -1, .cpu_fd = -1, .io_fd = -1 })

/* From /proc/PID/cgroup and this namespace's mounts. A controller that is not mounted is no error: its
 * counters stay 0. */
int exit_cgroup_open(pid_t pid, struct exit_cgroup *out, struct err *e);
void exit_cgroup_close(struct exit_cgroup *c);

/* The kernel's kills in it so far, counted from the opening on. */
uint64_t exit_oom_kills(const struct exit_cgroup *c);

struct exit_usage {
	uint64_t cpu_ns, memory_peak, oom_kills;
	uint64_t io_read_bytes, io_write_bytes; /* of block devices */
	uint64_t output_bytes, input_bytes;
};

/* What can be read of the counters; call before the cgroup is removed. */
void exit_cgroup_read(const struct exit_cgroup *c, struct exit_usage *out);

/* Where the kernel's killer struck. */
struct exit_oom {
	char cgroup[256]; /* the directory of the group that is accounted; "" unknown */
	uint64_t limit;	  /* its own; 0: none */
	bool own_limit; /* it was reached: else it was that of a group above, or the host's memory */
};
void exit_cgroup_oom(const struct exit_cgroup *c, struct exit_oom *out);

/* As child_wait, with what the process and the children that it waited for have used. */
int exit_wait(struct child *c, struct child_status *out, struct exit_usage *usage,
	      struct err *e);

struct exit_info {
	const char *id;
	enum end_reason reason;
	int code, signal;
	const char *error;	       /* NULL: none */
	uint64_t started_ms, ended_ms; /* since 1970 */
	struct exit_usage usage;
	struct exit_oom oom; /* told when usage.oom_kills > 0 */
};

/* The reason that an end by itself has: OOM when the kernel's killer struck in this sandbox and the
 * program died of a SIGKILL (128 + 9 when an init passes that on). */
enum end_reason exit_reason(const struct child_status *status, uint64_t oom_kills);

/* The text of exit.json. */
int exit_info_print(const struct exit_info *x, struct buf *out, struct err *e);

#endif
