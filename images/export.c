#include "images/export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "images/export_out.h"
#include "images/image.h"
#include "images/index.h"
#include "images/media.h"
#include "images/reference.h"
#include "images/store.h"

enum { SMALL_JSON = 1 << 20 };

struct exporting {
	const struct store *store;
	const struct index_entry **entries; /* of each image, in the caller's order */
	struct image *images;
	size_t n;
	struct blob *blobs; /* all of them, sorted by digest, each once */
	size_t n_blobs;
};

int export_format_parse(const char *s, enum export_format *out, struct err *e)
{
	if (strcmp(s, "oci") == 0)
		*out = EXPORT_OCI;
	else if (strcmp(s, "docker") == 0)
		*out = EXPORT_DOCKER;
	else
		return err_set(e, EINVAL, "--format %.40s: is none of oci, docker", s);
	return 0;
}

/* ---- what ---- */

static int by_path(const void *a, const void *b)
{
	const struct blob *x = a, *y = b;

	return strcmp(digest_path(&x->digest).s, digest_path(&y->digest).s);
}

static void add(struct exporting *x, const struct digest *d, uint64_t size)
{
	x->blobs[x->n_blobs++] = (struct blob){ .digest = *d, .size = size };
}

/* format: docker-archives have no manifests of their own. */
static void collect(struct exporting *x, enum export_format format)
{
	size_t room = 0, k = 0;

	for (size_t i = 0; i < x->n; i++)
		room += x->images[i].manifest.n_layers + 2;
	x->blobs = xalloc(room * sizeof(*x->blobs));
	for (size_t i = 0; i < x->n; i++) {
		const struct manifest *m = &x->images[i].manifest;

		if (format == EXPORT_OCI)
			add(x, &x->entries[i]->digest, x->entries[i]->size);
		add(x, &m->config.digest, m->config.size);
		for (size_t l = 0; l < m->n_layers; l++)
			add(x, &m->layers[l].digest, m->layers[l].size);
	}
	qsort(x->blobs, x->n_blobs, sizeof(*x->blobs), by_path);
	for (size_t i = 0; i < x->n_blobs; i++) {
		if (i == 0 || !digest_equal(&x->blobs[k - 1].digest, &x->blobs[i].digest))
			x->blobs[k++] = x->blobs[i];
	}
	x->n_blobs = k;
}

static int find(struct exporting *x, const struct index *ix, const char *const *images,
		struct err *e)
{
	for (size_t i = 0; i < x->n; i++) {
		x->entries[i] = index_find(ix, images[i], e);
		if (!x->entries[i])
			return -1;
		if (image_load(x->store, x->entries[i], &x->images[i], e) < 0)
			return err_wrap(e, "%s", images[i]);
	}
	return 0;
}

/* ---- OCI ---- */

static int write_index(const struct exporting *x, struct export_out *o, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json_writer struct json_writer *w = json_writer_new(&text, false);

	jw_object(w, NULL);
	jw_int(w, "schemaVersion", 2);
	jw_str(w, "mediaType", MEDIA_OCI_INDEX);
	jw_array(w, "manifests");
	for (size_t i = 0; i < x->n; i++)
		index_write_entry(w, x->entries[i], x->images[i].config.arch);
	jw_close(w);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return export_out_mem(o, "index.json", buf_bytes(&text), buf_len(&text), e);
}

static int write_blobs(const struct exporting *x, struct export_out *o, struct err *e)
{
	char last[DIGEST_HEX_MAX + 32] = "", path[DIGEST_HEX_MAX + 32];

	for (size_t i = 0; i < x->n_blobs; i++) {
		struct digest_text name = digest_path(&x->blobs[i].digest);

		snprintf(path, sizeof(path), "blobs/%.*s", (int) strcspn(name.s, "/"), name.s);
		if (strcmp(path, last) != 0 && export_out_dir(o, path, e) < 0)
			return -1;
		snprintf(last, sizeof(last), "%s", path);
		snprintf(path, sizeof(path), "blobs/%s", name.s);
		if (export_out_blob(o, path, x->store, &x->blobs[i], e) < 0)
			return -1;
	}
	return 0;
}

static int write_oci(const struct exporting *x, struct export_out *o, struct err *e)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

	if (export_out_dir(o, "blobs", e) < 0 || write_blobs(x, o, e) < 0 ||
	    write_index(x, o, e) < 0)
		return -1;
	return export_out_mem(o, "oci-layout", layout, strlen(layout), e);
}

/* ---- docker-archive ---- */

static void docker_name(const struct digest *d, const char *suffix, char *out, size_t room)
{
	snprintf(out, room, "%s%s", d->hex, suffix);
}

static const struct digest *config_of(const struct exporting *x, size_t i)
{
	return &x->images[i].manifest.config.digest;
}

/* Who reads a docker-archive wants REPOSITORY:TAG, and refuses all of it for one that is not. A name that is a digest is
 * none: *out NULL. */
static int tag_of(const char *name, char **out, struct err *e)
{
	struct reference r;

	*out = NULL;
	if (!name || strchr(name, '@'))
		return 0;
	if (reference_parse(name, "localhost", &r, e) < 0)
		return err_hint(
			e, "a docker-archive cannot have this name; give it a tag that it can");
	const char *slash = strrchr(name, '/');

	*out = xasprintf("%s%s", name, strchr(slash ? slash : name, ':') ? "" : ":latest");
	return 0;
}

/* Images with the same configuration are one, with several tags. */
static int write_tags(const struct exporting *x, size_t first, struct json_writer *w,
		      struct err *e)
{
	jw_array(w, "RepoTags");
	for (size_t i = first; i < x->n; i++) {
		auto_free char *tag = NULL;

		if (!digest_equal(config_of(x, first), config_of(x, i)))
			continue;
		if (tag_of(x->entries[i]->name, &tag, e) < 0)
			return -1;
		if (tag)
			jw_str(w, NULL, tag);
	}
	jw_close(w);
	return 0;
}

static bool seen(const struct exporting *x, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (digest_equal(config_of(x, k), config_of(x, i)))
			return true;
	}
	return false;
}

static int write_manifest(const struct exporting *x, struct export_out *o, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json_writer struct json_writer *w = json_writer_new(&text, false);
	char name[DIGEST_HEX_MAX + 8];

	jw_array(w, NULL);
	for (size_t i = 0; i < x->n; i++) {
		const struct manifest *m = &x->images[i].manifest;

		if (seen(x, i))
			continue;
		jw_object(w, NULL);
		docker_name(&m->config.digest, ".json", name, sizeof(name));
		jw_str(w, "Config", name);
		if (write_tags(x, i, w, e) < 0)
			return -1;
		jw_array(w, "Layers");
		for (size_t l = 0; l < m->n_layers; l++) {
			docker_name(&m->layers[l].digest, ".tar", name, sizeof(name));
			jw_str(w, NULL, name);
		}
		jw_close(w);
		jw_close(w);
	}
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return export_out_mem(o, "manifest.json", buf_bytes(&text), buf_len(&text), e);
}

static bool is_config(const struct exporting *x, const struct digest *d)
{
	for (size_t i = 0; i < x->n; i++) {
		if (digest_equal(config_of(x, i), d))
			return true;
	}
	return false;
}

static int write_docker(const struct exporting *x, struct export_out *o, struct err *e)
{
	char name[DIGEST_HEX_MAX + 8];

	for (size_t i = 0; i < x->n_blobs; i++) {
		const struct blob *b = &x->blobs[i];

		docker_name(&b->digest, is_config(x, &b->digest) ? ".json" : ".tar", name,
			    sizeof(name));
		if (export_out_blob(o, name, x->store, b, e) < 0)
			return -1;
	}
	return write_manifest(x, o, e);
}

/* ---- all ---- */

static int write_all(const struct exporting *x, enum export_format format, const char *to,
		     struct err *e)
{
	struct export_out o = EXPORT_OUT_NONE;
	int r = export_out_open(to, &o, e);

	if (r < 0)
		return -1;
	r = format == EXPORT_OCI ? write_oci(x, &o, e) : write_docker(x, &o, e);
	if (r == 0)
		r = export_out_finish(&o, e);
	export_out_close(&o);
	return r < 0 ? err_wrap(e, "%s", to) : 0;
}

int export_images(const struct store *s, const char *const *images, size_t n,
		  enum export_format format, const char *to, struct err *e)
{
	auto_index struct index ix = { 0 };
	auto_free const struct index_entry **entries = xalloc(n * sizeof(*entries));
	auto_free struct image *loaded = xalloc(n * sizeof(*loaded));
	struct exporting x = { .store = s, .entries = entries, .images = loaded, .n = n };
	int r = index_load(s, &ix, e);

	if (r == 0)
		r = find(&x, &ix, images, e);
	if (r == 0) {
		collect(&x, format);
		r = write_all(&x, format, to, e);
	}
	for (size_t i = 0; i < n; i++)
		image_fini(&loaded[i]);
	free(x.blobs);
	return r;
}
