/*
 * A connection until it is known what it is:
 *
 *   SHAKING   TLS, where there is any
 *   READING   the head, at most HEAD_MAX bytes and a few seconds for all of this
 *   LEAVING   an answer of ours is written, then what still comes is read and dropped, or a reset would destroy the answer
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "sessiond/outbound/head.h"
#include "sessiond/outbound/tls.h"
#include "sessiond/relay/answer.h"
#include "sessiond/relay/call.h"
#include "sessiond/relay/hosts.h"
#include "sessiond/relay/relay_internal.h"

enum { LEAVE_MS = 2000, DRAIN = 65536 };

enum front_state { SHAKING, READING, LEAVING };

struct front {
	struct relay *relay;
	enum front_state state;
	struct transport t;
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_defer gone;
	struct buf buf; /* READING: what came; LEAVING: what is to be written */
	bool told, dead;
	char peer[PEER_MAX];
	struct front *older, *newer;
};

static void on_gone(void *arg)
{
	free(arg);
}

static void end(struct front *f)
{
	struct relay *r = f->relay;

	if (f->dead)
		return;
	f->dead = true;
	*(f->older ? &f->older->newer : &r->oldest) = f->newer;
	*(f->newer ? &f->newer->older : &r->newest) = f->older;
	r->n_fronts--;
	loop_io_del(&f->io);
	loop_timer_del(&f->deadline);
	transport_close(&f->t);
	buf_fini(&f->buf);
	loop_defer(r->loop, &f->gone, on_gone, f);
}

static void on_deadline(void *arg);

static void watch(struct front *f)
{
	bool writing = f->state == LEAVING && buf_len(&f->buf) > 0;
	struct err e = ERR_NONE;

	if (!f->dead && loop_io_set(&f->io, transport_events(&f->t, !writing, writing), &e) < 0)
		end(f);
}

/* ---- LEAVING ---- */

static void leave(struct front *f)
{
	uint8_t drain[DRAIN];
	struct err e = ERR_NONE;
	ssize_t n;

	while (buf_len(&f->buf) > 0) {
		n = transport_write(&f->t, buf_bytes(&f->buf), buf_len(&f->buf), &e);
		if (n < 0 && e.code != EAGAIN)
			end(f);
		if (n < 0)
			return;
		buf_consume(&f->buf, (size_t) n);
	}
	if (!f->told) {
		f->told = true;
		transport_end(&f->t);
	}
	n = transport_read(&f->t, drain, sizeof(drain), &e);
	if (n == 0 || (n < 0 && e.code != EAGAIN))
		end(f);
}

static void answer(struct front *f, const struct buf *text)
{
	struct err e = ERR_NONE;

	f->state = LEAVING;
	buf_clear(&f->buf);
	if (buf_append(&f->buf, buf_bytes(text), buf_len(text), &e) < 0) {
		end(f);
		return;
	}
	loop_timer_set(f->relay->loop, &f->deadline, LEAVE_MS, on_deadline, f);
	leave(f);
}

static void problem(struct front *f, unsigned status, const char *detail)
{
	auto_buf struct buf text = BUF_LIMIT(ANSWER_MAX);

	log_debug("%s: %u: %s", f->peer, status, detail);
	answer_problem(&text, status, detail);
	answer(f, &text);
}

/* ---- READING ---- */

static void dial(struct front *f, const struct call *c, size_t n_head)
{
	auto_buf struct buf text = BUF_LIMIT(ANSWER_MAX);
	struct err e = ERR_NONE;

	if (!hosts_allow(f->relay->hosts, c->host, c->token)) {
		log_warn("%s: a dialer was refused: no such host, or not its token", f->peer);
		problem(f, 401, "the host is not known here, or its token is another");
		return;
	}
	answer_dial(&text, c->accept);
	/* The socket's buffer is empty: it takes all of it, or the dialer is gone. */
	loop_io_del(&f->io);
	if (transport_write(&f->t, buf_bytes(&text), buf_len(&text), &e) ==
	    (ssize_t) buf_len(&text))
		relay_dialed(f->relay, c->host, &f->t, buf_bytes(&f->buf) + n_head,
			     buf_len(&f->buf) - n_head, f->peer);
	end(f);
}

/* What already came behind the head goes with it, up to the body's length. */
static void pass(struct front *f, struct call *c, struct buf *head, size_t n_head)
{
	size_t n = buf_len(&f->buf) - n_head;
	struct err e = ERR_NONE;

	n = MIN(n, c->body);
	if (c->body != UINT64_MAX)
		c->body -= n;
	if (buf_append(head, buf_bytes(&f->buf) + n_head, n, &e) < 0) {
		problem(f, 431, "the head is too long");
		return;
	}
	loop_io_del(&f->io);
	if (relay_pass(f->relay, c, &f->t, buf_bytes(head), buf_len(head), f->peer, &e) == 0) {
		end(f);
		return;
	}
	if (loop_io_add(f->relay->loop, &f->io, f->t.fd, EPOLLIN, f->io.fn, f, &e) < 0)
		end(f);
	else
		problem(f, e.code == EAGAIN ? 503 : 502, e.msg);
}

static void decide(struct front *f, size_t n_head)
{
	auto_buf struct buf out = BUF_LIMIT(2 * HEAD_MAX);
	struct call c;
	struct err e = ERR_NONE;
	unsigned status = call_parse((const char *) buf_bytes(&f->buf), n_head,
				     f->relay->config->suffix, &c, &out, &e);

	if (status) {
		problem(f, status, e.msg);
	} else if (c.kind == CALL_DIAL) {
		dial(f, &c, n_head);
	} else if (c.kind == CALL_HOST) {
		pass(f, &c, &out, n_head);
	} else {
		answer_health(&out);
		answer(f, &out);
	}
	OPENSSL_cleanse(&c, sizeof(c));
}

static void read_head(struct front *f)
{
	struct err e = ERR_NONE;
	size_t n_head, room = HEAD_MAX - buf_len(&f->buf);
	ssize_t n;

	if (buf_reserve(&f->buf, room, &e) < 0) {
		end(f);
		return;
	}
	n = transport_read(&f->t, f->buf.data + f->buf.tail, room, &e);
	if (n < 0 && e.code == EAGAIN)
		return;
	if (n <= 0) {
		end(f);
		return;
	}
	f->buf.tail += (size_t) n;
	n_head = head_length(buf_bytes(&f->buf), buf_len(&f->buf));
	if (n_head)
		decide(f, n_head);
	else if (buf_len(&f->buf) == HEAD_MAX)
		problem(f, 431, "the head is longer than 16 KiB");
	else if (transport_pending(&f->t))
		read_head(f);
}

/* ---- SHAKING ---- */

static void shake(struct front *f)
{
	struct err e = ERR_NONE;
	int r = transport_handshake(&f->t, &e);

	if (r < 0) {
		log_debug("%s: %s", f->peer, e.msg);
		end(f);
	} else if (r > 0) {
		f->state = READING;
		read_head(f);
	}
}

static void on_ready(void *arg, uint32_t events)
{
	static void (*const steps[])(struct front *) = {
		[SHAKING] = shake, [READING] = read_head, [LEAVING] = leave
	};
	struct front *f = arg;

	if (!f->dead)
		steps[f->state](f);
	watch(f);
}

static void on_deadline(void *arg)
{
	struct front *f = arg;

	if (f->state != READING)
		end(f);
	else
		problem(f, 408, "the head did not come in time");
}

static struct front *add(struct relay *r, const char *peer)
{
	struct front *f;

	if (r->n_fronts >= FRONTS_MAX) {
		log_debug("%s: cut for newer connections", r->oldest->peer);
		end(r->oldest);
	}
	f = xalloc(sizeof(*f));
	f->relay = r;
	f->t = TRANSPORT_NONE;
	f->buf = BUF_LIMIT(HEAD_MAX);
	(void) snprintf(f->peer, sizeof(f->peer), "%s", peer);
	f->older = r->newest;
	*(r->newest ? &r->newest->newer : &r->oldest) = f;
	r->newest = f;
	r->n_fronts++;
	return f;
}

void front_new(struct relay *r, int fd, const char *peer)
{
	struct front *f = add(r, peer);
	struct ssl_st *ssl = NULL;
	struct err e = ERR_NONE;

	transport_plain(&f->t, fd);
	if (r->tls && tls_accept(r->tls, fd, &ssl, &e) < 0) {
		log_warn("%s", e.msg);
		end(f);
		return;
	}
	f->t.ssl = ssl;
	f->state = ssl ? SHAKING : READING;
	loop_timer_set(r->loop, &f->deadline, r->config->head_ms, on_deadline, f);
	if (loop_io_add(r->loop, &f->io, fd, EPOLLIN, on_ready, f, &e) < 0)
		end(f);
}

void front_answer(struct relay *r, struct transport *t, const char *peer, struct buf *text)
{
	struct front *f = add(r, peer);
	struct err e = ERR_NONE;

	f->t = *t;
	*t = TRANSPORT_NONE;
	if (loop_io_add(r->loop, &f->io, f->t.fd, EPOLLIN, on_ready, f, &e) < 0) {
		end(f);
		return;
	}
	answer(f, text);
	watch(f);
}

void fronts_close(struct relay *r)
{
	while (r->oldest)
		end(r->oldest);
}
