#include "images/parents.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/erofs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "images/acl.h"
#include "images/digest.h"
#include "images/dirlist.h"
#include "images/implied.h"
#include "images/layer.h"
#include "images/parents_look.h"
#include "images/store.h"

enum { DEPTH_MAX = 256, NAMES_MAX = 1 << 24, PATHS_MAX = 64 << 20 };

int parents_name(const struct digest *diff_ids, size_t n, struct digest *out, struct err *e)
{
	*out = n ? diff_ids[0] : (struct digest){ 0 };
	for (size_t i = 1; i < n; i++) {
		char text[2 * sizeof(struct digest_text) + 2];
		const int len = snprintf(text, sizeof(text), "%s %s", digest_text(out).s,
					 digest_text(&diff_ids[i]).s);

		if (digest_of(DIGEST_SHA256, text, (size_t) len, out, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- which directories there are ---- */

struct stack {
	int *roots; /* bottom first */
	size_t n;
	struct buf
		paths;	/* those that want something: NUL-terminated, of each layer in order */
	uint64_t found; /* of the layer at hand */
};

static int note(struct stack *s, const char *path, struct err *e)
{
	struct parents_seen seen = PARENTS_SEEN_NONE;
	int r = parents_look(s->roots, s->n, path, &seen, e);

	if (r == 1)
		r = seen.meant >= 0 ? parents_differ(&seen, e) : 0;
	parents_seen_fini(&seen);
	if (r == 1)
		r = buf_append(&s->paths, path, strlen(path) + 1, e);
	return r;
}

static int walk(struct stack *s, int fd, char path[PATH_MAX], unsigned depth, struct err *e)
{
	auto_dirlist struct dirlist l = { 0 };
	const size_t end = strlen(path);

	if (depth > DEPTH_MAX)
		return err_set(e, ELOOP, "more than %d directories deep", DEPTH_MAX);
	if (dirlist_read_dirs(fd, NAMES_MAX, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		auto_close int below =
			openat(fd, l.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		struct stat st;

		if (below < 0 && (errno == ENOTDIR || errno == ELOOP))
			continue;
		if (below < 0 || fstat(below, &st) < 0)
			return err_sys(e, "%.255s", l.v[i]);
		if (snprintf(path + end, PATH_MAX - end, "%s%s", end ? "/" : "", l.v[i]) >=
		    (int) (PATH_MAX - end))
			return err_set(e, ENAMETOOLONG, "too long a path");
		s->found += implied_is(&st);
		if ((implied_is(&st) && note(s, path, e) < 0) ||
		    walk(s, below, path, depth + 1, e) < 0)
			return -1;
		path[end] = '\0';
	}
	return 0;
}

/* ---- the layers ---- */

static int layers_of(const struct store_work *w, const struct digest *d)
{
	return faccessat(w->layers_fd, d->hex, F_OK, 0) == 0 ? w->layers_fd
							     : w->store->layers_fd;
}

/* How many the layer has, by layer.json. */
static int count_implied(const struct store_work *w, const struct digest *d, uint64_t *out,
			 struct err *e)
{
	char path[DIGEST_HEX_MAX + 16];
	auto_json struct json_doc *doc = NULL;

	snprintf(path, sizeof(path), "%s/layer.json", d->hex);
	if (json_parse_file(layers_of(w, d), path, NULL, &doc, e) < 0)
		return -1;
	*out = (uint64_t) json_int_or(json_root(doc), "implied_directories", 0);
	return 0;
}

static int open_root(const struct store_work *w, const struct digest *d, struct err *e)
{
	enum layer_format format;
	auto_close int fd = layer_open(layers_of(w, d), d->hex, &format, e);
	int root;

	if (fd < 0 || format != LAYER_EROFS)
		return take_fd(&fd);
	root = erofs_look(fd, e);
	return root < 0 ? err_wrap(e, "layers/%s", d->hex) : root;
}

static int open_stack(struct stack *s, const struct store_work *w,
		      const struct digest *diff_ids, size_t n, struct err *e)
{
	s->paths = BUF_LIMIT(PATHS_MAX);
	s->roots = xalloc(n * sizeof(*s->roots));
	for (; s->n < n; s->n++) {
		s->roots[s->n] = open_root(w, &diff_ids[s->n], e);
		if (s->roots[s->n] < 0)
			return -1;
	}
	return 0;
}

static void close_stack(struct stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		fd_close(&s->roots[i]);
	free(s->roots);
	buf_fini(&s->paths);
}

/* ---- the layer that is made ---- */

/* The directory and the way to it. Modes are set at the end. */
static int make(int root, const char *path, struct err *e)
{
	auto_close int fd = path_mkdirs_in(root, path, 0700, e);

	return fd < 0 ? -1 : 0;
}

/* Of each directory, deepest first: what is made in one would change its time. */
static int dress(const struct stack *s, int fd, char path[PATH_MAX], struct err *e)
{
	struct parents_seen seen = PARENTS_SEEN_NONE;
	auto_dirlist struct dirlist l = { 0 };
	const size_t end = strlen(path);
	int r;

	if (dirlist_read(fd, NAMES_MAX, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		auto_close int below = dirlist_descend(fd, l.v[i], e);

		/* It was that long when it was found. */
		snprintf(path + end, PATH_MAX - end, "%s%s", end ? "/" : "", l.v[i]);
		if (below < 0 || dress(s, below, path, e) < 0)
			return -1;
		path[end] = '\0';
	}
	r = parents_look(s->roots, s->n, path, &seen, e);
	if (r == 1)
		r = parents_copy(seen.meant >= 0 ? seen.meant : seen.shown, fd, e);
	parents_seen_fini(&seen);
	return r < 0 ? err_wrap(e, "%.200s", path) : 0;
}

static int write_json(int dir_fd, struct err *e)
{
	static const char text[] = "{\"version\":1,\"format\":\"dir\",\"parents\":true}\n";

	return fd_write_atomic(dir_fd, "layer.json", text, sizeof(text) - 1, 0600, false, e);
}

static int make_all(const struct stack *s, int root, struct err *e)
{
	const char *p = (const char *) buf_bytes(&s->paths), *end = p + buf_len(&s->paths);
	char path[PATH_MAX] = "";

	for (; p < end; p += strlen(p) + 1) {
		if (make(root, p, e) < 0)
			return -1;
	}
	return dress(s, root, path, e);
}

static int stage(struct store_work *w, const struct stack *s, const struct digest *name,
		 struct err *e)
{
	char partial[32], tree[48];

	snprintf(partial, sizeof(partial), "partial.%u", w->serial++);
	snprintf(tree, sizeof(tree), "%s/%s", partial, layer_place(LAYER_DIR));
	if (mkdirat(w->layers_fd, partial, 0700) < 0 || mkdirat(w->layers_fd, tree, 0700) < 0)
		return err_sys(e, "make tmp/*/layers/%s", tree);
	auto_close int dir = openat(w->layers_fd, partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int root = openat(w->layers_fd, tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || root < 0)
		return err_sys(e, "tmp/*/layers/%s", tree);
	/* The place that the store was put in gives nothing. */
	(void) fremovexattr(root, ACL_DEFAULT);
	(void) fremovexattr(root, ACL_ACCESS);
	if (make_all(s, root, e) < 0 || write_json(dir, e) < 0)
		return -1;
	if (renameat2(w->layers_fd, partial, w->layers_fd, name->hex, RENAME_NOREPLACE) < 0 &&
	    errno != EEXIST)
		return err_sys(e, "rename");
	return 0;
}

/* Layer i's own: the lowest one has nothing below it. */
static int collect(struct stack *s, size_t i, uint64_t promised, struct err *e)
{
	char path[PATH_MAX] = "";

	s->found = 0;
	if (walk(s, s->roots[i], path, 0, e) < 0)
		return -1;
	if (promised && s->found == 0)
		return err_set(e, ENOTSUP,
			       "the store's file system keeps no nanoseconds, by which "
			       "directories without a description are known; put the store on "
			       "another one");
	return 0;
}

/* 1: staged; 0: none is needed. */
static int stage_if_needed(struct store_work *w, const struct digest *diff_ids, size_t n,
			   const uint64_t *implied, const struct digest *name, struct err *e)
{
	struct stack s = { 0 };
	int r = open_stack(&s, w, diff_ids, n, e);

	for (size_t i = 1; r == 0 && i < n; i++)
		r = implied[i] ? collect(&s, i, implied[i], e) : 0;
	if (r == 0 && buf_len(&s.paths) > 0)
		r = stage(w, &s, name, e) < 0 ? -1 : 1;
	close_stack(&s);
	return r < 0 ? err_wrap(e, "parents of an upper layer") : r;
}

/* Whether any layer but the lowest has some. */
static int count_all(struct store_work *w, const struct digest *diff_ids, size_t n,
		     uint64_t *implied, struct err *e)
{
	int any = 0;

	for (size_t i = 1; i < n; i++) {
		if (count_implied(w, &diff_ids[i], &implied[i], e) < 0)
			return -1;
		any |= implied[i] > 0;
	}
	return any;
}

static int stage_parents(struct store_work *w, const struct digest *diff_ids, size_t n,
			 bool anew, struct digest *name, struct err *e)
{
	auto_free uint64_t *implied = xalloc((n + 1) * sizeof(*implied));
	int r = count_all(w, diff_ids, n, implied, e);

	if (r <= 0)
		return r;
	if (parents_name(diff_ids, n, name, e) < 0)
		return -1;
	r = anew ? 0 : store_work_has_layer(w, name, e);
	return r ? r : stage_if_needed(w, diff_ids, n, implied, name, e);
}

int parents_stage(struct store_work *w, const struct digest *diff_ids, size_t n, struct err *e)
{
	struct digest name;

	return stage_parents(w, diff_ids, n, false, &name, e) < 0 ? -1 : 0;
}

int parents_stage_anew(struct store_work *w, const struct digest *diff_ids, size_t n,
		       struct digest *name, struct err *e)
{
	return stage_parents(w, diff_ids, n, true, name, e);
}

/* ---- the store's ---- */

int parents_open(const struct store *s, const struct digest *diff_ids, size_t n,
		 struct digest *name, struct err *e)
{
	char path[DIGEST_HEX_MAX + 16];
	int fd;

	if (n < 2)
		return err_set(e, ENOENT, "an image of one layer");
	if (parents_name(diff_ids, n, name, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", name->hex, layer_place(LAYER_DIR));
	fd = openat(s->layers_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "layers/%s", path) : fd;
}

bool parents_is(const struct store *s, const char *hex)
{
	char path[DIGEST_HEX_MAX + 16];
	auto_json struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;

	snprintf(path, sizeof(path), "%.128s/layer.json", hex);
	return json_parse_file(s->layers_fd, path, NULL, &doc, &ignored) == 0 &&
	       json_bool_or(json_root(doc), "parents", false);
}
