/*
 * Resolution inside a root, one component at a time.
 *
 * What makes it safe against somebody who renames and replaces things meanwhile: the kernel is never
 * asked for more than one component, and never to follow a link. Each component is opened with
 * O_PATH | O_NOFOLLOW below the descriptor of the directory before it; what it is, is asked of that
 * descriptor; a symlink's text is read from that descriptor and put in front of the rest. The directories
 * walked through stay open on a stack; ".." takes the last one off and an absolute link all of them, so
 * both end at the root by construction, whatever has moved on disk. There is no check of a name that is
 * used again afterwards.
 *
 * Answers are those of openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). One known difference: the
 * sysctl fs.protected_symlinks is not asked; it guards against links that lead elsewhere, and here none
 * can.
 */
#include "base/path_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"

enum {
	MAX_LINKS = 40,	   /* the kernel's MAXSYMLINKS */
	MAX_RETRIES = 128, /* a component that changes under our hands each time */
	MAX_REST = (MAX_LINKS + 1) * PATH_MAX,
	FS_NOSYMFOLLOW = 0x2000, /* statfs's f_flags of a mount with nosymfollow */
	PROC_PID_LINK_SIZE =
		64, /* st_size of /proc/PID/fd/N and map_files: a constant, not a length */
};

struct walk {
	const struct path_walk *how;
	int root_fd;	     /* borrowed */
	uint64_t root_mount; /* with PATH_NO_XDEV */
	struct buf dirs;     /* of int: O_PATH descriptors of the directories below the root */
	struct buf rest;     /* what is still to be resolved, no NUL */
	unsigned links, retries;
};

struct component {
	char name[NAME_MAX + 1];
	size_t end;  /* offset in rest just behind it */
	bool is_dir; /* a slash follows: it has to be a directory and is followed if a link */
	bool last;   /* nothing but slashes follows */
};

/* The caller names the path; what is left to say is why. */
static int fail(struct err *e, int code)
{
	return err_set(e, code, "%s", strerror(code));
}

static int top(const struct walk *w)
{
	int fd;

	if (buf_len(&w->dirs) == 0)
		return w->root_fd;
	memcpy(&fd, buf_bytes(&w->dirs) + buf_len(&w->dirs) - sizeof(fd), sizeof(fd));
	return fd;
}

static void pop(struct walk *w)
{
	int fd = top(w);

	if (buf_len(&w->dirs) == 0)
		return; /* ".." of the root is the root */
	w->dirs.tail -= sizeof(fd);
	fd_close(&fd);
}

static void pop_all(struct walk *w)
{
	while (buf_len(&w->dirs) > 0)
		pop(w);
}

static int push(struct walk *w, int *fd, struct err *e)
{
	if (buf_append(&w->dirs, fd, sizeof(*fd), e) < 0)
		return -1;
	(void) take_fd(fd);
	return 0;
}

/* 1 with *c filled, 0 at the end of the path. */
static int next_component(struct walk *w, struct component *c, struct err *e)
{
	const char *s;
	size_t n, start = 0, end, after;

	n = buf_len(&w->rest);
	s = (const char *) buf_bytes(&w->rest);
	while (start < n && s[start] == '/')
		start++;
	if (start == n)
		return 0;
	for (end = start; end < n && s[end] != '/'; end++)
		;
	if (end - start > NAME_MAX)
		return fail(e, ENAMETOOLONG);
	for (after = end; after < n && s[after] == '/'; after++)
		;
	memcpy(c->name, s + start, end - start);
	c->name[end - start] = '\0';
	c->end = end;
	c->is_dir = end < n;
	c->last = after == n;
	return 1;
}

/* Asks the kernel whether we may search the directory, which "." and ".." also need. */
static int may_search(int dir, struct err *e)
{
	struct stat st;

	if (fstatat(dir, ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(e, errno);
	return 0;
}

static int check_mount(const struct walk *w, int fd, struct err *e)
{
	uint64_t id;

	if (!(w->how->flags & PATH_NO_XDEV))
		return 0;
	if (fd_mount_id(fd, &id, e) < 0)
		return -1;
	if (id != w->root_mount)
		return err_set(e, EXDEV, "it is on another mount");
	return 0;
}

/* "123" or "123/task/456": what /proc/self and /proc/thread-self say. */
static bool is_pid_text(const char *s)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0)
		return false;
	if (strncmp(s + n, "/task/", 6) == 0) {
		s += n + 6;
		n = strspn(s, "0123456789");
	}
	return n > 0 && s[n] == '\0';
}

/*
 * Magic links (/proc/PID/exe, cwd, root, fd/N, ns/X, map_files/X) are not text: the kernel would jump
 * to an object that may lie outside of every root. We never let the kernel follow anything, so missing
 * one would not lead outside; it would only resolve its text inside the root. Refusing them gives
 * openat2's answer. The rule: a link on procfs is an ordinary one when its size is the length of its text
 * (/proc/mounts, /proc/net: made by proc_symlink) or when the text is a pid (/proc/self, of size 0). Magic ones
 * have size 0 or 64 and a text that begins with "/", "(" or a "type:".
 */
static bool is_magic(const struct stat *st, const char *text, size_t n)
{
	if (is_pid_text(text))
		return false;
	return st->st_size != (off_t) n || st->st_size == PROC_PID_LINK_SIZE;
}

/* Puts the link's text where its name stood. */
static int follow(struct walk *w, int fd, const struct stat *st, const struct component *c,
		  struct err *e)
{
	char text[PATH_MAX];
	struct statfs fs;
	ssize_t n;

	if (w->how->flags & PATH_NO_SYMLINKS)
		return err_set(e, ELOOP, "a symbolic link, and none is accepted here");
	if (w->links++ >= MAX_LINKS)
		return fail(e, ELOOP);
	n = readlinkat(fd, "", text, sizeof(text));
	if (n < 0 || fstatfs(fd, &fs) < 0)
		return err_sys(e, "read a symbolic link");
	if (n == (ssize_t) sizeof(text))
		return fail(e, ENAMETOOLONG);
	text[n] = '\0';
	if (fs.f_flags & FS_NOSYMFOLLOW)
		return err_set(e, ELOOP, "a symbolic link on a mount that follows none");
	if (fs.f_type == PROC_SUPER_MAGIC && is_magic(st, text, (size_t) n))
		return err_set(e, ELOOP, "a magic link of procfs is never followed");
	if (text[0] == '/')
		pop_all(w);

	auto_buf struct buf rest = BUF_LIMIT(MAX_REST);

	buf_consume(&w->rest, c->end);
	if (buf_append(&rest, text, (size_t) n, e) < 0 ||
	    buf_append(&rest, buf_bytes(&w->rest), buf_len(&w->rest), e) < 0)
		return -1;
	buf_fini(&w->rest);
	w->rest = rest;
	rest = BUF_LIMIT(0);
	return 0;
}

/* Makes the missing component; somebody else having made it first is as good. */
static int make(struct walk *w, const struct component *c, struct err *e)
{
	bool file = w->how->make == PATH_MAKE_FILE;
	int r;

	if (++w->retries > MAX_RETRIES)
		return err_set(e, ENOENT, "it is removed as often as it is made");
	if (file && c->last && c->is_dir)
		return err_set(e, EISDIR,
			       "a file was to be made, and the name ends in a slash");
	if (file && c->last)
		r = mknodat(top(w), c->name, S_IFREG | w->how->mode, 0);
	else
		r = mkdirat(top(w), c->name, file ? 0755 : w->how->mode);
	if (r < 0 && errno != EEXIST)
		return err_sys(e, "make \"%s\"", c->name);
	return 0;
}

/* The directory that the walk has come to, as what the caller asked for. */
static int open_top(struct walk *w, struct err *e)
{
	int fd = openat(top(w), ".", w->how->oflags | O_CLOEXEC);

	if (fd < 0)
		return fail(e, errno);
	return fd;
}

/*
 * The last component, which is not to be followed. Returns the descriptor, or -1; with *again when it
 * has become a link between our two looks at it. By its name in its parent, not by "." in itself:
 * that would ask for search permission.
 */
static int open_last(struct walk *w, const struct component *c, int *found,
		     const struct stat *st, bool *again, struct err *e)
{
	int oflags = w->how->oflags | (c->is_dir ? O_DIRECTORY : 0);
	auto_close int fd = -1;

	if ((oflags & O_DIRECTORY) && !S_ISDIR(st->st_mode))
		return fail(e, ENOTDIR);
	if (oflags & O_PATH)
		return take_fd(found);
	if (S_ISLNK(st->st_mode))
		return fail(e, ELOOP);
	fd = openat(top(w), c->name, oflags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		*again = errno == ELOOP && ++w->retries <= MAX_RETRIES;
		return fail(e, errno);
	}
	if (check_mount(w, fd, e) < 0)
		return -1;
	return take_fd(&fd);
}

/* One component. Returns the final descriptor, -1, or WALK_ON. */
enum { WALK_ON = -2 };

static int step(struct walk *w, const struct component *c, struct err *e)
{
	auto_close int fd = -1;
	bool again = false;
	struct stat st;

	if (!strcmp(c->name, ".") || !strcmp(c->name, "..")) {
		if (may_search(top(w), e) < 0)
			return -1;
		if (c->name[1])
			pop(w);
		buf_consume(&w->rest, c->end);
		return WALK_ON;
	}
	fd = openat(top(w), c->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && w->how->make != PATH_MAKE_NOTHING)
		return make(w, c, e) < 0 ? -1 : WALK_ON;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(e, errno);
	if (check_mount(w, fd, e) < 0)
		return -1;
	if (S_ISLNK(st.st_mode) && (c->is_dir || !(w->how->oflags & O_NOFOLLOW)))
		return follow(w, fd, &st, c, e) < 0 ? -1 : WALK_ON;
	if (c->is_dir && !S_ISDIR(st.st_mode))
		return fail(e, ENOTDIR);
	if (c->last) {
		int r = open_last(w, c, &fd, &st, &again, e);

		return again ? WALK_ON : r;
	}
	if (push(w, &fd, e) < 0)
		return -1;
	buf_consume(&w->rest, c->end);
	return WALK_ON;
}

static int walk(struct walk *w, struct err *e)
{
	struct component c;

	for (;;) {
		int r = next_component(w, &c, e);

		if (r < 0)
			return -1;
		if (r == 0)
			return open_top(w, e);
		r = step(w, &c, e);
		if (r != WALK_ON)
			return r;
	}
}

int path_walk_in(int root_fd, const char *path, const struct path_walk *how, struct err *e)
{
	struct walk w = { .how = how,
			  .root_fd = root_fd,
			  .dirs = BUF_LIMIT(MAX_REST * sizeof(int)),
			  .rest = BUF_LIMIT(MAX_REST) };
	struct err tried = ERR_NONE; /* an attempt that was repeated is no error */
	size_t n = strlen(path);
	int fd = -1;

	if (n == 0)
		return fail(e, ENOENT);
	if (n >= PATH_MAX)
		return fail(e, ENAMETOOLONG);
	if ((!(how->flags & PATH_NO_XDEV) ||
	     fd_mount_id(root_fd, &w.root_mount, &tried) == 0) &&
	    buf_append(&w.rest, path, n, &tried) == 0)
		fd = walk(&w, &tried);
	pop_all(&w);
	buf_fini(&w.dirs);
	buf_fini(&w.rest);
	if (fd < 0)
		*e = tried;
	return fd;
}
