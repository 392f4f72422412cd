#include "sessiond/create.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/path.h"
#include "base/util.h"
#include "base/volume.h"
#include "sessiond/tiers.h"

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"

static int decode_form(const struct json *v, const struct json_at *at, size_t max,
		       const char *first, const char *rest, const char *what, void *out,
		       struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (!*s || strlen(s) > max || !strchr(first, s[0]) || s[strspn(s, rest)])
		return json_err(at, e, "is not %s", what);
	*(const char **) out = s;
	return 0;
}

static int decode_image(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	return decode_form(v, at, 255, ALNUM, ALNUM "._:/@+-", "the name or digest of an image",
			   out, e);
}

static int decode_tier(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	return decode_form(v, at, 31, ALNUM, ALNUM "_-", "the name of a tier", out, e);
}

static int decode_policy(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	return decode_form(v, at, 63, LOWER "_", LOWER "_-", "the name of a policy", out, e);
}

static int decode_user(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	return decode_form(v, at, 64, ALNUM "_", ALNUM "_.:-",
			   "a user of the image, such as 1000, 1000:1000 or name", out, e);
}

static int decode_cwd(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (strlen(s) > 1024 || !path_is_clean_absolute(s))
		return json_err(at, e, "is not an absolute path without . and ..");
	*(const char **) out = s;
	return 0;
}

static int decode_size(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (v->type != JSON_INT || v->i < 1 || v->i > CREATE_SIZE_MAX)
		return json_err(at, e, "is not a whole number from 1 to %d", CREATE_SIZE_MAX);
	*(uint32_t *) out = (uint32_t) v->i;
	return 0;
}

static int decode_seconds(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	if (v->type != JSON_INT || v->i < 1 || v->i > 365 * 24 * 3600)
		return json_err(at, e, "is not a number of seconds of at least 1");
	*(uint64_t *) out = (uint64_t) v->i * 1000;
	return 0;
}

static int decode_command(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	if (v->type == JSON_ARRAY && (v->count == 0 || v->count > CREATE_ARGS_MAX))
		return json_err(at, e, "has %u elements; 1 to %d are possible", v->count,
				CREATE_ARGS_MAX);
	if (json_decode_strv(v, at, out, e) < 0)
		return -1;
	if ((*(const char ***) out)[0][0] == 0) {
		free(take_ptr((const char ***) out));
		return json_err(at, e, "names no program");
	}
	return 0;
}

static int check_env_name(const char *s, const struct json_at *at, struct err *e)
{
	size_t n = strlen(s);

	if (n == 0 || n > 128 || strspn(s, ALNUM "_") != n || (s[0] >= '0' && s[0] <= '9'))
		return json_err(at, e,
				"is no name of a variable: letters, digits and _, not first "
				"a digit");
	return 0;
}

static int decode_env(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	auto_strv char **env = NULL;
	size_t n = 0;

	if (v->type != JSON_OBJECT)
		return json_err(at, e, "is not an object of names and values");
	if (v->count > CREATE_ENV_MAX)
		return json_err(at, e, "has %u variables; the limit is %d", v->count,
				CREATE_ENV_MAX);
	env = xalloc((v->count + 1) * sizeof(*env));
	json_each (m, v) {
		struct json_at here = { .up = at, .name = m->key };
		const char *value;

		if (check_env_name(m->key, &here, e) < 0 ||
		    json_decode_str(m, &here, &value, e) < 0)
			return -1;
		env[n++] = xasprintf("%s=%s", m->key, value);
	}
	*(char ***) out = take_ptr(&env);
	return 0;
}

static int decode_labels(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	if (v->type != JSON_OBJECT)
		return json_err(at, e, "is not an object of names and values");
	if (v->count > CREATE_LABELS_MAX)
		return json_err(at, e, "has %u labels; the limit is %d", v->count,
				CREATE_LABELS_MAX);
	json_each (m, v) {
		struct json_at here = { .up = at, .name = m->key };
		const char *s;

		if (json_decode_str(m, &here, &s, e) < 0)
			return -1;
		if (strlen(m->key) > 63 || strspn(m->key, ALNUM "._-/") != strlen(m->key) ||
		    !*m->key)
			return json_err(
				&here, e,
				"is no name of a label: 1 to 63 letters, digits, . _ - /");
		if (strlen(s) > 255)
			return json_err(&here, e, "is longer than 255 bytes");
	}
	*(const struct json **) out = v;
	return 0;
}

static int decode_tag(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	return decode_form(v, at, 64, ALNUM "_.:-", ALNUM "_.:-",
			   "a tag: letters, digits, _ . : and -", out, e);
}

static int decode_timeout(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	if (v->type != JSON_INT || v->i < 1 || v->i > EXEC_TIMEOUT_MAX_S)
		return json_err(at, e, "is not a number of seconds from 1 to %d",
				EXEC_TIMEOUT_MAX_S);
	*(uint64_t *) out = (uint64_t) v->i * 1000;
	return 0;
}

static int decode_output_limit(const struct json *v, const struct json_at *at, void *out,
			       struct err *e)
{
	if (v->type != JSON_INT || v->i < 0 || v->i > EXEC_OUTPUT_MAX)
		return json_err(at, e, "is not a number of bytes up to %d", EXEC_OUTPUT_MAX);
	*(uint64_t *) out = (uint64_t) v->i;
	return 0;
}

static int decode_workspace(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	struct create_workspace *w = out;

	w->none = v->type == JSON_NULL;
	if (w->none)
		return 0;
	if (json_decode_str(v, at, &w->name, e) < 0)
		return -1;
	if (!volume_name_valid(w->name))
		return json_err(
			at, e,
			"is no name of a volume: 1 to %d letters, digits, _ . -, the first a "
			"letter or digit",
			VOLUME_NAME_MAX);
	return 0;
}

/* clang-format off */
static const struct json_field exec_fields[] = {
	{ "command", decode_command, offsetof(struct exec_body, command), JSON_REQUIRED },
	{ "env", decode_env, offsetof(struct exec_body, env), 0 },
	{ "cwd", decode_cwd, offsetof(struct exec_body, cwd), 0 },
	{ "user", decode_user, offsetof(struct exec_body, user), 0 },
	{ "input", json_decode_str, offsetof(struct exec_body, input), JSON_NULL_IS_ABSENT },
	{ "timeout_seconds", decode_timeout, offsetof(struct exec_body, timeout_ms), 0 },
	{ "output_limit", decode_output_limit, offsetof(struct exec_body, output_limit), 0 },
};
static const struct json_field terminal_fields[] = {
	{ "command", decode_command, offsetof(struct exec_body, command), JSON_REQUIRED },
	{ "env", decode_env, offsetof(struct exec_body, env), 0 },
	{ "cwd", decode_cwd, offsetof(struct exec_body, cwd), 0 },
	{ "user", decode_user, offsetof(struct exec_body, user), 0 },
	{ "tag", decode_tag, offsetof(struct exec_body, tag), 0 },
	{ "cols", decode_size, offsetof(struct exec_body, cols), 0 },
	{ "rows", decode_size, offsetof(struct exec_body, rows), 0 },
	{ "terminal", json_decode_bool, offsetof(struct exec_body, terminal), 0 },
};
static const struct json_field extend_fields[] = {
	{ "seconds", decode_seconds, 0, JSON_NULL_IS_ABSENT },
};
static const struct json_field fields[] = {
	{ "image", decode_image, offsetof(struct create, image), 0 },
	{ "tier", decode_tier, offsetof(struct create, tier), 0 },
	{ "command", decode_command, offsetof(struct create, command), JSON_NULL_IS_ABSENT },
	{ "env", decode_env, offsetof(struct create, env), 0 },
	{ "cwd", decode_cwd, offsetof(struct create, cwd), 0 },
	{ "user", decode_user, offsetof(struct create, user), 0 },
	{ "cols", decode_size, offsetof(struct create, cols), 0 },
	{ "rows", decode_size, offsetof(struct create, rows), 0 },
	{ "idle_seconds", decode_seconds, offsetof(struct create, idle_ms), 0 },
	{ "lifetime_seconds", decode_seconds, offsetof(struct create, lifetime_ms), 0 },
	{ "labels", decode_labels, offsetof(struct create, labels), 0 },
	{ "workspace", decode_workspace, offsetof(struct create, workspace), 0 },
	{ "policy", decode_policy, offsetof(struct create, policy), 0 },
};
static const struct json_field resize_fields[] = {
	{ "cols", decode_size, offsetof(struct resize, cols), JSON_REQUIRED },
	{ "rows", decode_size, offsetof(struct resize, rows), JSON_REQUIRED },
};
/* clang-format on */

static int limit(const char *field, uint64_t tier_ms, uint64_t *ms, struct err *e)
{
	if (*ms > tier_ms)
		return err_set(e, EINVAL, "%s: is %llu; the tier allows at most %llu", field,
			       (unsigned long long) *ms / 1000,
			       (unsigned long long) tier_ms / 1000);
	if (*ms == 0)
		*ms = tier_ms;
	return 0;
}

/* A tier's policy is the operator's word: nobody else's takes its place. */
static int check_policy(struct create *c, const struct tier *tier, struct err *e)
{
	if (!tier->policy[0])
		return 0;
	if (c->policy && strcmp(c->policy, tier->policy) != 0)
		return err_set(
			e, EACCES,
			"policy: tier %s puts its sandboxes under %s; %s cannot take its place",
			tier->name, tier->policy, c->policy);
	c->policy = tier->policy;
	return 0;
}

static int check(struct create *c, const struct tier *tier, struct err *e)
{
	const bool persistent = tier->workspace.kind == WORKSPACE_PERSISTENT;

	if (c->workspace.name && !persistent)
		return err_set(
			e, EINVAL,
			"workspace: tier %s has none that lasts; null, or nothing, is a tmpfs",
			tier->name);
	if (persistent && !c->workspace.none && !c->workspace.name)
		c->workspace.name = "default";
	if (!c->image)
		return err_set(e, EINVAL, "image: required, but missing");
	if (limit("lifetime_seconds", tier->lifetime_ms, &c->lifetime_ms, e) < 0 ||
	    limit("idle_seconds", tier->idle_ms, &c->idle_ms, e) < 0)
		return -1;
	return check_policy(c, tier, e);
}

int create_decode(const struct json *body, const struct tier *tier, const char *default_image,
		  struct create *out, struct err *e)
{
	struct create c = { .image = default_image, .cols = 80, .rows = 24 };

	if (json_decode_object(body, NULL, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, &c,
			       e) < 0 ||
	    check(&c, tier, e) < 0) {
		create_fini(&c);
		return -1;
	}
	*out = c;
	return 0;
}

void create_fini(struct create *c)
{
	free(c->command);
	util_free_strv(&c->env);
	*c = (struct create){ 0 };
}

static int decode_exec(const struct json *body, const struct json_field *f, size_t n,
		       struct exec_body *b, struct err *e)
{
	if (json_decode_object(body, NULL, f, n, JSON_UNKNOWN_REJECT, b, e) == 0)
		return 0;
	exec_body_fini(b);
	return -1;
}

int exec_decode(const struct json *body, struct exec_body *out, struct err *e)
{
	struct exec_body b = { .timeout_ms = 60000, .output_limit = EXEC_OUTPUT_DEFAULT };

	if (decode_exec(body, exec_fields, ARRAY_SIZE(exec_fields), &b, e) < 0)
		return -1;
	*out = b;
	return 0;
}

int terminal_decode(const struct json *body, struct exec_body *out, struct err *e)
{
	struct exec_body b = { .terminal = true, .cols = 80, .rows = 24 };

	if (decode_exec(body, terminal_fields, ARRAY_SIZE(terminal_fields), &b, e) < 0)
		return -1;
	*out = b;
	return 0;
}

void exec_body_fini(struct exec_body *b)
{
	free(b->command);
	util_free_strv(&b->env);
	*b = (struct exec_body){ 0 };
}

int resize_decode(const struct json *body, struct resize *out, struct err *e)
{
	return json_decode_object(body, NULL, resize_fields, ARRAY_SIZE(resize_fields),
				  JSON_UNKNOWN_REJECT, out, e);
}

int extend_decode(const struct json *body, uint64_t *ms, struct err *e)
{
	uint64_t out = 0;

	if (json_decode_object(body, NULL, extend_fields, ARRAY_SIZE(extend_fields),
			       JSON_UNKNOWN_REJECT, &out, e) < 0)
		return -1;
	*ms = out;
	return 0;
}
