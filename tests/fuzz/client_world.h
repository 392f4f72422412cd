/*
 * Any messages to a client of the terminal in one dialect: it ends in a state that exists, keeps its limits, answers what
 * breaks the protocol with a close, and all that it sends is well-formed frames, text in them UTF-8. For the fuzz targets of
 * the dialects.
 *
 * First byte: bit 0 packets instead of WebSocket (where the dialect may), bit 1 viewer, bit 2 input is full for a while,
 * bit 3 the program has ended, bit 4 text messages. Then, again and again, a length byte and a message of that
 * length.
 */
#ifndef CARREL_TESTS_FUZZ_CLIENT_WORLD_H
#define CARREL_TESTS_FUZZ_CLIENT_WORLD_H

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/str.h"
#include "shim/client.h"
#include "shim/proto.h"
#include "shim/ring.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct world {
	bool full;
	size_t input;
};

static bool full(void *arg)
{
	return ((struct world *) arg)->full;
}

static void input(void *arg, struct client *c, const uint8_t *p, size_t n)
{
	if (c->role != CLIENT_WRITER || n > FRAME_MAX_MESSAGE)
		abort();
	((struct world *) arg)->input += n;
}

static void input_end(void *arg, struct client *c)
{
	if (c->role != CLIENT_WRITER)
		abort();
}

static void take(void *arg, struct client *c, bool take)
{
	client_set_role(c, take ? CLIENT_WRITER : CLIENT_VIEWER);
}

static void resize(void *arg, struct client *c)
{
	uint16_t cols = c->want_cols, rows = c->want_rows;

	if (c->role != CLIENT_WRITER || cols < 1 || cols > PROTO_MAX_SIZE || rows < 1 ||
	    rows > PROTO_MAX_SIZE)
		abort();
	client_size(c, cols, rows);
}

/* Frames the messages; a message of an odd length byte goes out as it is, for broken frames. */
static void build(const uint8_t *data, size_t n, bool packets, bool text, struct buf *wire)
{
	struct err e = ERR_NONE;

	while (n > 0 && buf_len(wire) < 60000) {
		size_t k = MIN((size_t) (data[0] & 0x7f), n - 1);
		bool raw = data[0] & 0x80;
		uint8_t head[8] = { text ? 0x81 : 0x82, (uint8_t) (0x80 | k) };

		data++;
		n--;
		if (!raw && packets) {
			packet_header(head, (uint32_t) k);
			(void) buf_append(wire, head, PACKET_HEADER, &e);
		} else if (!raw && k < 126)
			(void) buf_append(wire, head, 6, &e);
		(void) buf_append(wire, data, k, &e);
		data += k;
		n -= k;
	}
}

static void drain(int fd, struct buf *got)
{
	uint8_t bytes[65536];
	struct err e = ERR_NONE;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		if (buf_append(got, bytes, (size_t) n, &e) < 0)
			abort();
}

/* What the client was sent, frame by frame; the last may be cut. */
static void check_frames(const uint8_t *p, size_t n)
{
	while (n >= 2) {
		size_t k = p[1] & 0x7f, head = 2 + (k == 126 ? 2 : k == 127 ? 8 : 0);

		if ((p[0] & 0xf0) != 0x80 || (p[1] & 0x80) || n < head)
			break;
		for (size_t i = 2, v = 0; i < head; i++)
			k = v = v << 8 | p[i];
		if (n < head + k)
			return;
		for (size_t i = 0; (p[0] & 15) == WS_OP_TEXT && i < k;) {
			size_t c = str_utf8_len(p + head + i, k - i);

			if (c == 0)
				abort();
			i += c;
		}
		p += head + k;
		n -= head + k;
	}
	if (n >= 14)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	log_open(2, LOG_TEXT, LOG_LV_ERROR);
	return 0;
}

static int fuzz_client(const struct dialect *dialect, const uint8_t *data, size_t n)
{
	struct world world = { 0 };
	const struct client_hooks hooks = { &world, full, input, input_end, resize, take };
	struct client_spec spec = { .dialect = dialect,
				    .window = 4096,
				    .cols = 80,
				    .rows = 24,
				    .sandbox_id = "x",
				    .hooks = &hooks };
	static const uint8_t history[60000] = "output\n\033[1m";
	auto_buf struct buf wire = BUF_LIMIT(131072), got = BUF_LIMIT(1 << 23);
	bool packets = n > 0 && (data[0] & 1) && dialect->packets;
	struct err e = ERR_NONE;
	struct client *c;
	struct ring ring;
	int pair[2];

	if (n < 1 || ring_init(&ring, 65536, &e) < 0)
		return 0;
	ring_put(&ring, history, dialect->encode ? sizeof(history) / 10 : sizeof(history));
	if (sock_pair(SOCK_STREAM, pair, &e) < 0)
		abort();
	spec.fd = pair[0];
	spec.framing = packets ? CLIENT_PACKET : CLIENT_WS;
	spec.role = data[0] & 2 ? CLIENT_VIEWER : CLIENT_WRITER;
	spec.ring = &ring;
	if (client_new(&spec, &c, &e) < 0)
		abort();
	build(data + 1, n - 1, packets, data[0] & 16, &wire);
	if (buf_len(&wire) && client_preload(c, buf_bytes(&wire), buf_len(&wire), &e) < 0)
		abort();
	world.full = data[0] & 4;
	for (int i = 0; i < 8; i++) {
		client_read(c, (uint64_t) i);
		client_write(c, 65536, (uint64_t) i);
		(void) client_wants(c);
		ring_put(&ring, data, n);
		if (i == 2)
			world.full = false;
		if (i == 3 && (data[0] & 8))
			client_exit(c, &(struct dialect_exit){ "exited", 0, 0 }, CLOSE_NORMAL);
		if (buf_len(&c->ctl) > c->ctl.limit || c->state > CLIENT_GONE ||
		    c->acked > c->cursor)
			abort();
		drain(pair[1], &got);
	}
	if (!packets)
		check_frames(buf_bytes(&got), buf_len(&got));
	client_free(c);
	(void) close(pair[1]);
	ring_fini(&ring);
	return 0;
}

#endif
