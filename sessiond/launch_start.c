/*
 * One start: directory, uid slot, template, files, shim, ready line. What was made is undone on any failure by
 * launch_collect, the same code that cleans up after a crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "sessiond/launch_internal.h"

enum { READY_MAX = 4096 };

struct launch_start {
	struct launch_start *next;
	struct launch *launch;
	struct launch_spec spec; /* strings owned */
	int dir_fd;		 /* its flock says "a start is under way" */
	uint32_t slot;
	struct template_call *template_call;
	struct launch_child *shim;
	struct loop_io ready;
	int ready_fd;
	struct buf line;
	struct loop_timer timer;
	struct loop_defer begin;
	struct err err; /* why it failed */
	launch_fn fn;
	void *arg;
};

static char **copy_strv(char *const *v)
{
	char **out;

	if (!v)
		return NULL;
	out = xalloc((strv_len(v) + 1) * sizeof(*out));
	for (size_t i = 0; v[i]; i++)
		out[i] = xstrdup(v[i]);
	return out;
}

static const char *copy_str(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static struct launch_spec spec_copy(const struct launch_spec *s)
{
	struct launch_spec c = *s;

	c.id = copy_str(s->id);
	c.image = copy_str(s->image);
	c.tier = copy_str(s->tier);
	c.command = copy_strv(s->command);
	c.env = copy_strv(s->env);
	c.cwd = copy_str(s->cwd);
	c.user = copy_str(s->user);
	c.hostname = copy_str(s->hostname);
	return c;
}

static void spec_fini(struct launch_spec *s)
{
	char **command = (char **) s->command, **env = (char **) s->env;

	free((char *) s->id);
	free((char *) s->image);
	free((char *) s->tier);
	free((char *) s->cwd);
	free((char *) s->user);
	free((char *) s->hostname);
	util_free_strv(&command);
	util_free_strv(&env);
}

static void unlink_start(struct launch_start *s)
{
	for (struct launch_start **p = &s->launch->starts; *p; p = &(*p)->next) {
		if (*p != s)
			continue;
		*p = s->next;
		return;
	}
}

static void start_free(struct launch_start *s)
{
	loop_io_del(&s->ready);
	fd_close(&s->ready_fd);
	loop_timer_del(&s->timer);
	launch_template_forget(s->template_call);
	launch_child_forget(s->shim);
	fd_close(&s->dir_fd);
	buf_fini(&s->line);
	spec_fini(&s->spec);
	free(s);
}

static void succeeded(struct launch_start *s)
{
	unlink_start(s);
	/* The shim's lock speaks for it from here on. */
	fd_close(&s->dir_fd);
	s->fn(s->arg, NULL);
	start_free(s);
}

static void collected(void *arg, unused_arg const struct launch_exit *left,
		      const struct err *err)
{
	struct launch_start *s = arg;

	if (err)
		log_warn("start of %s failed and left something behind: %s", s->spec.id,
			 err->msg);
	s->fn(s->arg, &s->err);
	start_free(s);
}

/* s->err is set. */
static void failed(struct launch_start *s)
{
	struct err e = ERR_NONE;

	loop_io_del(&s->ready);
	fd_close(&s->ready_fd);
	loop_timer_del(&s->timer);
	if (s->shim)
		(void) child_kill(&s->shim->child, SIGKILL, &e);
	unlink_start(s);
	fd_close(&s->dir_fd);
	if (launch_collect(s->launch, s->spec.id, collected, s, &e) < 0)
		collected(s, NULL, &e);
}

static void on_timeout(void *arg)
{
	struct launch_start *s = arg;

	(void) err_set(&s->err, ETIMEDOUT, "the sandbox did not start within %u ms",
		       s->launch->config.ready_ms);
	failed(s);
}

/* The shim's one line. */
static int read_answer(struct launch_start *s, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	const char *why;

	if (buf_len(&s->line) == 0)
		return err_set(e, EIO, "the shim ended before the sandbox ran");
	if (json_parse((const char *) buf_bytes(&s->line), buf_len(&s->line), NULL, &doc, e) <
	    0)
		return err_wrap(e, "the shim's answer");
	if (json_bool_or(json_root(doc), "ok", false))
		return 0;
	why = json_str_or(json_root(doc), "error", "the shim gave no reason");
	return err_set(e, json_bool_or(json_root(doc), "invalid", false) ? EINVAL : EIO, "%s",
		       why);
}

static void on_ready(void *arg, unused_arg uint32_t events)
{
	struct launch_start *s = arg;
	char block[1024];
	ssize_t n = read(s->ready_fd, block, sizeof(block));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0 && buf_append(&s->line, block, (size_t) n, &s->err) < 0) {
		failed(s);
		return;
	}
	if (n > 0 && !memchr(block, '\n', (size_t) n))
		return;
	if (read_answer(s, &s->err) < 0)
		failed(s);
	else
		succeeded(s);
}

static int start_shim(struct launch_start *s, struct err *e)
{
	struct launch *l = s->launch;
	auto_free char *dir = xasprintf("%s/%s", l->sandboxes, s->spec.id);
	char *argv[] = { (char *) "carrel-shim", (char *) "--dir", dir,
			 (char *) "--ready-fd",	 (char *) "3",	   NULL };
	auto_close int write_end = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	s->ready_fd = ends[0];
	write_end = ends[1];
	if (fd_set_nonblock(s->ready_fd, true, e) < 0 ||
	    loop_io_add(l->loop, &s->ready, s->ready_fd, EPOLLIN, on_ready, s, e) < 0)
		return -1;
	s->shim = launch_child_start(l, l->config.shim, argv, false, write_end, NULL, NULL, e);
	return s->shim ? 0 : -1;
}

static void with_template(struct launch_start *s, const struct launch_template *t)
{
	if (launch_template_write(s->launch, t, &s->spec, s->slot, s->dir_fd, &s->err) < 0 ||
	    start_shim(s, &s->err) < 0)
		failed(s);
}

static void on_template(void *arg, const struct launch_template *t, const struct err *err)
{
	struct launch_start *s = arg;

	s->template_call = NULL;
	if (t) {
		with_template(s, t);
		return;
	}
	s->err = *err;
	failed(s);
}

static void begin(void *arg)
{
	struct launch_start *s = arg;
	const struct launch_template *t;

	if (!s->launch) {
		start_free(s);
		return;
	}
	if (launch_slot_take(s->launch, s->spec.id, &s->slot, &s->err) < 0) {
		failed(s);
		return;
	}
	t = launch_template_find(s->launch, &s->spec);
	if (t) {
		with_template(s, t);
		return;
	}
	s->template_call = launch_template_make(s->launch, &s->spec, on_template, s, &s->err);
	if (!s->template_call)
		failed(s);
}

/* The directory, locked in the same breath: between both a scan sees an empty directory that nobody holds and may
 * remove it, which the flock's re-check finds out. */
static int make_dir(struct launch_start *s, struct err *e)
{
	const struct launch *l = s->launch;
	struct stat opened, named;

	if (mkdirat(l->sandboxes_fd, s->spec.id, 0700) < 0)
		return err_sys(e, "sandbox %s", s->spec.id);
	s->dir_fd = openat(l->sandboxes_fd, s->spec.id,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir_fd < 0)
		return err_sys(e, "sandbox %s", s->spec.id);
	if (flock(s->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, "sandbox %s: lock", s->spec.id);
	if (fstat(s->dir_fd, &opened) < 0 ||
	    fstatat(l->sandboxes_fd, s->spec.id, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    opened.st_ino != named.st_ino)
		return err_set(e, EAGAIN, "sandbox %s: its directory was swept away",
			       s->spec.id);
	return 0;
}

static int check(const struct launch *l, const struct launch_spec *s, struct err *e)
{
	if (!launch_id_valid(s->id))
		return err_set(
			e, EINVAL,
			"\"%s\" is no sandbox name: letters, digits, _ . - are allowed, 64 at most",
			s->id);
	if (!s->image || !*s->image)
		return err_set(e, EINVAL, "no image is named");
	if (s->tier && !l->config.tiers)
		return err_set(e, EINVAL, "tier %s: there is no tiers file", s->tier);
	return 0;
}

int launch_start(struct launch *l, const struct launch_spec *spec, launch_fn fn, void *arg,
		 struct err *e)
{
	struct launch_start *s;

	if (check(l, spec, e) < 0)
		return -1;
	s = xalloc(sizeof(*s));
	*s = (struct launch_start){ .launch = l,
				    .dir_fd = FD_NONE,
				    .ready_fd = FD_NONE,
				    .line = BUF_LIMIT(READY_MAX),
				    .fn = fn,
				    .arg = arg };
	s->spec = spec_copy(spec);
	if (make_dir(s, e) < 0) {
		start_free(s);
		return -1;
	}
	s->next = l->starts;
	l->starts = s;
	loop_timer_set(l->loop, &s->timer, l->config.ready_ms, on_timeout, s);
	loop_defer(l->loop, &s->begin, begin, s);
	return 0;
}

static void on_cancel(void *arg)
{
	failed(arg);
}

bool launch_cancel(struct launch *l, const char *id)
{
	for (struct launch_start *s = l->starts; s; s = s->next) {
		if (strcmp(s->spec.id, id) != 0)
			continue;
		(void) err_set(&s->err, ECANCELED, "the start was cancelled");
		loop_timer_set(l->loop, &s->timer, 0, on_cancel, s);
		return true;
	}
	return false;
}

void launch_starts_end(struct launch *l)
{
	for (struct launch_start *s = l->starts, *next; s; s = next) {
		struct err ignored;

		next = s->next;
		if (s->shim)
			(void) child_kill(&s->shim->child, SIGKILL, &ignored);
		s->launch = NULL;
		if (!s->begin.queued)
			start_free(s);
	}
	l->starts = NULL;
}
