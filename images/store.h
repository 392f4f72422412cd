/*
 * The image store on disk: an OCI layout with unpacked layers beside it.
 *
 *   oci-layout, index.json   names and manifests
 *   blobs/ALGORITHM/HEX      immutable content, verified before it got this name; sha256, sha512
 *   layers/HEX/              an unpacked layer by its diff-id: root/ and layer.json
 *   mountpoints/             a tree of empty directories, the top layer of every sandbox
 *   tmp/NAME/                work in progress; its owner holds a lock on the directory
 *   lock, index.lock         flocks, see below and index.h; the kernel drops what a dead owner held
 *
 * Whatever appears in blobs/ or layers/ got there by a rename, whole. Work of a dead owner is removed
 * by the next store_open.
 *
 * The mode of the store's own directory is the only gate: 0700, or with group or others let in (store_share).
 * What lies inside is readable, tmp/ and the locks apart. Who is not the owner reads without a lock, so
 * an image may go away under him: that is an error he gets, never a wrong answer.
 */
#ifndef CARREL_IMAGES_STORE_H
#define CARREL_IMAGES_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "images/digest.h"

struct err;

struct store {
	char *path; /* absolute, without symlinks */
	int dir_fd;
	int blobs_fd; /* blobs: names below it are digest_path's */
	int layers_fd;
	int tmp_fd; /* FD_NONE for who is not the owner, like lock_fd */
	int lock_fd;
	bool unlocked; /* opened STORE_WORK */
};
#define STORE_NONE                                                                             \
	((struct store){                                                                       \
		.dir_fd = -1, .blobs_fd = -1, .layers_fd = -1, .tmp_fd = -1, .lock_fd = -1 })
#define auto_store auto_cleanup(store_close)

enum store_lock {
	STORE_READ, /* content stays while this is open; open to others than the owner, see above */
	STORE_SHARED, /* the same, to change names */
	STORE_WORK, /* for imports, which take long: nothing is locked, what they need is pinned */
	STORE_EXCLUSIVE, /* nobody else has it open, imports wait: for removing content */
};

/* Opens it, makes it when it is not there (mode 0700), takes `lock` (may block) and removes what dead
 * owners left in tmp/. But for STORE_READ it has to be the caller's own (EPERM), closed to writers other
 * than him, and on a file system without setuid if others may read it: layers hold what images hold. */
int store_open(const char *path, enum store_lock lock, struct store *out, struct err *e);
void store_close(struct store *s);

/* For STORE_EXCLUSIVE: content is removed, what follows may take long. */
void store_unlock(struct store *s);

/* Lets others read: mode 0750 for a group, 0755 for all, 0700 to take it back; gid -1 leaves the group alone. */
int store_share(const struct store *s, mode_t mode, gid_t gid, struct err *e);

bool store_has_layer(const struct store *s, const struct digest *diff_id);

/* One import's private directory below tmp/: blobs/ and layers/ wait there for store_commit, pins/ has
 * empty files named by the hex of what the store must keep for it. */
struct store_work {
	const struct store *store;
	char name[32];
	int fd;	      /* the directory; carries the owner's flock */
	int blobs_fd; /* named by hex alone */
	int layers_fd;
	int pins_fd;
	unsigned serial; /* for names of partial files */
};
#define STORE_WORK_NONE                                                                        \
	((struct store_work){ .fd = -1, .blobs_fd = -1, .layers_fd = -1, .pins_fd = -1 })
#define auto_store_work auto_cleanup(store_work_end)

int store_work_begin(const struct store *s, struct store_work *out, struct err *e);
/* Removes the directory and what was not committed. */
void store_work_end(struct store_work *w);

/* Is it in the store? 1: yes, and no gc takes it before store_work_end; 0: no. A blob of another size is
 * an error. */
int store_work_has_blob(struct store_work *w, const struct digest *d, uint64_t size,
			struct err *e);
int store_work_has_layer(struct store_work *w, const struct digest *diff_id, struct err *e);

/* Makes staged blobs and layers durable (one syncfs), then visible by renames. What the store has
 * already (another import was faster) is left as it is. From here on all of it is pinned, until
 * store_work_end: the index has to name it before. */
int store_commit(struct store_work *w, struct err *e);
/* Puts a staged layer in the place of the one that the store has, at once. old_fd: what sandboxes lock of that
 * one (layer_open), or -1 when there is nothing to lock; EBUSY when a sandbox runs on it. */
int store_replace_layer(struct store_work *w, const struct digest *diff_id, int old_fd,
			struct err *e);

#endif
