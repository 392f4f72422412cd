/* config.json: linux.seccomp. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "runtime/seccomp.h"
#include "runtime/spec_parts.h"

static int decode_op(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (filter_op_parse(s, out, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	return 0;
}

static int decode_arg(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
#define ROW(n, fn, m, flags)                                                                   \
	{                                                                                      \
		n, fn, offsetof(struct filter_arg, m), flags                                   \
	}
	static const struct json_field fields[] = {
		ROW("index", json_decode_u32, index, JSON_REQUIRED),
		ROW("value", json_decode_u64, value, JSON_REQUIRED),
		ROW("valueTwo", json_decode_u64, value_two, SPEC_OPTIONAL),
		ROW("op", decode_op, op, JSON_REQUIRED),
	};
#undef ROW
	struct filter_arg *a = out;

	if (json_decode_object(v, at, SPEC_FIELDS(fields), a, e) < 0)
		return -1;
	if (a->index > 5)
		return json_err(at, e, "index %u is above 5: a system call has six arguments",
				a->index);
	return 0;
}

struct raw_rule {
	const char *const *names;
	const char *action;
	uint32_t errno_ret;
	bool has_errno;
	struct json_list args;
};

static int decode_errno(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	struct raw_rule *r = out;

	if (json_decode_u32(v, at, &r->errno_ret, e) < 0)
		return -1;
	r->has_errno = true;
	return 0;
}

static int decode_args(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	return spec_list(v, at, sizeof(struct filter_arg), decode_arg, out, e);
}

static int action_of(const struct raw_rule *r, const struct json_at *at, uint32_t *out,
		     struct err *e)
{
	struct err why = ERR_NONE;

	if (filter_action_parse(r->action, r->has_errno, r->errno_ret, out, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	return 0;
}

static int decode_rule(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const struct json_field fields[] = {
		{ "names", spec_strv, offsetof(struct raw_rule, names), JSON_REQUIRED },
		{ "action", json_decode_str, offsetof(struct raw_rule, action), JSON_REQUIRED },
		{ "errnoRet", decode_errno, 0, SPEC_OPTIONAL },
		{ "args", decode_args, offsetof(struct raw_rule, args), SPEC_OPTIONAL },
	};
	struct filter_rule *rule = out;
	struct raw_rule raw = { 0 };

	if (json_decode_object(v, at, SPEC_FIELDS(fields), &raw, e) < 0)
		return -1;
	if (!raw.names[0])
		return json_err(at, e, "names must not be empty");
	rule->names = raw.names;
	rule->args = raw.args.items;
	rule->n_args = raw.args.n;
	return action_of(&raw, at, &rule->action, e);
}

static int decode_rules(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	struct filter_spec *f = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct filter_rule), decode_rule, &l, e) < 0)
		return -1;
	f->rules = l.items;
	f->n_rules = l.n;
	return 0;
}

/* Architectures of the specification for which libseccomp has no names here. None of them is ours: what is not in the filter is
 * killed, which is stricter than any profile. */
static const char *const unfiltered[] = {
	"SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_M68K",
	"SCMP_ARCH_SH",
	"SCMP_ARCH_SHEB",
};
enum { NO_ARCH = 0 };

static int decode_arch(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(unfiltered); i++) {
		if (strcmp(unfiltered[i], s) != 0)
			continue;
		spec_warn(at, "%s is not known to this libseccomp: its calls are killed", s);
		*(uint32_t *) out = NO_ARCH;
		return 0;
	}
	if (filter_arch_parse(s, out, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	return 0;
}

static int decode_arches(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	struct filter_spec *f = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(uint32_t), decode_arch, &l, e) < 0)
		return -1;
	uint32_t *arches = l.items;
	size_t n = 0;
	for (size_t i = 0; i < l.n; i++) {
		if (arches[i] != NO_ARCH)
			arches[n++] = arches[i];
	}
	f->arches = arches;
	f->n_arches = n;
	return 0;
}

static int decode_flag(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;
	const char *s;
	unsigned flag = 0;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (filter_flag_parse(s, &flag, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	*(unsigned *) out |= flag;
	return 0;
}

static int decode_flags(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	*(unsigned *) out = 0;
	return json_decode_words(v, at, decode_flag, out, e);
}

struct raw_default {
	struct raw_rule rule;
	struct filter_spec f;
};

int spec_decode_seccomp(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct raw_default, f.m), SPEC_OPTIONAL                        \
	}
	static const struct json_field fields[] = {
		{ "defaultAction", json_decode_str, offsetof(struct raw_default, rule.action),
		  JSON_REQUIRED },
		{ "defaultErrnoRet", decode_errno, offsetof(struct raw_default, rule),
		  SPEC_OPTIONAL },
		{ "architectures", decode_arches, offsetof(struct raw_default, f),
		  SPEC_OPTIONAL },
		{ "syscalls", decode_rules, offsetof(struct raw_default, f), SPEC_OPTIONAL },
		ROW("flags", decode_flags, flags),
		ROW("listenerPath", json_decode_str, listener_path),
		ROW("listenerMetadata", json_decode_str, listener_metadata),
	};
#undef ROW
	struct raw_default raw = { .f.flags = FILTER_FLAGS_DEFAULT };

	if (json_decode_object(v, at, SPEC_FIELDS(fields), &raw, e) < 0)
		return -1;
	if (action_of(&raw.rule, at, &raw.f.default_action, e) < 0)
		return -1;
	if (raw.f.listener_path && !raw.f.listener_path[0])
		raw.f.listener_path = NULL;
	raw.f.set = true;
	*(struct filter_spec *) out = raw.f;
	return 0;
}
