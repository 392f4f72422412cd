#include "images/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "images/confine.h"
#include "images/imageconfig.h"
#include "images/import_internal.h"
#include "images/index.h"
#include "images/media.h"
#include "images/unpack.h"

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

static int write_layer_json(int dir_fd, const struct blob *blob, const struct unpack_result *r,
			    struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json_writer struct json_writer *w = json_writer_new(&text, true);

	jw_object(w, NULL);
	jw_int(w, "version", 1);
	jw_str(w, "diff_id", digest_text(&r->digest).s);
	jw_str(w, "blob", digest_text(&blob->digest).s);
	jw_str(w, "unpacked_at", clock_rfc3339_now().s);
	jw_uint(w, "bytes", r->bytes);
	jw_uint(w, "entries", r->entries);
	jw_uint(w, "files", r->stats.files);
	jw_uint(w, "directories", r->stats.dirs);
	jw_uint(w, "links", r->stats.links);
	jw_uint(w, "whiteouts", r->stats.whiteouts);
	jw_uint(w, "skipped_devices", r->stats.skipped_devices);
	jw_uint(w, "dropped_xattrs", r->stats.dropped_xattrs);
	jw_object(w, "confinement"); /* of the child that unpacked it */
	jw_str(w, "namespaces", "user,mnt,net,ipc,uts,pid,cgroup");
	jw_bool(w, "seccomp", true);
	jw_int(w, "landlock", confine_landlock_abi());
	jw_close(w);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return fd_write_atomic(dir_fd, "layer.json", buf_bytes(&text), buf_len(&text), 0600,
			       false, e);
}

static int make_dir(int dir_fd, const char *name, mode_t mode, struct err *e)
{
	int fd;

	if (mkdirat(dir_fd, name, mode) < 0)
		return err_sys(e, "make %s", name);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", name);
	return fd;
}

static int unpack_into(struct import *im, const char *partial, const struct blob *blob,
		       enum compression c, const struct digest *diff_id, struct digest *found,
		       struct err *e)
{
	auto_close int dir = make_dir(im->work->layers_fd, partial, 0700, e);
	auto_close int tree = dir < 0 ? -1 : make_dir(dir, "root", 0755, e);
	auto_close int in = tree < 0 ? -1 : blob_open(im->store, im->work, &blob->digest, e);
	const struct unpack_spec spec = { .kind = UNPACK_LAYER,
					  .in_fd = in,
					  .compression = c,
					  .in_bytes = blob->size,
					  .tree_fd = tree,
					  .skip_devices = im->options->skip_devices,
					  .expect = diff_id,
					  .limits = im->options->limits };
	struct unpack_result r;

	if (in < 0 || unpack_archive(&spec, &r, e) < 0 ||
	    write_layer_json(dir, blob, &r, e) < 0)
		return -1;
	*found = r.digest;
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
static bool pair_is_known(const struct import *im, const struct blob *blob,
			  const struct digest *diff_id)
{
	char path[DIGEST_HEX_MAX + 16];
	auto_json struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;

	if (!store_has_layer(im->store, diff_id))
		return false;
	if (digest_equal(&blob->digest, diff_id))
		return true;
	snprintf(path, sizeof(path), "%s/layer.json", diff_id->hex);
	if (json_parse_file(im->store->layers_fd, path, NULL, &doc, &ignored) < 0)
		return false;
	return strcmp(json_str_or(json_root(doc), "blob", ""), digest_text(&blob->digest).s) ==
	       0;
}

int import_layer(struct import *im, const struct blob *blob, enum compression c,
		 const struct digest *diff_id, struct digest *found, struct err *e)
{
	char partial[32];
	struct digest d;

	if (check_compression(im, blob, c, e) < 0)
		return err_wrap(e, "layer %s", digest_text(&blob->digest).s);
	if (diff_id && pair_is_known(im, blob, diff_id)) {
		*found = *diff_id;
		return 0;
	}
	snprintf(partial, sizeof(partial), "partial.%u", im->work->serial++);
	if (unpack_into(im, partial, blob, c, diff_id, &d, e) < 0)
		return err_wrap(e, "layer %s", digest_text(&blob->digest).s);
	if (renameat2(im->work->layers_fd, partial, im->work->layers_fd, d.hex,
		      RENAME_NOREPLACE) < 0 &&
	    errno != EEXIST)
		return err_sys(e, "layer %s: rename", digest_text(&blob->digest).s);
	*found = d;
	return 0;
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
