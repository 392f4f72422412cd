#include "images/manifest.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "images/media.h"

enum { MAX_MANIFESTS = 4096 };

static int decode_digest(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	const char *s;
	struct err why = ERR_NONE;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (digest_parse(s, "digest", out, &why) < 0)
		return json_err(at, e, "%s", why.msg);
	return 0;
}

struct platform {
	const char *os, *arch, *variant;
};

static const struct json_field platform_fields[] = {
	{ "os", json_decode_str, offsetof(struct platform, os), JSON_NULL_IS_ABSENT },
	{ "architecture", json_decode_str, offsetof(struct platform, arch),
	  JSON_NULL_IS_ABSENT },
	{ "variant", json_decode_str, offsetof(struct platform, variant), JSON_NULL_IS_ABSENT },
};

struct raw_descriptor {
	struct descriptor d;
	struct platform platform;
	const struct json *annotations;
};

static int decode_platform(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	return json_decode_object(v, at, platform_fields, ARRAY_SIZE(platform_fields),
				  JSON_UNKNOWN_IGNORE, out, e);
}

static const struct json_field descriptor_fields[] = {
	{ "mediaType", json_decode_str, offsetof(struct raw_descriptor, d.media_type),
	  JSON_REQUIRED },
	{ "digest", decode_digest, offsetof(struct raw_descriptor, d.digest), JSON_REQUIRED },
	{ "size", json_decode_u64, offsetof(struct raw_descriptor, d.size), JSON_REQUIRED },
	{ "platform", decode_platform, offsetof(struct raw_descriptor, platform),
	  JSON_NULL_IS_ABSENT },
	{ "annotations", json_decode_node, offsetof(struct raw_descriptor, annotations),
	  JSON_NULL_IS_ABSENT },
};

static int decode_descriptor(const struct json *v, const struct json_at *at, void *out,
			     struct err *e)
{
	struct raw_descriptor raw = { 0 };
	struct descriptor *d = out;

	if (json_decode_object(v, at, descriptor_fields, ARRAY_SIZE(descriptor_fields),
			       JSON_UNKNOWN_IGNORE, &raw, e) < 0)
		return -1;
	*d = raw.d;
	d->os = raw.platform.os;
	d->arch = raw.platform.arch;
	d->variant = raw.platform.variant;
	d->ref = json_str_or(raw.annotations, "org.opencontainers.image.ref.name", NULL);
	d->name = json_str_or(raw.annotations, "io.containerd.image.name", d->ref);
	return 0;
}

static int decode_descriptors(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	return json_decode_list(v, at, sizeof(struct descriptor), decode_descriptor, out, e);
}

/* Both kinds of document, with what would make it the other kind. */
struct document {
	uint32_t schema;
	const char *media_type;
	struct descriptor config;
	struct json_list layers, manifests;
	const struct json *fs_layers, *history;
};

static const struct json_field document_fields[] = {
	{ "schemaVersion", json_decode_u32, offsetof(struct document, schema), JSON_REQUIRED },
	{ "mediaType", json_decode_str, offsetof(struct document, media_type), 0 },
	{ "config", decode_descriptor, offsetof(struct document, config), 0 },
	{ "layers", decode_descriptors, offsetof(struct document, layers), 0 },
	{ "manifests", decode_descriptors, offsetof(struct document, manifests), 0 },
	{ "fsLayers", json_decode_node, offsetof(struct document, fs_layers), 0 },
	{ "history", json_decode_node, offsetof(struct document, history), 0 },
};

static int check_document(const struct json *root, const struct document *d,
			  const char *media_type, enum media_kind kind, struct err *e)
{
	bool is_manifest = json_get(root, "config") || json_get(root, "layers");
	bool is_index = json_get(root, "manifests") != NULL;

	if (d->schema != 2)
		return err_set(e, EINVAL, "schemaVersion %u; 2 is supported", d->schema);
	if (d->fs_layers || d->history || (is_manifest && is_index))
		return err_set(e, EINVAL,
			       "it is a manifest and an index, or one of schema 1, "
			       "at once; readers would disagree on what it holds");
	if (media_type && d->media_type && strcmp(media_type, d->media_type) != 0)
		return err_set(e, EINVAL,
			       "mediaType: it calls itself %.100s, its descriptor %.100s",
			       d->media_type, media_type);
	if (d->media_type && media_kind(d->media_type) != kind)
		return err_set(e, EINVAL, "mediaType: %.100s is not expected here",
			       d->media_type);
	if (kind == MEDIA_INDEX ? !is_index : !is_manifest)
		return err_set(e, EINVAL, "%s: missing",
			       kind == MEDIA_INDEX ? "manifests" : "config");
	return 0;
}

/* The lists are the caller's to free, also after an error. */
static int parse(const char *text, size_t n, const char *media_type, enum media_kind kind,
		 struct document *d, struct json_doc **doc, struct err *e)
{
	const struct json *root;

	if (json_parse(text, n, NULL, doc, e) < 0)
		return -1;
	root = json_root(*doc);
	if (json_decode_object(root, NULL, document_fields, ARRAY_SIZE(document_fields),
			       JSON_UNKNOWN_IGNORE, d, e) < 0)
		return -1;
	return check_document(root, d, media_type, kind, e);
}

static int check_manifest(const struct json *root, const struct document *d, struct err *e)
{
	if (!json_get(root, "config"))
		return err_set(e, EINVAL, "config: missing");
	if (media_kind(d->config.media_type) != MEDIA_CONFIG)
		return err_set(e, EINVAL, "config.mediaType: %.100s is no image configuration",
			       d->config.media_type);
	if (d->layers.n == 0 || d->layers.n > MANIFEST_LAYERS)
		return err_set(e, EINVAL, "layers: %zu of them; 1 to %d are supported",
			       d->layers.n, MANIFEST_LAYERS);
	for (size_t i = 0; i < d->layers.n; i++) {
		const struct descriptor *l = (const struct descriptor *) d->layers.items + i;

		if (media_kind(l->media_type) == MEDIA_LAYER)
			continue;
		(void) err_set(e, ENOTSUP, "layers[%zu].mediaType: %.100s is not supported", i,
			       l->media_type);
		if (media_is_elsewhere(l->media_type))
			(void) err_hint(e, "its content is to be had from URLs only");
		return -1;
	}
	return 0;
}

int manifest_parse(const char *text, size_t n, const char *media_type, struct manifest *out,
		   struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	struct document d = { 0 };
	int r = parse(text, n, media_type, MEDIA_MANIFEST, &d, &doc, e);

	free(d.manifests.items);
	if (r == 0)
		r = check_manifest(json_root(doc), &d, e);
	if (r < 0) {
		free(d.layers.items);
		return err_wrap(e, "manifest");
	}
	*out = (struct manifest){ .config = d.config,
				  .layers = d.layers.items,
				  .n_layers = d.layers.n,
				  .doc = take_ptr(&doc) };
	return 0;
}

void manifest_fini(struct manifest *m)
{
	free(m->layers);
	json_doc_free(m->doc);
	*m = (struct manifest){ 0 };
}

/* An index may list anything. The specification: what a reader does not know is not for him, and no error. */
static int keep_images(struct document *d, size_t *n_others, struct err *e)
{
	struct descriptor *v = d->manifests.items;
	size_t n = 0;

	if (d->manifests.n > MAX_MANIFESTS)
		return err_set(e, EINVAL, "manifests: %zu of them; at most %d are supported",
			       d->manifests.n, MAX_MANIFESTS);
	for (size_t i = 0; i < d->manifests.n; i++) {
		enum media_kind kind = media_kind(v[i].media_type);

		if (kind == MEDIA_MANIFEST || kind == MEDIA_INDEX)
			v[n++] = v[i];
	}
	*n_others = d->manifests.n - n;
	d->manifests.n = n;
	return 0;
}

int manifest_index_parse(const char *text, size_t n, const char *media_type,
			 struct manifest_index *out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	struct document d = { 0 };
	int r = parse(text, n, media_type, MEDIA_INDEX, &d, &doc, e);
	size_t n_others = 0;

	free(d.layers.items);
	if (r == 0)
		r = keep_images(&d, &n_others, e);
	if (r < 0) {
		free(d.manifests.items);
		return err_wrap(e, "image index");
	}
	*out = (struct manifest_index){ .manifests = d.manifests.items,
					.n = d.manifests.n,
					.n_others = n_others,
					.doc = take_ptr(&doc) };
	return 0;
}

void manifest_index_fini(struct manifest_index *ix)
{
	free(ix->manifests);
	json_doc_free(ix->doc);
	*ix = (struct manifest_index){ 0 };
}
