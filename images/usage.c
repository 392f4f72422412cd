#include "images/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/dirlist.h"
#include "images/image.h"
#include "images/index.h"
#include "images/inodes.h"
#include "images/parents.h"
#include "images/store.h"

enum { NAMES_MAX = 1 << 24, DEPTH_MAX = 1024, STAT_BLOCK = 512 };

/* A blob or a layer; a digest may be both, so the key is two-part. */
struct object {
	struct digest digest;
	bool layer;
	uint64_t bytes;
	size_t users; /* images of different digests */
	size_t last;  /* the last image that was counted, 1-based */
};

struct objects {
	struct object *v;
	size_t n, cap;
};

static int compare(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	if (x->layer != y->layer)
		return x->layer - y->layer;
	return strcmp(x->digest.hex, y->digest.hex);
}

static struct object *find(const struct objects *o, const struct digest *d, bool layer)
{
	struct object key = { .digest = *d, .layer = layer };

	return o->n ? bsearch(&key, o->v, o->n, sizeof(key), compare) : NULL;
}

static int measure_tree(int fd, struct inodes *links, unsigned depth, uint64_t *bytes,
			struct err *e);

static int measure_entry(int dir_fd, const char *name, struct inodes *links, unsigned depth,
			 uint64_t *bytes, struct err *e)
{
	struct stat st;
	uint64_t once = 0;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "%.255s", name);
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1 &&
	    !inodes_add(links, st.st_dev, st.st_ino, &once))
		return 0;
	*bytes += (uint64_t) st.st_blocks * STAT_BLOCK;
	if (!S_ISDIR(st.st_mode))
		return 0;
	auto_close int fd = dirlist_descend(dir_fd, name, e);
	if (fd < 0 && e->code == EACCES)
		return 0; /* a reader of a shared store: an image's own modes hold for him */
	return fd < 0 ? -1 : measure_tree(fd, links, depth + 1, bytes, e);
}

static int measure_tree(int fd, struct inodes *links, unsigned depth, uint64_t *bytes,
			struct err *e)
{
	auto_dirlist struct dirlist l = { 0 };

	if (depth > DEPTH_MAX)
		return err_set(e, ELOOP, "more than %d directories deep", DEPTH_MAX);
	if (dirlist_read(fd, NAMES_MAX, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		if (measure_entry(fd, l.v[i], links, depth, bytes, e) < 0)
			return -1;
	}
	return 0;
}

static void add(struct objects *o, const char *hex, bool layer, uint64_t bytes)
{
	struct object new = { .layer = layer, .bytes = bytes };

	memcpy(new.digest.hex, hex, strlen(hex));
	if (o->n == o->cap) {
		o->cap = o->cap ? 2 * o->cap : 64;
		o->v = realloc(o->v, o->cap * sizeof(*o->v));
		if (!o->v)
			abort(); /* bounded: images and layers per image are */
	}
	o->v[o->n++] = new;
}

static int measure_dir(const struct store *s, const char *dir, bool layer, struct objects *o,
		       struct err *e)
{
	auto_close int fd = openat(s->dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dirlist struct dirlist l = { 0 };

	if (fd < 0)
		return err_sys(e, "%s", dir);
	if (dirlist_read(fd, NAMES_MAX, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		auto_inodes struct inodes *links = inodes_new();
		uint64_t bytes = 0;

		if (!digest_is_hex(l.v[i]))
			continue;
		if (measure_entry(fd, l.v[i], links, 0, &bytes, e) < 0)
			return err_wrap(e, "%s", dir);
		add(o, l.v[i], layer, bytes);
	}
	return 0;
}

static void use(const struct objects *o, const struct digest *d, bool layer, size_t image)
{
	struct object *x = find(o, d, layer);

	if (!x || x->last == image)
		return;
	x->last = image;
	x->users++;
}

typedef void (*part_fn)(void *arg, const struct digest *d, bool layer);

static void each_part(const struct image *im, part_fn fn, void *arg)
{
	struct err ignored = ERR_NONE;
	struct digest parents;

	fn(arg, &im->digest, false);
	fn(arg, &im->manifest.config.digest, false);
	for (size_t i = 0; i < im->manifest.n_layers; i++) {
		fn(arg, &im->manifest.layers[i].digest, false);
		fn(arg, &im->config.diff_ids[i], true);
	}
	if (im->config.n_diff_ids > 1 &&
	    parents_name(im->config.diff_ids, im->config.n_diff_ids, &parents, &ignored) == 0)
		fn(arg, &parents, true);
}

struct walk {
	const struct objects *objects;
	size_t image; /* 1-based */
	struct usage_image *row;
};

static void count_user(void *arg, const struct digest *d, bool layer)
{
	struct walk *w = arg;

	use(w->objects, d, layer, w->image);
}

static void sum_up(void *arg, const struct digest *d, bool layer)
{
	struct walk *w = arg;
	struct object *x = find(w->objects, d, layer);

	if (!x || x->last == w->image)
		return;
	x->last = w->image;
	*(x->users > 1 ? &w->row->shared : &w->row->own) += x->bytes;
}

/* A digest that stands under several names is one image. */
static bool seen_before(const struct index *ix, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (digest_equal(&ix->v[k].digest, &ix->v[i].digest))
			return true;
	}
	return false;
}

static int walk_images(const struct store *s, const struct index *ix, part_fn fn,
		       struct objects *o, struct usage *u, bool once, struct err *e)
{
	for (size_t i = 0; i < o->n; i++)
		o->v[i].last = 0;
	for (size_t i = 0; i < ix->n; i++) {
		struct walk w = { .objects = o, .image = i + 1, .row = &u->v[i] };
		auto_image struct image im = { 0 };

		if (once && seen_before(ix, i))
			continue;
		if (image_load(s, &ix->v[i], &im, e) < 0)
			return -1;
		each_part(&im, fn, &w);
	}
	return 0;
}

static int measure(const struct store *s, const struct index *ix, struct objects *o,
		   struct usage *u, struct err *e)
{
	if (measure_dir(s, "blobs/sha256", false, o, e) < 0 ||
	    measure_dir(s, "blobs/sha512", false, o, e) < 0 ||
	    measure_dir(s, "layers", true, o, e) < 0)
		return -1;
	if (o->n)
		qsort(o->v, o->n, sizeof(*o->v), compare);
	u->v = xalloc((ix->n + 1) * sizeof(*u->v));
	for (u->n = 0; u->n < ix->n; u->n++) {
		const struct index_entry *en = &ix->v[u->n];

		u->v[u->n].name = en->name ? xstrdup(en->name) : NULL;
		u->v[u->n].digest = en->digest;
	}
	if (walk_images(s, ix, count_user, o, u, true, e) < 0 ||
	    walk_images(s, ix, sum_up, o, u, false, e) < 0)
		return -1;
	for (size_t i = 0; i < o->n; i++) {
		u->total += o->v[i].bytes;
		u->unused += o->v[i].users ? 0 : o->v[i].bytes;
	}
	return 0;
}

int usage_measure(const struct store *s, struct usage *out, struct err *e)
{
	auto_index struct index ix = { 0 };
	struct objects o = { 0 };
	struct usage u = { 0 };
	int r = index_load(s, &ix, e);

	if (r == 0)
		r = measure(s, &ix, &o, &u, e);
	free(o.v);
	if (r < 0) {
		usage_fini(&u);
		return -1;
	}
	*out = u;
	return 0;
}

void usage_fini(struct usage *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->v[i].name);
	free(u->v);
	*u = (struct usage){ 0 };
}
