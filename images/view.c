#include "images/view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"

enum { MAX_RESTARTS = 64 }; /* symlinks and ".." on the way */

struct view {
	int *roots; /* top first */
	size_t n;
};

/* One directory of the view: the directories that merge into it, top first. */
struct level {
	int *fds;
	size_t n;
};
#define auto_level auto_cleanup(level_fini)

enum found { FOUND_NOTHING, FOUND_DIR, FOUND_LINK, FOUND_OTHER };

static void level_fini(struct level *l)
{
	for (size_t i = 0; i < l->n; i++)
		fd_close(&l->fds[i]);
	free(l->fds);
	*l = (struct level){ 0 };
}

static struct level level_new(size_t room)
{
	return (struct level){ .fds = xalloc((room + 1) * sizeof(int)) };
}

struct view *view_new(const int *roots, size_t n)
{
	struct view *v = xalloc(sizeof(*v));

	v->roots = xalloc((n + 1) * sizeof(int));
	v->n = n;
	for (size_t i = 0; i < n; i++)
		v->roots[i] = roots[n - 1 - i];
	return v;
}

void view_free_ptr(struct view **v)
{
	if (!*v)
		return;
	free((*v)->roots);
	free(*v);
	*v = NULL;
}

static int top_level(const struct view *v, struct level *out, struct err *e)
{
	*out = level_new(v->n);
	for (size_t i = 0; i < v->n; i++) {
		int fd = fd_dup(v->roots[i], e);

		if (fd < 0)
			return -1;
		out->fds[out->n++] = fd;
	}
	return 0;
}

static bool is_opaque(int fd)
{
	char value = 0;

	return getxattr(fd_path(fd).s, "trusted.overlay.opaque", &value, 1) == 1 &&
	       value == 'y';
}

static enum found kind_of(const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return FOUND_DIR;
	if (S_ISLNK(st->st_mode))
		return FOUND_LINK;
	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0))
		return FOUND_NOTHING;
	return FOUND_OTHER;
}

/* Looks a plain name up in a level: *next is the directory it names, *fd (O_PATH) anything else. */
static int look_up(const struct level *cur, const char *name, struct level *next, int *fd,
		   struct err *e)
{
	*next = level_new(cur->n);
	for (size_t i = 0; i < cur->n; i++) {
		struct err why = ERR_NONE;
		struct stat st;
		auto_close int here = path_open_in(cur->fds[i], name, O_PATH,
						   PATH_LAST_NOFOLLOW | PATH_NO_SYMLINKS, &why);
		enum found kind;

		if (here < 0 && why.code == ENOENT)
			continue;
		if (here < 0) {
			*e = why;
			return -1;
		}
		if (fstat(here, &st) < 0)
			return err_sys(e, "%s", name);
		kind = kind_of(&st);
		if (kind != FOUND_DIR && next->n > 0)
			break; /* hidden by the directories above */
		if (kind != FOUND_DIR) {
			*fd = take_fd(&here);
			return (int) kind;
		}
		next->fds[next->n++] = take_fd(&here);
		if (is_opaque(next->fds[next->n - 1]))
			break;
	}
	return next->n > 0 ? FOUND_DIR : FOUND_NOTHING;
}

/* A walk that begins at the root again whenever a symlink or ".." has been replaced by what it means. */
struct walk {
	char todo[PATH_MAX], done[PATH_MAX];
	unsigned restarts;
};

static int restart(struct walk *w, const char *target, const char *rest, struct err *e)
{
	char next[PATH_MAX];
	const char *base = *target == '/' ? "" : w->done;

	if (++w->restarts > MAX_RESTARTS)
		return err_set(e, ELOOP, "too many symlinks");
	if (snprintf(next, sizeof(next), "%s/%s/%s", base, target, rest) >= PATH_MAX)
		return err_set(e, ENAMETOOLONG, "a symlink makes the name too long");
	memcpy(w->todo, next, sizeof(next));
	w->done[0] = '\0';
	return 0;
}

static int follow(struct walk *w, int fd, const char *rest, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(e, "readlink");
	target[n] = '\0';
	return restart(w, target, rest, e);
}

static int go_up(struct walk *w, const char *rest, struct err *e)
{
	char *slash = strrchr(w->done, '/');

	if (slash)
		*slash = '\0';
	return restart(w, ".", rest, e);
}

/* Takes the next component off todo; false at the end. */
static bool next_name(struct walk *w, char name[NAME_MAX + 1], const char **rest, struct err *e)
{
	const char *p = w->todo;

	for (;;) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0 || n > NAME_MAX) {
			if (n)
				(void) err_set(e, ENAMETOOLONG, "a name is too long");
			return false;
		}
		*rest = p + n;
		if (n != 1 || *p != '.') {
			memcpy(name, p, n);
			name[n] = '\0';
			return true;
		}
		p += n;
	}
}

static int step(struct walk *w, struct level *cur, const char *name, const char *rest, int *fd,
		struct err *e)
{
	struct level next = { 0 };
	int kind = look_up(cur, name, &next, fd, e);

	if (kind == FOUND_DIR) {
		size_t n = strlen(w->done);

		level_fini(cur);
		*cur = next;
		if (snprintf(w->done + n, sizeof(w->done) - n, "/%s", name) >=
		    (int) (sizeof(w->done) - n))
			return err_set(e, ENAMETOOLONG, "the name is too long");
		memmove(w->todo, rest, strlen(rest) + 1);
		return kind;
	}
	level_fini(&next);
	return kind;
}

/* Returns an enum found (never FOUND_LINK); *fd (O_PATH) for FOUND_OTHER. */
static int resolve(const struct view *v, const char *path, int *fd, struct err *e)
{
	auto_level struct level cur = { 0 };
	struct walk w = { 0 };
	char name[NAME_MAX + 1];
	const char *rest;

	if (snprintf(w.todo, sizeof(w.todo), "%s", path) >= PATH_MAX)
		return err_set(e, ENAMETOOLONG, "the name is too long");
	if (top_level(v, &cur, e) < 0)
		return -1;
	while (next_name(&w, name, &rest, e)) {
		auto_close int here = -1;
		int kind, r = 0;

		if (strcmp(name, "..") == 0) {
			r = go_up(&w, rest, e);
			kind = FOUND_LINK;
		} else {
			kind = step(&w, &cur, name, rest, &here, e);
			if (kind == FOUND_LINK)
				r = follow(&w, here, rest, e);
		}
		if (kind < 0 || r < 0)
			return -1;
		if (kind == FOUND_LINK) {
			level_fini(&cur);
			if (top_level(v, &cur, e) < 0)
				return -1;
		} else if (kind != FOUND_DIR) {
			bool last = rest[strspn(rest, "/")] == '\0';

			*fd = take_fd(&here);
			return last ? kind : FOUND_NOTHING;
		}
	}
	return e->code ? -1 : FOUND_DIR;
}

int view_open_file(const struct view *v, const char *path, struct err *e)
{
	struct err why = ERR_NONE;
	auto_close int fd = -1;
	struct stat st;
	int kind = resolve(v, path, &fd, &why);

	if (kind < 0) {
		*e = why;
		return err_wrap(e, "%s in the image", path);
	}
	if (kind == FOUND_NOTHING)
		return err_set(e, ENOENT, "%s: not in the image", path);
	if (kind != FOUND_OTHER || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s in the image: no regular file", path);
	/* It has been seen to be a regular file, so opening it waits for nothing and starts nothing. */
	int out = open(fd_path(fd).s, O_RDONLY | O_CLOEXEC);
	if (out < 0)
		return err_sys(e, "%s in the image", path);
	return out;
}

int view_has_dir(const struct view *v, const char *path, struct err *e)
{
	struct err why = ERR_NONE;
	auto_close int fd = -1;
	int kind = resolve(v, path, &fd, &why);

	if (kind < 0) {
		*e = why;
		return err_wrap(e, "%s in the image", path);
	}
	return kind == FOUND_DIR;
}
