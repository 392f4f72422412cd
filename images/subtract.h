/*
 * What of a tree is new above another one: the tree becomes the upper directory of an overlay on the other.
 */
#ifndef CARREL_IMAGES_SUBTRACT_H
#define CARREL_IMAGES_SUBTRACT_H

struct err;

/* Removes from below tree_fd what base_fd has as well, and makes an overlay's whiteout (a character device 0:0)
 * of what only base_fd has. Times alone make no difference, so a file that was made anew with the same content is
 * the base's. The tree is ours alone; nothing in it is followed. */
int subtract_base(int tree_fd, int base_fd, struct err *e);

#endif
