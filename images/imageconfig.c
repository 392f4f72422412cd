#include "images/imageconfig.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/json.h"
#include "images/manifest.h"

enum { MAX_STRINGS = 4096 };

static int decode_diff_id(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	struct err why = ERR_NONE;
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (digest_parse(s, "diff-id", out, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	return 0;
}

static int decode_diff_ids(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	return json_decode_list(v, at, sizeof(struct digest), decode_diff_id, out, e);
}

struct rootfs {
	const char *type;
	struct json_list diff_ids;
};

static const struct json_field rootfs_fields[] = {
	{ "type", json_decode_str, offsetof(struct rootfs, type), JSON_REQUIRED },
	{ "diff_ids", decode_diff_ids, offsetof(struct rootfs, diff_ids), JSON_REQUIRED },
};

static int decode_rootfs(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	return json_decode_object(v, at, rootfs_fields, ARRAY_SIZE(rootfs_fields),
				  JSON_UNKNOWN_IGNORE, out, e);
}

struct exec_config {
	const char *user, *workdir;
	const char **env, **entrypoint, **cmd;
};

static const struct json_field exec_fields[] = {
	{ "User", json_decode_str, offsetof(struct exec_config, user), JSON_NULL_IS_ABSENT },
	{ "WorkingDir", json_decode_str, offsetof(struct exec_config, workdir),
	  JSON_NULL_IS_ABSENT },
	{ "Env", json_decode_strv, offsetof(struct exec_config, env), JSON_NULL_IS_ABSENT },
	{ "Entrypoint", json_decode_strv, offsetof(struct exec_config, entrypoint),
	  JSON_NULL_IS_ABSENT },
	{ "Cmd", json_decode_strv, offsetof(struct exec_config, cmd), JSON_NULL_IS_ABSENT },
};

static int decode_exec(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	return json_decode_object(v, at, exec_fields, ARRAY_SIZE(exec_fields),
				  JSON_UNKNOWN_IGNORE, out, e);
}

struct document {
	const char *os, *arch, *created;
	struct exec_config exec;
	struct rootfs rootfs;
};

static const struct json_field document_fields[] = {
	{ "os", json_decode_str, offsetof(struct document, os), JSON_REQUIRED },
	{ "architecture", json_decode_str, offsetof(struct document, arch), JSON_REQUIRED },
	{ "created", json_decode_str, offsetof(struct document, created), JSON_NULL_IS_ABSENT },
	{ "config", decode_exec, offsetof(struct document, exec), JSON_NULL_IS_ABSENT },
	{ "rootfs", decode_rootfs, offsetof(struct document, rootfs), JSON_REQUIRED },
};

/* Shells know letters, digits and _ only, but programs ask for others, such as xpack.security.enabled. */
static bool is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	}
	return n > 0;
}

int imageconfig_check_env(const char *s, struct err *e)
{
	const char *eq = strchr(s, '=');

	if (!eq || !is_name(s, (size_t) (eq - s)))
		return err_set(e, EINVAL, "'%.60s' is no NAME=value with a plain name", s);
	for (const char *p = eq + 1; *p; p++) {
		if ((unsigned char) *p < ' ' && *p != '\t' && *p != '\n')
			return err_set(e, EINVAL, "the value of %.*s holds a control character",
				       (int) MIN(eq - s, 60), s);
	}
	return 0;
}

static int check(const struct document *d, struct err *e)
{
	if (strcmp(d->os, "linux") != 0)
		return err_set(e, ENOTSUP, "os: %.40s; only linux is supported", d->os);
	if (strcmp(d->rootfs.type, "layers") != 0)
		return err_set(e, EINVAL, "rootfs.type: %.40s; it has to be 'layers'",
			       d->rootfs.type);
	if (d->rootfs.diff_ids.n == 0 || d->rootfs.diff_ids.n > MANIFEST_LAYERS)
		return err_set(e, EINVAL, "rootfs.diff_ids: %zu of them; 1 to %d are supported",
			       d->rootfs.diff_ids.n, MANIFEST_LAYERS);
	for (size_t i = 0; d->exec.env && d->exec.env[i]; i++) {
		if (imageconfig_check_env(d->exec.env[i], e) < 0)
			return err_wrap(e, "config.Env[%zu]", i);
	}
	return 0;
}

int imageconfig_parse(const char *text, size_t n, struct imageconfig *out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	struct document d = { 0 };
	int r = json_parse(text, n, NULL, &doc, e);

	if (r == 0)
		r = json_decode_object(json_root(doc), NULL, document_fields,
				       ARRAY_SIZE(document_fields), JSON_UNKNOWN_IGNORE, &d, e);
	if (r == 0)
		r = check(&d, e);
	struct imageconfig c = { .os = d.os,
				 .arch = d.arch,
				 .created = d.created,
				 .user = d.exec.user,
				 .workdir = d.exec.workdir,
				 .env = d.exec.env,
				 .entrypoint = d.exec.entrypoint,
				 .cmd = d.exec.cmd,
				 .diff_ids = d.rootfs.diff_ids.items,
				 .n_diff_ids = d.rootfs.diff_ids.n };
	if (r < 0) {
		imageconfig_fini(&c);
		return err_wrap(e, "image configuration");
	}
	c.doc = take_ptr(&doc);
	*out = c;
	return 0;
}

void imageconfig_fini(struct imageconfig *c)
{
	free(c->env);
	free(c->entrypoint);
	free(c->cmd);
	free(c->diff_ids);
	json_doc_free(c->doc);
	*c = (struct imageconfig){ 0 };
}

static const struct {
	const char *machine, *arch;
} machines[] = {
	{ "x86_64", "amd64" },	  { "aarch64", "arm64" },	{ "riscv64", "riscv64" },
	{ "ppc64le", "ppc64le" }, { "s390x", "s390x" },		{ "i686", "386" },
	{ "armv7l", "arm" },	  { "loongarch64", "loong64" },
};

const char *imageconfig_host_arch(void)
{
	struct utsname u;

	if (uname(&u) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		if (strcmp(machines[i].machine, u.machine) == 0)
			return machines[i].arch;
	}
	return "unknown";
}
