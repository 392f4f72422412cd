/*
 * A compressed layer becomes a staged layer of the store: started, waited for, put in its place.
 *
 *   layer_start     makes layers/partial.N in the work directory and a job (images/unpack.h) that fills it
 *   layer_finish    the job's result, layer.json, and the rename to the diff-id, still in the work directory
 *
 * Several may run side by side. The bytes may come through a pipe while they are being downloaded: until
 * layer_finish nothing has a name that store_commit would publish, and layer_finish wants the blob as its
 * deliverer has verified it.
 */
#ifndef CARREL_IMAGES_LAYER_H
#define CARREL_IMAGES_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "images/inflate.h"
#include "images/limits.h"
#include "images/unpack.h"

struct blob;
struct err;
struct store_work;

/* How a layer lies in the store: layers/HEX/root, a directory, or layers/HEX/layer.erofs, an image of one. */
enum layer_format { LAYER_DEFAULT, LAYER_DIR, LAYER_EROFS };

/* "dir", "erofs". */
const char *layer_format_name(enum layer_format f);
/* Its name in the layer's directory: "root", "layer.erofs". */
const char *layer_place(enum layer_format f);
/* "auto" is LAYER_DEFAULT. ENOTSUP: this kernel has no EROFS. */
int layer_format_parse(const char *s, enum layer_format *out, struct err *e);
/* What LAYER_DEFAULT stands for; docs/images.md has the figures that decided. */
enum layer_format layer_format_default(void);

/* Opens a layer of the store: the directory, or the image to read. *format says which it is. -1 with e->code
 * ENOENT when it is not there. */
int layer_open(int layers_fd, const char *hex, enum layer_format *format, struct err *e);

struct layer_spec {
	int in_fd; /* the compressed layer: a file at its beginning, or a pipe (borrowed) */
	enum compression compression;
	uint64_t in_bytes;	     /* as the descriptor promises */
	const struct digest *expect; /* the diff-id; NULL: any */
	bool skip_devices;
	enum layer_format format;
	struct image_limits limits;
};

struct layer_job {
	struct store_work *work;
	struct unpack_job unpack; /* unpack.fd: readable when it is over */
	char name[32];		  /* the directory in work/layers */
	int dir_fd;
	enum layer_format format;
};
#define LAYER_JOB_NONE ((struct layer_job){ .unpack = UNPACK_JOB_NONE, .dir_fd = -1 })

int layer_start(struct store_work *w, const struct layer_spec *spec, struct layer_job *out,
		struct err *e);
/* Blocks until the job is over. `verified`: the digest and size that its bytes have been found to have; a job
 * whose bytes were the wrong ones is cancelled instead. *diff_id is what they unpacked to. */
int layer_finish(struct layer_job *j, const struct blob *verified, struct digest *diff_id,
		 struct err *e);
/* Ends it; what it made goes with the work directory. Accepts LAYER_JOB_NONE. */
void layer_cancel(struct layer_job *j);

#endif
