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

static int apply_idmap(const struct mount_spec *m, const struct mount_origin *from, int fd,
		       struct err *e)
{
	const struct idmap_spec *map = m->idmap.uid.n ? &m->idmap : from->container_idmap;

	if (!map)
		return err_set(
			e, EINVAL,
			"option idmap needs uidMappings and gidMappings, of the mount or of the container");

	auto_close int userns = idmap_userns_fd(map, e);
	if (userns < 0)
		return -1;
	if (mountapi_setattr(fd, m->extra & MOUNT_IDMAP_RECURSIVE, MOUNT_ATTR_IDMAP, 0, 0,
			     userns, e) < 0) {
		(void) err_wrap(e, "idmap");
		if (e->code == EINVAL)
			return err_hint(e,
					"the filesystem of %s does not support idmapped mounts",
					m->source);
		return -1;
	}
	return 0;
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

static int attach_tmpfs(const struct mount_spec *m, int target, const struct mount_place *where,
			struct err *e)
{
	const bool copy = m->extra & MOUNT_TMPCOPYUP;
	char mode[32] = "";
	struct stat st;

	/* As long as nobody says otherwise, it has the mode of the directory that it covers. */
	if (!mount_data_get(m, "mode")) {
		if (fstat(target, &st) < 0)
			return err_sys(e, "stat target");
		(void) snprintf(mode, sizeof(mode), "mode=%04o", st.st_mode & 07777);
	}

	auto_close int fd = mount_fs_new(m, where, mode, e);
	if (fd < 0)
		return -1;
	if (copy && copytree(target, fd, e) < 0)
		return err_wrap(e, "tmpcopyup");
	if (apply_attrs(m, fd, e) < 0 || apply_propagation(m, fd, e) < 0)
		return -1;
	return mountapi_attach(fd, target, e);
}

static int attach_plain(const struct mount_spec *m, int target, const struct mount_place *where,
			struct err *e)
{
	auto_close int fd = mount_fs_new(m, where, NULL, e);

	if (fd < 0 || apply_attrs(m, fd, e) < 0 || apply_propagation(m, fd, e) < 0)
		return -1;
	return mountapi_attach(fd, target, e);
}

static int attach_cgroup(const struct mount_spec *m, int target,
			 const struct mount_place *where, struct err *e)
{
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
	int (*attach)(const struct mount_spec *m, int target, const struct mount_place *where,
		      struct err *e);
} types[] = {
	{ "tmpfs", attach_tmpfs },
	{ "cgroup", attach_cgroup },
	{ "cgroup2", attach_cgroup },
};

static int attach_new(const struct mount_spec *m, const struct mount_place *where,
		      struct err *e)
{
	auto_close int target = mount_target_open(m, where->root_fd, true, FD_NONE, e);

	if (target < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].type, m->type) == 0)
			return types[i].attach(m, target, where, e);
	}
	return attach_plain(m, target, where, e);
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
		 struct err *e)
{
	int r;

	if (m->extra & MOUNT_REMOUNT)
		r = remount(m, where, e);
	else if (m->extra & MOUNT_BIND)
		r = attach_bind(m, src_fd, where, e);
	else
		r = attach_new(m, where, e);
	if (r < 0)
		return err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"",
				m->source ? m->source : (m->type ? m->type : ""), m->target);
	return 0;
}
