#include "runtime/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/mountapi.h"

const struct dev_spec dev_defaults[] = {
	{ "/dev/null", 'c', 1, 3, 0666, 0, 0 },	   { "/dev/zero", 'c', 1, 5, 0666, 0, 0 },
	{ "/dev/full", 'c', 1, 7, 0666, 0, 0 },	   { "/dev/random", 'c', 1, 8, 0666, 0, 0 },
	{ "/dev/urandom", 'c', 1, 9, 0666, 0, 0 }, { "/dev/tty", 'c', 5, 0, 0666, 0, 0 },
};
const size_t dev_defaults_n = ARRAY_SIZE(dev_defaults);

static mode_t file_type(char type)
{
	switch (type) {
	case 'b':
		return S_IFBLK;
	case 'p':
		return S_IFIFO;
	default:
		return S_IFCHR;
	}
}

/* Looks at the very inode behind the descriptor. */
static int verify(int fd, const struct dev_spec *d, const char *whose, struct err *e)
{
	const mode_t type = file_type(d->type);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if ((st.st_mode & S_IFMT) != type ||
	    (type != S_IFIFO &&
	     st.st_rdev != makedev((unsigned) d->major, (unsigned) d->minor)))
		return err_set(e, EEXIST, "%s is not the device %c %lld:%lld", whose, d->type,
			       (long long) d->major, (long long) d->minor);
	return 0;
}

static int open_node(int dir, const char *name, struct err *e)
{
	const int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open") : fd;
}

/* Makes it, or finds it there. 1: the runtime may not make devices.
 * The mode is exact because the umask is 0 here: no chmod by name, which would follow a link that somebody
 * puts in the node's place. */
static int make_node(int dir, const char *name, const struct dev_spec *d, struct err *e)
{
	const mode_t type = file_type(d->type);
	const bool made = mknodat(dir, name, type | (d->mode & 07777),
				  makedev((unsigned) d->major, (unsigned) d->minor)) == 0;

	if (!made && errno == EPERM)
		return 1;
	if (!made && errno != EEXIST)
		return err_sys(e, "mknod");
	if (made && d->uid == 0 && d->gid == 0)
		return 0;

	auto_close int fd = open_node(dir, name, e);
	if (fd < 0 || verify(fd, d, "what is there", e) < 0)
		return -1;
	if (made && fchownat(fd, "", d->uid, d->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "chown to %u:%u", d->uid, d->gid);
	return 0;
}

/* The plain name of a path right below /dev, else NULL. */
static const char *name_in_dev(const char *path)
{
	const char *name = str_has_prefix(path, "/dev/") ? path + strlen("/dev/") : "";

	return *name && *name != '.' && !strchr(name, '/') ? name : NULL;
}

/* What the node is bound on. On a /dev of its own nothing is there: a new file right in it needs no walk. */
static int touch_target(const struct dev_place *where, const struct dev_spec *d, struct err *e)
{
	const int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	const char *plain = where->dev_fd >= 0 ? name_in_dev(d->path) : NULL;
	const int fd = plain ? openat(where->dev_fd, plain, O_RDONLY | flags, 0666) : FD_NONE;

	return fd >= 0 ? fd : path_touch_in(where->root_fd, d->path, 0666, e);
}

static int bind_node(const struct dev_place *where, const struct dev_spec *d, struct err *e)
{
	auto_close int source = mountapi_clone(AT_FDCWD, d->path, AT_SYMLINK_NOFOLLOW, e);

	if (source < 0)
		return err_wrap(e,
				"the host's %s (a user namespace can only get existing nodes)",
				d->path);
	if (verify(source, d, "the host's node", e) < 0 ||
	    mountapi_setattr(source, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0,
			     MS_PRIVATE, -1, e) < 0)
		return -1;

	auto_close int target = touch_target(where, d, e);
	return target < 0 ? -1 : mountapi_attach(source, target, e);
}

static int make_in_root(const struct dev_place *where, const struct dev_spec *d, struct err *e)
{
	const char *plain = where->dev_fd >= 0 ? name_in_dev(d->path) : NULL;
	char name[NAME_MAX + 1];

	if (plain)
		return make_node(where->dev_fd, plain, d, e);
	auto_close int dir = path_parent_in(where->root_fd, d->path, true, name, e);
	return dir < 0 ? -1 : make_node(dir, name, d, e);
}

int dev_make(const struct dev_place *where, const struct dev_spec *d, struct err *e)
{
	int r = 1;

	if (!where->binds || d->type == 'p')
		r = make_in_root(where, d, e);
	/* A root without CAP_MKNOD (a container itself, say) gets what the host has, as in a user namespace. */
	if (r > 0)
		r = bind_node(where, d, e);
	return r < 0 ? err_wrap(e, "device %s", d->path) : 0;
}
