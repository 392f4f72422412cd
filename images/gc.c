#include "images/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/dirlist.h"
#include "images/image.h"
#include "images/index.h"
#include "images/layer.h"
#include "images/parents.h"
#include "images/store.h"

/* A directory that could not be read to its end says nothing about what is not needed: dirlist_read, not readdir. */
enum { NAMES_MAX = 1 << 22 };

/* Digests that are needed, sorted before the first question. */
struct keep {
	struct digest *v;
	size_t n, cap;
};

static void keep_add(struct keep *k, const struct digest *d)
{
	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 64;
		k->v = realloc(k->v, k->cap * sizeof(*k->v));
		if (!k->v)
			abort(); /* bounded: images and layers per image are, imports are few */
	}
	k->v[k->n++] = *d;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct digest *) a)->hex, ((const struct digest *) b)->hex);
}

static bool keeps(const struct keep *k, const char *hex)
{
	struct digest d = { 0 };

	memcpy(d.hex, hex, strlen(hex));
	return k->n > 0 && bsearch(&d, k->v, k->n, sizeof(d), compare) != NULL;
}

static int mark_image(const struct store *s, const struct index_entry *en, struct keep *k,
		      struct err *e)
{
	auto_image struct image im = { 0 };
	struct digest parents;

	if (image_load(s, en, &im, e) < 0)
		return err_hint(e, "remove it with rm, then collect");
	keep_add(k, &im.digest);
	keep_add(k, &im.manifest.config.digest);
	for (size_t i = 0; i < im.manifest.n_layers; i++) {
		keep_add(k, &im.manifest.layers[i].digest);
		keep_add(k, &im.config.diff_ids[i]);
	}
	if (parents_name(im.config.diff_ids, im.config.n_diff_ids, &parents, e) < 0)
		return -1;
	keep_add(k, &parents);
	return 0;
}

/* tmp/NAME/pins/HEX of every import; what dead ones left went when the store was opened. */
static int mark_pins_of(int tmp_fd, const char *name, struct keep *pins, struct err *e)
{
	auto_dirlist struct dirlist names = { 0 };
	char path[NAME_MAX + 8];

	snprintf(path, sizeof(path), "%s/pins", name);
	auto_close int fd =
		openat(tmp_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "tmp/%s", path);
	if (dirlist_read(fd, NAMES_MAX, &names, e) < 0)
		return err_wrap(e, "tmp/%s", path);
	for (size_t i = 0; i < names.n; i++) {
		struct digest pinned = { 0 };

		if (!digest_is_hex(names.v[i]))
			continue;
		memcpy(pinned.hex, names.v[i], strlen(names.v[i]));
		keep_add(pins, &pinned);
	}
	return 0;
}

static int mark_pins(const struct store *s, struct keep *pins, struct err *e)
{
	auto_dirlist struct dirlist names = { 0 };

	if (dirlist_read(s->tmp_fd, NAMES_MAX, &names, e) < 0)
		return err_wrap(e, "tmp");
	for (size_t i = 0; i < names.n; i++) {
		if (names.v[i][0] != '.' && mark_pins_of(s->tmp_fd, names.v[i], pins, e) < 0)
			return -1;
	}
	return 0;
}

static int mark(const struct store *s, struct keep *k, struct err *e)
{
	auto_index struct index ix = { 0 };

	if (index_load(s, &ix, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n; i++) {
		if (mark_image(s, &ix.v[i], k, e) < 0)
			return -1;
	}
	if (mark_pins(s, k, e) < 0)
		return -1;
	if (k->n)
		qsort(k->v, k->n, sizeof(*k->v), compare);
	return 0;
}

struct collection {
	const struct store *store;
	struct store_work work; /* where layers go; removed with it */
	struct keep keep;	/* blobs and layers alike: no two things have one digest */
	bool dry_run;
	struct gc_result result;
};

typedef int (*remove_fn)(struct collection *c, int dir_fd, const char *name, struct err *e);

static int remove_blob(struct collection *c, int dir_fd, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!c->dry_run && unlinkat(dir_fd, name, 0) < 0))
		return err_sys(e, "remove blob %s", name);
	c->result.blobs++;
	c->result.bytes += (uint64_t) st.st_size;
	return 0;
}

/* The layer's tree, locked so that no sandbox can start to use it; FD_NONE when one does, or when there is
 * none. Who waits for this lock finds another directory, or none, under the name that he came by. */
static int lock_layer(int dir_fd, const char *name, bool *busy)
{
	struct err none = ERR_NONE;
	enum layer_format format;
	auto_close int fd = layer_open(dir_fd, name, &format, &none);

	*busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	return *busy ? FD_NONE : take_fd(&fd);
}

static int remove_layer(struct collection *c, int dir_fd, const char *name, struct err *e)
{
	bool busy;
	auto_close unused_arg int held = lock_layer(dir_fd, name, &busy); /* until it is gone */

	if (busy) {
		c->result.busy++;
		return 0;
	}
	if (!c->dry_run && renameat(dir_fd, name, c->work.layers_fd, name) < 0)
		return err_sys(e, "remove layer %s", name);
	c->result.layers++;
	return 0;
}

static int sweep(struct collection *c, const char *dir, remove_fn remove_one, struct err *e)
{
	auto_close int fd = openat(c->store->dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dirlist struct dirlist names = { 0 };

	if (fd < 0)
		return err_sys(e, "%s", dir);
	if (dirlist_read(fd, NAMES_MAX, &names, e) < 0)
		return err_wrap(e, "%s", dir);
	for (size_t i = 0; i < names.n; i++) {
		if (digest_is_hex(names.v[i]) && !keeps(&c->keep, names.v[i]) &&
		    remove_one(c, fd, names.v[i], e) < 0)
			return -1;
	}
	return 0;
}

static int collect(struct collection *c, struct err *e)
{
	if (mark(c->store, &c->keep, e) < 0)
		return -1;
	if (!c->dry_run && store_work_begin(c->store, &c->work, e) < 0)
		return -1;
	/* Layers first: a blob without its layer can be unpacked again, the other way round cannot. */
	if (sweep(c, "layers", remove_layer, e) < 0 ||
	    sweep(c, "blobs/sha256", remove_blob, e) < 0)
		return -1;
	return sweep(c, "blobs/sha512", remove_blob, e);
}

int gc_run(struct store *s, bool dry_run, struct gc_result *out, struct err *e)
{
	struct collection c = { .store = s, .work = STORE_WORK_NONE, .dry_run = dry_run };
	int r = collect(&c, e);

	store_unlock(s);
	store_work_end(&c.work);
	free(c.keep.v);
	if (r == 0)
		*out = c.result;
	return r;
}
