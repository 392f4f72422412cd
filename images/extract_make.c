/*
 * One maker per kind of entry. All of them put something at a plain name in a directory that is held
 * open, and take away what stands there: in one archive the last entry of a name wins.
 */
#include "images/extract_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "images/tar.h"
#include "images/xattr.h"

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int clear(struct extract *x, const struct place *at, struct err *e)
{
	if (unlinkat(at->dir_fd, at->name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_sys(e, "replace what is there");
	return fd_remove_tree(at->dir_fd, at->name, e);
}

/* Ran into EEXIST: makes room. The place stays what it is, also where its own name went through what is gone now (a link
 * to its directory); other names, and the next entry's, are resolved anew. */
static int make_room(struct extract *x, const struct place *at, struct err *e)
{
	free(take_ptr(&x->parent_path));
	return clear(x, at, e);
}

static int set_owner(struct extract *x, const struct place *at, const struct tar_entry *en,
		     struct err *e)
{
	if (!x->policy.layer)
		return 0;
	if ((en->uid != 0 || en->gid != 0) &&
	    fchownat(at->dir_fd, at->name, en->uid, en->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "owner %u:%u", en->uid, en->gid);
	return 0;
}

static int set_xattr(int fd, const char *name, const void *value, size_t n, struct err *e)
{
	if (fsetxattr(fd, name, value, n, 0) == 0)
		return 0;
	if (errno == EOPNOTSUPP && acl_is_name(name))
		return err_set(e, EOPNOTSUPP,
			       "an ACL, which the store's file system keeps none of; put the "
			       "store on one that does (mount option acl)");
	return err_sys(e, "extended attribute %.100s", name);
}

static void keep_for_later(struct dir_acl acls[DIR_ACLS], const char *name, const void *value,
			   size_t n)
{
	struct dir_acl *a = &acls[strcmp(name, ACL_DEFAULT) == 0];

	a->n = n;
	memcpy(a->value, value, n); /* as tar_acl.c has made it: at most ACL_BYTES_MAX */
}

/* acls: of a directory, which gets them at the end; else NULL. */
static int set_xattrs(struct extract *x, struct tar *t, int fd, struct dir_acl *acls,
		      struct err *e)
{
	const char *name;
	const void *value;
	size_t n;
	int r;

	while ((r = tar_xattr(t, &name, &value, &n, e)) == 1) {
		r = xattr_judge(name, e);
		if (r < 0)
			return -1;
		if (r == XATTR_DROP || fd < 0)
			x->stats.dropped_xattrs++;
		else if (acls && acl_is_name(name))
			keep_for_later(acls, name, value, n);
		else if (set_xattr(fd, name, value, n, e) < 0)
			return -1;
	}
	return r;
}

/* The kernel lets a FIFO have an ACL and nothing else. There is no writer that the open could wake. */
static int set_fifo_xattrs(struct extract *x, struct tar *t, const struct place *at,
			   struct err *e)
{
	const char *name;
	const void *value;
	size_t n;
	int r;

	while ((r = tar_xattr(t, &name, &value, &n, e)) == 1) {
		if (xattr_judge(name, e) < 0)
			return -1;
		if (!acl_is_name(name)) {
			x->stats.dropped_xattrs++;
			continue;
		}
		auto_close int fd = openat(at->dir_fd, at->name,
					   O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "open the FIFO");
		if (set_xattr(fd, name, value, n, e) < 0)
			return -1;
	}
	return r;
}

static int write_at(int fd, const void *p, size_t n, uint64_t offset, struct err *e)
{
	const uint8_t *s = p;

	while (n > 0) {
		ssize_t r = pwrite(fd, s, n, (off_t) offset);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "write");
		s += r;
		n -= (size_t) r;
		offset += (uint64_t) r;
	}
	return 0;
}

static int write_content(struct tar *t, int fd, uint64_t size, struct err *e)
{
	uint64_t offset, end = 0, begun = 0;
	const void *p;
	size_t n;
	int r;

	while ((r = tar_data(t, &p, &n, &offset, e)) == 1) {
		if (write_at(fd, p, n, offset, e) < 0)
			return -1;
		end = MAX(end, offset + n);
		fd_write_behind(fd, &begun, end);
	}
	if (r == 0 && end < size && ftruncate(fd, (off_t) size) < 0)
		return err_sys(e, "size %llu", (unsigned long long) size);
	return r;
}

/* What a new file of a layer has without another call: the mode it was made with (the umask is empty, the tree has no
 * default ACL) and root, whom this child is, as its owner (directories get their setgid bits at the end). */
static bool made_right(const struct tar_entry *en)
{
	return en->uid == 0 && en->gid == 0 && (en->mode & 07000) == 0;
}

static mode_t first_mode(const struct extract *x, const struct tar_entry *en)
{
	return x->policy.layer && made_right(en) ? en->mode : 0600;
}

/* Order: the owner first, because a change of owner takes setuid bits and file capabilities away. */
static int dress_file(struct extract *x, struct tar *t, int fd, const struct tar_entry *en,
		      struct err *e)
{
	const struct timespec times[2] = { en->mtime, en->mtime };

	if (!x->policy.layer)
		return 0;
	if (!made_right(en) && fchown(fd, en->uid, en->gid) < 0)
		return err_sys(e, "owner %u:%u", en->uid, en->gid);
	if (set_xattrs(x, t, fd, NULL, e) < 0)
		return -1;
	if (!made_right(en) && fchmod(fd, en->mode) < 0)
		return err_sys(e, "mode %o", en->mode);
	if (futimens(fd, times) < 0)
		return err_sys(e, "time");
	return 0;
}

int extract_make_file(struct extract *x, struct tar *t, const struct tar_entry *en,
		      struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct place at;

	if (extract_find_place(x, en->path, &at, e) < 0)
		return -1;
	auto_close int fd = openat(at.dir_fd, at.name, flags, first_mode(x, en));
	if (fd < 0 && errno == EEXIST) {
		if (make_room(x, &at, e) < 0)
			return -1;
		fd = openat(at.dir_fd, at.name, flags, first_mode(x, en));
	}
	if (fd < 0)
		return err_sys(e, "make the file");
	x->stats.files++;
	if (write_content(t, fd, en->size, e) < 0)
		return -1;
	return dress_file(x, t, fd, en, e);
}

/* 1: a directory stands there. 0: it was something else and is gone. A whiteout of the same layer says
 * that the lower directory's content is gone, which an opaque directory says as well. */
static int stands(struct extract *x, const struct place *at, bool *was_whiteout, struct err *e)
{
	struct stat st;

	if (fstatat(at->dir_fd, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "look at what is there");
	if (S_ISDIR(st.st_mode))
		return 1;
	*was_whiteout = is_whiteout(&st);
	return make_room(x, at, e);
}

/* A directory that comes again has what comes last. (ACLs see set_acls in extract.c.) */
static int forget_xattrs(int fd, struct err *e)
{
	auto_free char *names = xalloc(XATTR_LIST_MAX);
	const ssize_t n = flistxattr(fd, names, XATTR_LIST_MAX);

	for (const char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		if (str_has_prefix(p, "user.") && fremovexattr(fd, p) < 0)
			return err_sys(e, "extended attribute %.100s", p);
	}
	return 0;
}

/* What is to be known of the directory that an entry names. */
struct made_dir {
	bool stood;  /* it was there */
	bool opaque; /* it was a whiteout */
};

static int dress_dir(struct extract *x, struct tar *t, const struct place *at,
		     const struct tar_entry *en, struct made_dir made, struct err *e)
{
	auto_close int fd =
		openat(at->dir_fd, at->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dir_acl acls[DIR_ACLS];

	acls[0].n = acls[1].n = 0;
	if (fd < 0)
		return err_sys(e, "open the directory");
	if (fchown(fd, en->uid, en->gid) < 0)
		return err_sys(e, "owner %u:%u", en->uid, en->gid);
	if ((made.stood && forget_xattrs(fd, e) < 0) || set_xattrs(x, t, fd, acls, e) < 0)
		return -1;
	if (made.opaque && x->policy.mark_opaque(x->policy.arg, fd, e) < 0)
		return -1;
	return extract_finish_later(x, en, fd, acls, e);
}

int extract_make_dir(struct extract *x, struct tar *t, const struct tar_entry *en,
		     struct err *e)
{
	struct place at = { .dir_fd = x->root_fd, .name = "." };
	struct made_dir made = { .stood = true };
	int r;

	x->stats.dirs++;
	if (*en->path) {
		if (extract_find_place(x, en->path, &at, e) < 0)
			return -1;
		r = mkdirat(at.dir_fd, at.name, 0700);
		made.stood = r < 0;
		if (r < 0 && errno != EEXIST)
			return err_sys(e, "make the directory");
		if (r < 0) {
			r = stands(x, &at, &made.opaque, e);
			if (r < 0)
				return -1;
			made.stood = r == 1;
			if (r == 0 && mkdirat(at.dir_fd, at.name, 0700) < 0)
				return err_sys(e, "make the directory");
		}
	}
	if (!x->policy.layer)
		return 0;
	return dress_dir(x, t, &at, en, made, e);
}

static int set_times(const struct place *at, const struct tar_entry *en, struct err *e)
{
	const struct timespec times[2] = { en->mtime, en->mtime };

	if (utimensat(at->dir_fd, at->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "time");
	return 0;
}

int extract_make_symlink(struct extract *x, struct tar *t, const struct tar_entry *en,
			 struct err *e)
{
	struct place at;
	int r;

	if (extract_find_place(x, en->path, &at, e) < 0)
		return -1;
	r = symlinkat(en->link, at.dir_fd, at.name);
	if (r < 0 && errno == EEXIST) {
		if (make_room(x, &at, e) < 0)
			return -1;
		r = symlinkat(en->link, at.dir_fd, at.name);
	}
	if (r < 0)
		return err_sys(e, "make the symlink");
	x->stats.links++;
	if (!x->policy.layer)
		return 0;
	/* The kernel keeps none of the accepted attributes on a symlink; they are only counted. */
	if (set_owner(x, &at, en, e) < 0 || set_xattrs(x, t, -1, NULL, e) < 0)
		return -1;
	return set_times(&at, en, e);
}

/* The target is found anew by descriptor; only a regular file may get a second name. */
int extract_make_hardlink(struct extract *x, struct tar *t, const struct tar_entry *en,
			  struct err *e)
{
	char source[NAME_MAX + 1];
	struct stat st, made;
	struct place at;
	int r;

	auto_close int from = path_parent_in(x->root_fd, en->link, false, source, e);
	if (from < 0)
		return err_wrap(e, "hard link to %.200s", en->link);
	if (fstatat(from, source, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "hard link to %.200s", en->link);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "hard link to %.200s: that is no regular file",
			       en->link);
	if (extract_find_place(x, en->path, &at, e) < 0)
		return -1;
	r = linkat(from, source, at.dir_fd, at.name, 0);
	if (r < 0 && errno == EEXIST) {
		if (fstatat(at.dir_fd, at.name, &made, AT_SYMLINK_NOFOLLOW) == 0 &&
		    made.st_ino == st.st_ino)
			return 0; /* a link to itself */
		if (make_room(x, &at, e) < 0)
			return -1;
		r = linkat(from, source, at.dir_fd, at.name, 0);
	}
	if (r < 0)
		return err_sys(e, "hard link to %.200s", en->link);
	if (fstatat(at.dir_fd, at.name, &made, AT_SYMLINK_NOFOLLOW) < 0 ||
	    made.st_ino != st.st_ino)
		return err_set(e, ESTALE, "hard link to %.200s: it leads elsewhere", en->link);
	x->stats.links++;
	return 0;
}

int extract_make_fifo(struct extract *x, struct tar *t, const struct tar_entry *en,
		      struct err *e)
{
	struct place at;
	int r;

	if (!x->policy.layer)
		return err_set(e, EINVAL, "a FIFO has no place in an archive of images");
	if (extract_find_place(x, en->path, &at, e) < 0)
		return -1;
	r = mknodat(at.dir_fd, at.name, S_IFIFO | 0600, 0);
	if (r < 0 && errno == EEXIST) {
		if (make_room(x, &at, e) < 0)
			return -1;
		r = mknodat(at.dir_fd, at.name, S_IFIFO | 0600, 0);
	}
	if (r < 0)
		return err_sys(e, "make the FIFO");
	if (set_owner(x, &at, en, e) < 0 || set_fifo_xattrs(x, t, &at, e) < 0)
		return -1;
	/* Nothing else writes here, so the name still is the FIFO that was made. */
	if (fchmodat(at.dir_fd, at.name, en->mode, 0) < 0)
		return err_sys(e, "mode %o", en->mode);
	return set_times(&at, en, e);
}

int extract_make_device(struct extract *x, struct tar *t, const struct tar_entry *en,
			struct err *e)
{
	if (!x->policy.layer || !x->policy.skip_devices)
		return err_set(e, EINVAL,
			       "a device node; images may not bring any (import with "
			       "--skip-devices to leave them out)");
	x->stats.skipped_devices++;
	return 0;
}
