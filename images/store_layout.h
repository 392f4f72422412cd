/*
 * Whether a directory is an image store, or may become one.
 */
#ifndef CARREL_IMAGES_STORE_LAYOUT_H
#define CARREL_IMAGES_STORE_LAYOUT_H

struct buf;
struct err;

/* What stands in a store's oci-layout. */
extern const char store_layout_text[];

/* 1: a store of this version; 0: empty, or what a making that was cut short has left. A store of another version, and a
 * directory with other things in it, are errors: nothing of ours gets between them. */
int store_check_layout(int dir_fd, struct err *e);

/* The text of an oci-layout, a store's or another layout's: 1, or an error where it is of a version that we do not read. */
int layout_check_version(const struct buf *text, struct err *e);

#endif
