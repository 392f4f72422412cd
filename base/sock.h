/*
 * Unix sockets: path sockets only (never abstract: a container that shares the host's network could
 * reach those), one message per send, descriptors by SCM_RIGHTS, the peer's credentials.
 *
 * Paths may be longer than sun_path: they are given as (dirfd, name) and reached through /proc/self/fd.
 */
#ifndef CARREL_BASE_SOCK_H
#define CARREL_BASE_SOCK_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct err;

enum { SOCK_MAX_FDS = 8 };

/* type: SOCK_SEQPACKET, SOCK_STREAM or, for messages without connections, SOCK_DGRAM. The listener is non-blocking. A socket file of the same name on
 * which nobody listens is replaced; EADDRINUSE if somebody does. The file's mode is set by fchmod-like
 * means before listen, so there is no moment with a wider one. */
int sock_listen_at(int dirfd, const char *name, int type, mode_t mode, struct err *e);
/* Blocking, as are both ends of a pair. */
int sock_connect_at(int dirfd, const char *name, int type, struct err *e);
int sock_pair(int type, int out[2], struct err *e);
/* A close-on-exec, non-blocking connection; -1 with e->code EAGAIN when none waits. */
int sock_accept(int listen_fd, struct err *e);
int sock_peer(int fd, struct ucred *out, struct err *e);

/* One message, not empty, with up to SOCK_MAX_FDS descriptors (borrowed). EAGAIN is reported in
 * e->code. On a full non-blocking stream a part may have been sent: EIO, and the stream is spoilt. */
int sock_send(int fd, const void *p, size_t n, const int *fds, size_t n_fds, struct err *e);

/* One message: returns its length, 0 at end of stream. *n_fds in: room, out: received, all close-on-exec
 * and the caller's. A message longer than n, or more descriptors than room, is an error (EMSGSIZE) and
 * leaks nothing. From a peer that ended with a message of ours unread comes what it said last, or
 * ECONNRESET when it said nothing. */
ssize_t sock_recv(int fd, void *p, size_t n, int *fds, size_t *n_fds, struct err *e);

#endif
