/*
 * Programs of ours that only other programs of ours start: where they lie.
 */
#ifndef CARREL_BASE_HELPER_H
#define CARREL_BASE_HELPER_H

#include <limits.h>
#include <stdbool.h>

/* Beside the running program, in its ../libexec/carrel, or in /usr/local/libexec/carrel or /usr/libexec/carrel.
 * malloc'ed; NULL: nowhere. */
char *helper_find(const char *name);
/* The same for a program in `dir`. */
char *helper_find_from(const char *dir, const char *name);
/* The directory of the running program's file; false: it has none. */
bool helper_own_dir(char dir[PATH_MAX]);

#endif
