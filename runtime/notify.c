#include "runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/spec.h"

enum { MANAGER_MS = 5000 };

static const char directory[] = "notify", socket_name[] = "notify/notify.sock";
static const char inside[] = "/run/notify", variable[] = "NOTIFY_SOCKET=";

/* ---- what the container is given ---- */

int notify_add_mount(const char *path, struct spec *s, struct err *e)
{
	static const char *const options[] = { "bind",	 "ro",	     "nosuid", "nodev",
					       "noexec", "rprivate", NULL };
	auto_free char *source = xasprintf("%s/%s", path, directory);

	return spec_add_mount(s, inside, source, options, e);
}

bool notify_offered(int dir_fd)
{
	return faccessat(dir_fd, directory, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int notify_offer(int dir_fd, const char *path, struct spec *s, struct err *e)
{
	for (const char *const *v = s->process.env; v && *v; v++) {
		if (str_has_prefix(*v, variable))
			return 0;
	}
	if (mkdirat(dir_fd, directory, 0755) < 0 || fchmodat(dir_fd, directory, 0755, 0) < 0)
		return err_sys(e, "make %s in the container's directory", directory);
	if (notify_add_mount(path, s, e) < 0)
		return -1;
	spec_add_env(s, "NOTIFY_SOCKET=/run/notify/notify.sock");
	return 0;
}

/* ---- the two sockets ---- */

static int connect_abstract(const char *name, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const size_t n = strlen(name);

	if (n == 0 || n >= sizeof(a.sun_path))
		return err_set(e, EINVAL, "no abstract socket has such a name");
	memcpy(a.sun_path + 1, name, n);
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *) &a,
			      (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + n)) < 0)
		return err_sys(e, "connect");
	return take_fd(&fd);
}

static int connect_manager(const char *address, struct err *e)
{
	const int fd = address[0] == '@' ? connect_abstract(address + 1, e)
		       : address[0] == '/'
			       ? sock_connect_at(AT_FDCWD, address, SOCK_DGRAM, e)
			       : err_set(e, EINVAL, "is neither a path nor abstract");

	return fd < 0 ? err_wrap(e, "NOTIFY_SOCKET %.100s", address) : fd;
}

int notify_open(int dir_fd, const char *manager, struct notify *out, struct err *e)
{
	auto_notify struct notify n = { .socket_fd = -1,
					.manager_fd = connect_manager(manager, e),
					.left = NOTIFY_MESSAGES };

	if (n.manager_fd < 0)
		return -1;
	/* Whoever the container's processes are, they may send. Only they can reach it. */
	n.socket_fd = sock_listen_at(dir_fd, socket_name, SOCK_DGRAM, 0777, e);
	if (n.socket_fd < 0)
		return -1;
	/* Who tells it never waits for a manager that hangs. */
	const struct timeval limit = { .tv_sec = MANAGER_MS / 1000 };
	if (setsockopt(n.manager_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_sys(e, "NOTIFY_SOCKET: SO_SNDTIMEO");
	*out = n;
	n = NOTIFY_NONE;
	return 0;
}

void notify_close(struct notify *n)
{
	fd_close(&n->socket_fd);
	fd_close(&n->manager_fd);
}

/* ---- the word ---- */

bool notify_is_ready(const char *text, size_t n)
{
	static const char word[] = "READY=1";

	while (n > 0) {
		const char *end = memchr(text, '\n', n);
		const size_t line = end ? (size_t) (end - text) : n;

		if (line == strlen(word) && memcmp(text, word, line) == 0)
			return true;
		n -= end ? line + 1 : line;
		text += end ? line + 1 : line;
	}
	return false;
}

/* Together, so that there is no moment at which the manager watches the runtime of a service that is ready. */
static int tell_manager(int fd, pid_t pid, struct err *e)
{
	char text[64];
	const int n = snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", (int) pid);

	return sock_send(fd, text, (size_t) n, NULL, 0, e) < 0 ? err_wrap(e, "NOTIFY_SOCKET")
							       : 0;
}

int notify_take(struct notify *n, pid_t pid, struct err *e)
{
	char text[NOTIFY_BYTES];
	/* Without room for descriptors the kernel drops what comes with it. */
	const ssize_t got = recv(n->socket_fd, text, sizeof(text), MSG_TRUNC | MSG_DONTWAIT);
	int r = 0;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got >= 0 && (size_t) got <= sizeof(text) && notify_is_ready(text, (size_t) got))
		r = tell_manager(n->manager_fd, pid, e) < 0 ? -1 : 1;
	if (r == 0 && got >= 0 && --n->left > 0)
		return 0;
	if (r == 0)
		log_debug("notify: %u messages without READY=1: no more are read",
			  NOTIFY_MESSAGES);
	fd_close(&n->socket_fd);
	return r;
}

/* The manager knows senders by their pids: it must have read the message before this process ends. It closes the
 * descriptor when it has. */
static void await_manager(struct notify *n)
{
	struct err ignored = ERR_NONE; /* a manager without barriers has no more to say */
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return;
	if (sock_send(n->manager_fd, "BARRIER=1", strlen("BARRIER=1"), &pipe_fds[1], 1,
		      &ignored) == 0) {
		struct pollfd p = { .fd = pipe_fds[0] };

		fd_close(&pipe_fds[1]);
		if (poll(&p, 1, MANAGER_MS) == 0)
			log_debug("notify: the manager did not answer for %d ms", MANAGER_MS);
	}
	fd_close(&pipe_fds[0]);
	fd_close(&pipe_fds[1]);
}

int notify_wait(struct notify *n, int pidfd, pid_t pid, struct err *e)
{
	while (n->socket_fd >= 0) {
		struct pollfd p[] = {
			{ .fd = n->socket_fd, .events = POLLIN },
			{ .fd = pidfd, .events = POLLIN },
		};
		const int ready = poll(p, ARRAY_SIZE(p), -1);

		if (ready < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (ready <= 0)
			continue;
		/* The word first: a program may say it and end. */
		const int r = p[0].revents ? notify_take(n, pid, e) : 0;
		if (r < 0)
			return -1;
		if (r > 0)
			await_manager(n);
		else if (p[1].revents && !p[0].revents)
			break;
	}
	notify_close(n);
	return 0;
}
