/* A volume's content as a detached mount. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/fsmount.h"
#include "base/loopdev.h"
#include "base/prjquota.h"
#include "base/volume.h"

int volume_mount_image(int image_fd, struct err *e)
{
	/* What breaks stays as it is, for a repair: nothing is written on top of damage. */
	static const char *const options[][2] = { { "errors", "remount-ro" }, { NULL, NULL } };

	struct loopdev_path path;
	auto_close int loop = loopdev_new(image_fd, &path, e);

	return loop < 0 ? -1 : fsmount_source("ext4", path.s, options, 0, e);
}

int volume_room(int mount_fd, uint64_t *bytes, uint64_t *inodes, struct err *e)
{
	struct statfs fs;

	if (fstatfs(mount_fd, &fs) < 0)
		return err_sys(e, "statfs");
	*bytes = (uint64_t) fs.f_bavail * (uint64_t) fs.f_bsize;
	*inodes = fs.f_ffree;
	return 0;
}

/* A volume whose limit got lost (another mount option, a copied directory) would be an unlimited one. */
static int check_quota(const struct volume *v, struct err *e)
{
	struct prjquota q;
	uint32_t project;

	if (prjquota_check(v->content_fd, e) < 0 ||
	    prjquota_of(v->content_fd, &project, e) < 0 ||
	    prjquota_get(v->content_fd, v->info.project, &q, e) < 0)
		return -1;
	/* Of the limit, a block and an inode are for the volume's own directory (volume_limit_quota). */
	if (project != v->info.project || q.bytes < v->info.size ||
	    q.bytes - v->info.size > VOLUME_BLOCK || q.inodes < v->info.inodes ||
	    q.inodes - v->info.inodes > 1)
		return err_set(
			e, EINVAL,
			"its limit is not in force (project %u, %llu bytes, %llu inodes); set it "
			"anew with carrel-image volume resize",
			project, (unsigned long long) q.bytes, (unsigned long long) q.inodes);
	return 0;
}

static int clone_tree(int dir_fd, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID };
	auto_close int fd = (int) syscall(SYS_open_tree, dir_fd, "",
					  AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open_tree");
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(e, "mount_setattr");
	return take_fd(&fd);
}

static int mount_content(const struct volume *v, struct err *e)
{
	if (v->info.growing)
		return err_set(
			e, EINVAL,
			"its resize was cut short; do it again with carrel-image volume resize");
	if (v->info.kind == VOLUME_LOOP)
		return volume_mount_image(v->content_fd, e);
	return check_quota(v, e) < 0 ? -1 : clone_tree(v->content_fd, e);
}

int volume_mount(const struct volume *v, struct err *e)
{
	int fd = mount_content(v, e);

	return fd < 0 ? err_wrap(e, "volume %s", v->info.name) : fd;
}
