/*
 * A client of the terminal over a socket pair: replay, window, gaps, a socket that takes little, input that
 * waits, errors, the end. The test is both the session and the peer.
 */
#include "tests/unit/scratch.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/sock.h"
#include "shim/client.h"
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

	/* What the peer has read. */
	struct buf raw, output, notes; /* notes: a letter for each message that is no output */
	uint64_t next;
	bool started;
	uint64_t gap_from, gap_to;
	uint16_t code;
	char text[512]; /* of the last JSON message or close */
};

static bool desk_full(void *arg)
{
	return ((struct desk *) arg)->full;
}

static void desk_input(void *arg, struct client *c, const uint8_t *p, size_t n)
{
	struct desk *d = arg;

	assert_ok(buf_append(&d->input, p, n, &e));
}

static void desk_end(void *arg, struct client *c)
{
	((struct desk *) arg)->ends++;
}

static void desk_resize(void *arg, struct client *c, uint16_t cols, uint16_t rows)
{
	struct desk *d = arg;

	d->cols = cols;
	d->rows = rows;
}

static struct desk *desk_new(void)
{
	struct desk *d = xalloc(sizeof(*d));

	*d = (struct desk){ .peer = FD_NONE,
			    .now = 1000,
			    .hooks = { d, desk_full, desk_input, desk_end, desk_resize },
			    .input = BUF_LIMIT(1 << 24),
			    .raw = BUF_LIMIT(1 << 24),
			    .output = BUF_LIMIT(1 << 24),
			    .notes = BUF_LIMIT(1 << 16) };
	assert_ok(ring_init(&d->ring, RING, &e));
	return d;
}

static void desk_free(struct desk *d)
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
	uint64_t since;
	int expect;
};

static void attach(struct desk *d, struct how how)
{
	int pair[2], small = 4096;
	struct client_spec spec = { .framing = how.packet ? CLIENT_PACKET : CLIENT_WS,
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

static void note(struct desk *d, char c)
{
	assert_ok(buf_append(&d->notes, &c, 1, &e));
}

static void message(struct desk *d, const uint8_t *p, size_t n)
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
	note(d, "?OHBESXNPG"[p[0] < 10 ? p[0] : 0]);
}

/* Reads and takes apart one frame of the shim's; false when none is whole. */
static bool take_frame(struct desk *d)
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

static size_t peer_read(struct desk *d, size_t at_most)
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
static void settle(struct desk *d)
{
	do {
		client_write(d->c, SIZE_MAX, d->now);
	} while (peer_read(d, SIZE_MAX) > 0);
}

static size_t masked(uint8_t *out, uint8_t first, const void *p, size_t n)
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

static void peer_send(struct desk *d, uint8_t first, const void *p, size_t n)
{
	static uint8_t wire[65552];
	size_t k = masked(wire, first, p, n);

	assert_int_equal(send(d->peer, wire, k, MSG_DONTWAIT), k);
}

static void say(struct desk *d, const void *p, size_t n)
{
	peer_send(d, 0x82, p, n);
	client_read(d->c, d->now);
}

static void ack(struct desk *d, uint64_t offset)
{
	uint8_t m[9] = { PROTO_ACK };

	for (int i = 0; i < 8; i++)
		m[1 + i] = (uint8_t) (offset >> (56 - 8 * i));
	say(d, m, sizeof(m));
}

static void fill(struct desk *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t) ((d->ring.next * 31 + (d->ring.next >> 8)) & 0x7f);

		ring_put(&d->ring, &c, 1);
	}
}

static void check_output(const struct desk *d, uint64_t from)
{
	const uint8_t *p = buf_bytes(&d->output);

	for (size_t i = 0; i < buf_len(&d->output); i++, from++)
		assert_int_equal(p[i], (from * 31 + (from >> 8)) & 0x7f);
}

/* ---- tests ---- */

static void test_hello_and_replay(void **state)
{
	struct desk *d = desk_new();

	ring_put(&d->ring, "hello\n", 6);
	attach(d, (struct how){ 0 });
	settle(d);
	assert_string_equal(buf_str(&d->notes), "HBE");
	assert_string_equal(buf_str(&d->output), "hello\n");
	assert_non_null(strstr(d->text, "\"next\":6"));
	ring_put(&d->ring, "more", 4);
	settle(d);
	assert_string_equal(buf_str(&d->output), "hello\nmore");
	assert_string_equal(buf_str(&d->notes), "HBE");
	desk_free(d);
}

static void test_since(void **state)
{
	struct desk *d = desk_new();

	fill(d, 1000);
	attach(d, (struct how){ .has_since = true, .since = 400 });
	settle(d);
	assert_int_equal(buf_len(&d->output), 600);
	check_output(d, 400);
	assert_string_equal(buf_str(&d->notes), "HBE");
	desk_free(d);

	d = desk_new();
	fill(d, 10);
	attach(d, (struct how){ .has_since = true, .since = 11, .expect = -1 });
	desk_free(d);
}

static void test_since_too_old_is_a_gap_first(void **state)
{
	struct desk *d = desk_new();

	fill(d, RING + 5000);
	attach(d, (struct how){ .has_since = true, .since = 100 });
	client_write(d->c, SIZE_MAX, d->now);
	(void) peer_read(d, SIZE_MAX);
	assert_string_equal(buf_str(&d->notes), "HGB");
	assert_int_equal(d->gap_from, 100);
	assert_true(d->gap_to >= 5000 && d->gap_to < 5000 + 4096);
	check_output(d, d->gap_to);
	desk_free(d);
}

/* The server never has more than a window unacknowledged, and goes on exactly when it is acknowledged. */
static void test_window(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	settle(d);
	fill(d, 40000);
	settle(d);
	assert_int_equal(buf_len(&d->output), WINDOW);
	assert_int_equal(client_wants(d->c), EPOLLIN);
	ack(d, 1000);
	settle(d);
	assert_int_equal(buf_len(&d->output), WINDOW + 1000);
	ack(d, 500); /* older: no effect */
	settle(d);
	assert_int_equal(buf_len(&d->output), WINDOW + 1000);
	ack(d, WINDOW + 1000);
	settle(d);
	ack(d, 2 * WINDOW + 1000);
	settle(d);
	assert_int_equal(buf_len(&d->output), 40000);
	check_output(d, 0);
	desk_free(d);
}

static void test_ack_of_the_future_is_an_error(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	fill(d, 10);
	settle(d);
	ack(d, 11);
	settle(d);
	assert_int_equal(d->code, 4400);
	desk_free(d);
}

/* A reader that takes a few bytes at a time while the ring is overwritten many times: every frame stays
 * whole, offsets jump by GAP alone, and no memory is held but one frame. */
static void test_slow_reader_sees_whole_frames_and_gaps(void **state)
{
	struct desk *d = desk_new();
	size_t gaps = 0;

	attach(d, (struct how){ 0 });
	settle(d);
	for (int i = 0; i < 400; i++) {
		fill(d, 3000);
		client_write(d->c, SIZE_MAX, d->now);
		(void) peer_read(d, 700);
		assert_true(d->c->spill.cap <= 40000);
		assert_true(d->c->ctl.cap <= 16384);
		if (d->next > d->c->acked)
			ack(d, d->next);
		if (d->gap_to) {
			gaps++;
			buf_clear(&d->output);
			d->gap_to = 0;
		}
	}
	assert_true(gaps > 0);
	settle(d);
	assert_int_equal(d->c->state, CLIENT_OPEN);
	desk_free(d);
}

static void test_input(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	say(d, "\x10ls\n", 4);
	say(d, "", 0);	   /* tolerated */
	say(d, "\x10", 1); /* no bytes: no input */
	say(d, "\x14", 1);
	say(d, "\x11\x00\x64\x00\x1e", 5);
	assert_string_equal(buf_str(&d->input), "ls\n");
	assert_int_equal(d->ends, 1);
	assert_int_equal(d->cols, 100);
	assert_int_equal(d->rows, 30);
	desk_free(d);

	d = desk_new();
	attach(d, (struct how){ .viewer = true });
	say(d, "\x10ls\n", 4);
	say(d, "\x14", 1);
	say(d, "\x11\x00\x64\x00\x1e", 5);
	settle(d);
	assert_int_equal(buf_len(&d->input), 0);
	assert_int_equal(d->ends, 0);
	assert_int_equal(d->cols, 0);
	assert_int_equal(d->code, 0);
	desk_free(d);
}

/* While the program's input is full nothing is decoded, the socket is left alone, and output is not
 * bound to acknowledgements that cannot be read; then it goes on where it stopped. */
static void test_full_input_pauses(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	settle(d);
	peer_send(d, 0x82, "\x10one", 4);
	peer_send(d, 0x82, "\x10two", 4);
	d->full = true;
	client_read(d->c, d->now);
	assert_int_equal(buf_len(&d->input), 0);
	assert_int_equal(client_wants(d->c), 0);
	assert_false(client_has_pending(d->c));
	fill(d, 40000);
	settle(d);
	assert_int_equal(buf_len(&d->output), 40000); /* more than a window */
	d->full = false;
	assert_true(client_has_pending(d->c));
	client_read(d->c, d->now);
	assert_string_equal(buf_str(&d->input), "onetwo");
	assert_true(client_wants(d->c) & EPOLLIN);
	desk_free(d);
}

static void test_preloaded_bytes_come_first(void **state)
{
	struct desk *d = desk_new();
	uint8_t wire[64];
	size_t n = masked(wire, 0x82,
			  "\x10"
			  "first",
			  6);

	attach(d, (struct how){ 0 });
	/* Half of a frame was read with the request head, the rest comes by the socket. */
	assert_ok(client_preload(d->c, wire, 5, &e));
	assert_int_equal(send(d->peer, wire + 5, n - 5, 0), n - 5);
	assert_true(client_has_pending(d->c));
	client_read(d->c, d->now);
	assert_string_equal(buf_str(&d->input), "first");
	desk_free(d);
}

static void test_floods_cost_nothing(void **state)
{
	struct desk *d = desk_new();
	size_t answers;

	attach(d, (struct how){ 0 });
	settle(d);
	buf_clear(&d->notes);
	for (int i = 0; i < 20000; i++) {
		peer_send(d, 0x89, "ping", 4);
		peer_send(d, 0x82,
			  "\x13"
			  "app-level ping of some length...",
			  33);
		client_read(d->c, d->now);
		client_size(d->c, (uint16_t) (i % 1000 + 1), 24);
		client_write(d->c, SIZE_MAX, d->now);
		assert_true(d->c->ctl.cap <= 16384);
	}
	assert_int_equal(d->c->state, CLIENT_OPEN);
	settle(d);
	answers = buf_len(&d->notes);
	assert_true(answers > 2 && answers < 1000);
	assert_non_null(strchr(buf_str(&d->notes), 'o'));
	assert_non_null(strchr(buf_str(&d->notes), 'P'));
	assert_non_null(strchr(buf_str(&d->notes), 'S'));
	desk_free(d);
}

static void test_exit_comes_after_all_output(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	fill(d, 30000);
	client_exit(d->c, "\x06{}", 3, 1000);
	settle(d);
	assert_int_equal(buf_len(&d->output), WINDOW);
	assert_int_equal(d->code, 0);
	ack(d, WINDOW);
	settle(d);
	assert_int_equal(buf_len(&d->output), 30000);
	check_output(d, 0);
	assert_string_equal(buf_str(&d->notes), "HBEXC");
	assert_int_equal(d->code, 1000);
	assert_int_equal(d->c->state, CLIENT_LINGER);
	/* The peer's close ends it; what it sent before that means nothing. */
	peer_send(d, 0x82, "\x10late", 5);
	peer_send(d, 0x88, "\x03\xe8", 2);
	client_read(d->c, d->now);
	assert_int_equal(d->c->state, CLIENT_GONE);
	assert_int_equal(buf_len(&d->input), 0);
	desk_free(d);
}

static void test_errors_close(void **state)
{
	static const struct {
		uint8_t first;
		const char *bytes;
		size_t n;
		uint16_t code;
	} rows[] = {
		{ 0x81, "hello", 5, 4400 },    { 0x82, "\x77", 1, 4400 },
		{ 0x82, "\x11\x00", 2, 4400 }, { 0xc2, "\x10", 1, 1002 },
		{ 0x88, "\x03\xe8", 2, 1000 }, { 0x88, "", 0, 1000 },
		{ 0x88, "\x0f\xa0", 2, 4000 }, { 0x88, "\x03\xee", 2, 1002 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct desk *d = desk_new();

		attach(d, (struct how){ 0 });
		settle(d);
		peer_send(d, rows[i].first, rows[i].bytes, rows[i].n);
		client_read(d->c, d->now);
		fill(d, 100); /* not sent any more */
		settle(d);
		assert_int_equal(d->code, rows[i].code);
		assert_int_equal(buf_len(&d->output), 0);
		/* A close that the peer began is over with our answer; after an error we wait for its own. */
		assert_int_equal(d->c->state, rows[i].first == 0x88 && rows[i].code != 1002
						      ? CLIENT_GONE
						      : CLIENT_LINGER);
		desk_free(d);
	}
}

static void test_lost_socket(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	settle(d);
	fd_close(&d->peer);
	client_read(d->c, d->now);
	assert_int_equal(d->c->state, CLIENT_GONE);
	client_write(d->c, SIZE_MAX, d->now); /* and no SIGPIPE */
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_and_replay),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_since_too_old_is_a_gap_first),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_ack_of_the_future_is_an_error),
		cmocka_unit_test(test_slow_reader_sees_whole_frames_and_gaps),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_full_input_pauses),
		cmocka_unit_test(test_preloaded_bytes_come_first),
		cmocka_unit_test(test_floods_cost_nothing),
		cmocka_unit_test(test_exit_comes_after_all_output),
		cmocka_unit_test(test_errors_close),
		cmocka_unit_test(test_lost_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
