/*
 * Any bytes as a layer's tar stream, written as an EROFS image and unpacked into a directory: both accept it or neither
 * does, the image keeps the kernel's rules, and holds what the directory holds, entry by entry. Needs root (owners, whiteouts,
 * trusted attributes); else only the image is looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "images/dirlist.h"
#include "images/erofs.h"
#include "images/extract.h"
#include "images/implied.h"
#include "images/limits.h"
#include "images/tar.h"
#include "tests/fuzz/erofs_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct input {
	const uint8_t *data;
	size_t n;
};

static ssize_t feed(void *arg, const void **p, struct err *e)
{
	struct input *in = arg;
	size_t n = MIN(in->n, 997U);

	*p = in->data;
	in->data += n;
	in->n -= n;
	return (ssize_t) n;
}

static int open_tar(struct input *in, struct tar **t, struct err *e)
{
	struct image_limits limits = IMAGE_LIMITS_DEFAULT;

	limits.bytes = 1 << 20;
	limits.entries = 64;
	return tar_open(feed, in, &limits, t, e);
}

/* ---- both ways ---- */

static int mark_opaque(void *arg, int fd, struct err *e)
{
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_sys(e, "opaque");
	return 0;
}

static int to_dir(struct input in, int root, struct extract_stats *stats, struct err *e)
{
	const struct extract_policy policy = { .layer = true,
					       .skip_devices = true,
					       .mark_opaque = mark_opaque };
	auto_extract struct extract *x = extract_new(root, &policy);
	auto_tar struct tar *t = NULL;
	struct tar_entry en;
	int r = open_tar(&in, &t, e);

	while (r >= 0 && (r = tar_next(t, &en, e)) == 1)
		r = extract_entry(x, t, &en, e);
	return r < 0 ? -1 : extract_finish(x, stats, e);
}

static int to_image(struct input in, int fd, struct extract_stats *stats, struct err *e)
{
	auto_erofs struct erofs *w = NULL;
	auto_tar struct tar *t = NULL;
	struct tar_entry en;
	int r = open_tar(&in, &t, e);

	if (r == 0)
		r = erofs_new(fd, true, &w, e);
	while (r >= 0 && (r = tar_next(t, &en, e)) == 1)
		r = erofs_entry(w, t, &en, e);
	return r < 0 ? -1 : erofs_finish(w, stats, e);
}

/* ---- what is in them ---- */

enum { MAX_NAMES = 4096 };

struct same {
	const struct erofs_image *image;
	/* Files of several names: which inode of the one is which of the other. */
	ino_t inos[MAX_NAMES];
	uint64_t nids[MAX_NAMES];
	size_t n;
};

struct level {
	struct same *s;
	int fd; /* the directory; -1: only the image is looked at */
	uint64_t nid, parent;
	size_t names;
	unsigned dots, depth;
};

static void same_xattrs(const struct same *s, const struct erofs_inode *i, int fd)
{
	static char list[1 << 16], value[1 << 16];
	size_t at = 0, bytes, n = 0, m = 0;
	const uint8_t *p;
	char name[300];
	ssize_t r;

	while (erofs_next_xattr(s->image, i, &at, name, &p, &bytes)) {
		n++;
		if (fd < 0)
			continue;
		r = fgetxattr(fd, name, value, sizeof(value));
		if (r < 0 || (size_t) r != bytes || memcmp(value, p, bytes) != 0)
			erofs_wrong(name, i->nid);
	}
	if (fd < 0)
		return;
	r = flistxattr(fd, list, sizeof(list));
	for (char *q = list; r > 0 && q < list + r; q += strlen(q) + 1)
		m++;
	if (n != m)
		erofs_wrong("attributes", i->nid);
}

static void same_content(const struct same *s, const struct erofs_inode *i, const uint8_t *p,
			 size_t n)
{
	uint8_t *content = erofs_content(s->image, i);

	if (i->size != n || memcmp(content, p, n) != 0)
		erofs_wrong("content", i->nid);
	free(content);
}

static void same_file(struct same *s, const struct erofs_inode *i, const struct stat *st,
		      int fd)
{
	static uint8_t content[(1 << 20) + 1];
	const ssize_t n = pread(fd, content, sizeof(content), 0);

	if (n < 0)
		erofs_wrong("read", i->nid);
	same_content(s, i, content, (size_t) n);
	for (size_t k = 0; k < s->n; k++) {
		if ((s->inos[k] == st->st_ino) != (s->nids[k] == i->nid))
			erofs_wrong("another hard link", i->nid);
	}
	if (s->n == MAX_NAMES)
		abort();
	s->inos[s->n] = st->st_ino;
	s->nids[s->n++] = i->nid;
}

/* Times of directories and whiteouts may be those of their making, which are other ones. */
static void same_stat(const struct erofs_inode *i, const struct stat *st)
{
	const bool made = S_ISDIR(st->st_mode) || S_ISCHR(st->st_mode);

	if (i->mode != st->st_mode && !S_ISCHR(st->st_mode))
		erofs_wrong("mode", i->nid);
	if (i->uid != st->st_uid || i->gid != st->st_gid || i->links != st->st_nlink)
		erofs_wrong("owner or links", i->nid);
	if (S_ISDIR(i->mode) && i->mtime == IMPLIED_MTIME.tv_sec &&
	    i->mtime_ns == IMPLIED_MTIME.tv_nsec && !implied_is(st))
		erofs_wrong("implied in one only", i->nid);
	if (!made && (i->mtime != st->st_mtim.tv_sec || i->mtime_ns != st->st_mtim.tv_nsec))
		erofs_wrong("time", i->nid);
	if (S_ISCHR(st->st_mode) && (!S_ISCHR(i->mode) || st->st_rdev != 0 || i->place != 0))
		erofs_wrong("device", i->nid);
}

static uint8_t type_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EROFS_FILE;
	case S_IFDIR:
		return EROFS_DIR;
	case S_IFLNK:
		return EROFS_SYMLINK;
	case S_IFIFO:
		return EROFS_FIFO;
	case S_IFCHR:
		return EROFS_CHAR;
	default:
		return 0;
	}
}

static void same_dir(struct same *s, uint64_t nid, uint64_t parent, int fd, unsigned depth);

static void same_entry(struct level *l, const char *name, const struct erofs_inode *i)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (l->fd < 0) {
		same_xattrs(l->s, i, -1);
		if (S_ISDIR(i->mode))
			same_dir(l->s, i->nid, l->nid, -1, l->depth + 1);
		else
			free(erofs_content(l->s->image, i));
		return;
	}
	if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		erofs_wrong(name, i->nid);
	same_stat(i, &st);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(l->fd, name, target, sizeof(target));
		same_content(l->s, i, (const uint8_t *) target, n < 0 ? 0 : (size_t) n);
	}
	if (S_ISLNK(st.st_mode) || S_ISCHR(st.st_mode)) {
		if (i->n_xattrs)
			erofs_wrong("attributes where there are none", i->nid);
		return;
	}
	auto_close int fd = openat(l->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	same_xattrs(l->s, i, fd);
	if (S_ISREG(st.st_mode))
		same_file(l->s, i, &st, fd);
	else if (S_ISDIR(st.st_mode))
		same_dir(l->s, i->nid, l->nid, fd, l->depth + 1);
}

static void each(void *arg, const char *name, uint64_t nid, uint8_t type)
{
	struct level *l = arg;
	const struct erofs_inode i = erofs_read_inode(l->s->image, nid);

	if (type != type_of(i.mode))
		erofs_wrong("type", nid);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		l->dots++;
		if (nid != (name[1] ? l->parent : l->nid))
			erofs_wrong("dots", nid);
		return;
	}
	l->names++;
	same_entry(l, name, &i);
}

static size_t names_in(int fd)
{
	auto_dirlist struct dirlist l = { 0 };
	struct err e = ERR_NONE;

	if (dirlist_read(fd, MAX_NAMES, &l, &e) < 0)
		abort();
	return l.n;
}

static void same_dir(struct same *s, uint64_t nid, uint64_t parent, int fd, unsigned depth)
{
	const struct erofs_inode i = erofs_read_inode(s->image, nid);
	struct level l = { .s = s, .fd = fd, .nid = nid, .parent = parent, .depth = depth };

	if (depth > 200 || !S_ISDIR(i.mode))
		erofs_wrong("directory", nid);
	erofs_entries(s->image, &i, each, &l);
	if (l.dots != 2 || (fd >= 0 && l.names != names_in(fd)))
		erofs_wrong("number of names", nid);
}

static void compare(int image_fd, int root)
{
	const off_t size = lseek(image_fd, 0, SEEK_END);
	uint8_t *p = mmap(NULL, (size_t) size, PROT_READ, MAP_SHARED, image_fd, 0);
	struct erofs_image image;
	auto_free struct same *s = xalloc(sizeof(*s));
	uint64_t nid;

	if (p == MAP_FAILED)
		abort();
	erofs_read_super(&image, p, (size_t) size);
	s->image = &image;
	s->n = 0;
	nid = le16toh(image.super.root_nid);
	if (root >= 0) {
		const struct erofs_inode i = erofs_read_inode(&image, nid);
		struct stat st;

		if (fstat(root, &st) < 0)
			abort();
		same_stat(&i, &st);
		same_xattrs(s, &i, root);
	}
	same_dir(s, nid, nid, root, 0);
	munmap(p, (size_t) size);
}

/* What only one of the two may refuse: a file system without attributes, an image without room for them. */
static bool excused(const struct err *e)
{
	return e->code == EOPNOTSUPP || e->code == ENOSPC || e->code == ENOBUFS;
}

static void judge(int r_dir, const struct err *e_dir, int r_image, const struct err *e_image)
{
	if ((r_dir < 0) == (r_image < 0) || excused(e_dir) || excused(e_image))
		return;
	fprintf(stderr, "directory: %s\nimage: %s\n", r_dir < 0 ? e_dir->msg : "accepted",
		r_image < 0 ? e_image->msg : "accepted");
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct input in = { .data = data, .n = n };
	char dir[] = "/dev/shm/carrel-fuzz-XXXXXX";
	struct err e_dir = ERR_NONE, e_image = ERR_NONE, e = ERR_NONE;
	struct extract_stats s_dir = { 0 }, s_image = { 0 };
	auto_close int image = memfd_create("image", MFD_CLOEXEC), root = -1;
	const bool both = geteuid() == 0;
	int r_dir = 0, r_image;

	(void) umask(0);
	if (image < 0 || !mkdtemp(dir) || chmod(dir, 0755) < 0)
		abort();
	r_image = to_image(in, image, &s_image, &e_image);
	if (both) {
		root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r_dir = to_dir(in, root, &s_dir, &e_dir);
		judge(r_dir, &e_dir, r_image, &e_image);
	}
	if (r_image == 0 && r_dir == 0) {
		compare(image, root);
		if (both && memcmp(&s_dir, &s_image, sizeof(s_dir)) != 0)
			erofs_wrong("counts", 0);
	}
	fd_close(&root);
	auto_close int parent = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd_remove_tree(parent, strrchr(dir, '/') + 1, &e) < 0)
		abort();
	return 0;
}
