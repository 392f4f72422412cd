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
#include "runtime/mount_fs.h"
#include "runtime/mount_target.h"
#include "runtime/mountapi.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* ---- attributes of a tree that is not attached yet ---- */

static int apply_propagation(const struct mount_spec *m, int fd, struct err *e)
{
	for (const uint32_t *p = m->propagation; *p; p++) {
		const bool rec = *p & MS_REC;

		if (mountapi_setattr(fd, rec, 0, 0, *p & ~(uint32_t) MS_REC, -1, e) < 0)
			return err_wrap(e, "propagation");
	}
	return 0;
}

/* The recursive set first: an option of this one mount may differ from it. */
static int apply_attrs(const struct mount_spec *m, int fd, struct err *e)
{
	if ((m->rattrs.set || m->rattrs.clear) &&
	    mountapi_setattr(fd, true, m->rattrs.set, m->rattrs.clear, 0, -1, e) < 0)
		return -1;
	if ((m->attrs.set || m->attrs.clear) &&
	    mountapi_setattr(fd, false, m->attrs.set, m->attrs.clear, 0, -1, e) < 0)
		return -1;
	return 0;
}

/* ---- binds ---- */

static int open_maps(const struct mount_spec *m, const struct mount_origin *from, struct err *e)
{
	const struct idmap_spec *map = m->idmap.uid.n ? &m->idmap : from->container_idmap;

	if (!map)
		return err_set(
			e, EINVAL,
			"option idmap needs uidMappings and gidMappings, of the mount or of the container");

	return idmap_userns_fd(map, e);
}

int mount_idmap_tree(const struct mount_spec *m, int tree_fd, int userns_fd, struct err *e)
{
	if (mountapi_setattr(tree_fd, m->extra & MOUNT_IDMAP_RECURSIVE, MOUNT_ATTR_IDMAP, 0, 0,
			     userns_fd, e) == 0)
		return 0;
	(void) err_wrap(e, "idmap");
	if (e->code == EINVAL)
		return err_hint(e, "the filesystem of %s does not support idmapped mounts",
				m->source);
	return -1;
}

static int apply_idmap(const struct mount_spec *m, const struct mount_origin *from, int fd,
		       struct err *e)
{
	auto_close int userns = open_maps(m, from, e);

	return userns < 0 ? -1 : mount_idmap_tree(m, fd, userns, e);
}

/* A clone that is made in the host's mount namespace shares propagation with what it was cloned from: a mount
 * that the container makes below it would appear on the host. It becomes a slave, unless the bundle wants
 * exactly that and says so twice (rootfsPropagation and the mount's own option). */
static int limit_propagation(const struct mount_spec *m, const struct mount_origin *from,
			     int fd, struct err *e)
{
	if (from->keep_shared && (m->propagation[0] & MS_SHARED))
		return 0;
	return mountapi_setattr(fd, true, 0, 0, MS_SLAVE, -1, e);
}

int mount_open_source(const struct mount_spec *m, const struct mount_origin *from, int *out,
		      struct err *e)
{
	const unsigned flags = ((m->extra & MOUNT_RECURSIVE) ? AT_RECURSIVE : 0) |
			       ((m->extra & MOUNT_SRC_NOFOLLOW) ? AT_SYMLINK_NOFOLLOW : 0);

	*out = FD_NONE;
	if (!(m->extra & MOUNT_BIND) || (m->extra & MOUNT_REMOUNT))
		return 0;
	if (m->extra & MOUNT_FROM_INSIDE) {
		if (m->extra & MOUNT_IDMAP)
			*out = open_maps(m, from, e);
		return e->code ? -1 : 0;
	}

	auto_close int fd = mountapi_clone(from->bundle_fd, m->source, flags, e);
	if (fd < 0 && e->code == EPERM && !mountapi_permitted()) {
		*e = ERR_NONE;
		return 0;
	}
	if (fd < 0 || limit_propagation(m, from, fd, e) < 0)
		goto failed;
	if ((m->extra & MOUNT_IDMAP) && apply_idmap(m, from, fd, e) < 0)
		goto failed;
	if (apply_attrs(m, fd, e) < 0 || apply_propagation(m, fd, e) < 0)
		goto failed;
	*out = take_fd(&fd);
	return 0;
failed:
	return err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"", m->source, m->target);
}

/* ---- binds of what the container itself has ---- */

/* The rest of the path below root ("/" for root itself), or NULL. */
static const char *below(const char *path, const char *root)
{
	const size_t n = strlen(root);

	if (n <= 1 || strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path[n] == '\0' ? "/" : path + n;
}

static bool climbs(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2) {
		if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
			return true;
	}
	return false;
}

void mount_settle(struct mount_spec *m, const char *bundle, const char *rootfs)
{
	const char *target = below(m->target, rootfs), *source = NULL;

	if (target && !climbs(m->target))
		m->target = target;
	if (!(m->extra & MOUNT_BIND) || (m->extra & MOUNT_REMOUNT) || climbs(m->source))
		return;
	if (m->source[0] == '/') {
		source = below(m->source, rootfs);
	} else {
		const char *relative = below(rootfs, bundle);

		source = relative ? below(m->source, relative + 1) : NULL;
	}
	if (source) {
		m->source = source;
		m->extra |= MOUNT_FROM_INSIDE;
	}
}

int mount_clone_inside(const struct mount_spec *m, int root_fd, struct err *e)
{
	const unsigned last = (m->extra & MOUNT_SRC_NOFOLLOW) ? PATH_LAST_NOFOLLOW : 0;
	auto_close int at = path_open_in(root_fd, m->source, O_PATH, last, e);

	if (at < 0)
		return -1;
	return mountapi_clone(at, "",
			      AT_EMPTY_PATH | ((m->extra & MOUNT_RECURSIVE) ? AT_RECURSIVE : 0),
			      e);
}

int mount_dress_tree(const struct mount_spec *m, int tree_fd, struct err *e)
{
	if (mountapi_setattr(tree_fd, true, 0, 0, MS_SLAVE, -1, e) < 0)
		return -1;
	if (apply_attrs(m, tree_fd, e) < 0 || apply_propagation(m, tree_fd, e) < 0)
		return -1;
	return 0;
}

/* ---- attaching ---- */

static int attach_bind(const struct mount_spec *m, int src_fd, const struct mount_place *where,
		       struct err *e)
{
	struct stat st;

	if (fstat(src_fd, &st) < 0)
		return err_sys(e, "stat source");

	auto_close int target =
		mount_target_open(m, where->root_fd, S_ISDIR(st.st_mode), src_fd, e);
	return target < 0 ? -1 : mountapi_attach(src_fd, target, e);
}

/* ---- new filesystems ---- */

struct attachment {
	const struct mount_spec *m;
	const struct mount_place *where;
	bool covers; /* a tmpfs without a mode of its own, on a directory that was there before */
	int *late;   /* as in mount_attach */
};

/* Without the read-only attribute, which mount_seal gives it. */
static int attach_writable(const struct mount_spec *m, int fd, int target, int *late,
			   struct err *e)
{
	struct mount_spec open = *m;

	open.attrs.set &= ~(uint64_t) MOUNT_ATTR_RDONLY;
	open.rattrs.set &= ~(uint64_t) MOUNT_ATTR_RDONLY;
	if (apply_attrs(&open, fd, e) < 0 || apply_propagation(m, fd, e) < 0 ||
	    mountapi_attach(fd, target, e) < 0)
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

	if (fd < 0 || apply_attrs(m, fd, e) < 0 || apply_propagation(m, fd, e) < 0)
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
	if (fd < 0 || apply_attrs(m, fd, e) < 0 || apply_propagation(m, fd, e) < 0)
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
	if (apply_attrs(m, target, e) < 0 || apply_propagation(m, target, e) < 0)
		return -1;
	return 0;
}

int mount_attach(const struct mount_spec *m, int src_fd, const struct mount_place *where,
		 int *late, struct err *e)
{
	int r;

	*late = FD_NONE;
	if (m->extra & MOUNT_REMOUNT)
		r = remount(m, where, e);
	else if (m->extra & MOUNT_BIND)
		r = attach_bind(m, src_fd, where, e);
	else
		r = attach_new(m, where, late, e);
	if (r < 0)
		return err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"",
				m->source ? m->source : (m->type ? m->type : ""), m->target);
	return 0;
}
