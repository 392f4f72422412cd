/*
 * Bundle templates: carrel-image is run once per image, tier and user; each sandbox gets an edited copy.
 *
 * A template is true as long as the store's index.json and the tiers file are the very files (inode, size, change time)
 * that it was made from: whatever moves a name to another image replaces index.json.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/launch_internal.h"

struct template_call {
	struct launch *launch;
	struct launch_child *child;
	struct launch_template *t; /* under construction */
	char dir[40];		   /* below templates/ */
	launch_template_fn fn;
	void *arg;
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void stat_inputs(const struct launch *l, struct stat *index, struct stat *tiers)
{
	auto_free char *path =
		xasprintf("%s/index.json", l->config.store ? l->config.store : "");

	*index = (struct stat){ 0 };
	*tiers = (struct stat){ 0 };
	(void) stat(path, index);
	if (l->config.tiers)
		(void) stat(l->config.tiers, tiers);
}

static void template_free(struct launch_template *t)
{
	if (!t)
		return;
	json_doc_free(t->config);
	json_doc_free(t->rootfs);
	free(t->image);
	free(t->tier);
	free(t->user);
	free(t);
}

void launch_templates_free(struct launch *l)
{
	for (struct launch_template *t = l->templates, *next; t; t = next) {
		next = t->next;
		template_free(t);
	}
	l->templates = NULL;
}

const struct launch_template *launch_template_find(struct launch *l,
						   const struct launch_spec *s)
{
	struct stat index, tiers;

	stat_inputs(l, &index, &tiers);
	for (struct launch_template **p = &l->templates; *p; p = &(*p)->next) {
		struct launch_template *t = *p;

		if (strcmp(t->image, s->image) != 0 || !same_text(t->tier, s->tier) ||
		    !same_text(t->user, s->user))
			continue;
		if (same_file(&t->index, &index) && same_file(&t->tiers, &tiers))
			return t;
		*p = t->next;
		template_free(t);
		return NULL;
	}
	return NULL;
}

static void call_free(struct template_call *c)
{
	struct err ignored;

	(void) fd_remove_tree(c->launch->templates_fd, c->dir, &ignored);
	template_free(c->t);
	free(c);
}

/* carrel-image's last line is its error, without the program's name in front. */
static void image_error(const char *image, const char *text, struct err *e)
{
	auto_free char *copy = xstrdup(text);
	char *line, *colon;

	for (size_t n = strlen(copy); n > 0 && copy[n - 1] == '\n';)
		copy[--n] = '\0';
	line = strrchr(copy, '\n');
	line = line ? line + 1 : copy;
	colon = str_has_prefix(line, "carrel-image: ") ? line + strlen("carrel-image: ") : line;
	(void) err_set(e, EINVAL, "%s", *colon ? colon : "carrel-image ended without a word");
	(void) err_wrap(e, "image %s", image);
}

/* carrel-image exits with 3 when the image is not in the store. */
enum { IMAGE_NOT_FOUND = 3 };

static int take_result(struct template_call *c, const struct child_status *status,
		       const char *text, struct err *e)
{
	auto_close int dir =
		openat(c->launch->templates_fd, c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (status->signalled)
		return err_set(e, EIO, "carrel-image was ended by signal %d", status->code);
	if (status->code != 0) {
		image_error(c->t->image, text, e);
		if (status->code == IMAGE_NOT_FOUND)
			e->code = ENOENT;
		return -1;
	}
	if (dir < 0)
		return err_sys(e, "%s", c->dir);
	if (json_parse_file(dir, "config.json", NULL, &c->t->config, e) < 0 ||
	    json_parse_file(dir, "rootfs.json", NULL, &c->t->rootfs, e) < 0)
		return err_wrap(e, "image %s", c->t->image);
	return 0;
}

static void on_bundle(void *arg, const struct child_status *status, const char *text)
{
	struct template_call *c = arg;
	struct err e = ERR_NONE;
	struct launch_template *t = NULL;

	if (take_result(c, status, text, &e) == 0) {
		t = take_ptr(&c->t);
		t->next = c->launch->templates;
		c->launch->templates = t;
	}
	c->fn(c->arg, t, t ? NULL : &e);
	call_free(c);
}

struct argv {
	char *v[40];
	size_t n;
};

static void push(struct argv *a, const char *option, const char *value)
{
	if (!value)
		return;
	if (option)
		a->v[a->n++] = xstrdup(option);
	a->v[a->n++] = xstrdup(value);
}

static void argv_fini(struct argv *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
}

static void build_argv(const struct launch *l, const struct launch_spec *s, const char *dir,
		       struct argv *a)
{
	const struct launch_config *c = &l->config;
	auto_free char *count = xasprintf("%u", c->uid_count);

	push(a, NULL, "carrel-image");
	push(a, "--store", c->store);
	push(a, NULL, "bundle");
	if (s->tier) {
		push(a, "--tiers", c->tiers);
		push(a, "--tier", s->tier);
	}
	push(a, "--uid-base", "0");
	push(a, "--uid-count", count);
	push(a, "--cgroup", "/");
	push(a, "--hostname", "sandbox");
	push(a, "--init", c->init);
	push(a, "--seccomp", c->seccomp);
	push(a, "--user", s->user);
	push(a, NULL, s->image);
	push(a, NULL, dir);
}

static int start_bundle(struct template_call *c, const struct launch_spec *s, struct err *e)
{
	struct launch *l = c->launch;
	auto_free char *dir = xasprintf("%s/templates/%s", l->config.run_dir, c->dir);
	struct argv argv = { 0 };

	build_argv(l, s, dir, &argv);
	c->child = launch_child_start(l, l->config.image, argv.v, true, -1, on_bundle, c, e);
	argv_fini(&argv);
	return c->child ? 0 : -1;
}

struct template_call *launch_template_make(struct launch *l, const struct launch_spec *s,
					   launch_template_fn fn, void *arg, struct err *e)
{
	struct template_call *c = xalloc(sizeof(*c));
	char id[27];

	random_id(id);
	*c = (struct template_call){ .launch = l, .fn = fn, .arg = arg };
	(void) snprintf(c->dir, sizeof(c->dir), "tmp.%s", id);
	c->t = xalloc(sizeof(*c->t));
	c->t->image = xstrdup(s->image);
	c->t->tier = s->tier ? xstrdup(s->tier) : NULL;
	c->t->user = s->user ? xstrdup(s->user) : NULL;
	/* Before carrel-image reads them: a change in between makes the template stale, not wrong. */
	stat_inputs(l, &c->t->index, &c->t->tiers);
	if (start_bundle(c, s, e) < 0) {
		call_free(c);
		return NULL;
	}
	return c;
}

void launch_template_forget(struct template_call *c)
{
	if (!c)
		return;
	launch_child_forget(c->child);
	call_free(c);
}
