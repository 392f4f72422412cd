/* One value in, one value out: the files of a cgroup directory, with errors that name field and file. */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

int cgroup_dir(const struct cgroup_hier *h, struct err *e)
{
	/* The descriptor is a cache: opening it late changes nothing that a caller can see. */
	struct cgroup_hier *cache = (struct cgroup_hier *) h;

	if (cache->dir_fd < 0)
		cache->dir_fd = open(h->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (cache->dir_fd < 0)
		return err_sys(e, "cgroup %s", h->path);
	return cache->dir_fd;
}

/* Nearly every hierarchy is asked for one file: by its whole path that is one walk, over the directory it is two. */
int cgroup_open(const struct cgroup_hier *h, const char *file, int flags, struct err *e)
{
	flags |= O_CLOEXEC | O_NOFOLLOW;
	if (h->dir_fd < 0) {
		auto_free char *path = xasprintf("%s/%s", h->path, file);
		const int fd = open(path, flags);

		if (fd >= 0 || errno != ENOENT)
			return fd;
	}
	/* Which of the two is not there? */
	const int dir = cgroup_dir(h, e);
	return dir < 0 ? CGROUP_GONE : openat(dir, file, flags);
}

static int write_failed(const struct cgroup_hier *h, const char *field, const char *file,
			const char *text, struct err *e)
{
	int code = errno;

	if (field)
		err_sys(e, "linux.resources.%s: write \"%s\" to %s/%s", field, text, h->path,
			file);
	else
		err_sys(e, "write \"%s\" to %s/%s", text, h->path, file);
	if (code == ENOENT)
		return err_hint(e, "the running kernel does not offer this file");
	return -1;
}

int cgroup_write(const struct cgroup_hier *h, const char *field, const char *file,
		 const char *text, struct err *e)
{
	auto_close int fd = cgroup_open(h, file, O_WRONLY, e);
	size_t n = strlen(text);
	ssize_t r;

	if (fd == CGROUP_GONE)
		return -1;
	if (fd < 0)
		return write_failed(h, field, file, text, e);
	do
		r = write(fd, text, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return write_failed(h, field, file, text, e);
	return 0;
}

int cgroup_write_int(const struct cgroup_hier *h, const char *field, const char *file,
		     int64_t value, struct err *e)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return cgroup_write(h, field, file, text, e);
}

int cgroup_write_weight(const struct cgroup_hier *h, const char *field, const char *file,
			const char *text, struct err *e)
{
	struct err first = ERR_NONE, ignored = ERR_NONE;
	int64_t idle = 0;

	if (cgroup_write(h, field, file, text, &first) == 0)
		return 0;
	/* Asked only now: nearly no group is idle. */
	if (first.code != EINVAL || cgroup_read_int(h, "cpu.idle", &idle, &ignored) < 0 ||
	    idle != 1) {
		*e = first;
		return -1;
	}
	if (cgroup_write(h, "cpu.idle", "cpu.idle", "0", e) < 0)
		return -1;
	return cgroup_write(h, field, file, text, e);
}

bool cgroup_has_file(const struct cgroup_hier *h, const char *file)
{
	struct err ignored = ERR_NONE;
	int dir = cgroup_dir(h, &ignored);

	return dir >= 0 && faccessat(dir, file, F_OK, 0) == 0;
}

int cgroup_read_line(const struct cgroup_hier *h, const char *file, char *line, size_t size,
		     struct err *e)
{
	auto_close int fd = cgroup_open(h, file, O_RDONLY, e);
	ssize_t r;

	if (fd == CGROUP_GONE)
		return -1;
	if (fd < 0)
		return err_sys(e, "open %s/%s", h->path, file);
	do
		r = read(fd, line, size - 1);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "read %s/%s", h->path, file);
	line[r] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

int cgroup_read_int(const struct cgroup_hier *h, const char *file, int64_t *out, struct err *e)
{
	char line[64];

	if (cgroup_read_line(h, file, line, sizeof(line), e) < 0)
		return -1;
	if (strcmp(line, "max") == 0) {
		*out = INT64_MAX;
		return 0;
	}
	return str_to_i64(line, INT64_MIN, INT64_MAX, file, out, e);
}

bool cgroup_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n) {
		bool starts = p == list || p[-1] == ' ';

		if (starts && (p[n] == ' ' || p[n] == '\0' || p[n] == '\n'))
			return true;
	}
	return false;
}
