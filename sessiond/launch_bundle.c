/*
 * One sandbox's files from its template: bundle/config.json with its own ids, cgroup, command and size, and sandbox.json,
 * the shim's orders (docs/architecture.md).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "sessiond/launch_internal.h"

enum { FILE_MAX = 1024 * 1024 };

static int no_member(struct err *e, const char *what)
{
	return err_set(e, EINVAL, "the bundle's config.json has no %s", what);
}

static int set_ids(struct json_doc *doc, struct json *root, uint32_t base, uint32_t count,
		   struct err *e)
{
	static const char *const maps[] = { "uidMappings", "gidMappings" };

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		struct json *row = json_at_index(json_get(json_get(root, "linux"), maps[i]), 0);

		if (!row)
			return no_member(e, maps[i]);
		json_set(doc, row, "hostID", json_new_int(doc, base));
		json_set(doc, row, "size", json_new_int(doc, count));
	}
	return 0;
}

static void set_args(struct json_doc *doc, struct json *process, bool with_init,
		     char *const *command)
{
	struct json *old = json_get(process, "args");
	struct json *args = json_new(doc, JSON_ARRAY);

	/* The template's first two are carrel-init and "--". */
	for (size_t i = 0; with_init && i < 2; i++) {
		struct json *word = json_at_index(old, i);

		if (word)
			json_append(args, json_copy(doc, word));
	}
	for (size_t i = 0; command[i]; i++)
		json_append(args, json_new_str(doc, command[i]));
	json_set(doc, process, "args", args);
}

/* True when "K=..." and "K=V" name the same variable. */
static bool same_variable(const struct json *v, const char *pair)
{
	size_t n = strcspn(pair, "=") + 1;

	return v->type == JSON_STRING && v->str.n >= n && memcmp(v->str.s, pair, n) == 0;
}

static void set_env(struct json_doc *doc, struct json *process, char *const *env)
{
	struct json *old = json_get(process, "env");
	struct json *all = json_new(doc, JSON_ARRAY);

	json_each (v, old) {
		bool replaced = false;

		for (size_t i = 0; env[i]; i++)
			replaced = replaced || same_variable(v, env[i]);
		if (!replaced)
			json_append(all, json_copy(doc, v));
	}
	for (size_t i = 0; env[i]; i++)
		json_append(all, json_new_str(doc, env[i]));
	json_set(doc, process, "env", all);
}

static void set_process(struct json_doc *doc, struct json *process, const struct launch *l,
			const struct launch_spec *s)
{
	json_set(doc, process, "terminal", json_new_bool(doc, !s->no_terminal));
	json_remove(process, "consoleSize");
	if (!s->no_terminal) {
		struct json *size = json_new(doc, JSON_OBJECT);

		json_set(doc, size, "height", json_new_int(doc, s->rows ? s->rows : 24));
		json_set(doc, size, "width", json_new_int(doc, s->cols ? s->cols : 80));
		json_set(doc, process, "consoleSize", size);
	}
	if (s->command)
		set_args(doc, process, l->config.init != NULL, s->command);
	if (s->env)
		set_env(doc, process, s->env);
	if (s->cwd)
		json_set(doc, process, "cwd", json_new_str(doc, s->cwd));
}

/* Instead of the tmpfs that the template has there; where it has none, after all others, which may be what the place lies in.
 * The shim has it mounted beside the root filesystem, see shim/workspace.h. */
static void set_volume(struct json_doc *doc, struct json *root, const char *path)
{
	static const char *const options[] = { "bind", "nosuid", "nodev" };
	struct json *mounts = json_get(root, "mounts"), *all = json_new(doc, JSON_ARRAY);
	struct json *volume = json_new(doc, JSON_OBJECT), *words = json_new(doc, JSON_ARRAY);
	bool placed = false;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		json_append(words, json_new_str(doc, options[i]));
	json_set(doc, volume, "destination", json_new_str(doc, path));
	json_set(doc, volume, "type", json_new_str(doc, "bind"));
	json_set(doc, volume, "source", json_new_str(doc, "workspace"));
	json_set(doc, volume, "options", words);
	json_each (m, mounts) {
		const bool here = strcmp(json_str_or(m, "destination", ""), path) == 0;

		json_append(all, here ? volume : json_copy(doc, m));
		placed = placed || here;
	}
	if (!placed)
		json_append(all, volume);
	json_set(doc, root, "mounts", all);
}

static int edit(struct json_doc *doc, const struct launch *l, const struct launch_spec *s,
		uint32_t slot, struct err *e)
{
	const struct launch_config *c = &l->config;
	auto_free char *cgroup = xasprintf("%s/%s", c->cgroup ? c->cgroup : "/carrel", s->id);
	struct json *root = json_root(doc);
	struct json *process = json_get(root, "process");
	struct json *linux_ = json_get(root, "linux");

	if (!process || !linux_)
		return no_member(e, process ? "linux" : "process");
	if (set_ids(doc, root, c->uid_base + slot * c->uid_count, c->uid_count, e) < 0)
		return -1;
	json_set(doc, linux_, "cgroupsPath", json_new_str(doc, cgroup));
	json_set(doc, root, "hostname",
		 json_new_str(doc, s->hostname ? s->hostname : "sandbox"));
	set_process(doc, process, l, s);
	if (s->volume.name)
		set_volume(doc, root, s->volume.path);
	return launch_network_set(doc, &c->network, slot, e);
}

static int write_json(int dir_fd, const char *name, const struct json *v, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(FILE_MAX);

	if (json_print(v, false, &text, e) < 0)
		return err_wrap(e, "%s", name);
	return fd_write_atomic(dir_fd, name, buf_bytes(&text), buf_len(&text), 0600, false, e);
}

static int write_config(struct launch *l, const struct launch_template *t,
			const struct launch_spec *s, uint32_t slot, int dir_fd, struct err *e)
{
	auto_json struct json_doc *doc = json_doc_new();
	auto_close int bundle = -1;

	json_each (member, json_root(t->config))
		json_set(doc, json_root(doc), member->key, json_copy(doc, member));
	if (edit(doc, l, s, slot, e) < 0)
		return -1;
	if (mkdirat(dir_fd, "bundle", 0700) < 0 || mkdirat(dir_fd, "bundle/rootfs", 0755) < 0)
		return err_sys(e, "make bundle");
	bundle = openat(dir_fd, "bundle", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bundle < 0)
		return err_sys(e, "open bundle");
	return write_json(bundle, "config.json", json_root(doc), e);
}

static void rootfs_orders(struct json_writer *w, const struct json *rootfs)
{
	jw_object(w, "rootfs");
	jw_str(w, "format", json_str_or(rootfs, "format", "overlay"));
	jw_node(w, "layers", json_get(rootfs, "layers"));
	jw_close(w);
}

static void recording_orders(struct json_writer *w, const struct launch_config *c,
			     const struct launch_spec *s)
{
	auto_free char *file = xasprintf("%s/%s.cast", c->recordings, s->id);

	jw_object(w, "recording");
	jw_str(w, "file", file);
	jw_uint(w, "max_bytes", s->recording);
	jw_close(w);
}

static void policy_orders(struct json_writer *w, const struct launch_config *c,
			  const struct launch_spec *s)
{
	if (!s->policy)
		return;
	jw_object(w, "policy");
	jw_str(w, "program", c->scanner);
	jw_str(w, "rules", s->policy);
	if (c->policy_key)
		jw_str(w, "key", c->policy_key);
	jw_close(w);
}

static void volume_orders(struct json_writer *w, const struct launch *l,
			  const struct launch_template *t, const struct launch_volume *v)
{
	const struct json *user = json_get(json_get(json_root(t->config), "process"), "user");
	auto_free char *dir = NULL;

	if (!v->name)
		return;
	dir = xasprintf("%s/%s", l->config.volumes, v->name);
	jw_object(w, "volume");
	jw_str(w, "dir", dir);
	jw_int(w, "uid", json_int_or(user, "uid", 0));
	jw_int(w, "gid", json_int_or(user, "gid", 0));
	jw_close(w);
}

static int write_orders(struct launch *l, const struct launch_template *t,
			const struct launch_spec *s, uint32_t slot, int dir_fd, struct err *e)
{
	const struct launch_config *c = &l->config;
	auto_buf struct buf text = BUF_LIMIT(FILE_MAX);
	auto_json_writer struct json_writer *w = json_writer_new(&text, false);
	auto_free char *slot_file = xasprintf("%s/%u", l->uids, slot);

	jw_object(w, NULL);
	jw_int(w, "version", 1);
	jw_str(w, "id", s->id);
	jw_str(w, "runtime", c->runtime);
	jw_str(w, "runtime_root", l->runtime_root);
	rootfs_orders(w, json_root(t->rootfs));
	jw_object(w, "idmap");
	jw_uint(w, "base", c->uid_base + slot * c->uid_count);
	jw_uint(w, "count", c->uid_count);
	jw_close(w);
	volume_orders(w, l, t, &s->volume);
	jw_bool(w, "terminal", !s->no_terminal);
	jw_uint(w, "cols", s->cols ? s->cols : 80);
	jw_uint(w, "rows", s->rows ? s->rows : 24);
	jw_uint(w, "history_bytes", s->history_bytes ? s->history_bytes : 262144);
	jw_uint(w, "idle_ms", s->idle_ms);
	jw_uint(w, "lifetime_ms", s->lifetime_ms);
	jw_uint(w, "detached_ms", s->detached_ms);
	jw_uint(w, "warn_ms", s->warn_ms ? s->warn_ms : 60000);
	jw_uint(w, "ack_window", s->ack_window ? s->ack_window : 262144);
	jw_uint(w, "max_clients", s->max_clients ? s->max_clients : 16);
	jw_str(w, "uid_slot", slot_file);
	if (s->recording > 0)
		recording_orders(w, c, s);
	policy_orders(w, c, s);
	jw_bool(w, "remove_dir", s->remove_dir);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return err_wrap(e, "sandbox.json");
	return fd_write_atomic(dir_fd, "sandbox.json", buf_bytes(&text), buf_len(&text), 0600,
			       false, e);
}

int launch_bundle_write(struct launch *l, const struct launch_template *t,
			const struct launch_spec *s, uint32_t slot, int dir_fd, struct err *e)
{
	if (write_config(l, t, s, slot, dir_fd, e) < 0)
		return -1;
	return write_orders(l, t, s, slot, dir_fd, e);
}
