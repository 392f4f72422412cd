#include "runtime/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/util.h"
#include "runtime/copytree.h"
#include "runtime/mount_bind.h"
#include "runtime/mount_fs.h"
#include "runtime/mount_target.h"
#include "runtime/mountapi.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* ---- new filesystems ---- */

struct attachment {
	const struct mount_spec *m;
	const struct mount_place *where;
	bool covers; /* a tmpfs without a mode of its own, on a directory that was there before */
	int *late;   /* as in mount_attach */
};

/* A mount that mount_fs_new made has those attributes already, and none that would have to be cleared. */
static int apply_to_new(const struct mount_spec *m, int fd, struct err *e)
{
	struct mount_spec rest = *m;

	if (!m->rattrs.set && !m->rattrs.clear && !(m->attrs.set & ~MOUNT_FS_ATTRS))
		rest.attrs.set = rest.attrs.clear = 0;
	return mount_apply(&rest, fd, e);
}

/* Without the read-only attribute, which mount_seal gives it. */
static int attach_writable(const struct mount_spec *m, int fd, int target, int *late,
			   struct err *e)
{
	struct mount_spec open = *m;

	open.attrs.set &= ~(uint64_t) MOUNT_ATTR_RDONLY;
	open.rattrs.set &= ~(uint64_t) MOUNT_ATTR_RDONLY;
	if (apply_to_new(&open, fd, e) < 0 || mountapi_attach(fd, target, e) < 0)
		return -1;
	if (!((m->attrs.set | (m->rattrs.set & ~m->attrs.clear)) & MOUNT_ATTR_RDONLY))
		return 0;
	*late = fd_dup(fd, e);
	return *late < 0 ? -1 : 0;
}

int mount_seal(int late_fd, struct err *e)
{
	return mountapi_setattr(late_fd, false, MOUNT_ATTR_RDONLY, 0, 0, -1, e);
}

static int attach_tmpfs(const struct attachment *a, int target, struct err *e)
{
	const struct mount_spec *m = a->m;
	const struct mount_place *where = a->where;
	const bool copy = m->extra & MOUNT_TMPCOPYUP;
	char mode[32] = "";
	struct stat st;

	/* As long as nobody says otherwise, it has the mode of the directory that it covers. */
	if (a->covers) {
		if (fstat(target, &st) < 0)
			return err_sys(e, "stat target");
		(void) snprintf(mode, sizeof(mode), "mode=%04o", st.st_mode & 07777);
	}

	auto_close int fd = mount_fs_new(m, where, mode, e);
	if (fd < 0)
		return -1;
	if (copy && copytree(target, fd, e) < 0)
		return err_wrap(e, "tmpcopyup");
	return attach_writable(m, fd, target, a->late, e);
}

static int attach_plain(const struct attachment *a, int target, struct err *e)
{
	const struct mount_spec *m = a->m;
	const struct mount_place *where = a->where;
	auto_close int fd = mount_fs_new(m, where, NULL, e);

	if (fd < 0 || apply_to_new(m, fd, e) < 0)
		return -1;
	return mountapi_attach(fd, target, e);
}

static int attach_cgroup(const struct attachment *a, int target, struct err *e)
{
	const struct mount_spec *m = a->m;
	const struct mount_place *where = a->where;
	auto_close int fd = FD_NONE;

	if (where->cgroup_v1)
		return mount_fs_cgroup_v1(m, target, where, e);
	fd = mount_fs_cgroup_v2(m, where, e);
	if (fd < 0 || mount_apply(m, fd, e) < 0)
		return -1;
	return mountapi_attach(fd, target, e);
}

static const struct {
	const char *type;
	int (*attach)(const struct attachment *a, int target, struct err *e);
} types[] = {
	{ "tmpfs", attach_tmpfs },
	{ "cgroup", attach_cgroup },
	{ "cgroup2", attach_cgroup },
};

static bool is_there(const struct mount_spec *m, int root_fd)
{
	struct err ignored = ERR_NONE;
	auto_close int fd = path_open_in(root_fd, m->target, O_PATH, 0, &ignored);

	return fd >= 0;
}

static int attach_new(const struct mount_spec *m, const struct mount_place *where, int *late,
		      struct err *e)
{
	const bool asks = strcmp(m->type, "tmpfs") == 0 && !mount_data_get(m, "mode");
	const struct attachment a = {
		.m = m,
		.where = where,
		.covers = asks && is_there(m, where->root_fd),
		.late = late,
	};
	auto_close int target = mount_target_open(m, where->root_fd, true, FD_NONE, e);

	if (target < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].type, m->type) == 0)
			return types[i].attach(&a, target, e);
	}
	return attach_plain(&a, target, e);
}

static int remount(const struct mount_spec *m, const struct mount_place *where, struct err *e)
{
	auto_close int target = path_open_in(where->root_fd, m->target, O_PATH, 0, e);

	if (target < 0)
		return -1;
	if (!(m->extra & MOUNT_BIND) && mount_fs_reconfigure(m, target, e) < 0)
		return -1;
	return mount_apply(m, target, e);
}

int mount_attach(const struct mount_spec *m, int src_fd, const struct mount_place *where,
		 int *late, struct err *e)
{
	int r;

	*late = FD_NONE;
	if (m->extra & MOUNT_REMOUNT)
		r = remount(m, where, e);
	else if (m->extra & MOUNT_BIND)
		r = mount_attach_bind(m, src_fd, where, e);
	else
		r = attach_new(m, where, late, e);
	if (r < 0)
		return err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"",
				m->source ? m->source : (m->type ? m->type : ""), m->target);
	return 0;
}
