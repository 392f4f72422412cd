#include "shim/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "shim/idmap.h"
#include "shim/mountcall.h"
#include "shim/orders.h"

static const char place[] = "workspace";

/* Before the mount is idmapped: a volume has the sandbox's ids as they are. Only its root directory, and no file: that was
 * somebody else's choice of user, who may want it back. */
static int hand_over(int mount_fd, const struct orders *o, struct err *e)
{
	struct stat st;

	if (fstatat(mount_fd, "", &st, AT_EMPTY_PATH) < 0)
		return err_sys(e, "its root");
	if (st.st_uid == o->volume.uid && st.st_gid == o->volume.gid)
		return 0;
	if (fchownat(mount_fd, "", o->volume.uid, o->volume.gid, AT_EMPTY_PATH) < 0)
		return err_sys(e, "give its root to %u:%u", o->volume.uid, o->volume.gid);
	return 0;
}

static int shift_ids(int mount_fd, const struct orders *o, struct err *e)
{
	auto_close int userns_fd = idmap_userns(o->idmap.base, o->idmap.count, e);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOSUID };

	if (userns_fd < 0)
		return -1;
	attr.userns_fd = (uint64_t) userns_fd;
	if (mountcall_setattr(mount_fd, "", AT_EMPTY_PATH, &attr) < 0)
		return err_sys(e, "idmapped mount");
	return 0;
}

static int mount_at(struct volume *v, const struct orders *o, int bundle_fd, struct err *e)
{
	auto_close int fd = volume_mount(v, e);

	if (fd < 0)
		return -1;
	if (hand_over(fd, o, e) < 0 || shift_ids(fd, o, e) < 0)
		return err_wrap(e, "volume %s", v->info.name);
	if (mkdirat(bundle_fd, place, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "bundle/%s", place);
	if (mountcall_move(fd, "", bundle_fd, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "attach at bundle/%s", place);
	return 0;
}

int workspace_mount(const struct orders *o, int bundle_fd, struct volume *out, struct err *e)
{
	auto_volume struct volume v = VOLUME_NONE;
	auto_free char *user = xasprintf("sandbox %s", o->id);

	if (!o->volume.dir)
		return 0;
	if (volume_open(AT_FDCWD, o->volume.dir, VOLUME_TO_USE, &v, e) < 0 ||
	    volume_claim(&v, user, e) < 0 || mount_at(&v, o, bundle_fd, e) < 0)
		return -1;
	volume_settle(&v);
	*out = v;
	v = VOLUME_NONE;
	return 0;
}

int workspace_unmount(int bundle_fd, struct err *e)
{
	if (mountcall_detach(bundle_fd, place) < 0 && errno != EINVAL && errno != ENOENT)
		return err_sys(e, "unmount bundle/%s", place);
	return 0;
}
