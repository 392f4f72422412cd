#include "base/workspace.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "base/volume.h"

enum { VOLUMES_MAX = 1000 };

static int decode_kind(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const char *const kinds[] = {
		[WORKSPACE_TMPFS] = "tmpfs", [WORKSPACE_PERSISTENT] = "persistent"
	};

	for (size_t i = 0; v->type == JSON_STRING && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(v->str.s, kinds[i]) == 0) {
			*(enum workspace_kind *) out = (enum workspace_kind) i;
			return 0;
		}
	}
	return json_err(at, e, "is neither tmpfs nor persistent");
}

static int decode_size(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	uint64_t n = 0;

	if (json_decode_size(v, at, &n, e) < 0)
		return -1;
	if (n < VOLUME_SIZE_MIN || n > VOLUME_SIZE_MAX || n % VOLUME_BLOCK)
		return json_err(at, e, "is not between 4Mi and 16384Gi in steps of 4Ki");
	*(uint64_t *) out = n;
	return 0;
}

static int decode_path(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	const char *s = NULL;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (!path_is_clean_absolute(s) || strlen(s) < 2 ||
	    strlen(s) >= sizeof(((struct workspace *) 0)->path))
		return json_err(at, e, "is not an absolute path without . and ..");
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

static int decode_volumes(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	if (v->type != JSON_INT || v->i < 1 || v->i > VOLUMES_MAX)
		return json_err(at, e, "is not a whole number between 1 and %d", VOLUMES_MAX);
	*(uint32_t *) out = (uint32_t) v->i;
	return 0;
}

static int decode_volume(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	static const char *const words[] = { "auto", "quota", "loop" };

	for (size_t i = 0; v->type == JSON_STRING && i < ARRAY_SIZE(words); i++) {
		if (strcmp(v->str.s, words[i]) == 0) {
			memcpy(out, words[i], strlen(words[i]) + 1);
			return 0;
		}
	}
	return json_err(at, e, "is none of auto, quota, loop");
}

static const struct json_field fields[] = {
	{ "kind", decode_kind, offsetof(struct workspace, kind), JSON_REQUIRED },
	{ "size", decode_size, offsetof(struct workspace, size), 0 },
	{ "path", decode_path, offsetof(struct workspace, path), 0 },
	{ "volumes", decode_volumes, offsetof(struct workspace, volumes), 0 },
	{ "volume", decode_volume, offsetof(struct workspace, volume), 0 },
};

int workspace_decode(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const char *const persistent_only[] = { "path", "volumes", "volume" };
	struct workspace w = WORKSPACE_DEFAULT;

	if (json_decode_object(v, at, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, &w, e) <
	    0)
		return -1;
	for (size_t i = 0; w.kind == WORKSPACE_TMPFS && i < ARRAY_SIZE(persistent_only); i++) {
		if (json_get(v, persistent_only[i]))
			return json_err(at, e, "%s: is for the kind persistent",
					persistent_only[i]);
	}
	if (w.kind == WORKSPACE_PERSISTENT && w.size == 0)
		return json_err(at, e, "size: required, but missing");
	*(struct workspace *) out = w;
	return 0;
}
