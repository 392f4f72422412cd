#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/sock.h"
#include "base/util.h"
#include "runtime/mount_target.h"
#include "runtime/restore.h"
#include "runtime/rootfs.h"
#include "runtime/sync.h"

static bool is_kind(const struct mount_spec *m, const char *type)
{
	return m->type && strcmp(m->type, type) == 0;
}

/* What a tmpfs holds is in the images. */
static bool is_on_tmpfs(const struct spec *s, const char *path)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		auto_free char *target = path_clean(s->mounts[i].target);
		const size_t n = strlen(target);

		if (is_kind(&s->mounts[i], "tmpfs") && strncmp(path, target, n) == 0 &&
		    path[n] == '/')
			return true;
	}
	return false;
}

static int make_point(const struct restore *r, const struct mount_spec *m, int root_fd,
		      struct err *e)
{
	const struct mount_origin from = {
		.bundle_fd = AT_FDCWD, /* the bundle, in this mount namespace */
		.container_idmap = ns_has(&r->s.spec->ns, NS_USER) ? &r->s.spec->idmap : NULL,
	};
	const struct mount_place where = { .root_fd = root_fd };
	auto_free char *path = path_clean(m->target);
	auto_close int source = FD_NONE, made = FD_NONE, late = FD_NONE;

	if ((m->extra & MOUNT_REMOUNT) || is_kind(m, "cgroup") || is_kind(m, "cgroup2") ||
	    is_on_tmpfs(r->s.spec, path))
		return 0;
	if ((m->extra & MOUNT_BIND) && !(m->extra & MOUNT_FROM_INSIDE)) {
		if (mount_open_source(m, &from, &source, e) < 0)
			return -1;
		return mount_attach(m, source, &where, &late, e);
	}
	made = mount_target_open(m, root_fd, true, FD_NONE, e);
	return made < 0 ? -1 : 0;
}

static int make_points(const struct restore *r, struct err *e)
{
	const struct spec *s = r->s.spec;
	auto_close int root_fd = rootfs_attach(FD_NONE, &s->root, e);

	if (root_fd < 0)
		return -1;
	if (chdir(r->s.bundle) < 0)
		return err_sys(e, "bundle %s", r->s.bundle);
	for (size_t i = 0; i < s->n_mounts; i++) {
		if (make_point(r, &s->mounts[i], root_fd, e) < 0)
			return err_wrap(e, "mounts[%zu]: %s", i, s->mounts[i].target);
	}
	return 0;
}

int restore_make_points(struct restore *r, struct err *e)
{
	const struct ns_spec mounts = { .ns[NS_MNT].listed = true };
	struct child child = CHILD_NONE;
	struct child_status status;
	struct err ignored = ERR_NONE;
	int none[NS_COUNT], pair[2];

	for (int k = 0; k < NS_COUNT; k++)
		none[k] = FD_NONE;
	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	auto_close int ours = pair[0], theirs = pair[1];
	const int made = ns_clone_at(r->s.rootfs_fd, &mounts, none, -1, &child, e);
	if (made == 0) {
		struct err why = ERR_NONE;

		if (make_points(r, &why) < 0)
			(void) sync_send_failed(theirs, &why, &ignored);
		_exit(why.code != 0);
	}
	if (made < 0)
		return -1;
	fd_close(&theirs);
	const int result = sync_expect_eof(ours, e);
	(void) child_wait(&child, &status, &ignored);
	return result;
}

/* ---- where criu is started ---- */

/* The same directory by the mount that this namespace has of it. */
static int open_again(int *fd, const char *what, struct err *e)
{
	char path[PATH_MAX];
	struct stat before, after;
	const ssize_t n = readlink(fd_path(*fd).s, path, sizeof(path) - 1);

	if (n < 0)
		return err_sys(e, "%s", what);
	path[n] = '\0';
	auto_close int again = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (again < 0 || fstat(*fd, &before) < 0 || fstat(again, &after) < 0)
		return err_sys(e, "%s %s", what, path);
	if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
		return err_set(e, EAGAIN, "%s %s was replaced meanwhile", what, path);
	fd_close(fd);
	*fd = take_fd(&again);
	return 0;
}

static int build_place(struct restore *r, struct err *e)
{
	auto_close int root = rootfs_attach(FD_NONE, &r->s.spec->root, e);

	if (root < 0 || open_again(&r->dirs.image_fd, "--image-path", e) < 0)
		return -1;
	return open_again(&r->dirs.work_fd, "--work-path", e);
}

int restore_leave_place(struct restore_place *p, struct err *e)
{
	const int r = p->host_ns_fd < 0 ? 0 : setns(p->host_ns_fd, CLONE_NEWNS);

	if (r < 0 || (p->cwd_fd >= 0 && fchdir(p->cwd_fd) < 0))
		return err_sys(e, "return to the mount namespace of the host");
	fd_close(&p->host_ns_fd);
	fd_close(&p->cwd_fd);
	return 0;
}

/* The working directory is the only one that comes along into a new mount namespace. */
int restore_enter_place(struct restore *r, struct restore_place *p, struct err *e)
{
	auto_close int ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	auto_close int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (ns < 0 || cwd < 0)
		return err_sys(e, "the runtime's own mount namespace");
	if (fchdir(r->s.rootfs_fd) < 0)
		return err_sys(e, "root.path %s", r->s.rootfs);
	p->cwd_fd = take_fd(&cwd);
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, "make a mount namespace");
	p->host_ns_fd = take_fd(&ns);
	return build_place(r, e);
}
