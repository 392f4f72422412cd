/*
 * An EROFS image in a file becomes a detached read-only mount, which no mount table shows.
 */
#ifndef CARREL_BASE_EROFS_H
#define CARREL_BASE_EROFS_H

struct err;

/* Returns the mount's descriptor. The kernel reads the file itself where it can (Linux 6.12, EROFS_FS_BACKED_BY_FILE),
 * else through a loop device that is freed with the last mount of it. CARREL_TEST_LOOP in the environment forces
 * the latter. Needs CAP_SYS_ADMIN. image_fd is borrowed; open for reading. */
int erofs_mount(int image_fd, struct err *e);

/* Whether this kernel has EROFS at all: 1 or 0. */
int erofs_known(void);

#endif
