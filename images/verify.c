#include "images/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/blob.h"
#include "images/dirlist.h"
#include "images/image.h"
#include "images/index.h"
#include "images/parents.h"
#include "images/store.h"
#include "images/verify_layer.h"

enum { NAMES_MAX = 1 << 24 };

struct verify {
	const struct store *store;
	const struct verify_options *options;
	struct verify_result result;
};

static void report(struct verify *v, const char *object, const char *what, const char *repair)
{
	const struct verify_finding f = { .object = object, .what = what, .repair = repair };

	v->result.broken++;
	v->options->found(v->options->arg, &f);
}

static int check_blob(struct verify *v, int dir_fd, const char *hex, struct err *e)
{
	struct digest d = { 0 };
	struct blob got = { 0 };
	struct err why = ERR_NONE;
	const char *repair = NULL;

	memcpy(d.hex, hex, strlen(hex));
	v->result.blobs++;
	if (blob_check(v->store, &d, &got, &why) == 0) {
		v->result.bytes += got.size;
		return 0;
	}
	if (why.code == ENOENT) /* a collector was here */
		return 0;
	if (v->options->repair &&
	    why.code != EBADMSG) { /* who knows what it will read next time */
		repair = "left alone, as it cannot be read; mend the disk, or remove the file";
	} else if (v->options->repair) {
		if (unlinkat(dir_fd, hex, 0) < 0)
			return err_sys(e, "remove blob %s", digest_text(&d).s);
		repair = "removed; import the image again to have it back";
	}
	auto_free char *object = xasprintf("blob %s", digest_text(&d).s);
	report(v, object, why.msg, repair);
	return 0;
}

typedef int (*check_fn)(struct verify *v, int dir_fd, const char *hex, struct err *e);

static int check_each(struct verify *v, const char *dir, check_fn check, struct err *e)
{
	auto_close int fd = openat(v->store->dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dirlist struct dirlist l = { 0 };

	if (fd < 0)
		return err_sys(e, "%s", dir);
	if (dirlist_read(fd, NAMES_MAX, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		if (digest_is_hex(l.v[i]) && check(v, fd, l.v[i], e) < 0)
			return -1;
	}
	return 0;
}

static int check_layer(struct verify *v, int dir_fd, const char *hex, struct err *e)
{
	struct digest d = { 0 };
	struct err why = ERR_NONE, failed = ERR_NONE;
	const char *repair = NULL;
	int r;

	if (parents_is(v->store, hex)) /* looked at with its image */
		return 0;
	memcpy(d.hex, hex, strlen(hex));
	v->result.layers++;
	r = verify_layer(v->store, &d, v->options->repair, &why, &failed, e);
	if (r <= 0)
		return r;
	if (r == VERIFY_LAYER_REPAIRED) {
		v->result.repaired++;
		repair = "unpacked again";
	} else if (failed.code) {
		repair = failed.msg;
	}
	auto_free char *object = xasprintf("layer %s", digest_text(&d).s);
	report(v, object, why.msg, repair);
	return 0;
}

/* Whether the parts are sound was looked at before; here it matters that they are there. */
static int check_parts(const struct store *s, const struct image *im, struct err *why)
{
	for (size_t i = 0; i < im->manifest.n_layers; i++) {
		const struct descriptor *l = &im->manifest.layers[i];
		struct stat st;

		if (fstatat(s->blobs_fd, digest_path(&l->digest).s, &st, AT_SYMLINK_NOFOLLOW) <
		    0)
			return err_sys(why, "blob %s", digest_text(&l->digest).s);
		if ((uint64_t) st.st_size != l->size)
			return err_set(why, EIO, "blob %s: %lld bytes, the manifest says %llu",
				       digest_text(&l->digest).s, (long long) st.st_size,
				       (unsigned long long) l->size);
		if (!store_has_layer(s, &im->config.diff_ids[i]))
			return err_set(why, ENOENT, "layer %s: not there",
				       digest_text(&im->config.diff_ids[i]).s);
	}
	return 0;
}

/* A layer that is gone can be had again from the blob. */
static int restore_layers(struct verify *v, const struct image *im, struct err *e)
{
	for (size_t i = 0; i < im->manifest.n_layers; i++) {
		if (!store_has_layer(v->store, &im->config.diff_ids[i]) &&
		    verify_restore_layer(v->store, &im->manifest.layers[i].digest,
					 &im->config.diff_ids[i], e) < 0)
			return -1;
	}
	return 0;
}

static void check_image(struct verify *v, const struct index_entry *en)
{
	auto_free char *object =
		xasprintf("image %s", en->name ? en->name : digest_text(&en->digest).s);
	auto_image struct image im = { 0 };
	struct err why = ERR_NONE, failed = ERR_NONE;
	const char *repair = NULL;

	v->result.images++;
	if (image_load(v->store, en, &im, &why) < 0) {
		report(v, object, why.msg, NULL);
		return;
	}
	if (check_parts(v->store, &im, &why) == 0 &&
	    (v->result.layers_skipped ||
	     verify_parents(v->store, &im, v->options->repair, &why, &failed) == 0))
		return;
	if (v->options->repair && restore_layers(v, &im, &failed) < 0) {
		repair = failed.msg;
	} else if (v->options->repair && !failed.code &&
		   check_parts(v->store, &im, &failed) == 0) {
		v->result.repaired++;
		repair = "unpacked again";
	}
	report(v, object, why.msg, repair);
}

static int check_images(struct verify *v, struct err *e)
{
	auto_index struct index ix = { 0 };

	if (index_load(v->store, &ix, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n; i++)
		check_image(v, &ix.v[i]);
	return 0;
}

int verify_store(const struct store *s, const struct verify_options *o,
		 struct verify_result *out, struct err *e)
{
	struct verify v = { .store = s, .options = o };

	v.result.layers_skipped = s->tmp_fd < 0;
	if (check_each(&v, "blobs/sha256", check_blob, e) < 0 ||
	    check_each(&v, "blobs/sha512", check_blob, e) < 0)
		return err_wrap(e, "image store %s", s->path);
	if (!v.result.layers_skipped && check_each(&v, "layers", check_layer, e) < 0)
		return err_wrap(e, "image store %s", s->path);
	if (check_images(&v, e) < 0)
		return -1;
	*out = v.result;
	return 0;
}
