#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path_walk.h"
#include "base/util.h"

/*
 * openat2 gives up with EAGAIN when a rename anywhere on the system raced with a ".."; a busy host can
 * do that to us again and again. The walk has no such case.
 */
enum { MAX_OPENAT2_TRIES = 32 };

static const char no_openat2[] = "CARREL_TEST_NO_OPENAT2";

/* The switch is the environment itself: nothing here is mutable, and children inherit the choice. */
void path_force_walk(bool on)
{
	if (on)
		(void) setenv(no_openat2, "1", 1);
	else
		(void) unsetenv(no_openat2);
}

/* Returns the descriptor, -1 with errno, or USE_WALK. */
enum { USE_WALK = -2 };

static int try_openat2(int root_fd, const char *path, int oflags, unsigned flags)
{
	struct open_how how = { .flags = (unsigned) oflags,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	if (flags & PATH_NO_SYMLINKS)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	if (flags & PATH_NO_XDEV)
		how.resolve |= RESOLVE_NO_XDEV;
	for (int i = 0; i < MAX_OPENAT2_TRIES; i++) {
		long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int) fd;
		/* EPERM: seccomp profiles that are older than the call; if it is the file that
		 * says so, the walk will hear it again. */
		if (errno == ENOSYS || errno == EPERM)
			return USE_WALK;
		if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
	return USE_WALK;
}

/* oflags as openat2 would take them, or -1. */
static int usable_flags(int oflags, unsigned flags, struct err *e)
{
	const int with_o_path = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	if (oflags & (O_CREAT | O_EXCL | (O_TMPFILE & ~O_DIRECTORY)))
		return err_set(e, EINVAL, "this open may not create anything");
	oflags |= O_CLOEXEC;
	if (flags & PATH_LAST_NOFOLLOW)
		oflags |= O_NOFOLLOW;
	if (!(oflags & O_PATH))
		return oflags | O_NOCTTY; /* an image may hold a terminal's device node */
	if (oflags & ~with_o_path)
		return err_set(e, EINVAL, "O_PATH goes with no other way of opening");
	return oflags;
}

int path_open_in(int root_fd, const char *path, int oflags, unsigned flags, struct err *e)
{
	struct path_walk how = { .flags = flags & ~(unsigned) PATH_LAST_NOFOLLOW };
	int fd = USE_WALK;

	how.oflags = usable_flags(oflags, flags, e);
	if (how.oflags < 0)
		return err_wrap(e, "%s", path);
	if (!secure_getenv(no_openat2))
		fd = try_openat2(root_fd, path, how.oflags, flags);
	if (fd == -1)
		return err_sys(e, "%s", path);
	if (fd == USE_WALK)
		fd = path_walk_in(root_fd, path, &how, e);
	if (fd < 0)
		return err_wrap(e, "%s", path);
	return fd;
}

/* What is there already, which is the common case, costs one system call; what is not is walked. */
static int open_or_make(int root_fd, const char *path, const struct path_walk *how,
			struct err *e)
{
	struct err missing = ERR_NONE;
	int fd = path_open_in(root_fd, path, how->oflags, 0, &missing);

	if (fd >= 0)
		return fd;
	if (missing.code != ENOENT) {
		*e = missing;
		return -1;
	}
	fd = path_walk_in(root_fd, path, how, e);
	if (fd < 0)
		return err_wrap(e, "%s", path);
	return fd;
}

int path_mkdirs_in(int root_fd, const char *path, mode_t mode, struct err *e)
{
	const struct path_walk how = { .oflags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				       .make = PATH_MAKE_DIRS,
				       .mode = mode };

	return open_or_make(root_fd, path, &how, e);
}

int path_touch_in(int root_fd, const char *path, mode_t mode, struct err *e)
{
	const struct path_walk how = { .oflags = O_PATH | O_CLOEXEC,
				       .make = PATH_MAKE_FILE,
				       .mode = mode };

	return open_or_make(root_fd, path, &how, e);
}

/* Cuts trailing slashes and "." components off; returns the length that is left. */
static size_t trim_end(const char *path)
{
	size_t n = strlen(path);

	for (;;) {
		while (n > 0 && path[n - 1] == '/')
			n--;
		if (n == 0 || path[n - 1] != '.' || (n > 1 && path[n - 2] != '/'))
			return n;
		n--;
	}
}

int path_parent_in(int root_fd, const char *path, bool mkdirs, char name[NAME_MAX + 1],
		   struct err *e)
{
	size_t end = trim_end(path), start = end;
	char parent[PATH_MAX];
	int fd;

	if (strlen(path) >= sizeof(parent))
		return err_set(e, ENAMETOOLONG, "%s: %s", path, strerror(ENAMETOOLONG));
	if (!*path)
		return err_set(e, ENOENT, "an empty path");
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (end - start > NAME_MAX)
		return err_set(e, ENAMETOOLONG, "%s: %s", path, strerror(ENAMETOOLONG));
	if (end - start == 2 && !strncmp(path + start, "..", 2))
		return err_set(e, EINVAL, "%s: it ends in \"..\", which names nothing", path);

	memcpy(parent, path, start);
	parent[start] = '\0';
	if (mkdirs)
		fd = path_mkdirs_in(root_fd, start ? parent : "/", 0755, e);
	else
		fd = path_open_in(root_fd, start ? parent : "/", O_PATH | O_DIRECTORY, 0, e);
	if (fd < 0)
		return -1;
	if (end == start)
		(void) strcpy(name, ".");
	else
		(void) snprintf(name, NAME_MAX + 1, "%.*s", (int) (end - start), path + start);
	return fd;
}

bool path_is_clean_absolute(const char *path)
{
	if (path[0] != '/')
		return false;
	if (!path[1])
		return true;
	while (*path == '/') {
		size_t n = strcspn(++path, "/");

		if (n == 0 || !strncmp(path, ".", n) || (n == 2 && !strncmp(path, "..", 2)))
			return false;
		path += n;
	}
	return true;
}

/* Appends a component, or takes the last one away for "..". Returns the new length. */
static size_t clean_step(char *out, size_t n, bool absolute, const char *c, size_t len)
{
	size_t last = n;

	if (len == 0 || (len == 1 && *c == '.'))
		return n;
	while (last > 0 && out[last - 1] != '/')
		last--;
	if (len == 2 && !strncmp(c, "..", 2)) {
		bool up = n - last == 2 && !strncmp(out + last, "..", 2);

		if (absolute && n <= 1)
			return n;
		if (n > 0 && !up)
			return last > 1 ? last - 1 : last;
	}
	if (n > 0 && out[n - 1] != '/')
		out[n++] = '/';
	memcpy(out + n, c, len);
	return n + len;
}

char *path_clean(const char *path)
{
	bool absolute = *path == '/';
	char *out = xalloc(strlen(path) + 2); /* "." for the empty path */
	size_t n = 0;

	if (absolute)
		out[n++] = '/';
	while (*path) {
		size_t len = strcspn(path, "/");

		n = clean_step(out, n, absolute, path, len);
		path += len + (path[len] == '/');
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	return out;
}
