/*
 *   RESOLVING   the addresses of the name: the relay's, or the proxy's
 *   CONNECTING  to one of them
 *   TELLING     a proxy is told where to connect to
 *   HEARING     its answer comes in
 *   SHAKING     TLS: the relay's certificate and name are verified here
 *   ASKING      our request goes out
 *   READING     its answer comes in
 *   DONE        reported at the turn's end
 */
#include "sessiond/dialer/connect.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "sessiond/dialer/config.h"
#include "sessiond/dialer/lookup.h"
#include "sessiond/dialer/proxy.h"
#include "sessiond/dialer/race.h"
#include "sessiond/dialer/secrets.h"
#include "sessiond/digest.h"
#include "sessiond/outbound/head.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/outbound/tls.h"
#include "sessiond/outbound/transport.h"

enum state { RESOLVING, CONNECTING, TELLING, HEARING, SHAKING, ASKING, READING, DONE };

enum { KEY_LEN = 24 };

struct connect {
	struct loop *loop;
	const struct dialer_config *config;
	const struct secrets *secrets;
	struct lookup *lookup;
	connect_fn fn;
	void *arg;
	enum state state;
	struct race race;
	struct transport t;
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_defer report;
	struct buf out, in;
	char key[KEY_LEN + 1];
	size_t n_head;
	struct err err;
	bool refused, cancelled;
};

/* ---- the end ---- */

static void on_report(void *arg)
{
	struct connect *c = arg;

	if (!c->cancelled && c->err.code)
		c->fn(c->arg, NULL, NULL, 0, c->refused, &c->err);
	else if (!c->cancelled)
		c->fn(c->arg, &c->t, buf_bytes(&c->in) + c->n_head, buf_len(&c->in) - c->n_head,
		      c->refused, &c->err);
	transport_close(&c->t);
	buf_fini(&c->in);
	free(c);
}

static void finish(struct connect *c)
{
	if (c->state == DONE)
		return;
	c->state = DONE;
	lookup_cancel(c->lookup);
	race_stop(&c->race);
	loop_io_del(&c->io);
	loop_timer_del(&c->deadline);
	if (c->out.data)
		OPENSSL_cleanse(c->out.data, c->out.cap);
	buf_fini(&c->out);
	loop_defer(c->loop, &c->report, on_report, c);
}

static void fail(struct connect *c)
{
	if (c->config->proxied && c->state <= HEARING)
		(void) err_wrap(&c->err, "proxy %s", c->config->via.authority);
	(void) err_wrap(&c->err, "relay %s", c->config->url.authority);
	finish(c);
}

static void on_deadline(void *arg)
{
	static const char *const where[] = {
		[RESOLVING] = "its name is not found",
		[CONNECTING] = "no connection comes about",
		[TELLING] = "it takes no request",
		[HEARING] = "it gives no answer",
		[SHAKING] = "TLS does not get on",
		[ASKING] = "it takes no request",
		[READING] = "it gives no answer",
	};
	struct connect *c = arg;

	(void) err_set(&c->err, ETIMEDOUT, "%s within %llu ms", where[c->state],
		       (unsigned long long) c->config->connect_ms);
	fail(c);
}

/* ---- HEARING, READING ---- */

static int check_answer(struct connect *c, struct err *e)
{
	struct head_text accept, protocol;
	struct head h;
	unsigned status;
	char wanted[29];

	if (head_parse((const char *) buf_bytes(&c->in), c->n_head, &h, e) < 0)
		return -1;
	status = head_status(h.start);
	c->refused = status == 401 || status == 403;
	if (c->refused)
		return err_set(e, EACCES,
			       "it refuses this host's token (%u); its operator has to know "
			       "host %s with the token in %s",
			       status, c->config->host, c->config->token_file);
	if (status != 101)
		return err_set(e, EPROTO, "it answers %u instead of 101", status);
	digest_ws_accept(c->key, wanted);
	if (head_get(&h, "Sec-WebSocket-Accept", &accept) != 1 || !head_is(accept, wanted) ||
	    head_get(&h, "Sec-WebSocket-Protocol", &protocol) != 1 ||
	    !head_is(protocol, MUX_PROTOCOL))
		return err_set(e, EPROTO, "it does not speak " MUX_PROTOCOL);
	return 0;
}

static void begin_tls(struct connect *c);

static void take_head(struct connect *c)
{
	const void *p = buf_bytes(&c->in);
	int r;

	if (c->state == READING)
		r = check_answer(c, &c->err);
	else
		r = proxy_check(c->config, p, buf_len(&c->in), c->n_head, &c->refused, &c->err);
	if (r < 0) {
		fail(c);
	} else if (c->state == READING) {
		finish(c);
	} else {
		buf_clear(&c->in);
		c->n_head = 0;
		begin_tls(c);
	}
}

static void read_head(struct connect *c)
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
		read_head(c);
	else if (c->n_head)
		take_head(c);
}

/* ---- TELLING, ASKING ---- */

static void send_request(struct connect *c)
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
	c->state = c->state == TELLING ? HEARING : READING;
	read_head(c);
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
			  k->url.path, k->url.authority, c->key, k->host, c->secrets->token);
}

/* ---- SHAKING ---- */

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
	send_request(c);
}

static void begin_tls(struct connect *c)
{
	struct ssl_st *ssl = NULL;

	c->state = SHAKING;
	if (c->secrets->ssl &&
	    tls_connect(c->secrets->ssl, c->t.fd, c->config->url.host, &ssl, &c->err) < 0) {
		fail(c);
		return;
	}
	c->t.ssl = ssl;
	shake(c);
}

/* ---- CONNECTING ---- */

static void on_ready(void *arg, uint32_t events)
{
	static void (*const steps[])(struct connect *) = {
		[TELLING] = send_request, [HEARING] = read_head, [SHAKING] = shake,
		[ASKING] = send_request,  [READING] = read_head,
	};
	struct connect *c = arg;
	bool write;

	if (c->state == DONE)
		return;
	steps[c->state](c);
	write = c->state == TELLING || c->state == ASKING;
	if (c->state != DONE &&
	    loop_io_set(&c->io, transport_events(&c->t, !write, write), &c->err) < 0)
		fail(c);
}

static void on_raced(void *arg, int fd, const struct err *e)
{
	struct connect *c = arg;

	if (fd < 0) {
		c->err = *e;
		fail(c);
		return;
	}
	transport_plain(&c->t, fd);
	/* Writable already: the rest goes on from there. */
	if (loop_io_add(c->loop, &c->io, fd, EPOLLOUT, on_ready, c, &c->err) < 0) {
		fail(c);
		return;
	}
	if (!c->config->proxied) {
		begin_tls(c);
	} else if (proxy_request(c->config, c->secrets->proxy_auth, &c->out, &c->err) < 0) {
		fail(c);
	} else {
		c->state = TELLING;
		send_request(c);
	}
}

/* ---- RESOLVING ---- */

static void on_addresses(void *arg, const struct address *list, size_t n, const struct err *e)
{
	struct connect *c = arg;

	if (n == 0) {
		c->err = *e;
		fail(c);
		return;
	}
	c->state = CONNECTING;
	race_start(&c->race, c->loop, list, n, on_raced, c);
}

static void resolve(struct connect *c)
{
	const struct dialer_config *k = c->config;
	const struct relay_url *first = k->proxied ? &k->via : &k->url;
	struct address literal;

	if (lookup_literal(first->host, first->port, &literal))
		on_addresses(c, &literal, 1, NULL);
	else if (lookup_ask(c->lookup, first->host, first->port, k->connect_ms, on_addresses, c,
			    &c->err) < 0)
		fail(c);
}

struct connect *connect_new(struct loop *loop, const struct dialer_config *config,
			    const struct secrets *secrets, struct lookup *lookup, connect_fn fn,
			    void *arg)
{
	struct connect *c = xalloc(sizeof(*c));

	*c = (struct connect){ .loop = loop,
			       .config = config,
			       .secrets = secrets,
			       .lookup = lookup,
			       .fn = fn,
			       .arg = arg,
			       .t = TRANSPORT_NONE,
			       .out = BUF_LIMIT(4096),
			       .in = BUF_LIMIT(HEAD_MAX) };
	loop_timer_set(loop, &c->deadline, config->connect_ms, on_deadline, c);
	resolve(c);
	return c;
}

void connect_cancel(struct connect *c)
{
	if (!c)
		return;
	c->cancelled = true;
	finish(c);
}
