/*
 * After the end: what a shim left is read, undone and removed, and what nobody owns any more is found.
 *
 * The order of undoing: the sandbox itself (carrel-shim --sweep: processes, cgroup, runtime state), the runtime's state when
 * it is still there (whoever should have deleted it was killed over it), the uid slot, the directory. As long as the directory is there, its name is taken: a slot that was looked up by that name cannot be
 * another sandbox's. Locks are taken in this order too: the directory's flock, then DIR/lock, so that nobody but a
 * collector ever stands in the way of a shim that is just starting.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/launch_internal.h"

enum { RETRY_MS = 5, GIVE_UP_MS = 30000 };

/* How carrel-shim --sweep says that somebody has DIR/lock. */
enum { SWEEP_BUSY = 3 };

struct launch_collect {
	struct launch_collect *next;
	struct launch *launch;
	char *id;
	int dir_fd; /* flock held while we work, so that no other collector does */
	bool found;
	uint64_t deadline_ms;
	struct loop_timer timer;
	struct launch_child *sweeper;
	struct launch_exit exit;
	launch_collect_fn fn;
	void *arg;
};

static void copy_text(char *dst, size_t n, const char *src)
{
	(void) snprintf(dst, n, "%s", src ? src : "");
}

static int decode_exit(const struct json *v, struct launch_exit *out, struct err *e)
{
	const struct json *usage = json_get(v, "usage"), *oom = json_get(v, "oom");

	*out = (struct launch_exit){ 0 };
	if (launch_reason_parse(json_str_or(v, "reason", ""), &out->reason, e) < 0)
		return -1;
	out->code = (int) json_int_or(v, "code", 0);
	out->signal = (int) json_int_or(v, "signal", 0);
	out->oom_kills = (uint32_t) json_int_or(v, "oom_kills", 0);
	out->oom_limit = (uint64_t) json_int_or(oom, "limit", 0);
	out->oom_own_limit = json_bool_or(oom, "own_limit", false);
	copy_text(out->started_at, sizeof(out->started_at), json_str_or(v, "started_at", ""));
	copy_text(out->ended_at, sizeof(out->ended_at), json_str_or(v, "ended_at", ""));
	copy_text(out->error, sizeof(out->error), json_str_or(v, "error", ""));
	out->cpu_ns = (uint64_t) json_int_or(usage, "cpu_ns", 0);
	out->memory_peak = (uint64_t) json_int_or(usage, "memory_peak", 0);
	out->io_read_bytes = (uint64_t) json_int_or(usage, "io_read_bytes", 0);
	out->io_write_bytes = (uint64_t) json_int_or(usage, "io_write_bytes", 0);
	out->output_bytes = (uint64_t) json_int_or(usage, "output_bytes", 0);
	out->input_bytes = (uint64_t) json_int_or(usage, "input_bytes", 0);
	return 0;
}

static int open_dir(const struct launch *l, const char *id)
{
	return openat(l->sandboxes_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int launch_exit_read(struct launch *l, const char *id, struct launch_exit *out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	auto_close int dir = launch_id_valid(id) ? open_dir(l, id) : -1;

	if (dir < 0)
		return 0;
	if (faccessat(dir, "exit.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (json_parse_file(dir, "exit.json", NULL, &doc, e) < 0 ||
	    decode_exit(json_root(doc), out, e) < 0)
		return err_wrap(e, "sandbox %s: exit.json", id);
	return 1;
}

static void collect_free(struct launch_collect *c)
{
	for (struct launch_collect **p = &c->launch->collects; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		break;
	}
	loop_timer_del(&c->timer);
	launch_child_forget(c->sweeper);
	fd_close(&c->dir_fd);
	free(c->id);
	free(c);
}

static void done(struct launch_collect *c, const struct err *err)
{
	launch_collect_fn fn = c->fn;
	void *arg = c->arg;
	struct launch_exit left = c->exit;
	bool found = c->found;

	collect_free(c);
	fn(arg, found ? &left : NULL, err);
}

/* True when DIR/lock can be had, or is not there: no shim lives. */
static bool shim_is_dead(int dir_fd)
{
	auto_close int fd = openat(dir_fd, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static bool exists(int dir_fd, const char *name)
{
	return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void remove_rest(struct launch_collect *c)
{
	struct err e = ERR_NONE;

	if (c->dir_fd < 0) {
		done(c, NULL);
		return;
	}
	launch_slot_release_id(c->launch, c->id, c->dir_fd);
	if (fd_remove_tree(c->launch->sandboxes_fd, c->id, &e) < 0) {
		(void) err_wrap(&e, "sandbox %s", c->id);
		done(c, &e);
		return;
	}
	done(c, NULL);
}

static void read_exit(struct launch_collect *c)
{
	struct err e = ERR_NONE;

	if (launch_exit_read(c->launch, c->id, &c->exit, &e) == 1)
		return;
	c->exit = (struct launch_exit){ .reason = LAUNCH_ERROR };
	copy_text(c->exit.ended_at, sizeof(c->exit.ended_at), clock_rfc3339_now().s);
	copy_text(c->exit.error, sizeof(c->exit.error),
		  e.code ? e.msg : "the shim ended without a record of why");
}

static void on_deleted(void *arg, const struct child_status *status, const char *text)
{
	struct launch_collect *c = arg;
	struct err e = ERR_NONE;

	c->sweeper = NULL;
	if (!status->signalled && status->code == 0) {
		remove_rest(c);
		return;
	}
	(void) err_set(&e, EIO, "sandbox %s: carrel-runtime delete: %s %d: %.*s", c->id,
		       status->signalled ? "signal" : "exit code", status->code,
		       (int) strcspn(text, "\n"), text);
	done(c, &e);
}

/* The last of it but slot and directory. */
static void delete_state(struct launch_collect *c)
{
	struct launch *l = c->launch;
	char *argv[] = { (char *) "carrel-runtime",
			 (char *) "--root",
			 l->runtime_root,
			 (char *) "delete",
			 (char *) "--force",
			 c->id,
			 NULL };
	struct err e = ERR_NONE;

	if (!exists(l->runtime_fd, c->id)) {
		remove_rest(c);
		return;
	}
	c->sweeper =
		launch_child_start(l, l->config.runtime, argv, true, -1, on_deleted, c, &e);
	if (!c->sweeper)
		done(c, &e);
}

static void attempt(void *arg);

static void try_again(struct launch_collect *c)
{
	struct err e = ERR_NONE;

	if (clock_mono_ms() < c->deadline_ms) {
		loop_timer_set(c->launch->loop, &c->timer, RETRY_MS, attempt, c);
		return;
	}
	(void) err_set(&e, EBUSY, "sandbox %s: its shim does not end", c->id);
	done(c, &e);
}

static void on_swept(void *arg, const struct child_status *status, const char *text)
{
	struct launch_collect *c = arg;
	struct err e = ERR_NONE;

	c->sweeper = NULL;
	if (!status->signalled && status->code == SWEEP_BUSY) {
		try_again(c); /* the sweeper of a daemon that died, most likely */
		return;
	}
	if (status->signalled || status->code != 0) {
		(void) err_set(&e, EIO, "sandbox %s: carrel-shim --sweep: %s %d: %.*s", c->id,
			       status->signalled ? "signal" : "exit code", status->code,
			       (int) strcspn(text, "\n"), text);
		done(c, &e);
		return;
	}
	/* The sweeper may have written the record that the shim owed. */
	read_exit(c);
	delete_state(c);
}

static void sweep(struct launch_collect *c)
{
	struct launch *l = c->launch;
	auto_free char *dir = xasprintf("%s/%s", l->sandboxes, c->id);
	char *argv[] = { (char *) "carrel-shim", (char *) "--dir", dir, (char *) "--sweep",
			 NULL };
	struct err e = ERR_NONE;

	c->sweeper = launch_child_start(l, l->config.shim, argv, true, -1, on_swept, c, &e);
	if (!c->sweeper)
		done(c, &e);
}

/* The directory, with its flock: 1 had, 0 somebody else has it, -1 there is none. */
static int claim(struct launch_collect *c)
{
	struct stat st;

	if (c->dir_fd < 0)
		c->dir_fd = open_dir(c->launch, c->id);
	if (c->dir_fd < 0)
		return -1;
	if (flock(c->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	/* What is open here may have been removed by another collector meanwhile. */
	if (fstat(c->dir_fd, &st) == 0 && st.st_nlink > 0)
		return 1;
	return -1;
}

/* One attempt; comes back by the timer while the shim or another collector is at work. */
static void attempt(void *arg)
{
	struct launch_collect *c = arg;
	int r = claim(c);

	if (r < 0) {
		fd_close(&c->dir_fd);
		delete_state(c);
		return;
	}
	if (r == 0 || !shim_is_dead(c->dir_fd)) {
		try_again(c);
		return;
	}
	c->found = true;
	read_exit(c);
	/* A shim that came to its own end took bundle/ with it; without orders there was never a shim. */
	if (exists(c->dir_fd, "bundle") && exists(c->dir_fd, "sandbox.json"))
		sweep(c);
	else
		delete_state(c);
}

int launch_collect(struct launch *l, const char *id, launch_collect_fn fn, void *arg,
		   struct err *e)
{
	struct launch_collect *c;

	if (!launch_id_valid(id))
		return err_set(e, ENOENT, "no sandbox \"%s\"", id);
	c = xalloc(sizeof(*c));
	*c = (struct launch_collect){ .launch = l,
				      .id = xstrdup(id),
				      .dir_fd = FD_NONE,
				      .fn = fn,
				      .arg = arg,
				      .deadline_ms = clock_mono_ms() + GIVE_UP_MS };
	c->next = l->collects;
	l->collects = c;
	loop_timer_set(l->loop, &c->timer, 0, attempt, c);
	return 0;
}

void launch_collects_end(struct launch *l)
{
	for (struct launch_collect *c; (c = l->collects);) {
		l->collects = c->next;
		collect_free(c);
	}
}

/* A directory that somebody is starting or collecting is not looked into. */
static enum launch_found examine(int dir_fd)
{
	bool dead;

	if (flock(dir_fd, LOCK_EX | LOCK_NB) < 0)
		return LAUNCH_STARTING;
	dead = shim_is_dead(dir_fd);
	(void) flock(dir_fd, LOCK_UN);
	return dead ? LAUNCH_DEAD : LAUNCH_ALIVE;
}

/* The runtime's states without a directory: their shims' directories went, their `delete` was killed. */
static int scan_states(struct launch *l, launch_scan_fn fn, void *arg, struct err *e)
{
	int fd = openat(l->runtime_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		(void) err_sys(e, "list %s", l->runtime_root);
		fd_close(&fd);
		return -1;
	}
	for (struct dirent *entry; (entry = readdir(d));)
		if (launch_id_valid(entry->d_name) && !exists(l->sandboxes_fd, entry->d_name))
			fn(arg, entry->d_name, LAUNCH_DEAD);
	(void) closedir(d);
	return 0;
}

int launch_scan(struct launch *l, launch_scan_fn fn, void *arg, struct err *e)
{
	int fd = openat(l->sandboxes_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		(void) err_sys(e, "list %s", l->sandboxes);
		fd_close(&fd);
		return -1;
	}
	for (struct dirent *entry; (entry = readdir(d));) {
		auto_close int dir =
			launch_id_valid(entry->d_name) ? open_dir(l, entry->d_name) : -1;

		if (dir >= 0)
			fn(arg, entry->d_name, examine(dir));
	}
	(void) closedir(d);
	if (scan_states(l, fn, arg, e) < 0)
		return -1;
	launch_templates_sweep(l);
	return launch_slots_sweep(l, e);
}
