/*
 * Paths of the container that show nothing (masked) or cannot be written (read-only).
 *
 * Directories are covered by clones of one empty read-only tmpfs, files by clones of the host's null device,
 * whose identity (1:3) is verified on the descriptor that is attached: no name inside the image takes part.
 */
#ifndef CARREL_RUNTIME_MASK_H
#define CARREL_RUNTIME_MASK_H

struct err;

struct mask {
	int null_fd, empty_fd; /* detached until their first use */
};
#define MASK_NONE ((struct mask){ -1, -1 })

/* While the host's /dev can still be reached. */
int mask_open(struct mask *out, struct err *e);
void mask_close(struct mask *m);

/* NULL-terminated lists; a path that does not exist is skipped. */
int mask_paths(struct mask *m, int root_fd, const char *const *paths, struct err *e);
int mask_readonly(int root_fd, const char *const *paths, struct err *e);

#endif
