/* What a container has from outside, for CRIU: a name at the dump, what is behind the name at the restore. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/util.h"
#include "runtime/cgroup.h"
#include "runtime/criu_request.h"
#include "runtime/spec.h"

enum { BINDS_MAX = 64 << 10 };

/* All files that are covered have this name, and the host's null device behind it. */
static const char null_device[] = "/dev/null";

/* Names at the dump when root_fd is open, what is behind them otherwise. */
struct outside {
	struct wire *w;
	const struct spec *spec;
	const struct cgroup *cgroup;
	int root_fd;
	const char *bundle;
};

static bool dumping(const struct outside *o)
{
	return o->root_fd >= 0;
}

/* The place as CRIU finds it among the container's mounts: without symlinks. "" when there is no such file. */
static int find_place(const struct outside *o, const char *path, char place[PATH_MAX],
		      bool *is_dir, struct err *e)
{
	struct err why = ERR_NONE;
	struct stat st;
	auto_close int fd = path_open_in(o->root_fd, path, O_PATH, 0, &why);

	place[0] = '\0';
	if (fd < 0 && (why.code == ENOENT || why.code == ENOTDIR))
		return 0;
	if (fd < 0) {
		*e = why;
		return err_wrap(e, "%s", path);
	}
	const ssize_t n = readlink(fd_path(fd).s, place, PATH_MAX - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	place[n] = '\0';
	*is_dir = S_ISDIR(st.st_mode);
	return 0;
}

/* name: where the container has it by its config.json; behind: the host's. */
static int put_one(const struct outside *o, const char *name, const char *behind, struct err *e)
{
	char place[PATH_MAX];
	bool is_dir;

	if (!dumping(o)) {
		wire_pair(o->w, CRIU_EXT_MNT, name, behind);
		return o->w->r;
	}
	if (find_place(o, name, place, &is_dir, e) < 0)
		return -1;
	if (place[0])
		wire_pair(o->w, CRIU_EXT_MNT, place, name);
	return o->w->r;
}

static int put_bind(const struct outside *o, const struct mount_spec *m, struct err *e)
{
	auto_free char *name = path_clean(m->target);
	auto_free char *source = m->source[0] == '/' || dumping(o)
					 ? xstrdup(m->source)
					 : xasprintf("%s/%s", o->bundle, m->source);

	if (m->extra & MOUNT_IDMAP)
		return err_set(
			e, ENOTSUP,
			"an idmapped mount cannot be saved: criu would restore it without "
			"its id map");
	return put_one(o, name, source, e);
}

static bool is_cgroup(const struct mount_spec *m)
{
	return m->type && (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0);
}

/* On v1 a container sees its own directory of each hierarchy, bound one by one. */
static int put_hierarchies(const struct outside *o, const struct mount_spec *m, struct err *e)
{
	auto_buf struct buf binds = BUF_LIMIT(BINDS_MAX);
	auto_free char *target = path_clean(m->target);
	char *save = NULL;

	if (!o->cgroup || cgroup_mode(o->cgroup) != CGROUP_V1 ||
	    cgroup_v1_binds(o->cgroup, &binds, e) < 0)
		return o->w->r;
	auto_free char *lines = buf_take_str(&binds);
	for (char *line = strtok_r(lines, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(line, '\t');

		if (!path)
			return err_set(e, EPROTO, "cgroup bind \"%s\" has no path", line);
		*path++ = '\0';
		auto_free char *name = xasprintf("%s/%s", target, line);
		if (put_one(o, name, path, e) < 0)
			return -1;
	}
	return 0;
}

static int put_mounts(const struct outside *o, struct err *e)
{
	for (size_t i = 0; i < o->spec->n_mounts; i++) {
		const struct mount_spec *m = &o->spec->mounts[i];
		int r = 0;

		if (m->extra & (MOUNT_REMOUNT | MOUNT_FROM_INSIDE))
			continue;
		if (m->extra & MOUNT_BIND)
			r = put_bind(o, m, e);
		else if (is_cgroup(m))
			r = put_hierarchies(o, m, e);
		if (r < 0)
			return err_wrap(e, "mounts[%zu]: %s", i, m->target);
	}
	return 0;
}

/* Directories are covered by a tmpfs, which is the container's own. */
static int put_covers(const struct outside *o, struct err *e)
{
	const char *const *p = o->spec->root.masked;
	char place[PATH_MAX];
	bool is_dir = false;

	if (!dumping(o)) {
		wire_pair(o->w, CRIU_EXT_MNT, null_device, null_device);
		return o->w->r;
	}
	for (; p && *p; p++) {
		if (find_place(o, *p, place, &is_dir, e) < 0)
			return err_wrap(e, "linux.maskedPaths");
		if (place[0] && !is_dir)
			wire_pair(o->w, CRIU_EXT_MNT, place, null_device);
	}
	return o->w->r;
}

/* Bound from the host where they could not be made. */
static int put_devices(const struct outside *o, struct err *e)
{
	for (size_t i = 0; i < dev_defaults_n; i++) {
		if (put_one(o, dev_defaults[i].path, dev_defaults[i].path, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < o->spec->n_devices; i++) {
		if (put_one(o, o->spec->devices[i].path, o->spec->devices[i].path, e) < 0)
			return err_wrap(e, "linux.devices[%zu]", i);
	}
	return 0;
}

static int put_all(const struct outside *o, struct err *e)
{
	return put_mounts(o, e) < 0 || put_covers(o, e) < 0 || put_devices(o, e) < 0 ? -1 : 0;
}

int criu_put_outside_dump(struct wire *w, const struct spec *s, const struct cgroup *cg,
			  int root_fd, struct err *e)
{
	const struct outside o = { .w = w, .spec = s, .cgroup = cg, .root_fd = root_fd };

	return put_all(&o, e);
}

int criu_put_outside_restore(struct wire *w, const struct spec *s, const struct cgroup *cg,
			     const char *bundle, struct err *e)
{
	const struct outside o = {
		.w = w, .spec = s, .cgroup = cg, .root_fd = FD_NONE, .bundle = bundle
	};

	return put_all(&o, e);
}
