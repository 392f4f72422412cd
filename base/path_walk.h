/*
 * The component walk behind base/path.h: for kernels without openat2, and for making what is missing.
 *
 * For base/path.c only; everybody else uses base/path.h.
 */
#ifndef CARREL_BASE_PATH_WALK_H
#define CARREL_BASE_PATH_WALK_H

#include <sys/types.h>

struct err;

enum path_make {
	PATH_MAKE_NOTHING,
	PATH_MAKE_DIRS, /* every missing component becomes a directory of `mode` */
	PATH_MAKE_FILE, /* the last one becomes an empty file of `mode`, those before it directories 0755 */
};

struct path_walk {
	int oflags; /* checked by the caller: no O_CREAT, O_PATH only with O_DIRECTORY, O_NOFOLLOW */
	unsigned
		flags; /* enum path_flags without PATH_LAST_NOFOLLOW (that is O_NOFOLLOW here) */
	enum path_make make;
	mode_t mode;
};

/* Returns a descriptor, or -1 with *e saying why, without the path in front. */
int path_walk_in(int root_fd, const char *path, const struct path_walk *how, struct err *e);

#endif
