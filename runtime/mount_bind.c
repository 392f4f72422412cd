/* Binds: their sources, with the host's rights or from inside, and what is done to a tree before it is attached. */
#include "runtime/mount_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/util.h"
#include "runtime/mount.h"
#include "runtime/mount_target.h"
#include "runtime/mountapi.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
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

int mount_apply(const struct mount_spec *m, int tree_fd, struct err *e)
{
	if (apply_attrs(m, tree_fd, e) < 0 || apply_propagation(m, tree_fd, e) < 0)
		return -1;
	return 0;
}

/* ---- attributes of a bind ---- */

/* What a bind whose options name any attribute has exactly as they say. */
static const uint64_t exact = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			      MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
/* Of these the kernel lets nobody clear in a user namespace what its parent has set: nor do we for one. */
static const uint64_t lockable =
	MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
static const uint64_t atimes = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;

static int read_attrs(int fd, uint64_t *out, struct err *e)
{
	static const struct {
		unsigned long st;
		uint64_t attr;
	} flags[] = {
		{ ST_RDONLY, MOUNT_ATTR_RDONLY },   { ST_NOSUID, MOUNT_ATTR_NOSUID },
		{ ST_NODEV, MOUNT_ATTR_NODEV },	    { ST_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ ST_NOATIME, MOUNT_ATTR_NOATIME }, { ST_NODIRATIME, MOUNT_ATTR_NODIRATIME },
	};
	struct statvfs v;

	if (fstatvfs(fd, &v) < 0)
		return err_sys(e, "statvfs");
	*out = 0;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		*out |= (v.f_flag & flags[i].st) ? flags[i].attr : 0;
	if (!(v.f_flag & (ST_NOATIME | ST_RELATIME)))
		*out |= MOUNT_ATTR_STRICTATIME;
	return 0;
}

/* In a user namespace: what was set stays set, and to ask for its opposite is an error. */
static int respect_locks(const struct mount_spec *m, struct mount_attrs *a, int fd,
			 struct err *e)
{
	uint64_t now;

	if (read_attrs(fd, &now, e) < 0)
		return -1;
	if (m->attrs.clear & now & lockable)
		return err_set(
			e, EPERM,
			"operation not permitted: in a user namespace ro, nosuid, nodev and noexec "
			"of the source's mount cannot be cleared");
	if ((m->extra & MOUNT_ATIME) && ((a->set ^ now) & atimes))
		return err_set(
			e, EPERM,
			"operation not permitted: in a user namespace the access times of "
			"the source's mount cannot be changed");
	a->clear &= ~((now & lockable) | atimes);
	a->set &= ~atimes;
	return 0;
}

/* mount(8): without options a bind is as its source; with some it has these and no others, but for access times, which
 * stay unless a way of writing them is chosen. */
static int apply_bind(const struct mount_spec *m, bool user_ns, int fd, struct err *e)
{
	struct mount_spec as = *m;
	struct mount_attrs *a = &as.attrs;

	if (!a->set && !a->clear)
		return mount_apply(m, fd, e);
	a->clear |= exact & ~a->set;
	if (m->extra & MOUNT_ATIME)
		a->clear |= MOUNT_ATTR__ATIME | (MOUNT_ATTR_NODIRATIME & ~a->set);
	else
		a->clear &= ~atimes;
	if (user_ns && respect_locks(m, a, fd, e) < 0)
		return -1;
	return mount_apply(&as, fd, e);
}

/* ---- binds ---- */

static int open_maps(const struct mount_spec *m, const struct mount_origin *from, struct err *e)
{
	const struct idmap_spec *map = m->idmap.uid.n ? &m->idmap : from->container_idmap;

	if (map && !map->uid.n && from->container_userns >= 0)
		return fd_dup(from->container_userns, e);
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

/* 1: the source is a link, and *out that link itself. */
static int open_link(const struct mount_spec *m, const struct mount_origin *from, int *out,
		     struct err *e)
{
	auto_close int fd = openat(from->bundle_fd, m->source, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s", m->source);
	if (!S_ISLNK(st.st_mode))
		return 0;
	*out = take_fd(&fd);
	return 1;
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

	if (m->extra & MOUNT_COPY_SYMLINK) {
		const int r = open_link(m, from, out, e);

		if (r != 0)
			return r < 0 ? -1 : 0;
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
	if (apply_bind(m, from->container_idmap, fd, e) < 0)
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
	if (!(m->extra & MOUNT_BIND) || (m->extra & (MOUNT_REMOUNT | MOUNT_COPY_SYMLINK)) ||
	    climbs(m->source))
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

int mount_dress_tree(const struct mount_spec *m, bool user_ns, int tree_fd, struct err *e)
{
	if (mountapi_setattr(tree_fd, true, 0, 0, MS_SLAVE, -1, e) < 0)
		return -1;
	return apply_bind(m, user_ns, tree_fd, e);
}

/* ---- attaching ---- */

/* Where something else is already, it is left as it is and reported. */
static int copy_link(const struct mount_spec *m, int link_fd, const struct mount_place *where,
		     struct err *e)
{
	char name[NAME_MAX + 1], text[PATH_MAX], there[PATH_MAX];
	const ssize_t n = readlinkat(link_fd, "", text, sizeof(text) - 1);

	if (n < 0)
		return err_sys(e, "read the link %s", m->source);
	text[n] = '\0';

	auto_close int dir = path_parent_in(where->root_fd, m->target, true, name, e);
	if (dir < 0)
		return -1;
	if (symlinkat(text, dir, name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "make the link");
	const ssize_t k = readlinkat(dir, name, there, sizeof(there));
	if (k == n && memcmp(there, text, (size_t) n) == 0)
		return 0;
	return err_set(e, EEXIST,
		       "copy-symlink: the target is there already and not this link");
}

int mount_attach_bind(const struct mount_spec *m, int src_fd, const struct mount_place *where,
		      struct err *e)
{
	struct stat st;

	if (fstat(src_fd, &st) < 0)
		return err_sys(e, "stat source");
	if ((m->extra & MOUNT_COPY_SYMLINK) && S_ISLNK(st.st_mode))
		return copy_link(m, src_fd, where, e);

	auto_close int target =
		mount_target_open(m, where->root_fd, S_ISDIR(st.st_mode), src_fd, e);
	return target < 0 ? -1 : mountapi_attach(src_fd, target, e);
}
