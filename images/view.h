/*
 * The merged view of an image's layers without a mount: what a name means under overlayfs' rules.
 *
 * Names are untrusted, and so are symlinks found on the way; both resolve inside the view.
 */
#ifndef CARREL_IMAGES_VIEW_H
#define CARREL_IMAGES_VIEW_H

#include <stddef.h>

#include "base/util.h"

struct err;

struct view;
#define auto_view auto_cleanup(view_free_ptr)

/* roots: the layers' root directories, bottom first; borrowed. */
struct view *view_new(const int *roots, size_t n);
void view_free_ptr(struct view **v);

/* Opens the regular file for reading. ENOENT when nothing is there, EINVAL when something else is. */
int view_open_file(const struct view *v, const char *path, struct err *e);
/* 1 when a directory is there, 0 when nothing or something else is. */
int view_has_dir(const struct view *v, const char *path, struct err *e);

#endif
