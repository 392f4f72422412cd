/*
 * A layer's tar stream becomes an EROFS image: no file is made, contents go to their place as they come.
 *
 *   inodes and contents   written entry by entry, inodes of 32 or 64 bytes, the end of a content behind its inode
 *                         where the block has room
 *   directories           last, when their names are known, sorted
 *   the superblock        very last: what was cut short is no image
 *
 * An entry means what it means to images/extract.h: the last one of a name wins, symlinks of the same archive are
 * followed inside the root, whiteouts are overlayfs'. The same stream gives the same bytes. Takes pwrite and
 * memory only, at most 48 MiB for names.
 */
#ifndef CARREL_IMAGES_EROFS_H
#define CARREL_IMAGES_EROFS_H

#include <stdbool.h>

#include "base/util.h"

struct err;
struct extract_stats;
struct tar;
struct tar_entry;

struct erofs;
#define auto_erofs auto_cleanup(erofs_free_ptr)

/* fd: an empty file (borrowed). skip_devices: a device node is left out, else an error. */
int erofs_new(int fd, bool skip_devices, struct erofs **out, struct err *e);
void erofs_free_ptr(struct erofs **w);

int erofs_entry(struct erofs *w, struct tar *t, const struct tar_entry *en, struct err *e);
/* After the last entry. The file's size is a multiple of the block's afterwards. */
int erofs_finish(struct erofs *w, struct extract_stats *out, struct err *e);

#endif
