/*
 * An EROFS image in a file becomes a detached read-only mount, which no mount table shows.
 *
 * A file system that the kernel reads from the file itself (Linux 6.12, EROFS_FS_BACKED_BY_FILE) is made in a moment, but is
 * one of its own for each mount, with its own copy of all that is read. One on a loop device is there once for all mounts of
 * the image (base/loopdev.h).
 */
#ifndef CARREL_BASE_EROFS_H
#define CARREL_BASE_EROFS_H

struct err;

/* For a sandbox's life: from a loop device, which frees itself with the last mount; where no loop device is to be had, from
 * the file. Returns the mount's descriptor; image_fd is open for reading (borrowed). */
int erofs_mount(int image_fd, struct err *e);
/* The same for a moment: from the file, where the kernel cannot do that from a loop device. CARREL_TEST_LOOP in the
 * environment forces that. */
int erofs_look(int image_fd, struct err *e);

/* Whether this kernel has EROFS at all: 1 or 0. */
int erofs_known(void);

#endif
