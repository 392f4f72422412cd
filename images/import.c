#include "images/import.h"

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

int import_check_platform(const struct imageconfig *c, struct err *e)
{
	const char *host = imageconfig_host_arch();

	if (strcmp(c->arch, host) != 0)
		return err_set(e, ENOTSUP,
			       "the image is for linux/%.40s, this machine is "
			       "linux/%s",
			       c->arch, host);
	return 0;
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
static int pair_is_known(const struct import *im, const struct blob *blob,
			 const struct digest *diff_id, struct err *e)
{
	char path[DIGEST_HEX_MAX + 16];
	auto_json struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;

	int has = store_work_has_layer(im->work, diff_id, e);

	if (has <= 0 || digest_equal(&blob->digest, diff_id))
		return has;
	snprintf(path, sizeof(path), "%s/layer.json", diff_id->hex);
	if (json_parse_file(im->store->layers_fd, path, NULL, &doc, &ignored) < 0)
		return 0;
	return strcmp(json_str_or(json_root(doc), "blob", ""), digest_text(&blob->digest).s) ==
	       0;
}

int import_layer(struct import *im, const struct blob *blob, enum compression c,
		 const struct digest *diff_id, struct digest *found, struct err *e)
{
	struct layer_job job = LAYER_JOB_NONE;
	int known;

	if (check_compression(im, blob, c, e) < 0)
		return err_wrap(e, "layer %s", digest_text(&blob->digest).s);
	known = diff_id ? pair_is_known(im, blob, diff_id, e) : 0;
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

int import_finish(struct import *im, struct digest *out, struct err *e)
{
	const char *name = im->options->name ? im->options->name : im->name;
	const struct index_entry entry = { .name = (char *) name,
					   .media_type = (char *) im->manifest_type,
					   .digest = im->manifest.digest,
					   .size = im->manifest.size };

	if (name && index_check_name(name, e) < 0)
		return im->options->name ? -1 : err_hint(e, "give one with --name");
	if (store_commit(im->work, e) < 0 || index_put(im->store, &entry, e) < 0)
		return -1;
	*out = im->manifest.digest;
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

int import_path(const struct store *s, const char *path, const struct import_options *o,
		struct digest *out, struct err *e)
{
	auto_store_work struct store_work work = STORE_WORK_NONE;
	auto_source struct source source = SOURCE_NONE;
	struct import im = { .store = s, .work = &work, .options = o, .source = &source };
	int r;

	if (o->name && index_check_name(o->name, e) < 0)
		return -1;
	if (store_work_begin(s, &work, e) < 0 ||
	    source_open(&work, path, o->as, &o->limits, &source, e) < 0)
		return -1;
	r = import_source(&im, e);
	if (r == 0)
		r = import_finish(&im, out, e);
	free(im.name);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}
