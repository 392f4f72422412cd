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
#include "shim/queries.h"
#include "shim/ring.h"

enum {
	RECV_BYTES = 16384,
	PREFACE = 256, /* longer than the questions of programs are */
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

/* A client that does not know what is history would answer its questions once more. */
static void filter_replay(struct client *c, uint64_t from)
{
	uint64_t before = from > PREFACE ? from - PREFACE : 0;
	struct iovec v[2];
	int n;

	before = MAX(before, c->ring->oldest);
	c->queries = queries_new();
	if (before >= from)
		return;
	before = ring_cut(c->ring, before);
	n = before < from ? ring_peek(c->ring, before, (size_t) (from - before), v) : 0;
	for (int i = 0; i < n; i++)
		queries_preface(c->queries, v[i].iov_base, v[i].iov_len);
}

/* The greeting, a gap when `since` is no longer there, and what is history. */
static int greet(struct client *c, const struct client_spec *spec, struct err *e)
{
	const struct ring *r = spec->ring;
	const struct dialect_greeting g = { .id = spec->sandbox_id,
					    .client = spec->number,
					    .process = spec->process,
					    .writer = spec->role == CLIENT_WRITER,
					    .oldest = r->oldest,
					    .next = r->next,
					    .cols = spec->cols,
					    .rows = spec->rows,
					    .window = spec->window,
					    .policy = spec->policy };
	const struct dialect_out out = client_out(c);
	uint64_t from = spec->since;

	if (c->dialect->greet && c->dialect->greet(&g, &out, e) < 0)
		return -1;
	if (!spec->has_since || from < r->oldest) {
		from = client_take_screen(c, r->oldest, false);
		if (spec->has_since)
			client_queue_gap(c, spec->since, from);
	}
	if (c->dialect->replay_begin)
		c->dialect->replay_begin(&out, from, r->next);
	c->cursor = c->acked = from;
	c->replay_to = r->next;
	c->in_replay = true;
	if (spec->terminal && !c->dialect->replay_begin && from < r->next)
		filter_replay(c, from);
	return 0;
}

struct client *client_blank(const struct dialect *dialect)
{
	struct client *c = xalloc(sizeof(*c));

	*c = (struct client){ .fd = FD_NONE,
			      .dialect = dialect,
			      .ctl = BUF_LIMIT(CTL_LIMIT),
			      .spill = BUF_LIMIT(CLIENT_SPILL_BYTES),
			      .screen.bytes = BUF_LIMIT(CLIENT_SCREEN_BYTES),
			      .pending = BUF_LIMIT(PENDING_LIMIT),
			      .rtt_ms = UINT32_MAX };
	ws_in_init(&c->ws, dialect->accepts_text);
	packet_in_init(&c->packet);
	return c;
}

int client_new(const struct client_spec *spec, struct client **out, struct err *e)
{
	struct client *c;

	if (spec->has_since && spec->since > spec->ring->next)
		return err_set(e, EPROTO, "since=%llu lies beyond the output's end, %llu",
			       (unsigned long long) spec->since,
			       (unsigned long long) spec->ring->next);
	c = client_blank(spec->dialect);
	c->framing = spec->framing;
	c->role = spec->role;
	c->read_only = spec->read_only;
	c->number = spec->number;
	c->ring = spec->ring;
	c->hooks = spec->hooks;
	c->window = spec->window;
	c->cols = spec->cols;
	c->rows = spec->rows;
	c->life_ms = c->progress_ms = c->state_ms = spec->now_ms;
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
	buf_fini(&c->screen.bytes);
	dialect_state_fini(&c->speech);
	queries_free(c->queries);
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
	const struct dialect_out out = client_out(c);

	if (c->state != CLIENT_OPEN)
		return;
	if (c->dialect->failed && !c->peer_closed && !c->exit_code)
		c->dialect->failed(&out, code, why);
	client_queue_close(c, c->peer_closed ? code : dialect_close_code(c->dialect, code),
			   why);
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

/* What only a writer may: from a viewer it is ignored. */
static void take_writing(struct client *c, const struct dialect_in *in)
{
	if (in->ask == DIALECT_RESIZE) { /* kept, for when it writes */
		c->want_cols = in->cols;
		c->want_rows = in->rows;
	}
	if (c->role != CLIENT_WRITER)
		return;
	if (in->ask == DIALECT_RESIZE)
		c->hooks->resize(c->hooks->arg, c);
	else if (in->ask == DIALECT_INPUT_END)
		c->hooks->input_end(c->hooks->arg, c);
	else if (in->n > 0)
		c->hooks->input(c->hooks->arg, c, in->data, in->n);
}

static void take_message(struct client *c, const uint8_t *p, size_t n, uint64_t now_ms)
{
	struct err e = ERR_NONE;
	struct dialect_in in;

	if (n == 0) /* some clients send these as a sign of life */
		return;
	if (c->dialect->decode(&c->speech, p, n, &in, &e) < 0) {
		protocol_error(c, e.msg, now_ms);
		return;
	}
	switch (in.ask) {
	case DIALECT_INPUT:
	case DIALECT_INPUT_END:
	case DIALECT_RESIZE:
		take_writing(c, &in);
		break;
	case DIALECT_ACK:
		take_ack(c, in.offset, now_ms);
		break;
	case DIALECT_PING:
		client_queue_pong(c, in.data, in.n);
		break;
	case DIALECT_PAUSE:
	case DIALECT_RESUME:
		c->output_paused = in.ask == DIALECT_PAUSE && !c->exit_code;
		break;
	case DIALECT_TAKE:
	case DIALECT_RELEASE:
		c->hooks->take(c->hooks->arg, c, in.ask == DIALECT_TAKE);
		break;
	case DIALECT_NOTHING:
		break;
	}
}

/* A pong that is no answer to the last ping says only that the peer lives. */
static void take_pong(struct client *c, const uint8_t *p, size_t n, uint64_t now_ms)
{
	uint64_t sent = 0;

	if (n != sizeof(sent))
		return;
	memcpy(&sent, p, sizeof(sent));
	if (sent != 0 && sent == c->pinged_ms && sent <= now_ms)
		c->rtt_ms = (uint32_t) MIN(now_ms - sent, (uint64_t) UINT32_MAX - 1);
}

static void take_event(struct client *c, const struct frame_event *ev, uint64_t now_ms)
{
	switch (ev->kind) {
	case FRAME_MESSAGE:
	case FRAME_TEXT:
		take_message(c, ev->data, ev->n, now_ms);
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
		take_pong(c, ev->data, ev->n, now_ms);
		break;
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
