#include "sessiond/tls_relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sock.h"
#include "base/util.h"
#include "sessiond/http.h"
#include "sessiond/tls.h"

enum { ROUNDS = 8, ACCEPTS = 32, BACK_OFF_MS = 100, RECORD = 16384 };

/* One direction. */
struct way {
	size_t at, n; /* bytes at data + at that wait */
	bool ended;   /* nothing comes any more */
	bool told;    /* and the other side knows */
	uint8_t data[RECORD];
};

struct conn {
	struct tls_relay *relay;
	struct conn *next, **prev;
	SSL *ssl;
	int net_fd, plain_fd; /* the latter FD_NONE while hands are shaken */
	struct loop_io net, plain;
	struct loop_timer deadline, again;
	uint32_t net_wants, plain_wants;
	bool deaf;	    /* the plain side reads no more: what comes is thrown away */
	struct way in, out; /* from the network; to it */
};

struct tls_relay {
	struct loop *loop;
	const struct tls *tls;
	struct http *http;
	int listen_fd;
	struct loop_io io;
	struct loop_timer back_off;
	struct conn *first;
	size_t n;
};

static void work(void *arg);
static void accept_again(void *arg);

static void conn_free(struct conn *c)
{
	struct tls_relay *r = c->relay;

	loop_io_del(&c->net);
	loop_io_del(&c->plain);
	loop_timer_del(&c->deadline);
	loop_timer_del(&c->again);
	SSL_free(c->ssl);
	fd_close(&c->net_fd);
	fd_close(&c->plain_fd);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c);
	if (r->n-- == TLS_CONNECTIONS_MAX)
		accept_again(r);
}

static void on_deadline(void *arg)
{
	log_debug("tls: connection cut: its handshake or its end took too long");
	conn_free(arg);
}

/* ---- one step of one direction: 1 it moved, 0 it waits, -1 the connection is over ---- */

/* The library may want the other direction of the socket for it. */
static int wait_for(struct conn *c, int result)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		c->net_wants |= EPOLLIN;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		c->net_wants |= EPOLLOUT;
		return 0;
	default:
		ERR_clear_error();
		return -1;
	}
}

static int from_network(struct conn *c)
{
	int r;

	if (c->in.n || c->in.ended)
		return 0;
	ERR_clear_error();
	r = SSL_read(c->ssl, c->in.data, sizeof(c->in.data));
	if (r > 0) {
		c->in.at = 0;
		c->in.n = (size_t) r;
		return 1;
	}
	if (SSL_get_error(c->ssl, r) != SSL_ERROR_ZERO_RETURN)
		return wait_for(c, r);
	c->in.ended = true;
	return 1;
}

static int to_plain(struct conn *c)
{
	ssize_t r;

	if (c->deaf)
		c->in.n = 0;
	if (c->in.n) {
		r = send(c->plain_fd, c->in.data + c->in.at, c->in.n,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r < 0 && errno == EAGAIN) {
			c->plain_wants |= EPOLLOUT;
			return 0;
		}
		if (r < 0) {
			/* What was written to us before still goes out, and a reset because of something unread would overtake it. */
			c->deaf = true;
			return 1;
		}
		c->in.at += (size_t) r;
		c->in.n -= (size_t) r;
		return 1;
	}
	if (!c->in.ended || c->in.told)
		return 0;
	c->in.told = true;
	(void) shutdown(c->plain_fd, SHUT_WR);
	return 1;
}

static int from_plain(struct conn *c)
{
	ssize_t r;

	if (c->out.n || c->out.ended)
		return 0;
	r = recv(c->plain_fd, c->out.data, sizeof(c->out.data), MSG_DONTWAIT);
	if (r < 0 && errno == EAGAIN) {
		c->plain_wants |= EPOLLIN;
		return 0;
	}
	c->out.ended = r <= 0;
	c->out.at = 0;
	c->out.n = r > 0 ? (size_t) r : 0;
	return 1;
}

static int to_network(struct conn *c)
{
	int r;

	if (c->out.n) {
		ERR_clear_error();
		r = SSL_write(c->ssl, c->out.data + c->out.at, (int) c->out.n);
		if (r <= 0)
			return wait_for(c, r);
		c->out.at += (size_t) r;
		c->out.n -= (size_t) r;
		return 1;
	}
	if (!c->out.ended || c->out.told)
		return 0;
	c->out.told = true;
	ERR_clear_error();
	(void) SSL_shutdown(c->ssl);
	(void) shutdown(c->net_fd, SHUT_WR);
	loop_timer_set(c->relay->loop, &c->deadline, TLS_LINGER_MS, on_deadline, c);
	return 1;
}

static int shake_hands(struct conn *c)
{
	int pair[2], r;
	struct err e = ERR_NONE;

	ERR_clear_error();
	r = SSL_accept(c->ssl);
	if (r <= 0)
		return wait_for(c, r);
	loop_timer_del(&c->deadline);
	if (sock_pair(SOCK_STREAM | SOCK_NONBLOCK, pair, &e) < 0 ||
	    (c->plain_fd = pair[0], http_add(c->relay->http, pair[1], &e)) < 0) {
		log_warn("tls: a connection is dropped: %s", e.msg);
		return -1;
	}
	return 1;
}

/* ---- all of a connection ---- */

static void on_io(void *arg, uint32_t events)
{
	work(arg);
}

/* HUP is reported whether it is asked for or not: who waits for nothing is not registered. */
static int watch(struct conn *c, struct loop_io *io, int fd, uint32_t wants, struct err *e)
{
	if (wants && io->loop)
		return loop_io_set(io, wants, e);
	if (wants)
		return loop_io_add(c->relay->loop, io, fd, wants, on_io, c, e);
	loop_io_del(io);
	return 0;
}

static int step(struct conn *c)
{
	static int (*const ways[])(struct conn *) = { from_network, to_plain, from_plain,
						      to_network };
	int moved = 0;

	c->net_wants = c->plain_wants = 0;
	if (c->plain_fd == FD_NONE)
		return shake_hands(c);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int r = ways[i](c);

		if (r < 0)
			return -1;
		moved |= r;
	}
	return c->in.told && c->out.told ? -1 : moved;
}

/* A few rounds, so that others have their turn; what the library holds already no event would tell of. */
static void work(void *arg)
{
	struct conn *c = arg;
	struct err e = ERR_NONE;
	int r = 1;

	for (int i = 0; r > 0 && i < ROUNDS; i++)
		r = step(c);
	if (r < 0) {
		conn_free(c);
		return;
	}
	if (r > 0)
		loop_timer_set(c->relay->loop, &c->again, 0, work, c);
	if (watch(c, &c->net, c->net_fd, c->net_wants, &e) < 0 ||
	    (c->plain_fd != FD_NONE &&
	     watch(c, &c->plain, c->plain_fd, c->plain_wants, &e) < 0)) {
		log_warn("tls: %s", e.msg);
		conn_free(c);
	}
}

/* ---- who comes ---- */

static void take(struct tls_relay *r, int fd)
{
	struct conn *c = xalloc(sizeof(*c));
	struct err e = ERR_NONE;
	int on = 1;

	c->relay = r;
	c->net_fd = fd;
	c->plain_fd = FD_NONE;
	c->next = r->first;
	c->prev = &r->first;
	if (c->next)
		c->next->prev = &c->next;
	r->first = c;
	r->n++;
	/* A key's echo does not wait for more of it. */
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->ssl = tls_accept(r->tls, fd, &e);
	if (!c->ssl) {
		log_warn("%s", e.msg);
		conn_free(c);
		return;
	}
	loop_timer_set(r->loop, &c->deadline, TLS_HANDSHAKE_MS, on_deadline, c);
	work(c);
}

static void on_accept(void *arg, uint32_t events)
{
	struct tls_relay *r = arg;

	for (int i = 0; i < ACCEPTS && r->n < TLS_CONNECTIONS_MAX; i++) {
		int fd = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take(r, fd);
			continue;
		}
		if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
			return;
		loop_io_del(&r->io);
		loop_timer_set(r->loop, &r->back_off, BACK_OFF_MS, accept_again, r);
		return;
	}
	if (r->n >= TLS_CONNECTIONS_MAX)
		loop_io_del(&r->io); /* until one goes */
}

static void accept_again(void *arg)
{
	struct tls_relay *r = arg;
	struct err e = ERR_NONE;

	if (r->listen_fd != FD_NONE && !r->io.loop &&
	    loop_io_add(r->loop, &r->io, r->listen_fd, EPOLLIN, on_accept, r, &e) < 0)
		loop_timer_set(r->loop, &r->back_off, BACK_OFF_MS, accept_again, r);
}

int tls_relay_new(struct loop *loop, int listen_fd, const struct tls *tls, struct http *http,
		  struct tls_relay **out, struct err *e)
{
	struct tls_relay *r = xalloc(sizeof(*r));

	r->loop = loop;
	r->tls = tls;
	r->http = http;
	r->listen_fd = listen_fd;
	if (loop_io_add(loop, &r->io, listen_fd, EPOLLIN, on_accept, r, e) < 0) {
		tls_relay_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void tls_relay_quiesce(struct tls_relay *r)
{
	loop_io_del(&r->io);
	loop_timer_del(&r->back_off);
	fd_close(&r->listen_fd);
}

void tls_relay_flush(struct tls_relay *r)
{
	for (struct conn *c = r->first, *next; c; c = next) {
		next = c->next;
		work(c);
	}
}

void tls_relay_free(struct tls_relay *r)
{
	if (!r)
		return;
	tls_relay_quiesce(r);
	while (r->first)
		conn_free(r->first);
	free(r);
}
