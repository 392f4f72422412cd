/*
 * What an entry's name means to the layers below: nothing, "this name is gone", "this directory starts
 * empty", or something that no honest tool writes.
 */
#ifndef CARREL_IMAGES_WHITEOUT_H
#define CARREL_IMAGES_WHITEOUT_H

struct err;

enum whiteout {
	WHITEOUT_NONE,
	WHITEOUT_FILE,	 /* .wh.NAME */
	WHITEOUT_OPAQUE, /* .wh..wh..opq */
};

/* Looks at a clean relative path; returns an enum whiteout, or -1 for odd names: ".wh." alone, ".wh.."
 * and ".wh...", names of other tools' metadata (".wh..wh.*"), ".wh." on a directory of the path. For
 * WHITEOUT_FILE *name points to NAME in path. */
int whiteout_classify(const char *path, const char **name, struct err *e);

#endif
