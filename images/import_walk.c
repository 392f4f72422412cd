/* From an index or a manifest to an image: which of several, its configuration, its layers. */
#include "images/import_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "images/blob_sink.h"
#include "images/imageconfig.h"
#include "images/layers.h"
#include "images/manifest.h"
#include "images/media.h"
#include "images/parents.h"
#include "images/registry.h"

enum { SMALL_JSON = 8 << 20, MAX_INDEX_DEPTH = 4 };

static int stage_mem(struct import *im, const struct buf *text, const struct blob *expect,
		     struct blob *out, struct err *e)
{
	struct blob_sink s = BLOB_SINK_NONE;
	int r = blob_sink_begin(im->work, expect, SMALL_JSON, &s, e);

	if (r == 0)
		r = blob_sink_put(&s, buf_bytes(text), buf_len(text), e);
	if (r == 0)
		r = blob_sink_finish(&s, out, e);
	blob_sink_fini(&s);
	return r;
}

/* A manifest, index or configuration. */
static int fetch_small(struct import *im, const struct descriptor *d, const struct blob *expect,
		       struct blob *out, struct err *e)
{
	const bool is_blob = media_kind(d->media_type) == MEDIA_CONFIG;
	struct registry_request q = { .op = is_blob ? REGISTRY_BLOB : REGISTRY_MANIFEST,
				      .size = d->size };
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	struct registry_answer a;

	snprintf(q.repo, sizeof(q.repo), "%s", im->repo);
	snprintf(q.ref, sizeof(q.ref), "%s", digest_text(&d->digest).s);
	if (registry_read(im->registry, &q, &text, &a, e) < 0)
		return err_wrap(e, "%s", digest_text(&d->digest).s);
	return stage_mem(im, &text, expect, out, e);
}

static int stage(struct import *im, const struct descriptor *d, struct blob *out, struct err *e)
{
	const struct blob expect = { .digest = d->digest, .size = d->size };
	char path[DIGEST_HEX_MAX + 16];
	int have = import_has_blob(im, &expect, e);

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
	if (im->registry)
		return fetch_small(im, d, &expect, out, e);
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

static void list_choices(const struct manifest_index *ix, struct buf *out)
{
	struct err ignored = ERR_NONE;

	for (size_t i = 0; i < ix->n && buf_len(out) < 200; i++) {
		const struct descriptor *d = &ix->manifests[i];
		const char *what = d->name ? d->name : d->arch ? d->arch : d->digest.hex;

		(void) buf_printf(out, &ignored, "%s%.60s", i ? ", " : "", what);
		if (!d->name && d->arch && d->variant)
			(void) buf_printf(out, &ignored, "/%.16s", d->variant);
	}
}

static bool is_called(const struct descriptor *d, const char *ref)
{
	return (d->name && strcmp(d->name, ref) == 0) || (d->ref && strcmp(d->ref, ref) == 0);
}

/* Of a layout's index.json only what it says itself counts: two that fit are two. In an index of platforms one may fit
 * better than the other. */
static unsigned fits(const struct import *im, const struct descriptor *d, bool layout,
		     const char *ref)
{
	const struct platform want = import_platform(im);
	unsigned n;

	if (ref && !is_called(d, ref))
		return 0;
	n = platform_fits(&want, d->os, d->arch, d->variant);
	return layout ? MIN(n, 1U) : n;
}

static int choose(const struct import *im, const struct manifest_index *ix, bool layout,
		  const char *ref, const struct descriptor **out, struct err *e)
{
	const struct platform want = import_platform(im);
	auto_buf struct buf names = BUF_LIMIT(4096);
	const struct descriptor *found = NULL;
	unsigned best = 0;
	bool several = false;

	for (size_t i = 0; i < ix->n; i++) {
		const struct descriptor *d = &ix->manifests[i];
		unsigned n = fits(im, d, layout, ref);

		if (n > 0 && n == best && !digest_equal(&found->digest, &d->digest))
			several = true;
		if (n <= best)
			continue;
		found = d;
		best = n;
		several = false;
	}
	list_choices(ix, &names);
	if (several)
		return err_set(e, EINVAL,
			       "it holds several images (%s); choose one with --ref, or a "
			       "platform with --platform",
			       buf_str(&names));
	if (!found)
		return err_set(e, ENOENT, "none of its images (%s) is for %s%s%s",
			       buf_str(&names), platform_text(&want).s,
			       ref ? " and called " : "", ref ? ref : "");
	*out = found;
	return 0;
}

static int import_layers(struct import *im, const struct manifest *m, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_imageconfig struct imageconfig c = { 0 };
	auto_free struct layer_wanted *wanted = NULL;
	struct blob blob;

	if (stage_small(im, &m->config, &text, &blob, e) < 0 ||
	    imageconfig_parse((const char *) buf_bytes(&text), buf_len(&text), &c, e) < 0 ||
	    import_check_platform(im, &c, e) < 0)
		return -1;
	if (c.n_diff_ids != m->n_layers)
		return err_set(e, EINVAL,
			       "the manifest has %zu layers, the configuration %zu diff_ids",
			       m->n_layers, c.n_diff_ids);
	wanted = xalloc(m->n_layers * sizeof(*wanted));
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct descriptor *l = &m->layers[i];

		if (l->size > im->options->limits.blob_bytes)
			return err_set(e, EFBIG,
				       "blob %s: more than the %llu bytes it may have",
				       digest_text(&l->digest).s,
				       (unsigned long long) im->options->limits.blob_bytes);
		if (!im->registry && stage(im, l, &blob, e) < 0)
			return -1;
		wanted[i] = (struct layer_wanted){
			.blob = { .digest = l->digest, .size = l->size },
			.compression = media_compression(l->media_type),
			.diff_id = c.diff_ids[i],
		};
	}
	if (layers_bring(im, im->registry, im->repo, wanted, m->n_layers, e) < 0)
		return -1;
	return parents_stage(im->work, c.diff_ids, c.n_diff_ids, e);
}

int import_manifest(struct import *im, const struct descriptor *d, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_manifest struct manifest m = { 0 };

	if (stage_small(im, d, &text, &im->manifest, e) < 0 ||
	    manifest_parse((const char *) buf_bytes(&text), buf_len(&text), d->media_type, &m,
			   e) < 0)
		return -1;
	im->manifest_type = strcmp(d->media_type, MEDIA_OCI_MANIFEST) == 0
				    ? MEDIA_OCI_MANIFEST
				    : MEDIA_DOCKER_MANIFEST;
	if (import_layers(im, &m, e) < 0)
		return -1;
	import_add_result(im, NULL);
	return 0;
}

static int descend(struct import *im, const struct buf *text, const char *media_type,
		   unsigned depth, struct err *e);

static int follow(struct import *im, const struct descriptor *d, unsigned depth, struct err *e)
{
	auto_buf struct buf next = BUF_LIMIT(SMALL_JSON);
	struct blob blob;

	if (media_kind(d->media_type) == MEDIA_MANIFEST)
		return import_manifest(im, d, e);
	if (stage_small(im, d, &next, &blob, e) < 0)
		return -1;
	return descend(im, &next, d->media_type, depth + 1, e);
}

static bool named_before(const struct manifest_index *ix, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (ix->manifests[k].name &&
		    strcmp(ix->manifests[k].name, ix->manifests[i].name) == 0)
			return true;
	}
	return false;
}

/* Every name of a layout, with the platform that is asked for. */
static int follow_all(struct import *im, const struct manifest_index *ix, struct err *e)
{
	for (size_t i = 0; i < ix->n; i++) {
		const struct descriptor *d = &ix->manifests[i];

		if (!d->name || named_before(ix, i))
			continue;
		if (choose(im, ix, true, d->name, &d, e) < 0)
			return -1;
		free(im->name);
		im->name = xstrdup(d->name);
		if (follow(im, d, 0, e) < 0)
			return err_wrap(e, "%.200s", d->name);
	}
	if (im->n_results == 0)
		return err_set(e, ENOENT,
			       "none of its images has a name; import one without "
			       "--all");
	return 0;
}

/* text: an index; goes down until a manifest is found. */
static int descend(struct import *im, const struct buf *text, const char *media_type,
		   unsigned depth, struct err *e)
{
	auto_manifest_index struct manifest_index ix = { 0 };
	const bool layout = !media_type;
	const struct descriptor *d;

	if (depth > MAX_INDEX_DEPTH)
		return err_set(e, EINVAL, "indexes within indexes, more than %d deep",
			       MAX_INDEX_DEPTH);
	if (manifest_index_parse((const char *) buf_bytes(text), buf_len(text), media_type, &ix,
				 e) < 0)
		return -1;
	if (layout && im->options->all)
		return follow_all(im, &ix, e);
	if (choose(im, &ix, layout, layout ? im->options->ref : NULL, &d, e) < 0)
		return -1;
	if (d->name && !im->name)
		im->name = xstrdup(d->name);
	return follow(im, d, depth, e);
}

int import_index(struct import *im, const struct buf *text, const char *media_type,
		 struct err *e)
{
	return descend(im, text, media_type, 0, e);
}
