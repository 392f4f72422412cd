#include "images/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "images/created.h"
#include "images/image.h"
#include "images/import_internal.h"
#include "images/index.h"
#include "images/media.h"
#include "images/pack_child.h"
#include "images/parents.h"

enum { CONFIG_LIMIT = 1 << 20 };

static const char packed_name[] = "layer.packed";

/* The base is in the store, and stays there until the new image is. */
static int pin_base(struct store_work *w, const struct image *im, struct err *e)
{
	int r = store_work_has_blob(w, &im->manifest.config.digest, im->manifest.config.size,
				    e);

	for (size_t i = 0; r > 0 && i < im->manifest.n_layers; i++) {
		const struct descriptor *l = &im->manifest.layers[i];

		r = store_work_has_blob(w, &l->digest, l->size, e);
		if (r > 0)
			r = store_work_has_layer(w, &im->config.diff_ids[i], e);
	}
	if (r == 0)
		return err_set(e, ENOENT,
			       "image %.100s: not all of it is in the store; import it again",
			       im->name ? im->name : im->digest.hex);
	return r < 0 ? -1 : 0;
}

static int stage_upper(struct import *im, int upper_fd, const struct commit_options *o,
		       struct import_layer_ref *out, struct digest *diff_id,
		       struct upper_stats *stats, struct err *e)
{
	auto_close int fd = openat(im->work->fd, packed_name,
				   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct digest found;

	if (fd < 0)
		return err_sys(e, "make tmp/*/%s", packed_name);
	const struct pack_spec pack = { .upper_fd = upper_fd,
					.out_fd = fd,
					.compression = o->compression,
					.upper = &o->upper,
					.limits = &im->options->limits };

	if (pack_upper(&pack, diff_id, stats, e) < 0)
		return err_wrap(e, "upper directory");
	out->compression = o->compression;
	if (blob_stage_own_file(im->work, im->work->fd, packed_name, NULL, &out->blob, e) < 0)
		return -1;
	return import_layer(im, &out->blob, o->compression, diff_id, &found, e);
}

static struct json *member(struct json_doc *doc, struct json *obj, const char *key,
			   enum json_type type)
{
	struct json *v = json_get(obj, key);

	if (!v || v->type != type) {
		v = json_new(doc, type);
		json_set(doc, obj, key, v);
	}
	return v;
}

/* As many steps that made layers as there are layers: an image without a history gets one of empty steps. */
static void add_history(struct json_doc *doc, struct json *root, size_t n_layers,
			const struct commit_options *o, const char *created)
{
	bool had = json_get(root, "history") != NULL;
	struct json *history = member(doc, root, "history", JSON_ARRAY);
	struct json *step = json_new(doc, JSON_OBJECT);

	for (size_t i = 0; !had && i < n_layers; i++)
		json_append(history, json_new(doc, JSON_OBJECT));
	json_set(doc, step, "created", json_new_str(doc, created));
	json_set(doc, step, "created_by", json_new_str(doc, o->by));
	if (o->comment)
		json_set(doc, step, "comment", json_new_str(doc, o->comment));
	json_append(history, step);
}

static int write_config(struct import *im, const struct image *base,
			const struct digest *diff_id, const struct commit_options *o,
			struct blob *out, struct err *e)
{
	auto_buf struct buf old = BUF_LIMIT(CONFIG_LIMIT), text = BUF_LIMIT(CONFIG_LIMIT);
	auto_json struct json_doc *doc = NULL, *config = NULL;
	struct created created;
	struct json *root;

	if (created_now(&created, e) < 0 ||
	    blob_read(im->store, NULL, &base->manifest.config.digest, &old, e) < 0 ||
	    json_parse((const char *) buf_bytes(&old), buf_len(&old), NULL, &doc, e) < 0)
		return -1;
	root = json_root(doc);
	json_set(doc, root, "created", json_new_str(doc, created.s));
	if (o->config_json) {
		if (json_parse(o->config_json, strlen(o->config_json), NULL, &config, e) < 0)
			return -1;
		json_set(doc, root, "config", json_copy(doc, json_root(config)));
	}
	json_append(member(doc, member(doc, root, "rootfs", JSON_OBJECT), "diff_ids",
			   JSON_ARRAY),
		    json_new_str(doc, digest_text(diff_id).s));
	add_history(doc, root, base->manifest.n_layers, o, created.s);
	if (json_print(root, false, &text, e) < 0)
		return -1;
	return blob_stage_mem(im->work, buf_bytes(&text), buf_len(&text), out, e);
}

static int stage_parents(struct import *im, const struct image *base,
			 const struct digest *upper, struct err *e)
{
	const size_t n = base->config.n_diff_ids;
	auto_free struct digest *all = xalloc((n + 1) * sizeof(*all));

	memcpy(all, base->config.diff_ids, n * sizeof(*all));
	all[n] = *upper;
	return parents_stage(im->work, all, n + 1, e);
}

static int commit(struct import *im, const struct image *base, int upper_fd,
		  const struct commit_options *o, struct upper_stats *stats, struct err *e)
{
	size_t n = base->manifest.n_layers;
	auto_free struct import_layer_ref *layers = xalloc((n + 1) * sizeof(*layers));
	struct digest diff_id;
	struct blob config;

	for (size_t i = 0; i < n; i++) {
		const struct descriptor *l = &base->manifest.layers[i];

		layers[i].blob = (struct blob){ .digest = l->digest, .size = l->size };
		layers[i].compression = media_compression(l->media_type);
	}
	if (stage_upper(im, upper_fd, o, &layers[n], &diff_id, stats, e) < 0 ||
	    write_config(im, base, &diff_id, o, &config, e) < 0)
		return -1;
	if (stage_parents(im, base, &diff_id, e) < 0 ||
	    import_write_manifest(im, &config, layers, n + 1, e) < 0)
		return -1;
	import_add_result(im, NULL);
	return 0;
}

int commit_upper(const struct store *s, int upper_fd, const struct commit_options *o,
		 struct digest *out, struct upper_stats *stats, struct err *e)
{
	auto_store_work struct store_work work = STORE_WORK_NONE;
	struct import_options options = { .name = o->name,
					  .format = o->format,
					  .limits = IMAGE_LIMITS_DEFAULT };
	struct import im = { .store = s, .work = &work, .options = &options };
	auto_image struct image base = { 0 };
	int r;

	/* It was packed here: a ratio says how much of it is the same, nothing about who sent it. */
	options.limits.ratio = UINT32_MAX;
	if (index_check_name(o->name, e) < 0 || store_work_begin(s, &work, e) < 0 ||
	    image_open(s, o->base, &base, e) < 0 || pin_base(&work, &base, e) < 0)
		return -1;
	r = commit(&im, &base, upper_fd, o, stats, e);
	if (r == 0)
		r = import_finish(&im, out, e);
	import_fini(&im);
	return r;
}
