/*
 * Whiteouts in overlayfs' form: a character device 0:0 hides a name of the layers below, an opaque
 * directory hides their content. Neither touches what its own layer wrote, whatever the order.
 */
#include "images/extract_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"

/* anew: it was made for this, in the place of what is below. */
static int mark(struct extract *x, int dir_fd, const char *name, bool anew, struct err *e)
{
	auto_close int fd =
		openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open the directory");
	if (anew && extract_made_anew(x, fd, e) < 0)
		return -1;
	return x->policy.mark_opaque(x->policy.arg, fd, e);
}

int extract_whiteout(struct extract *x, const char *path, const char *name, struct err *e)
{
	struct place at;
	struct stat st;

	if (extract_find_place(x, path, &at, e) < 0)
		return -1;
	if (mknodat(at.dir_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST) {
		(void) err_sys(e, "make a whiteout");
		return e->code == EPERM ? err_hint(e, "Linux 5.8 or newer is needed") : -1;
	}
	if (fstatat(at.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "look at what is there");
	/* This layer's own file hides the lower one by itself; its own directory has to say so. */
	return S_ISDIR(st.st_mode) ? mark(x, at.dir_fd, name, false, e) : 0;
}

int extract_opaque(struct extract *x, const char *path, struct err *e)
{
	struct place at;

	if (extract_find_place(x, path, &at, e) < 0)
		return -1;
	return mark(x, at.dir_fd, ".", false, e);
}

static int to_opaque_dir(struct extract *x, const char *path, struct err *e)
{
	char name[NAME_MAX + 1];
	struct stat st;
	auto_close int dir = path_parent_in(x->root_fd, path, false, name, e);

	if (dir < 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(0, 0))
		return 0;
	if (unlinkat(dir, name, 0) < 0 || mkdirat(dir, name, 0755) < 0)
		return err_sys(e, "%s", path);
	return mark(x, dir, name, true, e) < 0 ? -1 : 1;
}

int extract_open_whiteouts(struct extract *x, const char *path, struct err *e)
{
	auto_free char *prefix = xstrdup(path);

	for (char *p = strchr(prefix, '/'); p; p = strchr(p + 1, '/')) {
		int r;

		*p = '\0';
		r = to_opaque_dir(x, prefix, e);
		if (r != 0)
			return r;
		*p = '/';
	}
	return 0;
}
