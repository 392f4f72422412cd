#include "images/upper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "images/dirlist.h"
#include "images/inodes.h"
#include "images/tar.h"
#include "images/tar_write.h"
#include "images/xattr.h"

enum { NAMES_MAX = 1 << 20, DEPTH_MAX = 128, ENTRIES_MAX = 1 << 24, CHUNK = 128 * 1024 };

struct upper {
	const struct upper_options *options;
	struct tar_writer *tar;
	struct upper_stats stats;
	struct inodes *links; /* value: index of the first name in names */
	char **names;
	size_t n_names, cap_names;
	uint64_t mount_id;
	unsigned depth;
	char path[PATH_MAX]; /* of the entry at hand, relative */
	char *chunk;
};

/* One name, looked at once; a regular file is read by the descriptor that was looked at. */
struct item {
	int dir_fd;
	const char *name;
	struct stat st;
	char *xattrs; /* names; owned */
};

static const char *mark_prefix(const struct upper *u)
{
	return u->options->userxattr ? "user.overlay." : "trusted.overlay.";
}

static bool has_mark(const struct upper *u, const struct item *it, const char *mark)
{
	const char *prefix = mark_prefix(u);

	for (const char *p = it->xattrs; p && *p; p += strlen(p) + 1) {
		if (str_has_prefix(p, prefix) && strcmp(p + strlen(prefix), mark) == 0)
			return true;
	}
	return false;
}

static bool is_whiteout(const struct upper *u, const struct item *it)
{
	if (S_ISCHR(it->st.st_mode))
		return it->st.st_rdev == makedev(0, 0);
	return S_ISREG(it->st.st_mode) && it->st.st_size == 0 && has_mark(u, it, "whiteout");
}

/* 1 when the directory's mark is "y": nothing below shows. */
static int is_opaque(const struct upper *u, const struct item *it, struct err *e)
{
	auto_free char *attr = xasprintf("%sopaque", mark_prefix(u));
	auto_free void *value = NULL;
	size_t n;

	if (!has_mark(u, it, "opaque"))
		return 0;
	if (dirlist_xattr(it->dir_fd, it->name, attr, &value, &n, e) < 0)
		return -1;
	return n == 1 && *(char *) value == 'y';
}

static int refuse_odd(const struct upper *u, const struct item *it, struct err *e)
{
	if (str_has_prefix(it->name, ".wh."))
		return err_set(e, EINVAL, "a layer cannot hold a name that begins with .wh.");
	if (has_mark(u, it, "redirect"))
		return err_set(e, ENOTSUP,
			       "a renamed directory of a lower layer (%sredirect); mount the "
			       "overlay with redirect_dir=off",
			       mark_prefix(u));
	if (has_mark(u, it, "metacopy"))
		return err_set(
			e, ENOTSUP,
			"its content lies in a lower layer (%smetacopy); mount the overlay "
			"with metacopy=off",
			mark_prefix(u));
	return 0;
}

/* What a layer may keep, by the same rules as on the way in; overlayfs' own marks have been read. */
static int add_xattrs(struct upper *u, const struct item *it, struct err *e)
{
	for (const char *p = it->xattrs; p && *p; p += strlen(p) + 1) {
		auto_free void *value = NULL;
		struct err refused = ERR_NONE;
		size_t n;

		if (str_has_prefix(p, mark_prefix(u)))
			continue;
		if (xattr_judge(p, &refused) != XATTR_KEEP) {
			u->stats.dropped_xattrs++;
			continue;
		}
		if (dirlist_xattr(it->dir_fd, it->name, p, &value, &n, e) < 0)
			return -1;
		tar_writer_xattr(u->tar, p, value, n);
	}
	return 0;
}

static struct tar_entry entry_of(const struct upper *u, const struct item *it,
				 enum tar_kind kind)
{
	return (struct tar_entry){ .kind = kind,
				   .path = u->path,
				   .mode = it->st.st_mode & 07777,
				   .uid = it->st.st_uid,
				   .gid = it->st.st_gid,
				   .mtime = it->st.st_mtim };
}

static int map_id(const struct upper *u, uint32_t *id, struct err *e)
{
	const struct upper_options *o = u->options;

	if (o->uid_count == 0)
		return 0;
	if (*id < o->uid_base || *id - o->uid_base >= o->uid_count)
		return err_set(e, ERANGE,
			       "its owner or group %u is none of the container's (%u to %llu)",
			       *id, o->uid_base,
			       (unsigned long long) o->uid_base + o->uid_count - 1);
	*id -= o->uid_base;
	return 0;
}

static int put(struct upper *u, struct tar_entry *en, struct err *e)
{
	if (map_id(u, &en->uid, e) < 0 || map_id(u, &en->gid, e) < 0)
		return -1;
	if (++u->stats.entries > ENTRIES_MAX)
		return err_set(e, E2BIG, "more than %d entries", ENTRIES_MAX);
	return tar_writer_entry(u->tar, en, e);
}

/* An empty file of no time and nobody's, so that it depends on nothing but its name. */
static int put_whiteout(struct upper *u, const char *dir, const char *name, struct err *e)
{
	char path[PATH_MAX];
	struct tar_entry en = { .kind = TAR_FILE,
				.path = path,
				.mode = 0600,
				.uid = u->options->uid_base,
				.gid = u->options->uid_base };
	int n = snprintf(path, sizeof(path), "%s%s.wh.%s", dir, *dir ? "/" : "", name);

	if (n < 0 || (size_t) n >= sizeof(path) || strlen(name) + 4 > NAME_MAX)
		return err_set(e, ENAMETOOLONG, "its whiteout would have too long a name");
	u->stats.whiteouts++;
	return put(u, &en, e);
}

/* Stretches with content, as the file system knows them; false: all of it is. */
static bool add_extents(struct upper *u, int fd, uint64_t size)
{
	off_t at = 0, hole = lseek(fd, 0, SEEK_HOLE);

	if (hole < 0 || (uint64_t) hole >= size)
		return false;
	/* Nothing but a hole is said by a stretch of no length. */
	if (lseek(fd, 0, SEEK_DATA) < 0)
		tar_writer_extent(u->tar, 0, 0);
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (uint64_t) at < size) {
		hole = lseek(fd, at, SEEK_HOLE);
		if (hole < 0 || (uint64_t) hole > size)
			hole = (off_t) size;
		tar_writer_extent(u->tar, (uint64_t) at, (uint64_t) (hole - at));
		at = hole;
	}
	return true;
}

/* Exactly `size` bytes, whatever the file does meanwhile. Holes are read as the zeros that they are: the
 * writer leaves out what is outside the extents. */
static int put_content(struct upper *u, int fd, uint64_t size, struct err *e)
{
	uint64_t left = size;

	while (left > 0) {
		size_t want = MIN(left, (uint64_t) CHUNK);
		ssize_t n = pread(fd, u->chunk, want, (off_t) (size - left));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			return err_set(e, EIO,
				       "it became shorter while it was read; stop what writes "
				       "to it");
		if (tar_writer_data(u->tar, u->chunk, (size_t) n, e) < 0)
			return -1;
		left -= (uint64_t) n;
	}
	return 0;
}

/* The first name of an inode has its content, the others are links to it. */
static const char *first_name(struct upper *u, const struct item *it)
{
	uint64_t index = u->n_names;

	if (it->st.st_nlink < 2)
		return NULL;
	if (!inodes_add(u->links, it->st.st_dev, it->st.st_ino, &index))
		return u->names[index];
	if (u->n_names == u->cap_names) {
		u->cap_names = u->cap_names ? 2 * u->cap_names : 64;
		u->names = realloc(u->names, u->cap_names * sizeof(*u->names));
		if (!u->names)
			abort(); /* bounded by ENTRIES_MAX */
	}
	u->names[u->n_names++] = xstrdup(u->path);
	return NULL;
}

static int put_file(struct upper *u, struct item *it, struct err *e)
{
	auto_close int fd = openat(it->dir_fd, it->name,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return err_sys(e, "open");
	if (!S_ISREG(now.st_mode) || now.st_ino != it->st.st_ino)
		return err_set(e, EIO, "it was exchanged while it was read");
	it->st = now;
	struct tar_entry en = entry_of(u, it, TAR_FILE);

	en.link = first_name(u, it);
	if (en.link) {
		en.kind = TAR_HARDLINK;
		return put(u, &en, e);
	}
	en.size = (uint64_t) now.st_size;
	u->stats.bytes += en.size;
	(void) add_extents(u, fd, en.size);
	if (add_xattrs(u, it, e) < 0 || put(u, &en, e) < 0)
		return -1;
	return put_content(u, fd, en.size, e);
}

static int put_symlink(struct upper *u, const struct item *it, struct err *e)
{
	struct tar_entry en = entry_of(u, it, TAR_SYMLINK);
	char target[PATH_MAX];
	ssize_t n = readlinkat(it->dir_fd, it->name, target, sizeof(target));

	if (n < 0)
		return err_sys(e, "readlink");
	if ((size_t) n >= sizeof(target))
		return err_set(e, ENAMETOOLONG, "its target is too long");
	target[n] = '\0';
	en.link = target;
	return put(u, &en, e);
}

static int put_fifo(struct upper *u, const struct item *it, struct err *e)
{
	struct tar_entry en = entry_of(u, it, TAR_FIFO);

	return put(u, &en, e);
}

static int put_children(struct upper *u, int fd, struct err *e);

static int put_dir(struct upper *u, const struct item *it, struct err *e)
{
	auto_close int fd = dirlist_descend(it->dir_fd, it->name, e);
	struct tar_entry en = entry_of(u, it, TAR_DIR);
	int opaque = fd < 0 ? -1 : is_opaque(u, it, e);
	uint64_t mount_id;

	if (opaque < 0 || fd_mount_id(fd, &mount_id, e) < 0)
		return -1;
	if (mount_id != u->mount_id)
		return err_set(e, EXDEV, "a mount point");
	if (u->depth == DEPTH_MAX)
		return err_set(e, ELOOP, "more than %d directories deep", DEPTH_MAX);
	if (add_xattrs(u, it, e) < 0 || put(u, &en, e) < 0 ||
	    (opaque && put_whiteout(u, u->path, ".wh..opq", e) < 0))
		return -1;
	u->depth++;
	if (put_children(u, fd, e) < 0)
		return -1;
	u->depth--;
	return 0;
}

static int put_by_type(struct upper *u, struct item *it, struct err *e)
{
	switch (it->st.st_mode & S_IFMT) {
	case S_IFREG:
		return put_file(u, it, e);
	case S_IFDIR:
		return put_dir(u, it, e);
	case S_IFLNK:
		return put_symlink(u, it, e);
	case S_IFIFO:
		return put_fifo(u, it, e);
	case S_IFSOCK:
		u->stats.skipped_sockets++;
		return 0;
	default:
		u->stats.skipped_devices++;
		return 0;
	}
}

/* u->path is the entry's; the directory's part of it has dir_len bytes. */
static int put_item(struct upper *u, struct item *it, size_t dir_len, struct err *e)
{
	char dir[PATH_MAX];

	if (fstatat(it->dir_fd, it->name, &it->st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "stat");
	if (dirlist_xattrs(it->dir_fd, it->name, &it->xattrs, e) < 0 ||
	    refuse_odd(u, it, e) < 0)
		return -1;
	if (!is_whiteout(u, it))
		return put_by_type(u, it, e);
	memcpy(dir, u->path, dir_len);
	dir[dir_len] = '\0';
	return put_whiteout(u, dir, it->name, e);
}

static int put_children(struct upper *u, int fd, struct err *e)
{
	auto_dirlist struct dirlist l = { 0 };
	size_t dir_len = strlen(u->path);

	if (dirlist_read(fd, NAMES_MAX, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		struct item it = { .dir_fd = fd, .name = l.v[i] };
		int n = snprintf(u->path + dir_len, sizeof(u->path) - dir_len, "%s%s",
				 dir_len ? "/" : "", l.v[i]);
		int r = n < 0 || (size_t) n >= sizeof(u->path) - dir_len
				? err_set(e, ENAMETOOLONG, "too long a path")
				: put_item(u, &it, dir_len, e);

		free(it.xattrs);
		if (r < 0)
			return -1;
		u->path[dir_len] = '\0';
	}
	return 0;
}

int upper_write(int dir_fd, const struct upper_options *o, struct tar_writer *w,
		struct upper_stats *out, struct err *e)
{
	struct item top = { .dir_fd = dir_fd, .name = "." };
	struct upper *u = xalloc(sizeof(*u));
	int r = fd_mount_id(dir_fd, &u->mount_id, e);

	u->options = o;
	u->tar = w;
	u->links = inodes_new();
	u->chunk = xalloc(CHUNK);
	if (r == 0)
		r = put_item(u, &top, 0, e);
	free(top.xattrs);
	if (r < 0 && *u->path)
		(void) err_wrap(e, "%.200s", u->path);
	*out = u->stats;
	for (size_t i = 0; i < u->n_names; i++)
		free(u->names[i]);
	free(u->names);
	inodes_free_ptr(&u->links);
	free(u->chunk);
	free(u);
	return r;
}
