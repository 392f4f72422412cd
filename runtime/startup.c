/* A startup's first and last moments: empty, taken back, freed. What lies between is create.c's. */
#include "runtime/startup.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

enum { TEXT_MAX = 1 << 20, REMOVE_WAIT_MS = 10000 };

void startup_init(struct startup *s, const struct container_env *env,
		  const struct create_args *a)
{
	*s = (struct startup){
		.env = env,
		.args = a,
		.c = CONTAINER_NONE,
		.bundle_fd = -1,
		.rootfs_fd = -1,
		.sync_fd = -1,
		.console_fd = -1,
		.pidfd_sock_fd = -1,
		.rdt_tasks = { -1, -1 },
		.child = CHILD_NONE,
		.notify = NOTIFY_NONE,
		.cgroup_text = BUF_LIMIT(TEXT_MAX),
		.state_text = BUF_LIMIT(TEXT_MAX),
		.notify_text = BUF_LIMIT(TEXT_MAX),
		.init = { .sync_fd = -1,
			  .start_fd = -1,
			  .console_sock_fd = -1,
			  .root_fd = -1,
			  .seccomp_notify_fd = -1 },
	};
	for (int k = 0; k < NS_COUNT; k++)
		s->init.ns_fds[k] = -1;
}

void startup_undo(struct startup *s)
{
	struct err ignored = ERR_NONE; /* the failure that led here is the one to report */

	child_end(&s->child);
	startup_network_undo(s);
	if (s->c.cgroup)
		(void) cgroup_remove(s->c.cgroup, REMOVE_WAIT_MS, &ignored);
	(void) rdt_remove(&s->rdt, &ignored);
	if (s->made_state)
		(void) state_dir_remove(s->c.root_fd, s->c.dir_fd, s->args->id, &ignored);
	if (s->wrote_pid_file)
		(void) unlink(s->args->pid_file);
	s->made_state = false;
}

void startup_fini(struct startup *s)
{
	for (size_t i = 0; s->source_fds && i < s->spec->n_mounts; i++)
		fd_close(&s->source_fds[i]);
	free(s->source_fds);
	ns_close(s->init.ns_fds);
	for (int i = 0; i < RDT_TASKS; i++)
		fd_close(&s->rdt_tasks[i]);
	fd_close(&s->init.sync_fd);
	fd_close(&s->init.start_fd);
	fd_close(&s->init.console_sock_fd);
	fd_close(&s->init.root_fd);
	fd_close(&s->init.seccomp_notify_fd);
	fd_close(&s->sync_fd);
	fd_close(&s->console_fd);
	fd_close(&s->pidfd_sock_fd);
	fd_close(&s->bundle_fd);
	fd_close(&s->rootfs_fd);
	fd_close(&s->child.pidfd);
	notify_close(&s->notify);
	filter_program_fini(&s->filter);
	cgroup_free_ptr(&s->planned);
	buf_fini(&s->cgroup_text);
	buf_fini(&s->state_text);
	buf_fini(&s->notify_text);
	container_close(&s->c);
	spec_free_ptr(&s->spec);
	free(take_ptr(&s->bundle));
	free(take_ptr(&s->rootfs));
	free(take_ptr(&s->config));
}
