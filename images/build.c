/*
 * One child, mmdebstrap, with the package sources on its stdin and its tar in the import's own directory.
 * Everything it leaves behind lies in that directory, so what a killed build leaves goes with the next sweep.
 */
#include "images/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "images/apt_sources.h"
#include "images/build_above.h"
#include "images/created.h"
#include "images/import.h"
#include "images/index.h"
#include "images/recipe.h"
#include "images/store.h"

enum { RECIPE_LIMIT = 1 << 20, CONFIG_LIMIT = 1 << 20, MAX_ARGS = 1024 };

static const char mmdebstrap[] = "/usr/bin/mmdebstrap";

struct args {
	char *v[MAX_ARGS + 1];
	size_t n;
};

static void args_fini(struct args *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
}

/* Takes the string; one too many is noticed by its absence in args_ok. */
static void add(struct args *a, char *s)
{
	if (a->n < MAX_ARGS)
		a->v[a->n++] = s;
	else
		free(s);
}

static void add_each(struct args *a, const char *format, const char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		add(a, xasprintf("%s%s", format, v[i]));
}

static char *join(const char **v, const char *between)
{
	char *out = xstrdup(v[0] ? v[0] : "");

	for (size_t i = 1; v[0] && v[i]; i++) {
		char *longer = xasprintf("%s%s%s", out, between, v[i]);

		free(out);
		out = longer;
	}
	return out;
}

/* A recipe and, when it has a base, the one below. */
struct plan {
	struct recipe own, base;
	enum layer_format format;
};

/* Whose suite, variant and components count. */
static const struct recipe *ground(const struct plan *p)
{
	return p->own.base ? &p->base : &p->own;
}

static const struct recipe_user *user_of(const struct plan *p)
{
	return p->own.user.name ? &p->own.user : &p->base.user;
}

static bool has_files(const struct recipe *r)
{
	return r->files && r->files->count > 0;
}

/* Words were checked by recipe.c, so none can end a quotation or begin an option. */
static void add_hooks(struct args *a, const struct plan *p, const char *files_dir)
{
	const struct recipe_user *u = user_of(p);

	/* Before the user is made: what stands in /etc/skel becomes his. */
	if (has_files(&p->base) || has_files(&p->own))
		add(a, xasprintf("--customize-hook=sync-in %s /", files_dir));
	if (u->name)
		add(a, xasprintf("--customize-hook=chroot \"$1\" useradd --uid %u --user-group "
				 "--create-home --home-dir %s --shell %s %s",
				 u->uid, u->home, u->shell, u->name));
	add_each(a, "--customize-hook=rm -rf \"$1\"", p->base.remove);
	add_each(a, "--customize-hook=rm -rf \"$1\"", p->own.remove);
}

static void add_include(struct args *a, const char **packages)
{
	auto_free char *list = packages ? join(packages, ",") : xstrdup("");

	if (*list)
		add(a, xasprintf("--include=%s", list));
}

static void add_lists(struct args *a, const struct recipe *r)
{
	add_include(a, r->packages);
	add_each(a, "--dpkgopt=path-exclude=", r->exclude);
	add_each(a, "--dpkgopt=path-include=", r->include);
}

static int make_args(struct args *a, const struct plan *p, const char *work, struct err *e)
{
	auto_free char *files_dir = xasprintf("%s/files", work);

	add(a, xstrdup("mmdebstrap"));
	add(a, xstrdup("--format=tar"));
	add(a, xasprintf("--variant=%s", ground(p)->variant));
	add(a, xstrdup("--aptopt=APT::Install-Recommends \"false\""));
	add(a, xstrdup("--aptopt=Acquire::Languages \"none\""));
	/* The result is synced once, at the end; until then it may be lost. */
	add(a, xstrdup("--dpkgopt=force-unsafe-io"));
	add_lists(a, &p->base);
	add_lists(a, &p->own);
	add_hooks(a, p, files_dir);
	/* Images may bring no device nodes; every sandbox gets its own. */
	add(a, xstrdup("--skip=output/mknod,output/dev"));
	add(a, xstrdup(ground(p)->suite));
	add(a, xasprintf("%s/rootfs.tar", work));
	add(a, xstrdup("-"));
	if (a->n == MAX_ARGS)
		return err_set(e, E2BIG, "more than %d packages, paths and hooks", MAX_ARGS);
	return 0;
}

static int write_file(int files_fd, const char *path, const struct json *text, struct err *e)
{
	auto_close int o_path = path_touch_in(files_fd, path, 0644, e);
	auto_close int fd = -1;

	if (o_path < 0)
		return -1;
	fd = open(fd_path(o_path).s, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0644) < 0)
		return err_sys(e, "%s", path);
	return fd_write_all(fd, text->str.s, text->str.n, e);
}

/* The base's first: a file of both is the upper recipe's. */
static int write_files(const struct store_work *w, const struct plan *p, struct err *e)
{
	const struct json *both[] = { p->base.files, p->own.files };

	if (mkdirat(w->fd, "files", 0755) < 0)
		return err_sys(e, "make tmp/*/files");
	auto_close int fd = openat(w->fd, "files", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "tmp/*/files");
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		json_each (f, both[i]) {
			if (write_file(fd, f->key, f, e) < 0)
				return err_wrap(e, "files");
		}
	}
	return 0;
}

/* A pipe would do only as long as the text fits it; a file always does. */
static int sources_file(const struct store_work *w, const struct recipe *r, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(RECIPE_LIMIT);
	int fd;

	if (apt_sources(r->suite, r->components, &text, e) < 0 ||
	    fd_write_atomic(w->fd, "sources", buf_bytes(&text), buf_len(&text), 0600, false,
			    e) < 0)
		return -1;
	fd = openat(w->fd, "sources", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "tmp/*/sources");
	return fd;
}

static int run_mmdebstrap(const struct store_work *w, const struct plan *p,
			  const char *work_path, const struct created *created, struct err *e)
{
	auto_close int sources = sources_file(w, ground(p), e);
	auto_free char *tmpdir = xasprintf("TMPDIR=%s", work_path);
	const char *proxy = getenv("http_proxy");
	auto_free char *proxy_env = proxy ? xasprintf("http_proxy=%s", proxy) : NULL;
	auto_free char *epoch =
		xasprintf("SOURCE_DATE_EPOCH=%llu", (unsigned long long) created->seconds);
	char *envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
			 "LC_ALL=C.UTF-8",
			 tmpdir,
			 epoch,
			 proxy_env,
			 NULL };
	struct args *a = xalloc(sizeof(*a));
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child child = CHILD_NONE;
	struct child_status st = { 0 };
	int ret = sources < 0 ? -1 : make_args(a, p, work_path, e);

	spec.path = mmdebstrap;
	spec.argv = a->v;
	spec.envp = envp;
	spec.stdio[0] = sources;
	spec.stdio[1] = STDERR_FILENO; /* our stdout is for the digest */
	spec.stdio[2] = STDERR_FILENO;
	/* It mounts /proc and more below our work directory. Killed with us, it leaves none of that to the host. */
	spec.own_mounts = true;
	spec.parent_death_signal = SIGTERM;
	if (ret == 0)
		ret = child_spawn(&spec, &child, e);
	if (ret < 0 && e->code == ENOENT)
		(void) err_hint(e, "install the package mmdebstrap");
	if (ret == 0)
		ret = child_wait(&child, &st, e);
	if (ret == 0 && (st.signalled || st.code != 0))
		ret = err_set(e, EIO, "mmdebstrap ended with %s %d",
			      st.signalled ? "signal" : "exit code", st.code);
	args_fini(a);
	free(a);
	return ret;
}

static bool sets(const char **env, const char *entry)
{
	size_t n = (size_t) (strchr(entry, '=') - entry) + 1;

	for (size_t i = 0; env && env[i]; i++) {
		if (strncmp(env[i], entry, n) == 0)
			return true;
	}
	return false;
}

static void write_env(struct json_writer *w, const struct plan *p)
{
	if (!p->base.env && !p->own.env)
		return;
	jw_array(w, "Env");
	for (size_t i = 0; p->base.env && p->base.env[i]; i++) {
		if (!sets(p->own.env, p->base.env[i]))
			jw_str(w, NULL, p->base.env[i]);
	}
	for (size_t i = 0; p->own.env && p->own.env[i]; i++)
		jw_str(w, NULL, p->own.env[i]);
	jw_close(w);
}

static int print_config(const struct plan *p, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);
	const struct recipe *b = &p->base, *o = &p->own;
	const char *workdir = o->workdir ? o->workdir : b->workdir;

	jw_object(w, NULL);
	if (user_of(p)->name)
		jw_str(w, "User", user_of(p)->name);
	write_env(w, p);
	jw_strings(w, "Entrypoint",
		   (const char *const *) (o->entrypoint ? o->entrypoint : b->entrypoint));
	jw_strings(w, "Cmd", (const char *const *) (o->cmd ? o->cmd : b->cmd));
	if (workdir)
		jw_str(w, "WorkingDir", workdir);
	jw_close(w);
	return json_writer_end(w, e);
}

static int read_recipe(const char *dir, struct recipe *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(RECIPE_LIMIT);
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open");
	if (fd_read_file(fd, "recipe.yaml", RECIPE_LIMIT, &text, e) < 0)
		return -1;
	if (recipe_parse((const char *) buf_bytes(&text), buf_len(&text), out, e) < 0)
		return err_wrap(e, "recipe.yaml");
	return 0;
}

static int build(const struct store *s, const struct plan *p, const char *name,
		 struct digest *out, struct err *e)
{
	auto_store_work struct store_work w = STORE_WORK_NONE;
	auto_buf struct buf config = BUF_LIMIT(CONFIG_LIMIT);
	const struct import_options o = { .name = name ? name : p->own.name,
					  .format = p->format,
					  .limits = IMAGE_LIMITS_DEFAULT };
	struct created created;

	if (geteuid() != 0)
		return err_set(e, EPERM, "building an image needs root");
	if (created_now(&created, e) < 0 || print_config(p, &config, e) < 0 ||
	    store_work_begin(s, &w, e) < 0 || write_files(&w, p, e) < 0)
		return -1;
	auto_close int lower = p->own.base ? build_above_open(&w, p->base.name, e) : FD_NONE;
	if (p->own.base && lower < 0)
		return -1;
	auto_free char *work_path = xasprintf("%s/tmp/%s", s->path, w.name);
	if (run_mmdebstrap(&w, p, work_path, &created, e) < 0)
		return -1;
	if (p->own.base)
		return build_above(&w, "rootfs.tar", p->base.name, lower, buf_str(&config), &o,
				   out, e);
	return import_built(&w, "rootfs.tar", buf_str(&config), &o, out, e);
}

/* The base's image is made when the store has none of its name. */
static int ensure_base(const struct store *s, const struct plan *p, const char *dir,
		       struct err *e)
{
	auto_index struct index ix = { 0 };
	const struct plan base = { .own = p->base, .format = p->format };
	struct err missing = ERR_NONE;
	struct digest ignored;

	if (index_load(s, &ix, e) < 0)
		return -1;
	if (index_find(&ix, p->base.name, &missing))
		return 0;
	return build(s, &base, NULL, &ignored, e) < 0 ? err_wrap(e, "base %s", dir) : 0;
}

static int read_base(struct plan *p, const char *dir, struct err *e)
{
	if (read_recipe(dir, &p->base, e) < 0)
		return err_wrap(e, "base %s", dir);
	if (p->base.base)
		return err_set(e, ENOTSUP, "base %s: it has a base itself", dir);
	return 0;
}

static int build_plan(const struct store *s, const char *dir, const char *name, struct plan *p,
		      struct digest *out, struct err *e)
{
	if (read_recipe(dir, &p->own, e) < 0)
		return -1;
	if (p->own.base) {
		auto_free char *below = xasprintf("%s/%s", dir, p->own.base);

		if (read_base(p, below, e) < 0 || ensure_base(s, p, below, e) < 0)
			return -1;
	}
	return build(s, p, name, out, e);
}

int build_recipe(const struct store *s, const char *dir, const char *name,
		 enum layer_format format, struct digest *out, struct err *e)
{
	struct plan p = { .format = format };
	int r = build_plan(s, dir, name, &p, out, e);

	recipe_fini(&p.own);
	recipe_fini(&p.base);
	return r < 0 ? err_wrap(e, "recipe %s", dir) : 0;
}
