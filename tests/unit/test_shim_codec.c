/*
 * The shim's pure parts: the history ring, both framings, carrel.v1, and a foreign WebSocket
 * implementation (wslay) at the other end of ours.
 */
#include "tests/unit/scratch.h"

#include <string.h>
#include <wslay/wslay.h>

#include "base/buf.h"
#include "shim/packet.h"
#include "shim/proto.h"
#include "shim/ring.h"
#include "shim/ws.h"

/* ---- ring ---- */

static void get(const struct ring *r, uint64_t from, size_t n, char *out)
{
	struct iovec iov[2];
	int pieces = ring_peek(r, from, n, iov);
	size_t at = 0;

	for (int i = 0; i < pieces; i++) {
		memcpy(out + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	assert_int_equal(at, n);
	out[n] = '\0';
}

static void test_ring_keeps_the_last(void **state)
{
	struct err e = ERR_NONE;
	struct ring r;
	char text[64];

	assert_int_equal(ring_init(&r, 16, &e), 0);
	ring_put(&r, "0123456789", 10);
	assert_int_equal(r.oldest, 0);
	get(&r, 2, 5, text);
	assert_string_equal(text, "23456");
	ring_put(&r, "abcdefghij", 10);
	assert_int_equal(r.next, 20);
	assert_int_equal(r.oldest, 4);
	get(&r, 4, 16, text);
	assert_string_equal(text, "456789abcdefghij");
	for (int i = 0; i < 1000; i++)
		ring_put(&r, "0123456789ABCDEFGHIJ", 20); /* more than it holds at once */
	assert_int_equal(r.next, 20020);
	assert_int_equal(r.next - r.oldest, 16);
	get(&r, r.oldest, 16, text);
	assert_string_equal(text, "456789ABCDEFGHIJ");
	ring_fini(&r);
}

static void test_ring_reserve_gives_up_no_more_than_needed(void **state)
{
	struct err e = ERR_NONE;
	struct ring r;
	uint8_t *p;

	assert_int_equal(ring_init(&r, 64, &e), 0);
	assert_int_equal(ring_reserve(&r, 100, &p), 64);
	ring_commit(&r, 10);
	assert_int_equal(r.oldest, 0);
	assert_int_equal(ring_reserve(&r, 100, &p), 54);
	assert_int_equal(r.oldest, 0);
	ring_commit(&r, 54);
	assert_int_equal(ring_reserve(&r, 8, &p), 8);
	assert_int_equal(r.oldest, 8);
	ring_commit(&r, 1);
	assert_int_equal(r.next, 65);
	ring_fini(&r);
}

/* What may be cut where: the text is the whole of a ring's content, `at` where it says. */
static void test_ring_cut(void **state)
{
	static const struct {
		const char *text;
		size_t from, cut;
	} rows[] = {
		{ "abc\ndef", 1, 4 },	       /* after the next line feed */
		{ "abc\ndef", 4, 4 },	       /* stands behind one */
		{ "ab\033[1mx\n", 1, 2 },      /* before an escape */
		{ "[1mabc\033[0m", 1, 6 },     /* not in the middle of one */
		{ "\xc3\xa4\xc3\xb6x", 1, 2 }, /* no line feed: at least a whole character */
		{ "\xe2\x82\xac\xe2\x82\xac", 2, 3 },
		{ "abc", 3, 3 }, /* the end */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		struct ring r;
		size_t before = 60;

		/* Something was there before, so that offset 0 is not special. */
		assert_int_equal(ring_init(&r, 4096, &e), 0);
		for (size_t k = 0; k < before; k++)
			ring_put(&r, "x", 1);
		ring_put(&r, rows[i].text, strlen(rows[i].text));
		assert_int_equal(ring_cut(&r, before + rows[i].from), before + rows[i].cut);
		ring_fini(&r);
	}
}

static void test_ring_cut_at_the_oldest(void **state)
{
	struct err e = ERR_NONE;
	struct ring r;

	assert_int_equal(ring_init(&r, 8, &e), 0);
	assert_int_equal(ring_cut(&r, 0), 0);
	ring_put(&r, "0123", 4);
	assert_int_equal(ring_cut(&r, 0), 0); /* nothing is missing: no cut */
	ring_put(&r, "45\n7890123", 10);
	assert_int_equal(r.oldest, 6);
	assert_int_equal(ring_cut(&r, 0), 7);
	ring_fini(&r);
}

/* ---- WebSocket ---- */

static size_t client_frame(uint8_t *out, uint8_t first, const void *p, uint64_t n,
			   size_t really)
{
	static const uint8_t mask[4] = { 0x5a, 0x01, 0xfe, 0x77 };
	size_t at = 0;

	out[at++] = first;
	if (n < 126)
		out[at++] = (uint8_t) (0x80 | n);
	else if (n < 65536) {
		out[at++] = 0x80 | 126;
		out[at++] = (uint8_t) (n >> 8);
		out[at++] = (uint8_t) n;
	} else {
		out[at++] = 0x80 | 127;
		for (int i = 7; i >= 0; i--)
			out[at++] = (uint8_t) (n >> (8 * i));
	}
	memcpy(out + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < really; i++)
		out[at + i] = ((const uint8_t *) p)[i] ^ mask[i % 4];
	return at + really;
}

/* Feeds in pieces of `step`; gives the first event that is not NEED_MORE. */
static struct frame_event feed(struct ws_in *w, uint8_t *p, size_t n, size_t step)
{
	struct frame_event ev = { .kind = FRAME_NEED_MORE };
	size_t done = 0, used;

	while (done < n) {
		size_t k = MIN(step, n - done);

		ev = ws_decode(w, p + done, k, &used);
		assert_true(used <= k);
		done += used;
		if (ev.kind != FRAME_NEED_MORE)
			return ev;
		assert_int_equal(used, k);
	}
	return ev;
}

static void test_ws_message_whole_and_in_pieces(void **state)
{
	static uint8_t wire[70000], text[65536];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t) (i * 7 + i / 251);
	for (size_t step = 1; step < 70000; step = step * 3 + 1) {
		const size_t sizes[] = { 1, 2, 125, 126, 127, 1000, 65535, 65536 };

		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t n = client_frame(wire, 0x82, text, sizes[i], sizes[i]);
			struct frame_event ev;
			struct ws_in w;

			ws_in_init(&w);
			ev = feed(&w, wire, n, step);
			assert_int_equal(ev.kind, FRAME_MESSAGE);
			assert_int_equal(ev.n, sizes[i]);
			assert_memory_equal(ev.data, text, sizes[i]);
			ws_in_fini(&w);
		}
	}
}

static void test_ws_fragments_with_control_between(void **state)
{
	uint8_t wire[256];
	size_t n = 0, used, done = 0;
	struct frame_event ev;
	struct ws_in w;

	n += client_frame(wire + n, 0x02, "abc", 3, 3);
	n += client_frame(wire + n, 0x89, "ping!", 5, 5);
	n += client_frame(wire + n, 0x00, "", 0, 0);
	n += client_frame(wire + n, 0x80, "def", 3, 3);
	n += client_frame(wire + n, 0x82, "", 0, 0);
	ws_in_init(&w);
	ev = ws_decode(&w, wire, n, &used);
	assert_int_equal(ev.kind, FRAME_PING);
	assert_int_equal(ev.n, 5);
	assert_memory_equal(ev.data, "ping!", 5);
	done += used;
	ev = ws_decode(&w, wire + done, n - done, &used);
	assert_int_equal(ev.kind, FRAME_MESSAGE);
	assert_int_equal(ev.n, 6);
	assert_memory_equal(ev.data, "abcdef", 6);
	done += used;
	ev = ws_decode(&w, wire + done, n - done, &used);
	assert_int_equal(ev.kind, FRAME_MESSAGE);
	assert_int_equal(ev.n, 0);
	ws_in_fini(&w);
}

/* Each is refused by its header alone: not one byte of payload is given. */
static void test_ws_refuses(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t n;
		enum frame_kind kind;
		uint16_t code;
	} rows[] = {
		{ { 0x82, 0x05 }, 2, FRAME_BAD, 1002 }, /* unmasked */
		{ { 0xc2, 0x85 }, 2, FRAME_BAD, 1002 }, /* RSV1 */
		{ { 0x92, 0x85 }, 2, FRAME_BAD, 1002 }, /* RSV3 */
		{ { 0x83, 0x85 }, 2, FRAME_BAD, 1002 }, /* opcode 3 */
		{ { 0x8b, 0x80 }, 2, FRAME_BAD, 1002 }, /* opcode 11 */
		{ { 0x09, 0x80 }, 2, FRAME_BAD, 1002 }, /* fragmented ping */
		{ { 0x89, 0xfe }, 2, FRAME_BAD, 1002 }, /* ping of 126 */
		{ { 0x88, 0x81 }, 2, FRAME_BAD, 1002 }, /* close of 1 */
		{ { 0x80, 0x81 }, 2, FRAME_BAD, 1002 }, /* continues nothing */
		{ { 0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4 }, 14, FRAME_BAD, 1009 },
		{ { 0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4 }, 14, FRAME_BAD, 1009 },
		{ { 0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4 },
		  14,
		  FRAME_BAD,
		  1009 },
		{ { 0x81, 0x85, 1, 2, 3, 4 }, 6, FRAME_TEXT, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t wire[16];
		struct frame_event ev;
		struct ws_in w;
		size_t used;

		memcpy(wire, rows[i].bytes, sizeof(wire));
		ws_in_init(&w);
		ev = ws_decode(&w, wire, rows[i].n, &used);
		assert_int_equal(ev.kind, rows[i].kind);
		assert_int_equal(ev.code, rows[i].code);
		/* And it stays refused. */
		assert_int_equal(ws_decode(&w, wire, rows[i].n, &used).kind, FRAME_BAD);
		ws_in_fini(&w);
	}
}

static void test_ws_fragments_have_a_limit(void **state)
{
	static uint8_t wire[8], text[40000];
	static uint8_t big[40020];
	struct frame_event ev;
	struct ws_in w;
	size_t n, used;
	int i;

	ws_in_init(&w);
	n = client_frame(wire, 0x02, "", 0, 0);
	for (i = 0; i < 5000; i++) {
		ev = ws_decode(&w, wire, n, &used);
		if (ev.kind == FRAME_BAD)
			break;
		n = client_frame(wire, 0x00, "", 0, 0);
	}
	assert_int_equal(i, FRAME_MAX_FRAGMENTS);
	assert_int_equal(ev.code, 1009);
	ws_in_fini(&w);

	/* Two fragments that are small enough each, and too big together. */
	ws_in_init(&w);
	n = client_frame(big, 0x02, text, sizeof(text), sizeof(text));
	assert_int_equal(ws_decode(&w, big, n, &used).kind, FRAME_NEED_MORE);
	n = client_frame(big, 0x80, text, sizeof(text), 0);
	ev = ws_decode(&w, big, n, &used);
	assert_int_equal(ev.kind, FRAME_BAD);
	assert_int_equal(ev.code, 1009);
	ws_in_fini(&w);
}

static void test_ws_close_codes(void **state)
{
	static const struct {
		uint16_t code;
		enum frame_kind kind;
	} rows[] = { { 1000, FRAME_CLOSE }, { 1001, FRAME_CLOSE }, { 1005, FRAME_BAD },
		     { 1006, FRAME_BAD },   { 999, FRAME_BAD },	   { 1015, FRAME_BAD },
		     { 2999, FRAME_BAD },   { 3000, FRAME_CLOSE }, { 4999, FRAME_CLOSE },
		     { 5000, FRAME_BAD },   { 0, FRAME_BAD } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t body[] = { (uint8_t) (rows[i].code >> 8), (uint8_t) rows[i].code, 'x' };
		uint8_t wire[32];
		size_t n = client_frame(wire, 0x88, body, 3, 3);
		struct frame_event ev;
		struct ws_in w;

		ws_in_init(&w);
		ev = feed(&w, wire, n, 100);
		assert_int_equal(ev.kind, rows[i].kind);
		if (ev.kind == FRAME_CLOSE)
			assert_int_equal(ev.code, rows[i].code);
		ws_in_fini(&w);
	}
}

/* ---- against wslay ---- */

struct pipe_end {
	struct buf to_server, to_client;
	struct buf got; /* messages that wslay received, each behind its opcode */
};

static ssize_t peer_recv(wslay_event_context_ptr ctx, uint8_t *p, size_t n, int flags,
			 void *arg)
{
	struct pipe_end *x = arg;
	size_t k = MIN(n, buf_len(&x->to_client));

	if (k == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(p, buf_bytes(&x->to_client), k);
	buf_consume(&x->to_client, k);
	return (ssize_t) k;
}

static ssize_t peer_send(wslay_event_context_ptr ctx, const uint8_t *p, size_t n, int flags,
			 void *arg)
{
	struct pipe_end *x = arg;
	struct err e = ERR_NONE;

	return buf_append(&x->to_server, p, n, &e) == 0 ? (ssize_t) n : -1;
}

static int peer_mask(wslay_event_context_ptr ctx, uint8_t *p, size_t n, void *arg)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t) (0x3d + 0x51 * i);
	return 0;
}

static void peer_message(wslay_event_context_ptr ctx,
			 const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct pipe_end *x = arg;
	struct err e = ERR_NONE;

	assert_int_equal(buf_append(&x->got, &m->opcode, 1, &e), 0);
	assert_int_equal(buf_append(&x->got, m->msg, m->msg_length, &e), 0);
}

static const struct wslay_event_callbacks peer_calls = { .recv_callback = peer_recv,
							 .send_callback = peer_send,
							 .genmask_callback = peer_mask,
							 .on_msg_recv_callback = peer_message };

static void test_ws_understands_wslay(void **state)
{
	const size_t sizes[] = { 0, 1, 125, 126, 4000, 65535, 65536 };
	struct pipe_end x = { BUF_LIMIT(1 << 20), BUF_LIMIT(1 << 20), BUF_LIMIT(1 << 20) };
	static uint8_t text[65536];
	wslay_event_context_ptr peer;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t) (i ^ i >> 8);
	assert_int_equal(wslay_event_context_client_init(&peer, &peer_calls, &x), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct wslay_event_msg m = { WSLAY_BINARY_FRAME, text, sizes[i] };
		struct frame_event ev;
		struct ws_in w;

		assert_int_equal(wslay_event_queue_msg(peer, &m), 0);
		assert_int_equal(wslay_event_send(peer), 0);
		ws_in_init(&w);
		ev = feed(&w, x.to_server.data + x.to_server.head, buf_len(&x.to_server), 1000);
		assert_int_equal(ev.kind, FRAME_MESSAGE);
		assert_int_equal(ev.n, sizes[i]);
		if (ev.n)
			assert_memory_equal(ev.data, text, ev.n);
		ws_in_fini(&w);
		buf_clear(&x.to_server);
	}
	wslay_event_context_free(peer);
	buf_fini(&x.to_server);
}

static void test_wslay_understands_ws(void **state)
{
	const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 100000 };
	struct pipe_end x = { BUF_LIMIT(1 << 20), BUF_LIMIT(1 << 20), BUF_LIMIT(1 << 20) };
	static uint8_t text[100000];
	wslay_event_context_ptr peer;
	struct err e = ERR_NONE;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t) (i ^ i >> 8);
	assert_int_equal(wslay_event_context_client_init(&peer, &peer_calls, &x), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint8_t head[WS_HEADER_MAX];
		size_t n = ws_header(head, WS_OP_BINARY, sizes[i]);

		assert_int_equal(buf_append(&x.to_client, head, n, &e), 0);
		assert_int_equal(buf_append(&x.to_client, text, sizes[i], &e), 0);
		assert_int_equal(wslay_event_recv(peer), 0);
		assert_int_equal(buf_len(&x.got), 1 + sizes[i]);
		assert_int_equal(buf_bytes(&x.got)[0], WSLAY_BINARY_FRAME);
		assert_memory_equal(buf_bytes(&x.got) + 1, text, sizes[i]);
		buf_clear(&x.got);
	}
	wslay_event_context_free(peer);
	buf_fini(&x.to_client);
	buf_fini(&x.to_server);
	buf_fini(&x.got);
}

/* ---- packets ---- */

static void test_packet(void **state)
{
	uint8_t wire[] = { 0, 0, 0, 3, 0x10, 'h',  'i',	 0,    0,  0,
			   0, 0, 0, 0, 4,    0x0f, 0x10, 0x0a, 'x' };

	for (size_t step = 1; step <= sizeof(wire); step++) {
		size_t done = 0, used, n_events = 0;
		struct packet_in k;

		packet_in_init(&k);
		while (done < sizeof(wire)) {
			size_t n = MIN(step, sizeof(wire) - done);
			struct frame_event ev = packet_decode(&k, wire + done, n, &used);

			done += used;
			if (ev.kind == FRAME_NEED_MORE)
				continue;
			n_events++;
			if (n_events == 1) {
				assert_int_equal(ev.n, 3);
				assert_memory_equal(ev.data, "\x10hi", 3);
			} else if (n_events == 2)
				assert_int_equal(ev.n, 0);
			else {
				assert_int_equal(ev.kind, FRAME_CLOSE);
				assert_int_equal(ev.code, 0x100a);
				assert_memory_equal(ev.data, "x", 1);
			}
		}
		assert_int_equal(n_events, 3);
		packet_in_fini(&k);
	}
}

static void test_packet_refuses(void **state)
{
	uint8_t big[] = { 0, 1, 0, 1 }, huge[] = { 0xff, 0xff, 0xff, 0xff },
		close[] = { 0, 0, 0, 2, 0x0f, 0x03 };
	struct packet_in k;
	size_t used;

	packet_in_init(&k);
	assert_int_equal(packet_decode(&k, big, 4, &used).code, 1009);
	packet_in_init(&k);
	assert_int_equal(packet_decode(&k, huge, 4, &used).code, 1009);
	packet_in_init(&k);
	assert_int_equal(packet_decode(&k, close, 6, &used).code, 1002);
	assert_int_equal(packet_decode(&k, close, 6, &used).kind, FRAME_BAD);
	packet_in_fini(&k);
}

/* ---- carrel.v1 ---- */

static void test_proto_accepts(void **state)
{
	struct err e = ERR_NONE;
	struct proto_in m;

	assert_int_equal(proto_decode((const uint8_t *) "\x10ls\n", 4, &m, &e), 0);
	assert_int_equal(m.type, PROTO_INPUT);
	assert_int_equal(m.n, 3);
	assert_memory_equal(m.data, "ls\n", 3);
	assert_int_equal(proto_decode((const uint8_t *) "\x11\x00\x50\x03\xe8", 5, &m, &e), 0);
	assert_int_equal(m.cols, 80);
	assert_int_equal(m.rows, 1000);
	assert_int_equal(proto_decode((const uint8_t *) "\x12\x01\x02\x03\x04\x05\x06\x07\x08",
				      9, &m, &e),
			 0);
	assert_true(m.offset == 0x0102030405060708ull);
	assert_int_equal(proto_decode((const uint8_t *) "\x13", 1, &m, &e), 0);
	assert_int_equal(proto_decode((const uint8_t *) "\x14", 1, &m, &e), 0);
}

static void test_proto_refuses(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *why;
	} rows[] = {
		{ "\x00", 1, "message of unknown type 0x00" },
		{ "\x01xxxxxxxxx", 10, "message of unknown type 0x01" },
		{ "\x15", 1, "message of unknown type 0x15" },
		{ "\xff", 1, "message of unknown type 0xff" },
		{ "\x11\x00\x50", 3, "RESIZE: 2 bytes where 4 belong" },
		{ "\x11\x00\x00\x00\x18", 5,
		  "RESIZE: 0 columns and 24 rows: both must be 1 to 1000" },
		{ "\x11\x00\x50\x03\xe9", 5,
		  "RESIZE: 80 columns and 1001 rows: both must be 1 to 1000" },
		{ "\x11\xff\xff\xff\xff", 5,
		  "RESIZE: 65535 columns and 65535 rows: both must be 1 to 1000" },
		{ "\x12\x00", 2, "ACK: 1 bytes where 8 belong" },
		{ "\x13"
		  "0123456789012345678901234567890123",
		  35, "PING: 34 bytes where at most 32 belong" },
		{ "\x14x", 2, "INPUT_END: 1 bytes where 0 belong" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		struct proto_in m;

		assert_int_equal(proto_decode((const uint8_t *) rows[i].bytes, rows[i].n, &m,
					      &e),
				 -1);
		assert_string_equal(e.msg, rows[i].why);
	}
}

static void test_proto_writes(void **state)
{
	struct proto_hello h = { .id = "abc",
				 .client = 2,
				 .role = "writer",
				 .oldest = 1,
				 .next = 5000000000,
				 .cols = 80,
				 .rows = 24,
				 .window = 262144 };
	struct buf b = BUF_LIMIT(1024);
	struct err e = ERR_NONE;
	uint8_t small[PROTO_MAX_SMALL];

	assert_int_equal(proto_hello(&b, &h, &e), 0);
	assert_string_equal(
		buf_str(&b),
		"\x02{\"version\":1,\"id\":\"abc\",\"client\":2,\"role\":\"writer\","
		"\"oldest\":1,\"next\":5000000000,\"cols\":80,\"rows\":24,\"window\":262144}");
	buf_clear(&b);
	assert_int_equal(proto_exit(&b, "exited", 3, 0, &e), 0);
	assert_string_equal(buf_str(&b), "\x06{\"reason\":\"exited\",\"code\":3,\"signal\":0}");
	buf_clear(&b);
	assert_int_equal(proto_notice(&b, "idle", 60, &e), 0);
	assert_string_equal(buf_str(&b), "\x07{\"kind\":\"idle\",\"seconds_left\":60}");
	buf_fini(&b);
	assert_int_equal(proto_range(small, PROTO_GAP, 1, 0x102), 17);
	assert_memory_equal(small, "\x09\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1\2", 17);
	assert_int_equal(proto_size(small, 80, 1000), 5);
	assert_memory_equal(small, "\x05\0\x50\x03\xe8", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_keeps_the_last),
		cmocka_unit_test(test_ring_reserve_gives_up_no_more_than_needed),
		cmocka_unit_test(test_ring_cut),
		cmocka_unit_test(test_ring_cut_at_the_oldest),
		cmocka_unit_test(test_ws_message_whole_and_in_pieces),
		cmocka_unit_test(test_ws_fragments_with_control_between),
		cmocka_unit_test(test_ws_refuses),
		cmocka_unit_test(test_ws_fragments_have_a_limit),
		cmocka_unit_test(test_ws_close_codes),
		cmocka_unit_test(test_ws_understands_wslay),
		cmocka_unit_test(test_wslay_understands_ws),
		cmocka_unit_test(test_packet),
		cmocka_unit_test(test_packet_refuses),
		cmocka_unit_test(test_proto_accepts),
		cmocka_unit_test(test_proto_refuses),
		cmocka_unit_test(test_proto_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
