#include "images/treecmp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/dirlist.h"
#include "images/inodes.h"

enum { NAMES_MAX = 1 << 24, DEPTH_MAX = 1024, CHUNK = 128 * 1024 };

struct comparison {
	struct inodes *links; /* of the first tree: the inode in the second */
	struct err *why, *e;
	unsigned depth;
	bool alone; /* one name: neither times nor what is below */
	char *chunk_a, *chunk_b;
};

/* One name in both trees. */
struct both {
	int a_fd, b_fd; /* the directories */
	const char *name;
	struct stat a, b;
};

static int differs(struct comparison *c, const char *name, const char *what)
{
	(void) err_set(c->why, EIO, "%s", what);
	(void) err_wrap(c->why, "%.255s", name);
	return TREECMP_DIFFERENT;
}

static int compare_attr(struct comparison *c, const struct both *b, const char *attr)
{
	auto_free void *va = NULL, *vb = NULL;
	struct err missing = ERR_NONE;
	size_t na, nb;

	if (dirlist_xattr(b->a_fd, b->name, attr, &va, &na, c->e) < 0)
		return -1;
	if (dirlist_xattr(b->b_fd, b->name, attr, &vb, &nb, &missing) < 0 || na != nb ||
	    memcmp(va, vb, na) != 0)
		return differs(c, b->name, attr);
	return TREECMP_SAME;
}

static size_t count_attrs(const char *names)
{
	size_t n = 0;

	for (; names && *names; names += strlen(names) + 1)
		n++;
	return n;
}

static int compare_attrs(struct comparison *c, const struct both *b)
{
	auto_free char *a_names = NULL, *b_names = NULL;
	int r = TREECMP_SAME;

	if (dirlist_xattrs(b->a_fd, b->name, &a_names, c->e) < 0 ||
	    dirlist_xattrs(b->b_fd, b->name, &b_names, c->e) < 0)
		return -1;
	if (count_attrs(a_names) != count_attrs(b_names))
		return differs(c, b->name, "extended attributes");
	for (const char *p = a_names; r == TREECMP_SAME && p && *p; p += strlen(p) + 1)
		r = compare_attr(c, b, p);
	return r;
}

/* Not a directory, which archives need not mention, and not a whiteout, which is not seen. */
static bool has_time(const struct stat *st)
{
	return !S_ISDIR(st->st_mode) && !(S_ISCHR(st->st_mode) && st->st_rdev == 0);
}

static bool same_time(const struct stat *x, const struct stat *y)
{
	return x->st_mtim.tv_sec == y->st_mtim.tv_sec &&
	       x->st_mtim.tv_nsec == y->st_mtim.tv_nsec;
}

static int compare_inode(struct comparison *c, const struct both *b)
{
	const struct stat *x = &b->a, *y = &b->b;
	const struct {
		bool same;
		const char *what;
	} rows[] = {
		{ (x->st_mode & S_IFMT) == (y->st_mode & S_IFMT), "another type" },
		{ x->st_mode == y->st_mode, "another mode" },
		{ x->st_uid == y->st_uid && x->st_gid == y->st_gid, "another owner" },
		{ S_ISDIR(x->st_mode) || x->st_nlink == y->st_nlink,
		  "another number of links" },
		{ S_ISDIR(x->st_mode) || x->st_size == y->st_size, "another size" },
		{ x->st_rdev == y->st_rdev, "another device" },
		{ c->alone || !has_time(x) || same_time(x, y), "another time" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].same)
			return differs(c, b->name, rows[i].what);
	}
	return TREECMP_SAME;
}

static ssize_t read_full(int fd, char *p)
{
	size_t n = 0;

	while (n < CHUNK) {
		ssize_t got = read(fd, p + n, CHUNK - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t) got;
	}
	return (ssize_t) n;
}

static int compare_content(struct comparison *c, const struct both *b)
{
	auto_close int x = openat(b->a_fd, b->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int y = openat(b->b_fd, b->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (x < 0 || y < 0)
		return err_sys(c->e, "%.255s", b->name);
	for (;;) {
		ssize_t n = read_full(x, c->chunk_a), m = read_full(y, c->chunk_b);

		if (n < 0)
			return err_sys(c->e, "%.255s: read", b->name);
		/* What cannot be read any more is as bad as what reads as something else. */
		if (n != m || memcmp(c->chunk_a, c->chunk_b, (size_t) n) != 0)
			return differs(c, b->name, "another content");
		if (n == 0)
			return TREECMP_SAME;
	}
}

static int compare_target(struct comparison *c, const struct both *b)
{
	char x[PATH_MAX], y[PATH_MAX];
	ssize_t n = readlinkat(b->a_fd, b->name, x, sizeof(x));
	ssize_t m = readlinkat(b->b_fd, b->name, y, sizeof(y));

	if (n < 0 || m < 0)
		return err_sys(c->e, "%.255s: readlink", b->name);
	if (n != m || memcmp(x, y, (size_t) n) != 0)
		return differs(c, b->name, "another target");
	return TREECMP_SAME;
}

static int compare_dirs(struct comparison *c, int a_fd, int b_fd);

static int compare_subdirs(struct comparison *c, const struct both *b)
{
	auto_close int x = dirlist_descend(b->a_fd, b->name, c->e);
	auto_close int y = x < 0 ? -1 : dirlist_descend(b->b_fd, b->name, c->e);
	int r;

	if (y < 0)
		return -1;
	if (c->depth == DEPTH_MAX)
		return err_set(c->e, ELOOP, "more than %d directories deep", DEPTH_MAX);
	c->depth++;
	r = compare_dirs(c, x, y);
	c->depth--;
	if (r == TREECMP_DIFFERENT && strcmp(b->name, ".") != 0) {
		struct err below = *c->why;

		(void) err_set(c->why, EIO, "%.255s/%s", b->name, below.msg);
	}
	return r;
}

/* A file of several names is read once; every further name has to be one of the same file in the other tree. */
static int compare_links(struct comparison *c, const struct both *b, bool *seen)
{
	uint64_t other = b->b.st_ino;

	*seen = false;
	if (S_ISDIR(b->a.st_mode) || b->a.st_nlink < 2)
		return TREECMP_SAME;
	*seen = !inodes_add(c->links, b->a.st_dev, b->a.st_ino, &other);
	return other == b->b.st_ino ? TREECMP_SAME
				    : differs(c, b->name, "a link to another file");
}

static int stat_both(struct comparison *c, struct both *b)
{
	if (fstatat(b->a_fd, b->name, &b->a, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(b->b_fd, b->name, &b->b, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(c->e, "%.255s", b->name);
	return 0;
}

/* Attributes, and what a file or a link holds. */
static int compare_inside(struct comparison *c, const struct both *b)
{
	int r = compare_attrs(c, b);

	if (r == TREECMP_SAME && S_ISREG(b->a.st_mode))
		r = compare_content(c, b);
	if (r == TREECMP_SAME && S_ISLNK(b->a.st_mode))
		r = compare_target(c, b);
	return r;
}

static int compare_entry(struct comparison *c, struct both *b)
{
	bool seen = false;
	int r;

	if (stat_both(c, b) < 0)
		return -1;
	r = compare_inode(c, b);
	if (r == TREECMP_SAME)
		r = compare_links(c, b, &seen);
	if (r != TREECMP_SAME || seen)
		return r;
	r = compare_inside(c, b);
	if (r == TREECMP_SAME && S_ISDIR(b->a.st_mode))
		r = compare_subdirs(c, b);
	return r;
}

static int compare_dirs(struct comparison *c, int a_fd, int b_fd)
{
	auto_dirlist struct dirlist a = { 0 }, b = { 0 };
	int r = TREECMP_SAME;

	if (dirlist_read(a_fd, NAMES_MAX, &a, c->e) < 0 ||
	    dirlist_read(b_fd, NAMES_MAX, &b, c->e) < 0)
		return -1;
	for (size_t i = 0; r == TREECMP_SAME && i < MAX(a.n, b.n); i++) {
		struct both both = { .a_fd = a_fd, .b_fd = b_fd };
		int order = i >= a.n ? 1 : i >= b.n ? -1 : strcmp(a.v[i], b.v[i]);

		if (order)
			return order < 0 ? differs(c, a.v[i], "missing")
					 : differs(c, b.v[i], "one too many");
		both.name = a.v[i];
		r = compare_entry(c, &both);
	}
	return r;
}

int treecmp(int a_fd, int b_fd, struct err *why, struct err *e)
{
	auto_inodes struct inodes *links = inodes_new();
	auto_free char *chunks = xalloc(2 * (size_t) CHUNK);
	struct comparison c = {
		.links = links, .why = why, .e = e, .chunk_a = chunks, .chunk_b = chunks + CHUNK
	};
	struct both top = { .a_fd = a_fd, .b_fd = b_fd, .name = "." };

	return compare_entry(&c, &top);
}

int treecmp_name(int a_fd, int b_fd, const char *name, nlink_t a_links, struct err *why,
		 struct err *e)
{
	auto_free char *chunks = xalloc(2 * (size_t) CHUNK);
	struct comparison c = {
		.why = why, .e = e, .alone = true, .chunk_a = chunks, .chunk_b = chunks + CHUNK
	};
	struct both b = { .a_fd = a_fd, .b_fd = b_fd, .name = name };
	int r;

	if (stat_both(&c, &b) < 0)
		return -1;
	b.a.st_nlink = a_links;
	r = compare_inode(&c, &b);
	return r == TREECMP_SAME ? compare_inside(&c, &b) : r;
}
