/*
 * One start: directory, uid slot, template, files, shim, ready line.
 *
 *   launch_start -> begin -> (template) -> start_shim -> on_ready -> succeeded
 *                     `---------`------------`-----------`-> failed -> shim's end -> undo -> collected
 *
 * What was made is undone on any failure by launch_collect, the same code that cleans up after a crash, and not before the
 * shim has been reaped: until then it could make more. A start is in the list until its callback was called.
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

enum {
	READY_MAX = 4096,
	GRACE_MS = 10000,
};

struct launch_start {
	struct launch_start *next;
	struct launch *launch;
	struct launch_spec spec; /* strings owned */
	int dir_fd;		 /* its flock says "a start is under way" */
	uint32_t slot;
	struct volume_call *volume_call;
	struct template_wait *template_wait;
	struct launch_child *shim; /* NULL: not started yet, or reaped */
	struct loop_io ready;
	int ready_fd;
	struct buf line;
	struct loop_timer timer, begin;
	bool failing;
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

	c.id = xstrdup(s->id);
	c.image = xstrdup(s->image);
	c.tier = copy_str(s->tier);
	c.command = copy_strv(s->command);
	c.env = copy_strv(s->env);
	c.cwd = copy_str(s->cwd);
	c.user = copy_str(s->user);
	c.hostname = copy_str(s->hostname);
	c.policy = copy_str(s->policy);
	c.volume.name = copy_str(s->volume.name);
	c.volume.path = copy_str(s->volume.path);
	c.volume.kind = copy_str(s->volume.kind);
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
	free((char *) s->policy);
	free((char *) s->volume.name);
	free((char *) s->volume.path);
	free((char *) s->volume.kind);
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
	loop_timer_del(&s->begin);
	launch_volume_forget(s->volume_call);
	launch_template_forget(s->template_wait);
	launch_child_forget(s->shim);
	fd_close(&s->dir_fd);
	buf_fini(&s->line);
	spec_fini(&s->spec);
	free(s);
}

static void finish(struct launch_start *s, const struct err *err)
{
	launch_fn fn = s->fn;
	void *arg = s->arg;
	struct err copy = err ? *err : ERR_NONE;

	unlink_start(s);
	/* Of a start that succeeded the shim's lock speaks from here on. */
	start_free(s);
	fn(arg, err ? &copy : NULL);
}

static void collected(void *arg, unused_arg const struct launch_exit *left,
		      const struct err *err)
{
	struct launch_start *s = arg;

	if (err)
		log_warn("start of %s failed and left something behind: %s", s->spec.id,
			 err->msg);
	finish(s, &s->err);
}

/* No process of it is left. The collector takes the directory's flock over. */
static void undo(struct launch_start *s)
{
	struct err e = ERR_NONE;

	fd_close(&s->dir_fd);
	loop_timer_del(&s->timer);
	if (launch_collect(s->launch, s->spec.id, collected, s, &e) < 0)
		collected(s, NULL, &e);
}

static void kill_shim(void *arg)
{
	struct launch_start *s = arg;
	struct err ignored;

	if (s->shim)
		(void) child_kill(&s->shim->child, SIGKILL, &ignored);
}

/* s->err is set. A shim that failed by itself is given time to undo what it made. */
static void failed(struct launch_start *s, unsigned grace_ms)
{
	s->failing = true;
	loop_io_del(&s->ready);
	fd_close(&s->ready_fd);
	loop_timer_del(&s->begin);
	launch_volume_forget(take_ptr(&s->volume_call));
	launch_template_forget(take_ptr(&s->template_wait));
	if (!s->shim)
		undo(s);
	else if (grace_ms)
		loop_timer_set(s->launch->loop, &s->timer, grace_ms, kill_shim, s);
	else
		kill_shim(s);
}

static void on_timeout(void *arg)
{
	struct launch_start *s = arg;

	(void) err_set(&s->err, ETIMEDOUT, "the sandbox did not start within %u ms",
		       s->launch->config.ready_ms);
	failed(s, 0);
}

static int failure_code(const struct json *answer)
{
	if (json_bool_or(answer, "busy", false))
		return EBUSY;
	return json_bool_or(answer, "invalid", false) ? EINVAL : EIO;
}

/* The shim's one line. */
static int parse_line(struct launch_start *s, struct err *e)
{
	auto_json struct json_doc *doc = NULL;

	if (json_parse((const char *) buf_bytes(&s->line), buf_len(&s->line), NULL, &doc, e) <
	    0)
		return err_wrap(e, "the shim's answer");
	if (json_bool_or(json_root(doc), "ok", false))
		return 0;
	return err_set(e, failure_code(json_root(doc)), "%s",
		       json_str_or(json_root(doc), "error", "the shim gave no reason"));
}

static void judge(struct launch_start *s)
{
	if (parse_line(s, &s->err) < 0)
		failed(s, GRACE_MS);
	else
		finish(s, NULL);
}

/* 1: the line is complete; 0: more may come; -1: nothing will. */
static int read_line(struct launch_start *s)
{
	char block[1024];
	struct err ignored;
	ssize_t n;

	while ((n = read(s->ready_fd, block, sizeof(block))) > 0) {
		if (buf_append(&s->line, block, (size_t) n, &ignored) < 0)
			return 1; /* cut short, it is no JSON */
		if (memchr(block, '\n', (size_t) n))
			return 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return buf_len(&s->line) ? 1 : -1;
}

static void on_ready(void *arg, unused_arg uint32_t events)
{
	struct launch_start *s = arg;
	int r = read_line(s);

	if (r > 0) {
		judge(s);
	} else if (r < 0) {
		(void) err_set(&s->err, EIO, "the shim ended before the sandbox ran");
		failed(s, GRACE_MS);
	}
}

/* Whoever else has the other end of the ready pipe: without its shim it is no sandbox. */
static void on_shim_end(void *arg, const struct child_status *status,
			unused_arg const char *text)
{
	struct launch_start *s = arg;

	s->shim = NULL;
	if (s->failing) {
		undo(s);
		return;
	}
	if (read_line(s) > 0) {
		judge(s);
		return;
	}
	(void) err_set(&s->err, EIO, "the shim ended before the sandbox ran (%s %d)",
		       status->signalled ? "signal" : "exit code", status->code);
	failed(s, 0);
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
	s->shim = launch_child_start(l, l->config.shim, argv, false, write_end, on_shim_end, s,
				     e);
	return s->shim ? 0 : -1;
}

static void with_template(struct launch_start *s, const struct launch_template *t)
{
	if (launch_bundle_write(s->launch, t, &s->spec, s->slot, s->dir_fd, &s->err) < 0 ||
	    start_shim(s, &s->err) < 0)
		failed(s, 0);
}

static void on_template(void *arg, const struct launch_template *t, const struct err *err)
{
	struct launch_start *s = arg;

	s->template_wait = NULL;
	if (t) {
		with_template(s, t);
		return;
	}
	s->err = *err;
	failed(s, 0);
}

static void find_template(struct launch_start *s)
{
	const struct launch_template *t;

	t = launch_template_find(s->launch, &s->spec);
	if (t) {
		with_template(s, t);
		return;
	}
	s->template_wait = launch_template_make(s->launch, &s->spec, on_template, s, &s->err);
	if (!s->template_wait)
		failed(s, 0);
}

static void on_volume(void *arg, const struct err *err)
{
	struct launch_start *s = arg;

	s->volume_call = NULL;
	if (!err) {
		find_template(s);
		return;
	}
	s->err = *err;
	failed(s, 0);
}

static void begin(void *arg)
{
	struct launch_start *s = arg;
	const struct launch_volume *v = &s->spec.volume;

	if (launch_slot_take(s->launch, s->spec.id, &s->slot, &s->err) < 0) {
		failed(s, 0);
		return;
	}
	if (!v->name || !v->size || launch_volume_there(s->launch, v->name)) {
		find_template(s);
		return;
	}
	s->volume_call = launch_volume_make(s->launch, v, on_volume, s, &s->err);
	if (!s->volume_call)
		failed(s, 0);
}

/* A scan may see the directory before it is locked, find it owned by nobody and remove it: then it is made anew. 1: it was
 * removed. */
static int try_dir(struct launch_start *s, struct err *e)
{
	const struct launch *l = s->launch;
	struct stat st;
	int r;

	if (mkdirat(l->sandboxes_fd, s->spec.id, 0700) < 0)
		return err_sys(e, "sandbox %s", s->spec.id);
	s->dir_fd = openat(l->sandboxes_fd, s->spec.id,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir_fd < 0)
		return errno == ENOENT ? 1 : err_sys(e, "sandbox %s", s->spec.id);
	/* Who has it is looking at an empty directory: a matter of microseconds. */
	do
		r = flock(s->dir_fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(s->dir_fd, &st) < 0)
		return err_sys(e, "sandbox %s: lock", s->spec.id);
	if (st.st_nlink > 0)
		return 0;
	fd_close(&s->dir_fd);
	return 1;
}

static int make_dir(struct launch_start *s, struct err *e)
{
	for (int tries = 0; tries < 8; tries++) {
		int r = try_dir(s, e);

		if (r <= 0)
			return r;
	}
	return err_set(e, EBUSY, "sandbox %s: its directory is swept away again and again",
		       s->spec.id);
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
	if (s->policy && !l->config.scanner)
		return err_set(e, EINVAL, "policy %s: there is no carrel-scan", s->policy);
	if (s->volume.name && !l->config.volumes)
		return err_set(e, EINVAL, "volume %s: there is no directory of volumes",
			       s->volume.name);
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
	loop_timer_set(l->loop, &s->begin, 0, begin, s);
	return 0;
}

bool launch_cancel(struct launch *l, const char *id)
{
	for (struct launch_start *s = l->starts; s; s = s->next) {
		if (strcmp(s->spec.id, id) != 0)
			continue;
		(void) err_set(&s->err, ECANCELED, "the start was cancelled");
		if (!s->failing)
			failed(s, 0);
		return true;
	}
	return false;
}

void launch_starts_end(struct launch *l)
{
	for (struct launch_start *s; (s = l->starts);) {
		kill_shim(s);
		l->starts = s->next;
		start_free(s);
	}
}
