/*
 * A tar stream from plain entries; the only file that knows libarchive's writer. The same entries in the same
 * order give the same bytes (pax; names are bytes; no times but the entries' own).
 */
#ifndef CARREL_IMAGES_TAR_WRITE_H
#define CARREL_IMAGES_TAR_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

struct err;
struct tar_entry;

/* Takes all n bytes, or fails with *e. */
typedef int (*tar_write_fn)(void *arg, const void *p, size_t n, struct err *e);

struct tar_writer;
#define auto_tar_writer auto_cleanup(tar_writer_free_ptr)

int tar_writer_new(tar_write_fn write, void *arg, struct tar_writer **out, struct err *e);
void tar_writer_free_ptr(struct tar_writer **w);

/* Of the next entry, before tar_writer_entry. */
void tar_writer_xattr(struct tar_writer *w, const char *name, const void *value, size_t n);
/* A stretch of a file that has content, in order; without any a file is dense. */
void tar_writer_extent(struct tar_writer *w, uint64_t offset, uint64_t n);
/* en->path may be "" for the root. A file's content follows by tar_writer_data, all of its size. */
int tar_writer_entry(struct tar_writer *w, const struct tar_entry *en, struct err *e);
int tar_writer_data(struct tar_writer *w, const void *p, size_t n, struct err *e);
int tar_writer_finish(struct tar_writer *w, struct err *e);

#endif
