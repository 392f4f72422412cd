/*
 * Statistics as JSON. Members that are zero are left out where the field's readers expect that ("omitempty"): they take
 * an absent member for a zero.
 */
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"
#include "runtime/events.h"

static void count(struct json_writer *w, const char *key, uint64_t v)
{
	if (v)
		jw_uint(w, key, v);
}

static void counts(struct json_writer *w, const char *key, const struct stats_u64s *l)
{
	if (!l->n)
		return;
	jw_array(w, key);
	for (size_t i = 0; i < l->n; i++)
		jw_uint(w, NULL, l->v[i]);
	jw_close(w);
}

static void psi_line(struct json_writer *w, const char *key, const struct stats_psi_line *l)
{
	jw_object(w, key);
	jw_real(w, "avg10", l->avg10);
	jw_real(w, "avg60", l->avg60);
	jw_real(w, "avg300", l->avg300);
	jw_uint(w, "total", l->total);
	jw_close(w);
}

static void pressure(struct json_writer *w, const struct stats_psi *p)
{
	if (!p->set)
		return;
	jw_object(w, "psi");
	psi_line(w, "some", &p->some);
	psi_line(w, "full", &p->full);
	jw_close(w);
}

static void cpu(struct json_writer *w, const struct cgroup_stats *s)
{
	jw_object(w, "cpu");
	jw_object(w, "usage");
	count(w, "total", s->cpu.total);
	counts(w, "percpu", &s->cpu.percpu);
	counts(w, "percpu_kernel", &s->cpu.percpu_kernel);
	counts(w, "percpu_user", &s->cpu.percpu_user);
	jw_uint(w, "kernel", s->cpu.kernel);
	jw_uint(w, "user", s->cpu.user);
	jw_close(w);
	jw_object(w, "throttling");
	count(w, "periods", s->cpu.periods);
	count(w, "throttledPeriods", s->cpu.throttled_periods);
	count(w, "throttledTime", s->cpu.throttled_time);
	jw_close(w);
	pressure(w, &s->cpu.psi);
	jw_close(w);

	jw_object(w, "cpuset");
	counts(w, "cpus", &s->cpuset.cpus);
	jw_uint(w, "cpu_exclusive", s->cpuset.cpu_exclusive);
	counts(w, "mems", &s->cpuset.mems);
	jw_uint(w, "mem_hardwall", s->cpuset.mem_hardwall);
	jw_uint(w, "mem_exclusive", s->cpuset.mem_exclusive);
	jw_uint(w, "memory_migrate", s->cpuset.memory_migrate);
	jw_uint(w, "memory_spread_page", s->cpuset.memory_spread_page);
	jw_uint(w, "memory_spread_slab", s->cpuset.memory_spread_slab);
	jw_uint(w, "memory_pressure", s->cpuset.memory_pressure);
	jw_uint(w, "sched_load_balance", s->cpuset.sched_load_balance);
	jw_int(w, "sched_relax_domain_level", s->cpuset.sched_relax_domain_level);
	jw_close(w);
}

static void amount(struct json_writer *w, const char *key, const struct stats_amount *a)
{
	jw_object(w, key);
	jw_uint(w, "limit", a->limit);
	count(w, "usage", a->usage);
	count(w, "max", a->max);
	jw_uint(w, "failcnt", a->failcnt);
	jw_close(w);
}

static void memory(struct json_writer *w, const struct cgroup_stats *s)
{
	jw_object(w, "memory");
	count(w, "cache", s->memory.cache);
	amount(w, "usage", &s->memory.usage);
	amount(w, "swap", &s->memory.swap);
	amount(w, "kernel", &s->memory.kernel);
	amount(w, "kernelTCP", &s->memory.kernel_tcp);
	if (s->memory.raw.n) {
		jw_object(w, "raw");
		for (size_t i = 0; i < s->memory.raw.n; i++)
			jw_uint(w, s->memory.raw.v[i].key, s->memory.raw.v[i].value);
		jw_close(w);
	}
	pressure(w, &s->memory.psi);
	jw_close(w);
}

static void blkio(struct json_writer *w, const struct cgroup_stats *s)
{
	static const char *const names[STATS_IO_TABLES] = {
		[STATS_IO_BYTES] = "ioServiceBytesRecursive",
		[STATS_IO_SERVICED] = "ioServicedRecursive",
		[STATS_IO_QUEUED] = "ioQueueRecursive",
		[STATS_IO_SERVICE_TIME] = "ioServiceTimeRecursive",
		[STATS_IO_WAIT_TIME] = "ioWaitTimeRecursive",
		[STATS_IO_MERGED] = "ioMergedRecursive",
		[STATS_IO_TIME] = "ioTimeRecursive",
		[STATS_IO_SECTORS] = "sectorsRecursive",
	};

	jw_object(w, "blkio");
	for (int t = 0; t < STATS_IO_TABLES; t++) {
		const struct stats_ios *l = &s->io[t];

		if (!l->n)
			continue;
		jw_array(w, names[t]);
		for (size_t i = 0; i < l->n; i++) {
			jw_object(w, NULL);
			count(w, "major", l->v[i].major);
			count(w, "minor", l->v[i].minor);
			if (l->v[i].op[0])
				jw_str(w, "op", l->v[i].op);
			count(w, "value", l->v[i].value);
			jw_close(w);
		}
		jw_close(w);
	}
	pressure(w, &s->io_psi);
	jw_close(w);
}

static void hugetlb(struct json_writer *w, const struct cgroup_stats *s)
{
	jw_object(w, "hugetlb");
	for (size_t i = 0; i < s->n_hugetlb; i++) {
		jw_object(w, s->hugetlb[i].page_size);
		count(w, "usage", s->hugetlb[i].usage);
		count(w, "max", s->hugetlb[i].max);
		jw_uint(w, "failcnt", s->hugetlb[i].failcnt);
		jw_close(w);
	}
	jw_close(w);
}

static void interfaces(struct json_writer *w, const struct stats_interfaces *net)
{
	static const char *const names[2][4] = {
		{ "RxBytes", "RxPackets", "RxErrors", "RxDropped" },
		{ "TxBytes", "TxPackets", "TxErrors", "TxDropped" },
	};

	jw_array(w, "network_interfaces");
	for (size_t i = 0; i < net->n; i++) {
		jw_object(w, NULL);
		jw_str(w, "Name", net->v[i].name);
		for (size_t k = 0; k < 4; k++)
			jw_uint(w, names[0][k], net->v[i].rx[k]);
		for (size_t k = 0; k < 4; k++)
			jw_uint(w, names[1][k], net->v[i].tx[k]);
		jw_close(w);
	}
	jw_close(w);
}

static void text(struct json_writer *w, const char *key, const char *v)
{
	if (v && *v)
		jw_str(w, key, v);
}

static void monitors(struct json_writer *w, const struct rdt_stats *s)
{
	if (s->bandwidth) {
		jw_array(w, "mbm_stats");
		for (size_t i = 0; i < s->n_domains; i++) {
			const struct rdt_domain *d = &s->domains[i];

			jw_object(w, NULL);
			if (d->has_total)
				jw_uint(w, "mbm_total_bytes", d->total);
			if (d->has_local)
				jw_uint(w, "mbm_local_bytes", d->local);
			jw_close(w);
		}
		jw_close(w);
	}
	if (s->occupancy) {
		jw_array(w, "cmt_stats");
		for (size_t i = 0; i < s->n_domains; i++) {
			jw_object(w, NULL);
			if (s->domains[i].has_occupancy)
				jw_uint(w, "llc_occupancy", s->domains[i].occupancy);
			jw_close(w);
		}
		jw_close(w);
	}
}

static void intel_rdt(struct json_writer *w, const struct rdt_stats *s)
{
	jw_object(w, "intel_rdt");
	if (s->l3.set) {
		jw_object(w, "l3_cache_info");
		text(w, "cbm_mask", s->l3.mask);
		count(w, "min_cbm_bits", s->l3.min_bits);
		count(w, "num_closids", s->l3.classes);
		jw_close(w);
	}
	text(w, "l3_cache_schema_root", s->l3.root);
	text(w, "l3_cache_schema", s->l3.own);
	if (s->mb.set) {
		jw_object(w, "mem_bw_info");
		count(w, "bandwidth_gran", s->mb.granularity);
		count(w, "delay_linear", s->mb.linear);
		count(w, "min_bandwidth", s->mb.min_bandwidth);
		count(w, "num_closids", s->mb.classes);
		jw_close(w);
	}
	text(w, "mem_bw_schema_root", s->mb.root);
	text(w, "mem_bw_schema", s->mb.own);
	if (s->schemata && s->schemata[0]) {
		jw_array(w, "schemata");
		for (char **l = s->schemata; *l; l++)
			jw_str(w, NULL, *l);
		jw_close(w);
	}
	monitors(w, s);
	jw_close(w);
}

int events_render_stats(const char *id, const struct cgroup_stats *s,
			const struct stats_interfaces *net, const struct rdt_stats *rdt,
			struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "type", "stats");
	jw_str(w, "id", id);
	jw_object(w, "data");
	cpu(w, s);
	memory(w, s);
	jw_object(w, "pids");
	count(w, "current", s->pids.current);
	count(w, "limit", s->pids.limit);
	jw_close(w);
	blkio(w, s);
	hugetlb(w, s);
	intel_rdt(w, rdt);
	interfaces(w, net);
	jw_close(w);
	jw_close(w);
	return json_writer_end(w, e);
}

int events_render_oom(const char *id, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "type", "oom");
	jw_str(w, "id", id);
	jw_close(w);
	return json_writer_end(w, e);
}
