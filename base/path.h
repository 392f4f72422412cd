/*
 * Names that come from outside resolve here and nowhere else.
 *
 * Every function takes `root_fd`, a directory, and a path that is untrusted: symlinks are followed
 * but never lead out of the root (absolute ones start at it, ".." stops at it), magic links of procfs
 * are refused, the result is a descriptor. Done by openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
 * where the kernel has it (Linux 5.6), else by a component walk that gives the same answers and is
 * run through the same tests. No function here returns a string that is then opened by name.
 */
#ifndef CARREL_BASE_PATH_H
#define CARREL_BASE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum path_flags {
	PATH_NO_SYMLINKS = 1 << 0, /* any symlink on the way is ELOOP */
	PATH_NO_XDEV =
		1
		<< 1, /* crossing a mount is EXDEV (openat2 only; the walk checks st_dev and mount id) */
	PATH_LAST_NOFOLLOW =
		1
		<< 2, /* the last component may be a symlink and is opened itself (with O_PATH) */
};

/* Opens `path` inside root_fd with open(2) flags (O_CLOEXEC is added; O_CREAT is refused: use
 * path_create_in). Returns a descriptor. e->code is the errno (ENOENT, ELOOP, EXDEV, ...). */
int path_open_in(int root_fd, const char *path, int oflags, unsigned flags, struct err *e);

/* Makes the directory and its missing parents (mode for new ones); returns an O_PATH|O_DIRECTORY
 * descriptor of the last. A component that exists and is no directory is ENOTDIR. A dangling symlink
 * on the way is created at its target inside the root, never outside. */
int path_mkdirs_in(int root_fd, const char *path, mode_t mode, struct err *e);

/* Opens the parent directory (O_PATH) of the last component inside the root and copies that
 * component's plain name ("." for the root itself). ".." as last component is EINVAL.
 * mkdirs: missing parents are made with mode 0755. */
int path_parent_in(int root_fd, const char *path, bool mkdirs, char name[NAME_MAX + 1],
		   struct err *e);

/* Makes an empty regular file (and parents 0755) unless something is there; returns an O_PATH
 * descriptor of what is there. Never truncates, never follows the last component out of the root. */
int path_touch_in(int root_fd, const char *path, mode_t mode, struct err *e);

/* True for a path that is absolute and has no "." / ".." / empty components. */
bool path_is_clean_absolute(const char *path);

/* The lexical clean-up of a path ("/a//b/../c/" -> "/a/c"), for names that are printed or compared,
 * never for opening. malloc'ed. */
char *path_clean(const char *path);

/* For tests: answer as a kernel without openat2 would. Also on when the environment variable
 * CARREL_TEST_NO_OPENAT2 is set and the process is not setuid. */
void path_force_walk(bool on);

#endif
