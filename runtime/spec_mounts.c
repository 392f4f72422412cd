/* config.json: mounts and hooks. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "runtime/spec.h"
#include "runtime/spec_parts.h"

/* What mount_parse_options needs at once. */
struct raw_mount {
	struct mount_spec m;
	const char *const *options;
};

static int decode_row(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
#define ROW(n, m)                                                                              \
	{                                                                                      \
		n, json_decode_u32, offsetof(struct idmap_row, m), JSON_REQUIRED               \
	}
	static const struct json_field fields[] = {
		ROW("containerID", inside),
		ROW("hostID", outside),
		ROW("size", count),
	};
#undef ROW

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}

int spec_decode_idmap(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct idmap *m = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct idmap_row), decode_row, &l, e) < 0)
		return -1;
	m->rows = l.items;
	m->n = l.n;
	return 0;
}

static int decode_mount(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
#define ROW(n, fn, m, flags)                                                                   \
	{                                                                                      \
		n, fn, offsetof(struct raw_mount, m), flags                                    \
	}
	static const struct json_field fields[] = {
		ROW("destination", json_decode_str, m.target, JSON_REQUIRED),
		ROW("source", json_decode_str, m.source, SPEC_OPTIONAL),
		ROW("type", json_decode_str, m.type, SPEC_OPTIONAL),
		ROW("options", spec_strv, options, SPEC_OPTIONAL),
		ROW("uidMappings", spec_decode_idmap, m.idmap.uid, SPEC_OPTIONAL),
		ROW("gidMappings", spec_decode_idmap, m.idmap.gid, SPEC_OPTIONAL),
	};
#undef ROW
	static const char *const none[] = { NULL };
	struct raw_mount raw = { 0 };
	struct err why = ERR_NONE;

	if (json_decode_object(v, at, SPEC_FIELDS(fields), &raw, e) < 0)
		return -1;
	if (!raw.m.target[0])
		return json_err(at, e, "destination must not be empty");
	if (raw.m.type && !raw.m.type[0])
		raw.m.type = NULL;
	const int r = mount_parse_options(raw.options ? raw.options : none, &raw.m, &why);
	*(struct mount_spec *) out = raw.m; /* owns its data, also when refused */
	if (r < 0)
		return json_err(at, e, "%s: %s", raw.m.target, why.msg);
	if (idmap_check(&raw.m.idmap.uid, "uidMappings", &why) < 0 ||
	    idmap_check(&raw.m.idmap.gid, "gidMappings", &why) < 0)
		return json_err(at, e, "%s", why.msg);
	return 0;
}

int spec_decode_mounts(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct spec *s = out;
	struct json_list l = { 0 };
	const int r = spec_list(v, at, sizeof(struct mount_spec), decode_mount, &l, e);

	s->mounts = l.items; /* also the refused ones, for spec_free */
	s->n_mounts = l.items ? l.n : 0;
	return r;
}

static int decode_timeout(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	if (json_decode_i32(v, at, out, e) < 0)
		return -1;
	if (*(int32_t *) out <= 0)
		return json_err(at, e, "must be above 0 seconds");
	return 0;
}

static int decode_hook(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const struct json_field fields[] = {
		{ "path", json_decode_str, offsetof(struct hook, path), JSON_REQUIRED },
		{ "args", spec_strv, offsetof(struct hook, args), SPEC_OPTIONAL },
		{ "env", spec_strv, offsetof(struct hook, env), SPEC_OPTIONAL },
		{ "timeout", decode_timeout, offsetof(struct hook, timeout_s), SPEC_OPTIONAL },
	};
	struct hook *h = out;

	if (json_decode_object(v, at, SPEC_FIELDS(fields), h, e) < 0)
		return -1;
	if (h->path[0] != '/')
		return json_err(at, e, "path \"%s\" must be absolute", h->path);
	return 0;
}

static int decode_hook_list(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	struct hook_list *hooks = out;
	struct json_list l = { 0 };

	if (spec_list(v, at, sizeof(struct hook), decode_hook, &l, e) < 0)
		return -1;
	hooks->v = l.items;
	hooks->n = l.n;
	return 0;
}

int spec_decode_hooks(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
#define ROW(n, k)                                                                              \
	{                                                                                      \
		n, decode_hook_list, offsetof(struct hooks_spec, kind[k]), SPEC_OPTIONAL       \
	}
	static const struct json_field fields[] = {
		ROW("prestart", HOOK_PRESTART),
		ROW("createRuntime", HOOK_CREATE_RUNTIME),
		ROW("createContainer", HOOK_CREATE_CONTAINER),
		ROW("startContainer", HOOK_START_CONTAINER),
		ROW("poststart", HOOK_POSTSTART),
		ROW("poststop", HOOK_POSTSTOP),
	};
#undef ROW

	return json_decode_object(v, at, SPEC_FIELDS(fields), out, e);
}
