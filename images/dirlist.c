#include "images/dirlist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

enum { XATTRS_MAX = 64 * 1024 }; /* the kernel's own limit, for the list as for a value */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static int add(struct dirlist *l, size_t *cap, const char *name, size_t limit, struct err *e)
{
	if (l->n == limit)
		return err_set(e, E2BIG, "more than %zu names in a directory", limit);
	if (l->n == *cap) {
		char **more;

		*cap = *cap ? 2 * *cap : 32;
		more = realloc(l->v, *cap * sizeof(*l->v));
		if (!more)
			return err_set(e, ENOMEM, "no memory for %zu names", *cap);
		l->v = more;
	}
	l->v[l->n++] = xstrdup(name);
	return 0;
}

static int read_names(int dir_fd, size_t limit, bool dirs, struct dirlist *out, struct err *e)
{
	auto_close int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirlist l = { 0 };
	struct dirent *ent;
	size_t cap = 0;
	int r = 0;

	if (!d)
		return err_sys(e, "read a directory");
	(void) take_fd(&fd);
	errno = 0;
	while (r == 0 && (ent = readdir(d))) {
		if ((!dirs || ent->d_type == DT_DIR || ent->d_type == DT_UNKNOWN) &&
		    strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			r = add(&l, &cap, ent->d_name, limit, e);
		errno = 0;
	}
	if (r == 0 && errno)
		r = err_sys(e, "read a directory");
	closedir(d);
	if (r < 0) {
		dirlist_fini(&l);
		return -1;
	}
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), compare);
	*out = l;
	return 0;
}

int dirlist_read(int dir_fd, size_t limit, struct dirlist *out, struct err *e)
{
	return read_names(dir_fd, limit, false, out, e);
}

int dirlist_read_dirs(int dir_fd, size_t limit, struct dirlist *out, struct err *e)
{
	return read_names(dir_fd, limit, true, out, e);
}

void dirlist_fini(struct dirlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct dirlist){ 0 };
}

int dirlist_descend(int dir_fd, const char *name, struct err *e)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "%.255s", name);
	return fd;
}

/* The *at calls for attributes came with Linux 6.13. A name without a slash below a descriptor's own link
 * leads nowhere else. */
struct entry_path {
	char s[NAME_MAX + 40];
};

static struct entry_path entry_path(int dir_fd, const char *name)
{
	struct entry_path p;

	snprintf(p.s, sizeof(p.s), "%s/%.255s", fd_path(dir_fd).s, name);
	return p;
}

int dirlist_xattrs(int dir_fd, const char *name, char **names, struct err *e)
{
	auto_free char *list = xalloc(XATTRS_MAX + 1);
	ssize_t n = llistxattr(entry_path(dir_fd, name).s, list, XATTRS_MAX);

	*names = NULL;
	if (n < 0 && errno == ENOTSUP)
		return 0;
	if (n < 0)
		return err_sys(e, "extended attributes");
	if (n > 0)
		*names = take_ptr(&list);
	return 0;
}

int dirlist_xattr(int dir_fd, const char *name, const char *attr, void **value, size_t *n,
		  struct err *e)
{
	auto_free char *v = xalloc(XATTRS_MAX);
	ssize_t got = lgetxattr(entry_path(dir_fd, name).s, attr, v, XATTRS_MAX);

	if (got < 0)
		return err_sys(e, "extended attribute %.200s", attr);
	*n = (size_t) got;
	*value = take_ptr(&v);
	return 0;
}
