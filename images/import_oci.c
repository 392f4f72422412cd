/* OCI layouts: index.json, perhaps further indexes, a manifest, its configuration and layers. */
#include "images/import_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "images/imageconfig.h"
#include "images/manifest.h"
#include "images/media.h"

enum { SMALL_JSON = 8 << 20, MAX_INDEX_DEPTH = 4 };

static int stage(struct import *im, const struct descriptor *d, struct blob *out, struct err *e)
{
	const struct blob expect = { .digest = d->digest, .size = d->size };
	char path[DIGEST_HEX_MAX + 16];
	int have = store_work_has_blob(im->work, &d->digest, d->size, e);

	if (have < 0)
		return -1;
	if (have) {
		*out = expect;
		return 0;
	}
	if (d->size > im->options->limits.blob_bytes)
		return err_set(e, EFBIG, "blob %s: more than the %llu bytes it may have",
			       digest_text(&d->digest).s,
			       (unsigned long long) im->options->limits.blob_bytes);
	snprintf(path, sizeof(path), "blobs/%s", digest_path(&d->digest).s);
	return source_stage(im->source, im->work, path, &expect, &im->options->limits, out, e);
}

static int stage_small(struct import *im, const struct descriptor *d, struct buf *out,
		       struct blob *blob, struct err *e)
{
	if (d->size > SMALL_JSON)
		return err_set(e, EFBIG, "blob %s: %llu bytes are too many for a %s",
			       digest_text(&d->digest).s, (unsigned long long) d->size,
			       d->media_type);
	if (stage(im, d, blob, e) < 0)
		return -1;
	return blob_read(im->store, im->work, &d->digest, out, e);
}

static bool fits(const struct import *im, const struct descriptor *d, bool top)
{
	if (top && im->options->ref && (!d->name || strcmp(d->name, im->options->ref) != 0))
		return false;
	if (d->os && strcmp(d->os, "linux") != 0)
		return false;
	return !d->arch || strcmp(d->arch, imageconfig_host_arch()) == 0;
}

static void list_choices(const struct manifest_index *ix, struct buf *out)
{
	struct err ignored = ERR_NONE;

	for (size_t i = 0; i < ix->n && buf_len(out) < 200; i++) {
		const struct descriptor *d = &ix->manifests[i];

		(void) buf_printf(out, &ignored, "%s%.60s", i ? ", " : "",
				  d->name   ? d->name
				  : d->arch ? d->arch
					    : d->digest.hex);
	}
}

static int choose(const struct import *im, const struct manifest_index *ix, bool top,
		  const struct descriptor **out, struct err *e)
{
	auto_buf struct buf names = BUF_LIMIT(4096);
	const struct descriptor *found = NULL;

	for (size_t i = 0; i < ix->n; i++) {
		const struct descriptor *d = &ix->manifests[i];

		if (!fits(im, d, top))
			continue;
		if (found && !digest_equal(&found->digest, &d->digest)) {
			list_choices(ix, &names);
			return err_set(e, EINVAL,
				       "it holds several images (%s); choose one with --ref",
				       buf_str(&names));
		}
		found = d;
	}
	if (!found) {
		list_choices(ix, &names);
		return err_set(e, ENOENT, "none of its images (%s) is for linux/%s%s%s",
			       buf_str(&names), imageconfig_host_arch(),
			       im->options->ref ? " and called " : "",
			       im->options->ref ? im->options->ref : "");
	}
	*out = found;
	return 0;
}

static int import_layers(struct import *im, const struct manifest *m, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_imageconfig struct imageconfig c = { 0 };
	struct digest found;
	struct blob blob;

	if (stage_small(im, &m->config, &text, &blob, e) < 0 ||
	    imageconfig_parse((const char *) buf_bytes(&text), buf_len(&text), &c, e) < 0 ||
	    import_check_platform(&c, e) < 0)
		return -1;
	if (c.n_diff_ids != m->n_layers)
		return err_set(e, EINVAL,
			       "the manifest has %zu layers, the configuration %zu diff_ids",
			       m->n_layers, c.n_diff_ids);
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct descriptor *l = &m->layers[i];

		if (stage(im, l, &blob, e) < 0 ||
		    import_layer(im, &blob, media_compression(l->media_type), &c.diff_ids[i],
				 &found, e) < 0)
			return -1;
	}
	return 0;
}

static int import_manifest(struct import *im, const struct descriptor *d, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_manifest struct manifest m = { 0 };

	if (stage_small(im, d, &text, &im->manifest, e) < 0 ||
	    manifest_parse((const char *) buf_bytes(&text), buf_len(&text), d->media_type, &m,
			   e) < 0)
		return -1;
	im->manifest_type = strcmp(d->media_type, MEDIA_OCI_MANIFEST) == 0
				    ? MEDIA_OCI_MANIFEST
				    : "application/vnd.docker.distribution.manifest.v2+json";
	return import_layers(im, &m, e);
}

/* text: an index; goes down until a manifest is found. */
static int descend(struct import *im, const struct buf *text, const char *media_type,
		   unsigned depth, struct err *e)
{
	auto_buf struct buf next = BUF_LIMIT(SMALL_JSON);
	auto_manifest_index struct manifest_index ix = { 0 };
	const struct descriptor *d;
	struct blob blob;

	if (depth > MAX_INDEX_DEPTH)
		return err_set(e, EINVAL, "indexes within indexes, more than %d deep",
			       MAX_INDEX_DEPTH);
	if (manifest_index_parse((const char *) buf_bytes(text), buf_len(text), media_type, &ix,
				 e) < 0 ||
	    choose(im, &ix, depth == 0, &d, e) < 0)
		return -1;
	if (d->name && !im->name)
		im->name = xstrdup(d->name);
	if (media_kind(d->media_type) == MEDIA_MANIFEST)
		return import_manifest(im, d, e);
	if (stage_small(im, d, &next, &blob, e) < 0)
		return -1;
	return descend(im, &next, d->media_type, depth + 1, e);
}

static int check_layout(struct import *im, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json struct json_doc *doc = NULL;
	const char *version;

	if (source_read(im->source, "oci-layout", &text, e) < 0)
		return -1;
	if (json_parse((const char *) buf_bytes(&text), buf_len(&text), NULL, &doc, e) < 0)
		return err_wrap(e, "oci-layout");
	version = json_str_or(json_root(doc), "imageLayoutVersion", "");
	if (strcmp(version, "1.0.0") != 0)
		return err_set(e, ENOTSUP,
			       "oci-layout: imageLayoutVersion '%.40s'; 1.0.0 is supported",
			       version);
	return 0;
}

int import_oci(struct import *im, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);

	if (check_layout(im, e) < 0 || source_read(im->source, "index.json", &text, e) < 0)
		return -1;
	return descend(im, &text, NULL, 0, e);
}
