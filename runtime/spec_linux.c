/* config.json: linux, without resources and seccomp. */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "runtime/spec.h"
#include "runtime/spec_parts.h"

struct raw_ns {
	const char *type, *path;
};

static int decode_ns(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const struct json_field fields[] = {
		{ "type", json_decode_str, offsetof(struct raw_ns, type), JSON_REQUIRED },
		{ "path", json_decode_str, offsetof(struct raw_ns, path), SPEC_OPTIONAL },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_namespaces(const struct json *v, const struct json_at *at, void *out,
			     struct err *e)
{
	struct ns_spec *ns = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct raw_ns), decode_ns, &l, e) < 0)
		return -1;
	const struct raw_ns *raw = l.items;
	for (size_t i = 0; i < l.n; i++) {
		const struct json_at here = { .up = at, .index = i };
		struct err why = ERR_NONE;
		enum ns_kind k;

		if (ns_kind_parse(raw[i].type, &k, &why) < 0)
			return json_err(&here, e, "%s", why.msg);
		if (ns->ns[k].listed)
			return json_err(&here, e, "\"%s\" is listed twice", raw[i].type);
		ns->ns[k].listed = true;
		if (raw[i].path && raw[i].path[0])
			ns->ns[k].path = raw[i].path;
	}
	return 0;
}

static int decode_device_type(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (!s[0] || s[1] || !strchr("cbup", s[0]))
		return json_err(at, e, "\"%s\" is none of c, b, u, p", s);
	*(char *) out = s[0];
	return 0;
}

static int decode_device_mode(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	uint32_t mode;

	if (json_decode_u32(v, at, &mode, e) < 0)
		return -1;
	/* Some callers leave the file type in; the type field decides. */
	*(mode_t *) out = mode & 07777;
	return 0;
}

static int decode_device(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
#define ROW(n, fn, m, flags)                                                                   \
	{                                                                                      \
		n, fn, offsetof(struct dev_spec, m), flags                                     \
	}
	static const struct json_field fields[] = {
		ROW("path", json_decode_str, path, JSON_REQUIRED),
		ROW("type", decode_device_type, type, JSON_REQUIRED),
		ROW("major", json_decode_i64, major, SPEC_OPTIONAL),
		ROW("minor", json_decode_i64, minor, SPEC_OPTIONAL),
		ROW("fileMode", decode_device_mode, mode, SPEC_OPTIONAL),
		ROW("uid", json_decode_u32, uid, SPEC_OPTIONAL),
		ROW("gid", json_decode_u32, gid, SPEC_OPTIONAL),
	};
#undef ROW
	struct dev_spec *d = out;

	d->mode = 0666;
	if (json_decode_object(v, at, SPEC_FIELDS(fields), d, e) < 0)
		return -1;
	if (d->path[0] != '/')
		return json_err(at, e, "path \"%s\" must be absolute", d->path);
	if (d->major < 0 || d->minor < 0 || d->major > UINT32_MAX || d->minor > UINT32_MAX)
		return json_err(at, e, "major and minor must be device numbers");
	return 0;
}

static int decode_devices(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	struct spec *s = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct dev_spec), decode_device, &l, e) < 0)
		return -1;
	s->devices = l.items;
	s->n_devices = l.n;
	return 0;
}

static int decode_sysctl(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	_Static_assert(sizeof(struct sysctl_pair) == sizeof(struct spec_pair),
		       "both are a key and a value");
	struct spec *s = out;
	struct json_list l;

	if (spec_pairs(v, at, &l, e) < 0)
		return -1;
	s->sysctl = l.items;
	s->n_sysctl = l.n;
	return 0;
}

static int decode_clock(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	static const struct json_field fields[] = {
		{ "secs", json_decode_i64, offsetof(struct ns_clock, secs), SPEC_OPTIONAL },
		{ "nanosecs", json_decode_u32, offsetof(struct ns_clock, nanosecs),
		  SPEC_OPTIONAL },
	};
	struct ns_clock *c = out;

	if (json_decode_object(v, at, SPEC_FIELDS(fields), c, e) < 0)
		return -1;
	if (c->nanosecs > 999999999)
		return json_err(at, e, "nanosecs %u is above 999999999", c->nanosecs);
	c->set = true;
	return 0;
}

static int decode_offsets(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	struct ns_spec *ns = out;
	json_each (m, v->type == JSON_OBJECT ? v : NULL) {
		const struct json_at here = { .up = at, .name = m->key };

		/* An unknown clock is a wish that cannot be met, not an extension to ignore. */
		if (strcmp(m->key, "monotonic") != 0 && strcmp(m->key, "boottime") != 0)
			return json_err(&here, e, "no clock of a time namespace");
	}
	static const struct json_field fields[] = {
		{ "monotonic", decode_clock, offsetof(struct ns_spec, monotonic),
		  SPEC_OPTIONAL },
		{ "boottime", decode_clock, offsetof(struct ns_spec, boottime), SPEC_OPTIONAL },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), ns, e);
}

static int decode_propagation(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	static const struct spec_name names[] = {
		{ "", 0 },
		{ "private", MS_PRIVATE },
		{ "rprivate", MS_PRIVATE | MS_REC },
		{ "slave", MS_SLAVE },
		{ "rslave", MS_SLAVE | MS_REC },
		{ "shared", MS_SHARED },
		{ "rshared", MS_SHARED | MS_REC },
		{ "unbindable", MS_UNBINDABLE },
		{ "runbindable", MS_UNBINDABLE | MS_REC },
	};
	uint64_t flags;

	if (spec_name_decode(v, at, names, ARRAY_SIZE(names), &flags, e) < 0)
		return -1;
	*(unsigned long *) out = (unsigned long) flags;
	return 0;
}

static int decode_domain(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	static const struct spec_name names[] = { { "LINUX", 0 }, { "LINUX32", 0x0008 } };
	struct process_spec *p = out;
	uint64_t domain;

	if (spec_name_decode(v, at, names, ARRAY_SIZE(names), &domain, e) < 0)
		return -1;
	p->has_personality = true;
	p->personality = (unsigned long) domain;
	return 0;
}

static int decode_personality(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	static const struct json_field fields[] = {
		{ "domain", decode_domain, 0, JSON_REQUIRED },
		{ "flags", spec_unsupported, 0, SPEC_OPTIONAL },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_mode(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	return mempolicy_mode_parse(s, out, &why) < 0 ? json_err(at, e, "%s", why.msg) : 0;
}

static int decode_policy_flag(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	struct err why = ERR_NONE;
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	return mempolicy_flag_parse(s, out, &why) < 0 ? json_err(at, e, "%s", why.msg) : 0;
}

static int decode_policy_flags(const struct json *v, const struct json_at *at, void *out,
			       struct err *e)
{
	return json_decode_words(v, at, decode_policy_flag, out, e);
}

static int decode_policy(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct mempolicy_spec, m), SPEC_OPTIONAL                       \
	}
	static const struct json_field fields[] = {
		ROW("mode", decode_mode, mode),
		ROW("nodes", json_decode_str, nodes),
		ROW("flags", decode_policy_flags, flags),
	};
#undef ROW
	struct mempolicy_spec *m = &((struct process_spec *) out)->mempolicy;
	struct err why = ERR_NONE;

	m->mode = -1;
	if (json_decode_object(v, at, SPEC_FIELDS(fields), m, e) < 0)
		return -1;
	if (m->mode < 0)
		return json_err(at, e, "invalid memory policy mode: it is missing");
	if (mempolicy_check(m, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	m->set = true;
	return 0;
}

static int decode_label(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	*(const char **) out = s[0] ? s : NULL;
	return 0;
}

static int decode_monitoring(const struct json *v, const struct json_at *at, void *out,
			     struct err *e)
{
	bool b;

	if (json_decode_bool(v, at, &b, e) < 0)
		return -1;
	*(bool *) out |= b;
	return 0;
}

static int decode_rdt(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct rdt_spec, m), SPEC_OPTIONAL                             \
	}
	static const struct json_field fields[] = {
		ROW("closID", decode_label, clos_id),
		ROW("schemata", spec_strv, schemata),
		ROW("l3CacheSchema", decode_label, l3_cache),
		ROW("memBwSchema", decode_label, mem_bw),
		ROW("enableMonitoring", decode_monitoring, monitoring),
		/* What version 1.2 and older had for it. */
		ROW("enableCMT", decode_monitoring, monitoring),
		ROW("enableMBM", decode_monitoring, monitoring),
	};
#undef ROW
	struct rdt_spec *r = out;
	struct err why = ERR_NONE;

	if (v->type == JSON_OBJECT && v->count == 0)
		return 0;
	if (json_decode_object(v, at, SPEC_FIELDS(fields), r, e) < 0)
		return -1;
	if (rdt_check(r, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	r->set = true;
	return 0;
}

static const struct json_field inherited[] = {
	{ "personality", decode_personality, offsetof(struct spec, process), SPEC_OPTIONAL },
	{ "memoryPolicy", decode_policy, offsetof(struct spec, process), SPEC_OPTIONAL },
};

int spec_decode_inherited(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	return json_decode_object(v, at, SPEC_FIELDS(inherited), out, e);
}

int spec_decode_linux(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct spec, m), SPEC_OPTIONAL                                 \
	}
	static const struct json_field fields[] = {
		ROW("namespaces", decode_namespaces, ns),
		ROW("uidMappings", spec_decode_idmap, idmap.uid),
		ROW("gidMappings", spec_decode_idmap, idmap.gid),
		{ "devices", decode_devices, 0, SPEC_OPTIONAL },
		{ "sysctl", decode_sysctl, 0, SPEC_OPTIONAL },
		{ "netDevices", spec_decode_netdevs, 0, SPEC_OPTIONAL },
		ROW("timeOffsets", decode_offsets, ns),
		ROW("resources", spec_decode_resources, cgroup.res),
		ROW("cgroupsPath", decode_label, cgroup.path),
		ROW("seccomp", spec_decode_seccomp, seccomp),
		ROW("rootfsPropagation", decode_propagation, root.propagation),
		ROW("maskedPaths", spec_strv, root.masked),
		ROW("readonlyPaths", spec_strv, root.ro),
		ROW("mountLabel", decode_label, mount_label),
		ROW("personality", decode_personality, process),
		ROW("intelRdt", decode_rdt, rdt),
		ROW("memoryPolicy", decode_policy, process),
	};
#undef ROW

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}
