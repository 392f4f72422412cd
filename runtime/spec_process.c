/* config.json: process. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "runtime/process.h"
#include "runtime/spec_parts.h"

enum { IOPRIO_RT = 1, IOPRIO_BE = 2, IOPRIO_IDLE = 3 };

static int decode_umask(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	struct process_user *u = out;
	uint32_t mask;

	if (json_decode_u32(v, at, &mask, e) < 0)
		return -1;
	if (mask > 0777)
		return json_err(at, e, "%u is above 511 (octal 777)", mask);
	u->has_umask = true;
	u->umask = (mode_t) mask;
	return 0;
}

/* -1 means "leave it" to setresuid and friends: it may not come from outside. */
static int decode_id(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (json_decode_u32(v, at, out, e) < 0)
		return -1;
	if (*(uint32_t *) out == UINT32_MAX)
		return json_err(at, e, "%u is no usable id", UINT32_MAX);
	return 0;
}

static int decode_groups(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	struct process_user *u = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(uint32_t), decode_id, &l, e) < 0)
		return -1;
	u->groups = l.items;
	u->n_groups = l.n;
	return 0;
}

static int decode_user(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const struct json_field fields[] = {
		{ "uid", decode_id, offsetof(struct process_user, uid), SPEC_OPTIONAL },
		{ "gid", decode_id, offsetof(struct process_user, gid), SPEC_OPTIONAL },
		{ "umask", decode_umask, 0, SPEC_OPTIONAL },
		{ "additionalGids", decode_groups, 0, SPEC_OPTIONAL },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_cap(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	const char *name;
	uint64_t bit = 0;

	if (json_decode_str(v, at, &name, e) < 0)
		return -1;
	if (caps_parse(name, &bit) == 0)
		*(uint64_t *) out |= bit;
	else
		spec_warn(at, "unknown capability \"%s\" ignored", name);
	return 0;
}

static int decode_caps_set(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	return json_decode_words(v, at, decode_cap, out, e);
}

/* The kernel raises only what is permitted and inheritable. Engines write ambient sets without the inheritable ones
 * (older runc's `spec` does), and less power is no reason not to start: a warning, as with runc. */
static void drop_unraisable(struct caps_spec *caps, const struct json_at *at)
{
	const uint64_t lost = caps->ambient & ~(caps->permitted & caps->inheritable);
	const char *const *names = caps_names();

	caps->ambient &= ~lost;
	for (unsigned i = 0; names[i]; i++)
		if (lost & UINT64_C(1) << i)
			spec_warn(
				at,
				"can't raise ambient capability %s: it is not both permitted and "
				"inheritable; left out",
				names[i]);
}

static int decode_caps(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
#define SET(n)                                                                                 \
	{                                                                                      \
#n, decode_caps_set, offsetof(struct caps_spec, n), SPEC_OPTIONAL              \
	}
	static const struct json_field fields[] = {
		SET(bounding), SET(effective), SET(permitted), SET(inheritable), SET(ambient),
	};
#undef SET
	struct caps_spec *caps = out;

	caps->set = true;
	if (json_decode_object(v, at, SPEC_FIELDS(fields), caps, e) < 0)
		return -1;
	drop_unraisable(caps, at);
	return 0;
}

static int decode_rlimit(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	struct raw {
		const char *type;
		uint64_t soft, hard;
	} raw = { 0 };
	static const struct json_field fields[] = {
		{ "type", json_decode_str, offsetof(struct raw, type), JSON_REQUIRED },
		{ "soft", json_decode_u64, offsetof(struct raw, soft), JSON_REQUIRED },
		{ "hard", json_decode_u64, offsetof(struct raw, hard), JSON_REQUIRED },
	};
	struct process_rlimit *l = out;

	if (json_decode_object(v, at, SPEC_FIELDS(fields), &raw, e) < 0)
		return -1;
	struct err why = ERR_NONE;
	if (process_rlimit_parse(raw.type, &l->resource, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	if (raw.soft > raw.hard)
		return json_err(at, e, "%s: soft %llu is above hard %llu", raw.type,
				(unsigned long long) raw.soft, (unsigned long long) raw.hard);
	l->name = raw.type;
	l->lim = (struct rlimit){ .rlim_cur = raw.soft, .rlim_max = raw.hard };
	return 0;
}

static int decode_rlimits(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	struct process_spec *p = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct process_rlimit), decode_rlimit, &l, e) < 0)
		return -1;
	const struct process_rlimit *r = l.items;
	for (size_t i = 0; i < l.n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (r[i].resource == r[j].resource)
				return json_err(at, e, "%s is given twice", r[i].name);
		}
	}
	p->rlimits = r;
	p->n_rlimits = l.n;
	return 0;
}

static int decode_console_side(const struct json *v, const struct json_at *at, void *out,
			       struct err *e)
{
	uint64_t n;

	if (json_decode_u64(v, at, &n, e) < 0)
		return -1;
	if (n > UINT16_MAX)
		return json_err(at, e, "%llu is above %u", (unsigned long long) n, UINT16_MAX);
	*(uint16_t *) out = (uint16_t) n;
	return 0;
}

static int decode_console_size(const struct json *v, const struct json_at *at, void *out,
			       struct err *e)
{
	static const struct json_field fields[] = {
		{ "height", decode_console_side, offsetof(struct process_spec, rows),
		  JSON_REQUIRED },
		{ "width", decode_console_side, offsetof(struct process_spec, cols),
		  JSON_REQUIRED },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_oom_score(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	struct process_spec *p = out;
	int32_t n;

	if (json_decode_i32(v, at, &n, e) < 0)
		return -1;
	if (n < -1000 || n > 1000)
		return json_err(at, e, "%d is outside -1000..1000", n);
	p->has_oom_score_adj = true;
	p->oom_score_adj = n;
	return 0;
}

static int decode_io_class(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	static const struct spec_name names[] = {
		{ "IOPRIO_CLASS_RT", IOPRIO_RT },
		{ "IOPRIO_CLASS_BE", IOPRIO_BE },
		{ "IOPRIO_CLASS_IDLE", IOPRIO_IDLE },
	};
	uint64_t class;

	if (spec_name_decode(v, at, names, ARRAY_SIZE(names), &class, e) < 0)
		return -1;
	*(int *) out = (int) class;
	return 0;
}

static int decode_io_priority(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	static const struct json_field fields[] = {
		{ "class", decode_io_class, offsetof(struct process_spec, ioprio_class),
		  JSON_REQUIRED },
		{ "priority", json_decode_i32, offsetof(struct process_spec, ioprio_priority),
		  SPEC_OPTIONAL },
	};
	struct process_spec *p = out;

	if (json_decode_object(v, at, SPEC_FIELDS(fields), p, e) < 0)
		return -1;
	if (p->ioprio_priority < 0 || p->ioprio_priority > 7)
		return json_err(at, e, "priority %d is outside 0..7", p->ioprio_priority);
	p->has_ioprio = true;
	return 0;
}

static int decode_policy(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	/* Numbers of sched(7); SCHED_ISO is reserved in the kernel, which refuses it. */
	static const struct spec_name names[] = {
		{ "SCHED_OTHER", 0 },	 { "SCHED_FIFO", 1 }, { "SCHED_RR", 2 },
		{ "SCHED_BATCH", 3 },	 { "SCHED_ISO", 4 },  { "SCHED_IDLE", 5 },
		{ "SCHED_DEADLINE", 6 },
	};
	uint64_t policy;

	if (spec_name_decode(v, at, names, ARRAY_SIZE(names), &policy, e) < 0)
		return -1;
	*(uint32_t *) out = (uint32_t) policy;
	return 0;
}

static int decode_sched_flag(const struct json *v, const struct json_at *at, void *out,
			     struct err *e)
{
	static const struct spec_name names[] = {
		{ "SCHED_FLAG_RESET_ON_FORK", 0x01 },  { "SCHED_FLAG_RECLAIM", 0x02 },
		{ "SCHED_FLAG_DL_OVERRUN", 0x04 },     { "SCHED_FLAG_KEEP_POLICY", 0x08 },
		{ "SCHED_FLAG_KEEP_PARAMS", 0x10 },    { "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 },
		{ "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
	};
	uint64_t bit;

	if (spec_name_decode(v, at, names, ARRAY_SIZE(names), &bit, e) < 0)
		return -1;
	*(uint64_t *) out |= bit;
	return 0;
}

static int decode_sched_flags(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	return json_decode_words(v, at, decode_sched_flag, out, e);
}

static int decode_scheduler(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
#define ROW(n, fn, m, flags)                                                                   \
	{                                                                                      \
		n, fn, offsetof(struct process_scheduler, m), flags                            \
	}
	static const struct json_field fields[] = {
		ROW("policy", decode_policy, policy, JSON_REQUIRED),
		ROW("nice", json_decode_i32, nice, SPEC_OPTIONAL),
		ROW("priority", json_decode_i32, priority, SPEC_OPTIONAL),
		ROW("flags", decode_sched_flags, flags, SPEC_OPTIONAL),
		ROW("runtime", json_decode_u64, runtime, SPEC_OPTIONAL),
		ROW("deadline", json_decode_u64, deadline, SPEC_OPTIONAL),
		ROW("period", json_decode_u64, period, SPEC_OPTIONAL),
	};
#undef ROW
	enum { SCHED_FIFO_NR = 1, SCHED_RR_NR = 2, SCHED_DEADLINE_NR = 6 };
	struct process_scheduler *s = out;

	if (json_decode_object(v, at, SPEC_FIELDS(fields), s, e) < 0)
		return -1;
	if (s->nice < -20 || s->nice > 19)
		return json_err(at, e, "nice %d is outside -20..19", s->nice);
	if (s->priority && s->policy != SCHED_FIFO_NR && s->policy != SCHED_RR_NR)
		return json_err(at, e,
				"priority can only be given for SCHED_FIFO and SCHED_RR");
	if ((s->runtime || s->deadline || s->period) && s->policy != SCHED_DEADLINE_NR)
		return json_err(at, e,
				"runtime, deadline and period can only be given for "
				"SCHED_DEADLINE");
	s->set = true;
	return 0;
}

static int decode_cpus(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;
	const char *list;

	if (json_decode_str(v, at, &list, e) < 0)
		return -1;
	if (process_check_cpus(list, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	if (list[strspn(list, " ,")])
		*(const char **) out = list;
	return 0;
}

static int decode_affinity(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	static const struct json_field fields[] = {
		{ "initial", decode_cpus, offsetof(struct process_spec, cpus_initial),
		  SPEC_OPTIONAL },
		{ "final", decode_cpus, offsetof(struct process_spec, cpus_final),
		  SPEC_OPTIONAL },
	};

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

static int decode_cwd(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (json_decode_str(v, at, out, e) < 0)
		return -1;
	if (**(const char **) out != '/')
		return json_err(at, e, "must be an absolute path");
	return 0;
}

/* A profile of "" asks for nothing, as Go's encoders write it. */
static int decode_label(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (s[0])
		*(const char **) out = s;
	return 0;
}

static int decode_env(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (spec_strv(v, at, out, e) < 0)
		return -1;
	const char *const *env = *(const char *const **) out;
	for (size_t i = 0; env[i]; i++) {
		const struct json_at here = { .up = at, .index = i };

		if (env[i][0] == '=' || !strchr(env[i], '='))
			return json_err(&here, e, "\"%.60s\" is not NAME=VALUE", env[i]);
	}
	return 0;
}

int spec_decode_process(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct process_spec, m), SPEC_OPTIONAL                         \
	}
	static const struct json_field fields[] = {
		ROW("terminal", json_decode_bool, terminal),
		{ "consoleSize", decode_console_size, 0, SPEC_OPTIONAL },
		ROW("user", decode_user, user),
		ROW("args", spec_strv, args),
		ROW("env", decode_env, env),
		{ "cwd", decode_cwd, offsetof(struct process_spec, cwd), JSON_REQUIRED },
		ROW("capabilities", decode_caps, caps),
		{ "rlimits", decode_rlimits, 0, SPEC_OPTIONAL },
		ROW("noNewPrivileges", json_decode_bool, no_new_privileges),
		ROW("apparmorProfile", decode_label, apparmor),
		ROW("selinuxLabel", decode_label, selinux_label),
		{ "oomScoreAdj", decode_oom_score, 0, SPEC_OPTIONAL },
		ROW("scheduler", decode_scheduler, scheduler),
		{ "ioPriority", decode_io_priority, 0, SPEC_OPTIONAL },
		{ "execCPUAffinity", decode_affinity, 0, SPEC_OPTIONAL },
		{ "commandLine", spec_unsupported, 0, SPEC_OPTIONAL },
	};
#undef ROW

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}
