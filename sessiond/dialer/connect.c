/*
 *   CONNECTING  the addresses of the name, one after the other
 *   SHAKING     TLS: the relay's certificate and name are verified here
 *   ASKING      our request goes out
 *   READING     its answer comes in
 *   DONE        reported at the turn's end
 */
#include "sessiond/dialer/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"
#include "sessiond/dialer/config.h"
#include "sessiond/digest.h"
#include "sessiond/outbound/head.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/outbound/tls.h"
#include "sessiond/outbound/transport.h"

enum state { CONNECTING, SHAKING, ASKING, READING, DONE };

enum { KEY_LEN = 24 };

struct connect {
	struct loop *loop;
	const struct dialer_config *config;
	struct ssl_ctx_st *ssl;
	connect_fn fn;
	void *arg;
	enum state state;
	struct addrinfo *addresses, *next;
	struct transport t;
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_defer report;
	struct buf out, in;
	char key[KEY_LEN + 1];
	size_t n_head;
	unsigned status;
	struct err err;
	bool cancelled;
};

/* ---- the end ---- */

static void on_report(void *arg)
{
	struct connect *c = arg;

	if (!c->cancelled && c->err.code)
		c->fn(c->arg, NULL, NULL, 0, c->status, &c->err);
	else if (!c->cancelled)
		c->fn(c->arg, &c->t, buf_bytes(&c->in) + c->n_head, buf_len(&c->in) - c->n_head,
		      c->status, &c->err);
	transport_close(&c->t);
	if (c->addresses)
		freeaddrinfo(c->addresses);
	buf_fini(&c->in);
	free(c);
}

static void finish(struct connect *c)
{
	if (c->state == DONE)
		return;
	c->state = DONE;
	loop_io_del(&c->io);
	loop_timer_del(&c->deadline);
	if (c->out.data)
		OPENSSL_cleanse(c->out.data, c->out.cap);
	buf_fini(&c->out);
	loop_defer(c->loop, &c->report, on_report, c);
}

static void fail(struct connect *c)
{
	(void) err_wrap(&c->err, "relay %s", c->config->url.authority);
	finish(c);
}

static void on_deadline(void *arg)
{
	static const char *const where[] = { "no connection comes about", "TLS does not get on",
					     "it takes no request", "it gives no answer" };
	struct connect *c = arg;

	(void) err_set(&c->err, ETIMEDOUT, "%s within %llu ms", where[c->state],
		       (unsigned long long) c->config->connect_ms);
	fail(c);
}

/* ---- READING ---- */

static unsigned status_of(struct head_text start)
{
	static const char prefix[] = "HTTP/1.1 ";
	size_t n = sizeof(prefix) - 1;
	unsigned status = 0;

	if (start.n < n + 3 || memcmp(start.p, prefix, n) != 0)
		return 0;
	for (size_t i = n; i < n + 3; i++) {
		if (start.p[i] < '0' || start.p[i] > '9')
			return 0;
		status = status * 10 + (unsigned) (start.p[i] - '0');
	}
	return status;
}

static int check_answer(struct connect *c, struct err *e)
{
	struct head_text accept, protocol;
	struct head h;
	char wanted[29];

	if (head_parse((const char *) buf_bytes(&c->in), c->n_head, &h, e) < 0)
		return -1;
	c->status = status_of(h.start);
	if (c->status == 401 || c->status == 403)
		return err_set(e, EACCES,
			       "it refuses this host's token (%u); its operator has to know "
			       "host %s with the token in %s",
			       c->status, c->config->host, c->config->token_file);
	if (c->status != 101)
		return err_set(e, EPROTO, "it answers %u instead of 101", c->status);
	digest_ws_accept(c->key, wanted);
	if (head_get(&h, "Sec-WebSocket-Accept", &accept) != 1 || !head_is(accept, wanted) ||
	    head_get(&h, "Sec-WebSocket-Protocol", &protocol) != 1 ||
	    !head_is(protocol, MUX_PROTOCOL))
		return err_set(e, EPROTO, "it does not speak " MUX_PROTOCOL);
	return 0;
}

static void read_answer(struct connect *c)
{
	ssize_t n;

	if (buf_reserve(&c->in, 1, &c->err) < 0) {
		fail(c);
		return;
	}
	n = transport_read(&c->t, c->in.data + c->in.tail, c->in.cap - c->in.tail, &c->err);
	if (n < 0 && c->err.code == EAGAIN) {
		c->err = ERR_NONE;
		return;
	}
	if (n == 0)
		(void) err_set(&c->err, EPIPE, "it ended the connection instead of an answer");
	if (n <= 0) {
		fail(c);
		return;
	}
	c->in.tail += (size_t) n;
	c->n_head = head_length(buf_bytes(&c->in), buf_len(&c->in));
	if (!c->n_head && transport_pending(&c->t))
		read_answer(c);
	if (!c->n_head || c->state == DONE)
		return;
	if (check_answer(c, &c->err) < 0)
		fail(c);
	else
		finish(c);
}

/* ---- ASKING ---- */

static void ask(struct connect *c)
{
	while (buf_len(&c->out) > 0) {
		ssize_t n =
			transport_write(&c->t, buf_bytes(&c->out), buf_len(&c->out), &c->err);

		if (n < 0 && c->err.code == EAGAIN) {
			c->err = ERR_NONE;
			return;
		}
		if (n < 0) {
			fail(c);
			return;
		}
		buf_consume(&c->out, (size_t) n);
	}
	c->state = READING;
	read_answer(c);
}

static int write_request(struct connect *c, struct err *e)
{
	const struct dialer_config *k = c->config;
	uint8_t raw[16];

	random_bytes(raw, sizeof(raw));
	(void) EVP_EncodeBlock((unsigned char *) c->key, raw, sizeof(raw));
	return buf_printf(&c->out, e,
			  "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
			  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			  "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: " MUX_PROTOCOL
			  "\r\nCarrel-Host: %s\r\nAuthorization: Bearer %s\r\n\r\n",
			  k->url.path, k->url.authority, c->key, k->host, k->token);
}

/* ---- SHAKING, CONNECTING ---- */

static void shake(struct connect *c)
{
	int r = transport_handshake(&c->t, &c->err);

	if (r == 0) {
		c->err = ERR_NONE;
		return;
	}
	if (r < 0 || write_request(c, &c->err) < 0) {
		fail(c);
		return;
	}
	c->state = ASKING;
	ask(c);
}

static void on_ready(void *arg, uint32_t events);

/* The next address that a connection begins to; none: c->err is the last one's. */
static void try_next(struct connect *c)
{
	int on = 1;

	loop_io_del(&c->io);
	transport_close(&c->t);
	for (; c->next; c->next = c->next->ai_next) {
		const struct addrinfo *a = c->next;
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0)
			continue;
		transport_plain(&c->t, fd);
		(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if ((connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS) ||
		    loop_io_add(c->loop, &c->io, fd, EPOLLOUT, on_ready, c, &c->err) < 0) {
			(void) err_set(&c->err, errno, "%s", strerror(errno));
			transport_close(&c->t);
			continue;
		}
		c->next = a->ai_next;
		return;
	}
	if (!c->err.code)
		(void) err_set(&c->err, EHOSTUNREACH, "it has no address to connect to");
	fail(c);
}

static void connected(struct connect *c)
{
	struct ssl_st *ssl = NULL;
	int code = 0;
	socklen_t n = sizeof(code);

	if (getsockopt(c->t.fd, SOL_SOCKET, SO_ERROR, &code, &n) < 0)
		code = errno;
	if (code) {
		(void) err_set(&c->err, code, "%s", strerror(code));
		try_next(c);
		return;
	}
	c->err = ERR_NONE;
	if (c->ssl && tls_connect(c->ssl, c->t.fd, c->config->url.host, &ssl, &c->err) < 0) {
		fail(c);
		return;
	}
	c->t.ssl = ssl;
	c->state = SHAKING;
	shake(c);
}

static void on_ready(void *arg, uint32_t events)
{
	static void (*const steps[])(struct connect *) = { [CONNECTING] = connected,
							   [SHAKING] = shake,
							   [ASKING] = ask,
							   [READING] = read_answer };
	struct connect *c = arg;

	enum state now;

	if (c->state == DONE)
		return;
	steps[c->state](c);
	now = c->state;
	if (now == DONE || now == CONNECTING)
		return;
	if (loop_io_set(&c->io, transport_events(&c->t, c->state != ASKING, c->state == ASKING),
			&c->err) < 0)
		fail(c);
}

static int resolve(struct connect *c, struct err *e)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG };
	const struct addrinfo number = { .ai_family = AF_UNSPEC,
					 .ai_socktype = SOCK_STREAM,
					 .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST };
	char port[8];
	int r;

	(void) snprintf(port, sizeof(port), "%u", c->config->url.port);
	r = getaddrinfo(c->config->url.host, port, &number, &c->addresses);
	if (r != 0)
		r = getaddrinfo(c->config->url.host, port, &hints, &c->addresses);
	if (r != 0) {
		c->addresses = NULL;
		return err_set(e, EHOSTUNREACH, "its name is not found: %s", gai_strerror(r));
	}
	c->next = c->addresses;
	return 0;
}

struct connect *connect_new(struct loop *loop, const struct dialer_config *config,
			    struct ssl_ctx_st *ssl, connect_fn fn, void *arg)
{
	struct connect *c = xalloc(sizeof(*c));

	*c = (struct connect){ .loop = loop,
			       .config = config,
			       .ssl = ssl,
			       .fn = fn,
			       .arg = arg,
			       .t = TRANSPORT_NONE,
			       .out = BUF_LIMIT(4096),
			       .in = BUF_LIMIT(HEAD_MAX) };
	loop_timer_set(loop, &c->deadline, config->connect_ms, on_deadline, c);
	if (resolve(c, &c->err) < 0)
		fail(c);
	else
		try_next(c);
	return c;
}

void connect_cancel(struct connect *c)
{
	if (!c)
		return;
	c->cancelled = true;
	finish(c);
}
