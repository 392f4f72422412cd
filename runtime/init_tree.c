/*
 * The steps of init that build and enter the container's tree: root, mounts, devices, terminal, covers.
 *
 * Above enter_root the host's tree is reachable by name and nothing of the container is; below it is the other way
 * round. Container paths resolve inside in->root_fd on both sides.
 */
#include "runtime/init_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/util.h"
#include "runtime/cgroup.h"
#include "runtime/console.h"
#include "runtime/mount.h"
#include "runtime/rootfs.h"
#include "runtime/sync.h"

enum { HOST_PATH_MAX = 64 << 10 };

/* Sources are opened here only when the runtime could not (rootless). */
static int enter_bundle(const struct init *in, struct err *e)
{
	if (in->a->bundle && chdir(in->a->bundle) < 0)
		return err_sys(e, "bundle %s", in->a->bundle);
	return 0;
}

int init_attach_root(struct init *in, struct err *e)
{
	/* Joining one has led away from the root's directory. */
	if (in->spec->ns.ns[NS_MNT].path && in->a->root_fd < 0)
		return err_set(e, EPERM,
			       "a mount namespace can be joined only with CAP_SYS_ADMIN");
	in->root_fd = rootfs_attach(in->a->root_fd, &in->spec->root, e);
	return in->root_fd < 0 ? -1 : 0;
}

bool init_asks_idmap(const struct spec *s, const struct mount_spec *m)
{
	const unsigned both = MOUNT_FROM_INSIDE | MOUNT_IDMAP;

	return (m->extra & both) == both && ns_is_new(&s->ns, NS_USER);
}

/* A source that earlier mounts of the container may have made. */
static int clone_inside(const struct init *in, size_t i, struct err *e)
{
	const struct mount_spec *m = &in->spec->mounts[i];
	auto_close int tree = mount_clone_inside(m, in->root_fd, e);

	if (tree < 0)
		return -1;
	if (init_asks_idmap(in->spec, m)) {
		if (sync_send_fd(in->a->sync_fd, SYNC_IDMAP, tree, e) < 0 ||
		    sync_expect(in->a->sync_fd, SYNC_RESUME, e) < 0)
			return -1;
	} else if ((m->extra & MOUNT_IDMAP) &&
		   mount_idmap_tree(m, tree, in->a->source_fds[i], e) < 0) {
		return -1;
	}
	return mount_dress_tree(m, init_has_userns(in), tree, e) < 0 ? -1 : take_fd(&tree);
}

static void keep_late(struct init *in, size_t i, int late)
{
	if (late < 0)
		return;
	if (!in->late_fds) {
		in->late_fds = xalloc(in->spec->n_mounts * sizeof(int));
		for (size_t k = 0; k < in->spec->n_mounts; k++)
			in->late_fds[k] = FD_NONE;
	}
	in->late_fds[i] = late;
}

static int attach_one(struct init *in, size_t i, const struct mount_place *where, struct err *e)
{
	const struct mount_spec *m = &in->spec->mounts[i];
	const struct mount_origin from = {
		.bundle_fd = AT_FDCWD,
		.container_idmap = init_has_userns(in) ? &in->spec->idmap : NULL,
		.container_userns = FD_NONE,
	};
	auto_close int own = FD_NONE;
	int source = in->a->source_fds[i], late;

	if (m->extra & MOUNT_FROM_INSIDE) {
		source = own = clone_inside(in, i, e);
		if (own < 0)
			return err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"",
					m->source, m->target);
	} else if ((m->extra & MOUNT_BIND) && !(m->extra & MOUNT_REMOUNT) && source < 0) {
		if (enter_bundle(in, e) < 0 || mount_open_source(m, &from, &own, e) < 0)
			return -1;
		if (own < 0)
			return err_set(e, EPERM, "mount %s: not allowed in this user namespace",
				       m->target);
		source = own;
	}
	if (mount_attach(m, source, where, &late, e) < 0)
		return -1;
	keep_late(in, i, late);
	return 0;
}

static bool mounts_cgroup(const struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const char *type = s->mounts[i].type;

		if (type && (strcmp(type, "cgroup") == 0 || strcmp(type, "cgroup2") == 0))
			return true;
	}
	return false;
}

/* The layout is the host's, also for a container without a cgroup; there is just nothing to show in it then. */
static int find_cgroups(const struct init *in, struct mount_place *where, struct buf *binds,
			struct err *e)
{
	const struct cgroup *cg = in->a->cgroup;
	enum cgroup_mode mode = cg ? cgroup_mode(cg) : CGROUP_DISABLED;

	if (mode == CGROUP_DISABLED && cgroup_host_mode(&mode, e) < 0)
		return -1;
	where->cgroup_v1 = mode == CGROUP_V1;
	if (cg && cgroup_mode(cg) == CGROUP_V1 && cgroup_v1_binds(cg, binds, e) < 0)
		return -1;
	where->cgroup_binds = buf_str(binds);
	return 0;
}

int init_attach_mounts(struct init *in, struct err *e)
{
	const struct spec *s = in->spec;
	auto_buf struct buf binds = BUF_LIMIT(HOST_PATH_MAX);
	struct mount_place where = {
		.root_fd = in->root_fd,
		.cgroup_ns = ns_has(&s->ns, NS_CGROUP),
		.user_ns = init_has_userns(in),
		.detached = s->root.detached,
		.idmap = &s->idmap,
		.label = s->mount_label,
		.label_as = s->mount_label_as,
	};

	if (mounts_cgroup(s) && find_cgroups(in, &where, &binds, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n_mounts; i++) {
		log_debug("init: mount %s", s->mounts[i].target);
		if (attach_one(in, i, &where, e) == 0)
			continue;
		if (s->root.detached && e->code == EINVAL)
			return err_hint(
				e,
				"without a mount namespace mounts need Linux 6.15, and none can be remounted");
		return -1;
	}
	return 0;
}

enum dev_kind { DEV_OF_IMAGE, DEV_OWN, DEV_BOUND };

/* What the last mount on /dev says. */
static enum dev_kind dev_kind(const struct spec *s)
{
	enum dev_kind kind = DEV_OF_IMAGE;

	for (size_t i = 0; i < s->n_mounts; i++) {
		auto_free char *target = path_clean(s->mounts[i].target);

		if (strcmp(target, "/dev") == 0 && !(s->mounts[i].extra & MOUNT_REMOUNT))
			kind = (s->mounts[i].extra & MOUNT_BIND) ? DEV_BOUND : DEV_OWN;
	}
	return kind;
}

int init_make_devices(struct init *in, struct err *e)
{
	const struct spec *s = in->spec;
	const enum dev_kind kind = dev_kind(s);

	/* A bound /dev is somebody else's: it is complete or it is not. */
	if (kind == DEV_BOUND)
		return 0;
	struct err none = ERR_NONE; /* then each finds, or makes, its own */
	auto_close int dev = path_open_in(in->root_fd, "/dev", O_PATH | O_DIRECTORY, 0, &none);
	const struct dev_place where = {
		.root_fd = in->root_fd,
		.binds = init_has_userns(in),
		.dev_fd = dev,
	};
	for (size_t i = 0; i < dev_defaults_n; i++) {
		if (dev_make(&where, &dev_defaults[i], e) < 0)
			return -1;
	}
	for (size_t i = 0; i < s->n_devices; i++) {
		/* The link to the container's own multiplexer stands there; the host's would be a mount in its way. */
		if (kind == DEV_OWN && strcmp(s->devices[i].path, "/dev/ptmx") == 0)
			continue;
		if (dev_make(&where, &s->devices[i], e) < 0)
			return -1;
	}
	return rootfs_dev_links(in->root_fd, kind == DEV_OWN, e);
}

int init_open_console(struct init *in, struct err *e)
{
	const struct process_spec *p = &in->spec->process;
	auto_close int master = FD_NONE;
	auto_close int slave = FD_NONE;

	if (!p->terminal)
		return 0;
	if (console_open(in->root_fd, p->rows, p->cols, in->a->console_relayed, &master, &slave,
			 e) < 0)
		return -1;
	if (console_bind(in->root_fd, slave, e) < 0 ||
	    console_send(in->a->console_sock_fd, master, e) < 0)
		return -1;
	return console_take(slave, e);
}

/* ---- entering ---- */

int init_enter_root(struct init *in, struct err *e)
{
	struct rootfs_spec root = in->spec->root;

	root.no_pivot = in->a->no_pivot;
	return rootfs_enter(in->root_fd, &root, e);
}

/* The working directory is made when it is missing, as engines expect; a magic link is refused already here. */
int init_make_cwd(struct init *in, struct err *e)
{
	struct err why = ERR_NONE;
	const char *cwd = in->spec->process.cwd;
	auto_close int fd = cwd ? path_mkdirs_in(in->root_fd, cwd, 0755, &why) : FD_NONE;

	if (fd < 0 && why.code == ELOOP) {
		*e = why;
		return err_wrap(e, "process.cwd %s", cwd);
	}
	return 0; /* any other trouble shows when it is entered */
}

int init_cover_paths(struct init *in, struct err *e)
{
	const struct rootfs_spec *root = &in->spec->root;

	if (mask_readonly(in->root_fd, root->ro, e) < 0)
		return -1;
	return mask_paths(&in->mask, in->root_fd, root->masked, e);
}

int init_seal_root(struct init *in, struct err *e)
{
	for (size_t i = 0; in->late_fds && i < in->spec->n_mounts; i++) {
		if (in->late_fds[i] >= 0 && mount_seal(in->late_fds[i], e) < 0)
			return err_wrap(e, "mount %s: read-only", in->spec->mounts[i].target);
		fd_close(&in->late_fds[i]);
	}
	return rootfs_seal(in->root_fd, &in->spec->root, e);
}
