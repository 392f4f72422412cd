/*
 * The names that archives of images consist of. A root filesystem's tar has others, at once.
 */
#ifndef CARREL_IMAGES_SOURCE_NAMES_H
#define CARREL_IMAGES_SOURCE_NAMES_H

#include <stdbool.h>

/* path: clean and relative, "" for the root. */
bool source_name_known(const char *path);

#endif
