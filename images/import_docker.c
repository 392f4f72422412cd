/* docker-archives: manifest.json lists configurations and layers by file name. */
#include "images/import_internal.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "images/imageconfig.h"
#include "images/parents.h"

enum { SMALL_JSON = 8 << 20 };

struct docker_image {
	const char *config;
	const char **tags, **layers;
};

static const struct json_field image_fields[] = {
	{ "Config", json_decode_str, offsetof(struct docker_image, config), JSON_REQUIRED },
	{ "RepoTags", json_decode_strv, offsetof(struct docker_image, tags),
	  JSON_NULL_IS_ABSENT },
	{ "Layers", json_decode_strv, offsetof(struct docker_image, layers), JSON_REQUIRED },
};

static int decode_image(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	return json_decode_object(v, at, image_fields, ARRAY_SIZE(image_fields),
				  JSON_UNKNOWN_IGNORE, out, e);
}

static bool tagged(const struct docker_image *d, const char *ref)
{
	for (size_t i = 0; d->tags && d->tags[i]; i++) {
		if (strcmp(d->tags[i], ref) == 0)
			return true;
	}
	return false;
}

static int choose(const struct import *im, const struct json_list *images,
		  const struct docker_image **out, struct err *e)
{
	const struct docker_image *v = images->items, *found = NULL;
	const char *ref = im->options->ref;

	if (!ref && images->n > 1)
		return err_set(e, EINVAL,
			       "manifest.json: it lists %zu images; choose one with --ref and "
			       "one of its tags",
			       images->n);
	for (size_t i = 0; i < images->n && !found; i++) {
		if (!ref || tagged(&v[i], ref))
			found = &v[i];
	}
	if (!found)
		return err_set(e, ENOENT, "manifest.json: no image %s%s",
			       ref ? "with the tag " : "in it", ref ? ref : "");
	*out = found;
	return 0;
}

/* "HEX.json" and "blobs/ALGORITHM/HEX" promise a digest, and are held to it. */
static bool promised_digest(const char *path, struct digest *out)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	path = slash ? slash + 1 : path;
	n = strlen(path);
	if (str_has_suffix(path, ".json"))
		n -= strlen(".json");
	if (n > DIGEST_HEX_MAX)
		return false;
	memcpy(out->hex, path, n);
	out->hex[n] = '\0';
	return digest_is_hex(out->hex);
}

static int stage_config(struct import *im, const char *path, struct blob *out,
			struct imageconfig *c, struct buf *text, struct err *e)
{
	struct digest promised, found;

	if (source_read(im->source, path, text, e) < 0 ||
	    blob_stage_mem(im->work, buf_bytes(text), buf_len(text), out, e) < 0)
		return -1;
	if (promised_digest(path, &promised)) {
		if (digest_of(digest_kind(&promised), buf_bytes(text), buf_len(text), &found,
			      e) < 0)
			return -1;
		if (!digest_equal(&promised, &found))
			return err_set(e, EINVAL, "%.200s: its content has the digest %s", path,
				       digest_text(&found).s);
	}
	if (imageconfig_parse((const char *) buf_bytes(text), buf_len(text), c, e) < 0)
		return err_wrap(e, "%.200s", path);
	return import_check_platform(im, c, e);
}

static int stage_layer(struct import *im, const char *path, const struct digest *diff_id,
		       struct import_layer_ref *out, struct err *e)
{
	struct digest found;

	if (source_stage(im->source, im->work, path, NULL, &im->options->limits, &out->blob,
			 e) < 0)
		return -1;
	auto_close int fd = blob_open(im->store, im->work, &out->blob.digest, e);
	if (fd < 0 || compression_of_file(fd, &out->compression, e) < 0)
		return -1;
	if (out->compression == COMPRESSION_FOREIGN)
		return err_set(e, ENOTSUP, "its compression is none of gzip and zstd");
	return import_layer(im, &out->blob, out->compression, diff_id, &found, e);
}

static int import_image(struct import *im, const struct docker_image *d, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_imageconfig struct imageconfig c = { 0 };
	auto_free struct import_layer_ref *layers = NULL;
	struct blob config;
	size_t n = strv_len((char *const *) d->layers);

	if (stage_config(im, d->config, &config, &c, &text, e) < 0)
		return -1;
	if (n != c.n_diff_ids)
		return err_set(e, EINVAL,
			       "manifest.json: %zu Layers, the configuration has "
			       "%zu diff_ids",
			       n, c.n_diff_ids);
	layers = xalloc(n * sizeof(*layers));
	for (size_t i = 0; i < n; i++) {
		if (stage_layer(im, d->layers[i], &c.diff_ids[i], &layers[i], e) < 0)
			return err_wrap(e, "%.200s", d->layers[i]);
	}
	if (parents_stage(im->work, c.diff_ids, n, e) < 0 ||
	    import_write_manifest(im, &config, layers, n, e) < 0)
		return -1;
	free(im->name);
	im->name = NULL;
	if (d->tags && d->tags[0])
		im->name = xstrdup(im->options->ref ? im->options->ref : d->tags[0]);
	import_add_result(im, im->options->all && d->tags ? (char *const *) d->tags : NULL);
	return 0;
}

static void free_images(struct json_list *images)
{
	struct docker_image *v = images->items;

	for (size_t i = 0; v && i < images->n; i++) {
		free(v[i].tags);
		free(v[i].layers);
	}
	free(images->items);
}

static int import_one(struct import *im, const struct json_list *images, struct err *e)
{
	const struct docker_image *image;

	return choose(im, images, &image, e) < 0 ? -1 : import_image(im, image, e);
}

static int import_all(struct import *im, const struct json_list *images, struct err *e)
{
	const struct docker_image *v = images->items;

	for (size_t i = 0; i < images->n; i++) {
		if (import_image(im, &v[i], e) < 0)
			return err_wrap(e, "image %zu", i + 1);
	}
	return images->n > 0 ? 0 : err_set(e, ENOENT, "manifest.json: no image in it");
}

int import_docker(struct import *im, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json struct json_doc *doc = NULL;
	struct json_list images = { 0 };
	int r;

	if (source_read(im->source, "manifest.json", &text, e) < 0)
		return -1;
	if (json_parse((const char *) buf_bytes(&text), buf_len(&text), NULL, &doc, e) < 0)
		return err_wrap(e, "manifest.json");
	r = json_decode_list(json_root(doc), NULL, sizeof(struct docker_image), decode_image,
			     &images, e);
	if (r < 0)
		(void) err_wrap(e, "manifest.json");
	if (r == 0)
		r = im->options->all ? import_all(im, &images, e) : import_one(im, &images, e);
	free_images(&images);
	return r;
}
