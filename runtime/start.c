/* start: tells the waiting init to execute its program, and reports if it cannot. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "runtime/container.h"
#include "runtime/notify.h"
#include "runtime/sync.h"

static int check_startable(struct container *c, const char *id, struct err *e)
{
	enum state_status status;

	if (!c->state)
		return err_set(e, EINVAL,
			       "container %s was left half-made by a runtime that was killed; "
			       "`delete --force` removes it",
			       id);
	/* Frozen or not makes no difference here, and costs a look into the cgroup. */
	if (state_status(c->dir_fd, c->state, NULL, &status, e) < 0)
		return -1;
	switch (status) {
	case STATE_CREATED:
		return 0;
	case STATE_STOPPED:
		return err_set(e, EINVAL, "cannot start a container that has stopped");
	case STATE_RUNNING:
	case STATE_PAUSED:
		return err_set(e, EINVAL, "cannot start an already running container");
	default:
		return err_set(e, EINVAL, "cannot start a container in the %s state",
			       state_status_name(status));
	}
}

/* The name goes first: after it, the container counts as running, and when we are killed between the two,
 * init sees the connection end without SYNC_START and ends as well. */
static int tell_init(struct container *c, struct err *e)
{
	auto_close int fd = sock_connect_at(c->dir_fd, STATE_START_SOCKET, SOCK_SEQPACKET, e);

	if (fd < 0)
		return -1;
	if (unlinkat(c->dir_fd, STATE_START_SOCKET, 0) < 0)
		return err_sys(e, "%s", STATE_START_SOCKET);
	if (sync_send(fd, SYNC_START, e) < 0)
		return -1;
	return sync_expect_eof(fd, e);
}

/* Whatever fails here, the container starts: it is no worse when nobody hears of it. */
static void listen_for_word(const struct container_env *env, const struct container *c,
			    struct notify *n, int *init_fd)
{
	struct err why = ERR_NONE;

	if (!env->notify_socket || !notify_offered(c->dir_fd))
		return;
	*init_fd = state_open_init(c->state, &why);
	if (*init_fd < 0)
		return;
	if (notify_open(c->dir_fd, env->notify_socket, n, &why) < 0)
		env->warn(why.msg);
}

int container_start(const struct container_env *env, const char *id, struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;
	auto_notify struct notify n = NOTIFY_NONE;
	auto_close int init_fd = FD_NONE;
	struct err ignored = ERR_NONE; /* the hook's failure is the one to report */

	if (container_open(env, id, STATE_EXCLUSIVE, &c, e) < 0 ||
	    check_startable(&c, id, e) < 0)
		return -1;
	listen_for_word(env, &c, &n, &init_fd);
	if (tell_init(&c, e) < 0)
		return -1;
	if (container_run_hooks(c.state, HOOK_POSTSTART, STATE_RUNNING, c.state->pid, e) < 0) {
		(void) container_kill_init(c.state, &ignored);
		return -1;
	}
	/* Who deletes the container does not wait until it is ready. */
	state_unlock(c.dir_fd);
	if (notify_wait(&n, init_fd, c.state->pid, &ignored) < 0)
		env->warn(ignored.msg);
	return 0;
}
