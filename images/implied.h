/*
 * A directory that no entry of its layer described: made because something lies in it. It has mode 0755, root, and a time that
 * says so, which also makes it the same whenever it is made. images/parents.h gives it what a layer below says of it.
 */
#ifndef CARREL_IMAGES_IMPLIED_H
#define CARREL_IMAGES_IMPLIED_H

#include <stdbool.h>
#include <sys/stat.h>

#define IMPLIED_MTIME ((struct timespec){ .tv_sec = 0, .tv_nsec = 755 })

/* An archive that describes a directory with this very time and mode gets what it asks for: it is nobody's harm. */
static inline bool implied_is(const struct stat *st)
{
	return st->st_mode == (S_IFDIR | 0755) && st->st_uid == 0 && st->st_gid == 0 &&
	       st->st_mtim.tv_sec == IMPLIED_MTIME.tv_sec &&
	       st->st_mtim.tv_nsec == IMPLIED_MTIME.tv_nsec;
}

#endif
