/*
 * Bundle templates: carrel-image is run once per image, tier and user; each sandbox gets an edited copy.
 *
 * A template is true as long as the files that it was made from are the very ones (inode, size, change time): the
 * store's index.json, the tiers, the seccomp profile. Whatever moves a name to another image replaces index.json.
 * Starts that want the same template at the same time wait for one run of carrel-image.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/launch_internal.h"

/* Users are free text of requests: what they can make us keep has a limit. */
enum { TEMPLATES_MAX = 64 };

static const char work_prefix[] = "tmp.";

struct template_wait {
	struct template_wait *next;
	struct template_call *call;
	launch_template_fn fn;
	void *arg;
};

struct template_call {
	struct template_call *next;
	struct launch *launch;
	struct launch_child *child;
	struct launch_template *t; /* under construction */
	char dir[40];		   /* below templates/ */
	int dir_fd;		   /* its flock says that somebody works there */
	struct template_wait *waits;
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool same_inputs(const struct launch_inputs *a, const struct launch_inputs *b)
{
	return same_file(&a->index, &b->index) && same_file(&a->tiers, &b->tiers) &&
	       same_file(&a->seccomp, &b->seccomp);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* A file that is not there is as good a state as any: carrel-image is the one to complain. */
static void stat_inputs(const struct launch *l, struct launch_inputs *out)
{
	const struct launch_config *c = &l->config;
	auto_free char *index = xasprintf("%s/index.json", c->store ? c->store : "");

	*out = (struct launch_inputs){ 0 };
	(void) stat(index, &out->index);
	if (c->tiers)
		(void) stat(c->tiers, &out->tiers);
	if (c->seccomp)
		(void) stat(c->seccomp, &out->seccomp);
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

static bool wanted(const struct launch_template *t, const struct launch_spec *s)
{
	return strcmp(t->image, s->image) == 0 && same_text(t->tier, s->tier) &&
	       same_text(t->user, s->user);
}

const struct launch_template *launch_template_find(struct launch *l,
						   const struct launch_spec *s)
{
	struct launch_inputs now;

	stat_inputs(l, &now);
	for (struct launch_template **p = &l->templates; *p; p = &(*p)->next) {
		struct launch_template *t = *p;

		if (!wanted(t, s))
			continue;
		if (same_inputs(&t->inputs, &now))
			return t;
		*p = t->next;
		template_free(t);
		return NULL;
	}
	return NULL;
}

/* In front; one of the same name and the oldest beyond the limit go. */
static void keep(struct launch *l, struct launch_template *t)
{
	struct launch_spec same = { .image = t->image, .tier = t->tier, .user = t->user };
	size_t n = 1;

	for (struct launch_template **p = &l->templates; *p;) {
		struct launch_template *old = *p;

		if (!wanted(old, &same) && ++n <= TEMPLATES_MAX) {
			p = &old->next;
			continue;
		}
		*p = old->next;
		template_free(old);
	}
	t->next = l->templates;
	l->templates = t;
}

static void call_free(struct template_call *c)
{
	struct err ignored;

	for (struct template_call **p = &c->launch->template_calls; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		break;
	}
	/* What stays is found by launch_templates_sweep. */
	(void) fd_remove_tree(c->launch->templates_fd, c->dir, &ignored);
	fd_close(&c->dir_fd);
	template_free(c->t);
	free(c);
}

static void image_error(const char *image, const char *text, struct err *e)
{
	auto_free char *prefix = xasprintf("image %s: ", image);

	launch_image_words("bundle", text, e);
	if (!str_has_prefix(e->msg, prefix))
		(void) err_wrap(e, "image %s", image);
}

/* carrel-image exits with 3 when the image is not in the store. */
enum { IMAGE_NOT_FOUND = 3 };

static int take_result(struct template_call *c, const struct child_status *status,
		       const char *text, struct err *e)
{
	if (status->signalled)
		return err_set(e, EIO, "carrel-image was ended by signal %d", status->code);
	if (status->code != 0) {
		image_error(c->t->image, text, e);
		if (status->code == IMAGE_NOT_FOUND)
			e->code = ENOENT;
		return -1;
	}
	if (json_parse_file(c->dir_fd, "config.json", NULL, &c->t->config, e) < 0 ||
	    json_parse_file(c->dir_fd, "rootfs.json", NULL, &c->t->rootfs, e) < 0)
		return err_wrap(e, "image %s", c->t->image);
	return 0;
}

static void on_bundle(void *arg, const struct child_status *status, const char *text)
{
	struct template_call *c = arg;
	struct err e = ERR_NONE;
	struct launch_template *t = NULL;

	c->child = NULL;
	if (take_result(c, status, text, &e) == 0) {
		t = take_ptr(&c->t);
		keep(c->launch, t);
	}
	for (struct template_wait *w; (w = c->waits);) {
		launch_template_fn fn = w->fn;
		void *wait_arg = w->arg;

		c->waits = w->next;
		free(w);
		fn(wait_arg, t, t ? NULL : &e);
	}
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
	auto_free char *base = xasprintf("%u", c->uid_base);
	auto_free char *count = xasprintf("%u", c->uid_count);

	push(a, NULL, "carrel-image");
	push(a, "--store", c->store);
	push(a, "--log-format", "json");
	push(a, NULL, "bundle");
	if (s->tier) {
		push(a, "--tiers", c->tiers);
		push(a, "--tier", s->tier);
	}
	push(a, "--uid-base", base);
	push(a, "--uid-count", count);
	if (s->tier && c->network.prefix) {
		push(a, "--network-address", launch_network_address(&c->network, 0, true).s);
		push(a, "--network-gateway", launch_network_gateway(&c->network).s);
	}
	push(a, "--hostname", "sandbox");
	push(a, "--init", c->init);
	push(a, "--seccomp", c->seccomp);
	push(a, "--user", s->user);
	/* An image's name may begin with a dash for all we know; carrel-image is to refuse it as a name. */
	push(a, NULL, "--");
	push(a, NULL, s->image);
	push(a, NULL, dir);
}

int launch_work_make(struct launch *l, struct launch_work *out, struct err *e)
{
	char id[27], name[40];
	int fd;

	random_id(id);
	(void) snprintf(name, sizeof(name), "%s%s", work_prefix, id);
	if (mkdirat(l->templates_fd, name, 0700) < 0)
		return err_sys(e, "make %s/templates/%s", l->config.run_dir, name);
	fd = openat(l->templates_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		(void) err_sys(e, "%s/templates/%s", l->config.run_dir, name);
		fd_close(&fd);
		return -1;
	}
	*out = (struct launch_work){
		.path = xasprintf("%s/templates/%s", l->config.run_dir, name), .fd = fd
	};
	return 0;
}

void launch_work_remove(struct launch *l, struct launch_work *w)
{
	struct err ignored = ERR_NONE;

	/* What stays is found by launch_templates_sweep. */
	if (w->path)
		(void) fd_remove_tree(l->templates_fd, strrchr(w->path, '/') + 1, &ignored);
	fd_close(&w->fd);
	free(w->path);
	*w = LAUNCH_WORK_NONE;
}

static int start_bundle(struct template_call *c, const struct launch_spec *s, struct err *e)
{
	struct launch *l = c->launch;
	auto_free char *dir = xasprintf("%s/templates/%s", l->config.run_dir, c->dir);
	struct argv argv = { 0 };

	if (mkdirat(l->templates_fd, c->dir, 0700) < 0)
		return err_sys(e, "make %s", dir);
	c->dir_fd = openat(l->templates_fd, c->dir,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir_fd < 0 || flock(c->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, "%s", dir);
	build_argv(l, s, dir, &argv);
	c->child = launch_child_start(l, l->config.image, argv.v, true, -1, on_bundle, c, e);
	argv_fini(&argv);
	return c->child ? 0 : -1;
}

static struct template_call *call_new(struct launch *l, const struct launch_spec *s,
				      struct err *e)
{
	struct template_call *c = xalloc(sizeof(*c));
	char id[27];

	random_id(id);
	*c = (struct template_call){ .launch = l, .dir_fd = FD_NONE };
	(void) snprintf(c->dir, sizeof(c->dir), "%s%s", work_prefix, id);
	c->t = xalloc(sizeof(*c->t));
	c->t->image = xstrdup(s->image);
	c->t->tier = s->tier ? xstrdup(s->tier) : NULL;
	c->t->user = s->user ? xstrdup(s->user) : NULL;
	/* Before carrel-image reads them: a change in between makes the template stale, not wrong. */
	stat_inputs(l, &c->t->inputs);
	if (start_bundle(c, s, e) < 0) {
		call_free(c);
		return NULL;
	}
	c->next = l->template_calls;
	l->template_calls = c;
	return c;
}

/* A run that nobody waits for any more was killed: nothing will come of it. */
static struct template_call *call_to_join(struct launch *l, const struct launch_spec *s)
{
	struct launch_inputs now;

	stat_inputs(l, &now);
	for (struct template_call *c = l->template_calls; c; c = c->next)
		if (c->waits && wanted(c->t, s) && same_inputs(&c->t->inputs, &now))
			return c;
	return NULL;
}

struct template_wait *launch_template_make(struct launch *l, const struct launch_spec *s,
					   launch_template_fn fn, void *arg, struct err *e)
{
	struct template_call *c = call_to_join(l, s);
	struct template_wait *w;

	if (!c)
		c = call_new(l, s, e);
	if (!c)
		return NULL;
	w = xalloc(sizeof(*w));
	*w = (struct template_wait){ .next = c->waits, .call = c, .fn = fn, .arg = arg };
	c->waits = w;
	return w;
}

void launch_template_forget(struct template_wait *w)
{
	struct template_call *c = w ? w->call : NULL;
	struct err ignored;

	if (!w)
		return;
	for (struct template_wait **p = &c->waits; *p; p = &(*p)->next) {
		if (*p != w)
			continue;
		*p = w->next;
		break;
	}
	free(w);
	/* Its directory goes when it has ended and can make nothing in it any more. */
	if (!c->waits && c->child)
		(void) child_kill(&c->child->child, SIGKILL, &ignored);
}

static void sweep_one(struct launch *l, const char *name)
{
	auto_close int fd =
		openat(l->templates_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct err ignored;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void) fd_remove_tree(l->templates_fd, name, &ignored);
}

void launch_templates_sweep(struct launch *l)
{
	int fd = openat(l->templates_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		fd_close(&fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(d));)
		if (str_has_prefix(entry->d_name, work_prefix))
			sweep_one(l, entry->d_name);
	(void) closedir(d);
}

void launch_templates_end(struct launch *l)
{
	for (struct template_call *c; (c = l->template_calls);) {
		l->template_calls = c->next;
		for (struct template_wait *w; (w = c->waits);) {
			c->waits = w->next;
			free(w);
		}
		if (c->child)
			launch_child_end(c->child);
		call_free(c);
	}
	for (struct launch_template *t; (t = l->templates);) {
		l->templates = t->next;
		template_free(t);
	}
}
