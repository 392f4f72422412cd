#include "images/upper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "images/acl.h"
#include "images/dirlist.h"
#include "images/inodes.h"
#include "images/tar.h"
#include "images/tar_write.h"
#include "images/xattr.h"

enum { NAMES_MAX = 1 << 20, DEPTH_MAX = 128, ENTRIES_MAX = 1 << 24, CHUNK = 128 * 1024 };

struct upper {
	const struct upper_source *source;
	const struct upper_options *options;
	uint64_t max_bytes;
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
	struct upper_xattrs x; /* names owned */
};

static const char *mark_prefix(const struct upper *u)
{
	return u->options->userxattr ? "user.overlay." : "trusted.overlay.";
}

static bool has_mark(const struct upper *u, const struct item *it, const char *mark)
{
	const char *prefix = mark_prefix(u);

	for (const char *p = it->x.names; p && *p; p += strlen(p) + 1) {
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

/* The value in u->chunk, as the container has it. */
static ssize_t shift_acl(struct upper *u, size_t n, struct err *e)
{
	const struct upper_options *o = u->options;
	struct acl a;

	if (acl_decode(u->chunk, n, &a, e) < 0 ||
	    (o->uid_count && acl_shift(&a, o->uid_base, o->uid_count, e) < 0))
		return -1;
	return (ssize_t) acl_encode(&a, (uint8_t *) u->chunk);
}

/* What a layer may keep, by the same rules as on the way in; overlayfs' own marks have been read. */
static int add_xattrs(struct upper *u, const struct item *it, int fd, struct err *e)
{
	for (const char *p = it->x.names; p && *p; p += strlen(p) + 1) {
		struct err refused = ERR_NONE;
		ssize_t n;

		if (str_has_prefix(p, mark_prefix(u)))
			continue;
		if (xattr_judge(p, &refused) != XATTR_KEEP) {
			u->stats.dropped_xattrs++;
			continue;
		}
		n = fgetxattr(fd, p, u->chunk, XATTR_SIZE_MAX);
		if (n < 0)
			return err_sys(e, "extended attribute %.200s", p);
		if (acl_is_name(p) && (n = shift_acl(u, (size_t) n, e)) < 0)
			return err_wrap(e, "%s", p);
		tar_writer_xattr(u->tar, p, u->chunk, (size_t) n);
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

static int put_zeros(struct upper *u, uint64_t n, struct err *e)
{
	memset(u->chunk, 0, CHUNK);
	while (n > 0) {
		const size_t some = MIN(n, (uint64_t) CHUNK);

		if (tar_writer_data(u->tar, u->chunk, some, e) < 0)
			return -1;
		n -= some;
	}
	return 0;
}

static int put_bytes(struct upper *u, int fd, uint64_t at, uint64_t end, struct err *e)
{
	while (at < end) {
		const size_t want = MIN(end - at, (uint64_t) CHUNK);
		const ssize_t n = pread(fd, u->chunk, want, (off_t) at);

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
		at += (uint64_t) n;
	}
	return 0;
}

/* Where the next data (SEEK_DATA) or hole (SEEK_HOLE) begins, as far as the file system knows; at most `size`. */
static uint64_t seek(int fd, uint64_t at, uint64_t size, int whence)
{
	const off_t r = lseek(fd, (off_t) at, whence);

	if (r < 0)
		return whence == SEEK_DATA && errno != ENXIO ? at : size;
	return MIN((uint64_t) r, size);
}

/* Exactly `size` bytes, whatever the file does meanwhile. Holes are not read: the writer takes their zeros and leaves out
 * what is outside the extents. */
static int put_content(struct upper *u, int fd, uint64_t size, struct err *e)
{
	uint64_t at = 0;

	while (at < size) {
		const uint64_t data = seek(fd, at, size, SEEK_DATA);
		const uint64_t end = data < size ? seek(fd, data, size, SEEK_HOLE) : size;

		if (put_zeros(u, data - at, e) < 0 || put_bytes(u, fd, data, end, e) < 0)
			return -1;
		at = end;
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
	if (en.size > u->max_bytes || u->stats.bytes > u->max_bytes - en.size)
		return err_set(e, EFBIG,
			       "the files have more than the %llu bytes that are allowed",
			       (unsigned long long) u->max_bytes);
	u->stats.bytes += en.size;
	(void) add_extents(u, fd, en.size);
	if (add_xattrs(u, it, fd, e) < 0 || put(u, &en, e) < 0)
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

/* It is not opened, which might wake somebody who waits to write: so an ACL is left out. */
static int put_fifo(struct upper *u, const struct item *it, struct err *e)
{
	struct tar_entry en = entry_of(u, it, TAR_FIFO);

	for (const char *p = it->x.names; p && *p; p += strlen(p) + 1)
		u->stats.dropped_xattrs++;
	return put(u, &en, e);
}

static int put_children(struct upper *u, int fd, struct err *e);

static int put_dir(struct upper *u, const struct item *it, struct err *e)
{
	auto_close int fd = dirlist_descend(it->dir_fd, it->name, e);
	struct tar_entry en = entry_of(u, it, TAR_DIR);
	uint64_t mount_id;

	if (fd < 0 || fd_mount_id(fd, &mount_id, e) < 0)
		return -1;
	if (mount_id != u->mount_id)
		return err_set(e, EXDEV, "a mount point");
	if (u->depth == DEPTH_MAX)
		return err_set(e, ELOOP, "more than %d directories deep", DEPTH_MAX);
	if (add_xattrs(u, it, fd, e) < 0 || put(u, &en, e) < 0 ||
	    (it->x.opaque == 'y' && put_whiteout(u, u->path, ".wh..opq", e) < 0))
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

	auto_close int fd = openat(it->dir_fd, it->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &it->st) < 0)
		return err_sys(e, "stat");
	if (u->source->xattrs(u->source->arg, fd, u->options->userxattr, &it->x, e) < 0 ||
	    refuse_odd(u, it, e) < 0)
		return -1;
	fd_close(&fd);
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

		free(it.x.names);
		if (r < 0)
			return -1;
		u->path[dir_len] = '\0';
	}
	return 0;
}

int upper_write(int dir_fd, const struct upper_source *source, const struct upper_options *o,
		uint64_t max_bytes, struct tar_writer *w, struct upper_stats *out,
		struct err *e)
{
	struct item top = { .dir_fd = dir_fd, .name = "." };
	struct upper *u = xalloc(sizeof(*u));
	int r = fd_mount_id(dir_fd, &u->mount_id, e);

	u->source = source;
	u->options = o;
	u->max_bytes = max_bytes;
	u->tar = w;
	u->links = inodes_new();
	u->chunk = xalloc(CHUNK);
	if (r == 0)
		r = put_item(u, &top, 0, e);
	free(top.x.names);
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
