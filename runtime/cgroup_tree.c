/*
 * The directories of a cgroup: made with their parents, walked for pids, removed from the leaves up.
 *
 * A container that may write to its own cgroup can nest directories as deep as it likes, so removal holds one
 * descriptor at a time and no path. Collecting pids holds one for each level and therefore has a limit.
 */
#include "runtime/cgroup_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

enum { MAX_DEPTH = 200, MAX_PID_TEXT = 64 << 20, PARENT_TRIES = 16, DIR_MODE = 0755 };

/* What cannot be completed is not left behind. */
static int complete(int root_fd, const char *path, cgroup_made_fn made, struct err *e)
{
	if (!made || made(root_fd, path, e) == 0)
		return 1;
	(void) unlinkat(root_fd, path, AT_REMOVEDIR);
	return -1;
}

/* One level of the slow way. Returns 1 made, 0 was there. */
static int make_one(int root_fd, const char *path, cgroup_made_fn made, struct err *e)
{
	if (mkdirat(root_fd, path, DIR_MODE) < 0) {
		if (errno == EEXIST)
			return 0;
		return err_sys(e, "make cgroup %s", path);
	}
	return complete(root_fd, path, made, e);
}

static int make_all(int root_fd, const char *path, cgroup_made_fn made, struct err *e)
{
	char part[PATH_MAX];
	int r;

	if (str_copy(part, sizeof(part), path, "cgroup path", e) < 0)
		return -1;
	for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		r = make_one(root_fd, part, made, e);
		*slash = '/';
		if (r < 0)
			return -1;
	}
	return make_one(root_fd, path, made, e);
}

int cgroup_mkdirs(int root_fd, const char *path, cgroup_made_fn made, struct err *e)
{
	int r = mkdirat(root_fd, path, DIR_MODE);

	if (r == 0)
		return complete(root_fd, path, made, e);
	if (errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, "make cgroup %s", path);
	/* Whoever ends the last container of a parent may remove it right before we make ours in it. */
	for (int i = 0; i < PARENT_TRIES; i++) {
		*e = ERR_NONE;
		r = make_all(root_fd, path, made, e);
		if (r >= 0 || e->code != ENOENT)
			break;
	}
	return r;
}

static int add_pids(const char *text, struct cgroup_pid_list *out)
{
	while (*text) {
		char *end;
		long pid = strtol(text, &end, 10);

		if (end == text)
			break;
		if (out->n == out->cap) {
			size_t cap = out->cap ? out->cap * 2 : 64;
			pid_t *v = realloc(out->v, cap * sizeof(*v));

			if (!v)
				return -1;
			out->v = v;
			out->cap = cap;
		}
		/* 0: a process of a pid namespace that we cannot see. */
		if (pid > 0)
			out->v[out->n++] = (pid_t) pid;
		text = *end == '\n' ? end + 1 : end;
	}
	return 0;
}

static int read_pids(int dir_fd, struct cgroup_pid_list *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(MAX_PID_TEXT);
	struct err procs = ERR_NONE;

	if (fd_read_file(dir_fd, "cgroup.procs", MAX_PID_TEXT - 1, &text, &procs) < 0) {
		if (procs.code == ENOENT || procs.code == ENODEV)
			return 0;
		/* A threaded cgroup lists its threads only; signalling one signals its process. */
		if (procs.code == EOPNOTSUPP) {
			buf_clear(&text);
			if (fd_read_file(dir_fd, "cgroup.threads", MAX_PID_TEXT - 1, &text, e) <
			    0)
				return -1;
		} else {
			*e = procs;
			return -1;
		}
	}
	if (add_pids(buf_str(&text), out) < 0)
		return err_set(e, ENOMEM, "no memory for a list of %zu pids", out->n);
	return 0;
}

static bool is_subdir(int dir_fd, const struct dirent *d)
{
	struct stat st;

	if (d->d_name[0] == '.')
		return false;
	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int collect(int dir_fd, int depth, struct cgroup_pid_list *out, struct err *e)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	DIR *dir;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open cgroup");
	if (depth > MAX_DEPTH) {
		close(fd);
		return err_set(e, ELOOP, "cgroups nested deeper than %d levels", MAX_DEPTH);
	}
	r = read_pids(fd, out, e);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return r < 0 ? -1 : err_sys(e, "list cgroup");
	}
	while (r == 0 && (d = readdir(dir)) != NULL) {
		auto_close int sub = -1;

		if (!is_subdir(dirfd(dir), d))
			continue;
		sub = openat(dirfd(dir), d->d_name,
			     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			r = collect(sub, depth + 1, out, e);
	}
	closedir(dir);
	return r;
}

int cgroup_collect_pids(int dir_fd, struct cgroup_pid_list *out, struct err *e)
{
	return collect(dir_fd, 0, out, e);
}

/* The first subdirectory that was not refused before: "" when there is none. */
static int first_subdir(int fd, char name[NAME_MAX + 1], struct err *e)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	DIR *dir;

	name[0] = '\0';
	if (copy < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open cgroup");
	dir = fdopendir(copy);
	if (!dir) {
		close(copy);
		return err_sys(e, "list cgroup");
	}
	while ((d = readdir(dir)) != NULL)
		if (is_subdir(copy, d)) {
			snprintf(name, NAME_MAX + 1, "%s", d->d_name);
			break;
		}
	closedir(dir);
	return 0;
}

/* Removes one bottom directory below top_fd. Returns 1 removed, 0 nothing below, -1 with *e. */
static int remove_deepest(int top_fd, struct err *e)
{
	auto_close int at = fd_dup(top_fd, e);
	char name[NAME_MAX + 1], below[NAME_MAX + 1];

	if (at < 0 || first_subdir(at, name, e) < 0)
		return -1;
	if (!name[0])
		return 0;
	for (;;) {
		int next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (next < 0)
			return errno == ENOENT ? 1 : err_sys(e, "open cgroup %s", name);
		if (first_subdir(next, below, e) < 0) {
			close(next);
			return -1;
		}
		if (!below[0]) {
			close(next);
			break;
		}
		fd_close(&at);
		at = next;
		memcpy(name, below, sizeof(name));
	}
	if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "remove cgroup %s", name);
	return 1;
}

int cgroup_rmdir_tree(const char *path, struct err *e)
{
	auto_close int top = -1;
	struct err sub = ERR_NONE;
	int r;

	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return err_sys(e, "remove cgroup %s", path);
	top = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cgroup %s", path);
	do
		r = remove_deepest(top, &sub);
	while (r > 0);
	if (r < 0 && sub.code != EBUSY && sub.code != ENOTEMPTY) {
		*e = sub;
		return err_wrap(e, "remove cgroup %s", path);
	}
	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	if (errno == EBUSY || errno == ENOTEMPTY)
		return 1;
	return err_sys(e, "remove cgroup %s", path);
}
