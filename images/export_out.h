/*
 * Where an export goes: files of a directory or entries of a tar archive, in the order in which they are put.
 */
#ifndef CARREL_IMAGES_EXPORT_OUT_H
#define CARREL_IMAGES_EXPORT_OUT_H

#include <stdbool.h>

#include "images/blob.h"

struct archive;

struct export_out {
	int dir_fd; /* a directory; else -1 */
	bool made, whole;
	struct archive *tar;
	char *path, *partial; /* of the archive, while it is being written; NULL: in place */
	int fd;
};
#define EXPORT_OUT_NONE ((struct export_out){ .dir_fd = -1, .fd = -1 })

int export_out_open(const char *to, struct export_out *out, struct err *e);
int export_out_dir(struct export_out *o, const char *name, struct err *e);
int export_out_mem(struct export_out *o, const char *name, const void *p, size_t n,
		   struct err *e);
/* The blob's digest is checked on the way. */
int export_out_blob(struct export_out *o, const char *name, const struct store *s,
		    const struct blob *blob, struct err *e);
/* It is whole and visible. */
int export_out_finish(struct export_out *o, struct err *e);
/* What is not whole goes; accepts EXPORT_OUT_NONE. */
void export_out_close(struct export_out *o);

#endif
