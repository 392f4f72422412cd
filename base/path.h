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
	PATH_NO_SYMLINKS = 1 << 0,   /* any symlink on the way is ELOOP */
	PATH_NO_XDEV = 1 << 1,	     /* crossing a mount is EXDEV */
	PATH_LAST_NOFOLLOW = 1 << 2, /* a link as last component is itself opened (O_PATH) */
};

/* Opens `path` inside root_fd with open(2) flags (O_CLOEXEC is added; O_CREAT is refused: use
 * path_touch_in, or path_parent_in and openat with O_EXCL). Returns a descriptor. e->code is the errno
 * (ENOENT, ELOOP, EXDEV, ...). */
int path_open_in(int root_fd, const char *path, int oflags, unsigned flags, struct err *e);

/* Makes the directory and its missing parents (mode, less the umask, for new ones); returns an
 * O_PATH|O_DIRECTORY descriptor of the last. A component that exists and is no directory is ENOTDIR. A
 * dangling symlink on the way is created at its target inside the root, never outside. */
int path_mkdirs_in(int root_fd, const char *path, mode_t mode, struct err *e);

/* Opens the parent directory (O_PATH) of the last component inside the root and copies that
 * component's plain name ("." for the root itself; slashes and "." components at the end do not
 * count). ".." as last component is EINVAL.
 * mkdirs: missing parents are made with mode 0755. */
int path_parent_in(int root_fd, const char *path, bool mkdirs, char name[NAME_MAX + 1],
		   struct err *e);

/* Makes an empty regular file (and parents 0755) unless something is there; returns an O_PATH
 * descriptor of what is there, of whatever kind. A symlink as last component is followed inside the
 * root, and made there if it dangles. Never truncates or opens what is there. */
int path_touch_in(int root_fd, const char *path, mode_t mode, struct err *e);

/* True for a path that is absolute and has no "." / ".." / empty components. */
bool path_is_clean_absolute(const char *path);

/* The lexical clean-up of a path ("/a//b/../c/" -> "/a/c"), for names that are printed or compared,
 * never for opening. malloc'ed. */
char *path_clean(const char *path);

/* For tests: answer as a kernel without openat2 would, by setting or removing the environment variable
 * CARREL_TEST_NO_OPENAT2 (which a setuid process does not heed). */
void path_force_walk(bool on);

#endif
