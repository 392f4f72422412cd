/*
 * OCI's limits and annotations as properties of a systemd unit: the lines of a request to carrel-sdbus.
 *
 * The files are written as well, so a limit without a property (burst, hugetlb, io of single devices) is not lost; it is
 * systemd's later writes that must say the same as ours.
 */
#include "runtime/cgroup_systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_impl.h"

enum { PERIOD_US = 100000, STEP_US = 10000, CPUS_MAX = 8192, DEVICES_MAX = 1000 };

static int put_u64(struct buf *out, const char *name, uint64_t v, struct err *e)
{
	return buf_printf(out, e, "p\tt\t%s\t%" PRIu64 "\n", name, v);
}

static bool given(int64_t v)
{
	return v != CGROUP_UNSET && v != 0;
}

/* -1 is infinity, which is also what all bits mean to systemd. */
static int put_amount(struct buf *out, const char *name, int64_t v, struct err *e)
{
	return given(v) ? put_u64(out, name, v < 0 ? UINT64_MAX : (uint64_t) v, e) : 0;
}

/* ---- cpu ---- */

/* Microseconds of processor per second, in systemd's steps of one hundredth of a processor. */
static uint64_t per_second(int64_t quota, int64_t period)
{
	const uint64_t us = (uint64_t) quota * 1000000 / (uint64_t) period;

	return (us + STEP_US - 1) / STEP_US * STEP_US;
}

static int64_t period_of(const struct cgroup_cpu *c)
{
	return given(c->period) && c->period > 0 ? c->period : PERIOD_US;
}

void cgroup_systemd_round(struct cgroup_resources *r)
{
	struct cgroup_cpu *c = &r->cpu;

	if (!given(c->quota) || c->quota < 0 || c->quota > INT64_MAX / 1000000)
		return;
	if ((uint64_t) c->quota * 1000000 / (uint64_t) period_of(c) % STEP_US != 0)
		c->quota = (int64_t) (per_second(c->quota, period_of(c)) *
				      (uint64_t) period_of(c) / 1000000);
}

static int put_quota(const struct cgroup_cpu *c, struct buf *out, struct err *e)
{
	if (given(c->period) && c->period > 0 &&
	    put_u64(out, "CPUQuotaPeriodUSec", (uint64_t) c->period, e) < 0)
		return -1;
	if (!given(c->quota))
		return 0;
	if (c->quota > INT64_MAX / 1000000)
		return err_set(e, ERANGE, "linux.resources.cpu.quota: %" PRId64 " is too much",
			       c->quota);
	return put_u64(out, "CPUQuotaPerSecUSec",
		       c->quota < 0 ? UINT64_MAX : per_second(c->quota, period_of(c)), e);
}

static int parse_range(const char *part, uint64_t *from, uint64_t *to, struct err *e)
{
	auto_free char *copy = xstrdup(part);
	char *dash = strchr(copy, '-');

	if (dash)
		*dash++ = '\0';
	if (str_to_u64(copy, CPUS_MAX - 1, "number", from, e) < 0 ||
	    (dash && str_to_u64(dash, CPUS_MAX - 1, "number", to, e) < 0))
		return -1;
	if (!dash)
		*to = *from;
	return *to < *from ? err_set(e, EINVAL, "%s ends before it begins", part) : 0;
}

int unit_cpu_mask(const char *list, const char *field, struct buf *out, struct err *e)
{
	unsigned char mask[CPUS_MAX / 8] = { 0 };
	char hex[2 * sizeof(mask) + 1];
	auto_free char *copy = xstrdup(list);
	uint64_t from, to, last = 0;
	char *save = NULL;

	for (char *p = strtok_r(copy, ", \n", &save); p; p = strtok_r(NULL, ", \n", &save)) {
		if (parse_range(p, &from, &to, e) < 0)
			return err_wrap(e, "linux.resources.%s: \"%s\"", field, list);
		for (uint64_t i = from; i <= to; i++)
			mask[i / 8] |= (unsigned char) (1u << (i % 8));
		last = MAX(last, to);
	}
	str_hex(mask, last / 8 + 1, hex);
	return buf_puts(out, hex, e);
}

static int put_mask(const char *name, const char *list, const char *field, struct buf *out,
		    struct err *e)
{
	if (!list || !*list)
		return 0;
	if (buf_printf(out, e, "p\tay\t%s\t", name) < 0 ||
	    unit_cpu_mask(list, field, out, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

/* CPUWeight=idle, from systemd 252 on; carrel-sdbus leaves it out before. */
enum { WEIGHT_IDLE = 0 };

static int put_cpu(const struct cgroup_cpu *c, bool v2, struct buf *out, struct err *e)
{
	if (given(c->shares) && c->shares > 0) {
		const uint64_t shares = (uint64_t) c->shares;
		const int r = v2 ? put_u64(out, "CPUWeight", cgroup_v2_weight(shares), e)
				 : put_u64(out, "CPUShares", shares, e);

		if (r < 0)
			return -1;
	} else if (v2 && c->idle == 1 && put_u64(out, "CPUWeight", WEIGHT_IDLE, e) < 0) {
		return -1;
	}
	if (put_quota(c, out, e) < 0 ||
	    put_mask("AllowedCPUs", c->cpus, "cpu.cpus", out, e) < 0)
		return -1;
	return put_mask("AllowedMemoryNodes", c->mems, "cpu.mems", out, e);
}

/* ---- memory, io, processes ---- */

static int put_memory(const struct cgroup_memory *m, bool v2, struct buf *out, struct err *e)
{
	if (!v2)
		return put_amount(out, "MemoryLimit", m->limit, e);
	if (put_amount(out, "MemoryMax", m->limit, e) < 0 ||
	    put_amount(out, "MemoryLow", m->reservation, e) < 0)
		return -1;
	if (m->swap == -1 || (m->limit == -1 && !given(m->swap)))
		return put_u64(out, "MemorySwapMax", UINT64_MAX, e);
	if (given(m->swap) && given(m->limit) && m->swap >= m->limit)
		return put_u64(out, "MemorySwapMax", (uint64_t) (m->swap - m->limit), e);
	return 0;
}

static int put_io(int64_t weight, bool v2, struct buf *out, struct err *e)
{
	if (!given(weight) || weight < 10 || weight > 1000)
		return 0; /* out of range: the file's error says so */
	if (v2)
		return put_u64(out, "IOWeight", 1 + (uint64_t) (weight - 10) * 9999 / 990, e);
	return put_u64(out, "BlockIOWeight", (uint64_t) weight, e);
}

static int put_tasks(int64_t pids, struct buf *out, struct err *e)
{
	if (pids == CGROUP_UNSET)
		return 0;
	return put_u64(out, "TasksMax", pids < 0 ? UINT64_MAX : (uint64_t) MAX(pids, 1), e);
}

/* ---- unified ---- */

static int unified_number(const struct cgroup_pair *u, uint64_t *out, struct err *e)
{
	auto_free char *text = xstrndup(u->value, strcspn(u->value, " \n"));

	*out = UINT64_MAX;
	if (strcmp(text, "max") == 0)
		return 0;
	if (str_to_u64(text, UINT64_MAX, "value", out, e) < 0)
		return err_wrap(e, "linux.resources.unified: %s", u->key);
	return 0;
}

/* "QUOTA PERIOD" or either alone. */
static int unified_cpu_max(const struct cgroup_pair *u, struct buf *out, struct err *e)
{
	struct cgroup_cpu c = CGROUP_RESOURCES_UNSET.cpu;
	const char *space = strchr(u->value, ' ');
	uint64_t quota, period = PERIOD_US;

	if (unified_number(u, &quota, e) < 0)
		return -1;
	if (space && str_to_u64(space + 1, INT64_MAX, "period", &period, e) < 0)
		return err_wrap(e, "linux.resources.unified: %s", u->key);
	c.quota = quota == UINT64_MAX ? -1 : (int64_t) MIN(quota, INT64_MAX);
	c.period = (int64_t) period;
	return put_quota(&c, out, e);
}

static int put_unified_one(const struct cgroup_pair *u, struct buf *out, struct err *e)
{
	static const struct {
		const char *file, *property;
	} numbers[] = {
		{ "memory.min", "MemoryMin" },	 { "memory.low", "MemoryLow" },
		{ "memory.high", "MemoryHigh" }, { "memory.max", "MemoryMax" },
		{ "cpu.weight", "CPUWeight" },	 { "memory.swap.max", "MemorySwapMax" },
	};
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (strcmp(u->key, numbers[i].file) == 0)
			return unified_number(u, &v, e) < 0
				       ? -1
				       : put_u64(out, numbers[i].property, v, e);
	if (strcmp(u->key, "cpu.idle") == 0)
		return strcmp(u->value, "1") == 0 ? put_u64(out, "CPUWeight", WEIGHT_IDLE, e)
						  : 0;
	if (strcmp(u->key, "cpu.max") == 0)
		return unified_cpu_max(u, out, e);
	if (strcmp(u->key, "cpuset.cpus") == 0)
		return put_mask("AllowedCPUs", u->value, "unified", out, e);
	if (strcmp(u->key, "cpuset.mems") == 0)
		return put_mask("AllowedMemoryNodes", u->value, "unified", out, e);
	return 0;
}

static int put_unified(const struct cgroup_resources *r, enum unit_part part, struct buf *out,
		       struct err *e)
{
	for (size_t i = 0; i < r->n_unified; i++) {
		const struct cgroup_pair *u = &r->unified[i];
		uint64_t v;
		int ok = 0;

		if (strcmp(u->key, "pids.max") != 0)
			ok = part == UNIT_TASKS ? 0 : put_unified_one(u, out, e);
		else if (part != UNIT_ALL_BUT_TASKS)
			ok = unified_number(u, &v, e) < 0
				     ? -1
				     : put_u64(out, "TasksMax", MAX(v, 1), e);
		if (ok < 0)
			return -1;
	}
	return 0;
}

int unit_put_limits(const struct cgroup_resources *r, bool v2, enum unit_part part,
		    struct buf *out, struct err *e)
{
	if (part != UNIT_TASKS &&
	    (put_memory(&r->memory, v2, out, e) < 0 || put_cpu(&r->cpu, v2, out, e) < 0 ||
	     put_io(r->blkio.weight, v2, out, e) < 0))
		return -1;
	if (part != UNIT_ALL_BUT_TASKS && put_tasks(r->pids, out, e) < 0)
		return -1;
	return v2 ? put_unified(r, part, out, e) : 0;
}

/* ---- devices ---- */

/* What every container may open, with every form of the rules: see cgroup_set_devices. */
static const char always[] =
	"\t/dev/null\trwm\t/dev/zero\trwm\t/dev/full\trwm\t/dev/random\trwm"
	"\t/dev/urandom\trwm\t/dev/tty\trwm\t/dev/ptmx\trwm"
	"\tchar-pts\trwm\tchar-*\tm\tblock-*\tm";

/* A rule for more than one device becomes all of its kind: systemd's list is the wider one, ours inside decides. */
static int put_rule(const struct cgroup_device *d, struct buf *out, struct err *e)
{
	const char *kind = d->type == 'b' ? "block" : "char";
	char access[4], *p = access;

	if (d->access & 1)
		*p++ = 'r';
	if (d->access & 2)
		*p++ = 'w';
	if (d->access & 4)
		*p++ = 'm';
	*p = '\0';
	if (d->major < 0 || d->minor < 0)
		return buf_printf(out, e, "\t%s-*\t%s", kind, access);
	return buf_printf(out, e, "\t/dev/%s/%" PRId64 ":%" PRId64 "\t%s", kind, d->major,
			  d->minor, access);
}

int unit_put_devices(const struct cgroup_resources *r, struct buf *out, struct err *e)
{
	size_t first = 0;

	/* What stands before the last rule for everything has no effect. */
	for (size_t i = 0; i < r->n_devices; i++)
		if (r->devices[i].type == 'a')
			first = i;
	if (r->n_devices - first > DEVICES_MAX)
		return buf_puts(out, "p\ts\tDevicePolicy\tauto\n", e);
	for (size_t i = first; i < r->n_devices; i++)
		if (r->devices[i].type == 'a' && r->devices[i].allow)
			return buf_puts(out, "p\ts\tDevicePolicy\tauto\n", e);
	if (buf_puts(out, "p\ts\tDevicePolicy\tstrict\np\ta(ss)\tDeviceAllow", e) < 0 ||
	    buf_puts(out, always, e) < 0)
		return -1;
	for (size_t i = first; i < r->n_devices; i++)
		if (r->devices[i].allow && r->devices[i].access &&
		    put_rule(&r->devices[i], out, e) < 0)
			return -1;
	return buf_puts(out, "\n", e);
}

/* ---- annotations ---- */

static const char prefix[] = "org.systemd.property.";

/* What an image's or a tenant's annotation may say of the unit: nothing that runs, pulls in or stops anything else. */
static const struct known_property {
	const char *name, *type,
		*as; /* "sec": seconds, for systemd's property in microseconds */
} known[] = {
	{ "CollectMode", "s", "CollectMode" },
	{ "DefaultDependencies", "b", "DefaultDependencies" },
	{ "Description", "s", "Description" },
	{ "KillMode", "s", "KillMode" },
	{ "OOMPolicy", "s", "OOMPolicy" },
	{ "RuntimeMaxUSec", "t", "RuntimeMaxUSec" },
	{ "RuntimeMaxSec", "sec", "RuntimeMaxUSec" },
	{ "SendSIGHUP", "b", "SendSIGHUP" },
	{ "SendSIGKILL", "b", "SendSIGKILL" },
	{ "TimeoutStopUSec", "t", "TimeoutStopUSec" },
	{ "TimeoutStopSec", "sec", "TimeoutStopUSec" },
	{ "After", "as", "After" },
};

static int bad_value(const char *name, const char *value, const char *want, struct err *e)
{
	return err_set(e, EINVAL, "annotations[\"%s%s\"]: \"%.60s\" is not %s", prefix, name,
		       value, want);
}

/* 'text' or "text", without quotes, escapes or control characters inside; sets *end behind it. */
static int quoted(const char *v, char **out, const char **end)
{
	const char quote = *v;
	size_t n = 0;

	if (quote != '\'' && quote != '"')
		return -1;
	while (v[1 + n] && v[1 + n] != quote)
		if ((unsigned char) v[1 + n++] < ' ' || v[n] == '\\')
			return -1;
	if (v[1 + n] != quote)
		return -1;
	*out = xstrndup(v + 1, n);
	*end = v + n + 2;
	return 0;
}

/* ['a.service', 'b.service'] */
static int put_strings(const char *v, struct buf *out, struct err *e)
{
	const char *p = v + 1;

	if (*v != '[')
		return -1;
	for (;;) {
		auto_free char *one = NULL;

		if (quoted(p, &one, &p) < 0 || buf_printf(out, e, "\t%s", one) < 0)
			return -1;
		p += strspn(p, " ");
		if (strcmp(p, "]") == 0)
			return buf_puts(out, "\n", e);
		if (*p++ != ',')
			return -1;
		p += strspn(p, " ");
	}
}

static int put_number(const struct known_property *k, const char *v, struct buf *out,
		      struct err *e)
{
	const uint64_t unit = strcmp(k->type, "sec") == 0 ? 1000000 : 1;
	struct err why = ERR_NONE;
	const char *digits = v;
	uint64_t n;

	/* D-Bus' own notation of the type. */
	for (size_t i = 0; i < 2; i++) {
		static const char *const types[] = { "uint64 ", "int32 " };

		if (str_has_prefix(v, types[i]))
			digits = v + strlen(types[i]);
	}
	if (str_to_u64(digits, UINT64_MAX / unit, "value", &n, &why) < 0)
		return bad_value(k->name, v, "a number such as 'uint64 5'", e);
	return put_u64(out, k->as, n * unit, e);
}

static int put_known(const struct known_property *k, const char *v, struct buf *out,
		     struct err *e)
{
	auto_free char *text = NULL;
	struct err why = ERR_NONE;
	const char *end = "";

	switch (k->type[0] == 'a' ? 'a' : k->type[strlen(k->type) - 1]) {
	case 'b':
		if (strcmp(v, "true") != 0 && strcmp(v, "false") != 0)
			return bad_value(k->name, v, "true or false", e);
		return buf_printf(out, e, "p\tb\t%s\t%s\n", k->as, v);
	case 't':
	case 'c':
		return put_number(k, v, out, e);
	case 'a':
		if (buf_printf(out, e, "p\tas\t%s", k->as) < 0)
			return -1;
		if (put_strings(v, out, &why) < 0)
			return bad_value(k->name, v, "a list such as ['a.service']", e);
		return 0;
	default:
		if (quoted(v, &text, &end) < 0 || *end)
			return bad_value(k->name, v, "a text in quotes", e);
		return buf_printf(out, e, "p\ts\t%s\t%s\n", k->as, text);
	}
}

int unit_put_annotations(const struct cgroup_pair *a, size_t n, struct buf *out,
			 bool *dependencies, struct err *e)
{
	*dependencies = false;
	for (size_t i = 0; i < n; i++) {
		const struct known_property *k = NULL;
		const char *name = a[i].key + strlen(prefix);

		if (!str_has_prefix(a[i].key, prefix))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(known) && !k; j++)
			if (strcmp(known[j].name, name) == 0)
				k = &known[j];
		if (!k)
			return err_set(e, EPERM,
				       "annotations[\"%.80s\"]: this property of a unit is not "
				       "a container's to set",
				       a[i].key);
		if (put_known(k, a[i].value, out, e) < 0)
			return -1;
		*dependencies = *dependencies || strcmp(name, "DefaultDependencies") == 0;
	}
	return 0;
}
