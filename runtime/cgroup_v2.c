/*
 * cgroup v2: one directory in the unified hierarchy, with the controllers handed down to it.
 *
 * The child is born inside (CLONE_INTO_CGROUP): our directory is kept free of subtree_control, so that it may
 * hold processes. A controller reaches it only when every ancestor passes it on.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_stats.h"

/* What a container gets when the host has it, limits or not: engines read usage from these. */
enum {
	WANTED = 1u << CTRL_CPU | 1u << CTRL_MEMORY | 1u << CTRL_PIDS | 1u << CTRL_BLKIO |
		 1u << CTRL_CPUSET | 1u << CTRL_HUGETLB | 1u << CTRL_RDMA | 1u << CTRL_MISC
};

/* Controllers by their names on v2; those without one need none (devices, freezer) or are v1's. */
static const char *v2_name(int c)
{
	switch (c) {
	case CTRL_BLKIO:
		return "io";
	case CTRL_CPU:
	case CTRL_CPUSET:
	case CTRL_MEMORY:
	case CTRL_PIDS:
	case CTRL_HUGETLB:
	case CTRL_RDMA:
	case CTRL_MISC:
		return cgroup_ctrl_names[c];
	default:
		return NULL;
	}
}

static unsigned parse_controllers(const char *list)
{
	unsigned mask = 0;

	for (int c = 0; c < CTRL_COUNT; c++)
		if (v2_name(c) && cgroup_list_has(list, v2_name(c)))
			mask |= 1u << c;
	return mask;
}

static int read_controllers(const struct cgroup_hier *h, unsigned *out, struct err *e)
{
	char list[512];

	if (cgroup_read_line(h, "cgroup.controllers", list, sizeof(list), e) < 0)
		return -1;
	*out = parse_controllers(list);
	return 0;
}

/* The controllers that the files of linux.resources.unified belong to: "memory.high" -> memory. */
static unsigned unified_needs(const struct cgroup_resources *r)
{
	unsigned need = 0;

	for (size_t i = 0; i < r->n_unified; i++)
		for (int c = 0; c < CTRL_COUNT; c++) {
			const char *name = v2_name(c);
			size_t n = name ? strlen(name) : 0;

			if (n && strncmp(r->unified[i].key, name, n) == 0 &&
			    r->unified[i].key[n] == '.')
				need |= 1u << c;
		}
	return need;
}

/* "+cpu +memory" into one subtree_control; one by one when the kernel refuses the lot, so that a controller
 * that cannot be passed on does not keep back the others. What is missing in the end is seen at the leaf. */
static void pass_on(int dir_fd, unsigned mask)
{
	struct err ignored = ERR_NONE;
	char all[128] = "";
	size_t n = 0;

	for (int c = 0; c < CTRL_COUNT; c++)
		if (mask & (1u << c))
			n += (size_t) snprintf(all + n, sizeof(all) - n, "%s+%s", n ? " " : "",
					       v2_name(c));
	if (n == 0 || fd_write_file(dir_fd, "cgroup.subtree_control", all, &ignored) == 0)
		return;
	for (int c = 0; c < CTRL_COUNT; c++)
		if (mask & (1u << c)) {
			snprintf(all, sizeof(all), "+%s", v2_name(c));
			(void) fd_write_file(dir_fd, "cgroup.subtree_control", all, &ignored);
		}
}

/* From the root down to the parent of our directory. */
static void pass_on_along(int root_fd, const char *path, unsigned mask)
{
	char part[PATH_MAX];

	pass_on(root_fd, mask);
	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
		auto_close int fd = -1;

		*slash = '\0';
		fd = openat(root_fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		*slash = '/';
		if (fd < 0)
			return;
		pass_on(fd, mask);
	}
}

static int lacking(const struct cgroup_spec *s, const struct cgroup_hier *h, unsigned lack,
		   unsigned offered, struct err *e)
{
	int c = __builtin_ctz(lack);

	err_set(e, ENOTSUP,
		"linux.resources.%s: the cgroup v2 controller \"%s\" is not available in %s",
		cgroup_ctrl_field((enum cgroup_ctrl) c), v2_name(c), h->path);
	if (!(offered & (1u << c)))
		return err_hint(e, "the host's %s/cgroup.controllers does not list it",
				CGROUP_ROOT);
	if (s->rootless)
		return err_hint(e, "it must be delegated to this user (systemd: Delegate=%s)",
				v2_name(c));
	return err_hint(e, "an ancestor holds processes or does not pass it on in "
			   "cgroup.subtree_control");
}

static int enable_controllers(const struct cgroup_spec *s, int root_fd, const char *path,
			      struct cgroup_hier *h, struct err *e)
{
	struct cgroup_hier root = { .path = (char *) CGROUP_ROOT, .dir_fd = root_fd };
	unsigned need = cgroup_needs(&s->res) | unified_needs(&s->res), have, offered;

	if (read_controllers(h, &have, e) < 0)
		return -1;
	if (((need | WANTED) & ~have) != 0) {
		if (read_controllers(&root, &offered, e) < 0)
			return -1;
		if ((need | WANTED) & offered & ~have) {
			pass_on_along(root_fd, path, (need | WANTED) & offered);
			if (read_controllers(h, &have, e) < 0)
				return -1;
		}
		if (need & ~have)
			return lacking(s, h, need & ~have, offered, e);
	}
	h->ctrls = have;
	return 0;
}

static bool may_do_without(const struct cgroup_spec *s, int code)
{
	return s->rootless && (code == EACCES || code == EPERM || code == EROFS) &&
	       !(s->path && *s->path) && cgroup_needs(&s->res) == 0 && s->res.n_unified == 0;
}

static int refused(const struct cgroup_spec *s, struct err *e)
{
	if (!s->rootless || (e->code != EACCES && e->code != EPERM && e->code != EROFS))
		return err_wrap(e, "cgroup v2");
	if (cgroup_needs(&s->res) || s->res.n_unified)
		(void) err_wrap(e,
				"rootless needs no limits + no cgrouppath when no permission "
				"is granted for cgroups");
	else
		(void) err_wrap(e, "unable to apply cgroup configuration (permission denied)");
	return err_hint(e, "linux.cgroupsPath must lie in a cgroup that is delegated to this "
			   "user");
}

static int v2_plan(struct cgroup *cg, struct err *e)
{
	cg->h[0].name = xstrdup("unified");
	cg->h[0].path = xasprintf("%s/%s", CGROUP_ROOT, cg->path);
	cg->n = 1;
	return 0;
}

static int v2_open(const struct cgroup_spec *s, struct cgroup *cg, struct err *e)
{
	auto_close int root = open(CGROUP_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct cgroup_hier *h = &cg->h[0];
	struct err own = ERR_NONE;
	int r;

	if (root < 0)
		return err_sys(e, "open %s", CGROUP_ROOT);
	r = cgroup_mkdirs(root, cg->path, NULL, &own);
	if (r < 0) {
		if (may_do_without(s, own.code)) {
			cgroup_drop(cg, 0);
			return 0;
		}
		*e = own;
		return refused(s, e);
	}
	h->made = r;
	if (cgroup_dir(h, e) < 0)
		return -1;
	return enable_controllers(s, root, cg->path, h, e);
}

/* ---- freezing ---- */

enum { FREEZE_MS = 10000 };

/* Blocks until cgroup.events says so: a change raises POLLPRI. */
static int wait_frozen(const struct cgroup_hier *h, bool frozen, struct err *e)
{
	const char *want = frozen ? "frozen 1" : "frozen 0";
	uint64_t deadline = clock_mono_ms() + FREEZE_MS;
	int dir = cgroup_dir(h, e);
	auto_close int fd = -1;
	char text[256];

	if (dir < 0)
		return -1;
	fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s/cgroup.events", h->path);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		uint64_t now = clock_mono_ms();

		if (n < 0)
			return err_sys(e, "read %s/cgroup.events", h->path);
		text[n] = '\0';
		if (strstr(text, want))
			return 0;
		if (now >= deadline)
			return err_set(e, ETIMEDOUT, "cgroup %s does not become \"%s\"",
				       h->path, want);
		if (poll(&p, 1, (int) (deadline - now)) < 0 && errno != EINTR)
			return err_sys(e, "poll %s/cgroup.events", h->path);
	}
}

static int v2_freeze(const struct cgroup *cg, bool frozen, struct err *e)
{
	const struct cgroup_hier *h = &cg->h[0];

	if (cgroup_write(h, NULL, "cgroup.freeze", frozen ? "1" : "0", e) < 0)
		return -1;
	if (wait_frozen(h, frozen, e) == 0)
		return 0;
	if (frozen) {
		struct err ignored = ERR_NONE;

		(void) cgroup_write(h, NULL, "cgroup.freeze", "0", &ignored);
	}
	return -1;
}

static int v2_is_frozen(const struct cgroup *cg, bool *out, struct err *e)
{
	struct err own = ERR_NONE;
	char state[16];

	*out = false;
	if (cgroup_read_line(&cg->h[0], "cgroup.freeze", state, sizeof(state), &own) < 0) {
		if (own.code == ENOENT || own.code == ENODEV)
			return 0;
		*e = own;
		return -1;
	}
	*out = strcmp(state, "1") == 0;
	return 0;
}

const struct cgroup_backend cgroup_v2 = {
	.mode = CGROUP_V2,
	.check = cgroup_v2_check,
	.plan = v2_plan,
	.open = v2_open,
	.set = cgroup_v2_set,
	.freeze = v2_freeze,
	.is_frozen = v2_is_frozen,
	.stats = cgroup_v2_stats,
};
