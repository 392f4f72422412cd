/* cgroup v2: statistics. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "runtime/cgroup_impl.h"
#include "runtime/cgroup_stats.h"

enum { NS_PER_US = 1000 };

#define AT(m) offsetof(struct cgroup_stats, m)

static void read_cpu(const struct cgroup_hier *h, struct cgroup_stats *s, struct err *e)
{
	static const struct stats_key rows[] = {
		{ "usage_usec", AT(cpu.total), NS_PER_US },
		{ "user_usec", AT(cpu.user), NS_PER_US },
		{ "system_usec", AT(cpu.kernel), NS_PER_US },
		{ "nr_periods", AT(cpu.periods), 1 },
		{ "nr_throttled", AT(cpu.throttled_periods), 1 },
		{ "throttled_usec", AT(cpu.throttled_time), NS_PER_US },
	};
	auto_free char *stat = stats_file(h, "cpu.stat", e);
	auto_free char *cpus = stats_file(h, "cpuset.cpus.effective", e);
	auto_free char *mems = stats_file(h, "cpuset.mems.effective", e);

	if (stat)
		stats_parse_keys(stat, rows, ARRAY_SIZE(rows), s);
	if (cpus)
		(void) stats_parse_set(cpus, &s->cpuset.cpus);
	if (mems)
		(void) stats_parse_set(mems, &s->cpuset.mems);
}

static void read_memory(const struct cgroup_hier *h, struct cgroup_stats *s, struct err *e)
{
	static const struct stats_key cache[] = { { "file", AT(memory.cache), 1 } };
	struct stats_amount *u = &s->memory.usage, *sum = &s->memory.swap;
	auto_free char *stat = stats_file(h, "memory.stat", e);

	if (stat) {
		stats_parse_pairs(stat, &s->memory.raw);
		stats_parse_keys(stat, cache, 1, s);
	}
	(void) stats_number(h, "memory.current", &u->usage, e);
	(void) stats_number(h, "memory.max", &u->limit, e);
	(void) stats_number(h, "memory.peak", &u->max, e);
	/* v2 counts swap apart. */
	if (!stats_number(h, "memory.swap.current", &sum->usage, e))
		return;
	(void) stats_number(h, "memory.swap.max", &sum->limit, e);
	sum->usage += u->usage;
	if (sum->limit != UINT64_MAX)
		sum->limit = u->limit == UINT64_MAX ? UINT64_MAX : sum->limit + u->limit;
}

static void read_pressure(const struct cgroup_hier *h, const char *file, struct stats_psi *out,
			  struct err *e)
{
	auto_free char *text = stats_file(h, file, e);

	if (text)
		stats_parse_psi(text, out);
}

static void read_hugetlb(const struct cgroup_hier *h, struct cgroup_stats *s, struct err *e)
{
	stats_page_sizes(h, ".current", s, e);
	for (size_t i = 0; i < s->n_hugetlb; i++) {
		struct stats_hugetlb *t = &s->hugetlb[i];
		const struct stats_key max[] = {
			{ "max", offsetof(struct stats_hugetlb, failcnt), 1 }
		};
		char file[64];

		/* Reserved pages are what a limit is asked for; before 5.7 only used ones were counted. */
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.current", t->page_size);
		if (!stats_number(h, file, &t->usage, e)) {
			snprintf(file, sizeof(file), "hugetlb.%s.current", t->page_size);
			(void) stats_number(h, file, &t->usage, e);
		}
		snprintf(file, sizeof(file), "hugetlb.%s.events", t->page_size);
		auto_free char *events = stats_file(h, file, e);
		if (events)
			stats_parse_keys(events, max, 1, t);
	}
}

int cgroup_v2_stats(const struct cgroup *cg, struct cgroup_stats *out, struct err *e)
{
	const struct cgroup_hier *h = &cg->h[0];
	auto_free char *io = stats_file(h, "io.stat", e);

	read_cpu(h, out, e);
	read_memory(h, out, e);
	read_pressure(h, "cpu.pressure", &out->cpu.psi, e);
	read_pressure(h, "memory.pressure", &out->memory.psi, e);
	read_pressure(h, "io.pressure", &out->io_psi, e);
	if (io)
		stats_parse_io(io, &out->io[STATS_IO_BYTES], &out->io[STATS_IO_SERVICED]);
	(void) stats_number(h, "pids.current", &out->pids.current, e);
	(void) stats_number(h, "pids.max", &out->pids.limit, e);
	if (out->pids.limit == UINT64_MAX)
		out->pids.limit = 0;
	read_hugetlb(h, out, e);
	return e->code ? -1 : 0;
}
