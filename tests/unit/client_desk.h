/*
 * A client of the terminal over a socket pair, for tests that are both its session and the peer: the desk keeps what the
 * client reports to its session, and reads and writes as the peer does.
 */
#ifndef CARREL_TESTS_UNIT_CLIENT_DESK_H
#define CARREL_TESTS_UNIT_CLIENT_DESK_H

#include "tests/unit/scratch.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/sock.h"
#include "shim/client.h"
#include "shim/proto.h"
#include "shim/ring.h"

enum { RING = 65536, WINDOW = 16384 };

struct desk {
	struct ring ring;
	struct client_hooks hooks;
	struct client *c;
	int peer;
	uint64_t now;

	bool full;
	struct buf input;
	int ends;
	uint16_t cols, rows;
	char pen; /* y taken, n given back */

	/* What the peer has read. */
	struct buf raw, output, notes; /* notes: a letter for each message that is no output */
	uint64_t next;
	bool started;
	uint64_t gap_from, gap_to;
	uint16_t code;
	char text[512]; /* of the last JSON message or close */
};

static inline bool desk_full(void *arg)
{
	return ((struct desk *) arg)->full;
}

static inline void desk_input(void *arg, struct client *c, const uint8_t *p, size_t n)
{
	struct desk *d = arg;

	assert_ok(buf_append(&d->input, p, n, &e));
}

static inline void desk_end(void *arg, struct client *c)
{
	((struct desk *) arg)->ends++;
}

static inline void desk_resize(void *arg, struct client *c)
{
	struct desk *d = arg;

	d->cols = c->want_cols;
	d->rows = c->want_rows;
}

static inline void desk_take(void *arg, struct client *c, bool take)
{
	((struct desk *) arg)->pen = take ? 'y' : 'n';
}

static inline struct desk *desk_new(void)
{
	struct desk *d = xalloc(sizeof(*d));

	*d = (struct desk){ .peer = FD_NONE,
			    .now = 1000,
			    .hooks = { d, desk_full, desk_input, desk_end, desk_resize,
				       desk_take },
			    .input = BUF_LIMIT(1 << 24),
			    .raw = BUF_LIMIT(1 << 24),
			    .output = BUF_LIMIT(1 << 24),
			    .notes = BUF_LIMIT(1 << 16) };
	assert_ok(ring_init(&d->ring, RING, &e));
	return d;
}

static inline void desk_free(struct desk *d)
{
	client_free(d->c);
	fd_close(&d->peer);
	ring_fini(&d->ring);
	buf_fini(&d->input);
	buf_fini(&d->raw);
	buf_fini(&d->output);
	buf_fini(&d->notes);
	free(d);
}

struct how {
	bool viewer, has_since, packet;
	const struct dialect *dialect; /* NULL: carrel.v1 */
	uint64_t since;
	int expect;
};

static inline void attach(struct desk *d, struct how how)
{
	int pair[2], small = 4096;
	struct client_spec spec = { .framing = how.packet ? CLIENT_PACKET : CLIENT_WS,
				    .dialect = how.dialect ? how.dialect : &dialect_carrel,
				    .role = how.viewer ? CLIENT_VIEWER : CLIENT_WRITER,
				    .number = 7,
				    .since = how.since,
				    .has_since = how.has_since,
				    .window = WINDOW,
				    .cols = 80,
				    .rows = 24,
				    .sandbox_id = "box",
				    .ring = &d->ring,
				    .hooks = &d->hooks,
				    .now_ms = d->now };
	struct err why = ERR_NONE;

	assert_ok(sock_pair(SOCK_STREAM, pair, &e));
	spec.fd = pair[0];
	d->peer = pair[1];
	assert_int_equal(client_new(&spec, &d->c, &why), how.expect);
	if (how.expect < 0) {
		fd_close(&pair[0]);
		return;
	}
	/* So that frames go out in pieces. */
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
}

/* ---- the peer ---- */

static uint64_t be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static inline void note(struct desk *d, char c)
{
	assert_ok(buf_append(&d->notes, &c, 1, &e));
}

static inline void message(struct desk *d, const uint8_t *p, size_t n)
{
	switch (p[0]) {
	case PROTO_OUTPUT:
		if (d->started)
			assert_true(be(p + 1, 8) == d->next);
		d->started = true;
		d->next = be(p + 1, 8) + n - 9;
		assert_ok(buf_append(&d->output, p + 9, n - 9, &e));
		return;
	case PROTO_GAP:
		if (d->started)
			assert_true(be(p + 1, 8) == d->next);
		d->gap_from = be(p + 1, 8);
		d->gap_to = d->next = be(p + 9, 8);
		break;
	case PROTO_HELLO:
	case PROTO_EXIT:
	case PROTO_NOTICE:
		memcpy(d->text, p + 1, n - 1);
		d->text[n - 1] = '\0';
		break;
	}
	note(d, "?OHBESXNPGeR"[p[0] < 12 ? p[0] : 0]);
}

/* Reads and takes apart one frame of the shim's; false when none is whole. */
static inline bool take_frame(struct desk *d)
{
	const uint8_t *p = buf_bytes(&d->raw);
	size_t have = buf_len(&d->raw), head = 2, n;

	if (have < 2)
		return false;
	assert_true((p[0] & 0x70) == 0 && (p[0] & 0x80) && !(p[1] & 0x80));
	n = p[1];
	head += n == 126 ? 2 : n == 127 ? 8 : 0;
	if (have < head)
		return false;
	if (n >= 126)
		n = be(p + 2, head - 2);
	if (have < head + n)
		return false;
	if ((p[0] & 15) == WS_OP_BINARY)
		message(d, p + head, n);
	else if ((p[0] & 15) == WS_OP_CLOSE) {
		d->code = (uint16_t) be(p + head, 2);
		memcpy(d->text, p + head + 2, n - 2);
		d->text[n - 2] = '\0';
		note(d, 'C');
	} else
		note(d, (p[0] & 15) == WS_OP_PING ? 'i' : 'o');
	buf_consume(&d->raw, head + n);
	return true;
}

static inline size_t peer_read(struct desk *d, size_t at_most)
{
	uint8_t bytes[4096];
	size_t got = 0;

	while (got < at_most) {
		ssize_t n =
			recv(d->peer, bytes, MIN(sizeof(bytes), at_most - got), MSG_DONTWAIT);

		if (n <= 0)
			break;
		got += (size_t) n;
		assert_ok(buf_append(&d->raw, bytes, (size_t) n, &e));
	}
	while (take_frame(d))
		;
	return got;
}

/* Shim and peer in turn until nothing moves. */
static inline void settle(struct desk *d)
{
	do {
		client_write(d->c, SIZE_MAX, d->now);
	} while (peer_read(d, SIZE_MAX) > 0);
}

static inline size_t masked(uint8_t *out, uint8_t first, const void *p, size_t n)
{
	size_t head = n < 126 ? 2 : 4;

	assert_true(n < 65536);
	out[0] = first;
	out[1] = (uint8_t) (0x80 | (n < 126 ? n : 126));
	if (n >= 126) {
		out[2] = (uint8_t) (n >> 8);
		out[3] = (uint8_t) n;
	}
	memset(out + head, 0, 4); /* the mask of zeros is a mask */
	memcpy(out + head + 4, p, n);
	return head + 4 + n;
}

static inline void peer_send(struct desk *d, uint8_t first, const void *p, size_t n)
{
	static uint8_t wire[65552];
	size_t k = masked(wire, first, p, n);

	assert_int_equal(send(d->peer, wire, k, MSG_DONTWAIT), k);
}

static inline void say(struct desk *d, const void *p, size_t n)
{
	peer_send(d, 0x82, p, n);
	client_read(d->c, d->now);
}

static inline void ack(struct desk *d, uint64_t offset)
{
	uint8_t m[9] = { PROTO_ACK };

	for (int i = 0; i < 8; i++)
		m[1 + i] = (uint8_t) (offset >> (56 - 8 * i));
	say(d, m, sizeof(m));
}

static inline void fill(struct desk *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t) ((d->ring.next * 31 + (d->ring.next >> 8)) & 0x7f);

		ring_put(&d->ring, &c, 1);
	}
}

static inline void check_output(const struct desk *d, uint64_t from)
{
	const uint8_t *p = buf_bytes(&d->output);

	for (size_t i = 0; i < buf_len(&d->output); i++, from++)
		assert_int_equal(p[i], (from * 31 + (from >> 8)) & 0x7f);
}

#endif
