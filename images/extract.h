/*
 * Entries become files below one directory, and nowhere else.
 *
 * A name's parent is resolved by base/path.c inside root_fd for every entry (symlinks that the same
 * archive made are followed, but never out); the last component is made with *at calls and never
 * followed. Directory modes and times are set at the end, when nothing is made in them any more.
 */
#ifndef CARREL_IMAGES_EXTRACT_H
#define CARREL_IMAGES_EXTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct err;
struct tar;
struct tar_entry;

struct extract_policy {
	/* A layer: owners, modes, times and attributes are the archive's, whiteouts are applied. Not a
	 * layer: an archive of blobs and JSON files, of which only contents and names matter. */
	bool layer;
	bool skip_devices; /* else a device node is an error */
	/* Marks a directory as opaque: takes trusted.overlay.opaque, a right that an unpacking child
	 * does not have. dir_fd is borrowed. */
	int (*mark_opaque)(void *arg, int dir_fd, struct err *e);
	void *arg;
};

struct extract_stats {
	uint64_t files, dirs, links, whiteouts;
	uint64_t skipped_devices;
	uint64_t dropped_xattrs;
	uint64_t implied; /* directories that no entry described, see implied.h */
};

struct extract;
#define auto_extract auto_cleanup(extract_free_ptr)

/* root_fd is borrowed. */
struct extract *extract_new(int root_fd, const struct extract_policy *policy);
void extract_free_ptr(struct extract **x);

int extract_entry(struct extract *x, struct tar *t, const struct tar_entry *en, struct err *e);
/* After the last entry. */
int extract_finish(struct extract *x, struct extract_stats *out, struct err *e);

#endif
