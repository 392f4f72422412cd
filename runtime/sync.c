#include "runtime/sync.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/util.h"

static const char *const labels[SYNC_COUNT] = {
	[SYNC_MAPPED] = "mapped", [SYNC_IDMAP] = "idmap",     [SYNC_HOOKS] = "hooks",
	[SYNC_RESUME] = "resume", [SYNC_CREATED] = "created", [SYNC_START] = "start",
	[SYNC_FAILED] = "failed",
};

const char *sync_label(enum sync_name n)
{
	return (unsigned) n < SYNC_COUNT ? labels[n] : "unknown";
}

static int send_msg(int fd, const struct sync_msg *m, size_t n, int sent, struct err *e)
{
	log_debug("sync: send %s", sync_label(m->name));
	if (sock_send(fd, m, n, &sent, sent >= 0, e) < 0)
		return err_wrap(e, "handshake: send %s", sync_label(m->name));
	return 0;
}

int sync_send(int fd, enum sync_name n, struct err *e)
{
	struct sync_msg m = { .name = n };

	/* Only a failure carries the long part. */
	return send_msg(fd, &m, offsetof(struct sync_msg, err), -1, e);
}

int sync_send_fd(int fd, enum sync_name n, int sent, struct err *e)
{
	const struct sync_msg m = { .name = n };

	return send_msg(fd, &m, offsetof(struct sync_msg, err), sent, e);
}

int sync_send_failed(int fd, const struct err *why, struct err *e)
{
	struct sync_msg m = { .name = SYNC_FAILED, .err = *why };

	return send_msg(fd, &m, sizeof(m), -1, e);
}

/* 1: a message is in *m; 0: end of file. came: for the one descriptor that may come with it; NULL: none may. */
static int receive(int fd, struct sync_msg *m, int *came, struct err *e)
{
	size_t n_came = came ? 1 : 0;

	*m = (struct sync_msg){ 0 };
	const ssize_t n = sock_recv(fd, m, sizeof(*m), came, came ? &n_came : NULL, e);
	if (n < 0)
		return -1;
	if (n == 0)
		return 0;
	const size_t want =
		m->name == SYNC_FAILED ? sizeof(*m) : offsetof(struct sync_msg, err);
	if ((unsigned) m->name >= SYNC_COUNT || (size_t) n != want)
		return err_set(e, EPROTO,
			       "handshake: a message of %zd bytes that is none of ours", n);
	m->err.msg[sizeof(m->err.msg) - 1] = '\0';
	log_debug("sync: received %s", sync_label(m->name));
	return 1;
}

static int expect(int fd, enum sync_name a, enum sync_name b, int *came, struct err *e)
{
	struct sync_msg m;
	const int r = receive(fd, &m, came, e);

	if (r < 0)
		return err_wrap(e, "awaiting %s", sync_label(a));
	if (r == 0)
		return err_set(e, EPIPE, "the peer ended before it sent %s", sync_label(a));
	if (m.name == a || m.name == b)
		return (int) m.name;
	if (m.name == SYNC_FAILED) {
		*e = m.err;
		return -1;
	}
	return err_set(e, EPROTO, "handshake: %s came where %s was awaited", sync_label(m.name),
		       sync_label(a));
}

int sync_expect_either(int fd, enum sync_name a, enum sync_name b, struct err *e)
{
	return expect(fd, a, b, NULL, e);
}

int sync_expect_fd(int fd, enum sync_name n, struct err *e)
{
	auto_close int came = FD_NONE;

	if (expect(fd, n, n, &came, e) < 0)
		return -1;
	if (came < 0)
		return err_set(e, EPROTO, "handshake: %s came without its descriptor",
			       sync_label(n));
	return take_fd(&came);
}

int sync_expect(int fd, enum sync_name n, struct err *e)
{
	return sync_expect_either(fd, n, n, e) < 0 ? -1 : 0;
}

int sync_await_close(int fd, struct err *e)
{
	/* Without POLLIN messages wake nobody. */
	struct pollfd p = { .fd = fd };

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return err_sys(e, "handshake: poll");
	return 0;
}

int sync_expect_eof(int fd, struct err *e)
{
	struct sync_msg m;
	const int r = receive(fd, &m, NULL, e);

	if (r <= 0)
		return r;
	if (m.name == SYNC_FAILED) {
		*e = m.err;
		return -1;
	}
	return err_set(e, EPROTO, "handshake: %s came where the end was awaited",
		       sync_label(m.name));
}
