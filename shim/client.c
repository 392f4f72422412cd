#include "shim/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/client_out.h"
#include "shim/ring.h"

enum {
	RECV_BYTES = 16384,
	CTL_LIMIT =
		16384, /* HELLO, a close and a few notices; far below what can be due at once */
	PENDING_LIMIT = 131072,	  /* what a hand-over may carry, and one recv */
	NOTSENT_LOWAT = 65536,	  /* what waits in the kernel beyond what the network takes */
	LOCAL_SEND_BUFFER = 65536 /* the same for a unix socket, which has no such mark */
};

void client_set_state(struct client *c, enum client_state state, uint64_t now_ms)
{
	static const char *const names[] = { "open", "closing", "linger", "gone" };

	if (c->state == state)
		return;
	log_debug("client %u: %s -> %s", c->number, names[c->state], names[state]);
	c->state = state;
	c->state_ms = now_ms;
}

static void set_socket(int fd)
{
	int on = 1, lowat = NOTSENT_LOWAT, local = LOCAL_SEND_BUFFER, domain = 0;
	socklen_t n = sizeof(domain);

	/* Tuning only: a socket that refuses these still works. */
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0)
		return;
	if (domain == AF_UNIX) {
		(void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &local, sizeof(local));
		return;
	}
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

/* HELLO, a GAP when `since` is no longer there, and what is history. */
static int greet(struct client *c, const struct client_spec *spec, struct err *e)
{
	const struct ring *r = spec->ring;
	struct proto_hello hello = { .id = spec->sandbox_id,
				     .client = spec->number,
				     .role = spec->role == CLIENT_WRITER ? "writer" : "viewer",
				     .oldest = r->oldest,
				     .next = r->next,
				     .cols = spec->cols,
				     .rows = spec->rows,
				     .window = spec->window };
	auto_buf struct buf text = BUF_LIMIT(1024);
	uint8_t small[PROTO_MAX_SMALL];
	uint64_t from = spec->since;

	if (proto_hello(&text, &hello, e) < 0)
		return -1;
	client_queue(c, buf_bytes(&text), buf_len(&text));
	if (!spec->has_since)
		from = ring_cut(r, r->oldest);
	else if (from < r->oldest) {
		from = ring_cut(r, r->oldest);
		client_queue(c, small, proto_range(small, PROTO_GAP, spec->since, from));
	}
	client_queue(c, small, proto_range(small, PROTO_REPLAY_BEGIN, from, r->next));
	c->cursor = c->acked = from;
	c->replay_to = r->next;
	c->in_replay = true;
	return 0;
}

int client_new(const struct client_spec *spec, struct client **out, struct err *e)
{
	struct client *c;

	if (spec->has_since && spec->since > spec->ring->next)
		return err_set(e, EPROTO, "since=%llu lies beyond the output's end, %llu",
			       (unsigned long long) spec->since,
			       (unsigned long long) spec->ring->next);
	c = xalloc(sizeof(*c));
	*c = (struct client){ .fd = FD_NONE,
			      .framing = spec->framing,
			      .role = spec->role,
			      .number = spec->number,
			      .ring = spec->ring,
			      .hooks = spec->hooks,
			      .window = spec->window,
			      .ctl = BUF_LIMIT(CTL_LIMIT),
			      .spill = BUF_LIMIT(CLIENT_FRAME_BYTES + 64),
			      .pending = BUF_LIMIT(PENDING_LIMIT),
			      .exit = BUF_LIMIT(1024),
			      .cols = spec->cols,
			      .rows = spec->rows,
			      .life_ms = spec->now_ms,
			      .progress_ms = spec->now_ms,
			      .state_ms = spec->now_ms };
	ws_in_init(&c->ws);
	packet_in_init(&c->packet);
	if (greet(c, spec, e) < 0) {
		client_free(c);
		return -1;
	}
	set_socket(spec->fd);
	c->fd = spec->fd;
	*out = c;
	return 0;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	loop_io_del(&c->io);
	fd_close(&c->fd);
	ws_in_fini(&c->ws);
	packet_in_fini(&c->packet);
	buf_fini(&c->pending);
	buf_fini(&c->ctl);
	buf_fini(&c->spill);
	buf_fini(&c->exit);
	free(c);
}

void client_drop(struct client *c)
{
	c->state = CLIENT_GONE;
}

int client_preload(struct client *c, const void *p, size_t n, struct err *e)
{
	return buf_append(&c->pending, p, n, e);
}

bool client_has_pending(const struct client *c)
{
	return c->state == CLIENT_OPEN && buf_len(&c->pending) > 0 &&
	       !c->hooks->input_full(c->hooks->arg);
}

void client_close(struct client *c, uint16_t code, const char *why, uint64_t now_ms)
{
	if (c->state != CLIENT_OPEN)
		return;
	client_queue_close(c, code, why);
	client_set_state(c, CLIENT_CLOSING, now_ms);
}

static void protocol_error(struct client *c, const char *why, uint64_t now_ms)
{
	log_info("client %u: %s", c->number, why);
	client_close(c, CLOSE_PROTOCOL, why, now_ms);
}

static void take_ack(struct client *c, uint64_t offset, uint64_t now_ms)
{
	if (offset > c->cursor) {
		protocol_error(c, "ACK of output that was not sent", now_ms);
		return;
	}
	if (offset > c->acked) {
		c->acked = offset;
		if (offset >= c->skipped_to)
			c->skipped = 0;
		c->progress_ms = now_ms;
	}
}

static void take_message(struct client *c, const uint8_t *p, size_t n, uint64_t now_ms)
{
	bool writer = c->role == CLIENT_WRITER;
	struct err e = ERR_NONE;
	struct proto_in m;

	if (n == 0) /* some clients send these as a sign of life */
		return;
	if (proto_decode(p, n, &m, &e) < 0) {
		protocol_error(c, e.msg, now_ms);
		return;
	}
	switch (m.type) {
	case PROTO_INPUT:
		if (writer && m.n > 0)
			c->hooks->input(c->hooks->arg, c, m.data, m.n);
		break;
	case PROTO_INPUT_END:
		if (writer)
			c->hooks->input_end(c->hooks->arg, c);
		break;
	case PROTO_RESIZE:
		if (writer)
			c->hooks->resize(c->hooks->arg, c, m.cols, m.rows);
		break;
	case PROTO_ACK:
		take_ack(c, m.offset, now_ms);
		break;
	default: /* PING, the only other type that proto_decode lets pass */
		client_queue_pong(c, m.data, m.n);
		break;
	}
}

static void take_event(struct client *c, const struct frame_event *ev, uint64_t now_ms)
{
	switch (ev->kind) {
	case FRAME_MESSAGE:
		take_message(c, ev->data, ev->n, now_ms);
		break;
	case FRAME_TEXT:
		protocol_error(c, "text message; carrel.v1 is binary", now_ms);
		break;
	case FRAME_PING:
		memcpy(c->pong, ev->data, ev->n);
		c->n_pong = (uint8_t) ev->n;
		c->pong_due = true;
		break;
	case FRAME_CLOSE:
		c->peer_closed = true;
		client_close(c, ev->code == CLOSE_NO_CODE ? CLOSE_NORMAL : ev->code, "",
			     now_ms);
		break;
	case FRAME_BAD:
		log_info("client %u: %s", c->number, ev->why);
		client_close(c, ev->code, ev->why, now_ms);
		break;
	case FRAME_PONG:
	case FRAME_NEED_MORE:
		break;
	}
}

/* Decodes until the bytes are used, the client is no longer open, or the program's input is full.
 * Returns how many bytes were used. */
static size_t decode(struct client *c, uint8_t *p, size_t n, uint64_t now_ms)
{
	size_t done = 0;

	while (c->state == CLIENT_OPEN) {
		struct frame_event ev;
		size_t used;

		c->input_paused = c->hooks->input_full(c->hooks->arg);
		if (c->input_paused)
			break;
		ev = c->framing == CLIENT_WS
			     ? ws_decode(&c->ws, p + done, n - done, &used)
			     : packet_decode(&c->packet, p + done, n - done, &used);
		done += used;
		if (ev.kind == FRAME_NEED_MORE)
			break;
		take_event(c, &ev, now_ms);
	}
	return done;
}

/* While closing: only the peer's close still means something. */
static void await_close(struct client *c, uint8_t *p, size_t n)
{
	struct frame_event ev = { .kind = FRAME_MESSAGE };
	size_t done = 0, used;

	if (buf_len(&c->pending) > 0) /* never to be decoded: the framing is lost */
		return;
	while (ev.kind != FRAME_NEED_MORE && ev.kind != FRAME_BAD && !c->peer_closed) {
		ev = c->framing == CLIENT_WS
			     ? ws_decode(&c->ws, p + done, n - done, &used)
			     : packet_decode(&c->packet, p + done, n - done, &used);
		done += used;
		c->peer_closed = ev.kind == FRAME_CLOSE;
	}
	if (c->peer_closed && c->state == CLIENT_LINGER)
		client_drop(c);
}

static void decode_pending(struct client *c, uint64_t now_ms)
{
	size_t n = buf_len(&c->pending);

	if (n == 0)
		return;
	buf_consume(&c->pending, decode(c, c->pending.data + c->pending.head, n, now_ms));
	if (buf_len(&c->pending) == 0)
		buf_fini(&c->pending);
}

/* The peer has ended its side, or its connection is broken. */
static void peer_ended(struct client *c, ssize_t r)
{
	if (r < 0)
		log_debug("client %u: recv: %s", c->number, strerror(errno));
	client_drop(c);
}

void client_read(struct client *c, uint64_t now_ms)
{
	uint8_t bytes[RECV_BYTES];
	struct err e = ERR_NONE;
	size_t used;
	ssize_t r;

	if (c->input_paused)
		c->input_paused = c->hooks->input_full(c->hooks->arg);
	decode_pending(c, now_ms);
	if (c->state == CLIENT_GONE || (c->state == CLIENT_OPEN && buf_len(&c->pending) > 0))
		return;
	r = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r <= 0) {
		peer_ended(c, r);
		return;
	}
	c->life_ms = now_ms;
	if (c->state != CLIENT_OPEN) {
		await_close(c, bytes, (size_t) r);
		return;
	}
	used = decode(c, bytes, (size_t) r, now_ms);
	if (c->state != CLIENT_OPEN) {
		await_close(c, bytes + used, (size_t) r - used);
		return;
	}
	if (buf_append(&c->pending, bytes + used, (size_t) r - used, &e) < 0) {
		log_warn("client %u: %s", c->number, e.msg);
		client_drop(c);
	}
}
