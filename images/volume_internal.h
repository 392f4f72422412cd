/*
 * What volume.c, volume_disk.c and volume_resize.c share.
 */
#ifndef CARREL_IMAGES_VOLUME_INTERNAL_H
#define CARREL_IMAGES_VOLUME_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "images/volume.h"

struct err;

/* volume.json into the volume's directory, durable. */
int volume_write_info(int dir_fd, const struct volume_info *v, struct err *e);

/* Kind quota: the limit, with room for the volume's own directory, which is in the project already. */
int volume_limit_quota(int data_fd, const struct volume_info *v, struct err *e);

/* ---- kind loop: the image (volume_disk.c) ---- */

/* Makes disk.img in dir_fd; v has size and the inodes wanted, and gets those that there are. */
int volume_disk_make(int dir_fd, struct volume_info *v, bool sparse, struct err *e);
/* Makes it larger, with a limit of v->size; v->inodes is set anew. The image is claimed by the caller. */
int volume_disk_grow(int dir_fd, struct volume_info *v, struct err *e);
/* What is in it. */
int volume_disk_measure(int dir_fd, uint64_t *bytes, uint64_t *inodes, struct err *e);

#endif
