#include "sessiond/outbound/carrier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/outbound/transport.h"

enum { BLOCK = 65536, FILLS_PER_TURN = 4, MASKS = 1024, REASON_MAX = 123, MESSAGE_COST = 64 };

struct carrier {
	struct loop *loop;
	struct transport t;
	struct loop_io io;
	struct loop_timer again; /* more is there to be read */
	struct loop_defer flush, end;
	wslay_event_context_ptr ws;
	struct carrier_ops ops;
	void *arg;
	struct buf in, out;
	uint8_t masks[MASKS];
	size_t n_masks;
	bool was_congested, closing, dead;
	uint16_t code;
	char why[160], closing_why[160];
};

static void on_end(void *arg)
{
	struct carrier *c = arg;

	c->ops.closed(c->arg, c->code, c->why);
}

/* The first reason stays. */
static void die(struct carrier *c, uint16_t code, const char *why)
{
	if (c->dead)
		return;
	c->dead = true;
	c->code = code;
	(void) snprintf(c->why, sizeof(c->why), "%s", why);
	loop_io_del(&c->io);
	loop_timer_del(&c->again);
	loop_defer(c->loop, &c->end, on_end, c);
}

/* ---- wslay's callbacks ---- */

static ssize_t would_block(wslay_event_context_ptr ws)
{
	wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static ssize_t on_recv(wslay_event_context_ptr ws, uint8_t *p, size_t n, int flags, void *arg)
{
	struct carrier *c = arg;
	size_t got = MIN(n, buf_len(&c->in));

	if (got == 0 || c->dead || c->closing)
		return would_block(ws);
	memcpy(p, buf_bytes(&c->in), got);
	buf_consume(&c->in, got);
	return (ssize_t) got;
}

static ssize_t on_send(wslay_event_context_ptr ws, const uint8_t *p, size_t n, int flags,
		       void *arg)
{
	struct carrier *c = arg;
	size_t room = BLOCK - buf_len(&c->out);
	struct err ignored = ERR_NONE;

	n = MIN(n, room);
	if (n == 0 || buf_append(&c->out, p, n, &ignored) < 0)
		return would_block(ws);
	return (ssize_t) n;
}

/* One call of the kernel for many frames. */
static int on_mask(wslay_event_context_ptr ws, uint8_t *p, size_t n, void *arg)
{
	struct carrier *c = arg;

	if (c->n_masks < n) {
		random_bytes(c->masks, sizeof(c->masks));
		c->n_masks = sizeof(c->masks);
	}
	c->n_masks -= n;
	memcpy(p, c->masks + c->n_masks, n);
	return 0;
}

static void on_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *m,
		       void *arg)
{
	struct carrier *c = arg;
	char reason[REASON_MAX + 1] = "";
	size_t n;

	if (c->dead || c->closing)
		return;
	if (m->opcode == WSLAY_BINARY_FRAME) {
		c->ops.message(c->arg, m->msg, m->msg_length);
	} else if (m->opcode == WSLAY_CONNECTION_CLOSE) {
		n = m->msg_length > 2 ? MIN(m->msg_length - 2, (size_t) REASON_MAX) : 0;
		for (size_t i = 0; i < n; i++)
			reason[i] = m->msg[i + 2] >= 0x20 && m->msg[i + 2] < 0x7f
					    ? (char) m->msg[i + 2]
					    : '?';
		die(c, m->status_code ? m->status_code : 1005,
		    reason[0] ? reason : "the other side closed the connection");
	} else if (m->opcode == WSLAY_TEXT_FRAME) {
		carrier_close(c, WSLAY_CODE_UNSUPPORTED_DATA, "a text message");
	}
}

/* ---- out ---- */

/* An answer to an empty ping has no length, but takes memory. */
static size_t queued(const struct carrier *c)
{
	return wslay_event_get_queued_msg_length(c->ws) + buf_len(&c->out) +
	       MESSAGE_COST * wslay_event_get_queued_msg_count(c->ws);
}

bool carrier_congested(const struct carrier *c)
{
	return queued(c) > CARRIER_HIGH;
}

static void watch(struct carrier *c)
{
	struct err e = ERR_NONE;

	if (!c->dead &&
	    loop_io_set(&c->io, transport_events(&c->t, !c->closing, queued(c) > 0), &e) < 0)
		die(c, 0, e.msg);
}

/* True: everything, or as much as goes now. */
static bool write_out(struct carrier *c)
{
	struct err e = ERR_NONE;

	while (buf_len(&c->out) > 0) {
		ssize_t n = transport_write(&c->t, buf_bytes(&c->out), buf_len(&c->out), &e);

		if (n > 0) {
			buf_consume(&c->out, (size_t) n);
			continue;
		}
		if (e.code != EAGAIN)
			die(c, 0, e.msg);
		return e.code == EAGAIN;
	}
	return true;
}

/* Once for a carrier that closes: what does not go now does not go. */
static void send_queue(struct carrier *c)
{
	do {
		if (wslay_event_send(c->ws) != 0) {
			die(c, 0, "the WebSocket is broken");
			return;
		}
		if (!write_out(c))
			return;
	} while (buf_len(&c->out) == 0 && wslay_event_want_write(c->ws));
}

static void on_flush(void *arg)
{
	struct carrier *c = arg;

	if (c->dead)
		return;
	send_queue(c);
	if (c->closing)
		die(c, 0, c->closing_why);
	else if (queued(c) > CARRIER_LIMIT)
		die(c, 0, "the other side does not read");
	watch(c);
	if (!c->dead && c->was_congested && !carrier_congested(c)) {
		c->was_congested = false;
		c->ops.drained(c->arg);
	}
}

void carrier_send(struct carrier *c, const void *p, size_t n)
{
	const struct wslay_event_msg m = { .opcode = WSLAY_BINARY_FRAME,
					   .msg = p,
					   .msg_length = n };

	if (c->dead || c->closing)
		return;
	if (wslay_event_queue_msg(c->ws, &m) != 0) {
		die(c, 0, "the WebSocket is closing");
		return;
	}
	if (carrier_congested(c))
		c->was_congested = true;
	/* At the turn's end: what many streams have to say travels together. */
	loop_defer(c->loop, &c->flush, on_flush, c);
}

/* Not at once: it may be called by wslay's own callback. */
void carrier_close(struct carrier *c, uint16_t code, const char *why)
{
	if (c->dead || c->closing)
		return;
	(void) wslay_event_queue_close(c->ws, code, (const uint8_t *) why,
				       MIN(strlen(why), (size_t) REASON_MAX));
	c->closing = true;
	(void) snprintf(c->closing_why, sizeof(c->closing_why), "%s", why);
	loop_defer(c->loop, &c->flush, on_flush, c);
}

/* ---- in ---- */

/* False: nothing more for now. */
static bool fill(struct carrier *c)
{
	struct err e = ERR_NONE;
	ssize_t n;

	if (buf_reserve(&c->in, BLOCK, &e) < 0) {
		die(c, 0, e.msg);
		return false;
	}
	n = transport_read(&c->t, c->in.data + c->in.tail, BLOCK, &e);
	if (n > 0) {
		c->in.tail += (size_t) n;
		return true;
	}
	if (n == 0)
		die(c, 0, "the other side ended the connection");
	else if (e.code != EAGAIN)
		die(c, 0, e.msg);
	return false;
}

static void take(struct carrier *c)
{
	if (buf_len(&c->in) > 0 && wslay_event_recv(c->ws) != 0)
		die(c, 0, "a malformed WebSocket frame");
	/* wslay answers what is wrong, and pings, by itself. */
	if (!c->dead && !c->closing && !wslay_event_want_read(c->ws)) {
		c->closing = true;
		(void) snprintf(c->closing_why, sizeof(c->closing_why),
				"a malformed WebSocket frame");
	}
	if (!c->dead && wslay_event_want_write(c->ws))
		loop_defer(c->loop, &c->flush, on_flush, c);
}

static void read_in(void *arg)
{
	struct carrier *c = arg;
	int i;

	take(c);
	for (i = 0; i < FILLS_PER_TURN && !c->dead && !c->closing && fill(c); i++)
		take(c);
	if (!c->dead && !c->closing && (i == FILLS_PER_TURN || transport_pending(&c->t)))
		loop_timer_set(c->loop, &c->again, 0, read_in, c);
	watch(c);
}

static void on_ready(void *arg, uint32_t events)
{
	struct carrier *c = arg;

	if (transport_readable(&c->t, events))
		read_in(c);
	if (transport_writable(&c->t, events))
		on_flush(c);
}

int carrier_new(struct loop *loop, struct transport *t, bool server, const void *early,
		size_t n_early, const struct carrier_ops *ops, void *arg, struct carrier **out,
		struct err *e)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_msg_recv_callback = on_message,
	};
	struct carrier *c = xalloc(sizeof(*c));
	int r;

	*c = (struct carrier){ .loop = loop, .t = *t, .ops = *ops, .arg = arg };
	*t = TRANSPORT_NONE;
	c->in = BUF_LIMIT(2 * BLOCK);
	c->out = BUF_LIMIT(BLOCK);
	r = server ? wslay_event_context_server_init(&c->ws, &callbacks, c)
		   : wslay_event_context_client_init(&c->ws, &callbacks, c);
	if (r != 0) {
		c->ws = NULL;
		(void) err_set(e, ENOMEM, "wslay does not start");
	} else {
		wslay_event_config_set_max_recv_msg_length(c->ws, MUX_MESSAGE_MAX);
		r = buf_append(&c->in, early, n_early, e);
		if (r == 0)
			r = loop_io_add(loop, &c->io, c->t.fd,
					transport_events(&c->t, true, false), on_ready, c, e);
	}
	if (r != 0) {
		carrier_free(c);
		return -1;
	}
	loop_timer_set(loop, &c->again, 0, read_in, c);
	*out = c;
	return 0;
}

void carrier_free(struct carrier *c)
{
	if (!c)
		return;
	loop_io_del(&c->io);
	loop_timer_del(&c->again);
	if (c->ws)
		wslay_event_context_free(c->ws);
	transport_close(&c->t);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}
