/* cgroup v1: statistics. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "runtime/cgroup_impl.h"
#include "runtime/cgroup_stats.h"

/* Ticks of a hundredth of a second, on every Linux. */
enum { NS_PER_TICK = 10000000 };

#define AT(m) offsetof(struct cgroup_stats, m)

static void read_cpu(const struct cgroup *cg, struct cgroup_stats *s, struct err *e)
{
	static const struct stats_key throttling[] = {
		{ "nr_periods", AT(cpu.periods), 1 },
		{ "nr_throttled", AT(cpu.throttled_periods), 1 },
		{ "throttled_time", AT(cpu.throttled_time), 1 },
	};
	static const struct stats_key usage[] = {
		{ "user", AT(cpu.user), NS_PER_TICK },
		{ "system", AT(cpu.kernel), NS_PER_TICK },
	};
	const struct cgroup_hier *cpu = cgroup_hier_of(cg, CTRL_CPU);
	const struct cgroup_hier *acct = cgroup_hier_of(cg, CTRL_CPUACCT);
	auto_free char *stat = cpu ? stats_file(cpu, "cpu.stat", e) : NULL;

	if (stat)
		stats_parse_keys(stat, throttling, ARRAY_SIZE(throttling), s);
	if (!acct)
		return;
	auto_free char *split = stats_file(acct, "cpuacct.stat", e);
	auto_free char *each = stats_file(acct, "cpuacct.usage_percpu", e);
	auto_free char *all = stats_file(acct, "cpuacct.usage_all", e);
	(void) stats_number(acct, "cpuacct.usage", &s->cpu.total, e);
	if (split)
		stats_parse_keys(split, usage, ARRAY_SIZE(usage), s);
	if (each)
		stats_parse_numbers(each, &s->cpu.percpu);
	if (all)
		stats_parse_percpu(all, &s->cpu.percpu_user, &s->cpu.percpu_kernel);
}

static void read_cpuset(const struct cgroup *cg, struct cgroup_stats *s, struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_CPUSET);
	const struct {
		const char *file;
		uint64_t *out;
	} rows[] = {
		{ "cpuset.cpu_exclusive", &s->cpuset.cpu_exclusive },
		{ "cpuset.mem_hardwall", &s->cpuset.mem_hardwall },
		{ "cpuset.mem_exclusive", &s->cpuset.mem_exclusive },
		{ "cpuset.memory_migrate", &s->cpuset.memory_migrate },
		{ "cpuset.memory_spread_page", &s->cpuset.memory_spread_page },
		{ "cpuset.memory_spread_slab", &s->cpuset.memory_spread_slab },
		{ "cpuset.memory_pressure", &s->cpuset.memory_pressure },
		{ "cpuset.sched_load_balance", &s->cpuset.sched_load_balance },
	};
	uint64_t level;

	if (!h)
		return;
	auto_free char *cpus = stats_file(h, "cpuset.cpus", e);
	auto_free char *mems = stats_file(h, "cpuset.mems", e);
	if (cpus)
		(void) stats_parse_set(cpus, &s->cpuset.cpus);
	if (mems)
		(void) stats_parse_set(mems, &s->cpuset.mems);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		(void) stats_number(h, rows[i].file, rows[i].out, e);
	/* -1: the system's. */
	if (stats_number(h, "cpuset.sched_relax_domain_level", &level, e))
		s->cpuset.sched_relax_domain_level = (int64_t) level;
}

static void read_amount(const struct cgroup_hier *h, const char *prefix,
			struct stats_amount *out, struct err *e)
{
	const struct {
		const char *name;
		uint64_t *out;
	} rows[] = {
		{ "usage_in_bytes", &out->usage },
		{ "max_usage_in_bytes", &out->max },
		{ "failcnt", &out->failcnt },
		{ "limit_in_bytes", &out->limit },
	};
	char file[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(file, sizeof(file), "%s.%s", prefix, rows[i].name);
		(void) stats_number(h, file, rows[i].out, e);
	}
}

static void read_memory(const struct cgroup *cg, struct cgroup_stats *s, struct err *e)
{
	static const struct stats_key cache[] = { { "cache", AT(memory.cache), 1 } };
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_MEMORY);

	if (!h)
		return;
	auto_free char *stat = stats_file(h, "memory.stat", e);
	if (stat) {
		stats_parse_pairs(stat, &s->memory.raw);
		stats_parse_keys(stat, cache, 1, s);
	}
	read_amount(h, "memory", &s->memory.usage, e);
	read_amount(h, "memory.memsw", &s->memory.swap, e);
	read_amount(h, "memory.kmem", &s->memory.kernel, e);
	read_amount(h, "memory.kmem.tcp", &s->memory.kernel_tcp, e);
}

/* Who counts depends on the scheduler: the first whose first file has rows is taken. */
static void read_blkio(const struct cgroup *cg, struct cgroup_stats *s, struct err *e)
{
	struct row {
		const char *file;
		enum stats_io_table table;
	};
	/* clang-format off */
	static const struct row groups[][9] = {
		{ { "blkio.bfq.sectors_recursive", STATS_IO_SECTORS },
		  { "blkio.bfq.io_service_time_recursive", STATS_IO_SERVICE_TIME },
		  { "blkio.bfq.io_wait_time_recursive", STATS_IO_WAIT_TIME },
		  { "blkio.bfq.io_merged_recursive", STATS_IO_MERGED },
		  { "blkio.bfq.io_queued_recursive", STATS_IO_QUEUED },
		  { "blkio.bfq.time_recursive", STATS_IO_TIME },
		  { "blkio.bfq.io_serviced_recursive", STATS_IO_SERVICED },
		  { "blkio.bfq.io_service_bytes_recursive", STATS_IO_BYTES } },
		{ { "blkio.bfq.io_serviced_recursive", STATS_IO_SERVICED },
		  { "blkio.bfq.io_service_bytes_recursive", STATS_IO_BYTES } },
		{ { "blkio.throttle.io_serviced_recursive", STATS_IO_SERVICED },
		  { "blkio.throttle.io_service_bytes_recursive", STATS_IO_BYTES } },
		{ { "blkio.throttle.io_serviced", STATS_IO_SERVICED },
		  { "blkio.throttle.io_service_bytes", STATS_IO_BYTES } },
	};
	/* clang-format on */
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_BLKIO);

	for (size_t g = 0; h && g < ARRAY_SIZE(groups); g++)
		for (const struct row *r = groups[g]; r->file; r++) {
			auto_free char *text = stats_file(h, r->file, e);

			if (text)
				stats_parse_blkio(text, &s->io[r->table]);
			if (r == groups[g] && !s->io[r->table].n)
				break;
			if (!r[1].file)
				return;
		}
}

static void read_rest(const struct cgroup *cg, struct cgroup_stats *s, struct err *e)
{
	const struct cgroup_hier *pids = cgroup_hier_of(cg, CTRL_PIDS);
	const struct cgroup_hier *huge = cgroup_hier_of(cg, CTRL_HUGETLB);
	char file[64];

	if (pids) {
		(void) stats_number(pids, "pids.current", &s->pids.current, e);
		(void) stats_number(pids, "pids.max", &s->pids.limit, e);
		if (s->pids.limit == UINT64_MAX)
			s->pids.limit = 0;
	}
	if (!huge)
		return;
	stats_page_sizes(huge, ".usage_in_bytes", s, e);
	for (size_t i = 0; i < s->n_hugetlb; i++) {
		struct stats_hugetlb *t = &s->hugetlb[i];

		snprintf(file, sizeof(file), "hugetlb.%s.usage_in_bytes", t->page_size);
		(void) stats_number(huge, file, &t->usage, e);
		snprintf(file, sizeof(file), "hugetlb.%s.max_usage_in_bytes", t->page_size);
		(void) stats_number(huge, file, &t->max, e);
		snprintf(file, sizeof(file), "hugetlb.%s.failcnt", t->page_size);
		(void) stats_number(huge, file, &t->failcnt, e);
	}
}

int cgroup_v1_stats(const struct cgroup *cg, struct cgroup_stats *out, struct err *e)
{
	read_cpu(cg, out, e);
	read_cpuset(cg, out, e);
	read_memory(cg, out, e);
	read_blkio(cg, out, e);
	read_rest(cg, out, e);
	return e->code ? -1 : 0;
}
