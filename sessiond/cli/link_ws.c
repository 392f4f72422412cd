/*
 * carrel.v1 in a WebSocket (RFC 6455): libcurl connects (so that TLS, proxies and unix sockets work), the
 * handshake is done here, wslay does the frames.
 */
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <wslay/wslay.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "sessiond/cli/link.h"
#include "sessiond/cli/rest.h"
#include "sessiond/digest.h"

enum {
	HEAD_MAX = 16384,
	MESSAGE_MAX = 2 << 20,
	HANDSHAKE_MS = 20000,
	KEY_BYTES = 16,
	CLOSE_CODE_NONE = 1005,
};

struct ws_link {
	struct link link;
	struct loop_io io;
	CURL *curl;
	int fd; /* curl's */
	wslay_event_context_ptr ws;
	struct buf early; /* frames that came with the response's head */
	bool broken, told;
};

static struct ws_link *self(struct link *l)
{
	return (struct ws_link *) (void *) l;
}

static void ws_free(struct link *l)
{
	struct ws_link *w = self(l);

	loop_io_del(&w->io);
	if (w->ws)
		wslay_event_context_free(w->ws);
	curl_easy_cleanup(w->curl);
	buf_fini(&w->early);
	free(w);
}

/* ---- the handshake: blocking, with a deadline ---- */

static int wait_for(int fd, short events, uint64_t deadline_ms, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = clock_mono_ms();

	if (now >= deadline_ms)
		return err_set(e, ETIMEDOUT, "the server does not answer");
	if (poll(&p, 1, (int) (deadline_ms - now)) < 0 && errno != EINTR)
		return err_sys(e, "poll");
	return 0;
}

static int send_all(struct ws_link *w, const char *p, size_t n, uint64_t deadline_ms,
		    struct err *e)
{
	while (n > 0) {
		size_t sent = 0;
		CURLcode code = curl_easy_send(w->curl, p, n, &sent);

		if (code == CURLE_AGAIN) {
			if (wait_for(w->fd, POLLOUT, deadline_ms, e) < 0)
				return -1;
			continue;
		}
		if (code != CURLE_OK)
			return err_set(e, EIO, "%s", curl_easy_strerror(code));
		p += sent;
		n -= sent;
	}
	return 0;
}

/* Until the empty line; what came behind it becomes w->early. */
static int receive_head(struct ws_link *w, struct buf *head, uint64_t deadline_ms,
			struct err *e)
{
	for (;;) {
		char block[4096];
		const char *text, *end;
		size_t n = 0;
		CURLcode code = curl_easy_recv(w->curl, block, sizeof(block), &n);

		if (code == CURLE_AGAIN) {
			if (wait_for(w->fd, POLLIN, deadline_ms, e) < 0)
				return -1;
			continue;
		}
		if (code != CURLE_OK || n == 0)
			return err_set(e, EIO, "the server closed the connection");
		if (buf_append(head, block, n, e) < 0)
			return err_wrap(e, "the server's answer");
		text = buf_str(head);
		end = strstr(text, "\r\n\r\n");
		if (!end)
			continue;
		n = (size_t) (end - text) + 4;
		if (buf_append(&w->early, text + n, buf_len(head) - n, e) < 0)
			return -1;
		head->tail = head->head + n;
		(void) buf_str(head);
		return 0;
	}
}

/* The value of a header, malloc'ed; NULL when there is none. */
static char *header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, n) != 0 || line[n] != ':')
			continue;
		line += n + 1;
		line += strspn(line, " \t");
		return xstrndup(line, strcspn(line, "\r"));
	}
	return NULL;
}

static int check_answer(const char *head, const char *key, struct err *e)
{
	auto_free char *accept = header(head, "Sec-WebSocket-Accept");
	auto_free char *protocol = header(head, "Sec-WebSocket-Protocol");
	char wanted[29];

	if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
		int code = strncmp(head, "HTTP/1.1 404", 12) == 0   ? ENOENT
			   : strncmp(head, "HTTP/1.1 401", 12) == 0 ? EACCES
			   : strncmp(head, "HTTP/1.1 403", 12) == 0 ? EACCES
								    : EIO;

		return err_set(e, code, "the server answers %.*s",
			       (int) strcspn(head + strcspn(head, " \r") + 1, "\r"),
			       head + strcspn(head, " \r") + 1);
	}
	digest_ws_accept(key, wanted);
	if (!accept || strcmp(accept, wanted) != 0)
		return err_set(e, EPROTO, "the server's Sec-WebSocket-Accept is wrong");
	if (!protocol || strcmp(protocol, "carrel.v1") != 0)
		return err_set(e, EPROTO, "the server does not speak carrel.v1");
	return 0;
}

/* 16 bytes as base64 with padding. */
static void new_key(char out[25])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t raw[KEY_BYTES + 2] = { 0 };

	random_bytes(raw, KEY_BYTES);
	for (size_t i = 0; i < KEY_BYTES; i += 3) {
		uint32_t v = (uint32_t) raw[i] << 16 | (uint32_t) raw[i + 1] << 8 | raw[i + 2];

		for (int k = 3; k >= 0; k--, v >>= 6)
			out[i / 3 * 4 + (size_t) k] = digits[v & 63];
	}
	memcpy(out + 22, "==", 3);
}

static int handshake(struct ws_link *w, const struct rest *rest, const char *path,
		     struct err *e)
{
	auto_buf struct buf request = BUF_LIMIT(HEAD_MAX), head = BUF_LIMIT(HEAD_MAX);
	uint64_t deadline_ms = clock_mono_ms() + HANDSHAKE_MS;
	const char *host = strstr(rest->base, "://") + 3;
	char key[25];

	new_key(key);
	if (buf_printf(&request, e,
		       "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		       "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: carrel.v1\r\n",
		       path, host, key) < 0 ||
	    (rest->key &&
	     buf_printf(&request, e, "Authorization: Bearer %s\r\n", rest->key) < 0) ||
	    buf_puts(&request, "\r\n", e) < 0)
		return -1;
	if (send_all(w, buf_str(&request), buf_len(&request), deadline_ms, e) < 0 ||
	    receive_head(w, &head, deadline_ms, e) < 0)
		return -1;
	return check_answer(buf_str(&head), key, e);
}

/* ---- frames ---- */

static ssize_t fail(wslay_event_context_ptr ctx, int why)
{
	wslay_event_set_error(ctx, why);
	return -1;
}

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *p, size_t n, int flags, void *arg)
{
	struct ws_link *w = arg;
	size_t got = MIN(n, buf_len(&w->early));
	CURLcode code;

	(void) flags;
	if (got > 0) {
		memcpy(p, buf_bytes(&w->early), got);
		buf_consume(&w->early, got);
		return (ssize_t) got;
	}
	code = curl_easy_recv(w->curl, p, n, &got);
	if (code == CURLE_AGAIN)
		return fail(ctx, WSLAY_ERR_WOULDBLOCK);
	if (code != CURLE_OK || got == 0) {
		w->broken = true;
		return fail(ctx, WSLAY_ERR_CALLBACK_FAILURE);
	}
	return (ssize_t) got;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *p, size_t n, int flags,
		       void *arg)
{
	struct ws_link *w = arg;
	size_t sent = 0;
	CURLcode code = curl_easy_send(w->curl, p, n, &sent);

	(void) flags;
	if (code == CURLE_AGAIN)
		return fail(ctx, WSLAY_ERR_WOULDBLOCK);
	if (code != CURLE_OK) {
		w->broken = true;
		return fail(ctx, WSLAY_ERR_CALLBACK_FAILURE);
	}
	return (ssize_t) sent;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *p, size_t n, void *arg)
{
	(void) ctx;
	(void) arg;
	random_bytes(p, n);
	return 0;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m,
		       void *arg)
{
	struct ws_link *w = arg;
	auto_free char *reason = NULL;

	(void) ctx;
	if (w->told)
		return;
	if (m->opcode == WSLAY_BINARY_FRAME && m->msg_length > 0) {
		w->link.to.message(w->link.to.arg, m->msg, m->msg_length);
	} else if (m->opcode == WSLAY_CONNECTION_CLOSE) {
		reason = m->msg_length > 2
				 ? xstrndup((const char *) m->msg + 2, m->msg_length - 2)
				 : xstrdup("");
		w->told = true;
		w->link.to.closed(w->link.to.arg,
				  m->status_code ? m->status_code : CLOSE_CODE_NONE, reason);
	}
}

static void update(struct ws_link *w)
{
	struct err ignored = ERR_NONE;

	if (w->io.loop)
		(void) loop_io_set(&w->io,
				   EPOLLIN | (wslay_event_want_write(w->ws) ? EPOLLOUT : 0),
				   &ignored);
}

static void pump(struct ws_link *w)
{
	size_t before = wslay_event_get_queued_msg_length(w->ws);
	int r = wslay_event_recv(w->ws);

	if (r == 0)
		r = wslay_event_send(w->ws);
	if (w->told)
		return;
	if (r != 0 || w->broken || !wslay_event_want_read(w->ws)) {
		w->told = true;
		loop_io_del(&w->io);
		w->link.to.closed(w->link.to.arg, 0, w->broken ? "" : "a malformed frame");
		return;
	}
	update(w);
	if (wslay_event_get_queued_msg_length(w->ws) < before)
		w->link.to.drained(w->link.to.arg);
}

static void on_ready(void *arg, uint32_t events)
{
	(void) events;
	pump(arg);
}

static int ws_send(struct link *l, uint8_t type, const void *p, size_t n, struct err *e)
{
	struct ws_link *w = self(l);
	auto_buf struct buf block = BUF_LIMIT(MESSAGE_MAX);
	struct wslay_event_msg m = { .opcode = WSLAY_BINARY_FRAME };

	if (w->told)
		return err_set(e, EPIPE, "the connection is closed");
	if (buf_append(&block, &type, 1, e) < 0 || buf_append(&block, p, n, e) < 0)
		return -1;
	m.msg = buf_bytes(&block);
	m.msg_length = buf_len(&block);
	if (wslay_event_queue_msg(w->ws, &m) != 0)
		return err_set(e, EPIPE, "the connection is closing");
	/* Not from inside wslay's own callbacks: what cannot go now goes when the socket says so. */
	update(w);
	return 0;
}

static size_t ws_queued(const struct link *l)
{
	return wslay_event_get_queued_msg_length(
		((const struct ws_link *) (const void *) l)->ws);
}

static int start_frames(struct ws_link *w, struct loop *loop, struct err *e)
{
	static const struct wslay_event_callbacks callbacks = { .recv_callback = on_recv,
								.send_callback = on_send,
								.genmask_callback = on_mask,
								.on_msg_recv_callback =
									on_message };

	if (wslay_event_context_client_init(&w->ws, &callbacks, w) != 0)
		return err_set(e, ENOMEM, "wslay does not start");
	wslay_event_config_set_max_recv_msg_length(w->ws, MESSAGE_MAX);
	/* EPOLLOUT: the first turn reads what came with the head, and what TLS holds decrypted. */
	return loop_io_add(loop, &w->io, w->fd, EPOLLIN | EPOLLOUT, on_ready, w, e);
}

int link_ws_new(struct loop *loop, const struct rest *rest, const char *path,
		const struct link_receiver *to, struct link **out, struct err *e)
{
	static const struct link_ops ops = { ws_send, ws_queued, ws_free };
	struct ws_link *w;
	curl_socket_t fd = -1;
	CURL *curl = rest_connect(rest, e);

	if (!curl)
		return -1;
	w = xalloc(sizeof(*w));
	*w = (struct ws_link){ .link = { &ops, *to },
			       .curl = curl,
			       .early = BUF_LIMIT(HEAD_MAX) };
	(void) curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
	w->fd = fd;
	if (handshake(w, rest, path, e) < 0 || start_frames(w, loop, e) < 0) {
		ws_free(&w->link);
		return err_wrap(e, "terminal");
	}
	*out = &w->link;
	return 0;
}
