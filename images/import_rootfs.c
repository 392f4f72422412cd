/* Root filesystem tars: one layer, and a configuration that is made here. */
#include "images/import_internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "images/created.h"
#include "images/imageconfig.h"
#include "images/index.h"

enum { SMALL_JSON = 1 << 20 };

static const char plain_config[] = "{\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
				   "/usr/bin:/sbin:/bin\"],\"Cmd\":[\"/bin/sh\"]}";

static int write_config(struct import *im, const struct digest *diff_id,
			const char *config_json, struct blob *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SMALL_JSON);
	auto_json_writer struct json_writer *w = json_writer_new(&text, false);
	auto_json struct json_doc *config = NULL;
	struct created created;

	if (created_now(&created, e) < 0 ||
	    json_parse(config_json, strlen(config_json), NULL, &config, e) < 0)
		return -1;
	jw_object(w, NULL);
	jw_str(w, "created", created.s);
	jw_str(w, "architecture", imageconfig_host_arch());
	jw_str(w, "os", "linux");
	jw_node(w, "config", json_root(config));
	jw_object(w, "rootfs");
	jw_str(w, "type", "layers");
	jw_array(w, "diff_ids");
	jw_str(w, NULL, digest_text(diff_id).s);
	jw_close(w);
	jw_close(w);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return err_wrap(e, "write the configuration");
	return blob_stage_mem(im->work, buf_bytes(&text), buf_len(&text), out, e);
}

int import_rootfs_blob(struct import *im, const struct blob *blob, const char *config_json,
		       struct err *e)
{
	struct import_layer_ref layer = { .blob = *blob };
	struct digest diff_id;
	struct blob config;

	auto_close int fd = blob_open(im->store, im->work, &blob->digest, e);
	if (fd < 0 || compression_of_file(fd, &layer.compression, e) < 0)
		return -1;
	if (import_layer(im, blob, layer.compression, NULL, &diff_id, e) < 0 ||
	    write_config(im, &diff_id, config_json, &config, e) < 0)
		return -1;
	if (import_write_manifest(im, &config, &layer, 1, e) < 0)
		return -1;
	import_add_result(im, NULL);
	return 0;
}

int import_rootfs(struct import *im, struct err *e)
{
	struct blob blob;

	if (blob_stage_fd(im->work, im->source->file_fd, NULL, im->options->limits.blob_bytes,
			  &blob, e) < 0)
		return -1;
	return import_rootfs_blob(im, &blob, plain_config, e);
}

int import_built(struct store_work *w, const char *file, const char *config_json,
		 const struct import_options *o, struct digest *out, struct err *e)
{
	struct import im = { .store = w->store, .work = w, .options = o };
	struct blob blob;
	int r;

	if (o->name && index_check_name(o->name, e) < 0)
		return -1;
	r = blob_stage_own_file(w, w->fd, file, NULL, &blob, e);
	if (r == 0)
		r = import_rootfs_blob(&im, &blob, config_json ? config_json : plain_config, e);
	if (r == 0)
		r = import_finish(&im, out, e);
	import_fini(&im);
	return r;
}
