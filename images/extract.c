#include "images/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "images/extract_internal.h"
#include "images/tar.h"
#include "images/whiteout.h"

struct extract *extract_new(int root_fd, const struct extract_policy *policy)
{
	struct extract *x = xalloc(sizeof(*x));

	x->root_fd = root_fd;
	x->policy = *policy;
	x->parent_fd = -1;
	x->late = BUF_LIMIT(EXTRACT_LATE_LIMIT);
	return x;
}

void extract_forget_parent(struct extract *x)
{
	free(take_ptr(&x->parent_path));
	fd_close(&x->parent_fd);
}

void extract_free_ptr(struct extract **x)
{
	if (!*x)
		return;
	extract_forget_parent(*x);
	buf_fini(&(*x)->late);
	free(*x);
	*x = NULL;
}

static int resolve_parent(struct extract *x, const char *path, struct place *out, struct err *e)
{
	int fd = path_parent_in(x->root_fd, path, false, out->name, e);
	struct err first;

	if (fd < 0 && e->code == ENOENT) {
		x->implied = true;
		*e = ERR_NONE;
		fd = path_parent_in(x->root_fd, path, true, out->name, e);
	}
	if (fd >= 0 || e->code != ENOTDIR || !x->policy.layer)
		return fd;
	first = *e;
	if (extract_open_whiteouts(x, path, e) != 1) {
		*e = first;
		return -1;
	}
	x->implied = true; /* what lies between */
	return path_parent_in(x->root_fd, path, true, out->name, e);
}

int extract_find_place(struct extract *x, const char *path, struct place *out, struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t) (slash - path) : 0;

	if (x->parent_path && strlen(x->parent_path) == n &&
	    memcmp(x->parent_path, path, n) == 0) {
		snprintf(out->name, sizeof(out->name), "%s", slash ? slash + 1 : path);
		out->dir_fd = x->parent_fd;
		return 0;
	}
	extract_forget_parent(x);
	x->parent_fd = resolve_parent(x, path, out, e);
	if (x->parent_fd < 0)
		return -1;
	x->parent_path = xstrndup(path, n);
	out->dir_fd = x->parent_fd;
	return 0;
}

static int (*const makers[])(struct extract *, struct tar *, const struct tar_entry *,
			     struct err *) = {
	[TAR_FILE] = extract_make_file,	      [TAR_DIR] = extract_make_dir,
	[TAR_SYMLINK] = extract_make_symlink, [TAR_HARDLINK] = extract_make_hardlink,
	[TAR_FIFO] = extract_make_fifo,	      [TAR_CHAR] = extract_make_device,
	[TAR_BLOCK] = extract_make_device,
};

static int apply_whiteout(struct extract *x, const struct tar_entry *en, int kind,
			  const char *name, struct err *e)
{
	if (en->kind != TAR_FILE)
		return err_set(e, EINVAL, "a whiteout has to be a regular file");
	x->stats.whiteouts++;
	return kind == WHITEOUT_OPAQUE ? extract_opaque(x, en->path, e)
				       : extract_whiteout(x, en->path, name, e);
}

int extract_entry(struct extract *x, struct tar *t, const struct tar_entry *en, struct err *e)
{
	const char *name = NULL;
	int kind = WHITEOUT_NONE, r;

	if (x->policy.layer) {
		kind = whiteout_classify(en->path, &name, e);
		if (kind < 0)
			return -1;
	}
	if (kind != WHITEOUT_NONE)
		r = apply_whiteout(x, en, kind, name, e);
	else if (!*en->path && en->kind != TAR_DIR)
		r = err_set(e, EINVAL, "it would replace the root directory");
	else
		r = makers[en->kind](x, t, en, e);
	if (r < 0)
		return err_wrap(e, "entry %.200s", *en->path ? en->path : "/");
	return 0;
}
