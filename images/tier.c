#include "images/tier.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"

enum { FILE_LIMIT = 1 << 20 };

/* A number of bytes, or text with a unit. */
static int decode_bytes(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	struct err why = ERR_NONE;

	if (v->type == JSON_STRING) {
		if (str_to_bytes(v->str.s, "size", out, &why) < 0)
			return json_err(at, e, "%s", why.msg);
		return 0;
	}
	return json_decode_u64(v, at, out, e);
}

static int decode_cpu(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	double d = v->type == JSON_INT ? (double) v->i : v->type == JSON_REAL ? v->real : 0;

	/* A quota below 1 ms of 100 is not accepted by the kernel. */
	if (!(d >= 0.01 && d <= 4096))
		return json_err(at, e, "cores between 0.01 and 4096 are expected");
	*(double *) out = d;
	return 0;
}

static const struct json_field fields[] = {
	{ "cpu", decode_cpu, offsetof(struct tier, cpu), JSON_REQUIRED },
	{ "memory", decode_bytes, offsetof(struct tier, memory), JSON_REQUIRED },
	{ "swap", decode_bytes, offsetof(struct tier, swap), JSON_NULL_IS_ABSENT },
	{ "pids", json_decode_u32, offsetof(struct tier, pids), JSON_REQUIRED },
	{ "disk", decode_bytes, offsetof(struct tier, disk), JSON_REQUIRED },
	{ "nofile", json_decode_u32, offsetof(struct tier, nofile), JSON_NULL_IS_ABSENT },
	{ "network", net_mode_decode, offsetof(struct tier, network), JSON_NULL_IS_ABSENT },
	{ "workspace", workspace_decode, offsetof(struct tier, workspace),
	  JSON_NULL_IS_ABSENT },
};

static int check(const struct tier *t, struct err *e)
{
	const uint64_t most = 1ULL << 50;

	if (t->memory < (4ULL << 20) || t->memory > most)
		return err_set(e, EINVAL, "memory: at least 4Mi is needed");
	if (t->swap > most)
		return err_set(e, EINVAL, "swap: more than there can be");
	if (t->pids < 1)
		return err_set(e, EINVAL, "pids: at least 1 is needed");
	if (t->disk < (1ULL << 20) || t->disk > most)
		return err_set(e, EINVAL, "disk: at least 1Mi is needed");
	if (t->nofile < 16)
		return err_set(e, EINVAL, "nofile: at least 16 are needed");
	return 0;
}

int tier_parse(const char *text, size_t n, const char *name, struct tier *out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	const struct json *v;
	struct tier t = TIER_DEFAULT;

	if (yaml_parse(text, n, &doc, e) < 0)
		return -1;
	v = json_get(json_get(json_root(doc), "tiers"), name);
	if (!v)
		return err_set(e, ENOENT, "tiers.%.60s: no such tier", name);
	if (json_decode_object(v, NULL, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_IGNORE, &t,
			       e) < 0 ||
	    check(&t, e) < 0)
		return err_wrap(e, "tiers.%.60s", name);
	*out = t;
	return 0;
}

int tier_load(const char *file, const char *name, struct tier *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(FILE_LIMIT);

	if (fd_read_file(AT_FDCWD, file, FILE_LIMIT, &text, e) < 0)
		return err_wrap(e, "tiers");
	if (tier_parse((const char *) buf_bytes(&text), buf_len(&text), name, out, e) < 0)
		return err_wrap(e, "%s", file);
	return 0;
}
