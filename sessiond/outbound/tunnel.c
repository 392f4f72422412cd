#include "sessiond/outbound/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "sessiond/outbound/carrier.h"
#include "sessiond/outbound/tunnel_internal.h"

/* ---- the table of streams ---- */

static struct stream **bucket(struct tunnel *t, uint32_t id)
{
	return &t->buckets[id % BUCKETS];
}

static struct stream *find(struct tunnel *t, uint32_t id)
{
	struct stream *s = *bucket(t, id);

	while (s && s->id != id)
		s = s->next_in_bucket;
	return s;
}

static void append(struct tunnel *t, struct stream *s)
{
	s->prev = t->last;
	s->next = NULL;
	*(t->last ? &t->last->next : &t->first) = s;
	t->last = s;
}

static void unlink_stream(struct tunnel *t, struct stream *s)
{
	*(s->prev ? &s->prev->next : &t->first) = s->next;
	*(s->next ? &s->next->prev : &t->last) = s->prev;
}

void tunnel_requeue(struct tunnel *t, struct stream *s)
{
	unlink_stream(t, s);
	append(t, s);
}

static struct stream *add(struct tunnel *t, uint32_t id)
{
	struct stream *s = xalloc(sizeof(*s));

	s->tunnel = t;
	s->id = id;
	s->local = TRANSPORT_NONE;
	s->limit = UINT64_MAX;
	s->in = BUF_LIMIT(t->config.window);
	flow_init(&s->flow, t->config.window, t->their_window);
	append(t, s);
	s->next_in_bucket = *bucket(t, id);
	*bucket(t, id) = s;
	t->n++;
	return s;
}

static void on_reap(void *arg)
{
	struct tunnel *t = arg;

	while (t->graveyard) {
		struct stream *s = t->graveyard;

		t->graveyard = s->next;
		free(s);
	}
}

void tunnel_bury(struct tunnel *t, struct stream *s)
{
	struct stream **at = bucket(t, s->id);

	while (*at != s)
		at = &(*at)->next_in_bucket;
	*at = s->next_in_bucket;
	unlink_stream(t, s);
	t->n--;
	s->dead = true;
	loop_io_del(&s->io);
	loop_timer_del(&s->linger);
	transport_close(&s->local);
	buf_fini(&s->in);
	s->next = t->graveyard;
	t->graveyard = s;
	loop_defer(t->loop, &t->reap, on_reap, t);
}

/* ---- turns ---- */

static void serve(void *arg)
{
	struct tunnel *t = arg;
	size_t n = t->n;

	for (struct stream *s = t->first; s && n > 0; n--) {
		struct stream *next = s->next;

		if (carrier_congested(t->carrier))
			return;
		if (s->waiting)
			stream_serve(s);
		s = next;
	}
}

void tunnel_serve_soon(struct tunnel *t)
{
	if (!t->serve.loop)
		loop_timer_set(t->loop, &t->serve, 0, serve, t);
}

static void on_drained(void *arg)
{
	tunnel_serve_soon(arg);
}

/* ---- frames ---- */

void tunnel_send(struct tunnel *t, const struct mux_frame *f)
{
	auto_buf struct buf out = BUF_LIMIT(MUX_MESSAGE_MAX);
	struct err e = ERR_NONE;

	if (mux_encode(f, &out, &e) < 0)
		tunnel_close(t, WSLAY_CODE_INTERNAL_SERVER_ERROR, e.msg);
	else
		carrier_send(t->carrier, buf_bytes(&out), buf_len(&out));
}

static int take_hello(struct tunnel *t, const struct mux_frame *f, struct err *e)
{
	t->their_window = f->hello.window;
	t->streams_max = MIN(t->config.streams, f->hello.streams);
	return t->ops.greeted(t->arg, f, e);
}

/* A refusal is the stream's, not the connection's. */
static void take_open(struct tunnel *t, const struct mux_frame *f)
{
	struct mux_frame reset = { .type = MUX_RESET,
				   .stream = f->stream,
				   .reset = { MUX_CODE_BUSY, "too many streams" } };
	struct transport local = TRANSPORT_NONE;
	struct err e = ERR_NONE;
	struct stream *s;

	if (t->n >= t->config.streams) {
		tunnel_send(t, &reset);
		return;
	}
	if (t->ops.connect(t->arg, f->data.p, f->data.n, &local, &e) < 0) {
		reset.reset.code = e.code == EAGAIN ? MUX_CODE_BUSY : MUX_CODE_UNAVAILABLE;
		(void) snprintf(reset.reset.reason, sizeof(reset.reset.reason), "%s",
				e.code == EAGAIN ? "the daemon is busy"
						 : "the daemon takes no connection");
		tunnel_send(t, &reset);
		return;
	}
	s = add(t, f->stream);
	if (stream_start(s, &local, &e) < 0) {
		log_warn("stream %u: %s", s->id, e.msg);
		transport_close(&local);
		stream_end(s, MUX_CODE_INTERNAL, MUX_CODE_INTERNAL, "no stream can be made");
	}
}

static void take_pong(struct tunnel *t, uint64_t sent_ns)
{
	uint64_t now = clock_mono_ns();

	if (sent_ns <= now)
		t->rtt_ns = now - sent_ns;
}

static int take(struct tunnel *t, const struct mux_frame *f, struct stream *s, struct err *e)
{
	struct mux_frame pong = { .type = MUX_PONG, .time_ns = f->time_ns };

	switch (f->type) {
	case MUX_HELLO:
		return take_hello(t, f, e);
	case MUX_OPEN:
		take_open(t, f);
		return 0;
	case MUX_PING:
		tunnel_send(t, &pong);
		return 0;
	case MUX_PONG:
		take_pong(t, f->time_ns);
		return 0;
	default:
		return stream_frame(s, f, e);
	}
}

static void on_message(void *arg, const uint8_t *p, size_t n)
{
	struct tunnel *t = arg;
	struct stream *s = NULL;
	struct mux_frame f;
	struct err e = ERR_NONE;
	int r;

	if (t->closing)
		return;
	t->heard_ns = clock_mono_ns();
	r = mux_decode(p, n, &f, &e);
	if (r == 0) {
		s = find(t, f.stream);
		r = mux_check(&t->order, &f, s != NULL, &e);
	}
	if (r == MUX_TAKE)
		r = take(t, &f, s, &e);
	if (r < 0)
		tunnel_close(t, WSLAY_CODE_PROTOCOL_ERROR, e.msg);
}

/* ---- liveness ---- */

static void on_ping(void *arg)
{
	struct tunnel *t = arg;
	struct mux_frame ping = { .type = MUX_PING, .time_ns = clock_mono_ns() };

	if (ping.time_ns - t->heard_ns >= t->config.dead_ms * 1000000) {
		tunnel_close(t, WSLAY_CODE_POLICY_VIOLATION,
			     "nothing was heard of the other side");
		return;
	}
	if (t->order.greeted)
		tunnel_send(t, &ping);
	loop_timer_set(t->loop, &t->ping, t->config.ping_ms, on_ping, t);
}

/* ---- life ---- */

static void on_over(void *arg)
{
	struct tunnel *t = arg;

	t->ops.closed(t->arg, t->code, t->why);
}

/* The next turn: by then what this one has deferred is done. */
static void on_closed(void *arg, uint16_t code, const char *why)
{
	struct tunnel *t = arg;

	t->closing = true;
	t->code = code;
	(void) snprintf(t->why, sizeof(t->why), "%s", why);
	loop_timer_del(&t->ping);
	loop_timer_del(&t->serve);
	while (t->first)
		stream_end(t->first, 0, MUX_CODE_UNAVAILABLE, why);
	loop_defer(t->loop, &t->over, on_over, t);
}

void tunnel_close(struct tunnel *t, uint16_t code, const char *why)
{
	if (t->closing)
		return;
	t->closing = true;
	carrier_close(t->carrier, code, why);
}

int tunnel_new(struct loop *loop, struct transport *transport, const void *early,
	       size_t n_early, const struct tunnel_config *config, const struct tunnel_ops *ops,
	       void *arg, struct tunnel **out, struct err *e)
{
	static const struct carrier_ops carrier = { on_message, on_drained, on_closed };
	struct tunnel *t = xalloc(sizeof(*t));
	struct mux_frame hello = { .type = MUX_HELLO,
				   .hello = { .version = MUX_VERSION,
					      .streams = config->streams,
					      .window = config->window } };

	t->loop = loop;
	t->config = *config;
	t->ops = *ops;
	t->arg = arg;
	t->order.from_relay = !config->relay;
	t->heard_ns = clock_mono_ns();
	if (config->host)
		(void) snprintf(hello.hello.host, sizeof(hello.hello.host), "%s", config->host);
	if (carrier_new(loop, transport, config->relay, early, n_early, &carrier, t,
			&t->carrier, e) < 0) {
		free(t);
		return -1;
	}
	tunnel_send(t, &hello);
	loop_timer_set(loop, &t->ping, config->ping_ms, on_ping, t);
	*out = t;
	return 0;
}

void tunnel_free(struct tunnel *t)
{
	if (!t)
		return;
	carrier_free(t->carrier);
	loop_timer_del(&t->ping);
	loop_timer_del(&t->serve);
	on_reap(t);
	free(t);
}

int tunnel_open(struct tunnel *t, struct transport *client, const char *meta, const void *first,
		size_t n_first, uint64_t limit, struct err *e)
{
	struct mux_frame f = { .type = MUX_OPEN, .stream = t->last_opened + 1 };
	struct stream *s;

	if (t->closing || !t->order.greeted)
		return err_set(e, ENOTCONN, "the host is not connected");
	if (t->n >= t->streams_max || t->last_opened == UINT32_MAX)
		return err_set(e, EAGAIN, "the host has %zu connections open already", t->n);
	s = add(t, f.stream);
	s->limit = limit;
	if (stream_start(s, client, e) < 0) {
		tunnel_bury(t, s);
		return -1;
	}
	t->last_opened = t->order.last = f.stream;
	f.data.p = (const uint8_t *) meta;
	f.data.n = strlen(meta);
	tunnel_send(t, &f);
	/* Its window is at least HELLO's least, and more than a head's. */
	for (const uint8_t *p = first; n_first > 0;) {
		size_t n = MIN(n_first, (size_t) MUX_DATA_MAX);

		tunnel_send(t, &(struct mux_frame){
				       .type = MUX_DATA, .stream = s->id, .data = { p, n } });
		flow_sent(&s->flow, n);
		p += n;
		n_first -= n;
	}
	return 0;
}

size_t tunnel_streams(const struct tunnel *t)
{
	return t->n;
}

uint64_t tunnel_rtt_ns(const struct tunnel *t)
{
	return t->rtt_ns;
}
