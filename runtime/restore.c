/*
 * restore: CRIU makes a container's processes again from the images of a checkpoint.
 *
 * Everything about the container comes from the bundle's config.json, as with create; the images say only what its
 * processes are. The state, the cgroup and the mount points are made first. Then criu is started: in the container's
 * cgroup, in a mount namespace of its own where the rootfs is a mount, with our standard streams. Init
 * becomes our child (not criu's). At criu's notifications
 *
 *   setup-namespaces    its pid is written beside the state, where criu's own stood until then: whatever happens
 *                       `delete --force` finds one of them, and knows that the cgroup is the container's; the loopback
 *                       of a network namespace of its own comes up; prestart and createRuntime hooks
 *   orphan-pts-master   the terminal's master goes to the console socket, or stays here in the foreground
 *
 * and a failing step is answered by no: criu then ends what it made.
 */
#include "runtime/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/util.h"
#include "runtime/console.h"
#include "runtime/foreground.h"
#include "runtime/notify.h"

enum { TEXT_MAX = 1 << 20, LSM_OLDEST = 31600 };

static const char restore_log[] = "restore.log";

/* ---- before ---- */

static int find_criu(struct restore *r, struct err *e)
{
	if (criu_find(&r->criu, e) < 0 || criu_version(r->criu, &r->version, e) < 0)
		return -1;
	if ((r->a->lsm_profile || r->a->lsm_mount_context) && r->version < LSM_OLDEST)
		return err_set(e, ENOTSUP,
			       "--lsm-profile and --lsm-mount-context need criu %d.%d or later",
			       LSM_OLDEST / 10000, LSM_OLDEST / 100 % 100);
	return r->a->criu.lazy_pages ? criu_need_features(r->criu, false, true, e) : 0;
}

static int open_images(struct restore *r, struct err *e)
{
	if (criu_dirs_open(&r->a->criu, false, &r->dirs, e) < 0 ||
	    criu_dirs_check(&r->dirs, e) < 0)
		return -1;
	return criu_streams_load(r->dirs.image_fd, &r->streams, e);
}

static int open_console(struct restore *r, struct err *e)
{
	const char *path = r->a->create.console_socket;

	if (!path)
		return 0;
	r->console_fd = sock_connect_at(AT_FDCWD, path, SOCK_STREAM, e);
	return r->console_fd < 0 ? err_wrap(e, "console socket") : 0;
}

static int load(struct restore *r, struct err *e)
{
	if (startup_load(&r->s, e) < 0)
		return -1;
	r->root_path = realpath(r->s.rootfs, NULL);
	if (!r->root_path)
		return err_sys(e, "root.path %s", r->s.rootfs);
	/* Wherever there are time namespaces criu restores into one, so that clocks go on where they were. */
	if (access("/proc/self/ns/time", F_OK) == 0)
		r->s.spec->ns.ns[NS_TIME].listed = true;
	return 0;
}

/* The place of a socket that the container had. It has said its word already, so nobody listens. */
static int offer_notify(struct restore *r, struct err *e)
{
	if (faccessat(r->dirs.image_fd, NOTIFY_IMAGE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	auto_free char *root = realpath(r->s.env->root, NULL);
	if (!root)
		return err_sys(e, "%s", r->s.env->root);
	auto_free char *path = xasprintf("%s/%s", root, r->a->create.id);
	return notify_offer(r->s.c.dir_fd, path, r->s.spec, e);
}

static int make(struct restore *r, struct err *e)
{
	if (startup_make(&r->s, e) < 0 || offer_notify(r, e) < 0)
		return -1;
	return r->s.init.filter ? state_write_filter(r->s.c.dir_fd, &r->s.filter, e) : 0;
}

static int open_namespaces(struct restore *r, struct err *e)
{
	return ns_open_paths(&r->s.spec->ns, r->s.init.ns_fds, e);
}

/* ---- the request ---- */

static int put_namespaces(const struct restore *r, struct wire *w, struct err *e)
{
	for (int k = 0; k < NS_COUNT; k++) {
		const struct ns_entry *n = &r->s.spec->ns.ns[k];
		const int fd = r->s.init.ns_fds[k];

		if (!n->path)
			continue;
		if (k == NS_NET)
			wire_keyed(w, CRIU_INHERIT_FD, "extRootNetNS", fd);
		else if (k == NS_PID)
			wire_keyed(w, CRIU_INHERIT_FD, "extRootPidNS", fd);
		else if (k == NS_CGROUP || k == NS_MNT)
			return err_set(e, ENOTSUP,
				       "linux.namespaces: criu cannot restore into the %s "
				       "namespace %s",
				       ns_oci_name((enum ns_kind) k), n->path);
		else
			wire_pair(w, CRIU_JOIN_NS, ns_proc_name((enum ns_kind) k), n->path);
	}
	return w->r;
}

/* Its lines are "7:memory:/path"; criu was born or has put itself where the container belongs. */
static int put_cgroups(pid_t pid, struct wire *w, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);
	char name[32], *save = NULL;

	(void) snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	if (fd_read_file(AT_FDCWD, name, TEXT_MAX, &text, e) < 0)
		return -1;
	auto_free char *lines = buf_take_str(&text);
	for (char *line = strtok_r(lines, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			return err_set(e, EPROTO, "%s is not understood", name);
		*controllers++ = *path++ = '\0';
		/* One by one, as criu knows them; on v2 there is just one, without a name. */
		for (char *next; controllers; controllers = next) {
			next = strchr(controllers, ',');
			if (next)
				*next++ = '\0';
			wire_pair(w, CRIU_CG_ROOT, controllers, path);
		}
	}
	return w->r;
}

static int put_own(const struct restore *r, pid_t pid, struct wire *w, struct err *e)
{
	wire_str(w, CRIU_ROOT, r->root_path);
	wire_int(w, CRIU_RST_SIBLING, true);
	wire_int(w, CRIU_EVASIVE_DEVICES, true);
	wire_int(w, CRIU_TCP_CLOSE, r->a->tcp_close);
	if (r->a->lsm_profile)
		wire_str(w, CRIU_LSM_PROFILE, r->a->lsm_profile);
	if (r->a->lsm_mount_context)
		wire_str(w, CRIU_LSM_MOUNT_CONTEXT, r->a->lsm_mount_context);
	for (int i = 0; i < 3; i++) {
		if (r->streams.name[i][0])
			wire_keyed(w, CRIU_INHERIT_FD, r->streams.name[i], i);
	}
	if (put_namespaces(r, w, e) < 0 || put_cgroups(pid, w, e) < 0)
		return -1;
	return criu_put_outside_restore(w, r->s.spec, r->s.c.cgroup, r->s.bundle, e);
}

static int make_request(const struct restore *r, pid_t pid, struct buf *out, struct err *e)
{
	auto_wire struct wire w = WIRE_TO(e);

	if (criu_put_common(&w, &r->a->criu, &r->dirs, restore_log, r->s.spec->annotations, e) <
		    0 ||
	    put_own(r, pid, &w, e) < 0)
		return -1;
	return criu_encode(CRIU_RESTORE, &w, out, e);
}

/* ---- notifications ---- */

static int render_state(const struct restore *r, struct buf *out, struct err *e)
{
	const struct state_view v = {
		.oci_version = r->s.spec->oci_version,
		.id = r->a->create.id,
		.bundle = r->s.bundle,
		.status = STATE_CREATING,
		.pid = r->init.pid,
		.annotations = r->s.spec->annotations,
	};

	return state_render(&v, false, out, e);
}

static int host_hooks(const struct restore *r, struct err *e)
{
	const struct hook_list *k = r->s.spec->hooks.kind;
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);

	if (!k[HOOK_PRESTART].n && !k[HOOK_CREATE_RUNTIME].n)
		return 0;
	if (render_state(r, &text, e) < 0 ||
	    hooks_run(&k[HOOK_PRESTART], HOOK_PRESTART, buf_str(&text), e) < 0)
		return -1;
	return hooks_run(&k[HOOK_CREATE_RUNTIME], HOOK_CREATE_RUNTIME, buf_str(&text), e);
}

/* What the images do not bring: addresses on it can be bound only when it is up. */
static int loopback(const struct restore *r, struct err *e)
{
	struct child child = CHILD_NONE;
	struct child_status status;

	if (!ns_is_new(&r->s.spec->ns, NS_NET))
		return 0;
	const int made = child_clone(0, -1, &child, e);
	if (made == 0) {
		struct err why = ERR_NONE;

		_exit(ns_join_process(r->init.pidfd, CLONE_NEWNET, &why) < 0 ||
		      ns_loopback_up(&why) < 0);
	}
	if (made < 0 || child_wait(&child, &status, e) < 0)
		return -1;
	return status.signalled || status.code
		       ? err_set(e, EIO, "the loopback device cannot be brought up")
		       : 0;
}

static int on_namespaces(struct restore *r, pid_t pid, struct err *e)
{
	if (pid <= 0)
		return err_set(e, EPROTO, "criu does not say what init's pid is");
	if (r->init.pidfd >= 0)
		return 0;
	r->init.pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
	if (r->init.pidfd < 0)
		return err_sys(e, "pidfd_open %d", pid);
	r->init.pid = pid;
	if (state_write_init(r->s.c.dir_fd, pid, e) < 0 || loopback(r, e) < 0)
		return -1;
	return host_hooks(r, e);
}

static int on_master(struct restore *r, int fd, struct err *e)
{
	if (fd < 0)
		return err_set(e, EPROTO, "criu does not send the terminal");
	if (r->console_fd >= 0)
		return console_send(r->console_fd, fd, e);
	if (r->master_fd >= 0)
		return err_set(e, EPROTO, "criu sends more than one terminal");
	r->master_fd = fd_dup(fd, e);
	return r->master_fd < 0 ? -1 : 0;
}

static int on_notify(void *ctx, const struct criu_reply *n, int fd, struct err *e)
{
	struct restore *r = ctx;

	if (strcmp(n->script, "setup-namespaces") == 0)
		return on_namespaces(r, n->pid, e);
	if (strcmp(n->script, "orphan-pts-master") == 0)
		return on_master(r, fd, e);
	return 0;
}

/* ---- the restore ---- */

/* In the child. */
static int become(void *ctx, struct err *e)
{
	struct restore *r = ctx;

	if (cgroup_join_self(r->s.c.cgroup, e) < 0)
		return err_wrap(e, "cgroup");
	/* The processes that criu makes may outlive it and us before we know the first of them. */
	if (state_write_init_self(r->s.c.dir_fd, e) < 0)
		return -1;
	return rdt_join_self(r->s.rdt_tasks, e);
}

static int settle(void *ctx, pid_t pid, struct err *e)
{
	const struct restore *r = ctx;

	return cgroup_settles(r->s.c.cgroup) ? cgroup_settle(r->s.c.cgroup, pid, e) : 0;
}

/* Restored processes descend from criu: they get its standard streams, its cgroup and its mounts. */
static int start_criu(struct restore *r, struct criu *c, struct err *e)
{
	struct restore_place place = RESTORE_PLACE_NONE;
	struct criu_start start = CRIU_START_NONE;
	struct err why = ERR_NONE;
	int keep[NS_COUNT], result;

	for (int i = 0; i < 3; i++)
		start.stdio[i] = i;
	for (int k = 0; k < NS_COUNT; k++) {
		if ((k == NS_NET || k == NS_PID) && r->s.init.ns_fds[k] >= 0)
			keep[start.n_keep_fds++] = r->s.init.ns_fds[k];
	}
	start.path = r->criu;
	start.keep_fds = keep;
	start.prepare = become;
	start.settle = settle;
	start.ctx = r;
	if (cgroup_clone_fd(r->s.c.cgroup, &start.cgroup_fd, e) < 0)
		return -1;
	result = restore_enter_place(r, &place, e);
	if (result == 0)
		result = criu_start(&start, c, e);
	if (restore_leave_place(&place, &why) < 0 && result == 0) {
		*e = why;
		result = -1;
	}
	return result;
}

static int talk(struct restore *r, struct err *e)
{
	auto_criu struct criu c = CRIU_NONE;
	auto_buf struct buf request = BUF_LIMIT(CRIU_REQUEST_MAX);
	struct criu_reply reply;

	if (start_criu(r, &c, e) < 0 || make_request(r, c.child.pid, &request, e) < 0)
		return -1;
	if (criu_ask(&c, &request, on_notify, r, &reply, e) < 0)
		return err_hint(e, "see %s in %s", restore_log, r->dirs.log_dir);
	if (reply.type != CRIU_RESTORE)
		return err_set(e, EPROTO, "criu answered something else (kind %d)", reply.type);
	if (!reply.success)
		return criu_explain(&reply, "restore the container", r->dirs.work_fd,
				    r->dirs.log_dir, restore_log, e);
	if (r->init.pidfd < 0 || reply.pid != r->init.pid)
		return err_set(e, EPROTO, "criu restored pid %d, but announced %d", reply.pid,
			       r->init.pid);
	return 0;
}

static int tell_pid(struct restore *r, struct err *e)
{
	const char *file = r->a->create.pid_file;

	if (!file)
		return 0;
	if (container_write_pid_file(file, r->init.pid, e) < 0)
		return -1;
	r->s.wrote_pid_file = true;
	return 0;
}

/* In order; each needs what stands above it. */
static int (*const steps[])(struct restore *, struct err *) = {
	load, find_criu,	   open_images, open_console, open_namespaces,
	make, restore_make_points, talk,	tell_pid,
};

static int begin(struct restore *r, struct err *e)
{
	if (!r->a->create.detach && foreground_block_signals(e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i](r, e) < 0)
			return -1;
	}
	return 0;
}

static int remove_container(const struct container_env *env, struct restore *r, struct err *e)
{
	const char *id = r->a->create.id;
	auto_container struct container c = CONTAINER_NONE;
	bool gone;

	if (state_lock_again(r->s.c.dir_fd, &gone, e) < 0)
		return -1;
	if (gone)
		return 0;
	state_unlock(r->s.c.dir_fd);
	if (container_open(env, id, STATE_EXCLUSIVE, &c, e) < 0)
		return e->code == ENOENT ? 0 : -1;
	return container_destroy(env, &c, id, e);
}

static int in_foreground(struct restore *r, int *code, struct err *e)
{
	state_unlock(r->s.c.dir_fd);
	return foreground_wait(&r->init, r->master_fd, NULL, code, e);
}

static void undo(struct restore *r)
{
	child_end(&r->init);
	startup_undo(&r->s);
}

static void restore_fini(struct restore *r)
{
	startup_fini(&r->s);
	criu_dirs_close(&r->dirs);
	fd_close(&r->console_fd);
	fd_close(&r->master_fd);
	fd_close(&r->init.pidfd);
	free(take_ptr(&r->criu));
	free(take_ptr(&r->root_path));
}

int container_restore(const struct container_env *env, const struct restore_args *a, int *code,
		      struct err *e)
{
	struct restore r = {
		.a = a,
		.dirs = CRIU_DIRS_NONE,
		.console_fd = FD_NONE,
		.master_fd = FD_NONE,
		.init = CHILD_NONE,
	};
	int result;

	startup_init(&r.s, env, &a->create);
	r.s.run = true;
	*code = 0;
	result = begin(&r, e);
	if (result < 0) {
		undo(&r);
	} else if (a->create.detach) {
		state_unlock(r.s.c.dir_fd);
	} else {
		result = in_foreground(&r, code, e);
		if (result < 0)
			undo(&r);
		else
			result = remove_container(env, &r, e);
	}
	restore_fini(&r);
	return result;
}
