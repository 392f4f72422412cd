/*
 * A descriptor has one owner, is close-on-exec from birth and closes itself.
 *
 * Paths given to this file come from us (our own state directories, /proc, /sys), never from a
 * container, an image or a request: those resolve only in base/path.h.
 */
#ifndef CARREL_BASE_FD_H
#define CARREL_BASE_FD_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

struct err;
struct buf;

#define FD_NONE	   (-1)
#define auto_close auto_cleanup(fd_close_ptr)

/* Closes *fd if >= 0, leaves FD_NONE behind, preserves errno. Accepts FD_NONE. */
void fd_close(int *fd);
void fd_close_ptr(int *fd);

/* Returns *fd and leaves FD_NONE behind. */
int take_fd(int *fd);

/* A close-on-exec duplicate >= 3. */
int fd_dup(int fd, struct err *e);

/* Marks every descriptor >= first close-on-exec (close_range, Linux 5.11; else walks /proc/self/fd). */
int fd_cloexec_from(int first, struct err *e);

/* Writes all n bytes to a blocking descriptor; retries on EINTR and short writes. */
int fd_write_all(int fd, const void *p, size_t n, struct err *e);
/* Has the disk begin with what was written in front of `end`, some MiB at a time, so that a later sync has less to wait for. *begun: how
 * far it got; 0 at first. Only a hint: nothing fails. (sync_file_range(2)) */
void fd_write_behind(int fd, uint64_t *begun, uint64_t end);

/* The whole of dirfd/path into `out` (appended), refused beyond `limit` bytes. dirfd may be AT_FDCWD. */
int fd_read_file(int dirfd, const char *path, size_t limit, struct buf *out, struct err *e);

/* The same for an open descriptor, from its current position. */
int fd_read_all(int fd, size_t limit, struct buf *out, struct err *e);

/* One write(2) of the string to an existing file (procfs, cgroupfs, sysctl); a short write is an error. */
int fd_write_file(int dirfd, const char *path, const char *text, struct err *e);

/* Creates or replaces dirfd/name so that readers see the old or the new content, never a part:
 * temporary file (".tmp." and 16 hex digits: what a killed writer leaves, for sweepers), write,
 * optional fsync of file and directory (`durable`), rename. The mode is exact, whatever the umask. */
int fd_write_atomic(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		    bool durable, struct err *e);

/* Removes dirfd/name and everything below it without following symlinks or crossing mounts.
 * A name that is not there is success. */
int fd_remove_tree(int dirfd, const char *name, struct err *e);

/* The kernel's number of the mount that the descriptor is on. Unlike st_dev it tells bind mounts apart. */
int fd_mount_id(int fd, uint64_t *out, struct err *e);

/* "/proc/self/fd/N", for reopening an O_PATH descriptor. */
struct fd_path {
	char s[32];
};
struct fd_path fd_path(int fd);

int fd_set_nonblock(int fd, bool on, struct err *e);

#endif
