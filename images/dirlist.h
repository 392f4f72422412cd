/*
 * A directory read as a whole: its names in the order of their bytes, whatever order the disk has.
 */
#ifndef CARREL_IMAGES_DIRLIST_H
#define CARREL_IMAGES_DIRLIST_H

#include <stddef.h>
#include <sys/types.h>

#include "base/util.h"

struct err;

struct dirlist {
	char **v; /* without "." and ".." */
	size_t n;
};
#define auto_dirlist auto_cleanup(dirlist_fini)

/* More than `limit` names are an error (E2BIG). dir_fd is borrowed; its position does not matter. */
int dirlist_read(int dir_fd, size_t limit, struct dirlist *out, struct err *e);
/* Only those that may be directories: where the file system tells types, just the directories. */
int dirlist_read_dirs(int dir_fd, size_t limit, struct dirlist *out, struct err *e);
void dirlist_fini(struct dirlist *l);

/* A directory's entry opened without following anything; also what is no directory is an error. */
int dirlist_descend(int dir_fd, const char *name, struct err *e);

/* Extended attributes of an entry, never of what a link points to. names: NUL-separated, malloc'ed, "" at
 * the end (NULL: none). */
int dirlist_xattrs(int dir_fd, const char *name, char **names, struct err *e);
/* Their values: malloc'ed. ENODATA when there is no such attribute. */
int dirlist_xattr(int dir_fd, const char *name, const char *attr, void **value, size_t *n,
		  struct err *e);

#endif
