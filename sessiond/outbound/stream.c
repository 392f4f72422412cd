/* One stream: a socket, what came for it, and its turn to be read. */
#include <errno.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "base/log.h"
#include "sessiond/outbound/carrier.h"
#include "sessiond/outbound/tunnel_internal.h"

/* Of DATA frames, before the next stream is served. */
enum { SHARE = 4 };

static void on_ready(void *arg, uint32_t events);

/* Whether the socket's bytes, or its end, are of interest. */
static bool may_read(const struct stream *s)
{
	return !s->flow.end_sent && s->limit > 0 && s->flow.may_go > 0;
}

/*
 * A socket that nothing is wanted of is not watched at all: its hang-up would be told in every turn. Where no more
 * bytes are to be read, its end is told by EPOLLRDHUP.
 */
static void watch(struct stream *s)
{
	uint32_t events =
		transport_events(&s->local, may_read(s) && !s->waiting, buf_len(&s->in) > 0);
	struct err e = ERR_NONE;
	int r = 0;

	if (s->limit == 0 && !s->flow.end_sent)
		events |= EPOLLRDHUP;
	if (!events)
		loop_io_del(&s->io);
	else if (s->io.loop)
		r = loop_io_set(&s->io, events, &e);
	else
		r = loop_io_add(s->tunnel->loop, &s->io, s->local.fd, events, on_ready, s, &e);
	if (r < 0)
		stream_end(s, MUX_CODE_INTERNAL, MUX_CODE_INTERNAL, e.msg);
}

void stream_end(struct stream *s, uint16_t tell, uint16_t why, const char *reason)
{
	struct tunnel *t = s->tunnel;
	const struct mux_frame reset = { .type = MUX_RESET,
					 .stream = s->id,
					 .reset = { .code = tell } };

	if (s->dead)
		return;
	log_debug("stream %u: %s", s->id, reason);
	if (tell)
		tunnel_send(t, &reset);
	loop_io_del(&s->io);
	if (t->config.relay && why && !s->answered)
		t->ops.unanswered(t->arg, &s->local, why);
	tunnel_bury(t, s);
}

static void wait_turn(struct stream *s)
{
	s->waiting = true;
	if (!carrier_congested(s->tunnel->carrier))
		tunnel_serve_soon(s->tunnel);
}

static void on_linger(void *arg)
{
	stream_end(arg, MUX_CODE_CANCELLED, 0, "its reader does not read, or does not close");
}

static void linger(struct stream *s)
{
	if (s->tunnel->config.linger_ms)
		loop_timer_set(s->tunnel->loop, &s->linger, s->tunnel->config.linger_ms,
			       on_linger, s);
}

/* False: the stream is no more. */
static bool settle(struct stream *s)
{
	if (!s->flow.end_came || buf_len(&s->in) > 0)
		return true;
	if (s->tunnel->config.relay && !s->answered) {
		stream_end(s, MUX_CODE_CANCELLED, MUX_CODE_UNAVAILABLE, "no answer came");
		return false;
	}
	if (!s->local_ended) {
		s->local_ended = true;
		transport_end(&s->local);
		linger(s);
	}
	if (!s->flow.end_sent)
		return true;
	log_debug("stream %u: over", s->id);
	tunnel_bury(s->tunnel, s);
	return false;
}

/* ---- from the socket ---- */

static void send_end(struct stream *s)
{
	s->flow.end_sent = true;
	tunnel_send(s->tunnel, &(struct mux_frame){ .type = MUX_END, .stream = s->id });
}

enum outcome { MORE, DRY, GONE };

static enum outcome read_once(struct stream *s)
{
	struct tunnel *t = s->tunnel;
	size_t n = MIN(MIN((size_t) s->flow.may_go, (size_t) MUX_DATA_MAX), s->limit);
	struct err e = ERR_NONE;
	ssize_t got = transport_read(&s->local, t->scratch + MUX_HEAD, n, &e);

	if (got > 0) {
		mux_head(t->scratch, MUX_DATA, s->id);
		carrier_send(t->carrier, t->scratch, MUX_HEAD + (size_t) got);
		flow_sent(&s->flow, (size_t) got);
		s->limit -= (size_t) got;
		return MORE;
	}
	if (got < 0 && e.code == EAGAIN)
		return DRY;
	if (got == 0) {
		send_end(s);
		return settle(s) ? DRY : GONE;
	}
	/* A daemon that ends before it has read all "resets" us, and that is told, once, before its last words. */
	if (e.code == ECONNRESET && !s->tunnel->config.relay && !s->was_reset) {
		s->was_reset = true;
		return MORE;
	}
	stream_end(s, MUX_CODE_CANCELLED, 0, e.msg);
	return GONE;
}

void stream_serve(struct stream *s)
{
	enum outcome o = MORE;

	s->waiting = false;
	for (int i = 0; i < SHARE && o == MORE && may_read(s); i++) {
		if (carrier_congested(s->tunnel->carrier))
			break;
		o = read_once(s);
	}
	if (o == GONE)
		return;
	tunnel_requeue(s->tunnel, s);
	/* TLS may hold bytes that epoll does not see. */
	if (o == MORE && may_read(s))
		wait_turn(s);
	watch(s);
}

/* ---- to the socket ---- */

/* The reader is gone. At a relay that is the end of the stream. A daemon may have answered before it had read all: what comes
 * is dropped, its answer is still read. False: the stream is no more. */
static bool unwritable(struct stream *s, const struct err *e)
{
	if (s->tunnel->config.relay) {
		stream_end(s, MUX_CODE_CANCELLED, 0, e->msg);
		return false;
	}
	s->local_ended = true;
	return true;
}

/* How much of p was taken, all of it when nobody takes it any more; -1: the stream is no more. */
static ssize_t write_some(struct stream *s, const uint8_t *p, size_t n)
{
	struct err e = ERR_NONE;
	size_t done = 0;
	ssize_t r;

	while (done < n && !s->local_ended) {
		r = transport_write(&s->local, p + done, n - done, &e);
		if (r > 0)
			done += (size_t) r;
		else if (e.code == EAGAIN)
			return (ssize_t) done;
		else if (!unwritable(s, &e))
			return -1;
	}
	return (ssize_t) n;
}

/* n bytes went on. */
static void give_credit(struct stream *s, size_t n)
{
	uint32_t credit = flow_passed(&s->flow, n);

	if (credit)
		tunnel_send(s->tunnel, &(struct mux_frame){ .type = MUX_CREDIT,
							    .stream = s->id,
							    .credit = credit });
}

/* What is left of memory after a burst is given back. */
static void shrink(struct stream *s)
{
	if (buf_len(&s->in) == 0)
		buf_fini(&s->in);
}

static bool flush(struct stream *s)
{
	ssize_t n = write_some(s, buf_bytes(&s->in), buf_len(&s->in));

	if (n < 0)
		return false;
	buf_consume(&s->in, (size_t) n);
	shrink(s);
	if (n > 0) {
		give_credit(s, (size_t) n);
		if (s->flow.end_came)
			linger(s);
	}
	return settle(s);
}

static void on_ready(void *arg, uint32_t events)
{
	struct stream *s = arg;

	if (s->dead)
		return;
	if (buf_len(&s->in) > 0 && transport_writable(&s->local, events) && !flush(s))
		return;
	if (s->limit == 0 && !s->flow.end_sent &&
	    (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
		send_end(s);
		if (!settle(s))
			return;
	}
	if (may_read(s) && !s->waiting && transport_readable(&s->local, events)) {
		if (!carrier_congested(s->tunnel->carrier)) {
			stream_serve(s);
			return;
		}
		wait_turn(s);
	}
	watch(s);
}

/* ---- frames ---- */

static int take_data(struct stream *s, const uint8_t *p, size_t n, struct err *e)
{
	ssize_t done = 0;

	if (flow_came(&s->flow, n, e) < 0)
		return -1;
	s->answered = true;
	if (buf_len(&s->in) == 0) {
		done = write_some(s, p, n);
		if (done < 0)
			return 0;
		shrink(s);
		give_credit(s, (size_t) done);
	}
	/* Within the window, which is the buffer's limit. */
	if (buf_append(&s->in, p + done, n - (size_t) done, e) < 0)
		return -1;
	watch(s);
	return 0;
}

static int take_end(struct stream *s, struct err *e)
{
	if (flow_end_came(&s->flow, e) < 0)
		return -1;
	if (buf_len(&s->in) > 0)
		linger(s);
	if (settle(s))
		watch(s);
	return 0;
}

static int take_credit(struct stream *s, uint32_t n, struct err *e)
{
	bool stood = s->flow.may_go == 0;

	if (flow_credit_came(&s->flow, n, e) < 0)
		return -1;
	if (stood && may_read(s) && !s->waiting)
		wait_turn(s);
	return 0;
}

int stream_frame(struct stream *s, const struct mux_frame *f, struct err *e)
{
	switch (f->type) {
	case MUX_DATA:
		return take_data(s, f->data.p, f->data.n, e);
	case MUX_CREDIT:
		return take_credit(s, f->credit, e);
	case MUX_END:
		return take_end(s, e);
	case MUX_RESET:
		stream_end(s, 0, f->reset.code,
			   f->reset.reason[0] ? f->reset.reason : "reset by the other side");
		return 0;
	default:
		return err_set(e, EPROTO, "a frame of type %d is none of a stream", f->type);
	}
}

int stream_start(struct stream *s, struct transport *local, struct err *e)
{
	uint32_t events = s->limit ? EPOLLIN : EPOLLRDHUP;

	if (loop_io_add(s->tunnel->loop, &s->io, local->fd, events, on_ready, s, e) < 0)
		return -1;
	s->local = *local;
	*local = TRANSPORT_NONE;
	/* What TLS has decrypted already is read in the next turn. */
	s->waiting = true;
	tunnel_serve_soon(s->tunnel);
	return 0;
}
