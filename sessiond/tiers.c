#include "sessiond/tiers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "base/yaml.h"

enum { TIERS_MAX = 64 };

static const uint64_t MIB = 1024 * 1024, DAY_MS = 24 * 3600 * 1000;

static int decode_cpu(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	double cpu;

	if (v->type == JSON_INT)
		cpu = (double) v->i;
	else if (v->type == JSON_REAL)
		cpu = v->real;
	else
		return json_err(at, e, "is not a number of cores, such as 0.5");
	if (!(cpu >= 0.01 && cpu <= 1024))
		return json_err(at, e, "is not between 0.01 and 1024 cores");
	*(double *) out = cpu;
	return 0;
}

static int decode_size(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	uint64_t n = 0;

	if (json_decode_size(v, at, &n, e) < 0)
		return -1;
	if (n < MIB || n > 16 * 1024 * 1024 * MIB)
		return json_err(at, e, "is not between 1Mi and 16384Gi");
	*(uint64_t *) out = n;
	return 0;
}

static int decode_duration(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	struct err why = ERR_NONE;
	uint64_t ms;

	if (v->type != JSON_STRING || str_to_ms(v->str.s, "value", &ms, &why) < 0)
		return json_err(at, e, "is not a duration, such as 90s, 15m or 2h");
	if (ms < 1000 || ms > 365 * DAY_MS)
		return json_err(at, e, "is not between 1s and 365d");
	*(uint64_t *) out = ms;
	return 0;
}

static int decode_count(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	if (v->type != JSON_INT || v->i < 1 || v->i > 1000000)
		return json_err(at, e, "is not a whole number between 1 and 1000000");
	*(uint32_t *) out = (uint32_t) v->i;
	return 0;
}

static int decode_policy(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	const char *s = NULL;
	size_t n;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	n = strlen(s);
	if (n < 1 || n > 63 || s[0] == '-' ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") != n)
		return json_err(at, e, "\"%.70s\" is no name of a policy", s);
	memcpy(out, s, n + 1);
	return 0;
}

/* clang-format off */
static const struct json_field tier_fields[] = {
	{ "cpu", decode_cpu, offsetof(struct tier, cpu), JSON_REQUIRED },
	{ "memory", decode_size, offsetof(struct tier, memory), JSON_REQUIRED },
	{ "pids", decode_count, offsetof(struct tier, pids), JSON_REQUIRED },
	{ "disk", decode_size, offsetof(struct tier, disk), JSON_REQUIRED },
	{ "idle", decode_duration, offsetof(struct tier, idle_ms), JSON_REQUIRED },
	{ "lifetime", decode_duration, offsetof(struct tier, lifetime_ms), JSON_REQUIRED },
	{ "lifetime_max", decode_duration, offsetof(struct tier, lifetime_max_ms), 0 },
	{ "detached", decode_duration, offsetof(struct tier, detached_ms), 0 },
	{ "sandboxes", decode_count, offsetof(struct tier, sandboxes), JSON_REQUIRED },
	{ "creations_per_hour", decode_count, offsetof(struct tier, creations_per_hour), JSON_REQUIRED },
	{ "recording", decode_size, offsetof(struct tier, recording), 0 },
	{ "network", net_mode_decode, offsetof(struct tier, network), 0 },
	{ "policy", decode_policy, offsetof(struct tier, policy), 0 },
	{ "workspace", workspace_decode, offsetof(struct tier, workspace), 0 },
};
/* clang-format on */

static int decode_name(const char *name, const struct json_at *at, char out[32], struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = strlen(name);

	if (n == 0 || n > 31 || strspn(name, allowed) != n || name[0] == '-')
		return json_err(
			at, e,
			"is no name of a tier: 1 to 31 of a-z, 0-9, - and _, not first a -");
	memcpy(out, name, n + 1);
	return 0;
}

static int decode_tiers(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	struct tiers *t = out;

	if (v->type != JSON_OBJECT || v->count == 0)
		return json_err(at, e, "is not a mapping from names to limits");
	if (v->count > TIERS_MAX)
		return json_err(at, e, "has %u tiers; the limit is %d", v->count, TIERS_MAX);
	t->v = xalloc(v->count * sizeof(*t->v));
	json_each (m, v) {
		struct json_at here = { .up = at, .name = m->key };
		struct tier *tier = &t->v[t->n];

		tier->workspace = WORKSPACE_DEFAULT;
		if (decode_name(m->key, &here, tier->name, e) < 0 ||
		    json_decode_object(m, &here, tier_fields, ARRAY_SIZE(tier_fields),
				       JSON_UNKNOWN_REJECT, tier, e) < 0)
			return -1;
		if (tier->idle_ms > tier->lifetime_ms)
			return json_err(&here, e, "idle is longer than lifetime");
		if (!tier->lifetime_max_ms)
			tier->lifetime_max_ms = tier->lifetime_ms;
		if (tier->lifetime_max_ms < tier->lifetime_ms)
			return json_err(&here, e, "lifetime_max is shorter than lifetime");
		t->n++;
	}
	return 0;
}

struct tiers_file {
	uint32_t version;
	struct tiers tiers;
};

/* clang-format off */
static const struct json_field file_fields[] = {
	{ "version", json_decode_u32, offsetof(struct tiers_file, version), JSON_REQUIRED },
	{ "tiers", decode_tiers, offsetof(struct tiers_file, tiers), JSON_REQUIRED },
};
/* clang-format on */

int tiers_decode(struct json_doc *doc, struct tiers *out, struct err *e)
{
	struct tiers_file file = { 0 };

	if (json_decode_object(json_root(doc), NULL, file_fields, ARRAY_SIZE(file_fields),
			       JSON_UNKNOWN_REJECT, &file, e) < 0) {
		tiers_fini(&file.tiers);
		return -1;
	}
	if (file.version != 1) {
		tiers_fini(&file.tiers);
		return err_set(e, ENOTSUP, "version: is %u; this program reads version 1",
			       file.version);
	}
	*out = file.tiers;
	return 0;
}

int tiers_load(const char *path, struct tiers *out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;

	if (yaml_parse_file(AT_FDCWD, path, &doc, e) < 0)
		return err_wrap(e, "tiers");
	if (tiers_decode(doc, out, e) < 0)
		return err_wrap(e, "tiers: %s", path);
	return 0;
}

void tiers_fini(struct tiers *t)
{
	free(t->v);
	*t = (struct tiers){ 0 };
}

bool tiers_have_network(const struct tiers *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].network != NET_MODE_NONE)
			return true;
	}
	return false;
}

int tiers_policy(const char *path, const char *name, char out[64], struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	const struct json_at top = { .name = "tiers" }, tier = { .up = &top, .name = name },
			     here = { .up = &tier, .name = "policy" };
	const struct json *v;

	out[0] = 0;
	if (yaml_parse_file(AT_FDCWD, path, &doc, e) < 0)
		return err_wrap(e, "tiers");
	v = json_get(json_get(json_get(json_root(doc), "tiers"), name), "policy");
	if (v && decode_policy(v, &here, out, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

const struct tier *tiers_find(const struct tiers *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->v[i].name, name) == 0)
			return &t->v[i];
	}
	return NULL;
}

uint64_t tier_extension(const struct tier *t, uint64_t created_ms, uint64_t now_ms)
{
	uint64_t end = created_ms + t->lifetime_max_ms;

	return end > now_ms ? MIN(end - now_ms, t->lifetime_ms) : 0;
}
