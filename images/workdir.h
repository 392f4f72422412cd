/*
 * Private directories for work in progress, below one directory: each carries its owner's flock, and what a dead owner
 * left is found by that lock being free.
 */
#ifndef CARREL_IMAGES_WORKDIR_H
#define CARREL_IMAGES_WORKDIR_H

struct err;

/* Makes one of a new name, 0700; returns its descriptor, which holds the flock. */
int workdir_make(int tmp_fd, char name[32], struct err *e);

/* Removes tmp_fd/name; its lock is held meanwhile. What it cannot remove the next sweep finds. */
typedef void (*workdir_discard_fn)(int tmp_fd, const char *name);
/* Discards every one without a living owner, and stray files. */
void workdir_sweep(int tmp_fd, workdir_discard_fn discard);
/* The plain way: the tree goes. */
void workdir_discard(int tmp_fd, const char *name);

#endif
