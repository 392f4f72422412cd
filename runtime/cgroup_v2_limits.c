/*
 * cgroup v2: OCI's limits, which were written with v1 in mind, into the unified hierarchy's files.
 *
 * Swap is counted apart from memory here, shares are weights, and quota and period share a file. What v1 had
 * and v2 has not is refused by name.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"

static bool given_nonzero(int64_t v)
{
	return v != CGROUP_UNSET && v != 0;
}

/* -1 is "max". */
static int write_amount(const struct cgroup_hier *h, const char *field, const char *file,
			int64_t value, struct err *e)
{
	if (value < 0)
		return cgroup_write(h, field, file, "max", e);
	return cgroup_write_int(h, field, file, value, e);
}

/* ---- memory ---- */

/* A limit below what is used now would be enforced by the OOM killer. */
static int check_usage(const struct cgroup_hier *h, const struct cgroup_memory *m,
		       struct err *e)
{
	int64_t usage, swap = 0;
	struct err ignored = ERR_NONE;

	if (cgroup_read_int(h, "memory.current", &usage, e) < 0)
		return -1;
	(void) cgroup_read_int(h, "memory.swap.current", &swap, &ignored);
	return cgroup_check_usage(m, usage, usage + swap, e);
}

/* What is left for swap. An update that gives the sum alone takes the memory limit that is set. */
static int swap_part(const struct cgroup_hier *h, const struct cgroup_memory *m, int64_t *out,
		     struct err *e)
{
	int64_t limit = m->limit;

	if (limit == CGROUP_UNSET && cgroup_read_int(h, "memory.max", &limit, e) < 0)
		return -1;
	if (limit == INT64_MAX || limit > m->swap)
		return err_set(e, EINVAL,
			       "linux.resources.memory.swap: %" PRId64 " counts memory + swap, "
			       "but the memory limit is %s; give memory.limit with it",
			       m->swap, limit == INT64_MAX ? "not set" : "larger");
	*out = m->swap - limit;
	return 0;
}

static int set_swap(const struct cgroup_hier *h, const struct cgroup_memory *m, struct err *e)
{
	bool unlimited = m->swap == -1 || (m->limit == -1 && !given_nonzero(m->swap));
	int64_t value = -1;

	if (!unlimited && !given_nonzero(m->swap))
		return 0;
	if (!unlimited && swap_part(h, m, &value, e) < 0)
		return -1;
	if (cgroup_has_file(h, "memory.swap.max"))
		return write_amount(h, "memory.swap", "memory.swap.max", value, e);
	/* Without swap accounting there is none to give out and none to forbid. */
	if (value <= 0)
		return 0;
	return err_set(
		e, ENOTSUP,
		"linux.resources.memory.swap: this kernel does not account for swap; boot it "
		"with swapaccount=1");
}

static int set_memory(const struct cgroup_hier *h, const struct cgroup_memory *m, struct err *e)
{
	if (m->check_before_update && check_usage(h, m, e) < 0)
		return -1;
	if (set_swap(h, m, e) < 0)
		return -1;
	if (given_nonzero(m->limit) &&
	    write_amount(h, "memory.limit", "memory.max", m->limit, e) < 0)
		return -1;
	if (given_nonzero(m->reservation))
		return write_amount(h, "memory.reservation", "memory.low", m->reservation, e);
	return 0;
}

/* ---- cpu ---- */

/* Both good to twelve digits in the small range that they are used for; the maths library would bring its
 * processor detection into every start of this program. */
static double log2_of(uint64_t v)
{
	int whole = 63 - __builtin_clzll(v);
	double x = (double) v / (double) (1ull << whole), r = whole, bit = 0.5;

	for (int i = 0; i < 48; i++, bit /= 2) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			r += bit;
		}
	}
	return r;
}

/* y from 0 to 4. */
static double ten_to(double y)
{
	double term = 1, sum = 1;

	for (int i = 1; i < 60; i++) {
		term *= y * 2.302585092994045684 / i;
		sum += term;
	}
	return sum;
}

uint64_t cgroup_v2_weight(uint64_t shares)
{
	double l, w;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2_of(shares);
	w = ten_to((l * l + 125 * l) / 612.0 - 7.0 / 34.0);
	/* Rounded up, but 100.0000000001 is 100: the curve goes through (1024, 100). */
	return (uint64_t) (w + 1 - 1e-6);
}

static int set_shares(const struct cgroup_hier *h, int64_t shares, struct err *e)
{
	char text[24];

	if (!given_nonzero(shares))
		return 0;
	if (shares < 2 || shares > 262144)
		return err_set(e, EINVAL,
			       "linux.resources.cpu.shares: %" PRId64
			       " is not between the minimum and maximum allowed cpu-shares "
			       "(2 to 262144)",
			       shares);
	snprintf(text, sizeof(text), "%" PRIu64, cgroup_v2_weight((uint64_t) shares));
	return cgroup_write_weight(h, "cpu.shares", "cpu.weight", text, e);
}

/* ---- idle groups ---- */

const char cgroup_idle_text[] =
	"unable to apply both a CPU weight and idle: an idle group has no weight, it is ignored";

static bool is_idle(const struct cgroup_resources *r)
{
	for (size_t i = 0; i < r->n_unified; i++)
		if (strcmp(r->unified[i].key, "cpu.idle") == 0)
			return strcmp(r->unified[i].value, "1") == 0;
	return r->cpu.idle == 1;
}

bool cgroup_drop_idle_weight(struct cgroup_resources *r)
{
	struct cgroup_pair *kept = r->unified;
	const bool shares = given_nonzero(r->cpu.shares);
	size_t n = 0;

	if (!is_idle(r))
		return false;
	for (size_t i = 0; i < r->n_unified; i++)
		if (!str_has_prefix(kept[i].key, "cpu.weight"))
			kept[n++] = kept[i];
	const bool dropped = shares || n < r->n_unified;

	r->cpu.shares = CGROUP_UNSET;
	r->n_unified = n;
	return dropped;
}

static int set_bandwidth(const struct cgroup_hier *h, const struct cgroup_cpu *c, struct err *e)
{
	char text[64], now[64];
	int64_t period = c->period;

	if (!given_nonzero(c->quota) && !given_nonzero(period))
		return 0;
	if (given_nonzero(c->quota) && c->quota > 0) {
		snprintf(text, sizeof(text), "%" PRId64, c->quota);
	} else if (given_nonzero(c->quota)) {
		snprintf(text, sizeof(text), "max");
	} else {
		/* A period alone keeps the quota that is set. */
		if (cgroup_read_line(h, "cpu.max", now, sizeof(now), e) < 0)
			return -1;
		now[strcspn(now, " ")] = '\0';
		snprintf(text, sizeof(text), "%.30s", now);
	}
	if (given_nonzero(period))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %" PRId64, period);
	return cgroup_write(h, "cpu.quota", "cpu.max", text, e);
}

static int set_idle(const struct cgroup_hier *h, int64_t idle, struct err *e)
{
	/* Absent on kernels before 5.15, where 0 is what they do. */
	if (idle == CGROUP_UNSET || (idle == 0 && !cgroup_has_file(h, "cpu.idle")))
		return 0;
	return cgroup_write_int(h, "cpu.idle", "cpu.idle", idle, e);
}

/* The kernel refuses a burst above the quota: it goes first where that is allowed, else after the new quota. */
static int set_quota(const struct cgroup_hier *h, const struct cgroup_cpu *c, struct err *e)
{
	struct err own = ERR_NONE;
	bool again = false;

	if (c->burst != CGROUP_UNSET &&
	    cgroup_write_int(h, "cpu.burst", "cpu.max.burst", c->burst, &own) < 0) {
		if (own.code != EINVAL || !given_nonzero(c->quota)) {
			*e = own;
			return -1;
		}
		again = true;
	}
	if (set_bandwidth(h, c, e) < 0)
		return -1;
	return again ? cgroup_write_int(h, "cpu.burst", "cpu.max.burst", c->burst, e) : 0;
}

static int set_cpu(const struct cgroup_hier *h, const struct cgroup_cpu *c, struct err *e)
{
	/* An idle group has no weight to set: it stops being one before, and becomes one after. */
	if (c->idle == 0 && set_idle(h, 0, e) < 0)
		return -1;
	if (set_shares(h, c->shares, e) < 0 || set_quota(h, c, e) < 0)
		return -1;
	if (c->idle != 0 && set_idle(h, c->idle, e) < 0)
		return -1;
	if (c->cpus && *c->cpus && cgroup_write(h, "cpu.cpus", "cpuset.cpus", c->cpus, e) < 0)
		return -1;
	if (c->mems && *c->mems)
		return cgroup_write(h, "cpu.mems", "cpuset.mems", c->mems, e);
	return 0;
}

/* ---- the rest ---- */

static int set_hugetlb(const struct cgroup_hier *h, const struct cgroup_resources *r,
		       struct err *e)
{
	for (size_t i = 0; i < r->n_hugetlb; i++) {
		char file[96], text[24];

		if (cgroup_check_page_size(r->hugetlb[i].page_size, e) < 0)
			return -1;
		snprintf(text, sizeof(text), "%" PRIu64, r->hugetlb[i].limit);
		snprintf(file, sizeof(file), "hugetlb.%s.max", r->hugetlb[i].page_size);
		if (cgroup_write(h, "hugepageLimits", file, text, e) < 0)
			return -1;
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", r->hugetlb[i].page_size);
		if (cgroup_has_file(h, file) &&
		    cgroup_write(h, "hugepageLimits", file, text, e) < 0)
			return -1;
	}
	return 0;
}

/* A key is a file's name in our directory. Those of the core decide where processes live and who is
 * frozen: they are the runtime's own. */
static int check_unified_key(const char *key, struct err *e)
{
	if (!*key || key[0] == '.' || strchr(key, '/') || !strchr(key, '.'))
		return err_set(e, EINVAL, "linux.resources.unified: \"%s\" is no cgroup file",
			       key);
	if (strcmp(key, "cgroup.procs") == 0 || strcmp(key, "cgroup.threads") == 0 ||
	    strcmp(key, "cgroup.kill") == 0 || strcmp(key, "cgroup.freeze") == 0 ||
	    strcmp(key, "cgroup.type") == 0 || strcmp(key, "cgroup.subtree_control") == 0)
		return err_set(e, EINVAL, "linux.resources.unified: \"%s\" is not a limit",
			       key);
	return 0;
}

static int set_unified(const struct cgroup_hier *h, const struct cgroup_resources *r,
		       struct err *e)
{
	for (size_t i = 0; i < r->n_unified; i++) {
		const struct cgroup_pair *u = &r->unified[i];
		const char *line = u->value;
		int (*const write_line)(const struct cgroup_hier *, const char *, const char *,
					const char *, struct err *) =
			str_has_prefix(u->key, "cpu.weight") ? cgroup_write_weight
							     : cgroup_write;

		if (check_unified_key(u->key, e) < 0)
			return -1;
		/* Files that hold a line for each device take one line a write. */
		do {
			size_t n = strcspn(line, "\n");
			auto_free char *text = xstrndup(line, n);

			if (write_line(h, "unified", u->key, text, e) < 0)
				return -1;
			line += n + (line[n] == '\n');
		} while (*line);
	}
	return 0;
}

int cgroup_v2_check(const struct cgroup_resources *r, struct err *e)
{
	const struct cgroup_memory *m = &r->memory;
	const struct {
		const char *field;
		bool given;
	} gone[] = {
		{ "memory.kernelTCP", given_nonzero(m->kernel_tcp) },
		{ "memory.disableOOMKiller", m->disable_oom_killer > 0 },
		{ "memory.swappiness", m->swappiness != CGROUP_UNSET && m->swappiness != -1 },
		{ "cpu.realtimePeriod", given_nonzero(r->cpu.rt_period) },
		{ "cpu.realtimeRuntime", given_nonzero(r->cpu.rt_runtime) },
		{ "blockIO.leafWeight", given_nonzero(r->blkio.leaf_weight) },
		{ "network.classID", given_nonzero(r->network.class_id) },
		{ "network.priorities", r->network.n_priorities > 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		if (gone[i].given)
			return err_set(e, ENOTSUP,
				       "linux.resources.%s: cgroup v2 has no such limit",
				       gone[i].field);
	return 0;
}

int cgroup_v2_set(const struct cgroup *cg, const struct cgroup_resources *r, bool fresh,
		  struct err *e)
{
	const struct cgroup_hier *h = &cg->h[0];

	if (set_memory(h, &r->memory, e) < 0 || set_cpu(h, &r->cpu, e) < 0)
		return -1;
	/* One process is the least that a container can be. */
	if (r->pids != CGROUP_UNSET && write_amount(h, "pids.limit", "pids.max",
						    r->pids < 0 ? -1 : MAX(r->pids, 1), e) < 0)
		return -1;
	if (cgroup_v2_set_io(h, &r->blkio, e) < 0 || set_hugetlb(h, r, e) < 0 ||
	    cgroup_set_rdma(cg, r, e) < 0)
		return -1;
	/* Last: what names a file outranks what was translated into one. */
	return set_unified(h, r, e);
}
