/*
 * What a container uses, as the kernel counts it: one struct for cgroup v1 and v2, and the readers of the kernel's texts.
 *
 * A file that this kernel does not have leaves its numbers 0. Lines that are not understood are passed over: kernels add
 * to these files. Times are nanoseconds, amounts bytes; "max" is UINT64_MAX.
 */
#ifndef CARREL_RUNTIME_CGROUP_STATS_H
#define CARREL_RUNTIME_CGROUP_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroup;
struct cgroup_hier;
struct err;

struct stats_u64s {
	uint64_t *v;
	size_t n;
};

struct stats_pair {
	char *key;
	uint64_t value;
};
struct stats_pairs {
	struct stats_pair *v;
	size_t n;
};

struct stats_io {
	uint64_t major, minor, value;
	char op[16]; /* "Read", "Write", ... or empty */
};
struct stats_ios {
	struct stats_io *v;
	size_t n;
};
enum stats_io_table {
	STATS_IO_BYTES,
	STATS_IO_SERVICED,
	STATS_IO_QUEUED,
	STATS_IO_SERVICE_TIME,
	STATS_IO_WAIT_TIME,
	STATS_IO_MERGED,
	STATS_IO_TIME,
	STATS_IO_SECTORS,
	STATS_IO_TABLES
};

struct stats_psi_line {
	double avg10, avg60, avg300;
	uint64_t total;
};
struct stats_psi {
	bool set;
	struct stats_psi_line some, full;
};

struct stats_amount {
	uint64_t limit, usage, max, failcnt;
};

struct stats_hugetlb {
	char page_size[24];
	uint64_t usage, max, failcnt;
};

struct cgroup_stats {
	struct {
		uint64_t total, kernel, user;
		struct stats_u64s percpu, percpu_kernel, percpu_user;
		uint64_t periods, throttled_periods, throttled_time;
		struct stats_psi psi;
	} cpu;
	struct {
		struct stats_u64s cpus, mems;
		uint64_t cpu_exclusive, mem_hardwall, mem_exclusive, memory_migrate;
		uint64_t memory_spread_page, memory_spread_slab, memory_pressure;
		uint64_t sched_load_balance;
		int64_t sched_relax_domain_level;
	} cpuset;
	struct {
		uint64_t cache;
		struct stats_amount usage, swap, kernel, kernel_tcp; /* swap: memory + swap */
		struct stats_pairs raw;
		struct stats_psi psi;
	} memory;
	struct {
		uint64_t current, limit; /* 0: none */
	} pids;
	struct stats_ios io[STATS_IO_TABLES];
	struct stats_psi io_psi;
	struct stats_hugetlb *hugetlb;
	size_t n_hugetlb;
};
#define CGROUP_STATS_NONE ((struct cgroup_stats){ 0 })
#define auto_stats	  auto_cleanup(cgroup_stats_fini)

/* ENOTSUP: the container has no cgroup. */
int cgroup_stats_read(const struct cgroup *cg, struct cgroup_stats *out, struct err *e);
void cgroup_stats_fini(struct cgroup_stats *s);

/* The back ends. */
int cgroup_v1_stats(const struct cgroup *cg, struct cgroup_stats *out, struct err *e);
int cgroup_v2_stats(const struct cgroup *cg, struct cgroup_stats *out, struct err *e);

/* ---- texts (cgroup_stats_text.c): pure functions, whatever the bytes ---- */

/* A number, "max" (UINT64_MAX) or -1. */
int stats_parse_u64(const char *text, uint64_t *out);
/* Lines "key value", all of them. */
void stats_parse_pairs(const char *text, struct stats_pairs *out);
/* Those lines whose key has a row, times its factor, at its offset in `out`. */
struct stats_key {
	const char *key;
	size_t offset;
	uint64_t factor;
};
void stats_parse_keys(const char *text, const struct stats_key *rows, size_t n, void *out);
/* "1 2 3" */
void stats_parse_numbers(const char *text, struct stats_u64s *out);
/* cpuacct.usage_all: a line of "cpu user system" for each CPU below a heading. */
void stats_parse_percpu(const char *text, struct stats_u64s *user, struct stats_u64s *kernel);
/* "0-3,7": -1 when it is no such list. */
int stats_parse_set(const char *text, struct stats_u64s *out);
/* blkio: "8:0 Read 5" or "8:0 5". */
void stats_parse_blkio(const char *text, struct stats_ios *out);
/* io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4". */
void stats_parse_io(const char *text, struct stats_ios *bytes, struct stats_ios *serviced);
/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", "full ..." */
void stats_parse_psi(const char *text, struct stats_psi *out);

/* /proc/PID/net/dev, without the loopback device. */
struct stats_interface {
	char name[16];
	uint64_t rx[4], tx[4]; /* bytes, packets, errors, dropped */
};
struct stats_interfaces {
	struct stats_interface *v;
	size_t n;
};
void stats_parse_netdev(const char *text, struct stats_interfaces *out);

/* ---- files (cgroup_stats.c) ---- */

/* What this kernel does not count is left out. That something cannot be read is for the first of them put into *e, which
 * its readers look at once at their end. */

/* The file's text, malloc'ed; NULL when it is not there or cannot be read. */
char *stats_file(const struct cgroup_hier *h, const char *file, struct err *e);
/* A file of one number; false when there is none. */
bool stats_number(const struct cgroup_hier *h, const char *file, uint64_t *out, struct err *e);
/* Files "hugetlb.SIZE<suffix>": a row for each SIZE that the group has. */
void stats_page_sizes(const struct cgroup_hier *h, const char *suffix, struct cgroup_stats *out,
		      struct err *e);

#endif
