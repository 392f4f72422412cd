#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/sock.h"
#include "runtime/spec.h"
#include "runtime/startup.h"

enum { END_WAIT_MS = 10000, HOOK_STATE_MAX = 1 << 20 };

int container_open(const struct container_env *env, const char *id, enum state_lock lock,
		   struct container *out, struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;

	if (state_id_check(id, e) < 0)
		return -1;
	c.root_fd = state_root_open(env->root, false, e);
	if (c.root_fd < 0)
		return e->code == ENOENT ? err_set(e, ENOENT, "container %s does not exist", id)
					 : -1;
	c.dir_fd = state_dir_open(c.root_fd, id, lock, e);
	if (c.dir_fd < 0)
		return -1;
	if (state_load(c.dir_fd, &c.state, e) < 0)
		return err_wrap(e, "container %s", id);
	*out = c;
	c = CONTAINER_NONE;
	return 0;
}

void container_close(struct container *c)
{
	cgroup_free_ptr(&c->cgroup);
	state_free_ptr(&c->state);
	fd_close(&c->dir_fd);
	fd_close(&c->root_fd);
}

int container_need_cgroup(struct container *c, struct err *e)
{
	if (c->cgroup || !c->state)
		return 0;
	return cgroup_load(c->state->cgroup, &c->cgroup, e);
}

int container_status(struct container *c, enum state_status *out, struct err *e)
{
	if (!c->state) {
		*out = STATE_CREATING;
		return 0;
	}
	if (container_need_cgroup(c, e) < 0)
		return -1;
	return state_status(c->dir_fd, c->state, c->cgroup, out, e);
}

int container_connect_pidfd(const char *path, struct err *e)
{
	const int fd = sock_connect_at(AT_FDCWD, path, SOCK_STREAM, e);

	return fd < 0 ? err_wrap(e, "--pidfd-socket") : fd;
}

int container_send_pidfd(int sock_fd, int pidfd, struct err *e)
{
	static const char name[] = "pidfd";

	if (sock_send(sock_fd, name, sizeof(name) - 1, &pidfd, 1, e) < 0)
		return err_wrap(e, "--pidfd-socket");
	return 0;
}

int container_write_pid_file(const char *path, pid_t pid, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir =
		slash ? xstrndup(path, (size_t) (slash - path) + 1) : xstrdup(".");
	auto_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[16];

	if (dir_fd < 0)
		return err_sys(e, "pid file %s", path);
	const int n = snprintf(text, sizeof(text), "%d", pid);
	if (fd_write_atomic(dir_fd, slash ? slash + 1 : path, text, (size_t) n, 0644, false,
			    e) < 0)
		return err_wrap(e, "pid file %s", path);
	return 0;
}

int container_hook_state(const struct state *s, enum state_status status, pid_t pid,
			 struct buf *out, struct err *e)
{
	const struct state_view v = {
		.oci_version = s->oci_version,
		.id = s->id,
		.bundle = s->bundle,
		.status = status,
		.pid = pid,
		.annotations = s->annotations,
	};

	return state_render(&v, false, out, e);
}

int container_notify_state(const char *oci_version, const char *metadata, pid_t pid,
			   const char *state_json, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);
	struct json_doc *state;

	if (json_parse(state_json, strlen(state_json), NULL, &state, e) < 0)
		return -1;
	jw_object(w, NULL);
	jw_str(w, "ociVersion", oci_version);
	jw_array(w, "fds");
	jw_str(w, NULL, "seccompFd");
	jw_close(w);
	jw_int(w, "pid", pid);
	if (metadata)
		jw_str(w, "metadata", metadata);
	jw_node(w, "state", json_root(state));
	jw_close(w);
	const int r = json_writer_end(w, e);
	json_doc_free(state);
	return r;
}

int container_run_hooks(const struct state *s, enum hook_kind k, enum state_status status,
			pid_t pid, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(HOOK_STATE_MAX);
	auto_spec struct spec *spec = NULL;
	struct json_doc *doc = NULL;

	if (!json_get(s->hooks, hook_kind_name(k)))
		return 0;
	doc = json_doc_new();
	if (spec_from_hooks(doc, s->hooks, &spec, e) < 0) {
		json_doc_free(doc);
		return -1;
	}
	if (container_hook_state(s, status, pid, &text, e) < 0)
		return -1;
	return hooks_run(&spec->hooks.kind[k], k, buf_str(&text), e);
}

int container_kill_init(const struct state *s, struct err *e)
{
	struct err why = ERR_NONE;
	auto_close int init = state_open_init(s, &why);
	struct pollfd p = { .fd = init, .events = POLLIN };
	const uint64_t end = clock_mono_ms() + END_WAIT_MS;

	if (init < 0) {
		if (!why.code)
			return 0;
		*e = why;
		return -1;
	}
	if (syscall(SYS_pidfd_send_signal, init, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, "kill init (pid %d)", s->pid);
	for (;;) {
		const uint64_t now = clock_mono_ms();
		const int r = now < end ? poll(&p, 1, (int) (end - now)) : 0;

		if (r > 0)
			return 0;
		if (r == 0)
			return err_set(e, ETIMEDOUT,
				       "init (pid %d) did not end within %d seconds of SIGKILL",
				       s->pid, END_WAIT_MS / 1000);
		if (errno != EINTR)
			return err_sys(e, "poll");
	}
}

/* The state names a cgroup that its runtime may not even have made: nothing there is killed, as it could be
 * somebody else's. An init that is on its way either writes its pid in a moment, or ends as its runtime has. Returns
 * 1 when it did the former. */
static int remove_half_made(struct container *c, struct err *e)
{
	const uint64_t end = clock_mono_ms() + END_WAIT_MS;
	auto_free pid_t *pids = NULL;
	size_t n = 0;

	if (!c->state)
		return 0; /* killed before it wrote anything */
	if (container_need_cgroup(c, e) < 0)
		return -1;
	for (;;) {
		free(take_ptr(&pids));
		if (cgroup_pids(c->cgroup, &pids, &n, e) < 0 ||
		    state_read_init(c->dir_fd, c->state, e) < 0)
			return -1;
		if (c->state->pid > 0)
			return 1;
		if (n == 0)
			return cgroup_remove(c->cgroup, END_WAIT_MS, e);
		if (clock_mono_ms() > end)
			return err_set(
				e, EBUSY,
				"its cgroup holds process %d, which is not known to be its "
				"own",
				pids[0]);
		(void) poll(NULL, 0, 20);
	}
}

static int remove_made(const struct container_env *env, struct container *c, struct err *e)
{
	struct err why = ERR_NONE;

	if (container_need_cgroup(c, e) < 0)
		return -1;
	/* On v1 a frozen process does not die. */
	(void) cgroup_freeze(c->cgroup, false, &why);
	if (container_kill_init(c->state, e) < 0 ||
	    cgroup_remove(c->cgroup, END_WAIT_MS, e) < 0)
		return -1;
	why = ERR_NONE;
	if (container_run_hooks(c->state, HOOK_POSTSTOP, STATE_STOPPED, 0, &why) < 0)
		env->warn(why.msg);
	return 0;
}

int container_destroy(const struct container_env *env, struct container *c, const char *id,
		      struct err *e)
{
	bool made = c->state && c->state->pid > 0;

	if (!made) {
		const int r = remove_half_made(c, e);

		if (r < 0)
			return -1;
		made = r == 1;
	}
	if ((made && remove_made(env, c, e) < 0) || container_remove_network(c, e) < 0)
		return -1;
	if (c->state && rdt_remove(&c->state->rdt, e) < 0)
		return -1;
	return state_dir_remove(c->root_fd, c->dir_fd, id, e);
}
