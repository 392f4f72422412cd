#include "images/import.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "images/imageconfig.h"
#include "images/import_internal.h"
#include "images/index.h"
#include "images/layer.h"
#include "images/media.h"

enum { SMALL_JSON = 1 << 20 };

struct platform import_platform(const struct import *im)
{
	return im->options->platform.arch[0] ? im->options->platform : platform_host();
}

int import_check_platform(const struct import *im, const struct imageconfig *c, struct err *e)
{
	const struct platform want = import_platform(im);

	if (strcmp(c->arch, want.arch) == 0)
		return 0;
	if (im->options->platform.arch[0])
		return err_set(e, ENOENT, "the image is for linux/%.40s, not for %s", c->arch,
			       platform_text(&want).s);
	return err_set(e, ENOTSUP, "the image is for linux/%.40s, this machine is linux/%s",
		       c->arch, want.arch);
}

void import_add_result(struct import *im, char *const *names)
{
	char *const own[] = { im->name, NULL };
	struct import_result *r;

	names = names ? names : own;
	im->results = realloc(im->results, (im->n_results + 1) * sizeof(*im->results));
	if (!im->results)
		abort();
	r = &im->results[im->n_results++];
	*r = (struct import_result){ .manifest = im->manifest, .type = im->manifest_type };
	r->names = xalloc((strv_len(names) + 1) * sizeof(*r->names));
	for (size_t i = 0; names[i]; i++)
		r->names[i] = xstrdup(names[i]);
}

void import_fini(struct import *im)
{
	for (size_t i = 0; i < im->n_results; i++)
		util_free_strv(&im->results[i].names);
	free(im->results);
	free(im->name);
	im->results = NULL;
	im->n_results = 0;
	im->name = NULL;
}

int import_has_blob(struct import *im, const struct blob *blob, struct err *e)
{
	if (faccessat(im->work->blobs_fd, blob->digest.hex, F_OK, 0) == 0)
		return 1;
	return store_work_has_blob(im->work, &blob->digest, blob->size, e);
}

static int check_compression(struct import *im, const struct blob *blob, enum compression c,
			     struct err *e)
{
	auto_close int fd = blob_open(im->store, im->work, &blob->digest, e);
	enum compression real;

	if (fd < 0 || compression_of_file(fd, &real, e) < 0)
		return -1;
	if (real != c)
		return err_set(e, EINVAL, "its media type says %s, its content %s",
			       compression_name(c), compression_name(real));
	return 0;
}

/* A diff-id alone is no proof that this blob unpacks to it: a configuration may claim any. The pair has
 * been seen if the layer was unpacked from this very blob, or the blob is the tar itself. */
static bool made_from(int layers_fd, const struct digest *diff_id, const struct blob *blob)
{
	char path[DIGEST_HEX_MAX + 16];
	auto_json struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;

	snprintf(path, sizeof(path), "%s/layer.json", diff_id->hex);
	if (json_parse_file(layers_fd, path, NULL, &doc, &ignored) < 0)
		return false;
	return strcmp(json_str_or(json_root(doc), "blob", ""), digest_text(&blob->digest).s) ==
	       0;
}

int import_knows_layer(struct import *im, const struct blob *blob, const struct digest *diff_id,
		       struct err *e)
{
	int has;

	if (made_from(im->work->layers_fd, diff_id, blob))
		return 1;
	has = store_work_has_layer(im->work, diff_id, e);
	if (has <= 0 || digest_equal(&blob->digest, diff_id))
		return has;
	return made_from(im->store->layers_fd, diff_id, blob);
}

int import_layer(struct import *im, const struct blob *blob, enum compression c,
		 const struct digest *diff_id, struct digest *found, struct err *e)
{
	struct layer_job job = LAYER_JOB_NONE;
	int known;

	if (check_compression(im, blob, c, e) < 0)
		return err_wrap(e, "layer %s", digest_text(&blob->digest).s);
	known = diff_id ? import_knows_layer(im, blob, diff_id, e) : 0;
	if (known < 0)
		return -1;
	if (known) {
		*found = *diff_id;
		return 0;
	}
	auto_close int in = blob_open(im->store, im->work, &blob->digest, e);
	const struct layer_spec spec = { .in_fd = in,
					 .compression = c,
					 .in_bytes = blob->size,
					 .expect = diff_id,
					 .skip_devices = im->options->skip_devices,
					 .format = im->options->format,
					 .limits = im->options->limits };
	if (in < 0 || layer_start(im->work, &spec, &job, e) < 0)
		return err_wrap(e, "layer %s", digest_text(&blob->digest).s);
	return layer_finish(&job, blob, found, e);
}

static void write_descriptor(struct json_writer *w, const char *key, const char *type,
			     const struct blob *b)
{
	jw_object(w, key);
	jw_str(w, "mediaType", type);
	jw_str(w, "digest", digest_text(&b->digest).s);
	jw_uint(w, "size", b->size);
	jw_close(w);
}

int import_write_manifest(struct import *im, const struct blob *config,
			  const struct import_layer_ref *layers, size_t n, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json_writer struct json_writer *w = json_writer_new(&text, false);

	jw_object(w, NULL);
	jw_int(w, "schemaVersion", 2);
	jw_str(w, "mediaType", MEDIA_OCI_MANIFEST);
	write_descriptor(w, "config", MEDIA_OCI_CONFIG, config);
	jw_array(w, "layers");
	for (size_t i = 0; i < n; i++)
		write_descriptor(w, NULL, media_layer(layers[i].compression), &layers[i].blob);
	jw_close(w);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return err_wrap(e, "write the manifest");
	im->manifest_type = MEDIA_OCI_MANIFEST;
	return blob_stage_mem(im->work, buf_bytes(&text), buf_len(&text), &im->manifest, e);
}

static int name_result(struct import *im, const struct import_result *r, struct err *e)
{
	struct index_entry entry = { .media_type = (char *) r->type,
				     .digest = r->manifest.digest,
				     .size = r->manifest.size };
	size_t i = 0;

	if (im->options->name) {
		entry.name = (char *) im->options->name;
		return index_put(im->store, &entry, e);
	}
	do {
		entry.name = r->names[i];
		if (index_put(im->store, &entry, e) < 0)
			return -1;
	} while (r->names[i] && r->names[++i]);
	return 0;
}

static int check_names(const struct import *im, struct err *e)
{
	for (size_t i = 0; i < im->n_results && !im->options->name; i++) {
		for (char **name = im->results[i].names; *name; name++) {
			if (index_check_name(*name, e) < 0)
				return err_hint(e, "give one with --name");
		}
	}
	return 0;
}

int import_finish(struct import *im, struct digest *out, struct err *e)
{
	assert(im->n_results > 0);
	if (check_names(im, e) < 0 || store_commit(im->work, e) < 0)
		return -1;
	for (size_t i = 0; i < im->n_results; i++) {
		if (name_result(im, &im->results[i], e) < 0)
			return -1;
		*out = im->results[i].manifest.digest;
	}
	return 0;
}

static int import_source(struct import *im, struct err *e)
{
	switch (im->source->kind) {
	case SOURCE_OCI:
		return import_oci(im, e);
	case SOURCE_DOCKER:
		return import_docker(im, e);
	default:
		return import_rootfs(im, e);
	}
}

static int check_options(const struct import_options *o, struct err *e)
{
	if (o->all && (o->name || o->ref))
		return err_set(e, EINVAL,
			       "--all takes all names as they are: no --name, no --ref");
	return o->name ? index_check_name(o->name, e) : 0;
}

int import_path(const struct store *s, const char *path, const struct import_options *o,
		struct digest **out, size_t *n, struct err *e)
{
	auto_store_work struct store_work work = STORE_WORK_NONE;
	auto_source struct source source = SOURCE_NONE;
	struct import im = { .store = s, .work = &work, .options = o, .source = &source };
	struct digest last;
	int r;

	if (check_options(o, e) < 0)
		return -1;
	if (store_work_begin(s, &work, e) < 0 ||
	    source_open(&work, path, o->as, &o->limits, &source, e) < 0)
		return -1;
	r = import_source(&im, e);
	if (r == 0)
		r = import_finish(&im, &last, e);
	if (r == 0) {
		*n = im.n_results;
		*out = xalloc(im.n_results * sizeof(**out));
		for (size_t i = 0; i < im.n_results; i++)
			(*out)[i] = im.results[i].manifest.digest;
	}
	import_fini(&im);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}
