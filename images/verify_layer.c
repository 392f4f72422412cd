#include "images/verify_layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "images/blob.h"
#include "images/image.h"
#include "images/layer.h"
#include "images/parents.h"
#include "images/store.h"
#include "images/treecmp.h"

/* It was within somebody's limits when it came, and its blob is known to be the one that was. */
#define NO_LIMITS                                                                              \
	((struct image_limits){ .bytes = 1ULL << 60,                                           \
				.blob_bytes = 1ULL << 60,                                      \
				.ratio = 1ULL << 32,                                           \
				.ratio_floor = 1ULL << 60,                                     \
				.entries = 1ULL << 40,                                         \
				.depth = 4096,                                                 \
				.name = 255,                                                   \
				.path = 4095,                                                  \
				.seconds = 24 * 3600 })

struct origin {
	struct digest blob;
	bool skip_devices;
};

/* From layer.json. */
static int find_origin(const struct store *s, const struct digest *diff_id, struct origin *out,
		       struct err *why)
{
	char path[DIGEST_HEX_MAX + 16];
	auto_json struct json_doc *doc = NULL;

	snprintf(path, sizeof(path), "%s/layer.json", diff_id->hex);
	if (json_parse_file(s->layers_fd, path, NULL, &doc, why) < 0)
		return -1;
	out->skip_devices = json_int_or(json_root(doc), "skipped_devices", 0) > 0;
	return digest_parse(json_str_or(json_root(doc), "blob", ""), "layer.json: blob",
			    &out->blob, why);
}

/* The layer that is looked at, opened once: what is compared is what is locked when it goes. */
struct old_layer {
	int fd; /* -1: there is none; why says so */
	enum layer_format format;
	struct err why;
};

static struct old_layer open_old(const struct store *s, const struct digest *diff_id)
{
	struct old_layer old = { .format = LAYER_DEFAULT };

	old.fd = layer_open(s->layers_fd, diff_id->hex, &old.format, &old.why);
	return old;
}

/* Into w's layers, under its diff-id. */
static int unpack_again(struct store_work *w, const struct origin *from,
			enum layer_format format, const struct digest *diff_id, struct err *why)
{
	struct layer_job job = LAYER_JOB_NONE;
	struct layer_spec spec = { .expect = diff_id,
				   .skip_devices = from->skip_devices,
				   .format = format,
				   .limits = NO_LIMITS };
	struct blob blob;
	struct digest found;

	if (blob_check(w->store, &from->blob, &blob, why) < 0)
		return err_wrap(why, "cannot be unpacked again");
	auto_close int in = blob_open(w->store, NULL, &from->blob, why);
	if (in < 0 || compression_of_file(in, &spec.compression, why) < 0)
		return -1;
	spec.in_fd = in;
	spec.in_bytes = blob.size;
	if (layer_start(w, &spec, &job, why) < 0)
		return -1;
	return layer_finish(&job, &blob, &found, why);
}

/* An image is a function of its layer's stream, so its bytes are compared. */
static int same_bytes(int ours, int theirs, struct err *why, struct err *e)
{
	enum { CHUNK = 65536 };
	auto_free uint8_t *a = xalloc(CHUNK), *b = xalloc(CHUNK);
	ssize_t n, m;

	do {
		n = read(ours, a, CHUNK);
		m = read(theirs, b, CHUNK);
		if (n < 0)
			return err_sys(e, "read");
		if (m != n || memcmp(a, b, (size_t) n) != 0) {
			(void) err_set(why, EIO, "the EROFS image has changed");
			return TREECMP_DIFFERENT;
		}
	} while (n > 0);
	return TREECMP_SAME;
}

/* VERIFY_LAYER_SOUND or _BROKEN; fresh: a sound one is staged. */
static int compare(struct store_work *w, const struct digest *diff_id,
		   const struct old_layer *old, bool *fresh, struct err *why, struct err *e)
{
	enum layer_format format;
	struct origin from;
	int r;

	*fresh = false;
	if (find_origin(w->store, diff_id, &from, why) < 0 ||
	    unpack_again(w, &from, old->format, diff_id, why) < 0)
		return VERIFY_LAYER_BROKEN;
	auto_close int ours = layer_open(w->layers_fd, diff_id->hex, &format, e);
	if (ours < 0)
		return -1;
	*fresh = true;
	if (old->fd < 0) {
		*why = old->why;
		return VERIFY_LAYER_BROKEN;
	}
	r = format == LAYER_EROFS ? same_bytes(ours, old->fd, why, e)
				  : treecmp(ours, old->fd, why, e);
	if (r < 0)
		return -1;
	return r == TREECMP_SAME ? VERIFY_LAYER_SOUND : VERIFY_LAYER_BROKEN;
}

int verify_layer(const struct store *s, const struct digest *diff_id, bool repair,
		 struct err *why, struct err *failed, struct err *e)
{
	auto_store_work struct store_work w = STORE_WORK_NONE;
	const struct old_layer old = open_old(s, diff_id);
	auto_close int old_fd = old.fd;
	bool fresh;
	int r;

	if (store_work_begin(s, &w, e) < 0)
		return -1;
	r = compare(&w, diff_id, &old, &fresh, why, e);
	if (r < 0)
		return err_wrap(e, "layer %s", digest_text(diff_id).s);
	if (r == VERIFY_LAYER_SOUND || !repair || !fresh)
		return r;
	if (store_replace_layer(&w, diff_id, old_fd, failed) < 0)
		return VERIFY_LAYER_BROKEN;
	return VERIFY_LAYER_REPAIRED;
}

int verify_restore_layer(const struct store *s, const struct digest *blob,
			 const struct digest *diff_id, struct err *e)
{
	auto_store_work struct store_work w = STORE_WORK_NONE;
	const struct origin from = { .blob = *blob };

	if (store_work_begin(s, &w, e) < 0 ||
	    unpack_again(&w, &from, LAYER_DEFAULT, diff_id, e) < 0)
		return -1;
	return store_commit(&w, e);
}

/* Both have one, and they are the same; or neither has. */
static int compare_parents(int ours, int theirs, struct err *why)
{
	struct err e = ERR_NONE;
	int r;

	if (ours < 0 && theirs < 0)
		return 0;
	if (ours < 0 || theirs < 0)
		return err_set(why, EIO, "the parents of an upper layer: %s",
			       ours < 0 ? "there are some, and none are wanted"
					: "they are missing");
	r = treecmp(ours, theirs, why, &e);
	if (r < 0)
		*why = e;
	return r == TREECMP_SAME ? 0 : err_wrap(why, "the parents of an upper layer");
}

static int put_parents(struct store_work *w, const struct digest *name, int ours, int theirs,
		       struct err *e)
{
	if (ours < 0) /* gc would not take it: its name is the image's */
		return fd_remove_tree(w->store->layers_fd, name->hex, e);
	return theirs < 0 ? store_commit(w, e) : store_replace_layer(w, name, theirs, e);
}

int verify_parents(const struct store *s, const struct image *im, bool repair, struct err *why,
		   struct err *failed)
{
	const struct digest *ids = im->config.diff_ids;
	const size_t n = im->config.n_diff_ids;
	auto_store_work struct store_work w = STORE_WORK_NONE;
	auto_close int ours = -1, theirs = -1;
	enum layer_format format;
	struct err none = ERR_NONE;
	struct digest name;
	int r;

	if (n < 2)
		return 0;
	if (store_work_begin(s, &w, why) < 0)
		return -1;
	r = parents_stage_anew(&w, ids, n, &name, why);
	if (r < 0)
		return -1;
	theirs = parents_open(s, ids, n, &name, &none);
	ours = r == 1 ? layer_open(w.layers_fd, name.hex, &format, why) : -1;
	if (r == 1 && ours < 0)
		return -1;
	if (compare_parents(ours, theirs, why) == 0)
		return 0;
	if (repair)
		(void) put_parents(&w, &name, ours, theirs, failed);
	return -1;
}
