/*
 * checkpoint: CRIU writes a container's processes into a directory of images and, unless it is told not to, ends
 * them. The container's lock is held: nobody enters or deletes it meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/container.h"
#include "runtime/criu.h"
#include "runtime/criu_request.h"
#include "runtime/notify.h"
#include "runtime/spec.h"

enum {
	CGROUP_TEXT_MAX = 64 << 10,
	ADDRESS_MAX = 256,
	PORT_MAX = 65535,
	STAT_MAX = 4096,
	DEPTH_MAX = 1000
};

static const char dump_log[] = "dump.log";

struct dump {
	const struct container_env *env;
	const struct checkpoint_args *a;
	struct container c;
	struct spec *spec;
	struct criu_dirs dirs;
	int root_fd; /* of init */
	char *criu;
	int status_fd;
};

static void dump_fini(struct dump *d)
{
	container_close(&d->c);
	spec_free_ptr(&d->spec);
	criu_dirs_close(&d->dirs);
	fd_close(&d->root_fd);
	free(take_ptr(&d->criu));
}

static int check_status(struct dump *d, struct err *e)
{
	enum state_status status;

	if (container_status(&d->c, &status, e) < 0)
		return -1;
	if (status != STATE_RUNNING && status != STATE_PAUSED)
		return err_set(e, EINVAL, "container %s cannot be checkpointed in state %s",
			       d->a->id, state_status_name(status));
	return 0;
}

static int load_spec(struct dump *d, struct err *e)
{
	auto_close int bundle = open(d->c.state->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (bundle < 0)
		return err_sys(e, "bundle %s", d->c.state->bundle);
	if (spec_load(bundle, d->c.state->config, &d->spec, e) < 0)
		return -1;
	return notify_offered(d->c.dir_fd) ? notify_add_mount("", d->spec, e) : 0;
}

static int open_root(struct dump *d, struct err *e)
{
	char path[32];

	(void) snprintf(path, sizeof(path), "/proc/%d/root", d->c.state->pid);
	d->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return d->root_fd < 0 ? err_sys(e, "%s", path) : 0;
}

static int check_parent(struct dump *d, struct err *e)
{
	const char *parent = d->a->parent_path;
	struct stat st;

	if (!parent || !parent[0])
		return 0;
	if (parent[0] == '/')
		return err_set(e, EINVAL,
			       "--parent-path must be relative to the image path, not %s",
			       parent);
	if (fstatat(d->dirs.image_fd, parent, &st, 0) < 0)
		return err_sys(e, "invalid --parent-path: %s/%s", d->dirs.image, parent);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "invalid --parent-path: %s/%s is not a directory",
			       d->dirs.image, parent);
	return 0;
}

static int check_status_fd(struct dump *d, struct err *e)
{
	const int flags = d->status_fd < 0 ? O_WRONLY : fcntl(d->status_fd, F_GETFL);

	if (flags < 0)
		return err_sys(e, "--status-fd %d", d->status_fd);
	if ((flags & O_ACCMODE) == O_RDONLY)
		return err_set(e, EBADF, "--status-fd %d: not writable", d->status_fd);
	return 0;
}

static int find_criu(struct dump *d, struct err *e)
{
	unsigned version;

	if (criu_find(&d->criu, e) < 0 || criu_version(d->criu, &version, e) < 0)
		return -1;
	if (!d->a->pre_dump && !d->a->criu.lazy_pages)
		return 0;
	return criu_need_features(d->criu, d->a->pre_dump, d->a->criu.lazy_pages, e);
}

/* ---- who will be missing ---- */

/* 0: it is gone, or not understood. */
static pid_t parent_of(pid_t pid)
{
	auto_buf struct buf text = BUF_LIMIT(STAT_MAX);
	struct err ignored = ERR_NONE;
	char path[32];
	int parent = 0;

	(void) snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fd_read_file(AT_FDCWD, path, STAT_MAX, &text, &ignored) < 0)
		return 0;
	const char *p = strrchr(buf_str(&text), ')');
	return p && sscanf(p + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static bool descends(pid_t pid, pid_t init)
{
	for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
		if (pid == init)
			return true;
		pid = parent_of(pid);
	}
	return pid <= 0; /* it has ended meanwhile */
}

/* CRIU saves init and its descendants. What `exec` has started is in the container but has its parent outside. */
static int warn_of_others(struct dump *d, struct err *e)
{
	auto_free pid_t *pids = NULL;
	size_t n = 0;

	if (d->a->pre_dump || !d->c.cgroup)
		return 0;
	if (cgroup_pids(d->c.cgroup, &pids, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (descends(pids[i], d->c.state->pid))
			continue;
		auto_free char *text = xasprintf(
			"process %d of container %s is not in the checkpoint: it was started by "
			"exec and is no descendant of its init",
			pids[i], d->a->id);
		d->env->warn(text);
	}
	return 0;
}

/* ---- the request ---- */

/* A namespace that was joined by its path stays outside; the restore brings the one of that path. */
static int put_joined(const struct dump *d, struct wire *w, enum ns_kind k, const char *key,
		      struct err *e)
{
	char path[64];
	struct stat st;

	if (!d->spec->ns.ns[k].path)
		return 0;
	(void) snprintf(path, sizeof(path), "/proc/%d/ns/%s", d->c.state->pid, ns_proc_name(k));
	if (stat(path, &st) < 0)
		return err_sys(e, "%s", path);
	auto_free char *text =
		xasprintf("%s[%llu]:%s", ns_proc_name(k), (unsigned long long) st.st_ino, key);
	wire_str(w, CRIU_EXTERNAL, text);
	return 0;
}

/* CRIU stops the processes by it, all at once. */
static int put_freezer(const struct dump *d, struct wire *w, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(CGROUP_TEXT_MAX);
	char *save = NULL;

	if (cgroup_save(d->c.cgroup, &text, e) < 0)
		return -1;
	auto_free char *lines = buf_take_str(&text);
	for (char *line = strtok_r(lines, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *path = strchr(line, ' ');

		if (path &&
		    (str_has_prefix(line, "freezer ") || str_has_prefix(line, "unified "))) {
			wire_str(w, CRIU_FREEZE_CGROUP, path + 1);
			return 0;
		}
	}
	return 0;
}

/* ADDRESS:PORT, [ADDRESS]:PORT. */
static int put_page_server(const char *s, struct wire *w, struct err *e)
{
	const char *colon = s ? strrchr(s, ':') : NULL;
	char address[ADDRESS_MAX];
	uint64_t port;

	if (!s || !s[0])
		return 0;
	if (!colon || colon == s || !colon[1] || colon - s >= ADDRESS_MAX)
		return err_set(e, EINVAL, "--page-server %.80s: must be ADDRESS:PORT", s);
	if (str_to_u64(colon + 1, PORT_MAX, "--page-server: port", &port, e) < 0)
		return -1;
	const bool brackets = s[0] == '[' && colon[-1] == ']';
	(void) snprintf(address, sizeof(address), "%.*s",
			(int) (colon - s) - (brackets ? 2 : 0), s + (brackets ? 1 : 0));
	wire_keyed(w, CRIU_PAGE_SERVER, address, (int64_t) port);
	return 0;
}

static int put_own(const struct dump *d, struct wire *w, struct err *e)
{
	const struct checkpoint_args *a = d->a;

	wire_int(w, CRIU_PID, d->c.state->pid);
	wire_str(w, CRIU_ROOT, d->c.state->rootfs);
	wire_int(w, CRIU_LEAVE_RUNNING, a->leave_running);
	wire_int(w, CRIU_TCP_SKIP_IN_FLIGHT, a->tcp_skip_in_flight);
	wire_int(w, CRIU_LINK_REMAP, a->link_remap);
	if (a->parent_path && a->parent_path[0]) {
		wire_str(w, CRIU_PARENT_IMG, a->parent_path);
		wire_int(w, CRIU_TRACK_MEM, true);
	} else if (a->pre_dump) {
		wire_int(w, CRIU_TRACK_MEM, true);
	}
	if (put_page_server(a->page_server, w, e) < 0 || put_freezer(d, w, e) < 0 ||
	    put_joined(d, w, NS_NET, "extRootNetNS", e) < 0 ||
	    put_joined(d, w, NS_PID, "extRootPidNS", e) < 0)
		return -1;
	return w->r;
}

static int make_request(const struct dump *d, struct buf *out, struct err *e)
{
	auto_wire struct wire w = WIRE_TO(e);

	if (criu_put_common(&w, &d->a->criu, &d->dirs, dump_log, d->spec->annotations, e) < 0 ||
	    put_own(d, &w, e) < 0)
		return -1;
	if (!d->a->pre_dump &&
	    criu_put_outside_dump(&w, d->spec, d->c.cgroup, d->root_fd, e) < 0)
		return -1;
	return criu_encode(d->a->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP, &w, out, e);
}

/* ---- the dump ---- */

static int on_notify(void *ctx, const struct criu_reply *r, int fd, struct err *e)
{
	struct dump *d = ctx;

	if (strcmp(r->script, "status-ready") != 0 || d->status_fd < 0)
		return 0;
	if (write(d->status_fd, "", 1) != 1)
		return err_sys(e, "--status-fd %d", d->status_fd);
	fd_close(&d->status_fd);
	return 0;
}

static int talk(struct dump *d, struct err *e)
{
	struct criu_start start = CRIU_START_NONE;
	auto_criu struct criu c = CRIU_NONE;
	auto_buf struct buf request = BUF_LIMIT(CRIU_REQUEST_MAX);
	struct criu_reply reply;

	if (make_request(d, &request, e) < 0)
		return -1;
	start.path = d->criu;
	if (criu_start(&start, &c, e) < 0 ||
	    criu_ask(&c, &request, on_notify, d, &reply, e) < 0) {
		return err_hint(e, "see %s in %s", dump_log, d->dirs.log_dir);
	}
	if (reply.type != (d->a->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP))
		return err_set(e, EPROTO, "criu answered something else (kind %d)", reply.type);
	if (!reply.success)
		return criu_explain(&reply, "save the container", d->dirs.work_fd,
				    d->dirs.log_dir, dump_log, e);
	return 0;
}

static int open_dirs(struct dump *d, struct err *e)
{
	return criu_dirs_open(&d->a->criu, true, &d->dirs, e);
}

static int save_streams(struct dump *d, struct err *e)
{
	if (d->a->pre_dump)
		return 0;
	if (notify_offered(d->c.dir_fd)) {
		auto_close int mark = openat(d->dirs.image_fd, NOTIFY_IMAGE,
					     O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (mark < 0)
			return err_sys(e, "%s/%s", d->dirs.image, NOTIFY_IMAGE);
	}
	return criu_streams_save(d->dirs.image_fd, d->c.state->pid, e);
}

/* In order; each needs what stands above it. */
static int (*const steps[])(struct dump *, struct err *) = {
	check_status,	 load_spec, open_root,	    open_dirs,	  check_parent,
	check_status_fd, find_criu, warn_of_others, save_streams, talk,
};

static int run_steps(struct dump *d, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i](d, e) < 0)
			return -1;
	}
	return 0;
}

int container_checkpoint(const struct container_env *env, const struct checkpoint_args *a,
			 struct err *e)
{
	auto_cleanup(dump_fini) struct dump d = {
		.env = env,
		.a = a,
		.c = CONTAINER_NONE,
		.dirs = CRIU_DIRS_NONE,
		.root_fd = FD_NONE,
		.status_fd = a->status_fd,
	};

	if (container_open(env, a->id, STATE_EXCLUSIVE, &d.c, e) < 0 || run_steps(&d, e) < 0)
		return -1;
	if (a->leave_running || a->pre_dump)
		return 0;
	return container_destroy(env, &d.c, a->id, e);
}
