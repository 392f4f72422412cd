#include "images/build_above.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/erofs.h"
#include "base/err.h"
#include "base/fd.h"
#include "images/blob.h"
#include "images/commit.h"
#include "images/image.h"
#include "images/import.h"
#include "images/layer.h"
#include "images/subtract.h"

/* As a directory, whatever its format is. */
static int open_root(int layers_fd, const struct digest *diff_id, struct err *e)
{
	enum layer_format format;
	auto_close int fd = layer_open(layers_fd, diff_id->hex, &format, e);
	int root;

	if (fd < 0 || format == LAYER_DIR)
		return take_fd(&fd);
	root = erofs_look(fd, e);
	return root < 0 ? err_wrap(e, "layers/%s", diff_id->hex) : root;
}

/* In the confinement of all unpacking; the tree stays in the work directory, where it will be changed. */
static int unpack_root(struct store_work *w, const char *file, const struct import_options *o,
		       struct err *e)
{
	struct layer_job job = LAYER_JOB_NONE;
	struct blob blob;
	struct digest diff_id;

	if (blob_stage_own_file(w, w->fd, file, NULL, &blob, e) < 0)
		return -1;
	auto_close int in = openat(w->fd, file, O_RDONLY | O_CLOEXEC);
	const struct layer_spec spec = { .in_fd = in,
					 .compression = COMPRESSION_NONE,
					 .in_bytes = blob.size,
					 .format = LAYER_DIR,
					 .limits = o->limits };
	if (in < 0)
		return err_sys(e, "%s", file);
	if (layer_start(w, &spec, &job, e) < 0 || layer_finish(&job, &blob, &diff_id, e) < 0)
		return -1;
	return open_root(w->layers_fd, &diff_id, e);
}

int build_above_open(struct store_work *w, const char *base, struct err *e)
{
	auto_image struct image im = { 0 };
	int has;

	if (image_open(w->store, base, &im, e) < 0)
		return -1;
	if (im.config.n_diff_ids != 1)
		return err_set(e, ENOTSUP, "base %s: it has %zu layers; one is supported", base,
			       im.config.n_diff_ids);
	has = store_work_has_layer(w, &im.config.diff_ids[0], e);
	if (has == 0)
		return err_set(e, ENOENT, "base %s: its layer is not in the store", base);
	return has < 0 ? -1 : open_root(w->store->layers_fd, &im.config.diff_ids[0], e);
}

int build_above(struct store_work *w, const char *file, const char *base, int lower_fd,
		const char *config_json, const struct import_options *o, struct digest *out,
		struct err *e)
{
	const struct commit_options commit = { .base = base,
					       .name = o->name,
					       .by = "carrel-image build",
					       .config_json = config_json,
					       .compression = COMPRESSION_ZSTD,
					       .format = o->format };
	auto_close int tree = unpack_root(w, file, o, e);
	struct upper_stats stats;

	if (tree < 0 || subtract_base(tree, lower_fd, e) < 0)
		return -1;
	return commit_upper(w->store, tree, &commit, out, &stats, e);
}
