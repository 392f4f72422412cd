/* config.json: linux.resources. Zero means "not given" wherever Go's encoders write it for an unset field. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "runtime/cgroup.h"
#include "runtime/spec_parts.h"

int spec_decode_limit(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	int64_t n;

	if (json_decode_i64(v, at, &n, e) < 0)
		return -1;
	if (n != 0)
		*(int64_t *) out = n;
	return 0;
}

/* uint64 that fits int64, and 0 leaves it unset. */
static int decode_u63_or_unset(const struct json *v, const struct json_at *at, void *out,
			       struct err *e)
{
	uint64_t n;

	if (json_decode_u64(v, at, &n, e) < 0)
		return -1;
	if (n > INT64_MAX)
		return json_err(at, e, "%llu is too large", (unsigned long long) n);
	if (n != 0)
		*(int64_t *) out = (int64_t) n;
	return 0;
}

static int decode_u63(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	uint64_t n;

	if (json_decode_u64(v, at, &n, e) < 0)
		return -1;
	if (n > INT64_MAX)
		return json_err(at, e, "%llu is too large", (unsigned long long) n);
	*(int64_t *) out = (int64_t) n;
	return 0;
}

static int decode_bool_int(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	bool b;

	if (json_decode_bool(v, at, &b, e) < 0)
		return -1;
	*(int *) out = b;
	return 0;
}

/* Every hierarchy of a kernel that we run on accounts hierarchically: true is given, false cannot be had. */
static int decode_hierarchy(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	bool b;

	return json_decode_bool(v, at, &b, e);
}

/* Nothing has come of it since Linux 5.16, which counts kernel memory with the rest. */
static int decode_kernel(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	int64_t n;

	if (json_decode_i64(v, at, &n, e) < 0)
		return -1;
	if (n != 0 && n != -1)
		spec_warn(at, "is ignored: kernels count kernel memory with memory.limit");
	return 0;
}

static int decode_memory(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct cgroup_memory, m), SPEC_OPTIONAL                        \
	}
	static const struct json_field fields[] = {
		ROW("limit", spec_decode_limit, limit),
		ROW("swap", spec_decode_limit, swap),
		ROW("reservation", spec_decode_limit, reservation),
		ROW("kernel", decode_kernel, kernel),
		ROW("kernelTCP", spec_decode_limit, kernel_tcp),
		ROW("swappiness", decode_u63, swappiness),
		ROW("disableOOMKiller", decode_bool_int, disable_oom_killer),
		ROW("checkBeforeUpdate", decode_bool_int, check_before_update),
		{ "useHierarchy", decode_hierarchy, 0, SPEC_OPTIONAL },
	};
#undef ROW

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_set(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (strspn(s, "0123456789,- ") != strlen(s))
		return json_err(at, e, "\"%s\" is no list like 0-3,7", s);
	if (s[0])
		*(const char **) out = s;
	return 0;
}

static int decode_cpu(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct cgroup_cpu, m), SPEC_OPTIONAL                           \
	}
	static const struct json_field fields[] = {
		ROW("shares", decode_u63_or_unset, shares),
		ROW("quota", spec_decode_limit, quota),
		ROW("period", decode_u63_or_unset, period),
		ROW("burst", decode_u63, burst),
		ROW("realtimeRuntime", spec_decode_limit, rt_runtime),
		ROW("realtimePeriod", decode_u63_or_unset, rt_period),
		ROW("idle", json_decode_i64, idle),
		ROW("cpus", decode_set, cpus),
		ROW("mems", decode_set, mems),
	};
#undef ROW

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_pids(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const struct json_field fields[] = {
		{ "limit", json_decode_i64, 0, SPEC_OPTIONAL },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_device_type(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (!s[0])
		return 0;
	if (s[1] || !strchr("abc", s[0]))
		return json_err(at, e, "\"%s\" is none of a, b, c", s);
	*(char *) out = s[0];
	return 0;
}

/* "a" is a type, not an access, but is met among them: it can only mean all of them, which is taken where it denies. */
enum { ACCESS_ALL = 8 };

static int decode_access(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	const char *s;
	unsigned access = 0;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (!s[0])
		return 0;
	for (; *s; s++) {
		const char *p = strchr("rwma", *s);

		if (!p)
			return json_err(at, e, "\"%c\" is none of r, w, m", *s);
		access |= *p == 'r' ? 1u : *p == 'w' ? 2u : *p == 'm' ? 4u : ACCESS_ALL;
	}
	*(unsigned *) out = access;
	return 0;
}

static int decode_device_number(const struct json *v, const struct json_at *at, void *out,
				struct err *e)
{
	int64_t n;

	if (json_decode_i64(v, at, &n, e) < 0)
		return -1;
	if (n < -1 || n > UINT32_MAX)
		return json_err(at, e, "%lld is no device number (-1 means any)",
				(long long) n);
	*(int64_t *) out = n;
	return 0;
}

static int decode_device(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
#define ROW(n, fn, m, flags)                                                                   \
	{                                                                                      \
		n, fn, offsetof(struct cgroup_device, m), flags                                \
	}
	static const struct json_field fields[] = {
		ROW("allow", json_decode_bool, allow, JSON_REQUIRED),
		ROW("type", decode_device_type, type, SPEC_OPTIONAL),
		ROW("major", decode_device_number, major, SPEC_OPTIONAL),
		ROW("minor", decode_device_number, minor, SPEC_OPTIONAL),
		ROW("access", decode_access, access, SPEC_OPTIONAL),
	};
#undef ROW
	struct cgroup_device *d = out;

	*d = (struct cgroup_device){ .type = 'a', .major = -1, .minor = -1, .access = 7 };
	if (json_decode_object(v, at, SPEC_FIELDS(fields), d, e) < 0)
		return -1;
	if (!(d->access & ACCESS_ALL))
		return 0;
	if (d->allow)
		spec_warn(at, "access \"a\" is ignored: it is none of r, w, m");
	d->access = d->allow ? d->access & 7u : 7u;
	return d->access ? 0 : json_err(at, e, "access is none of r, w, m");
}

static int decode_devices(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	struct cgroup_resources *r = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct cgroup_device), decode_device, &l, e) < 0)
		return -1;
	r->devices = l.items;
	r->n_devices = l.n;
	return 0;
}

static int decode_page_size(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	/* It becomes part of a file name: ^[1-9][0-9]*[KMG]B$ and nothing else. */
	const size_t digits = strspn(s, "0123456789");
	if (digits == 0 || digits > 6 || s[0] == '0' || !s[digits] ||
	    !strchr("KMG", s[digits]) || strcmp(s + digits + 1, "B") != 0)
		return json_err(at, e, "\"%s\" is no page size like 2MB", s);
	*(const char **) out = s;
	return 0;
}

static int decode_hugetlb(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	static const struct json_field fields[] = {
		{ "pageSize", decode_page_size, offsetof(struct cgroup_hugetlb, page_size),
		  JSON_REQUIRED },
		{ "limit", json_decode_u64, offsetof(struct cgroup_hugetlb, limit),
		  JSON_REQUIRED },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_hugetlbs(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	struct cgroup_resources *r = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct cgroup_hugetlb), decode_hugetlb, &l, e) < 0)
		return -1;
	r->hugetlb = l.items;
	r->n_hugetlb = l.n;
	return 0;
}

static int decode_unified(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	_Static_assert(sizeof(struct cgroup_pair) == sizeof(struct spec_pair),
		       "both are a key and a value");
	struct cgroup_resources *r = out;
	struct json_list l;

	if (spec_pairs(v, at, &l, e) < 0)
		return -1;
	r->unified = l.items;
	r->n_unified = l.n;
	for (size_t i = 0; i < r->n_unified; i++) {
		/* A key is a file in the cgroup's directory. */
		if (strchr(r->unified[i].key, '/') || r->unified[i].key[0] == '.')
			return json_err(at, e, "\"%s\" is no file of a cgroup",
					r->unified[i].key);
	}
	return 0;
}

int spec_decode_resources(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct cgroup_resources, m), SPEC_OPTIONAL                     \
	}
	static const struct json_field fields[] = {
		ROW("memory", decode_memory, memory),
		ROW("cpu", decode_cpu, cpu),
		ROW("pids", decode_pids, pids),
		ROW("blockIO", spec_decode_blkio, blkio),
		ROW("network", spec_decode_network, network),
		{ "devices", decode_devices, 0, SPEC_OPTIONAL },
		{ "hugepageLimits", decode_hugetlbs, 0, SPEC_OPTIONAL },
		{ "unified", decode_unified, 0, SPEC_OPTIONAL },
		{ "rdma", spec_decode_rdma, 0, SPEC_OPTIONAL },
	};
#undef ROW

	if (json_decode_object(v, at, SPEC_FIELDS(fields), out, e) < 0)
		return -1;
	if (cgroup_drop_idle_weight(out))
		spec_warn(at, "%s", cgroup_idle_text);
	return 0;
}
