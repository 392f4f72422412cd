/*
 * The image store on disk: an OCI layout with unpacked layers beside it.
 *
 *   oci-layout, index.json   names and manifests
 *   blobs/ALGORITHM/HEX      immutable content, verified before it got this name; sha256, sha512
 *   layers/HEX/              an unpacked layer by its diff-id: root/ and layer.json
 *   mountpoints/             a tree of empty directories, the top layer of every sandbox
 *   tmp/NAME/                work in progress; its owner holds a lock on the directory
 *   lock, index.lock         flocks: see store_open and index.h
 *
 * Whatever appears in blobs/ or layers/ got there by a rename, whole. Work of a dead owner is removed
 * by the next store_open.
 */
#ifndef CARREL_IMAGES_STORE_H
#define CARREL_IMAGES_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "images/digest.h"

struct err;

struct store {
	char *path; /* absolute, without symlinks */
	int dir_fd;
	int blobs_fd; /* blobs: names below it are digest_path's */
	int layers_fd;
	int tmp_fd;
	int lock_fd;
};
#define STORE_NONE                                                                             \
	((struct store){                                                                       \
		.dir_fd = -1, .blobs_fd = -1, .layers_fd = -1, .tmp_fd = -1, .lock_fd = -1 })
#define auto_store auto_cleanup(store_close)

enum store_lock {
	STORE_SHARED,	 /* content stays while this is open */
	STORE_EXCLUSIVE, /* nobody else has it open: for removing content */
};

/* Opens it, makes it when it is not there (mode 0700), takes `lock` (may block) and removes what dead
 * owners left in tmp/. */
int store_open(const char *path, enum store_lock lock, struct store *out, struct err *e);
void store_close(struct store *s);

bool store_has_layer(const struct store *s, const struct digest *diff_id);
/* 1 when the blob is there with this size, 0 when it is not, -1 when a wrong one is. */
int store_has_blob(const struct store *s, const struct digest *d, uint64_t size, struct err *e);

/* One import's private directory below tmp/: blobs/ and layers/ wait there for store_commit. */
struct store_work {
	const struct store *store;
	char name[32];
	int fd;	      /* the directory; carries the owner's flock */
	int blobs_fd; /* named by hex alone */
	int layers_fd;
	unsigned serial; /* for names of partial files */
};
#define STORE_WORK_NONE ((struct store_work){ .fd = -1, .blobs_fd = -1, .layers_fd = -1 })
#define auto_store_work auto_cleanup(store_work_end)

int store_work_begin(const struct store *s, struct store_work *out, struct err *e);
/* Removes the directory and what was not committed. */
void store_work_end(struct store_work *w);

/* Makes staged blobs and layers durable (one syncfs), then visible by renames. What the store has
 * already (another import was faster) is left as it is. */
int store_commit(struct store_work *w, struct err *e);

#endif
