/*
 * What the cgroup front and its back ends share; nobody else includes it.
 *
 * A hierarchy is one mounted tree below /sys/fs/cgroup and our directory in it. Its path is kept as text for
 * the state file, its descriptor (O_PATH) is opened when first needed: `state` and `list` need none.
 */
#ifndef CARREL_RUNTIME_CGROUP_IMPL_H
#define CARREL_RUNTIME_CGROUP_IMPL_H

#include "runtime/cgroup.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/* Bit n = row n of cgroup_v1_names; on v2 the same bits name the unified controllers. */
enum cgroup_ctrl {
	CTRL_CPUSET,
	CTRL_DEVICES,
	CTRL_MEMORY,
	CTRL_CPUACCT,
	CTRL_PIDS,
	CTRL_BLKIO,
	CTRL_HUGETLB,
	CTRL_NET_CLS,
	CTRL_NET_PRIO,
	CTRL_PERF_EVENT,
	CTRL_FREEZER,
	CTRL_RDMA,
	CTRL_MISC,
	CTRL_SYSTEMD,
	CTRL_UNIFIED, /* a hybrid host's v2 mount: joined for what walks that tree, without controllers */
	CTRL_CPU, /* last: from its joining on the child competes under the container's own shares */
	CTRL_COUNT
};

struct cgroup_hier {
	char *name; /* directory below /sys/fs/cgroup: "memory", "cpu,cpuacct"; "unified" on v2 */
	char *path;	/* our directory in it */
	unsigned ctrls; /* 1 << enum cgroup_ctrl */
	int dir_fd;	/* O_PATH, or FD_NONE: not opened yet */
	int tasks_fd;	/* v1: for joining, or FD_NONE */
	bool made;	/* by us, just now */
};

struct cgroup_backend;
struct cgroup_stats;
struct cgroup_unit;

struct cgroup {
	enum cgroup_mode mode;
	char *path;			 /* a plan's: below each hierarchy's root */
	char *slice;			 /* a plan's: systemd's, which the unit goes into */
	struct cgroup_unit *unit;	 /* systemd's, or NULL */
	const struct cgroup_backend *be; /* NULL when disabled */
	struct cgroup_hier h[CTRL_COUNT];
	size_t n;
};

extern const char *const cgroup_ctrl_names[CTRL_COUNT];

/* ---- cgroup.c ---- */

/* The functions behind it: those of v1, v2 or none. */
void cgroup_set_backend(struct cgroup *cg, enum cgroup_mode mode);
/* An empty one with its back end; cgroup_disable takes the back end away. */
struct cgroup *cgroup_new(enum cgroup_mode mode);
/* One hierarchy less. */
void cgroup_drop(struct cgroup *cg, size_t i);
void cgroup_disable(struct cgroup *cg);
/* "cpu,cpuacct" as bits; a name that this version does not know has none. */
unsigned cgroup_ctrls_of(const char *names);
/* The hierarchy that carries the controller, or NULL. */
struct cgroup_hier *cgroup_hier_of(const struct cgroup *cg, enum cgroup_ctrl c);
/* The one where processes are listed, frozen and counted: the freezer's, else the first. */
struct cgroup_hier *cgroup_main_hier(const struct cgroup *cg);
/* Which controllers the limits of `r` need, as a mask. */
unsigned cgroup_needs(const struct cgroup_resources *r);
/* "linux.resources.memory" and the like: the field whose limit needs the controller. */
const char *cgroup_ctrl_field(enum cgroup_ctrl c);
/* Swap as memory + swap against the limit: what cannot be meant is an error. An update may give one of the two: the
 * other is the kernel's to compare. */
int cgroup_check_memory(const struct cgroup_memory *m, bool fresh, struct err *e);
/* checkBeforeUpdate: "rejecting memory limit", "rejecting memory+swap limit" where they are below what is used. */
int cgroup_check_usage(const struct cgroup_memory *m, int64_t usage, int64_t with_swap,
		       struct err *e);
/* "2MB", "1GB", "64KB". */
int cgroup_check_page_size(const char *s, struct err *e);

/* ---- cgroup_file.c: one value, one file; errors name the field and the file ---- */

/* Opens h->dir_fd when it is not; ENOENT when the cgroup is gone. Returns it (borrowed). */
int cgroup_dir(const struct cgroup_hier *h, struct err *e);
/* Opens a file of the cgroup, close-on-exec. -1: errno says why not; CGROUP_GONE: the directory cannot be had, *e says
 * why. */
enum { CGROUP_GONE = -2 };
int cgroup_open(const struct cgroup_hier *h, const char *file, int flags, struct err *e);
int cgroup_write(const struct cgroup_hier *h, const char *field, const char *file,
		 const char *text, struct err *e);
int cgroup_write_int(const struct cgroup_hier *h, const char *field, const char *file,
		     int64_t value, struct err *e);
/* A weight or shares: an idle group takes none, so that it stops being one first, as systemd does it. */
int cgroup_write_weight(const struct cgroup_hier *h, const char *field, const char *file,
			const char *text, struct err *e);
bool cgroup_has_file(const struct cgroup_hier *h, const char *file);
/* The first line, without its newline; cut at size - 1 bytes. */
int cgroup_read_line(const struct cgroup_hier *h, const char *file, char *line, size_t size,
		     struct err *e);
int cgroup_read_int(const struct cgroup_hier *h, const char *file, int64_t *out, struct err *e);
/* Whether a blank-separated list of words has this one. */
bool cgroup_list_has(const char *list, const char *word);

/* ---- cgroup_tree.c: making, walking and removing directories ---- */

/* Makes path (relative to root_fd) with its parents; returns 1 when the last one was made, 0 when it was
 * there. `made`, when not NULL, is called for each directory that was made, outermost first. The umask is cgroup.c's. */
typedef int (*cgroup_made_fn)(int root_fd, const char *path, struct err *e);
int cgroup_mkdirs(int root_fd, const char *path, cgroup_made_fn made, struct err *e);
/* The pids below dir_fd, subtree included, appended to *v. A directory that is gone counts as empty. */
struct cgroup_pid_list {
	pid_t *v;
	size_t n, cap;
};
int cgroup_collect_pids(int dir_fd, struct cgroup_pid_list *out, struct err *e);
/* Removes the directories below path and path itself; returns 0, or 1 when the kernel says EBUSY. */
int cgroup_rmdir_tree(const char *path, struct err *e);

/* ---- back ends: one version of the kernel's interface each; cgroup.c chooses the row and checks what is common ---- */

struct cgroup_backend {
	enum cgroup_mode mode;
	/* What this version does not have is an error that names the field. */
	int (*check)(const struct cgroup_resources *r, struct err *e);
	/* Names and paths of what `open` will make, into a cg that has its path only; nothing is made. */
	int (*plan)(struct cgroup *cg, struct err *e);
	/* Makes (h->made) or opens the directories of the plan. None at all, for a user without rights and limits, is
	 * success. */
	int (*open)(const struct cgroup_spec *s, struct cgroup *cg, struct err *e);
	/* The limits that are given. fresh: right after `open`; else an update, which changes as little as it can. */
	int (*set)(const struct cgroup *cg, const struct cgroup_resources *r, bool fresh,
		   struct err *e);
	int (*freeze)(const struct cgroup *cg, bool frozen, struct err *e);
	int (*is_frozen)(const struct cgroup *cg, bool *out, struct err *e);
	int (*stats)(const struct cgroup *cg, struct cgroup_stats *out, struct err *e);
};

extern const struct cgroup_backend cgroup_v1, cgroup_v2;

/* Their limits (cgroup_v1_limits.c, cgroup_v2_limits.c). */
int cgroup_v1_set(const struct cgroup *cg, const struct cgroup_resources *r, bool fresh,
		  struct err *e);
int cgroup_v2_set(const struct cgroup *cg, const struct cgroup_resources *r, bool fresh,
		  struct err *e);
/* Limits that name a device (cgroup_perdev.c). */
int cgroup_v1_set_blkio(const struct cgroup *cg, const struct cgroup_blkio *b, struct err *e);
int cgroup_v2_set_io(const struct cgroup_hier *h, const struct cgroup_blkio *b, struct err *e);
int cgroup_set_rdma(const struct cgroup *cg, const struct cgroup_resources *r, struct err *e);
int cgroup_v1_set_network(const struct cgroup *cg, const struct cgroup_network *n,
			  struct err *e);
/* blkio's weight (10..1000) as io.weight (1..10000). */
uint64_t cgroup_v2_io_weight(uint64_t weight);
bool cgroup_blkio_given(const struct cgroup_blkio *b);
int cgroup_v2_check(const struct cgroup_resources *r, struct err *e);
/* cpu.shares (2..262144) as cpu.weight (1..10000): a curve through 2 -> 1, 1024 -> 100, 262144 -> 10000. */
uint64_t cgroup_v2_weight(uint64_t shares);

#endif
