#include "runtime/mount_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/util.h"
#include "runtime/mount.h"
#include "runtime/mountapi.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* The flags of a superblock as fsconfig names them. */
static const struct {
	uint32_t flag;
	const char *set, *clear;
} sb_names[] = {
	{ MS_SYNCHRONOUS, "sync", "async" }, { MS_DIRSYNC, "dirsync", NULL },
	{ MS_MANDLOCK, "mand", "nomand" },   { MS_LAZYTIME, "lazytime", "nolazytime" },
	{ MS_I_VERSION, "iversion", NULL },  { MS_POSIXACL, "acl", NULL },
};

static int sb_flags(const struct mount_spec *m, int fs, bool clear_too, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(sb_names); i++) {
		const char *name = (m->sb_flags & sb_names[i].flag) ? sb_names[i].set
				   : (clear_too && (m->sb_clear & sb_names[i].flag))
					   ? sb_names[i].clear
					   : NULL;

		if (name && mountapi_param(fs, name, NULL, e) < 0)
			return -1;
	}
	return 0;
}

/* Filesystems whose files have no place for a security context of the mount. */
static bool takes_label(const char *type)
{
	static const char *const without[] = { "proc", "sysfs", "mqueue", "cgroup", "cgroup2" };

	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		if (strcmp(type, without[i]) == 0)
			return false;
	}
	return true;
}

static int configure(const struct mount_spec *m, const struct mount_place *where,
		     const char *data, const char *more, int fs, struct err *e)
{
	if (m->source && m->source[0] != '\0' && mountapi_param(fs, "source", m->source, e) < 0)
		return -1;
	/* A device may be read-only itself; for all others the attribute of the mount is enough. */
	if (m->source && m->source[0] == '/' && (m->attrs.set & MOUNT_ATTR_RDONLY) &&
	    mountapi_param(fs, "ro", NULL, e) < 0)
		return -1;
	if (sb_flags(m, fs, false, e) < 0 || mountapi_params(fs, more, e) < 0 ||
	    mountapi_params(fs, data, e) < 0)
		return -1;
	if (where->label && where->label[0] != '\0' && takes_label(m->type))
		return mountapi_param(fs, where->label_as ? where->label_as : "context",
				      where->label, e);
	return 0;
}

static int make(const struct mount_spec *m, const struct mount_place *where, const char *data,
		const char *more, struct err *e)
{
	auto_close int fs = mountapi_fsopen(m->type, e);

	if (fs < 0 || configure(m, where, data, more, fs, e) < 0)
		return -1;
	return mountapi_create(fs, m->attrs.set & MOUNT_FS_ATTRS, e);
}

/* "newinstance,gid=5,mode=0620" without its gid. */
static char *without_gid(const char *data)
{
	char *out = xalloc(strlen(data) + 2);
	size_t n = 0;

	for (const char *p = data; *p; p += strcspn(p, ",")) {
		p += *p == ',';
		const size_t len = strcspn(p, ",");

		if (strncmp(p, "gid=", 4) == 0)
			continue;
		if (n > 0)
			out[n++] = ',';
		memcpy(out + n, p, len);
		n += len;
	}
	return out;
}

/* The group that terminals belong to (5 by custom) does not exist in a user namespace that does not map it;
 * terminals belong to their opener's group there. */
static bool gid_is_unmapped(const struct mount_spec *m, const struct mount_place *where)
{
	const char *gid = mount_data_get(m, "gid");
	uint32_t ignored;

	return strcmp(m->type, "devpts") == 0 && gid && where->user_ns && where->idmap &&
	       idmap_to_outside(&where->idmap->gid, (uint32_t) strtoul(gid, NULL, 10),
				&ignored) != 0;
}

int mount_fs_new(const struct mount_spec *m, const struct mount_place *where, const char *more,
		 struct err *e)
{
	if (!gid_is_unmapped(m, where))
		return make(m, where, m->data, more, e);

	auto_free char *data = without_gid(m->data);
	log_debug("mount %s: its group is not mapped in the user namespace, left out",
		  m->target);
	return make(m, where, data, more, e);
}

int mount_fs_reconfigure(const struct mount_spec *m, int target, struct err *e)
{
	if (!m->data && !m->sb_flags && !m->sb_clear)
		return 0;

	auto_close int fs =
		(int) syscall(SYS_fspick, target, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
	if (fs < 0)
		return err_sys(e, "fspick");
	if (sb_flags(m, fs, true, e) < 0 || mountapi_params(fs, m->data, e) < 0)
		return -1;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return err_sys(e, "remount");
	return 0;
}

/* ---- control groups ---- */

int mount_fs_cgroup_v2(const struct mount_spec *m, const struct mount_place *where,
		       struct err *e)
{
	struct mount_spec unified = *m;

	unified.type = "cgroup2";
	auto_close int fd = make(&unified, where, m->data, NULL, e);
	if (fd >= 0 || (e->code != EPERM && e->code != EBUSY))
		return take_fd(&fd);

	*e = ERR_NONE;
	fd = mountapi_clone(AT_FDCWD, "/sys/fs/cgroup", AT_RECURSIVE, e);
	if (fd < 0)
		return -1;
	/* Whoever may write there on the host could do so from inside; a container gets to read it. */
	if (mountapi_setattr(fd, true, MOUNT_ATTR_RDONLY, 0, MS_SLAVE, -1, e) < 0)
		return -1;
	return take_fd(&fd);
}

/* "cpu,cpuacct" is one hierarchy that programs look for under three names. */
static int link_controllers(int dir, const char *name, struct err *e)
{
	auto_free char *copy = xstrdup(name);
	char *save = NULL;

	if (!strchr(name, ','))
		return 0;
	for (char *c = strtok_r(copy, ",", &save); c; c = strtok_r(NULL, ",", &save)) {
		if (symlinkat(name, dir, c) < 0 && errno != EEXIST)
			return err_sys(e, "link %s", c);
	}
	return 0;
}

static int bind_hierarchy(const struct mount_spec *m, int dir, const char *name,
			  const char *host_path, struct err *e)
{
	auto_close int tree = mountapi_clone(AT_FDCWD, host_path, 0, e);

	if (tree < 0)
		return err_wrap(e, "cgroup %s", host_path);
	if (mountapi_setattr(tree, false, m->attrs.set, m->attrs.clear, MS_PRIVATE, -1, e) < 0)
		return -1;
	if (mkdirat(dir, name, 0755) < 0)
		return err_sys(e, "make %s", name);

	auto_close int target =
		openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_sys(e, "open %s", name);
	if (mountapi_attach(tree, target, e) < 0)
		return err_wrap(e, "cgroup %s", name);
	return link_controllers(dir, name, e);
}

/* The directories are made while the tmpfs is attached already: nothing can be mounted on a detached one before
 * Linux 6.15. It becomes read-only at the end. */
int mount_fs_cgroup_v1(const struct mount_spec *m, int target, const struct mount_place *where,
		       struct err *e)
{
	auto_close int dir =
		mountapi_new("tmpfs", "mode=0755",
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, e);
	auto_free char *binds = xstrdup(where->cgroup_binds ? where->cgroup_binds : "");
	char *save = NULL;

	if (dir < 0 || (!where->detached && mountapi_attach(dir, target, e) < 0))
		return -1;
	for (char *line = strtok_r(binds, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(line, '\t');

		if (!path)
			return err_set(e, EINVAL, "cgroup bind \"%s\" has no path", line);
		*path++ = '\0';
		if (bind_hierarchy(m, dir, line, path, e) < 0)
			return -1;
	}
	if (mountapi_setattr(dir, false, m->attrs.set, m->attrs.clear, 0, -1, e) < 0)
		return -1;
	return where->detached ? mountapi_attach(dir, target, e) : 0;
}
