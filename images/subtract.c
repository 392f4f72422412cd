#include "images/subtract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/dirlist.h"
#include "images/inodes.h"
#include "images/treecmp.h"

enum { NAMES_MAX = 1 << 24, DEPTH_MAX = 1024 };

struct subtraction {
	struct inodes *links; /* value: how many names an inode had before any went */
	struct err *e;
	unsigned depth;
};

static int subtract_dir(struct subtraction *s, int tree_fd, int base_fd, bool *empty);

static int whiteout(struct subtraction *s, int tree_fd, const char *name)
{
	if (mknodat(tree_fd, name, S_IFCHR, makedev(0, 0)) < 0)
		return err_sys(s->e, "%.255s: whiteout", name);
	return 0;
}

/* Both are directories. What changes in it may not change its time. */
static int subtract_subdir(struct subtraction *s, int tree_fd, int base_fd, const char *name,
			   bool same, const struct stat *st, bool *gone)
{
	auto_close int x = dirlist_descend(tree_fd, name, s->e);
	auto_close int y = x < 0 ? -1 : dirlist_descend(base_fd, name, s->e);
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, st->st_mtim };
	bool empty;

	if (y < 0)
		return -1;
	if (s->depth == DEPTH_MAX)
		return err_set(s->e, ELOOP, "more than %d directories deep", DEPTH_MAX);
	s->depth++;
	if (subtract_dir(s, x, y, &empty) < 0)
		return err_wrap(s->e, "%.255s", name);
	s->depth--;
	*gone = empty && same;
	if (*gone)
		return unlinkat(tree_fd, name, AT_REMOVEDIR) < 0
			       ? err_sys(s->e, "%.255s: remove", name)
			       : 0;
	return futimens(x, times) < 0 ? err_sys(s->e, "%.255s: time", name) : 0;
}

static nlink_t links_of(struct subtraction *s, const struct stat *st)
{
	uint64_t links = st->st_nlink;

	if (!S_ISDIR(st->st_mode))
		(void) inodes_add(s->links, st->st_dev, st->st_ino, &links);
	return (nlink_t) links;
}

/* A name that both have. *gone: it was the base's and is not here any more. */
static int subtract_name(struct subtraction *s, int tree_fd, int base_fd, const char *name,
			 bool *gone)
{
	struct err why = ERR_NONE;
	struct stat st, base;
	int r;

	*gone = false;
	if (fstatat(tree_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(base_fd, name, &base, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(s->e, "%.255s", name);
	r = treecmp_name(tree_fd, base_fd, name, links_of(s, &st), &why, s->e);
	if (r < 0)
		return -1;
	if (S_ISDIR(st.st_mode) && S_ISDIR(base.st_mode))
		return subtract_subdir(s, tree_fd, base_fd, name, r == TREECMP_SAME, &st, gone);
	if (r != TREECMP_SAME)
		return 0;
	*gone = true;
	return unlinkat(tree_fd, name, 0) < 0 ? err_sys(s->e, "%.255s: remove", name) : 0;
}

static int subtract_dir(struct subtraction *s, int tree_fd, int base_fd, bool *empty)
{
	auto_dirlist struct dirlist tree = { 0 }, base = { 0 };
	size_t i = 0, k = 0;

	*empty = true;
	if (dirlist_read(tree_fd, NAMES_MAX, &tree, s->e) < 0 ||
	    dirlist_read(base_fd, NAMES_MAX, &base, s->e) < 0)
		return -1;
	while (i < tree.n || k < base.n) {
		int order = i >= tree.n ? 1 : k >= base.n ? -1 : strcmp(tree.v[i], base.v[k]);
		bool gone = false;
		int r = 0;

		if (order > 0)
			r = whiteout(s, tree_fd, base.v[k]);
		else if (order == 0)
			r = subtract_name(s, tree_fd, base_fd, tree.v[i], &gone);
		if (r < 0)
			return -1;
		*empty = *empty && gone;
		i += order <= 0;
		k += order >= 0;
	}
	return 0;
}

int subtract_base(int tree_fd, int base_fd, struct err *e)
{
	auto_inodes struct inodes *links = inodes_new();
	struct subtraction s = { .links = links, .e = e };
	struct stat st;
	bool empty;

	if (fstat(tree_fd, &st) < 0)
		return err_sys(e, "stat");
	if (subtract_dir(&s, tree_fd, base_fd, &empty) < 0)
		return -1;
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, st.st_mtim };

	return futimens(tree_fd, times) < 0 ? err_sys(e, "time") : 0;
}
