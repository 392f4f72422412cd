/*
 * One archive becomes a tree: decompressed, hashed, unpacked, all at once and none of it in this process.
 *
 *   blob ──► inflate child ──► this process ──► tree child ──► files below tree_fd
 *            (CONFINE_STREAM)   hashes, counts    (CONFINE_TREE)
 *
 * The parent sees opaque bytes only. The digest is computed here, over the bytes that the tree child gets,
 * so a child that was taken over can neither lie about a diff-id nor change what another layer's holds.
 */
#ifndef CARREL_IMAGES_UNPACK_H
#define CARREL_IMAGES_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/child.h"
#include "images/digest.h"
#include "images/extract.h"
#include "images/inflate.h"
#include "images/limits.h"

struct err;

enum unpack_kind {
	UNPACK_LAYER,
	UNPACK_SOURCE, /* an archive of images; a foreign name ends it, see unpack_archive */
};

struct unpack_spec {
	enum unpack_kind kind;
	int in_fd; /* at its beginning, or a pipe (borrowed) */
	enum compression compression;
	uint64_t in_bytes; /* its size, for the ratio */
	int tree_fd;	   /* an empty directory, or -1 (borrowed) */
	int image_fd;	   /* else: an empty file that becomes an EROFS image (borrowed); -1 */
	bool skip_devices;
	const struct digest *expect; /* of the uncompressed stream; NULL: any */
	struct image_limits limits;
};

struct unpack_result {
	struct digest digest; /* of the uncompressed stream */
	uint64_t bytes;	      /* of it */
	uint64_t entries;
	struct extract_stats stats;
};

enum { UNPACK_DONE = 0, UNPACK_FOREIGN = 1 };

/*
 * The same in a process of its own, so that layers unpack side by side and while they are still being
 * downloaded: in_fd may be a pipe that somebody writes the compressed layer into as it comes (its end is the
 * layer's end), in_bytes what the descriptor promises.
 *
 * A finished job says what the bytes unpacked to, not that they were the right ones: whoever delivered them
 * checks the blob's digest, and makes nothing visible before both are known. See images/layer.h.
 */
struct unpack_job {
	struct child child;
	int fd; /* readable when the job is over: to be polled */
};
#define UNPACK_JOB_NONE ((struct unpack_job){ .child = CHILD_NONE, .fd = -1 })

/* The job has its own copies of the descriptors; *spec is not used after this. */
int unpack_start(const struct unpack_spec *spec, struct unpack_job *out, struct err *e);
/* Blocks until it is over. The job is UNPACK_JOB_NONE afterwards, whatever happened. */
int unpack_finish(struct unpack_job *job, struct unpack_result *out, struct err *e);
/* Ends it and its children; accepts UNPACK_JOB_NONE. */
void unpack_cancel(struct unpack_job *job);

/* Returns UNPACK_DONE, or for UNPACK_SOURCE also UNPACK_FOREIGN: the archive holds a name that no
 * archive of images has, so it is something else; what was unpacked until then is in the tree. */
int unpack_archive(const struct unpack_spec *spec, struct unpack_result *out, struct err *e);

#endif
