#include "images/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/image.h"
#include "images/index.h"
#include "images/store.h"

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
			abort(); /* bounded: images and layers per image are */
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

static int mark_image(const struct store *s, const struct index_entry *en, struct keep *blobs,
		      struct keep *layers, struct err *e)
{
	auto_image struct image im = { 0 };

	if (image_load(s, en, &im, e) < 0)
		return err_hint(e, "remove it with rm, then collect");
	keep_add(blobs, &im.digest);
	keep_add(blobs, &im.manifest.config.digest);
	for (size_t i = 0; i < im.manifest.n_layers; i++) {
		keep_add(blobs, &im.manifest.layers[i].digest);
		keep_add(layers, &im.config.diff_ids[i]);
	}
	return 0;
}

static int mark(const struct store *s, struct keep *blobs, struct keep *layers, struct err *e)
{
	auto_index struct index ix = { 0 };

	if (index_load(s, &ix, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n; i++) {
		if (mark_image(s, &ix.v[i], blobs, layers, e) < 0)
			return -1;
	}
	if (blobs->n)
		qsort(blobs->v, blobs->n, sizeof(*blobs->v), compare);
	if (layers->n)
		qsort(layers->v, layers->n, sizeof(*layers->v), compare);
	return 0;
}

typedef int (*remove_fn)(int dir_fd, const char *name, struct gc_result *r, struct err *e);

static int remove_blob(int dir_fd, const char *name, struct gc_result *r, struct err *e)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    unlinkat(dir_fd, name, 0) < 0)
		return err_sys(e, "remove blob %s", name);
	r->blobs++;
	r->bytes += (uint64_t) st.st_size;
	return 0;
}

/* The layer's tree, locked so that no sandbox can start to use it; FD_NONE when one does, or when there is none. */
static int lock_layer(int dir_fd, const char *name, bool *busy)
{
	char path[DIGEST_HEX_MAX + 8];

	snprintf(path, sizeof(path), "%.128s/root", name);
	auto_close int fd =
		openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	return *busy ? FD_NONE : take_fd(&fd);
}

static int remove_layer(int dir_fd, const char *name, struct gc_result *r, struct err *e)
{
	bool busy;
	auto_close unused_arg int held = lock_layer(dir_fd, name, &busy); /* until it is gone */

	if (busy) {
		r->busy++;
		return 0;
	}
	if (fd_remove_tree(dir_fd, name, e) < 0)
		return err_wrap(e, "remove layer %s", name);
	r->layers++;
	return 0;
}

static int sweep(int dir_fd, const struct keep *k, remove_fn remove_one, struct gc_result *r,
		 struct err *e)
{
	auto_close int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;
	int ret = 0;

	if (!d)
		return err_sys(e, "read the store");
	(void) take_fd(&fd);
	while (ret == 0 && (ent = readdir(d))) {
		if (digest_is_hex(ent->d_name) && !keeps(k, ent->d_name))
			ret = remove_one(dir_fd, ent->d_name, r, e);
	}
	closedir(d);
	return ret;
}

static int sweep_blobs(const struct store *s, const char *algorithm, const struct keep *k,
		       struct gc_result *r, struct err *e)
{
	auto_close int fd = openat(s->blobs_fd, algorithm, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "blobs/%s", algorithm);
	return sweep(fd, k, remove_blob, r, e);
}

int gc_run(const struct store *s, struct gc_result *out, struct err *e)
{
	struct keep blobs = { 0 }, layers = { 0 };
	struct gc_result result = { 0 };
	int r = mark(s, &blobs, &layers, e);

	/* Layers first: a blob without its layer can be unpacked again, the other way round cannot. */
	if (r == 0)
		r = sweep(s->layers_fd, &layers, remove_layer, &result, e);
	if (r == 0)
		r = sweep_blobs(s, "sha256", &blobs, &result, e);
	if (r == 0)
		r = sweep_blobs(s, "sha512", &blobs, &result, e);
	free(blobs.v);
	free(layers.v);
	if (r < 0)
		return err_wrap(e, "image store %s", s->path);
	*out = result;
	return 0;
}
