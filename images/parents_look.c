#include "images/parents_look.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/dirlist.h"
#include "images/implied.h"
#include "images/xattr.h"

/* What one layer has under a name. */
enum here {
	HERE_NOTHING, /* the layers below decide */
	HERE_END,     /* nothing, and what is below does not show */
	HERE_DIR,
	HERE_LAST, /* a directory, and what is below does not show */
};

static bool is_opaque(int fd)
{
	char value = 0;

	return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* One component; *fd moves down. Only what leads to the directory hides what is below it: an opaque directory is one
 * whose content is new. */
static int step(int *fd, const char *name, bool *hidden, struct err *e)
{
	int next;

	*hidden = *hidden || is_opaque(*fd);
	next = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0 && errno == ENOENT)
		return *hidden ? HERE_END : HERE_NOTHING;
	if (next < 0 && (errno == ENOTDIR || errno == ELOOP))
		return HERE_END;
	if (next < 0)
		return err_sys(e, "%.255s", name);
	fd_close(fd);
	*fd = next;
	return *hidden ? HERE_LAST : HERE_DIR;
}

static int look_in(int root, const char *path, int *out, struct err *e)
{
	auto_close int fd = fd_dup(root, e);
	bool hidden = false;
	int r = HERE_DIR;

	if (fd < 0)
		return -1;
	while (*path && (r == HERE_DIR || r == HERE_LAST)) {
		const size_t n = strcspn(path, "/");
		char name[NAME_MAX + 1];

		if (n > NAME_MAX)
			return err_set(e, ENAMETOOLONG, "%.40s...: too long a name", path);
		memcpy(name, path, n);
		name[n] = '\0';
		r = step(&fd, name, &hidden, e);
		path += n + (path[n] == '/');
	}
	if (r == HERE_DIR || r == HERE_LAST)
		*out = take_fd(&fd);
	return r;
}

void parents_seen_fini(struct parents_seen *s)
{
	fd_close(&s->shown);
	fd_close(&s->meant);
}

/* Takes fd. 1 when it is the answer. */
static int take(struct parents_seen *s, int fd, struct err *e)
{
	auto_close int own = fd;
	struct stat st;

	if (fstat(own, &st) < 0)
		return err_sys(e, "stat");
	if (s->shown < 0)
		s->shown = take_fd(&own);
	else if (!implied_is(&st))
		s->meant = take_fd(&own);
	return !implied_is(&st);
}

int parents_look(const int *roots, size_t n, const char *path, struct parents_seen *out,
		 struct err *e)
{
	struct parents_seen s = PARENTS_SEEN_NONE;
	int r = HERE_NOTHING, done = 0;

	for (size_t i = n; i > 0 && done == 0 && (r == HERE_NOTHING || r == HERE_DIR); i--) {
		int fd = -1;

		r = look_in(roots[i - 1], path, &fd, e);
		if (r == HERE_DIR || r == HERE_LAST)
			done = take(&s, fd, e);
	}
	if (r < 0 || done < 0) {
		parents_seen_fini(&s);
		return err_wrap(e, "%.200s", path);
	}
	*out = s;
	return s.shown >= 0;
}

/* ---- what a directory says ---- */

/* The next of NUL-separated names that a layer keeps; NULL at the end. */
static const char *next_kept(const char *p)
{
	struct err refused = ERR_NONE;

	while (*p && xattr_judge(p, &refused) != XATTR_KEEP)
		p += strlen(p) + 1;
	return *p ? p : NULL;
}

static int same_value(int a, int b, const char *name, struct err *e)
{
	auto_free void *x = NULL, *y = NULL;
	struct err missing = ERR_NONE;
	size_t n, m;

	if (dirlist_xattr(a, ".", name, &x, &n, e) < 0)
		return -1;
	return dirlist_xattr(b, ".", name, &y, &m, &missing) == 0 && n == m &&
	       memcmp(x, y, n) == 0;
}

/* 1 when b has what a has. */
static int has_all(int a, int b, struct err *e)
{
	auto_free char *names = NULL;
	int r = 1;

	if (dirlist_xattrs(a, ".", &names, e) < 0)
		return -1;
	for (const char *p = names ? next_kept(names) : NULL; p && r == 1;
	     p = next_kept(p + strlen(p) + 1))
		r = same_value(a, b, p, e);
	return r;
}

int parents_differ(const struct parents_seen *s, struct err *e)
{
	struct stat a, b;
	int r;

	if (fstat(s->shown, &a) < 0 || fstat(s->meant, &b) < 0)
		return err_sys(e, "stat");
	if (a.st_mode != b.st_mode || a.st_uid != b.st_uid || a.st_gid != b.st_gid ||
	    a.st_mtim.tv_sec != b.st_mtim.tv_sec || a.st_mtim.tv_nsec != b.st_mtim.tv_nsec)
		return 1;
	r = has_all(s->shown, s->meant, e);
	if (r == 1)
		r = has_all(s->meant, s->shown, e);
	return r < 0 ? -1 : !r;
}

static int copy_attributes(int from, int to, struct err *e)
{
	auto_free char *names = NULL;

	if (dirlist_xattrs(from, ".", &names, e) < 0)
		return -1;
	for (const char *p = names ? next_kept(names) : NULL; p;
	     p = next_kept(p + strlen(p) + 1)) {
		auto_free void *value = NULL;
		size_t n;

		if (dirlist_xattr(from, ".", p, &value, &n, e) < 0)
			return -1;
		if (fsetxattr(to, p, value, n, 0) < 0)
			return err_sys(e, "extended attribute %.100s", p);
	}
	return 0;
}

int parents_copy(int from_fd, int to_fd, struct err *e)
{
	struct timespec times[2];
	struct stat st;

	if (fstat(from_fd, &st) < 0)
		return err_sys(e, "stat");
	if (fchown(to_fd, st.st_uid, st.st_gid) < 0)
		return err_sys(e, "owner");
	if (copy_attributes(from_fd, to_fd, e) < 0)
		return -1;
	times[0] = times[1] = st.st_mtim;
	if (fchmod(to_fd, st.st_mode & 07777) < 0 || futimens(to_fd, times) < 0)
		return err_sys(e, "mode and time");
	return 0;
}
