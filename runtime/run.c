/* run: create and start in one, without the start socket; in the foreground also the wait and the delete. */
#include <errno.h>

#include "base/err.h"
#include "base/fd.h"
#include "runtime/foreground.h"
#include "runtime/startup.h"
#include "runtime/sync.h"

enum { REMOVE_WAIT_MS = 10000 };

static int render(const struct startup *s, enum state_status status, pid_t pid, struct buf *out,
		  struct err *e)
{
	const struct state_view v = {
		.oci_version = s->spec->oci_version,
		.id = s->args->id,
		.bundle = s->bundle,
		.status = status,
		.pid = pid,
		.annotations = s->spec->annotations,
	};

	return state_render(&v, false, out, e);
}

static int poststart(struct startup *s, struct err *e)
{
	const struct hook_list *l = &s->spec->hooks.kind[HOOK_POSTSTART];
	auto_buf struct buf text = BUF_LIMIT(1 << 20);

	if (!l->n)
		return 0;
	if (render(s, STATE_RUNNING, s->child.pid, &text, e) < 0)
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

static void poststop(struct startup *s)
{
	const struct hook_list *l = &s->spec->hooks.kind[HOOK_POSTSTOP];
	auto_buf struct buf text = BUF_LIMIT(1 << 20);
	struct err why = ERR_NONE;

	if (l->n && (render(s, STATE_STOPPED, 0, &text, &why) < 0 ||
		     hooks_run(l, HOOK_POSTSTOP, buf_str(&text), &why) < 0))
		s->env->warn(why.msg);
}

/* What delete does, with what is known already. The lock was given up while the container ran: somebody else may have
 * deleted it meanwhile. */
static int remove_container(struct startup *s, struct err *e)
{
	bool gone;

	if (state_lock_again(s->c.dir_fd, &gone, e) < 0)
		return -1;
	if (gone)
		return 0;
	if (cgroup_remove(s->c.cgroup, REMOVE_WAIT_MS, e) < 0 || rdt_remove(&s->rdt, e) < 0)
		return -1;
	poststop(s);
	if (startup_network_end(s, e) < 0)
		return -1;
	return state_dir_remove(s->c.root_fd, s->c.dir_fd, s->args->id, e);
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
	return foreground_wait(&s->child, master, &s->notify, code, e);
}

static void await_ready(struct startup *s)
{
	struct err why = ERR_NONE;

	if (notify_wait(&s->notify, s->child.pidfd, s->child.pid, &why) < 0)
		s->env->warn(why.msg);
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
	else if (a->detach) {
		state_unlock(s.c.dir_fd);
		await_ready(&s);
	} else {
		r = in_foreground(&s, code, e);
		if (r < 0)
			startup_undo(&s);
		else if (!a->keep)
			r = remove_container(&s, e);
	}
	startup_fini(&s);
	return r;
}
