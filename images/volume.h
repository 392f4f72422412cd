/*
 * Volumes beside the image store: made, listed, measured, grown, removed. What one is and who locks what, base/volume.h says.
 *
 *   VOLUMES/NAME/     one volume; it gets this name by a rename, whole and durable
 *   VOLUMES/.tmp/ID/  one that is being made or removed (images/workdir.h); what a dead owner left goes with the next open
 *   VOLUMES/.lock     flock: while a project number is chosen
 *
 * The kinds: `quota` is a directory with a project quota, where the file system enforces those: no space is set aside, every
 * block counts. `loop` is an ext4 file system in a file, made by mke2fs(8) and adjusted by tune2fs(8), whose space is
 * allocated when it is made; what ext4 needs for itself comes on top of the size and is not for users to have.
 */
#ifndef CARREL_IMAGES_VOLUME_H
#define CARREL_IMAGES_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/volume.h"

struct err;

struct volumes {
	char *path;
	int dir_fd, tmp_fd;
};
#define VOLUMES_NONE ((struct volumes){ .dir_fd = -1, .tmp_fd = -1 })
#define auto_volumes auto_cleanup(volumes_close)

/* Opens the directory, makes it when it is not there (0700), and removes what dead owners left. It has to be the caller's own
 * and closed to others (EPERM): what lies in volumes was written by strangers. */
int volumes_open(const char *path, struct volumes *out, struct err *e);
void volumes_close(struct volumes *vs);

struct volume_spec {
	const char *name;
	uint64_t size;	 /* bytes; a multiple of VOLUME_BLOCK */
	uint64_t inodes; /* 0: one for each 8 KiB, at least 4096 */
	const char *
		kind; /* "loop", "quota"; NULL or "auto": quota where it can be had, else loop */
	bool sparse; /* loop: space is not set aside; a full disk then is an I/O error for who writes to it */
	bool keep; /* one of this name that is there already is left as it is, and is success */
};

/* EEXIST: there is one of this name. ENOSPC: the disk has no room for it. Nothing is left after an error. */
int volume_create(const struct volumes *vs, const struct volume_spec *spec, struct err *e);

/* ETXTBSY: it is in use; ENOENT: there is none. */
int volume_remove(const struct volumes *vs, const char *name, struct err *e);

/* Makes it larger; the same size sets the limit anew. EINVAL for a smaller size; ETXTBSY, ENOENT. A resize that was cut short
 * leaves a volume that nobody can use until it is done again. */
int volume_resize(const struct volumes *vs, const char *name, uint64_t size, struct err *e);

struct volume_state {
	struct volume_info info;
	bool in_use;
	bool measured; /* the next two are known */
	uint64_t used_bytes, used_inodes;
};

/* All of them by name. Those of the kind loop are not measured. The array is the caller's to free; bad (may be NULL) is
 * called for each that cannot be read. */
int volumes_list(const struct volumes *vs, void (*bad)(const char *name, const struct err *why),
		 struct volume_state **out, size_t *n, struct err *e);
/* One, measured unless it is of the kind loop and in use. */
int volume_inspect(const struct volumes *vs, const char *name, struct volume_state *out,
		   struct err *e);

#endif
