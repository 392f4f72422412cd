/*
 * The container's control group: made with its limits, joined, frozen, killed, counted, removed.
 *
 * One front for three back ends: cgroup v1 (one directory per controller), v2 (unified) and `disabled`; with the systemd
 * driver the directories of the first two are those of a unit that systemd makes (runtime/cgroup_systemd.h). On a
 * hybrid host the v1 controllers are used, and the v2 mount beside them is joined without controllers. Directories are held as
 * descriptors; pids are not written by the parent (PERF: on v1 the child writes "0" to `tasks`, on v2 it is
 * born inside by CLONE_INTO_CGROUP; both avoid the RCU grace period that any other way waits for).
 */
#ifndef CARREL_RUNTIME_CGROUP_H
#define CARREL_RUNTIME_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct buf;

enum cgroup_mode { CGROUP_V1, CGROUP_V2, CGROUP_DISABLED };
enum cgroup_driver { CGROUP_DRIVER_FS, CGROUP_DRIVER_SYSTEMD, CGROUP_DRIVER_NONE };

#define CGROUP_UNSET INT64_MIN

struct cgroup_memory {
	int64_t limit, swap,
		reservation; /* bytes, -1 = unlimited; swap counts memory + swap, as OCI */
	int64_t kernel, kernel_tcp, swappiness;
	int disable_oom_killer; /* -1 unset */
	int check_before_update;
};

struct cgroup_cpu {
	int64_t shares, quota, period, burst, rt_runtime, rt_period, idle; /* CGROUP_UNSET */
	const char *cpus, *mems;					   /* NULL */
};

struct cgroup_device {
	bool allow;
	char type;	      /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: any */
	unsigned access;      /* 1 r, 2 w, 4 m */
};

struct cgroup_hugetlb {
	const char *page_size;
	uint64_t limit;
};

struct cgroup_pair {
	const char *key, *value;
};

/* Weights 10 to 1000, CGROUP_UNSET where not given. Leaf weights were CFQ's, which is gone since Linux 5.0. */
struct cgroup_weight_device {
	int64_t major, minor, weight, leaf_weight;
};
struct cgroup_throttle {
	int64_t major, minor;
	uint64_t rate; /* bytes or operations in a second; 0 = no limit */
};
enum cgroup_throttle_kind {
	THROTTLE_READ_BPS,
	THROTTLE_WRITE_BPS,
	THROTTLE_READ_IOPS,
	THROTTLE_WRITE_IOPS,
	THROTTLE_KINDS
};
struct cgroup_throttles {
	const struct cgroup_throttle *v;
	size_t n;
};
struct cgroup_blkio {
	int64_t weight, leaf_weight;
	const struct cgroup_weight_device *weights;
	size_t n_weights;
	struct cgroup_throttles throttle[THROTTLE_KINDS];
};

struct cgroup_rdma {
	const char *device;
	int64_t handles, objects; /* CGROUP_UNSET */
};

struct cgroup_priority {
	const char *interface;
	uint32_t priority;
};
struct cgroup_network {
	int64_t class_id; /* CGROUP_UNSET */
	const struct cgroup_priority *priorities;
	size_t n_priorities;
};

struct cgroup_resources {
	struct cgroup_memory memory;
	struct cgroup_cpu cpu;
	int64_t pids; /* CGROUP_UNSET; -1 = max, 0 = 1 (the least a container can be) */
	const struct cgroup_device *devices;
	size_t n_devices;
	const struct cgroup_hugetlb *hugetlb;
	size_t n_hugetlb;
	struct cgroup_pair *unified;
	size_t n_unified;
	struct cgroup_blkio blkio;
	const struct cgroup_rdma *rdma;
	size_t n_rdma;
	struct cgroup_network network;
};
#define CGROUP_RESOURCES_UNSET                                                                 \
	((struct cgroup_resources){                                                            \
		.memory = { CGROUP_UNSET, CGROUP_UNSET, CGROUP_UNSET, CGROUP_UNSET,            \
			    CGROUP_UNSET, CGROUP_UNSET, -1, 0 },                               \
		.cpu = { CGROUP_UNSET, CGROUP_UNSET, CGROUP_UNSET, CGROUP_UNSET, CGROUP_UNSET, \
			 CGROUP_UNSET, CGROUP_UNSET, NULL, NULL },                             \
		.pids = CGROUP_UNSET,                                                          \
		.blkio = { .weight = CGROUP_UNSET, .leaf_weight = CGROUP_UNSET },              \
		.network = { .class_id = CGROUP_UNSET } })

/* An idle group has no weight of its own: that which is given beside cpu.idle is taken out. Whether there was one, which the user
 * should be told of (cgroup_idle_text). */
bool cgroup_drop_idle_weight(struct cgroup_resources *r);
extern const char cgroup_idle_text[];

struct cgroup_spec {
	const char *id;	  /* the container's */
	const char *path; /* linux.cgroupsPath or NULL ("/<id>") */
	enum cgroup_driver driver;
	bool rootless; /* limits that cannot be had are errors; no limits: no cgroup is fine */
	struct cgroup_resources res;
	/* systemd: all of the container's; those of a unit's properties are taken from them */
	const struct cgroup_pair *annotations;
	size_t n_annotations;
};

struct cgroup; /* opened: mode, paths and directory descriptors */

/* Looks at the host's hierarchies and chooses the paths; nothing is made. What cgroup_save says of the plan it will say once
 * cgroup_create has run: written to the state before anything is made, so that the remains of a killed runtime
 * are found (cgroup_load of it, then cgroup_remove). */
int cgroup_plan(const struct cgroup_spec *s, struct cgroup **out, struct err *e);

/* The host's layout, probed once per process. */
int cgroup_host_mode(enum cgroup_mode *out, struct err *e);

/* Makes the directories of the plan, which becomes *out, and sets every limit. A cgroup of that path that holds processes
 * is "container's cgroup is not empty", a frozen one "container's cgroup unexpectedly frozen". After a failure nothing that
 * was made is left, *plan is good for cgroup_free only. */
int cgroup_create(const struct cgroup_spec *s, struct cgroup **plan, struct cgroup **out,
		  struct err *e);
/* v2 and hybrid: *fd is the descriptor for CLONE_INTO_CGROUP (borrowed); else -1. A cgroup namespace is rooted where its
 * maker is: CLONE_NEWCGROUP in the same clone3 would see the parent's cgroup, so the child unshares it itself
 * once it is inside (v2: born there; v1: after cgroup_join_self). */
int cgroup_clone_fd(const struct cgroup *cg, int *fd, struct err *e);
/* The systemd driver: whether cgroup_settle has to be called after the clone, while the child waits for a message of
 * ours. It sees to it that the child is inside, and sets what had to wait for that. */
bool cgroup_settles(const struct cgroup *cg);
int cgroup_settle(struct cgroup *cg, pid_t pid, struct err *e);
/* In the child, single-threaded, before anything else: joins all v1 hierarchies (cpu last). No-op on v2,
 * and for a hybrid host's v2 mount.
 * After cgroup_create the files are open already; after cgroup_load they are opened here, with the caller's
 * rights (exec: join before setns). */
int cgroup_join_self(const struct cgroup *cg, struct err *e);
/* For exec, before the clone: the new process goes below the container's cgroup. Each of args (NULL-terminated) is
 * CONTROLLER[,CONTROLLER...]:PATH, or one PATH for all; they must exist. */
int cgroup_select(struct cgroup *cg, const char *const *args, struct err *e);
/* v2: the cgroup is from now on that which this process is in. */
int cgroup_follow(struct cgroup *cg, pid_t pid, struct err *e);
/* The device filter (v1: devices.allow/deny; v2: eBPF): nothing but res.devices, what every container needs
 * (null, zero, full, random, urandom, tty, ptmx, pts, and mknod of any). The order is that one, the last match
 * decides. A node of linux.devices opens nothing by itself, as with runc. May be called before the child exists: making nodes stays allowed. */
int cgroup_set_devices(const struct cgroup *cg, const struct cgroup_spec *s, struct err *e);
/* The same for a container that runs: what stays allowed is allowed all the time. s->res has all rules. A unit of systemd's
 * is an error. */
int cgroup_update_devices(const struct cgroup *cg, const struct cgroup_spec *s, struct err *e);
/* Whether two lists of rules say the same in the same order. */
bool cgroup_devices_same(const struct cgroup_resources *a, const struct cgroup_resources *b);

/* v2: the group is given to a user of the container's user namespace, who may make groups in it and move processes
 * between them. The files of its own limits stay the host's. No-op on v1, where nothing can be given away. */
int cgroup_delegate(const struct cgroup *cg, uid_t owner, struct err *e);

/* For the state file and back. The text form is one line per hierarchy: "memory /sys/fs/cgroup/memory/x". */
int cgroup_save(const struct cgroup *cg, struct buf *out, struct err *e);
int cgroup_load(const char *text, struct cgroup **out, struct err *e);
void cgroup_free(struct cgroup *cg);
void cgroup_free_ptr(struct cgroup **cg);
enum cgroup_mode cgroup_mode(const struct cgroup *cg);

/* The limits that are given, the others stay. Device rules are not touched, whatever r says of them. */
int cgroup_update(struct cgroup *cg, const struct cgroup_resources *r, struct err *e);
int cgroup_freeze(struct cgroup *cg, bool frozen, struct err *e);
int cgroup_is_frozen(struct cgroup *cg, bool *out, struct err *e);
/* Signals every process inside (v2 and SIGKILL: cgroup.kill; else freeze, signal, thaw until none is left). */
int cgroup_kill(struct cgroup *cg, int sig, struct err *e);
/* Host pids of all processes, *out malloc'ed. */
int cgroup_pids(struct cgroup *cg, pid_t **out, size_t *n, struct err *e);
/* Kills what is left, waits for `populated 0` (at most timeout_ms) and removes the directories, ours below too. Gone
 * already: success. */
int cgroup_remove(struct cgroup *cg, int timeout_ms, struct err *e);

/* Kills by the OOM killer. The descriptor becomes readable when there may have been some (also when the group
 * is removed); take says how many since it was last called, in any case. Statistics: runtime/cgroup_stats.h. */
struct cgroup_oom;
int cgroup_oom_open(const struct cgroup *cg, struct cgroup_oom **out, struct err *e);
int cgroup_oom_fd(const struct cgroup_oom *o);
int cgroup_oom_take(struct cgroup_oom *o, unsigned *n, struct err *e);
void cgroup_oom_free_ptr(struct cgroup_oom **o);

/* cgroup v1 with a cgroup namespace: the controllers to bind read-only below /sys/fs/cgroup of a container,
 * as "name\thost path\n" lines. */
int cgroup_v1_binds(const struct cgroup *cg, struct buf *out, struct err *e);

#endif
