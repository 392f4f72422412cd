#include "sessiond/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "base/yaml.h"

static int decode_strings(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	struct opt_list *l = out;
	const char **strings = NULL;

	if (json_decode_strv(v, at, (void *) &strings, e) < 0)
		return -1;
	l->v = strings;
	l->n = v->count;
	return 0;
}

static int decode_ms(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;

	if (v->type != JSON_STRING || str_to_ms(v->str.s, "value", out, &why) < 0)
		return json_err(at, e, "is not a duration, such as 90s or 10m");
	return 0;
}

static int decode_tls(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const struct json_field files[] = {
		{ "certificate", json_decode_str, offsetof(struct config, tls_certificate),
		  JSON_REQUIRED },
		{ "key", json_decode_str, offsetof(struct config, tls_key), JSON_REQUIRED },
	};

	return json_decode_object(v, at, files, ARRAY_SIZE(files), JSON_UNKNOWN_REJECT, out, e);
}

/* clang-format off */
static const struct json_field fields[] = {
	{ "tls", decode_tls, 0, 0 },
	{ "listen", decode_strings, offsetof(struct config, listen), 0 },
	{ "insecure_listen", json_decode_bool, offsetof(struct config, insecure_listen), 0 },
	{ "origins", decode_strings, offsetof(struct config, origins), 0 },
	{ "run_dir", json_decode_str, offsetof(struct config, run_dir), 0 },
	{ "state_dir", json_decode_str, offsetof(struct config, state_dir), 0 },
	{ "store", json_decode_str, offsetof(struct config, store), 0 },
	{ "volumes", json_decode_str, offsetof(struct config, volumes), 0 },
	{ "tiers", json_decode_str, offsetof(struct config, tiers), 0 },
	{ "policies", json_decode_str, offsetof(struct config, policies), 0 },
	{ "web", json_decode_str, offsetof(struct config, web), 0 },
	{ "bin_dir", json_decode_str, offsetof(struct config, bin_dir), 0 },
	{ "seccomp", json_decode_str, offsetof(struct config, seccomp), 0 },
	{ "cgroup", json_decode_str, offsetof(struct config, cgroup), 0 },
	{ "network", json_decode_str, offsetof(struct config, network), 0 },
	{ "image", json_decode_str, offsetof(struct config, default_image), 0 },
	{ "keep_ended", decode_ms, offsetof(struct config, keep_ended_ms), 0 },
	{ "upgrade_shims", json_decode_str, offsetof(struct config, upgrade_shims), 0 },
	{ "uid_base", json_decode_u64, offsetof(struct config, uid_base), 0 },
	{ "uid_slots", json_decode_u64, offsetof(struct config, uid_slots), 0 },
	{ "log_format", json_decode_str, offsetof(struct config, log_format), 0 },
	{ "log_level", json_decode_str, offsetof(struct config, log_level), 0 },
};
/* clang-format on */

int config_decode(struct json_doc *doc, struct config *out, struct err *e)
{
	return json_decode_object(json_root(doc), NULL, fields, ARRAY_SIZE(fields),
				  JSON_UNKNOWN_REJECT, out, e);
}

/* What the command line is silent about comes from the file. */
static void merge(struct config *c, struct config *file)
{
#define TAKE(member)                                                                           \
	do {                                                                                   \
		if (!c->member)                                                                \
			c->member = file->member;                                              \
	} while (0)
	TAKE(run_dir);
	TAKE(tls_certificate);
	TAKE(tls_key);
	TAKE(state_dir);
	TAKE(store);
	TAKE(volumes);
	TAKE(tiers);
	TAKE(policies);
	TAKE(web);
	TAKE(bin_dir);
	TAKE(seccomp);
	TAKE(cgroup);
	TAKE(network);
	TAKE(default_image);
	TAKE(upgrade_shims);
	TAKE(keep_ended_ms);
	TAKE(uid_base);
	TAKE(uid_slots);
	TAKE(insecure_listen);
	TAKE(log_format);
	TAKE(log_level);
#undef TAKE
	if (c->listen.n == 0) {
		opt_list_fini(&c->listen);
		c->listen = file->listen;
		file->listen = (struct opt_list){ 0 };
	}
	if (c->origins.n == 0) {
		opt_list_fini(&c->origins);
		c->origins = file->origins;
		file->origins = (struct opt_list){ 0 };
	}
}

static int read_file(struct config *c, struct err *e)
{
	struct config file = { 0 };
	int r;

	if (!c->file)
		return 0;
	if (yaml_parse_file(AT_FDCWD, c->file, &c->doc, e) < 0)
		return err_wrap(e, "configuration");
	r = config_decode(c->doc, &file, e);
	if (r == 0)
		merge(c, &file);
	opt_list_fini(&file.listen);
	opt_list_fini(&file.origins);
	return r < 0 ? err_wrap(e, "configuration: %s", c->file) : 0;
}

static const char *own(struct config *c, char *s)
{
	if (c->n_owned == ARRAY_SIZE(c->owned))
		abort(); /* one per path below */
	c->owned[c->n_owned++] = s;
	return s;
}

/* Other programs get these paths, and they may start elsewhere. */
static int absolute(struct config *c, const char **path, struct err *e)
{
	char cwd[PATH_MAX];

	if (!*path || (*path)[0] == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, "getcwd");
	*path = own(c, xasprintf("%s/%s", cwd, *path));
	return 0;
}

/* The first that is there: installed (PREFIX/bin beside PREFIX/share), or in the build directory. */
static void find_beside(struct config *c, const char **path, const char *exe_dir,
			const char *const *candidates)
{
	for (; !*path && *candidates; candidates++) {
		char *s = xasprintf("%s/%s", exe_dir, *candidates);

		if (access(s, F_OK) == 0)
			*path = own(c, s);
		else
			free(s);
	}
}

static int check_numbers(struct config *c, struct err *e)
{
	if (!c->keep_ended_ms)
		c->keep_ended_ms = 10 * 60 * 1000;
	if (!c->uid_base)
		c->uid_base = 524288;
	if (!c->uid_slots)
		c->uid_slots = 4096;
	if (c->uid_base < 65536 || c->uid_base > UINT32_MAX || c->uid_slots > 65535 ||
	    c->uid_base + c->uid_slots * 65536 > UINT32_MAX)
		return err_set(e, EINVAL,
			       "uid_base and uid_slots: %llu + %llu x 65536 is not within "
			       "65536 and 2^32",
			       (unsigned long long) c->uid_base,
			       (unsigned long long) c->uid_slots);
	return 0;
}

static int check_upgrades(struct config *c, struct err *e)
{
	c->upgrade_at_start = c->upgrade_shims && strcmp(c->upgrade_shims, "at-start") == 0;
	if (!c->upgrade_shims || c->upgrade_at_start ||
	    strcmp(c->upgrade_shims, "by-hand") == 0)
		return 0;
	return err_set(e, EINVAL, "upgrade_shims: \"%.40s\" is neither by-hand nor at-start",
		       c->upgrade_shims);
}

int config_complete(struct config *c, const char *exe_dir, struct err *e)
{
	static const char *const tiers[] = { "../share/carrel/tiers.yaml",
					     "../../config/tiers.yaml", NULL };
	static const char *const policies[] = { "../share/carrel/policies.yaml",
						"../../config/policies.yaml", NULL };
	static const char *const web[] = { "../share/carrel/web", "../web", NULL };
	static const char *const seccomp[] = { "../share/carrel/seccomp.json",
					       "../../config/seccomp.json", NULL };

	if (read_file(c, e) < 0 || check_numbers(c, e) < 0 || check_upgrades(c, e) < 0)
		return -1;
	if (!c->tls_certificate != !c->tls_key)
		return err_set(e, EINVAL, "tls: a certificate and a key go together");
	if (!c->run_dir)
		c->run_dir = "/run/carrel";
	if (!c->state_dir)
		c->state_dir = "/var/lib/carrel";
	if (absolute(c, &c->policies, e) < 0)
		return -1;
	c->policies_named = c->policies != NULL;
	if (!c->cgroup)
		c->cgroup = "/carrel";
	if (!c->network)
		c->network = "10.209.0.0/16";
	if (!c->default_image)
		c->default_image = "default";
	if (!c->bin_dir)
		c->bin_dir = exe_dir;
	if (absolute(c, &c->run_dir, e) < 0 || absolute(c, &c->state_dir, e) < 0 ||
	    absolute(c, &c->store, e) < 0 || absolute(c, &c->volumes, e) < 0 ||
	    absolute(c, &c->tiers, e) < 0 || absolute(c, &c->web, e) < 0 ||
	    absolute(c, &c->bin_dir, e) < 0 || absolute(c, &c->seccomp, e) < 0 ||
	    absolute(c, &c->tls_certificate, e) < 0 || absolute(c, &c->tls_key, e) < 0)
		return -1;
	find_beside(c, &c->tiers, exe_dir, tiers);
	find_beside(c, &c->policies, exe_dir, policies);
	find_beside(c, &c->web, exe_dir, web);
	find_beside(c, &c->seccomp, exe_dir, seccomp);
	if (!c->store)
		c->store = own(c, xasprintf("%s/store", c->state_dir));
	if (!c->volumes)
		c->volumes = own(c, xasprintf("%s/volumes", c->state_dir));
	if (!c->tiers)
		return err_set(
			e, ENOENT,
			"tiers: no tiers.yaml was found beside %s; name one with --tiers",
			exe_dir);
	return 0;
}

void config_fini(struct config *c)
{
	opt_list_fini(&c->listen);
	opt_list_fini(&c->origins);
	json_doc_free(c->doc);
	for (size_t i = 0; i < c->n_owned; i++)
		free(c->owned[i]);
	*c = (struct config){ 0 };
}
