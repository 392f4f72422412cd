/*
 * Copies the content of one directory of an image into a fresh filesystem, by descriptors, following nothing.
 */
#ifndef CARREL_RUNTIME_COPYTREE_H
#define CARREL_RUNTIME_COPYTREE_H

struct err;

/* Files, directories, links and pipes with owner, mode and times; devices only where mknod is allowed. from may
 * be O_PATH. At most 64 levels and 1,000,000 entries; other mounts are not entered. */
int copytree(int from, int to, struct err *e);

#endif
