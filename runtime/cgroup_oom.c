/*
 * Being told when the OOM killer comes: on v1 an eventfd tied to memory.oom_control, on v2 inotify on memory.events.
 *
 * v1 signals the eventfd once more when the group is removed; what came before that still counts. On v2 the count
 * itself is read, so that nothing is lost when the notice comes late, or not before the container has ended.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "runtime/cgroup_stats.h"

struct cgroup_oom {
	int fd;	     /* eventfd or inotify */
	int file_fd; /* memory.oom_control or memory.events */
	int dir_fd;  /* v1 */
	bool v2;
	uint64_t seen;
};

void cgroup_oom_free_ptr(struct cgroup_oom **o)
{
	if (!*o)
		return;
	fd_close(&(*o)->fd);
	fd_close(&(*o)->file_fd);
	fd_close(&(*o)->dir_fd);
	free(*o);
	*o = NULL;
}

int cgroup_oom_fd(const struct cgroup_oom *o)
{
	return o->fd;
}

static int kills(const struct cgroup_oom *o, uint64_t *out, struct err *e)
{
	static const struct stats_key row[] = { { "oom_kill", 0, 1 } };
	char text[512];
	ssize_t n = pread(o->file_fd, text, sizeof(text) - 1, 0);

	*out = o->seen;
	/* The group is gone: nobody can say any more. */
	if (n < 0 && errno == ENODEV)
		return 0;
	if (n < 0)
		return err_sys(e, "read memory.events");
	text[n] = '\0';
	stats_parse_keys(text, row, 1, out);
	return 0;
}

static int watch_v1(const struct cgroup_hier *h, struct cgroup_oom *o, struct err *e)
{
	char text[40];
	const int dir = cgroup_dir(h, e);

	if (dir < 0)
		return -1;
	o->dir_fd = fd_dup(dir, e);
	if (o->dir_fd < 0)
		return -1;
	o->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->fd < 0)
		return err_sys(e, "eventfd");
	o->file_fd = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (o->file_fd < 0)
		return err_sys(e, "open %s/memory.oom_control", h->path);
	snprintf(text, sizeof(text), "%d %d", o->fd, o->file_fd);
	return cgroup_write(h, NULL, "cgroup.event_control", text, e);
}

static int watch_v2(const struct cgroup_hier *h, struct cgroup_oom *o, struct err *e)
{
	const int dir = cgroup_dir(h, e);

	if (dir < 0)
		return -1;
	o->file_fd = openat(dir, "memory.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (o->file_fd < 0)
		return err_sys(e, "open %s/memory.events", h->path);
	o->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (o->fd < 0)
		return err_sys(e, "inotify");
	if (inotify_add_watch(o->fd, fd_path(o->file_fd).s, IN_MODIFY) < 0)
		return err_sys(e, "watch %s/memory.events", h->path);
	return kills(o, &o->seen, e);
}

int cgroup_oom_open(const struct cgroup *cg, struct cgroup_oom **out, struct err *e)
{
	auto_cleanup(cgroup_oom_free_ptr) struct cgroup_oom *o = xalloc(sizeof(*o));
	const struct cgroup_hier *h =
		cg->mode == CGROUP_V2 && cg->n ? &cg->h[0] : cgroup_hier_of(cg, CTRL_MEMORY);

	o->fd = o->file_fd = o->dir_fd = FD_NONE;
	o->v2 = cg->mode == CGROUP_V2;
	if (!h)
		return err_set(e, ENOTSUP,
			       "the OOM killer is not watched: the container has no memory "
			       "cgroup");
	if ((o->v2 ? watch_v2(h, o, e) : watch_v1(h, o, e)) < 0)
		return err_wrap(e, "the OOM killer is not watched");
	*out = take_ptr(&o);
	return 0;
}

static int take_v1(struct cgroup_oom *o, unsigned *n)
{
	uint64_t count = 0;

	if (read(o->fd, &count, sizeof(count)) != sizeof(count))
		count = 0;
	if (count && faccessat(o->dir_fd, "memory.oom_control", F_OK, 0) < 0)
		count--;
	*n = (unsigned) count;
	return 0;
}

int cgroup_oom_take(struct cgroup_oom *o, unsigned *n, struct err *e)
{
	char events[4096];
	uint64_t now;

	*n = 0;
	if (!o->v2)
		return take_v1(o, n);
	while (read(o->fd, events, sizeof(events)) > 0)
		;
	if (kills(o, &now, e) < 0)
		return -1;
	if (now > o->seen)
		*n = (unsigned) (now - o->seen);
	o->seen = now;
	return 0;
}
