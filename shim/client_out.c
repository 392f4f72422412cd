#include "shim/client_out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/queries.h"
#include "shim/ring.h"
#include "shim/vt.h"

enum { REPLAY_BYTES = DIALECT_ENCODE - VT_TAIL }; /* and as much as is held back */

/*
 * The order on the wire: the rest of a frame that was begun; then ctl; then, when both are empty, one new
 * frame of output. So ctl never lands inside a frame, and what was queued before a byte was framed
 * precedes it (GAP before the output that follows it, REPLAY_END after the last byte of history).
 */

static void append(struct client *c, const void *p, size_t n)
{
	struct err e = ERR_NONE;

	if (buf_append(&c->ctl, p, n, &e) == 0)
		return;
	log_info("client %u: does not read: %s", c->number, e.msg);
	client_drop(c);
}

static size_t frame_head(const struct client *c, uint8_t out[WS_HEADER_MAX], size_t n)
{
	if (c->framing == CLIENT_WS)
		return ws_header(out, c->dialect->sends_text ? WS_OP_TEXT : WS_OP_BINARY, n);
	packet_header(out, (uint32_t) n);
	return PACKET_HEADER;
}

static void put_message(void *arg, const void *message, size_t n)
{
	struct client *c = arg;
	uint8_t head[WS_HEADER_MAX];

	append(c, head, frame_head(c, head, n));
	append(c, message, n);
}

struct dialect_out client_out(struct client *c)
{
	return (struct dialect_out){ put_message, c };
}

static void queue_ws_control(struct client *c, enum ws_opcode op, const void *p, size_t n)
{
	uint8_t head[WS_HEADER_MAX];

	append(c, head, ws_header(head, op, n));
	append(c, p, n);
}

/* It waits in ctl like any message; when a client pings faster than it reads, the newest answer is as good as all. */
void client_queue_pong(struct client *c, const uint8_t *p, size_t n)
{
	const struct dialect_out out = client_out(c);

	if (c->dialect->pong && buf_len(&c->ctl) <= c->ctl.limit / 2)
		c->dialect->pong(&out, p, n);
}

/* The message for bytes of a terminal that do not go straight from the history. */
static int terminal_message(struct client *c, const void *p, size_t n, struct buf *message,
			    struct err *e)
{
	const struct iovec v = { (void *) p, n };
	uint8_t head[DIALECT_HEAD];

	if (c->dialect->encode)
		return c->dialect->encode(&c->speech, DIALECT_STDOUT, &v, 1, message, e);
	if (buf_append(message, head, c->dialect->head(head, DIALECT_STDOUT, c->cursor), e) < 0)
		return -1;
	return buf_append(message, p, n, e);
}

/* Bytes for the terminal that are not in the history, before the next of it. */
static void put_bytes(struct client *c, const uint8_t *p, size_t n)
{
	auto_buf struct buf message = BUF_LIMIT(DIALECT_HEAD + DIALECT_ENCODED);
	struct err e = ERR_NONE;

	if (terminal_message(c, p, n, &message, &e) < 0)
		log_warn("client %u: %s", c->number, e.msg);
	else if (buf_len(&message) > 0)
		put_message(c, buf_bytes(&message), buf_len(&message));
}

void client_queue_gap(struct client *c, uint64_t from, uint64_t to)
{
	const struct dialect_out out = client_out(c);

	if (c->dialect->gap)
		c->dialect->gap(&out, from, to);
	else
		put_bytes(c, dialect_reset, sizeof(dialect_reset));
}

void client_queue_close(struct client *c, uint16_t code, const char *why)
{
	uint8_t body[3 + FRAME_MAX_CLOSE_REASON] = { PACKET_CLOSE, (uint8_t) (code >> 8),
						     (uint8_t) code };
	size_t n = strnlen(why, FRAME_MAX_CLOSE_REASON);

	/* Not inside a UTF-8 character. */
	while (n < strlen(why) && n > 0 && ((uint8_t) why[n] & 0xc0) == 0x80)
		n--;
	memcpy(body + 3, why, n);
	if (c->framing == CLIENT_WS)
		queue_ws_control(c, WS_OP_CLOSE, body + 1, 2 + n);
	else
		put_message(c, body, 3 + n);
}

void client_ping(struct client *c, uint64_t now_ms)
{
	if (c->state != CLIENT_OPEN || c->framing != CLIENT_WS || buf_len(&c->ctl) > 0)
		return;
	c->pinged_ms = now_ms;
	queue_ws_control(c, WS_OP_PING, &now_ms, sizeof(now_ms));
}

void client_set_role(struct client *c, enum client_role role)
{
	if (c->role == role)
		return;
	c->role = role;
	c->role_due = c->dialect->role;
}

void client_size(struct client *c, uint16_t cols, uint16_t rows)
{
	c->cols = cols;
	c->rows = rows;
	c->size_due = c->dialect->size;
}

void client_notice(struct client *c, const char *kind, uint64_t seconds_left, const char *rule)
{
	const struct dialect_out out = client_out(c);

	if (c->state == CLIENT_OPEN && c->dialect->notice)
		c->dialect->notice(&out, kind, seconds_left, rule);
}

void client_exit(struct client *c, const struct dialect_exit *x, uint16_t code)
{
	if (c->state != CLIENT_OPEN || c->exit_code)
		return;
	c->exit = *x;
	c->exit_code = code;
	c->output_paused = false; /* the end does not wait for a RESUME */
}

uint64_t client_behind(const struct client *c)
{
	return c->ring->next - c->cursor;
}

/* How much of the window is left. While this client's input is not being read its acknowledgements are
 * not seen either: then the socket alone sets the pace, else a program that echoes a long paste would
 * wait for acknowledgements that wait for the program. */
static uint64_t window_left(const struct client *c)
{
	uint64_t open = c->cursor - c->acked, in_flight = open - MIN(c->skipped, open);

	if (c->input_paused || !c->dialect->acks)
		return UINT64_MAX;
	return in_flight < c->window ? c->window - in_flight : 0;
}

/* How many output bytes may go out now, `most` or fewer, all of one stream. */
static size_t sendable(const struct client *c, size_t most, enum dialect_stream *stream)
{
	enum ring_stream of;
	uint64_t n = MIN(c->ring->next - c->cursor, window_left(c));

	if (c->output_paused)
		return 0;
	if (c->in_replay)
		n = MIN(n, c->replay_to > c->cursor ? c->replay_to - c->cursor : 0);
	n = MIN(n, (uint64_t) (c->dialect->encode ? DIALECT_ENCODE : CLIENT_FRAME_BYTES));
	n = ring_run(c->ring, c->cursor, (size_t) MIN(n, most), &of);
	*stream = of == RING_ERRORS ? DIALECT_STDERR : DIALECT_STDOUT;
	if (c->in_replay && c->cursor + n == c->replay_to)
		return (size_t) n;
	return ring_whole(c->ring, c->cursor, (size_t) n);
}

/* Output that this client has not been sent left the history. It is told once it can take what comes
 * after the gap, and not before it was told of the last one: one message, not one for every byte that
 * was lost meanwhile. */
static void queue_gap(struct client *c)
{
	uint64_t to;

	if (c->cursor >= c->ring->oldest || buf_len(&c->ctl) > 0 || window_left(c) == 0 ||
	    c->output_paused || buf_len(&c->screen.bytes) > 0)
		return;
	to = client_take_screen(c, c->ring->oldest, true);
	log_debug("client %u: lost %llu bytes of output", c->number,
		  (unsigned long long) (to - c->cursor));
	client_queue_gap(c, c->cursor, to);
	if (c->queries) { /* what was held back ends nowhere */
		queries_free(c->queries);
		c->queries = queries_new();
	}
	c->skipped += to - c->cursor;
	c->cursor = c->skipped_to = to;
}

/* The last output is sent: how it ended, and the close. Without a message for that the close says it in words. */
static void queue_exit(struct client *c, uint64_t now_ms)
{
	const struct dialect_out out = client_out(c);
	char why[64] = "";

	if (c->dialect->exit)
		c->dialect->exit(&c->speech, &out, &c->exit);
	else
		(void) snprintf(why, sizeof(why), "%s, %s %d", c->exit.reason,
				c->exit.signal ? "signal" : "code",
				c->exit.signal ? c->exit.signal : c->exit.code);
	client_close(c, c->exit_code, why, now_ms);
}

/* From here on questions are asked by somebody who waits for the answer. */
static void end_replay(struct client *c)
{
	const struct dialect_out out = client_out(c);
	auto_buf struct buf held = BUF_LIMIT(DIALECT_ENCODE);
	struct err e = ERR_NONE;

	c->in_replay = false;
	if (c->queries) {
		if (queries_end(c->queries, &held, &e) < 0)
			log_warn("client %u: %s", c->number, e.msg);
		queries_free(c->queries);
		c->queries = NULL;
	}
	if (buf_len(&held) > 0)
		put_bytes(c, buf_bytes(&held), buf_len(&held));
	if (c->dialect->replay_end)
		c->dialect->replay_end(&out, c->cursor);
}

/* Queues the messages that have become due at this place in the output. */
static void queue_due(struct client *c, uint64_t now_ms)
{
	const struct dialect *d = c->dialect;
	const struct dialect_out out = client_out(c);

	if (c->state != CLIENT_OPEN)
		return;
	queue_gap(c);
	if (buf_len(&c->screen.bytes) > 0)
		return; /* what comes after it waits */
	if (c->in_replay && c->cursor >= c->replay_to)
		end_replay(c);
	if (c->role_due && buf_len(&c->ctl) < c->ctl.limit / 2) {
		c->role_due = false;
		d->role(&out, c->role == CLIENT_WRITER);
	}
	if (c->size_due && buf_len(&c->ctl) < c->ctl.limit / 2) {
		c->size_due = false;
		d->size(&out, c->cols, c->rows);
	}
	if (c->pong_due && buf_len(&c->ctl) < c->ctl.limit / 2) {
		c->pong_due = false;
		queue_ws_control(c, WS_OP_PONG, c->pong, c->n_pong);
	}
	if (c->exit_code && !c->in_replay && c->cursor == c->ring->next)
		queue_exit(c, now_ms);
}

/* Sends iov; returns bytes taken, 0 when the socket is full, -1 when it is broken (state GONE). */
static ssize_t send_iov(struct client *c, struct iovec *iov, size_t n, uint64_t now_ms)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t r = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (r > 0)
		c->life_ms = now_ms;
	if (r >= 0 || errno == EAGAIN || errno == EINTR)
		return MAX(r, 0);
	log_debug("client %u: send: %s", c->number, strerror(errno));
	client_drop(c);
	return -1;
}

/* Sends from b; true when it is empty afterwards. */
static bool send_buf(struct client *c, struct buf *b, uint64_t now_ms)
{
	while (buf_len(b) > 0) {
		struct iovec iov = { .iov_base = b->data + b->head, .iov_len = buf_len(b) };
		ssize_t r = send_iov(c, &iov, 1, now_ms);

		if (r <= 0)
			return false;
		buf_consume(b, (size_t) r);
	}
	if (b->cap > 0)
		buf_fini(b);
	return true;
}

/* What the socket did not take of a frame is copied: the ring may move on, a frame may not change. */
static void keep_rest(struct client *c, const struct iovec *iov, size_t n, size_t sent)
{
	struct err e = ERR_NONE;

	for (size_t i = 0; i < n; i++) {
		size_t skip = MIN(sent, iov[i].iov_len);

		sent -= skip;
		if (buf_append(&c->spill, (const uint8_t *) iov[i].iov_base + skip,
			       iov[i].iov_len - skip, &e) < 0) {
			log_warn("client %u: %s", c->number, e.msg);
			client_drop(c);
			return;
		}
	}
}

/* n bytes were taken from the history. */
static void advance(struct client *c, size_t n, uint64_t now_ms)
{
	c->cursor += n;
	c->progress_ms = now_ms;
}

/* One frame of n bytes at the cursor, straight from the history; false when the socket is full. */
static bool send_output(struct client *c, enum dialect_stream stream, size_t n, uint64_t now_ms)
{
	uint8_t head[WS_HEADER_MAX + DIALECT_HEAD], before[DIALECT_HEAD];
	size_t n_before = c->dialect->head(before, stream, c->cursor);
	size_t n_head = frame_head(c, head, n_before + n);
	struct iovec iov[3] = { { .iov_base = head } };
	size_t n_iov = 1 + (size_t) ring_peek(c->ring, c->cursor, n, iov + 1);
	ssize_t r;

	memcpy(head + n_head, before, n_before);
	iov[0].iov_len = n_head + n_before;
	r = send_iov(c, iov, n_iov, now_ms);
	if (r <= 0)
		return false;
	advance(c, n, now_ms);
	if ((size_t) r == iov[0].iov_len + n)
		return true;
	keep_rest(c, iov, n_iov, (size_t) r);
	return false;
}

/* A message that is not sent straight from the history: its frame is made in spill, which is empty here. Nothing is no message.
 * r: whether there is one. False when the socket is full, or the client gone. */
static bool send_message(struct client *c, int r, const struct buf *message, struct err *e,
			 uint64_t now_ms)
{
	uint8_t head[WS_HEADER_MAX];

	if (r < 0 ||
	    (buf_len(message) > 0 &&
	     (buf_append(&c->spill, head, frame_head(c, head, buf_len(message)), e) < 0 ||
	      buf_append(&c->spill, buf_bytes(message), buf_len(message), e) < 0))) {
		log_warn("client %u: %s", c->number, e->msg);
		client_drop(c);
		return false;
	}
	return send_buf(c, &c->spill, now_ms);
}

/* The same as send_output for a dialect that rewrites output. */
static bool encode_output(struct client *c, enum dialect_stream stream, size_t n,
			  uint64_t now_ms)
{
	auto_buf struct buf message = BUF_LIMIT(DIALECT_ENCODED);
	struct err e = ERR_NONE;
	struct iovec v[2];
	int n_v = ring_peek(c->ring, c->cursor, n, v);
	int r = c->dialect->encode(&c->speech, stream, v, n_v, &message, &e);

	advance(c, n, now_ms);
	return send_message(c, r, &message, &e, now_ms);
}

/* The same for history that has no questions in it any more, REPLAY_BYTES at most. */
static bool replay_output(struct client *c, size_t n, uint64_t now_ms)
{
	auto_buf struct buf message = BUF_LIMIT(DIALECT_ENCODED),
			    bytes = BUF_LIMIT(DIALECT_ENCODE);
	struct err e = ERR_NONE;
	struct iovec v[2];
	int n_v = ring_peek(c->ring, c->cursor, n, v), r = 0;

	for (int i = 0; i < n_v && r == 0; i++)
		r = queries_filter(c->queries, v[i].iov_base, v[i].iov_len, &bytes, &e);
	if (r == 0 && buf_len(&bytes) > 0)
		r = terminal_message(c, buf_bytes(&bytes), buf_len(&bytes), &message, &e);
	advance(c, n, now_ms);
	return send_message(c, r, &message, &e, now_ms);
}

/* The next piece of a screen, as one message; it goes from spill, which is empty here. */
static bool send_screen(struct client *c, uint64_t now_ms)
{
	const struct dialect *d = c->dialect;
	struct client_screen *sc = &c->screen;
	size_t n = MIN(buf_len(&sc->bytes),
		       (size_t) (d->encode ? DIALECT_ENCODE : CLIENT_FRAME_BYTES));
	auto_buf struct buf message = BUF_LIMIT(DIALECT_ENCODED);
	const struct iovec v = { .iov_base = sc->bytes.data + sc->bytes.head, .iov_len = n };
	uint8_t before[DIALECT_SCREEN];
	struct err e = ERR_NONE;
	int r = 0;

	if (d->encode && !d->screen)
		r = d->encode(&c->speech, DIALECT_STDOUT, &v, 1, &message, &e);
	else if (buf_append(&message, before,
			    d->screen ? d->screen(before, sc->offset, sc->cols, sc->rows)
				      : d->head(before, DIALECT_STDOUT, sc->offset),
			    &e) < 0 ||
		 buf_append(&message, v.iov_base, n, &e) < 0)
		r = -1;
	buf_consume(&sc->bytes, n);
	if (buf_len(&sc->bytes) == 0)
		buf_fini(&sc->bytes);
	c->progress_ms = now_ms;
	return send_message(c, r, &message, &e, now_ms);
}

uint64_t client_take_screen(struct client *c, uint64_t oldest, bool newest)
{
	if (oldest > 0 && c->hooks->screen &&
	    c->hooks->screen(c->hooks->arg, newest, &c->screen))
		return c->screen.offset;
	return ring_cut(c->ring, oldest);
}

void client_write(struct client *c, size_t budget, uint64_t now_ms)
{
	while (c->state == CLIENT_OPEN || c->state == CLIENT_CLOSING) {
		enum dialect_stream stream;
		size_t n;

		if (!send_buf(c, &c->spill, now_ms))
			return;
		queue_due(c, now_ms);
		if (!send_buf(c, &c->ctl, now_ms))
			return;
		if (c->state == CLIENT_CLOSING) {
			/* Closing a socket with unread bytes would reset it and may destroy what
			 * the peer has not read yet: end our side, then wait for theirs. */
			(void) shutdown(c->fd, SHUT_WR);
			client_set_state(c, c->peer_closed ? CLIENT_GONE : CLIENT_LINGER,
					 now_ms);
			return;
		}
		if (buf_len(&c->screen.bytes) > 0) {
			if (c->output_paused || !send_screen(c, now_ms))
				return;
			continue;
		}
		n = c->queries ? MIN(budget, (size_t) REPLAY_BYTES) : budget;
		n = c->cursor < c->ring->oldest ? 0 : sendable(c, n, &stream);
		if (n == 0)
			return;
		budget -= n;
		if (c->queries		 ? !replay_output(c, n, now_ms)
		    : c->dialect->encode ? !encode_output(c, stream, n, now_ms)
					 : !send_output(c, stream, n, now_ms))
			return;
	}
}

uint32_t client_wants(const struct client *c)
{
	bool open = c->state == CLIENT_OPEN;
	enum dialect_stream stream;
	uint32_t events = 0;

	if (!open || (buf_len(&c->pending) == 0 && !c->input_paused))
		events |= EPOLLIN;
	if (buf_len(&c->spill) > 0 || buf_len(&c->ctl) > 0 || c->state == CLIENT_CLOSING ||
	    (open && buf_len(&c->screen.bytes) > 0 && !c->output_paused) ||
	    (open &&
	     (c->size_due || c->role_due || c->pong_due || sendable(c, SIZE_MAX, &stream) > 0)))
		events |= EPOLLOUT;
	return events;
}
