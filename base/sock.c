#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

/* A socket's place: its directory, open, and the plain name in it. */
struct place {
	int dir_fd;
	const char *name; /* points into the caller's string */
	struct sockaddr_un addr;
};

/* sun_path is short; "/proc/self/fd/N/name" always fits unless the name itself is long. */
static int place_open(int dirfd, const char *path, struct place *p, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char dir[4096] = ".";
	size_t n = slash ? (size_t) (slash - path) : 0;

	p->name = slash ? slash + 1 : path;
	if (!*p->name || n >= sizeof(dir))
		return err_set(e, EINVAL, "\"%s\" is no socket's name", path);
	if (slash)
		(void) snprintf(dir, sizeof(dir), "%.*s", (int) MAX(n, (size_t) 1), path);
	p->dir_fd = openat(dirfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->dir_fd < 0)
		return err_sys(e, "%s", path);
	p->addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = (size_t) snprintf(p->addr.sun_path, sizeof(p->addr.sun_path), "%s/%s",
			      fd_path(p->dir_fd).s, p->name);
	if (n >= sizeof(p->addr.sun_path)) {
		fd_close(&p->dir_fd);
		return err_set(e, ENAMETOOLONG, "%s: %s", path, strerror(ENAMETOOLONG));
	}
	return 0;
}

static int connect_place(const struct place *p, int fd)
{
	int r;

	do
		r = connect(fd, (const struct sockaddr *) &p->addr, sizeof(p->addr));
	while (r < 0 && errno == EINTR);
	return r;
}

/*
 * Removes the file when it is a socket on which nobody listens. A listener with a full queue answers
 * EAGAIN, one of another type EPROTOTYPE: both are alive.
 */
static int remove_stale(const struct place *p, int type, struct err *e)
{
	auto_close int probe = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (probe < 0)
		return err_sys(e, "socket");
	if (fstatat(p->dir_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "fstatat");
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "there is a file of this name that is no socket");
	if (connect_place(p, probe) == 0 || errno != ECONNREFUSED)
		return err_set(e, EADDRINUSE, "another process listens on it");
	if (unlinkat(p->dir_fd, p->name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove the stale one");
	return 0;
}

/* The file gets the mode of the socket that is bound, less the umask. */
static int bind_place(const struct place *p, int fd, int type, struct err *e)
{
	for (int tries = 0;; tries++) {
		if (bind(fd, (const struct sockaddr *) &p->addr, sizeof(p->addr)) == 0)
			return 0;
		if (errno != EADDRINUSE || tries > 0)
			return err_sys(e, "bind");
		if (remove_stale(p, type, e) < 0)
			return -1;
	}
}

/* Gives back what the umask took. Nobody can connect yet: there is no listen. */
static int complete_mode(const struct place *p, mode_t mode, struct err *e)
{
	auto_close int file = openat(p->dir_fd, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (file < 0 || fstat(file, &st) < 0)
		return err_sys(e, "its file");
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "its file was replaced");
	if ((st.st_mode & 07777) == mode)
		return 0;
	if (chmod(fd_path(file).s, mode) < 0)
		return err_sys(e, "mode");
	return 0;
}

static int listen_place(const struct place *p, int type, mode_t mode, struct err *e)
{
	auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "socket");
	if (fchmod(fd, mode) < 0)
		return err_sys(e, "mode");
	if (bind_place(p, fd, type, e) < 0)
		return -1;
	if (complete_mode(p, mode, e) < 0 ||
	    (type != SOCK_DGRAM && listen(fd, SOMAXCONN) < 0 && err_sys(e, "listen"))) {
		(void) unlinkat(p->dir_fd, p->name, 0);
		return -1;
	}
	return take_fd(&fd);
}

int sock_listen_at(int dirfd, const char *name, int type, mode_t mode, struct err *e)
{
	struct place p;
	int fd;

	if (place_open(dirfd, name, &p, e) < 0)
		return err_wrap(e, "listen");
	fd = listen_place(&p, type, mode, e);
	fd_close(&p.dir_fd);
	return fd < 0 ? err_wrap(e, "listen on %s", name) : fd;
}

int sock_connect_at(int dirfd, const char *name, int type, struct err *e)
{
	auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct place p;
	int r;

	if (fd < 0)
		return err_sys(e, "socket");
	if (place_open(dirfd, name, &p, e) < 0)
		return err_wrap(e, "connect");
	r = connect_place(&p, fd);
	fd_close(&p.dir_fd);
	if (r < 0)
		return err_sys(e, "connect to %s", name);
	return take_fd(&fd);
}

int sock_pair(int type, int out[2], struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	out[0] = pair[0];
	out[1] = pair[1];
	return 0;
}

int sock_accept(int listen_fd, struct err *e)
{
	int fd;

	do
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return err_sys(e, "accept");
	return fd;
}

int sock_peer(int fd, struct ucred *out, struct err *e)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return err_sys(e, "the peer's credentials");
	*out = peer;
	return 0;
}

union fd_message {
	char bytes[CMSG_SPACE(SOCK_MAX_FDS * sizeof(int))];
	struct cmsghdr align;
};

int sock_send(int fd, const void *p, size_t n, const int *fds, size_t n_fds, struct err *e)
{
	union fd_message control = { 0 };
	struct iovec iov = { .iov_base = (void *) p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (n == 0) /* it could not be told from the end of the stream */
		return err_set(e, EINVAL, "send: an empty message");
	if (n_fds > SOCK_MAX_FDS)
		return err_set(e, EINVAL, "send: more than %d descriptors", SOCK_MAX_FDS);
	if (n_fds > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));

		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		r = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "send");
	if ((size_t) r != n) /* a stream whose buffer filled up in the middle */
		return err_set(e, EIO, "send: only %zd of %zu bytes were taken", r, n);
	return 0;
}

/* All that came, into got[]; the kernel has installed no more than there was room for in `m`. */
static size_t take_fds(struct msghdr *m, int got[SOCK_MAX_FDS])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < here; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < SOCK_MAX_FDS)
				got[n++] = fd;
			else
				fd_close(&fd);
		}
	}
	return n;
}

ssize_t sock_recv(int fd, void *p, size_t n, int *fds, size_t *n_fds, struct err *e)
{
	union fd_message control;
	struct iovec iov = { .iov_base = p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	size_t room = n_fds ? *n_fds : 0, n_got;
	int got[SOCK_MAX_FDS];
	bool again, reset = false;
	ssize_t r;

	if (n_fds)
		*n_fds = 0;
	/* A peer that ends without having read all that we sent "resets" us, and that is told before what it
	 * said last; told once, so its words, if there are any, are there the second time. */
	do {
		r = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
		again = r < 0 && errno == ECONNRESET && !reset;
		reset = reset || again;
	} while (again || (r < 0 && errno == EINTR));
	if (r == 0 && reset) {
		r = -1;
		errno = ECONNRESET;
	}
	if (r < 0)
		return err_sys(e, "receive");
	n_got = take_fds(&m, got);
	if (r > 0 && n_got <= room && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		if (n_got > 0)
			memcpy(fds, got, n_got * sizeof(int));
		if (n_fds)
			*n_fds = n_got;
		return r;
	}
	for (size_t i = 0; i < n_got; i++)
		fd_close(&got[i]);
	if (m.msg_flags & MSG_TRUNC)
		return err_set(e, EMSGSIZE, "receive: a message of more than %zu bytes", n);
	if (r > 0)
		return err_set(e, EMSGSIZE, "receive: more than %zu descriptors in a message",
			       room);
	return 0;
}
