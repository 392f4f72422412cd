/*
 * Each layer's directory is cloned as a detached mount (open_tree); a layer that is an EROFS image in a file is
 * mounted, detached as well (base/erofs.h). Either is given the id mapping and made read-only (mount_setattr). One layer: the clone itself becomes the root. Several: the clones become the
 * lower layers of an overlay without an upper one.
 *
 * How the overlay learns of its layers depends on the kernel, newest first:
 *   by descriptor  "lowerdir+" with the detached clones (Linux 6.15)
 *   by path        the clones are attached at bundle/lower/N first and named "lowerdir=0:1:..."; needs
 *                  only idmapped layers (5.19); a list that is too long for the new calls goes through
 *                  mount(2). CARREL_TEST_NO_LAYER_FDS in the environment forces it.
 *
 * Two of overlayfs's features are turned off, since they follow xattrs in the layers, which come from
 * images: redirect_dir and metacopy.
 */
#include "shim/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/erofs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "shim/idmap.h"
#include "shim/mountcall.h"
#include "shim/orders.h"

enum { FSCONFIG_STRING_MAX = 255 };

int rootfs_own_namespace(struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, "unshare the mount namespace");
	/* Slave, not private: what the host unmounts later must not stay busy through us. */
	if (mountcall_propagation_slave("/") < 0)
		return err_sys(e, "make the mounts of the new namespace slaves");
	return 0;
}

/* The directory or image, locked against removal. Whoever collects the store holds the lock while it removes: having waited
 * for it, the name may lead nowhere, or to another directory, any more. */
static int lock_layer(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat held, named;
	int r;

	if (fd < 0)
		return err_sys(e, "layer %s", path);
	do
		r = flock(fd, LOCK_SH);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(fd, &held) < 0)
		return err_sys(e, "layer %s: lock", path);
	if (stat(path, &named) < 0 || named.st_ino != held.st_ino ||
	    named.st_dev != held.st_dev)
		return err_set(e, ENOENT, "layer %s: it was removed from the store", path);
	if (!S_ISDIR(held.st_mode) && !S_ISREG(held.st_mode))
		return err_set(e, EINVAL, "layer %s: neither a directory nor an image", path);
	return take_fd(&fd);
}

static int detached(int layer_fd, struct err *e)
{
	struct stat st;
	int fd;

	if (fstat(layer_fd, &st) == 0 && S_ISREG(st.st_mode))
		return erofs_mount(layer_fd, e);
	fd = mountcall_open_tree(layer_fd, "",
				 AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? err_sys(e, "open_tree") : fd;
}

/* One layer as a detached, read-only, idmapped mount. */
static int clone_layer(int layer_fd, const char *path, int userns_fd, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOSUID };
	auto_close int fd = detached(layer_fd, e);

	if (fd < 0)
		return err_wrap(e, "layer %s", path);
	if (userns_fd >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t) userns_fd;
	}
	if (mountcall_setattr(fd, "", AT_EMPTY_PATH, &attr) < 0) {
		(void) err_sys(e, "layer %s: idmapped read-only mount", path);
		return errno == EINVAL && userns_fd >= 0
			       ? err_hint(
					 e,
					 "the store's filesystem must support idmapped mounts "
					 "(ext4, xfs, btrfs; tmpfs since Linux 6.3; EROFS since 5.19)")
			       : -1;
	}
	return take_fd(&fd);
}

static int attach(int mount_fd, int bundle_fd, const char *name, struct err *e)
{
	if (mountcall_move(mount_fd, "", bundle_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "attach at bundle/%s", name);
	return 0;
}

/* Sets what both ways share, then makes the mount. */
static int finish_overlay(int fs_fd, struct err *e)
{
	static const char *const options[][2] = {
		{ "source", "carrel" },
		{ "metacopy", "off" },
		{ "redirect_dir", "nofollow" },
	};
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (mountcall_fsconfig(fs_fd, FSCONFIG_SET_STRING, options[i][0], options[i][1],
				       0) < 0)
			return err_sys(e, "overlay: %s=%s", options[i][0], options[i][1]);
	if (mountcall_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    mountcall_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, "overlay: create");
	fd = mountcall_fsmount(fs_fd, FSMOUNT_CLOEXEC,
			       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	return fd < 0 ? err_sys(e, "overlay: fsmount") : fd;
}

/* Top layer first, as overlayfs counts. */
static int overlay_by_fd(const int *layers, size_t n, struct err *e)
{
	auto_close int fs_fd = mountcall_fsopen("overlay", FSOPEN_CLOEXEC);

	if (fs_fd < 0)
		return err_sys(e, "overlay");
	for (size_t i = n; i-- > 0;)
		if (mountcall_fsconfig(fs_fd, FSCONFIG_SET_FD, "lowerdir+", NULL, layers[i]) <
		    0)
			return err_sys(e, "overlay: lowerdir+");
	return finish_overlay(fs_fd, e);
}

/* For a longer list than the new calls take as one string: mount(2) has a page for it. */
static int overlay_by_mount(int lower, const char *list, struct err *e)
{
	static const char place[] = "root";
	auto_free char *options =
		xasprintf("lowerdir=%s,metacopy=off,redirect_dir=nofollow", list);
	int fd;

	if (mkdirat(lower, place, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "bundle/lower/%s", place);
	if (mountcall_mount("carrel", place, "overlay", MS_RDONLY | MS_NODEV | MS_NOSUID,
			    options) < 0)
		return err_sys(e, "overlay: mount with lowerdir=%.60s...", list);
	fd = mountcall_open_tree(lower, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		(void) err_sys(e, "overlay: clone");
	(void) mountcall_detach(lower, place);
	return fd;
}

/* overlayfs resolves names in the working directory: short ones need no quoting. */
static int overlay_in_lower(int lower, size_t n, struct err *e)
{
	auto_close int fs_fd = -1;
	auto_free char *list = xalloc(n * 4 + 1);
	size_t len = 0;

	for (size_t i = n; i-- > 0;)
		len += (size_t) snprintf(list + len, 5, i ? "%zu:" : "%zu", i);
	if (len > FSCONFIG_STRING_MAX)
		return overlay_by_mount(lower, list, e);
	fs_fd = mountcall_fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs_fd < 0)
		return err_sys(e, "overlay");
	if (mountcall_fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir", list, 0) < 0)
		return err_sys(e, "overlay: lowerdir=%s", list);
	return finish_overlay(fs_fd, e);
}

static int overlay_by_path(const int *layers, size_t n, int bundle_fd, struct err *e)
{
	auto_close int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), lower = -1;
	char name[24];
	int fd;

	if (mkdirat(bundle_fd, "lower", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "bundle/lower");
	lower = openat(bundle_fd, "lower", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (lower < 0)
		return err_sys(e, "bundle/lower");
	for (size_t i = 0; i < n; i++) {
		(void) snprintf(name, sizeof(name), "%zu", i);
		if (mkdirat(lower, name, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "bundle/lower/%s", name);
		if (attach(layers[i], lower, name, e) < 0)
			return -1;
	}
	if (fchdir(lower) < 0)
		return err_sys(e, "enter bundle/lower");
	fd = overlay_in_lower(lower, n, e);
	if (cwd < 0 || fchdir(cwd) < 0) {
		fd_close(&fd);
		return err_sys(e, "leave bundle/lower");
	}
	/* The overlay holds the layers by itself now. */
	for (size_t i = 0; i < n; i++) {
		(void) snprintf(name, sizeof(name), "%zu", i);
		(void) mountcall_detach(lower, name);
	}
	return fd;
}

static int overlay(const int *layers, size_t n, int bundle_fd, struct err *e)
{
	struct err first = ERR_NONE;
	int fd = -1;

	if (!getenv("CARREL_TEST_NO_LAYER_FDS"))
		fd = overlay_by_fd(layers, n, &first);
	return fd >= 0 ? fd : overlay_by_path(layers, n, bundle_fd, e);
}

static int make_root(const struct orders *o, const struct rootfs *r, int bundle_fd,
		     int userns_fd, int *clones, struct err *e)
{
	auto_close int fd = -1;

	for (size_t i = 0; i < r->n; i++) {
		clones[i] = clone_layer(r->layers[i], o->rootfs.layers[i], userns_fd, e);
		if (clones[i] < 0)
			return -1;
	}
	if (r->n == 1)
		return attach(clones[0], bundle_fd, "rootfs", e);
	fd = overlay(clones, r->n, bundle_fd, e);
	return fd < 0 ? -1 : attach(fd, bundle_fd, "rootfs", e);
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fd_close(&fds[i]);
}

static int *no_fds(size_t n)
{
	int *fds = xalloc(n * sizeof(*fds));

	for (size_t i = 0; i < n; i++)
		fds[i] = FD_NONE;
	return fds;
}

static int lock_layers(const struct orders *o, struct rootfs *r, struct err *e)
{
	*r = (struct rootfs){ .layers = no_fds(o->rootfs.n_layers), .n = o->rootfs.n_layers };
	for (size_t i = 0; i < r->n; i++) {
		r->layers[i] = lock_layer(o->rootfs.layers[i], e);
		if (r->layers[i] < 0)
			return -1;
	}
	return 0;
}

static int mount_root(const struct orders *o, const struct rootfs *r, int bundle_fd,
		      struct err *e)
{
	auto_free int *clones = no_fds(r->n);
	auto_close int userns_fd = -1;
	int done;

	if (o->idmap.count > 0) {
		userns_fd = idmap_userns(o->idmap.base, o->idmap.count, e);
		if (userns_fd < 0)
			return -1;
	}
	done = make_root(o, r, bundle_fd, userns_fd, clones, e);
	close_all(clones, r->n);
	return done;
}

int rootfs_mount(const struct orders *o, int bundle_fd, struct rootfs *out, struct err *e)
{
	struct rootfs r;

	if (lock_layers(o, &r, e) < 0 || mount_root(o, &r, bundle_fd, e) < 0) {
		rootfs_fini(&r);
		return err_wrap(e, "root filesystem");
	}
	*out = r;
	return 0;
}

void rootfs_fini(struct rootfs *r)
{
	close_all(r->layers, r->n);
	free(r->layers);
	*r = (struct rootfs){ 0 };
}

int rootfs_unmount(int bundle_fd, struct err *e)
{
	if (mountcall_detach(bundle_fd, "rootfs") < 0 && errno != EINVAL && errno != ENOENT)
		return err_sys(e, "unmount bundle/rootfs");
	return 0;
}
