/*
 * Which extended attributes of an archive reach the store.
 */
#ifndef CARREL_IMAGES_XATTR_H
#define CARREL_IMAGES_XATTR_H

struct err;

enum xattr_verdict {
	XATTR_KEEP,
	XATTR_DROP, /* it says something about the machine that made the archive, or grants nothing here */
};

/* -1 for names that overlayfs gives a meaning: an image could redirect a path or show a file's
 * content under another name with them. */
int xattr_judge(const char *name, struct err *e);

#endif
