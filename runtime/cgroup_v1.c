/*
 * cgroup v1: one directory in each hierarchy that is mounted below /sys/fs/cgroup.
 *
 * The child joins by itself, writing "0" to each `tasks`: while a task is single-threaded and moves itself the
 * kernel need not wait for an RCU grace period, which every other way of joining costs (about 9 ms). The files
 * are opened here, by the parent: the kernel judges the writer by the rights of the opener, and in a user
 * namespace the child's own would not do.
 *
 * On a hybrid host there is a v2 mount beside them, "unified": the child is born into it, with CLONE_INTO_CGROUP,
 * so that whatever walks that tree (systemd, a memory-pressure daemon) finds it. Its controllers are not used.
 */
#include "runtime/cgroup_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_stats.h"

/* ---- which hierarchies there are ---- */

/* Not there, or not for us. Any other error is one: a hierarchy that was overlooked is one that limits nothing. */
static bool is_absent(void)
{
	return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
}

/* What /sys/fs/cgroup has under a controller's name. */
enum entry { ENTRY_NONE, ENTRY_DIR, ENTRY_ASK };

/* One reading of the directory instead of a question for each controller. Who may not list it asks. */
static int list_entries(enum entry found[CTRL_COUNT], struct err *e)
{
	DIR *dir = opendir(CGROUP_ROOT);
	struct dirent *d;

	if (!dir && errno != EACCES)
		return err_sys(e, "open %s", CGROUP_ROOT);
	for (int c = 0; !dir && c < CTRL_COUNT; c++)
		found[c] = ENTRY_ASK;
	while (dir && (d = readdir(dir)) != NULL)
		for (int c = 0; c < CTRL_COUNT; c++)
			if (strcmp(d->d_name, cgroup_ctrl_names[c]) == 0)
				found[c] = d->d_type == DT_DIR ? ENTRY_DIR : ENTRY_ASK;
	if (dir)
		closedir(dir);
	return 0;
}

/* "cpu" may be a link to "cpu,cpuacct": the name that links lead to is the hierarchy's. Returns 1 when the
 * controller has a name here. */
static int hierarchy_name(const char *ctrl, enum entry entry, char name[NAME_MAX + 1],
			  struct err *e)
{
	char path[sizeof(CGROUP_ROOT) + 32];

	memcpy(name, ctrl, strlen(ctrl) + 1);
	if (entry != ENTRY_ASK)
		return entry == ENTRY_DIR;
	snprintf(path, sizeof(path), CGROUP_ROOT "/%s", ctrl);
	const ssize_t n = readlink(path, name, NAME_MAX);
	if (n < 0 && errno == EINVAL)
		return 1;
	if (n < 0)
		return is_absent() ? 0 : err_sys(e, "%s", path);
	name[n] = '\0';
	return strchr(name, '/') == NULL;
}

/* A directory that nothing is mounted on is not a hierarchy. */
static int is_hierarchy(const char *name, uint32_t want, struct err *e)
{
	char path[sizeof(CGROUP_ROOT) + 1 + NAME_MAX];
	struct statfs fs;

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s", name);
	if (statfs(path, &fs) < 0)
		return is_absent() ? 0 : err_sys(e, "%s", path);
	return (uint32_t) fs.f_type == want;
}

static int add_hierarchy(enum cgroup_ctrl c, enum entry entry, struct cgroup *cg, struct err *e)
{
	const uint32_t want = c == CTRL_UNIFIED ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;
	char name[NAME_MAX + 1];
	int r;

	/* v2 alone, a step further down than usual, is no v1 host. */
	if (c == CTRL_UNIFIED && cg->n == 0)
		return 0;
	r = hierarchy_name(cgroup_ctrl_names[c], entry, name, e);
	if (r <= 0)
		return r;
	for (size_t i = 0; i < cg->n; i++)
		if (strcmp(cg->h[i].name, name) == 0) {
			cg->h[i].ctrls |= 1u << c;
			return 0;
		}
	r = is_hierarchy(name, want, e);
	if (r <= 0)
		return r;
	struct cgroup_hier *h = &cg->h[cg->n++];
	h->name = xstrdup(name);
	h->path = xasprintf("%s/%s/%s", CGROUP_ROOT, name, cg->path);
	h->ctrls = 1u << c;
	return 0;
}

static int v1_plan(struct cgroup *cg, struct err *e)
{
	enum entry found[CTRL_COUNT] = { ENTRY_NONE };

	if (list_entries(found, e) < 0)
		return -1;
	for (int c = 0; c < CTRL_COUNT; c++)
		if (add_hierarchy((enum cgroup_ctrl) c, found[c], cg, e) < 0)
			return -1;
	/* cpu joins last: with cpuacct it may share a hierarchy that was found earlier. */
	for (size_t i = 0; i + 1 < cg->n; i++)
		if (cg->h[i].ctrls & (1u << CTRL_CPU)) {
			struct cgroup_hier cpu = cg->h[i];

			memmove(&cg->h[i], &cg->h[i + 1], (cg->n - i - 1) * sizeof(cpu));
			cg->h[cg->n - 1] = cpu;
			break;
		}
	return 0;
}

/* ---- making ---- */

static int read_value(int root_fd, const char *path, const char *file, struct buf *out,
		      struct err *e)
{
	auto_free char *name = xasprintf("%s/%s", path, file);

	buf_clear(out);
	return fd_read_file(root_fd, name, 4096, out, e);
}

/* A new cpuset has no CPU and no memory node, and nobody can join it before it has both: it gets its parent's.
 * The parent may be as new, made by another start that has not come to this line yet: then it is given
 * its own first, which both may do. */
static int inherit_value(int root_fd, const char *path, const char *file, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(8192);
	const char *slash = strrchr(path, '/');
	auto_free char *parent = slash ? xstrndup(path, (size_t) (slash - path)) : xstrdup(".");
	auto_free char *name = xasprintf("%s/%s", path, file);

	if (read_value(root_fd, parent, file, &text, e) < 0)
		return -1;
	if (slash && strcmp(buf_str(&text), "\n") == 0 &&
	    (inherit_value(root_fd, parent, file, e) < 0 ||
	     read_value(root_fd, parent, file, &text, e) < 0))
		return -1;
	return fd_write_file(root_fd, name, buf_str(&text), e);
}

static int inherit_cpuset(int root_fd, const char *path, struct err *e)
{
	if (inherit_value(root_fd, path, "cpuset.cpus", e) < 0 ||
	    inherit_value(root_fd, path, "cpuset.mems", e) < 0)
		return err_wrap(e, "inherit the cpuset of %s", path);
	return 0;
}

/* One that was there may have been left half made. */
static int complete_cpuset(int root_fd, const char *path, struct err *e)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	auto_buf struct buf text = BUF_LIMIT(8192);

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (read_value(root_fd, path, files[i], &text, e) < 0)
			return -1;
		if (strcmp(buf_str(&text), "\n") == 0 &&
		    inherit_value(root_fd, path, files[i], e) < 0)
			return -1;
	}
	return 0;
}

static int make_directory(int top_fd, struct cgroup_hier *h, struct err *e)
{
	/* As it is called from /sys/fs/cgroup. */
	const char *path = h->path + sizeof(CGROUP_ROOT);
	cgroup_made_fn made = h->ctrls & (1u << CTRL_CPUSET) ? inherit_cpuset : NULL;
	const int r = cgroup_mkdirs(top_fd, path, made, e);

	if (r < 0)
		return err_wrap(e, "cgroup v1 hierarchy %s", h->name);
	h->made = r;
	if (made && !h->made && complete_cpuset(top_fd, path, e) < 0)
		return -1;
	/* The child is born into the one of v2. */
	if (h->ctrls & (1u << CTRL_UNIFIED))
		return 0;
	auto_free char *tasks = xasprintf("%s/tasks", path);
	h->tasks_fd = openat(top_fd, tasks, O_WRONLY | O_CLOEXEC);
	if (h->tasks_fd < 0)
		return err_sys(e, "open %s/tasks", h->path);
	return 0;
}

/* A user who may not write here does without, unless a limit needs this hierarchy or a path was asked for. */
static bool may_drop(const struct cgroup_spec *s, const struct cgroup_hier *h, int code)
{
	return s->rootless && (code == EACCES || code == EPERM || code == EROFS) &&
	       !(s->path && *s->path) && !(cgroup_needs(&s->res) & h->ctrls);
}

/* Why a user cannot have this hierarchy, and what to do about it. */
static int refused(const struct cgroup_spec *s, const struct cgroup_hier *h, struct err *e)
{
	const unsigned needed = cgroup_needs(&s->res) & h->ctrls;

	if (!s->rootless || (e->code != EACCES && e->code != EPERM && e->code != EROFS))
		return -1;
	if (!needed) {
		(void) err_wrap(e, "unable to apply cgroup configuration (permission denied)");
		return err_hint(e, "leave linux.cgroupsPath out to do without a cgroup");
	}
	(void) err_wrap(e, "cannot set %s limit: container could not join or create cgroup",
			cgroup_ctrl_names[__builtin_ctz(needed)]);
	return err_hint(e, "cgroup v1 gives an ordinary user no cgroups; remove "
			   "linux.resources or use cgroup v2");
}

static int require_controllers(const struct cgroup *cg, const struct cgroup_resources *r,
			       struct err *e)
{
	unsigned need = cgroup_needs(r);

	for (int c = 0; c < CTRL_COUNT; c++)
		if ((need & (1u << c)) && !cgroup_hier_of(cg, (enum cgroup_ctrl) c))
			return err_set(
				e, ENOTSUP,
				"linux.resources.%s: the cgroup v1 controller \"%s\" is not "
				"mounted at %s/%s",
				cgroup_ctrl_field((enum cgroup_ctrl) c), cgroup_ctrl_names[c],
				CGROUP_ROOT, cgroup_ctrl_names[c]);
	return 0;
}

static int v1_open(const struct cgroup_spec *s, struct cgroup *cg, struct err *e)
{
	auto_close int top = FD_NONE;

	if (cg->n == 0 && !s->rootless)
		return err_set(e, ENOENT, "no cgroup hierarchy is mounted below %s",
			       CGROUP_ROOT);
	if (require_controllers(cg, &s->res, e) < 0)
		return -1;
	top = open(CGROUP_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return err_sys(e, "open %s", CGROUP_ROOT);
	for (size_t i = 0; i < cg->n;) {
		struct err own = ERR_NONE;

		if (make_directory(top, &cg->h[i], &own) == 0) {
			i++;
			continue;
		}
		if (!may_drop(s, &cg->h[i], own.code)) {
			*e = own;
			return refused(s, &cg->h[i], e);
		}
		cgroup_drop(cg, i);
	}
	return 0;
}

/* ---- joining ---- */

static int join_one(const struct cgroup_hier *h, struct err *e)
{
	auto_close int opened = -1;
	int fd = h->tasks_fd;

	if (fd < 0) {
		struct err why = ERR_NONE;

		if (h->ctrls & (1u << CTRL_UNIFIED))
			return 0;
		fd = opened = cgroup_open(h, "tasks", O_WRONLY, &why);
		/* Planned, but never made (rootless): what a process lives in cannot be removed, so init is not
		 * in it either and there is no limit to evade. */
		if (fd == CGROUP_GONE && why.code == ENOENT)
			return 0;
		if (fd == CGROUP_GONE) {
			*e = why;
			return -1;
		}
		if (fd < 0)
			return err_sys(e, "open %s/tasks", h->path);
	}
	if (write(fd, "0", 1) != 1)
		return err_sys(e, "join cgroup %s", h->path);
	return 0;
}

int cgroup_join_self(const struct cgroup *cg, struct err *e)
{
	if (cg->mode != CGROUP_V1)
		return 0;
	for (size_t i = 0; i < cg->n; i++)
		if (join_one(&cg->h[i], e) < 0)
			return -1;
	return 0;
}

int cgroup_v1_binds(const struct cgroup *cg, struct buf *out, struct err *e)
{
	if (cg->mode != CGROUP_V1)
		return 0;
	for (size_t i = 0; i < cg->n; i++)
		if (!(cg->h[i].ctrls & (1u << CTRL_UNIFIED)) &&
		    buf_printf(out, e, "%s\t%s\n", cg->h[i].name, cg->h[i].path) < 0)
			return -1;
	return 0;
}

/* ---- freezing ---- */

enum { FREEZE_ROUNDS = 2000, FREEZE_PAUSE_US = 500, THAW_EVERY = 100 };

static int freezer(const struct cgroup *cg, const struct cgroup_hier **out, struct err *e)
{
	*out = cgroup_hier_of(cg, CTRL_FREEZER);
	if (!*out)
		return err_set(
			e, ENOTSUP,
			"cannot freeze: the cgroup v1 controller \"freezer\" is not mounted at "
			"%s/freezer",
			CGROUP_ROOT);
	return 0;
}

/* v1 may hang in FREEZING when a task forks at the wrong moment; thawing for an instant lets it pass. */
static int freeze_wait(const struct cgroup_hier *h, struct err *e)
{
	const struct timespec pause = { .tv_nsec = FREEZE_PAUSE_US * 1000L };
	char state[32];

	for (int round = 1; round <= FREEZE_ROUNDS; round++) {
		if (round % THAW_EVERY == 0 &&
		    cgroup_write(h, NULL, "freezer.state", "THAWED", e) < 0)
			return -1;
		if (cgroup_write(h, NULL, "freezer.state", "FROZEN", e) < 0 ||
		    cgroup_read_line(h, "freezer.state", state, sizeof(state), e) < 0) {
			struct err ignored = ERR_NONE;

			(void) cgroup_write(h, NULL, "freezer.state", "THAWED", &ignored);
			return -1;
		}
		if (strcmp(state, "FROZEN") == 0)
			return 0;
		(void) nanosleep(&pause, NULL);
	}
	(void) cgroup_write(h, NULL, "freezer.state", "THAWED", e);
	return err_set(e, EBUSY, "cgroup %s does not freeze: still %s", h->path, state);
}

static int v1_freeze(const struct cgroup *cg, bool frozen, struct err *e)
{
	const struct cgroup_hier *h;

	if (freezer(cg, &h, e) < 0)
		return -1;
	return frozen ? freeze_wait(h, e) : cgroup_write(h, NULL, "freezer.state", "THAWED", e);
}

static int v1_is_frozen(const struct cgroup *cg, bool *out, struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_FREEZER);
	struct err own = ERR_NONE;
	char state[32];

	*out = false;
	if (!h)
		return 0;
	if (cgroup_read_line(h, "freezer.state", state, sizeof(state), &own) < 0) {
		if (own.code == ENOENT || own.code == ENODEV)
			return 0;
		*e = own;
		return -1;
	}
	*out = strcmp(state, "THAWED") != 0;
	return 0;
}

static int v1_check(const struct cgroup_resources *r, struct err *e)
{
	if (!r->n_unified)
		return 0;
	return err_set(
		e, EINVAL,
		"invalid configuration: linux.resources.unified: \"%s\" needs cgroup v2, "
		"this host uses v1",
		r->unified[0].key);
}

const struct cgroup_backend cgroup_v1 = {
	.mode = CGROUP_V1,
	.check = v1_check,
	.plan = v1_plan,
	.open = v1_open,
	.set = cgroup_v1_set,
	.freeze = v1_freeze,
	.is_frozen = v1_is_frozen,
	.stats = cgroup_v1_stats,
};
