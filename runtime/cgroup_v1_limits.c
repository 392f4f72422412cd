/*
 * cgroup v1: limits into files, in the order that the kernel accepts.
 *
 * Two pairs depend on each other: memory must not exceed memory+swap at any moment, and a CPU period is
 * refused while the old quota would exceed it.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"

static bool given(int64_t v)
{
	return v != CGROUP_UNSET;
}

/* Engines write 0 for "no limit given" in fields where a limit of nothing could not be meant. */
static bool given_nonzero(int64_t v)
{
	return v != CGROUP_UNSET && v != 0;
}

/* ---- memory ---- */

#define MEM_LIMIT "memory.limit_in_bytes"
#define MEM_SWAP  "memory.memsw.limit_in_bytes"

static int write_limit(const struct cgroup_hier *h, int64_t limit, struct err *e)
{
	int64_t usage, peak;
	struct err own = ERR_NONE, ignored = ERR_NONE;

	if (cgroup_write_int(h, "memory.limit", MEM_LIMIT, limit, &own) == 0)
		return 0;
	if (own.code == EBUSY &&
	    cgroup_read_int(h, "memory.usage_in_bytes", &usage, &ignored) == 0 &&
	    cgroup_read_int(h, "memory.max_usage_in_bytes", &peak, &ignored) == 0)
		return err_set(
			e, EBUSY,
			"linux.resources.memory.limit: unable to set memory limit to %" PRId64
			" (current usage: %" PRId64 ", peak usage: %" PRId64 ")",
			limit, usage, peak);
	*e = own;
	return -1;
}

static int write_swap(const struct cgroup_hier *h, int64_t swap, struct err *e)
{
	if (cgroup_has_file(h, MEM_SWAP))
		return cgroup_write_int(h, "memory.swap", MEM_SWAP, swap, e);
	/* Unlimited is what a kernel without swap accounting gives anyway. */
	if (swap == -1)
		return 0;
	return err_set(
		e, ENOTSUP,
		"linux.resources.memory.swap: this kernel does not account for swap; boot it "
		"with swapaccount=1");
}

/* Raising goes swap first, lowering limit first; a new cgroup is unlimited and only lowers. */
static int set_limit_and_swap(const struct cgroup_hier *h, const struct cgroup_memory *m,
			      bool fresh, struct err *e)
{
	bool limit = given_nonzero(m->limit), swap = given_nonzero(m->swap);
	int64_t want_swap = m->swap, now;

	/* An unlimited memory under a limited sum is refused by the kernel: the sum goes with it. */
	if (limit && m->limit == -1 && !swap && cgroup_has_file(h, MEM_SWAP)) {
		swap = true;
		want_swap = -1;
	}
	if (!limit || !swap) {
		if (limit && write_limit(h, m->limit, e) < 0)
			return -1;
		return swap ? write_swap(h, want_swap, e) : 0;
	}
	if (fresh)
		now = INT64_MAX;
	else if (cgroup_read_int(h, MEM_LIMIT, &now, e) < 0)
		return -1;
	if (!fresh && (want_swap == -1 || now < want_swap)) {
		if (write_swap(h, want_swap, e) < 0)
			return -1;
		return write_limit(h, m->limit, e);
	}
	if (write_limit(h, m->limit, e) < 0)
		return -1;
	return write_swap(h, want_swap, e);
}

static int check_usage(const struct cgroup_hier *h, const struct cgroup_memory *m,
		       struct err *e)
{
	int64_t usage, with_swap;
	struct err ignored = ERR_NONE;

	if (cgroup_read_int(h, "memory.usage_in_bytes", &usage, e) < 0)
		return -1;
	if (cgroup_read_int(h, "memory.memsw.usage_in_bytes", &with_swap, &ignored) < 0)
		with_swap = usage;
	return cgroup_check_usage(m, usage, with_swap, e);
}

static int set_memory(const struct cgroup *cg, const struct cgroup_memory *m, bool fresh,
		      struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_MEMORY);

	if (!h)
		return 0;
	if (m->check_before_update && check_usage(h, m, e) < 0)
		return -1;
	if (set_limit_and_swap(h, m, fresh && h->made, e) < 0)
		return -1;
	if (given_nonzero(m->reservation) &&
	    cgroup_write_int(h, "memory.reservation", "memory.soft_limit_in_bytes",
			     m->reservation, e) < 0)
		return -1;
	if (given_nonzero(m->kernel_tcp) &&
	    cgroup_write_int(h, "memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes",
			     m->kernel_tcp, e) < 0)
		return -1;
	if (m->disable_oom_killer > 0 &&
	    cgroup_write(h, "memory.disableOOMKiller", "memory.oom_control", "1", e) < 0)
		return -1;
	/* Some engines write -1 for "as the host has it". */
	if (!given(m->swappiness) || m->swappiness == -1)
		return 0;
	if (m->swappiness < 0 || m->swappiness > 100)
		return err_set(e, EINVAL,
			       "linux.resources.memory.swappiness: %" PRId64 " is not 0 to 100",
			       m->swappiness);
	return cgroup_write_int(h, "memory.swappiness", "memory.swappiness", m->swappiness, e);
}

/* ---- cpu ---- */

enum { DEFAULT_PERIOD_US = 100000 };

/*
 * Three files of which each is checked against the others as they are at that moment: period and burst may be refused
 * (EINVAL) by the old quota and accepted by the new one. They are written before it, and again after it where that was so.
 */
static int write_twice(const struct cgroup_hier *h, const char *field, const char *file,
		       int64_t value, bool later, bool *again, struct err *e)
{
	struct err own = ERR_NONE;

	if (cgroup_write_int(h, field, file, value, &own) == 0) {
		*again = false;
		return 0;
	}
	*again = true;
	if (later && own.code == EINVAL)
		return 0;
	*e = own;
	return -1;
}

static int set_quota(const struct cgroup_hier *h, const struct cgroup_cpu *c, bool fresh,
		     struct err *e)
{
	const bool quota = given_nonzero(c->quota);
	bool period_again = false, burst_again = false;

	/* A new group has the default, which is what almost everybody writes. */
	if (given_nonzero(c->period) && !(fresh && c->period == DEFAULT_PERIOD_US) &&
	    write_twice(h, "cpu.period", "cpu.cfs_period_us", c->period, quota, &period_again,
			e) < 0)
		return -1;
	if (given(c->burst) && write_twice(h, "cpu.burst", "cpu.cfs_burst_us", c->burst, quota,
					   &burst_again, e) < 0)
		return -1;
	if (quota && cgroup_write_int(h, "cpu.quota", "cpu.cfs_quota_us", c->quota, e) < 0)
		return -1;
	if (period_again &&
	    cgroup_write_int(h, "cpu.period", "cpu.cfs_period_us", c->period, e) < 0)
		return -1;
	if (burst_again)
		return cgroup_write_int(h, "cpu.burst", "cpu.cfs_burst_us", c->burst, e);
	return 0;
}

static int set_realtime(const struct cgroup_hier *h, const struct cgroup_cpu *c, struct err *e)
{
	const bool runtime = given_nonzero(c->rt_runtime);
	bool again = false;

	if (!given_nonzero(c->rt_period) && !runtime)
		return 0;
	if (!cgroup_has_file(h, "cpu.rt_runtime_us"))
		return err_set(e, ENOTSUP,
			       "linux.resources.cpu.%s: this kernel has no groups of realtime "
			       "tasks; it needs CONFIG_RT_GROUP_SCHED",
			       runtime ? "realtimeRuntime" : "realtimePeriod");
	if (given_nonzero(c->rt_period) &&
	    write_twice(h, "cpu.realtimePeriod", "cpu.rt_period_us", c->rt_period, runtime,
			&again, e) < 0)
		return -1;
	if (runtime && cgroup_write_int(h, "cpu.realtimeRuntime", "cpu.rt_runtime_us",
					c->rt_runtime, e) < 0)
		return -1;
	if (again)
		return cgroup_write_int(h, "cpu.realtimePeriod", "cpu.rt_period_us",
					c->rt_period, e);
	return 0;
}

static int set_idle(const struct cgroup_hier *h, int64_t idle, struct err *e)
{
	/* Absent on kernels before 5.15, where 0 is what they do. */
	if (!given(idle) || (idle == 0 && !cgroup_has_file(h, "cpu.idle")))
		return 0;
	return cgroup_write_int(h, "cpu.idle", "cpu.idle", idle, e);
}

static int set_cpu(const struct cgroup *cg, const struct cgroup_cpu *c, bool fresh,
		   struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_CPU);
	char text[24];

	if (!h)
		return 0;
	/* An idle group has no shares to set: it stops being one before, and becomes one after. */
	if (c->idle == 0 && set_idle(h, 0, e) < 0)
		return -1;
	if (given_nonzero(c->shares)) {
		/* The kernel would round silently to these bounds. */
		if (c->shares < 2 || c->shares > 262144)
			return err_set(
				e, EINVAL,
				"linux.resources.cpu.shares: %" PRId64
				" is not between the minimum and maximum allowed cpu-shares "
				"(2 to 262144)",
				c->shares);
		snprintf(text, sizeof(text), "%" PRId64, c->shares);
		if (cgroup_write_weight(h, "cpu.shares", "cpu.shares", text, e) < 0)
			return -1;
	}
	if (set_quota(h, c, fresh && h->made, e) < 0 || set_realtime(h, c, e) < 0)
		return -1;
	return c->idle == 0 ? 0 : set_idle(h, c->idle, e);
}

static int set_cpuset(const struct cgroup *cg, const struct cgroup_cpu *c, struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_CPUSET);

	if (!h)
		return 0;
	if (c->cpus && *c->cpus && cgroup_write(h, "cpu.cpus", "cpuset.cpus", c->cpus, e) < 0)
		return err_hint(e, "the parent cgroup must contain them");
	if (c->mems && *c->mems && cgroup_write(h, "cpu.mems", "cpuset.mems", c->mems, e) < 0)
		return err_hint(e, "the parent cgroup must contain them");
	return 0;
}

/* ---- the rest ---- */

static int set_pids(const struct cgroup *cg, int64_t limit, struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_PIDS);

	if (!h || !given(limit))
		return 0;
	if (limit < 0)
		return cgroup_write(h, "pids.limit", "pids.max", "max", e);
	/* One process is the least that a container can be. */
	return cgroup_write_int(h, "pids.limit", "pids.max", MAX(limit, 1), e);
}

static int set_hugetlb(const struct cgroup *cg, const struct cgroup_resources *r, struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_HUGETLB);

	for (size_t i = 0; h && i < r->n_hugetlb; i++) {
		char file[96], text[24];

		if (cgroup_check_page_size(r->hugetlb[i].page_size, e) < 0)
			return -1;
		snprintf(file, sizeof(file), "hugetlb.%s.limit_in_bytes",
			 r->hugetlb[i].page_size);
		snprintf(text, sizeof(text), "%" PRIu64, r->hugetlb[i].limit);
		if (cgroup_write(h, "hugepageLimits", file, text, e) < 0)
			return -1;
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.limit_in_bytes",
			 r->hugetlb[i].page_size);
		/* Since Linux 5.7; reserved pages are counted with the used ones before. */
		if (cgroup_has_file(h, file) &&
		    cgroup_write(h, "hugepageLimits", file, text, e) < 0)
			return -1;
	}
	return 0;
}

static int missing(const struct cgroup *cg, const struct cgroup_resources *r, struct err *e)
{
	unsigned need = cgroup_needs(r);

	for (int c = 0; c < CTRL_COUNT; c++)
		if ((need & (1u << c)) && !cgroup_hier_of(cg, (enum cgroup_ctrl) c))
			return err_set(
				e, ENOTSUP,
				"linux.resources.%s: the container has no cgroup of the v1 "
				"controller \"%s\"",
				cgroup_ctrl_field((enum cgroup_ctrl) c), cgroup_ctrl_names[c]);
	return 0;
}

int cgroup_v1_set(const struct cgroup *cg, const struct cgroup_resources *r, bool fresh,
		  struct err *e)
{
	if (missing(cg, r, e) < 0)
		return -1;
	if (set_cpuset(cg, &r->cpu, e) < 0 || set_memory(cg, &r->memory, fresh, e) < 0 ||
	    set_cpu(cg, &r->cpu, fresh, e) < 0 || set_pids(cg, r->pids, e) < 0)
		return -1;
	if (set_hugetlb(cg, r, e) < 0 || cgroup_v1_set_blkio(cg, &r->blkio, e) < 0)
		return -1;
	return cgroup_set_rdma(cg, r, e) < 0 ? -1 : cgroup_v1_set_network(cg, &r->network, e);
}
