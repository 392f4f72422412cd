#include "sessiond/dialer/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sock.h"
#include "base/util.h"
#include "sessiond/dialer/race.h"
#include "sessiond/outbound/confine.h"

enum { DNS_PORT = 53, LATE = 1 };

struct question {
	uint32_t id;
	uint16_t port;
	uint64_t within_ms;
	char host[256];
};

struct answer {
	uint32_t id;
	int code; /* 0, LATE, or of getaddrinfo, which are negative */
	size_t n;
	struct address list[LOOKUP_MAX];
};

struct lookup {
	struct loop *loop;
	struct loop_io io;
	int fd;
	uint32_t id; /* of the last question */
	uint64_t within_ms;
	lookup_fn fn; /* NULL: nobody waits */
	void *arg;
};

/* ---- in the resolver ---- */

static void take_addresses(const struct addrinfo *a, struct address *out, size_t *n)
{
	for (*n = 0; a && *n < LOOKUP_MAX; a = a->ai_next)
		if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) &&
		    a->ai_addrlen <= sizeof(*out))
			memcpy(&out[(*n)++], a->ai_addr, a->ai_addrlen);
}

static int ask_library(const char *host, uint16_t port, int flags, struct address *out,
		       size_t *n)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICSERV | flags };
	struct addrinfo *found = NULL;
	char text[8];
	int r;

	(void) snprintf(text, sizeof(text), "%u", port);
	r = getaddrinfo(host, text, &hints, &found);
	if (r != 0)
		return r;
	take_addresses(found, out, n);
	freeaddrinfo(found);
	return 0;
}

static int ask_resolver(const char *host, uint16_t port, struct address *out, size_t *n)
{
	return ask_library(host, port, AI_ADDRCONFIG, out, n);
}

static void reply(int fd, struct answer *a)
{
	struct err ignored = ERR_NONE; /* the dialer has ended, and so do we */

	(void) sock_send(fd, a, sizeof(*a), NULL, 0, &ignored);
}

/* 1: *q is the last of those that have come; 0: the dialer has ended. */
static int next_question(int fd, struct question *q)
{
	struct pollfd more = { .fd = fd, .events = POLLIN };
	struct err e = ERR_NONE;
	size_t none = 0;

	do {
		if (sock_recv(fd, q, sizeof(*q), NULL, &none, &e) != (ssize_t) sizeof(*q))
			return 0;
	} while (poll(&more, 1, 0) > 0);
	return 1;
}

/* 1: the child has ended, 0: its time is over, -1: something has come from the dialer. */
static int await(int fd, const struct child *child, uint64_t within_ms)
{
	struct pollfd wait[] = { { .fd = child->pidfd, .events = POLLIN },
				 { .fd = fd, .events = POLLIN } };
	uint64_t now = clock_mono_ms(), end = now + within_ms;

	for (; now < end; now = clock_mono_ms()) {
		if (poll(wait, 2, (int) MIN(end - now, (uint64_t) 3600000)) <= 0)
			continue;
		return wait[0].revents ? 1 : -1;
	}
	return 0;
}

static void look_up(int fd, lookup_work_fn work, const struct question *q)
{
	struct answer a = { .id = q->id, .code = EAI_FAIL };
	struct child child = CHILD_NONE;
	struct child_status status = { 0 };
	struct err e = ERR_NONE;
	int r = child_clone(0, FD_NONE, &child, &e);

	if (r == 0) {
		a.code = work(q->host, q->port, a.list, &a.n);
		reply(fd, &a);
		_exit(0);
	}
	if (r < 0) {
		log_warn("resolver: %s", e.msg);
		reply(fd, &a);
		return;
	}
	r = await(fd, &child, q->within_ms);
	if (r == 0)
		a.code = LATE;
	if (r == 1 && child_wait(&child, &status, &e) == 0 && !status.signalled)
		return;
	child_end(&child);
	if (r >= 0)
		reply(fd, &a);
}

static int give_up_rights(const struct lookup_spec *spec, struct err *e)
{
	static const char *const readable[] = { "/etc", "/run/systemd/resolve",
						"/run/resolvconf", "/run/NetworkManager" };
	const uint16_t ports[] = { DNS_PORT };
	const struct confine limits = { .user = spec->user,
					.readable = readable,
					.n_readable = ARRAY_SIZE(readable),
					.ports = ports,
					.n_ports = ARRAY_SIZE(ports),
					.forks = true,
					.quiet = true };

	return spec->with_all_rights ? 0 : confine(&limits, e);
}

/* The C library loads what nsswitch.conf names with the first question, and cannot once the filter is there. */
static void warm(const struct lookup_spec *spec)
{
	struct address unused[LOOKUP_MAX];
	size_t n;

	if (spec->warm)
		(void) ask_resolver(spec->warm, 0, unused, &n);
}

static _Noreturn void be_resolver(int fd, const struct lookup_spec *spec)
{
	struct question q;
	struct err e = ERR_NONE;
	sigset_t all;

	(void) syscall(SYS_close_range, 3, fd - 1, 0);
	(void) syscall(SYS_close_range, fd + 1, ~0U, 0);
	/* Whom a terminal's or a service manager's signal ends is the dialer; then this ends, too. */
	(void) sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, NULL);
	warm(spec);
	if (give_up_rights(spec, &e) < 0) {
		log_error("resolver: %s", e.msg);
		_exit(EXIT_FAILURE);
	}
	while (next_question(fd, &q))
		look_up(fd, spec->work ? spec->work : ask_resolver, &q);
	_exit(EXIT_SUCCESS);
}

/* ---- in the dialer ---- */

static void answered(struct lookup *l, const struct address *list, size_t n,
		     const struct err *e)
{
	lookup_fn fn = l->fn;

	l->fn = NULL;
	if (fn)
		fn(l->arg, list, n, e);
}

static void gone(struct lookup *l)
{
	struct err e = ERR_NONE;

	loop_io_del(&l->io);
	fd_close(&l->fd);
	(void) err_set(&e, EPIPE, "the process that looks up names has ended");
	answered(l, NULL, 0, &e);
}

static void on_answer(void *arg, uint32_t events)
{
	struct lookup *l = arg;
	struct answer a;
	struct err e = ERR_NONE;
	size_t none = 0;
	ssize_t r;

	r = sock_recv(l->fd, &a, sizeof(a), NULL, &none, &e);
	if (r < 0 && e.code == EAGAIN)
		return;
	if (r != (ssize_t) sizeof(a) || a.n > LOOKUP_MAX) {
		gone(l);
		return;
	}
	if (a.id != l->id)
		return;
	if (a.code == LATE)
		(void) err_set(&e, ETIMEDOUT, "its name is not found within %llu ms",
			       (unsigned long long) l->within_ms);
	else if (a.code != 0)
		(void) err_set(&e, EHOSTUNREACH, "its name is not found: %s",
			       gai_strerror(a.code));
	else if (a.n == 0)
		(void) err_set(&e, EHOSTUNREACH, "its name has no address");
	answered(l, a.list, e.code ? 0 : a.n, &e);
}

int lookup_new(struct loop *loop, const struct lookup_spec *spec, struct lookup **out,
	       struct err *e)
{
	struct child child = CHILD_NONE;
	struct lookup *l;
	int pair[2], r;

	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	r = child_clone(0, FD_NONE, &child, e);
	if (r == 0)
		be_resolver(pair[1], spec);
	fd_close(&pair[1]);
	/* It ends when its socket does, and is then process 1's: to wait for it is not among our rights. */
	fd_close(&child.pidfd);
	l = xalloc(sizeof(*l));
	*l = (struct lookup){ .loop = loop, .fd = pair[0] };
	if (r < 0 || fd_set_nonblock(l->fd, true, e) < 0 ||
	    loop_io_add(loop, &l->io, l->fd, EPOLLIN, on_answer, l, e) < 0) {
		lookup_free(l);
		return err_wrap(e, "resolver");
	}
	*out = l;
	return 0;
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	loop_io_del(&l->io);
	fd_close(&l->fd);
	free(l);
}

int lookup_ask(struct lookup *l, const char *host, uint16_t port, uint64_t within_ms,
	       lookup_fn fn, void *arg, struct err *e)
{
	struct question q = { .id = ++l->id, .port = port, .within_ms = within_ms };
	struct err why = ERR_NONE;

	l->fn = NULL;
	if (snprintf(q.host, sizeof(q.host), "%s", host) >= (int) sizeof(q.host))
		return err_set(e, ENAMETOOLONG, "its name is too long");
	/* EAGAIN: it is still at what it began with; the question's time runs out. */
	if (l->fd < 0 ||
	    (sock_send(l->fd, &q, sizeof(q), NULL, 0, &why) < 0 && why.code != EAGAIN))
		return err_set(e, EPIPE, "the process that looks up names has ended");
	l->within_ms = within_ms;
	l->fn = fn;
	l->arg = arg;
	return 0;
}

void lookup_cancel(struct lookup *l)
{
	if (l)
		l->fn = NULL;
}

bool lookup_gone(const struct lookup *l)
{
	return l->fd < 0;
}

bool lookup_literal(const char *host, uint16_t port, struct address *out)
{
	struct address list[LOOKUP_MAX];
	size_t n = 0;

	if (ask_library(host, port, AI_NUMERICHOST, list, &n) != 0 || n == 0)
		return false;
	*out = list[0];
	return true;
}
