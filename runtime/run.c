/* run: create and start in one, without the start socket; in the foreground also the wait and the delete. */
#include <errno.h>

#include "base/err.h"
#include "base/fd.h"
#include "runtime/foreground.h"
#include "runtime/startup.h"
#include "runtime/sync.h"

static int poststart(struct startup *s, struct err *e)
{
	const struct hook_list *l = &s->spec->hooks.kind[HOOK_POSTSTART];
	auto_buf struct buf text = BUF_LIMIT(1 << 20);
	const struct state_view v = {
		.oci_version = s->spec->oci_version,
		.id = s->args->id,
		.bundle = s->bundle,
		.status = STATE_RUNNING,
		.pid = s->child.pid,
		.annotations = s->spec->annotations,
	};

	if (!l->n)
		return 0;
	if (state_render(&v, false, &text, e) < 0)
		return -1;
	return hooks_run(l, HOOK_POSTSTART, buf_str(&text), e);
}

/* Up to the point where the container's program executes. */
static int begin(struct startup *s, struct err *e)
{
	if (!s->args->detach && foreground_block_signals(e) < 0)
		return -1;
	if (startup_create(s, e) < 0 || sync_expect_eof(s->sync_fd, e) < 0)
		return -1;
	return poststart(s, e);
}

/* The state as delete reads it; the lock was given up while the container ran, so somebody may have deleted it. */
static int remove_container(struct startup *s, struct err *e)
{
	const struct container_env *env = s->env;

	container_close(&s->c);
	return container_delete(env, s->args->id, true, e);
}

static int in_foreground(struct startup *s, int *code, struct err *e)
{
	auto_close int master = FD_NONE;

	if (s->console_fd >= 0) {
		master = foreground_receive_console(s->console_fd, e);
		if (master < 0)
			return -1;
	}
	state_unlock(s->c.dir_fd);
	return foreground_wait(&s->child, master, code, e);
}

int container_run(const struct container_env *env, const struct create_args *a, int *code,
		  struct err *e)
{
	struct startup s;
	int r;

	startup_init(&s, env, a);
	s.run = true;
	*code = 0;
	r = begin(&s, e);
	if (r < 0)
		startup_undo(&s);
	else if (a->detach)
		state_unlock(s.c.dir_fd);
	else {
		r = in_foreground(&s, code, e);
		if (r < 0)
			startup_undo(&s);
		else if (!a->keep)
			r = remove_container(&s, e);
	}
	startup_fini(&s);
	return r;
}
