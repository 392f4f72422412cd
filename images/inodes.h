/*
 * Files that were met before under another name: a map from (device, inode) to a number of the caller's.
 */
#ifndef CARREL_IMAGES_INODES_H
#define CARREL_IMAGES_INODES_H

#include <stdbool.h>
#include <stdint.h>

struct inodes;
#define auto_inodes auto_cleanup(inodes_free_ptr)

struct inodes *inodes_new(void);
void inodes_free_ptr(struct inodes **m);

/* True when it is new: it has `value` from now on. False: *value is what it has had. */
bool inodes_add(struct inodes *m, uint64_t dev, uint64_t ino, uint64_t *value);

#endif
