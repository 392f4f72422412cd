#include "images/image.h"

#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "images/blob.h"
#include "images/index.h"
#include "images/store.h"

enum { SMALL_JSON = 8 << 20 };

static int load_parts(const struct store *s, const struct index_entry *en, struct image *im,
		      struct err *e)
{
	auto_buf struct buf manifest = BUF_LIMIT(SMALL_JSON), config = BUF_LIMIT(SMALL_JSON);

	if (blob_read(s, NULL, &en->digest, &manifest, e) < 0 ||
	    manifest_parse((const char *) buf_bytes(&manifest), buf_len(&manifest),
			   en->media_type, &im->manifest, e) < 0)
		return -1;
	if (blob_read(s, NULL, &im->manifest.config.digest, &config, e) < 0 ||
	    imageconfig_parse((const char *) buf_bytes(&config), buf_len(&config), &im->config,
			      e) < 0)
		return -1;
	if (im->config.n_diff_ids != im->manifest.n_layers)
		return err_set(e, EINVAL, "%zu layers, but %zu diff_ids", im->manifest.n_layers,
			       im->config.n_diff_ids);
	im->size = en->size + im->manifest.config.size;
	for (size_t i = 0; i < im->manifest.n_layers; i++)
		im->size += im->manifest.layers[i].size;
	return 0;
}

int image_load(const struct store *s, const struct index_entry *en, struct image *out,
	       struct err *e)
{
	struct image im = { .digest = en->digest, .name = en->name ? xstrdup(en->name) : NULL };

	if (load_parts(s, en, &im, e) < 0) {
		(void) err_wrap(e, "image %s", im.name ? im.name : digest_text(&im.digest).s);
		image_fini(&im);
		return -1;
	}
	*out = im;
	return 0;
}

int image_open(const struct store *s, const char *image, struct image *out, struct err *e)
{
	auto_index struct index ix = { 0 };
	const struct index_entry *en;

	if (index_load(s, &ix, e) < 0)
		return -1;
	en = index_find(&ix, image, e);
	return en ? image_load(s, en, out, e) : -1;
}

void image_fini(struct image *im)
{
	manifest_fini(&im->manifest);
	imageconfig_fini(&im->config);
	free(im->name);
	*im = (struct image){ 0 };
}
